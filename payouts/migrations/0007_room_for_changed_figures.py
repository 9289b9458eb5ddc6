"""Standing figures change in place all day. Room on their pages lets a change stay on its page and touch no index."""

from django.db import migrations

TABLES = ("payouts_earning", "payouts_tranche", "payouts_attainment", "payouts_payable")


class Migration(migrations.Migration):
    dependencies = [("payouts", "0006_history_is_only_added_to")]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} SET (fillfactor = 75)", f"ALTER TABLE {table} RESET (fillfactor)")
        for table in TABLES
    ]
