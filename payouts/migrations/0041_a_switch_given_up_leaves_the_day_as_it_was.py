from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0040_signed_without_a_parallel_run"),
    ]

    operations = [
        migrations.AddField(
            model_name="cutover",
            name="opened_before",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="historicalcutover",
            name="opened_before",
            field=models.DateField(null=True),
        ),
    ]
