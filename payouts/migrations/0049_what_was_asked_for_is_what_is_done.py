from importlib import import_module
from typing import Any

from django.db import migrations

SWITCH: Any = import_module("payouts.migrations.0047_what_was_paid_in_another_currency_before")
PAYMENT: Any = import_module("payouts.migrations.0043_what_can_never_be_paid")

#: As 0035 had it, and 0042 lost it: only what openings say was paid is held to the files. What the system before paid of
#: facts that were loaded stands beside it, and keeps no switch from being signed.
MOVES = PAYMENT.replaced(
    SWITCH.MOVES,
    ("AND batch_id = b.id\n    ) sides", "AND batch_id = b.id AND line_kind = 5\n    ) sides"),
)
#: Two people agree to one thing: who confirms changes nothing of what was asked for, by whom and why.
ASKED = PAYMENT.replaced(
    PAYMENT.MOVES,
    (
        "    IF OLD.state = 'void' AND OLD IS DISTINCT FROM NEW THEN",
        """    IF OLD.state <> 'void' AND NEW.state = 'void' AND (OLD.outcome, OLD.void_asked_by_id, OLD.void_asked_at, OLD.void_reason)
        IS DISTINCT FROM (NEW.outcome, NEW.void_asked_by_id, NEW.void_asked_at, NEW.void_reason) THEN
        RAISE EXCEPTION 'payment %: it is void as it was asked for before, or not at all', OLD.number
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'void' AND OLD IS DISTINCT FROM NEW THEN""",
    ),
)


class Migration(migrations.Migration):
    """A switch is signed also where facts of ours were paid before; a payment is void as it was asked for."""

    dependencies = [("payouts", "0048_what_only_moved_is_written_last")]

    operations = [
        migrations.RunSQL(MOVES, SWITCH.MOVES),
        migrations.RunSQL(ASKED, PAYMENT.MOVES),
    ]
