from importlib import import_module

from django.db import migrations

_MOVES = import_module("payouts.migrations.0029_what_another_system_paid").MOVES

#: The opening batch takes what was paid by openings, and beside it what the system before paid of facts that were
#: loaded: only the first is held to the files.
MOVES = _MOVES.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1).replace(
    "            WHERE tenant_id = NEW.tenant_id AND batch_id = b.id\n    ) sides",
    "            WHERE tenant_id = NEW.tenant_id AND batch_id = b.id AND line_kind = 5\n    ) sides",
    1,
)
assert "line_kind = 5" in MOVES


class Migration(migrations.Migration):
    dependencies = [("payouts", "0034_what_becomes_of_pay_below_zero")]

    operations = [
        migrations.RunSQL(MOVES, _MOVES.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)),
    ]
