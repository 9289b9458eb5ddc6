from django.db import migrations

import comp.tenancy.walls

#: A signature is given once, in its order, to the lines as they are, and by nobody for whom it is their own pay,
#: preparation or plan: docs/algorithms/approvals.md. Where the writer cannot see every line it is refused as well: a narrow
#: view could hide their own.
STAGE = """
CREATE FUNCTION comp_stage_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    b payouts_batch%ROWTYPE;
    seen bigint;
    who bigint;
    principal bigint := coalesce(NEW.as_deputy_of_id, NEW.decided_by_id);
    own text;
BEGIN
    SELECT * INTO b FROM payouts_batch WHERE tenant_id = NEW.tenant_id AND id = NEW.batch_id FOR NO KEY UPDATE;
    IF TG_OP = 'INSERT' AND b.id IS NULL THEN
        RETURN NEW; -- its reference refuses it
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('waiting', 'open') OR NEW.decided_by_id IS NOT NULL THEN
            RAISE EXCEPTION 'batch %: a stage begins undecided', b.id USING ERRCODE = 'check_violation';
        END IF;
        IF b.state NOT IN ('in_review', 'submitted') OR EXISTS (
            SELECT 1 FROM payouts_approvalstage s
            WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = b.id AND s.decided_by_id IS NOT NULL
        ) THEN
            RAISE EXCEPTION 'batch %: its chain stands as it was submitted', b.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) NOT IN (('waiting', 'open'), ('open', 'approved'), ('waiting', 'voided'), ('open', 'voided'),
        ('approved', 'voided')) THEN
        RAISE EXCEPTION 'batch %, stage %: cannot go from % to %', b.id, OLD.name, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> 'approved' AND (OLD.decided_by_id, OLD.as_deputy_of_id, OLD.decided_at, OLD.digest) IS DISTINCT FROM
        (NEW.decided_by_id, NEW.as_deputy_of_id, NEW.decided_at, NEW.digest) THEN
        RAISE EXCEPTION 'batch %, stage %: who decided what stays as it was', b.id, OLD.name
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'voided' THEN
        RETURN NEW;
    END IF;
    IF EXISTS (
        SELECT 1 FROM payouts_approvalstage s WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = b.id
            AND s.place < NEW.place AND s.state <> 'approved'
    ) THEN
        RAISE EXCEPTION 'batch %, stage %: a stage before it is not approved', b.id, OLD.name
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'open' THEN
        RETURN NEW;
    END IF;

    IF b.state <> 'submitted' OR NEW.digest <> b.digest THEN
        RAISE EXCEPTION 'batch %, stage %: only what was submitted is approved, by its digest', b.id, OLD.name
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) INTO seen FROM payouts_batchline WHERE tenant_id = NEW.tenant_id AND batch_id = b.id;
    IF seen <> b.lines THEN
        RAISE EXCEPTION 'batch %: has % lines and % can be seen: whose pay is in it cannot be checked',
            b.id, b.lines, seen USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM tenancy_membership m WHERE m.tenant_id = NEW.tenant_id AND m.user_id = NEW.decided_by_id)
        OR NOT EXISTS (
            SELECT 1 FROM tenancy_membership m WHERE m.tenant_id = NEW.tenant_id AND m.user_id = principal
                AND (NEW.roles ? m.role OR NEW.people @> to_jsonb(principal))
        ) THEN
        RAISE EXCEPTION 'batch %, stage %: is not decided by user %', b.id, OLD.name, principal
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.as_deputy_of_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM payouts_deputy d JOIN tenancy_tenant t ON t.id = d.tenant_id
        LEFT JOIN payouts_approvalstage s ON s.tenant_id = d.tenant_id AND s.id = d.stage_id
        WHERE d.tenant_id = NEW.tenant_id AND d.person_id = NEW.as_deputy_of_id AND d.deputy_id = NEW.decided_by_id
            AND d.revoked_at IS NULL AND d.starts_on <= (now() AT TIME ZONE t.time_zone)::date
            AND (d.ends_on IS NULL OR d.ends_on > (now() AT TIME ZONE t.time_zone)::date)
            AND (d.stage_id IS NULL OR (s.batch_id, s.place) = (b.id, NEW.place))
    ) THEN
        RAISE EXCEPTION 'batch %, stage %: user % is no deputy of user % today',
            b.id, OLD.name, NEW.decided_by_id, NEW.as_deputy_of_id USING ERRCODE = 'check_violation';
    END IF;
    FOREACH who IN ARRAY ARRAY[NEW.decided_by_id, principal] LOOP
        own := CASE
            WHEN who IN (b.submitted_by_id, b.locked_by_id) THEN 'preparation'
            WHEN EXISTS (
                SELECT 1 FROM people_participant p WHERE p.tenant_id = NEW.tenant_id AND p.user_id = who AND (EXISTS (
                    SELECT 1 FROM payouts_batchline l
                    WHERE l.tenant_id = NEW.tenant_id AND l.batch_id = b.id AND l.participant_id = p.id
                ) OR EXISTS (
                    SELECT 1 FROM payouts_batchsettlement s
                    WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = b.id AND s.participant_id = p.id))
            ) THEN 'pay'
            WHEN EXISTS (
                SELECT 1 FROM plans_planversion v
                WHERE v.tenant_id = NEW.tenant_id AND who IN (v.prepared_by_id, v.published_by_id) AND EXISTS (
                    SELECT 1 FROM payouts_batchline l
                    WHERE l.tenant_id = NEW.tenant_id AND l.batch_id = b.id AND l.plan_version_id = v.id)
            ) THEN 'plan'
            WHEN EXISTS (
                SELECT 1 FROM payouts_adjustment a
                WHERE a.tenant_id = NEW.tenant_id AND a.prepared_by_id = who AND EXISTS (
                    SELECT 1 FROM payouts_batchline l
                    WHERE l.tenant_id = NEW.tenant_id AND l.batch_id = b.id AND l.participant_id = a.participant_id
                        AND l.line_kind = 4
                        AND l.rule = 'ADJ-' || lpad(a.number::text, greatest(6, length(a.number::text)), '0'))
            ) THEN 'adjustment'
        END;
        IF own IS NOT NULL THEN
            RAISE EXCEPTION 'batch %: user % cannot approve their own %', b.id, who, own USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (
            SELECT 1 FROM payouts_approvalstage s WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = b.id
                AND s.id <> NEW.id AND who IN (s.decided_by_id, s.as_deputy_of_id)
        ) THEN
            RAISE EXCEPTION 'batch %: user % has approved in this chain already', b.id, who
                USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END $$
"""

