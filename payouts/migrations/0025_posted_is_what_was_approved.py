from django.db import migrations

import comp.tenancy.walls

#: Approvals are posted of batches that are approved and not through; and a batch is posted when the ledger owes each
#: person what it says, not with a part of it and not with more (docs/algorithms/ledger.md).
APPROVAL = """
CREATE FUNCTION comp_ledger_of_approved() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    stands text;
BEGIN
    SELECT state INTO stands FROM payouts_batch WHERE tenant_id = NEW.tenant_id AND id = NEW.batch_id FOR NO KEY UPDATE;
    IF NEW.kind = 'approval' AND stands IS DISTINCT FROM 'approved' THEN
        RAISE EXCEPTION 'batch %: it is %, and only what is approved and not posted yet is posted', NEW.batch_id, stands
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
WHOLE = """
CREATE FUNCTION comp_batch_posted() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    seen bigint;
    wrong record;
BEGIN
    IF NEW.state <> 'posted' OR OLD.state = 'posted' THEN
        RETURN NEW;
    END IF;
    SELECT count(*) INTO seen FROM payouts_batchline WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id;
    IF seen <> NEW.lines THEN
        RAISE EXCEPTION 'batch %: has % lines and % can be seen: its posting cannot be checked', NEW.id, NEW.lines, seen
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT participant_id, currency, sum(minor) AS off INTO wrong FROM (
        SELECT participant_id, currency, amount_minor AS minor FROM payouts_batchline
            WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id
        UNION ALL
        SELECT participant_id, currency, payout_minor - inflow_minor FROM payouts_batchsettlement
            WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id
        UNION ALL
        SELECT e.participant_id, e.currency, e.amount_minor FROM payouts_ledgertransaction t JOIN payouts_ledgerentry e
            ON e.tenant_id = t.tenant_id AND e.transaction_id = t.id
            WHERE t.tenant_id = NEW.tenant_id AND t.batch_id = NEW.id AND t.kind = 'approval' AND e.account = 'payable'
    ) sides GROUP BY participant_id, currency HAVING sum(minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'batch %: the ledger does not owe participant % what it says: off by % minor units of %',
            NEW.id, wrong.participant_id, wrong.off, wrong.currency USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: A relief that was agreed to keeps its person, days and share.
RELIEF = """
CREATE FUNCTION comp_relief_stands() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state <> 'draft' AND (OLD.participant_id, OLD.key, OLD.starts_on, OLD.ends_on, OLD.percent, OLD.reason, OLD.prepared_by_id)
        IS DISTINCT FROM (NEW.participant_id, NEW.key, NEW.starts_on, NEW.ends_on, NEW.percent, NEW.reason, NEW.prepared_by_id) THEN
        RAISE EXCEPTION 'quota relief %: what was asked for stays as it was', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0024_write_offs_of_a_month"),
    ]

    operations = [
        migrations.RunSQL(APPROVAL, "DROP FUNCTION comp_ledger_of_approved()"),
        migrations.RunSQL(WHOLE, "DROP FUNCTION comp_batch_posted()"),
        migrations.RunSQL(RELIEF, "DROP FUNCTION comp_relief_stands()"),
        migrations.AddConstraint(
            model_name="ledgertransaction",
            constraint=comp.tenancy.walls.Trigger(
                name="ledger_of_approved", when="BEFORE INSERT", function="comp_ledger_of_approved", deferred=False
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=comp.tenancy.walls.Trigger(
                name="batch_posted", when="BEFORE UPDATE", function="comp_batch_posted", deferred=False
            ),
        ),
        migrations.AddConstraint(
            model_name="quotarelief",
            constraint=comp.tenancy.walls.Trigger(
                name="quotarelief_stands", when="BEFORE UPDATE", function="comp_relief_stands", deferred=False
            ),
        ),
    ]
