from importlib import import_module

from django.db import migrations

import comp.tenancy.walls

_STAGES = import_module("payouts.migrations.0023_the_database_knows_who_may_approve").STAGE
_ANSWERS = import_module("payouts.migrations.0017_payments_by_person").ANSWER_STANDS


def again(function: str) -> str:
    return function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


#: A plan that pays by its settlement alone has no line in the batch, and is its publisher's own all the same.
STAGES = again(_STAGES).replace(
    "    SELECT 1 FROM payouts_batchline l\n"
    "                    WHERE l.tenant_id = NEW.tenant_id AND l.batch_id = b.id AND l.plan_version_id = v.id)\n",
    "    SELECT 1 FROM payouts_batchline l\n"
    "                    WHERE l.tenant_id = NEW.tenant_id AND l.batch_id = b.id AND l.plan_version_id = v.id\n"
    "                    UNION ALL SELECT 1 FROM payouts_batchsettlement s\n"
    "                    WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = b.id AND s.plan_version_id = v.id)\n",
    1,
)
assert again(_STAGES) != STAGES

#: Nobody decides about a difference of their own pay.
ANSWERS = again(_ANSWERS).replace(
    "    RETURN NEW;\n",
    "    IF NEW.decision <> OLD.decision AND EXISTS (SELECT 1 FROM people_participant p WHERE p.tenant_id = NEW.tenant_id\n"
    "        AND p.id = NEW.participant_id AND p.user_id = NEW.decided_by_id) THEN\n"
    "        RAISE EXCEPTION 'line % of the answer: nobody decides about their own pay', NEW.line\n"
    "            USING ERRCODE = 'check_violation';\n"
    "    END IF;\n"
    "    RETURN NEW;\n",
    1,
)
assert again(_ANSWERS) != ANSWERS

#: What is posted as paid of a batch is what its payments say was paid, for each person of the posting: neither without a
#: payment nor twice. Looked at when the posting is whole, so that all of its entries are there.
PAID = """
CREATE FUNCTION comp_ledger_is_paid() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    IF NEW.kind NOT IN ('payment', 'void') THEN
        RETURN NULL;
    END IF;
    SELECT e.account INTO wrong FROM payouts_ledgerentry e
        WHERE e.tenant_id = NEW.tenant_id AND e.transaction_id = NEW.id AND e.account NOT IN ('payable', 'paid') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting %: a payment moves what is payable, not %', NEW.number, wrong.account
            USING ERRCODE = 'check_violation';
    END IF;
    WITH mine AS (
        SELECT DISTINCT participant_id, currency FROM payouts_ledgerentry
        WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.id
    ), booked AS (
        SELECT e.participant_id, e.currency, -sum(e.amount_minor) AS minor
        FROM payouts_ledgertransaction t JOIN payouts_ledgerentry e ON e.tenant_id = t.tenant_id AND e.transaction_id = t.id
        JOIN mine m ON (m.participant_id, m.currency) = (e.participant_id, e.currency)
        WHERE t.tenant_id = NEW.tenant_id AND t.batch_id = NEW.batch_id AND t.kind IN ('payment', 'void') AND e.account = 'paid'
        GROUP BY e.participant_id, e.currency
    ), said AS (
        SELECT p.participant_id, p.currency, sum(p.paid_minor) AS minor
        FROM payouts_payment p JOIN mine m ON (m.participant_id, m.currency) = (p.participant_id, p.currency)
        WHERE p.tenant_id = NEW.tenant_id AND p.batch_id = NEW.batch_id AND p.state = 'paid'
        GROUP BY p.participant_id, p.currency
    )
    SELECT m.participant_id, m.currency, coalesce(b.minor, 0) AS booked, coalesce(s.minor, 0) AS said INTO wrong
    FROM mine m LEFT JOIN booked b ON (b.participant_id, b.currency) = (m.participant_id, m.currency)
    LEFT JOIN said s ON (s.participant_id, s.currency) = (m.participant_id, m.currency)
    WHERE coalesce(b.minor, 0) <> coalesce(s.minor, 0) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting %: it would say that participant % was paid % minor units of %, and payments say %',
            NEW.number, wrong.participant_id, wrong.booked, wrong.currency, wrong.said USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0027_an_adjustment_by_hand_may_be_missed")]

    operations = [
        migrations.RunSQL(STAGES, again(_STAGES)),
        migrations.RunSQL(ANSWERS, again(_ANSWERS)),
        migrations.RunSQL(PAID, "DROP FUNCTION comp_ledger_is_paid()"),
        migrations.AddConstraint(
            model_name="ledgertransaction",
            constraint=comp.tenancy.walls.Trigger(
                name="ledger_is_paid", when="AFTER INSERT", function="comp_ledger_is_paid", deferred=True
            ),
        ),
        migrations.AddConstraint(
            model_name="posting",
            constraint=comp.tenancy.walls.AppendOnly(
                name="posting_append", changing=("done", "ended_at", "attempts", "due_at", "error")
            ),
        ),
    ]
