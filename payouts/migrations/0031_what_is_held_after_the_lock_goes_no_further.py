from importlib import import_module

from django.db import migrations

import comp.tenancy.walls

BEFORE = import_module("payouts.migrations.0016_holds_and_adjustments_by_hand").HELD.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1
)
#: Which standing holds of people, deals, plans and components meet something of a batch, and whose: a hold that stood
#: before keeps a payable out, so these came after the lock. A settlement is held as a whole, with its person or plan.
INSIDE = """
CREATE FUNCTION comp_held_in_batch(tenant bigint, batch bigint) RETURNS TABLE (hold_id bigint, participant_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT h.id, l.participant_id FROM payouts_hold h JOIN payouts_batchline l ON l.tenant_id = h.tenant_id
        AND coalesce(h.participant_id = l.participant_id, true) AND coalesce(h.deal_id = l.deal_id, h.deal_id IS NULL)
        AND coalesce(h.plan_id = l.plan_id, true) AND h.component IN ('', l.component)
    WHERE h.tenant_id = $1 AND h.kind = 'placed' AND h.released_at IS NULL AND h.batch_id IS NULL AND l.batch_id = $2
    UNION
    SELECT h.id, s.participant_id FROM payouts_hold h JOIN payouts_batchsettlement s ON s.tenant_id = h.tenant_id
        AND coalesce(h.participant_id = s.participant_id, true) AND coalesce(h.plan_id = s.plan_id, true)
    WHERE h.tenant_id = $1 AND h.kind = 'placed' AND h.released_at IS NULL AND h.batch_id IS NULL AND s.batch_id = $2
        AND h.deal_id IS NULL AND h.component = ''
$$
"""
#: A batch that is held as a whole goes no further at all; with somebody in it who is held, it is neither approved nor
#: posted.
HELD = """
CREATE OR REPLACE FUNCTION comp_batch_held() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held record;
BEGIN
    IF OLD.state = NEW.state THEN
        RETURN NEW;
    END IF;
    IF NEW.state IN ('approved', 'posted', 'paid') AND EXISTS (SELECT 1 FROM payouts_hold
        WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id AND released_at IS NULL) THEN
        RAISE EXCEPTION 'batch % is held: release the hold first', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('approved', 'posted') THEN
        SELECT * INTO held FROM comp_held_in_batch(NEW.tenant_id, NEW.id) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'batch %: hold % keeps pay of participant % in it', NEW.id, held.hold_id, held.participant_id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$
"""
#: Nothing that is held goes to payroll.
PAYMENT = """
CREATE FUNCTION comp_payment_held() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held bigint;
BEGIN
    IF NEW.state <> 'exported' OR TG_OP = 'UPDATE' AND OLD.state = 'exported' THEN
        RETURN NEW;
    END IF;
    SELECT id INTO held FROM payouts_hold WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.batch_id AND released_at IS NULL;
    IF held IS NULL THEN
        SELECT hold_id INTO held FROM comp_held_in_batch(NEW.tenant_id, NEW.batch_id)
            WHERE participant_id = NEW.participant_id LIMIT 1;
    END IF;
    IF held IS NOT NULL THEN
        RAISE EXCEPTION 'payment %: hold % keeps it from payroll', NEW.number, held USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
#: A batch is paid when nothing of it is open: due, with payroll, or rejected and not issued again.
PAID = """
CREATE FUNCTION comp_batch_paid() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    left_open bigint;
BEGIN
    IF OLD.state = NEW.state OR NEW.state <> 'paid' THEN
        RETURN NEW;
    END IF;
    -- A narrow view of pay would hide what is open.
    IF current_setting('app.pay_groups', true) IS DISTINCT FROM '*' THEN
        RAISE EXCEPTION 'batch %: only who sees all pay can say that it is paid', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) INTO left_open FROM payouts_payment p WHERE p.tenant_id = NEW.tenant_id AND p.batch_id = NEW.id
        AND (p.state IN ('due', 'exported') OR p.state = 'rejected' AND NOT EXISTS (SELECT 1 FROM payouts_payment again
            WHERE again.tenant_id = p.tenant_id AND again.reissue_of_id = p.id));
    IF left_open > 0 THEN
        RAISE EXCEPTION 'batch %: % of its payments are open', NEW.id, left_open USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0030_tranches_in_the_pay_currency")]

    operations = [
        migrations.RunSQL(INSIDE, "DROP FUNCTION comp_held_in_batch(bigint, bigint)"),
        migrations.RunSQL(HELD, BEFORE),
        migrations.RunSQL(PAYMENT, "DROP FUNCTION comp_payment_held()"),
        migrations.RunSQL(PAID, "DROP FUNCTION comp_batch_paid()"),
        migrations.AddConstraint(
            model_name="payment",
            constraint=comp.tenancy.walls.Trigger(
                name="payment_held", when="BEFORE INSERT OR UPDATE", function="comp_payment_held", deferred=False
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=comp.tenancy.walls.Trigger(
                name="batch_paid", when="BEFORE UPDATE", function="comp_batch_paid", deferred=False
            ),
        ),
    ]
