from importlib import import_module
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

BEFORE: Any = import_module("payouts.migrations.0029_what_another_system_paid")

#: What is signed: the opening batch, and every opening, tranche and balance that stands, whether it was paid or not.
#: References of the system before are left out: an erasure replaces them.
DIGEST = """
CREATE FUNCTION comp_cutover_digest(company bigint, switch bigint, switch_day date, batch_digest text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT encode(sha256(convert_to(jsonb_build_object(
        'day', switch_day,
        'batch', batch_digest,
        'openings', (SELECT jsonb_agg(jsonb_build_array(o.participant_id, o.plan_id, o.component, o.day,
                o.measured_minor, o.earned_minor, o.currency)
                ORDER BY o.participant_id, o.plan_id, o.component COLLATE "C", o.day)
            FROM payouts_opening o
            WHERE o.tenant_id = company AND o.cut_over_id = switch AND o.taken_back_at IS NULL),
        'tranches', (SELECT jsonb_agg(jsonb_build_array(o.participant_id, o.plan_id, o.component, o.day,
                t.index, t.amount_minor, t.currency, t.release_day, t.deal_id, t.milestone)
                ORDER BY o.participant_id, o.plan_id, o.component COLLATE "C", o.day, t.index)
            FROM payouts_openingtranche t JOIN payouts_opening o ON o.tenant_id = t.tenant_id AND o.id = t.opening_id
            WHERE o.tenant_id = company AND o.cut_over_id = switch AND o.taken_back_at IS NULL),
        'balances', (SELECT jsonb_agg(jsonb_build_array(b.participant_id, b.plan_id, b.kind, b.key, b.day,
                b.amount_minor, b.currency)
                ORDER BY b.participant_id, b.plan_id, b.kind COLLATE "C", b.key COLLATE "C", b.day)
            FROM payouts_openingbalance b
            WHERE b.tenant_id = company AND b.cut_over_id = switch AND b.taken_back_at IS NULL)
    )::text, 'UTF8')), 'hex')
$$
"""

