"""Who stands on a deal or fact knows its day, so that a person's facts of some days are found whatever their history."""

from django.db import migrations, models

DAYS = """
UPDATE crediting_dealteam t SET close_date = d.close_date FROM crediting_deal d WHERE d.id = t.deal_id;
UPDATE crediting_factteam t SET day = f.day FROM crediting_fact f WHERE f.id = t.fact_id;
"""


class Migration(migrations.Migration):
    dependencies = [("crediting", "0010_no_tables_of_their_own")]

    operations = [
        migrations.AddField("dealteam", "close_date", models.DateField(null=True)),
        migrations.AddField("factteam", "day", models.DateField(null=True)),
        migrations.RunSQL(DAYS, migrations.RunSQL.noop),
        migrations.RemoveIndex("dealteam", "dealteam_participant"),
        migrations.RemoveIndex("factteam", "factteam_participant"),
        migrations.AddIndex(
            "dealteam",
            models.Index(fields=["tenant", "participant", "close_date", "deal"], name="dealteam_dated"),
        ),
        migrations.AddIndex(
            "factteam", models.Index(fields=["tenant", "participant", "day", "fact"], name="factteam_dated")
        ),
        migrations.AddIndex("account", models.Index(fields=["tenant", "name"], name="account_name")),
    ]
