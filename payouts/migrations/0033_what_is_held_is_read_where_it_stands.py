from importlib import import_module

from django.db import migrations

_BEFORE = import_module("payouts.migrations.0031_what_is_held_after_the_lock_goes_no_further")
PAYMENT_BEFORE = _BEFORE.PAYMENT.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)

#: The same question of one person alone, asked for each payment: by the index of the batch's lines.
_OF_ONE = (
    _BEFORE.INSIDE.split("AS $$", 1)[1]
    .rsplit("$$", 1)[0]
    .replace("h.id,", "h.id AS hold_id,", 1)
    .replace("$1", "NEW.tenant_id")
    .replace("l.batch_id = $2", "(l.batch_id, l.participant_id) = (NEW.batch_id, NEW.participant_id)")
    .replace("s.batch_id = $2", "(s.batch_id, s.participant_id) = (NEW.batch_id, NEW.participant_id)")
)
PAYMENT = PAYMENT_BEFORE.replace(
    "SELECT hold_id INTO held FROM comp_held_in_batch(NEW.tenant_id, NEW.batch_id)\n"
    "            WHERE participant_id = NEW.participant_id LIMIT 1;",
    "SELECT hold_id INTO held FROM (OF_ONE) one LIMIT 1;",
    1,
).replace("OF_ONE", _OF_ONE)
assert _OF_ONE in PAYMENT


class Migration(migrations.Migration):
    dependencies = [("payouts", "0032_payables_without_a_rate_are_found")]

    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION comp_held_in_batch(bigint, bigint) SET search_path = pg_catalog, public, pg_temp",
            "ALTER FUNCTION comp_held_in_batch(bigint, bigint) RESET search_path",
        ),
        migrations.RunSQL(PAYMENT, PAYMENT_BEFORE),
    ]
