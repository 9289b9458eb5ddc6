import django.db.models.deletion
from django.db import migrations

import comp.tenancy.models
import comp.tenancy.walls

#: A batch keeps what was submitted, moves one way, and a decision stands (docs/algorithms/batches.md).
MOVES = """
CREATE FUNCTION comp_batch_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'batch % cannot be deleted: reject it instead', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.tenant_id, OLD.pay_group_id, OLD.starts_on, OLD.ends_on, OLD.name, OLD.pay_on, OLD.people, OLD.lines, OLD.totals, OLD.digest,
        OLD.submitted_by_id, OLD.submitted_at) IS DISTINCT FROM
       (NEW.tenant_id, NEW.pay_group_id, NEW.starts_on, NEW.ends_on, NEW.name, NEW.pay_on, NEW.people, NEW.lines, NEW.totals, NEW.digest,
        NEW.submitted_by_id, NEW.submitted_at) THEN
        RAISE EXCEPTION 'batch %: what was submitted stays as it was', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN
        (('submitted', 'approved'), ('submitted', 'rejected'), ('approved', 'paid')) THEN
        RAISE EXCEPTION 'batch % cannot go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.decided_by_id IS NOT NULL AND (OLD.decided_by_id, OLD.decided_at, OLD.approved_digest, OLD.reason) IS DISTINCT FROM
        (NEW.decided_by_id, NEW.decided_at, NEW.approved_digest, NEW.reason) THEN
        RAISE EXCEPTION 'batch %: the decision on it stands', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'paid' AND (NEW.exported_at IS NULL OR NEW.paid_by_id IS NULL) THEN
        RAISE EXCEPTION 'batch %: paid needs an export and who says so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: As in 0001, and now refused as well where the checker cannot see every entry of the transaction: a narrow view could hide what is off.
BALANCES = """
CREATE OR REPLACE FUNCTION comp_ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest bigint;
    stated bigint;
    seen bigint;
    wrong record;
BEGIN
    SELECT max(id) INTO newest FROM payouts_ledgerentry WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id;
    -- Once a transaction, not once a row: only its last entry looks.
    IF NEW.id < newest THEN
        RETURN NULL;
    END IF;
    SELECT count(*) INTO seen FROM payouts_ledgerentry WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id;
    SELECT entries INTO stated FROM payouts_ledgertransaction WHERE tenant_id = NEW.tenant_id AND id = NEW.transaction_id;
    IF seen IS DISTINCT FROM stated THEN
        RAISE EXCEPTION 'ledger transaction % states % entries and % can be seen: its balance cannot be checked',
            NEW.transaction_id, stated, seen USING ERRCODE = 'check_violation';
    END IF;
    SELECT currency, sum(amount_minor) AS off INTO wrong FROM payouts_ledgerentry
        WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id
        GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % does not balance: off by % minor units of %', NEW.transaction_id, wrong.off, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

BALANCES_BEFORE = """
CREATE OR REPLACE FUNCTION comp_ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    IF NEW.id < (SELECT max(id) FROM payouts_ledgerentry WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id) THEN
        RETURN NULL;
    END IF;
    SELECT currency, sum(amount_minor) AS off INTO wrong FROM payouts_ledgerentry
        WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id
        GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % does not balance: off by % minor units of %', NEW.transaction_id, wrong.off, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(MOVES, "DROP FUNCTION comp_batch_moves()"),
        migrations.RunSQL(BALANCES, BALANCES_BEFORE),
        migrations.AddConstraint(
            model_name="batch",
            constraint=comp.tenancy.walls.Trigger(
                name="batch_moves", when="BEFORE UPDATE OR DELETE", function="comp_batch_moves", deferred=False
            ),
        ),
        # In the state only: the database has no row-by-row reference here.
        migrations.AlterField(
            model_name="batchline",
            name="statement",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="payouts.statement",
            ),
        ),
    ]
