from importlib import import_module

from django.db import migrations

BEFORE = import_module("payouts.migrations.0016_holds_and_adjustments_by_hand").ALONE.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1
)
#: Thirty days are counted by the database's clock: a decision dated otherwise would slip out of them.
ALONE = BEFORE.replace(
    "    -- A narrow view of pay would hide what counts.\n",
    "    IF NEW.decided_at IS NULL OR abs(extract(epoch FROM now() - NEW.decided_at)) > 600 THEN\n"
    "        RAISE EXCEPTION 'adjustment %: it is decided now, not at %', NEW.number, NEW.decided_at\n"
    "            USING ERRCODE = 'check_violation';\n"
    "    END IF;\n"
    "    -- A narrow view of pay would hide what counts.\n",
    1,
)


class Migration(migrations.Migration):
    dependencies = [("payouts", "0025_posted_is_what_was_approved")]

    operations = [migrations.RunSQL(ALONE, BEFORE)]
