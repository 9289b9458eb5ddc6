from django.db import migrations, models


class Migration(migrations.Migration):
    """How often a part of a download was tried: what kills its workers is given up."""

    dependencies = [("payouts", "0056_what_is_given_up_is_noted_with_its_batch")]

    operations = [
        migrations.AddField(
            model_name="download",
            name="attempts",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