#: As before; and whoever had a hand in it, or pay in it, does not sign, and what is signed is all that stands.
MOVES = """
CREATE OR REPLACE FUNCTION comp_cutover_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    b payouts_batch%ROWTYPE;
    seen bigint;
    told bigint;
    wrong record;
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('app.erasing', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'cut-over % cannot be deleted: give it up instead', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'preparing' THEN
            RAISE EXCEPTION 'a cut-over begins with its preparation, not %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (SELECT 1 FROM payouts_batch p WHERE p.tenant_id = NEW.tenant_id AND p.pay_group_id = NEW.pay_group_id
            AND p.state NOT IN ('rejected', 'voided')) THEN
            RAISE EXCEPTION 'pay group %: batches of it stand, so it is paid by this system already', NEW.pay_group_id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state IN ('signed', 'abandoned') AND to_jsonb(OLD) IS DISTINCT FROM to_jsonb(NEW) THEN
        RAISE EXCEPTION 'cut-over % is %, and stays as it is', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.tenant_id, OLD.pay_group_id, OLD.prepared_by_id, OLD.prepared_at) IS DISTINCT FROM
       (NEW.tenant_id, NEW.pay_group_id, NEW.prepared_by_id, NEW.prepared_at) THEN
        RAISE EXCEPTION 'cut-over %: its pay group and who prepared it stay', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.day = OLD.day AND NEW.moved_by_id IS DISTINCT FROM OLD.moved_by_id)
        OR (NEW.day <> OLD.day AND NEW.moved_by_id IS NULL) THEN
        RAISE EXCEPTION 'cut-over %: its day is moved by somebody, who stays until it moves again', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> 'signed' OR OLD.state = 'signed' THEN
        RETURN NEW;
    END IF;
    SELECT * INTO b FROM payouts_batch WHERE tenant_id = NEW.tenant_id AND id = NEW.batch_id;
    IF b.id IS NULL OR (b.kind, b.state, b.pay_group_id, b.ends_on) IS DISTINCT FROM
        ('opening', 'posted', NEW.pay_group_id, NEW.day) OR b.decided_by_id <> NEW.signed_by_id THEN
        RAISE EXCEPTION 'cut-over %: signed is the opening batch that its signer approved and that is posted', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.signed_by_id IN (NEW.prepared_by_id, NEW.moved_by_id)
        OR EXISTS (SELECT 1 FROM payouts_openingfile f WHERE (f.tenant_id, f.cut_over_id) = (NEW.tenant_id, NEW.id)
            AND f.taken_back_at IS NULL AND f.uploaded_by_id = NEW.signed_by_id)
        OR EXISTS (SELECT 1 FROM payouts_legacyfile f WHERE (f.tenant_id, f.cut_over_id) = (NEW.tenant_id, NEW.id)
            AND f.taken_back_at IS NULL AND f.uploaded_by_id = NEW.signed_by_id)
        OR EXISTS (SELECT 1 FROM payouts_explanation e WHERE (e.tenant_id, e.cut_over_id) = (NEW.tenant_id, NEW.id)
            AND e.taken_back_at IS NULL AND e.explained_by_id = NEW.signed_by_id)
        OR EXISTS (SELECT 1 FROM payouts_parallelrun r WHERE (r.tenant_id, r.cut_over_id) = (NEW.tenant_id, NEW.id)
            AND r.rounding_by_id = NEW.signed_by_id) THEN
        RAISE EXCEPTION 'cut-over %: user % cannot sign what they prepared', NEW.id, NEW.signed_by_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM people_participant p WHERE p.tenant_id = NEW.tenant_id AND p.user_id = NEW.signed_by_id
        AND (EXISTS (SELECT 1 FROM payouts_opening o WHERE (o.tenant_id, o.cut_over_id, o.participant_id)
                = (NEW.tenant_id, NEW.id, p.id) AND o.taken_back_at IS NULL)
            OR EXISTS (SELECT 1 FROM payouts_openingbalance o WHERE (o.tenant_id, o.cut_over_id, o.participant_id)
                = (NEW.tenant_id, NEW.id, p.id) AND o.taken_back_at IS NULL))) THEN
        RAISE EXCEPTION 'cut-over %: user % cannot sign their own pay', NEW.id, NEW.signed_by_id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(sum(rows), 0) INTO told FROM payouts_openingfile
        WHERE tenant_id = NEW.tenant_id AND cut_over_id = NEW.id AND taken_back_at IS NULL;
    SELECT (SELECT count(*) FROM payouts_opening WHERE tenant_id = NEW.tenant_id AND cut_over_id = NEW.id
            AND taken_back_at IS NULL)
        + (SELECT count(*) FROM payouts_openingtranche t JOIN payouts_opening o
            ON o.tenant_id = t.tenant_id AND o.id = t.opening_id
            WHERE o.tenant_id = NEW.tenant_id AND o.cut_over_id = NEW.id AND o.taken_back_at IS NULL AND t.index > 0)
        + (SELECT count(*) FROM payouts_openingbalance WHERE tenant_id = NEW.tenant_id AND cut_over_id = NEW.id
            AND taken_back_at IS NULL) INTO seen;
    IF seen <> told THEN
        RAISE EXCEPTION 'cut-over %: its files have % rows and % can be seen', NEW.id, told, seen
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.digest IS DISTINCT FROM comp_cutover_digest(NEW.tenant_id, NEW.id, NEW.day, b.digest) THEN
        RAISE EXCEPTION 'cut-over %: its digest is not of what it brings forward', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) INTO seen FROM payouts_batchline WHERE tenant_id = NEW.tenant_id AND batch_id = b.id;
    IF seen <> b.lines THEN
        RAISE EXCEPTION 'cut-over %: its batch has % lines and % can be seen', NEW.id, b.lines, seen
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT participant_id, currency INTO wrong FROM (
        SELECT o.participant_id, o.plan_id, o.component, o.day, t.currency, t.amount_minor FROM payouts_openingtranche t
            JOIN payouts_opening o ON o.tenant_id = t.tenant_id AND o.id = t.opening_id
            WHERE o.tenant_id = NEW.tenant_id AND o.cut_over_id = NEW.id AND o.taken_back_at IS NULL
                AND t.release_day < NEW.day
        UNION ALL
        SELECT participant_id, plan_id, component, period, currency, -amount_minor FROM payouts_batchline
            WHERE tenant_id = NEW.tenant_id AND batch_id = b.id
    ) sides GROUP BY participant_id, plan_id, component, day, currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'cut-over %: its batch does not take what was paid to participant %', NEW.id, wrong.participant_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: What an erasure replaces comes through comp_redact, as in comp_refuse_change: also in a switch that is signed.
_ERASING = """BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('app.erasing', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN NEW;
    END IF;
"""
#: A row comes by a file of its own switch that stands.
_FILE = """    IF TG_OP = 'INSERT' AND to_jsonb(NEW) ? 'file_id' AND EXISTS (SELECT 1 FROM payouts_openingfile f
        WHERE f.tenant_id = NEW.tenant_id AND f.id = (to_jsonb(NEW)->>'file_id')::bigint
            AND (f.cut_over_id <> NEW.cut_over_id OR f.taken_back_at IS NOT NULL)) THEN
        RAISE EXCEPTION '%: file % is of another cut-over, or taken back', TG_TABLE_NAME, to_jsonb(NEW)->>'file_id'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def again(text: str) -> str:
    return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


STANDS = again(BEFORE.STANDS).replace("BEGIN\n", _ERASING, 1).replace("    RETURN NEW;\nEND $$\n", _FILE)
#: The cut-over is locked, so that it is not signed meanwhile.
TRANCHE_STANDS = again(BEFORE.TRANCHE_STANDS).replace(
    "(NEW.participant_id, NEW.currency);", "(NEW.participant_id, NEW.currency)\n        FOR NO KEY UPDATE OF c;"
)


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0041_a_switch_given_up_leaves_the_day_as_it_was"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="cutover",
            name="moved_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="historicalcutover",
            name="moved_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="parallelrun",
            name="rounding_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="historicalparallelrun",
            name="rounding_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(DIGEST, "DROP FUNCTION comp_cutover_digest(bigint, bigint, date, text)"),
        migrations.RunSQL(MOVES, again(BEFORE.MOVES)),
        migrations.RunSQL(STANDS, again(BEFORE.STANDS)),
        migrations.RunSQL(TRANCHE_STANDS, again(BEFORE.TRANCHE_STANDS)),
    ]
