from django.db import migrations


class Migration(migrations.Migration):
    """Without a path of its own the trigger would look for the balance in a temporary table that stands in for the
    ledger's."""

    dependencies = [("payouts", "0002_batches_move_one_way")]

    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION comp_ledger_balances() SET search_path = pg_catalog, public, pg_temp",
            "ALTER FUNCTION comp_ledger_balances() RESET search_path",
        ),
        migrations.RunSQL(
            "ALTER FUNCTION comp_batch_moves() SET search_path = pg_catalog, public, pg_temp",
            "ALTER FUNCTION comp_batch_moves() RESET search_path",
        ),
    ]
