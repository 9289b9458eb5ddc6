from importlib import import_module
from typing import Any

from django.db import migrations

PAYMENT: Any = import_module("payouts.migrations.0043_what_can_never_be_paid")
SWITCH: Any = import_module("payouts.migrations.0042_who_signs_a_switch_signs_all_of_it")

#: How many decimals ISO 4217 gives a currency, as comp.core.money has it.
DECIMALS = """
CREATE FUNCTION comp_minor_digits(currency text) RETURNS integer LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE
        WHEN currency = ANY(string_to_array('BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF', ' '))
            THEN 0
        WHEN currency = ANY(string_to_array('BHD IQD JOD KWD LYD OMR TND', ' ')) THEN 3
        ELSE 2
    END
$$
"""
#: What was paid in another currency is the amount at the rate that stands beside it, rounded once, in the currency of
#: the person's pay.
STANDS = PAYMENT.replaced(
    SWITCH.TRANCHE_STANDS,
    (
        "    RETURN NULL;\nEND $$",
        """    IF NEW.paid_minor IS NOT NULL AND abs(NEW.paid_minor - NEW.amount_minor * NEW.paid_rate
        * 10::numeric ^ (comp_minor_digits(NEW.paid_in) - comp_minor_digits(NEW.currency))) > 0.5 THEN
        RAISE EXCEPTION 'opening %: % % at % are not the % that it says were paid in %', NEW.opening_id,
            NEW.amount_minor, NEW.currency, NEW.paid_rate, NEW.paid_minor, NEW.paid_in
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.paid_minor IS NOT NULL AND NOT EXISTS (SELECT 1 FROM people_participant p
        WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.participant_id AND p.currency = NEW.paid_in) THEN
        RAISE EXCEPTION 'opening %: its person is not paid in %', NEW.opening_id, NEW.paid_in
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$""",
    ),
)
#: Whoever signs signs what was paid abroad, and at which rate.
DIGEST = PAYMENT.replaced(
    SWITCH.DIGEST,
    (
        "t.release_day, t.deal_id, t.milestone)\n",
        "t.release_day, t.deal_id, t.milestone,\n                t.paid_minor, t.paid_in, trim_scale(t.paid_rate))\n",
    ),
)


class Migration(migrations.Migration):
    """What the system before paid in another currency is its amount at its rate, and both are signed."""

    dependencies = [("payouts", "0051_who_is_not_settled_stands")]

    operations = [
        migrations.RunSQL(DECIMALS, "DROP FUNCTION comp_minor_digits(text)"),
        migrations.RunSQL(STANDS, SWITCH.again(SWITCH.TRANCHE_STANDS)),
        migrations.RunSQL(DIGEST, SWITCH.again(SWITCH.DIGEST)),
    ]
