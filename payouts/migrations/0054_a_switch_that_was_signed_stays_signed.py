from importlib import import_module
from typing import Any

from django.db import migrations

PAYMENT: Any = import_module("payouts.migrations.0043_what_can_never_be_paid")
SWITCH: Any = import_module("payouts.migrations.0042_who_signs_a_switch_signs_all_of_it")
BEFORE: Any = import_module("payouts.migrations.0052_what_was_paid_is_the_amount_at_its_rate")

#: What was paid abroad is bound where anything was: switches signed before it was bound keep their digests.
DIGEST = PAYMENT.replaced(
    SWITCH.DIGEST,
    (
        "t.release_day, t.deal_id, t.milestone)\n",
        """t.release_day, t.deal_id, t.milestone)
                || CASE WHEN t.paid_minor IS NULL THEN '[]'
                    ELSE jsonb_build_array(t.paid_minor, t.paid_in, trim_scale(t.paid_rate)) END
""",
    ),
)


class Migration(migrations.Migration):
    """The digest of a switch of which nothing was paid abroad is what it was when it was signed."""

    dependencies = [("payouts", "0053_large_downloads_are_made_by_workers")]

    operations = [migrations.RunSQL(DIGEST, BEFORE.DIGEST)]
