from django.db import migrations, models


class Migration(migrations.Migration):
    """When a worker took the part of a download that it tries: until it holds the row nobody else takes it."""

    dependencies = [("payouts", "0057_what_no_worker_gets_through_is_given_up")]

    operations = [
        migrations.AddField(
            model_name="download",
            name="tried_at",
            field=models.DateTimeField(null=True),
        ),
    ]