#: A batch is approved by its whole chain, and by who signed last.
CHAIN = """
CREATE FUNCTION comp_batch_chain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    missing text;
BEGIN
    IF NEW.state NOT IN ('approved', 'posted', 'paid', 'closed') THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state IN ('approved', 'posted', 'paid', 'closed') THEN
            RETURN NULL;
        END IF;
    END IF;
    SELECT s.name || ' is ' || s.state INTO missing FROM payouts_approvalstage s
        WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = NEW.id AND (s.state <> 'approved' OR s.digest <> NEW.digest)
        ORDER BY s.place, s.seat LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'batch %: its stage %', NEW.id, missing USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM payouts_approvalstage s WHERE s.tenant_id = NEW.tenant_id AND s.batch_id = NEW.id
            AND s.decided_by_id = NEW.decided_by_id
            AND s.place = (SELECT max(o.place) FROM payouts_approvalstage o
                WHERE o.tenant_id = NEW.tenant_id AND o.batch_id = NEW.id)
    ) THEN
        RAISE EXCEPTION 'batch %: user % did not approve its last stage', NEW.id, NEW.decided_by_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

#: What waits for a second person now, gets the chain of where no rule holds.
WAITING = """
INSERT INTO payouts_approvalstage (tenant_id, batch_id, place, seat, name, roles, people, state, opened_at, digest, reason)
SELECT b.tenant_id, b.id, 1, 1, 'Approval', '["finance"]', '[]', 'open', b.submitted_at, '', ''
FROM payouts_batch b
WHERE b.state = 'submitted' AND NOT EXISTS (
    SELECT 1 FROM payouts_approvalstage s WHERE s.tenant_id = b.tenant_id AND s.batch_id = b.id)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0022_the_life_of_a_period"),
    ]

    operations = [
        migrations.RunSQL(WAITING, migrations.RunSQL.noop),
        migrations.RunSQL(STAGE, "DROP FUNCTION comp_stage_moves()"),
        migrations.RunSQL(CHAIN, "DROP FUNCTION comp_batch_chain()"),
        migrations.AddConstraint(
            model_name="approvalstage",
            constraint=comp.tenancy.walls.Trigger(
                name="approvalstage_moves", when="BEFORE INSERT OR UPDATE", function="comp_stage_moves", deferred=False
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=comp.tenancy.walls.Trigger(
                name="batch_chain", when="AFTER INSERT OR UPDATE", function="comp_batch_chain", deferred=False
            ),
        ),
    ]
