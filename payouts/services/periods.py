"""How a period is taken and given back: locked for review as a batch, off-cycle for some of its people, unlocked by two
people, closed when everything is done.

docs/algorithms/batches.md tells what each step binds.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from comp.core.money import minor_digits
from comp.outbox.selectors import messages_parked, messages_waiting
from comp.people.models import Participant, PayGroup
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import current_tenant_id
from comp.tenancy.selectors import own_currency
from crediting.services.locks import INTAKE
from payouts.frames.tables import CREDITS, LINE
from payouts.models import Batch, CutOver, Posting, Settlement
from payouts.reads.alerts import alerts_standing
from payouts.reads.digests import MANY, MANY_LINES, MANY_OVER, Digests, payable_digests
from payouts.reads.negatives import why_open
from payouts.reads.plans import versions
from payouts.selectors import TAKEN
from payouts.selectors_batches import (
    LARGE_SHARE,
    LARGE_UNITS,
    Open,
    batch_before,
    deals,
    lines_digest,
    open_of,
    scopes_failed,
    scopes_pending,
    subject_totals,
)
from payouts.services.approvals import stages_void
from payouts.services.batch_steps import (
    BatchError,
    State,
    audit,
    batch_facts,
    everyone,
    locked,
    must_be,
    one_writer,
    period_moves,
    statements_open,
)
from payouts.services.checklists import checks_begin, checks_open
from payouts.services.claims import CLOSING, lock
from payouts.services.given_up import given_up_note
from payouts.services.held import held_note
from payouts.services.posting import PART_LINES
from payouts.services.sampling import alerts_recheck
from payouts.services.settlements import SETTLED, SETTLED_SUMS, settlements_take
from payouts.services.unconverted import awaiting_rates_anew, why_unsettled
from plans.models import PlanVersion

#: How long a lock waits for work that is on its way.
SETTLE_SECONDS = 3.0
#: News that opens, counts and closes questions, or has disputes follow their people: it moves no figure, and most of it
#: waits itself for the lock of a period.
QUESTIONS = ("credits.waiting", "payables.waiting", "openings.touched", "disputes.left")


# ------------------------------------------------------------------ lock


def period_lock(*, pay_group: PayGroup, starts_on: date, locked_by: User) -> Batch:
    """Freezes what the pay group's open period owes as a batch in review; the open period moves on.

    Refused for any other period, while news or recomputations of the group's people wait, and while an alert about them
    stands: the batch is what was known when it was locked. An empty batch is allowed: it closes a period in which
    nothing is owed.
    """
    with everyone():
        ready(pay_group)
        period = open_of(pay_group)
        if starts_on != period.starts_on:
            raise BatchError(
                f"{pay_group}: the period from {starts_on:%-d %B %Y} cannot be taken; "
                f"its open period is {period.name}, from {period.starts_on:%-d %B %Y}."
            )
        return freeze(period, run=0, by=locked_by)


def off_cycle_lock(*, pay_group: PayGroup, people: Collection[Participant], locked_by: User) -> Batch:
    """Freezes what the open period owes these people alone, as a batch of its own with statements of its own; the
    period stays open for everybody, and pays what they are owed beyond that.

    Refused for people who are owed nothing, and for those whose plan settles a period as a whole (draws, caps,
    holdbacks): a part of it has no meaning there.
    """
    with everyone():
        ready(pay_group)
        period = open_of(pay_group)
        ids = frozenset(person.pk for person in people)
        period = replace(period, people=ids)
        owed = set(period.lines.values_list("participant_id", flat=True).distinct())
        if missing := sorted(person.name for person in people if person.pk not in owed):
            raise BatchError(f"{period.name}: nothing is free to be paid now to {', '.join(missing)}.")
        rated = PlanVersion.objects.filter(
            pk__in=period.lines.values_list("plan_version_id", flat=True).distinct(), document__contains='"settlement"'
        )
        found = versions(rated.values_list("pk", flat=True))
        whole = [version.id for version in found.values() if version.says.settlement is not None]
        settled = period.lines.filter(plan_version_id__in=whole).select_related("participant", "plan")
        if line := settled.order_by("participant__name").first():
            raise BatchError(
                f"{line.participant.name} is paid by {line.plan.name}, which settles each period as a whole "
                "(draws, caps, holdbacks). An off-cycle batch cannot take a part of it; leave this person out."
            )
        carries = Settlement.objects.filter(participant_id__in=ids, period_starts_on=period.starts_on)
        if row := carries.select_related("participant").order_by("participant__name").first():
            raise BatchError(
                f"{row.participant.name} has pay carried from one period to the next, which is set off with the whole "
                "period. An off-cycle batch cannot take a part of it; leave this person out."
            )
        runs = Batch.objects.filter(pay_group=pay_group, starts_on=period.starts_on).aggregate(last=Max("run"))
        return freeze(period, run=(runs["last"] or 0) + 1, by=locked_by)


def ready(pay_group: PayGroup) -> None:
    """Nothing that would move the group's figures is under way, or comes until the transaction ends: taken before any
    batch is locked. Refused while something is."""
    # No drain records facts until the batch stands: whatever is recorded before its moment is in its figures.
    # And what workers leave for later while deliveries come they do at once: these wait for this transaction.
    if not lock(INTAKE, CLOSING, tenant_id=current_tenant_id(), wait_ms=20_000):
        raise BatchError("Deliveries are being taken in and figures may move. Try again in a minute.")
    # Where facts come all day, something is always on its way. Whoever still waits after a moment is refused.
    until = time.monotonic() + SETTLE_SECONDS
    while _not_settled(pay_group) and time.monotonic() < until and not scopes_failed(pay_group):
        time.sleep(0.1)
    one_writer()
    name = open_of(pay_group).name
    if stale := _not_settled(pay_group):
        raise BatchError(f"{pay_group}, {name}: {stale}")
    if wrong := alerts_recheck(alerts_standing(pay_group)):
        raise BatchError(
            f"{pay_group}, {name}: figures are not what a recomputation gives. {wrong[0]}. "
            "Sales Ops can have everything worked out anew (Recomputations)."
        )


def _not_settled(pay_group: PayGroup) -> str:
    """Why the group's figures are not those of today, or nothing."""
    if failed := scopes_failed(pay_group):
        return f"figures cannot be recomputed. {failed[0]}"
    if stuck := messages_parked():
        return f"news has not reached the figures. {stuck[0]}"
    waiting = scopes_pending(pay_group) or messages_waiting(but=QUESTIONS)
    if not waiting:
        return ""
    count = "1 recomputation has" if waiting == 1 else f"{waiting} recomputations have"
    return f"{count} not finished, so its figures are not today's. Try again shortly."


def freeze(period: Open, *, run: int, by: User, replaces: Batch | None = None) -> Batch:
    """The period's free payables as a batch in review, with its lines, sums by person, statements and checklist.

    Refused where somebody would be paid less than nothing, or was and it is carried, and nobody said what becomes of
    it, where somebody is not settled for want of a rate of exchange, and before the switch from another system is
    signed."""
    if why := why_open(period.pay_group, period.starts_on, period.people):
        raise BatchError(f"{period.pay_group}, {period.name}: {why}")
    if not run and (waits := awaiting_rates_anew(period.pay_group)):
        raise BatchError(f"{period.pay_group}, {period.name}: {why_unsettled(waits)}")
    switch = CutOver.objects.filter(pay_group=period.pay_group, state__in=CutOver.OPEN).first()
    if switch is not None:
        raise BatchError(
            f"{period.pay_group}: its switch from {switch.source} on {switch.day:%-d %B %Y} is not signed yet."
        )
    kind = Batch.Kind.OFF_CYCLE if run else Batch.Kind.REGULAR
    number = f", off-cycle {run}" if run else ""
    found = payable_digests(
        pay_group=period.pay_group.pk,
        starts_on=period.starts_on,
        people=None if period.people is None else sorted(period.people),
    )
    batch = Batch.objects.create(
        pay_group=period.pay_group,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        kind=kind,
        run=run,
        name=f"{period.name}, {period.pay_group.name}{number}",
        pay_on=max(period.ends_on - timedelta(days=1), today()) if not run else today(),
        people=len(found.people),
        lines=found.lines,
        deals=deals(period).count(),
        totals=subject_totals(period),
        digest=found.all,
        locked_by=by,
        replaces=replaces,
    )
    _take(batch, period, found)
    if not run:
        held_note(batch)
    given_up_note(batch)
    checks_begin(batch=batch)
    audit("batch.lock", batch, after=batch_facts(batch))
    period_moves(batch, f"{batch.name}: locked")
    return batch


def _of(table: str, columns: Sequence[str]) -> str:
    """SQL: these columns of a table."""
    return ", ".join(f"{table}.{column}" for column in columns)


#: The statements of an off-cycle batch: the regular ones stand already, and stay open.
_OWN_STATEMENTS = """
INSERT INTO payouts_statement (tenant_id, participant_id, pay_group_id, period_starts_on, period_ends_on, run, state,
    revision, released_minor, adjustments_minor, payout_minor, lines, currency, digest, calculated_at, data_at)
SELECT s.tenant_id, s.participant_id, s.pay_group_id, s.period_starts_on, s.period_ends_on, %(run)s, 'in_batch', 1,
    0, 0, 0, 0, s.currency, '', s.calculated_at, s.data_at
FROM payouts_statement s
WHERE s.pay_group_id = %(pay_group)s AND s.period_starts_on = %(starts_on)s AND s.run = 0
    AND s.participant_id = ANY(%(people)s)
"""
#: Of a payable in another currency than the company's, which is %(own)s, the rate by which it was converted.
CONVERTED = f"""CASE WHEN p.currency = %(own)s THEN '{{}}' ELSE coalesce((
            SELECT jsonb_build_object('plan_minor', t.plan_minor, 'rate', r.rate, 'rate_id', r.id,
                'rate_from', r.source, 'rate_kind', r.kind, 'rate_starts_on', r.starts_on, 'rate_revision', r.revision)
            FROM payouts_tranche t JOIN people_exchangerate r ON r.id = t.rate_id
            WHERE t.tenant_id = p.tenant_id AND t."index" = p."index" AND t.part = p.part
                AND ({_of("t", LINE)}) = ({_of("p", LINE)})
        ), '{{}}') END"""
#: Payables become lines in one statement, with what each stands on now; nulls where a deal was lost and earns nothing,
#: and for what is no credit. Where it is paid in another currency, with the rate by which it was converted.
_TAKE = f"""
INSERT INTO payouts_batchline (
    tenant_id, batch_id, statement_id, {", ".join(LINE)}, "index", part, deal_id, pay_group_id, period_starts_on,
    origin_starts_on, kind, plan_version_id, credit_date, amount_minor, currency, cause_id, trace)
SELECT
    p.tenant_id, %(batch)s, s.id, {_of("p", LINE)}, p."index", p.part, p.deal_id, p.pay_group_id, p.period_starts_on,
    p.origin_starts_on, p.kind, p.plan_version_id, p.credit_date, p.amount_minor, p.currency, p.cause_id,
    jsonb_build_object(
        'credit_minor', e.credit_minor, 'position', e.position, 'before_minor', e.before_minor,
        'after_minor', e.after_minor, 'quota_minor', e.quota_minor, 'tier_before', e.tier_before,
        'tier_after', e.tier_after, 'band', e.band, 'earned_minor', e.earned_minor,
        'posted_minor', p.posted_minor, 'plan_version', v.digest, 'deal_revision', c.revision)
        || {CONVERTED}
FROM payouts_payable p
JOIN payouts_statement s ON s.tenant_id = p.tenant_id
    AND (s.participant_id, s.period_starts_on, s.run) = (p.participant_id, p.period_starts_on, %(run)s)
JOIN plans_planversion v ON v.tenant_id = p.tenant_id AND v.id = p.plan_version_id
LEFT JOIN payouts_earning e ON e.tenant_id = p.tenant_id AND ({_of("e", LINE)}) = ({_of("p", LINE)})
LEFT JOIN crediting_credit c ON c.tenant_id = p.tenant_id AND p.line_kind = 0
    AND ({_of("c", CREDITS.key)}) = ({_of("p", CREDITS.key)})
WHERE p.pay_group_id = %(pay_group)s AND p.period_starts_on = %(starts_on)s AND p.hold_id IS NULL
    AND (%(everybody)s OR p.participant_id = ANY(%(people)s))
"""
#: Each person's sums by currency beside those of the batch before. People are posted together so many lines at a time,
#: in the order of their numbers.
_PEOPLE = """
WITH now AS (
    SELECT participant_id, currency, max(pay_group_id) AS pay_group_id, count(*) AS lines,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'release'), 0) AS released,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'adjustment'), 0) AS adjusted,
        count(*) FILTER (WHERE kind = 'adjustment') AS adjustments,
        coalesce(sum(amount_minor) FILTER (WHERE kind NOT IN ('release', 'adjustment')), 0) AS by_hand,
        count(*) FILTER (WHERE kind NOT IN ('release', 'adjustment')) AS hands
    FROM payouts_batchline WHERE batch_id = %(batch)s GROUP BY participant_id, currency
), settled AS (
    SELECT participant_id, currency, max(pay_group_id) AS pay_group_id, sum(payout_minor - inflow_minor) AS effect
    FROM payouts_batchsettlement WHERE batch_id = %(batch)s GROUP BY participant_id, currency
), before AS (
    SELECT participant_id, currency, max(pay_group_id) AS pay_group_id, sum(minor) AS minor FROM (
        SELECT participant_id, currency, pay_group_id, amount_minor AS minor
        FROM payouts_batchline WHERE batch_id = %(before)s
        UNION ALL
        SELECT participant_id, currency, pay_group_id, payout_minor - inflow_minor
        FROM payouts_batchsettlement WHERE batch_id = %(before)s
    ) each GROUP BY participant_id, currency
), both_sides AS (
    SELECT participant_id, currency, coalesce(n.pay_group_id, w.pay_group_id, b.pay_group_id) AS pay_group_id,
        b.minor AS before_minor, coalesce(n.lines, 0) AS lines, coalesce(n.released, 0) AS released,
        coalesce(n.adjusted, 0) AS adjusted, coalesce(n.adjustments, 0) AS adjustments,
        coalesce(n.by_hand, 0) AS by_hand, coalesce(n.hands, 0) AS hands, coalesce(w.effect, 0) AS settled
    FROM now n FULL JOIN settled w USING (participant_id, currency) FULL JOIN before b USING (participant_id, currency)
), own AS (
    SELECT * FROM unnest(%(digested)s::bigint[], %(digests)s::text[]) AS o(participant_id, digest)
), large AS (
    SELECT * FROM unnest(%(currencies)s::text[], %(larges)s::bigint[]) AS l(currency, minor)
)
INSERT INTO payouts_batchperson (tenant_id, batch_id, participant_id, pay_group_id, part, currency, before_minor,
    released_minor, adjustments_minor, manual_minor, settled_minor, adjustments, manual, lines, is_new, is_large,
    digest)
SELECT current_setting('app.tenant')::bigint, %(batch)s, x.participant_id, x.pay_group_id,
    floor(coalesce(sum(x.lines) OVER (ORDER BY x.participant_id RANGE UNBOUNDED PRECEDING EXCLUDE GROUP), 0)
        / %(part_lines)s)::int, x.currency,
    x.before_minor, x.released, x.adjusted, x.by_hand, x.settled, x.adjustments, x.hands, x.lines,
    NOT EXISTS (SELECT 1 FROM payouts_batchline l JOIN payouts_batch b ON b.id = l.batch_id
        WHERE l.participant_id = x.participant_id AND b.pay_group_id = %(pay_group)s AND b.starts_on < %(starts_on)s
        AND b.state = ANY(%(taken)s)),
    x.before_minor IS NOT NULL AND abs(x.change) >= large.minor AND abs(x.change) * %(share)s >= abs(x.before_minor),
    coalesce(own.digest, %(nothing)s)
FROM (SELECT *, released + adjusted + by_hand + settled - coalesce(before_minor, 0) AS change FROM both_sides) x
JOIN large USING (currency) LEFT JOIN own USING (participant_id)
"""
_SETTLED = [f"coalesce(y.{column}, 0)" for column in SETTLED]
#: The period's statements become snapshots of the lines taken.
_STATEMENTS = f"""
UPDATE payouts_statement s SET state = 'in_batch', released_minor = coalesce(x.released, 0),
    adjustments_minor = coalesce(x.adjusted, 0),
    {", ".join(f"{column} = {found}" for column, found in zip(SETTLED, _SETTLED, strict=True))},
    payout_minor = coalesce(x.released, 0) + coalesce(x.adjusted, 0) + {" + ".join(_SETTLED)},
    lines = coalesce(x.lines, 0), digest = coalesce(x.digest, %(nothing)s)
FROM payouts_statement o LEFT JOIN (
    SELECT p.participant_id, sum(p.released_minor) AS released, sum(p.adjustments_minor + p.manual_minor) AS adjusted,
        sum(p.lines) AS lines, max(p.digest) AS digest
    FROM payouts_batchperson p WHERE p.batch_id = %(batch)s GROUP BY p.participant_id
) x ON x.participant_id = o.participant_id LEFT JOIN (
    SELECT w.participant_id, {SETTLED_SUMS} FROM payouts_batchsettlement w
    WHERE w.batch_id = %(batch)s GROUP BY w.participant_id
) y ON y.participant_id = o.participant_id
WHERE s.id = o.id AND o.pay_group_id = %(pay_group)s AND o.period_starts_on = %(starts_on)s AND o.run = %(run)s
"""


def _take(batch: Batch, period: Open, found: Digests) -> None:
    params: Mapping[str, Any] = {
        "batch": batch.pk,
        "own": own_currency(),
        "run": batch.run,
        "pay_group": batch.pay_group_id,
        "starts_on": batch.starts_on,
        "everybody": period.people is None,
        "people": sorted(period.people or ()),
    }
    with connection.cursor() as cursor:
        if batch.run:
            cursor.execute(_OWN_STATEMENTS, params)
        many = batch.lines > MANY_LINES
        if many:
            cursor.execute(MANY)
        cursor.execute(_TAKE, params)
        taken = cursor.rowcount
        if many:
            cursor.execute(MANY_OVER)
    if not batch.run:
        settlements_take(batch)
    if taken != batch.lines:
        raise BatchError(
            f"{batch}: took {taken} lines where {batch.lines} are payable. A statement or a plan version "
            "is missing; recompute the period's people."
        )
    sums_write(batch, found)


def sums_write(batch: Batch, found: Digests) -> None:
    """Each person's sums of what a batch took, and its statements as snapshots of them; `found` are its digests."""
    last = None if batch.run else batch_before(batch)
    currencies = sorted({*batch.totals, *(last.totals if last else {})})
    params: Mapping[str, Any] = {
        "batch": batch.pk,
        "run": batch.run,
        "pay_group": batch.pay_group_id,
        "starts_on": batch.starts_on,
        "before": last.pk if last else 0,
        "digested": list(found.people),
        "digests": list(found.people.values()),
        "currencies": currencies,
        "larges": [LARGE_UNITS * 10 ** minor_digits(currency) for currency in currencies],
        "share": LARGE_SHARE,
        "part_lines": PART_LINES,
        "taken": [state.value for state in TAKEN],
        "nothing": lines_digest([]),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, params)
        # Nothing is known yet of the rows just written: person by person each would be looked for among all of them.
        many = batch.lines > MANY_LINES
        if many:
            cursor.execute(MANY)
        cursor.execute(_STATEMENTS, params)
        if many:
            cursor.execute(MANY_OVER)


# ------------------------------------------------------------------ unlock


def period_unlock_ask(*, batch: Batch, asked_by: User, reason: str) -> Batch:
    """Asks for the period to be opened again; somebody else has to confirm it. Until it is posted a batch can be."""
    reason = reason.strip()
    if not reason:
        raise BatchError(f"{batch}: opening a period again needs a reason, so that whoever confirms it can judge.")
    with everyone():
        batch = locked(batch)
        _can_be_unlocked(batch)
        if batch.void_asked_by_id is not None:
            raise BatchError(f"{batch}: {batch.void_asked_by} has asked for it already.")
        batch.void_asked_by, batch.void_asked_at, batch.void_reason = asked_by, timezone.now(), reason
        batch.save(update_fields=["void_asked_by", "void_asked_at", "void_reason"])
        audit("batch.unlock_ask", batch, after=batch_facts(batch), reason=reason)
    return batch


def period_unlock_drop(*, batch: Batch, dropped_by: User) -> Batch:
    """Takes the question back, or declines it: the batch goes its way."""
    with everyone():
        batch = locked(batch)
        if batch.void_asked_by_id is None or batch.state == State.VOIDED:
            raise BatchError(f"{batch}: nobody asks for it to be opened again.")
        reason = batch.void_reason
        batch.void_asked_by = batch.void_asked_at = None
        batch.void_reason = ""
        batch.save(update_fields=["void_asked_by", "void_asked_at", "void_reason"])
        audit("batch.unlock_drop", batch, after={**batch_facts(batch), "by": str(dropped_by)}, reason=reason)
    return batch


def period_unlock_confirm(*, batch: Batch, confirmed_by: User) -> Batch:
    """Opens the period again, as the second person: the batch is void, approvals count for nothing, payables and
    statements follow the figures again."""
    with everyone():
        one_writer()
        batch = locked(batch)
        _can_be_unlocked(batch)
        if batch.void_asked_by_id is None:
            raise BatchError(f"{batch}: nobody asks for it to be opened again.")
        if batch.void_asked_by_id == confirmed_by.pk:
            raise BatchError(f"{batch}: you asked for it, so somebody else has to confirm it.")
        void(batch, by=confirmed_by, reason=batch.void_reason)
        period_moves(batch, f"{batch.name}: opened again")
    return batch


def void(batch: Batch, *, by: User, reason: str) -> None:
    """The step itself, for services that hold the batch's lock; they move the period."""
    before = State(batch.state)
    batch.state, batch.voided_by, batch.voided_at, batch.void_reason = State.VOIDED, by, timezone.now(), reason
    batch.save(update_fields=["state", "voided_by", "voided_at", "void_reason"])
    Posting.objects.filter(batch=batch, ended_at=None).update(ended_at=timezone.now(), error="Its batch is void.")
    statements_open(batch)
    stages_void(batch, reason)
    audit("batch.void", batch, before, batch_facts(batch), reason)


def _can_be_unlocked(batch: Batch) -> None:
    if batch.state not in (State.IN_REVIEW, State.SUBMITTED, State.APPROVED):
        raise BatchError(
            f"{batch}: it is {batch.get_state_display().lower()}; a period can be opened again until it is posted."
        )
    if batch.ledger_head:
        raise BatchError(f"{batch}: its posting has begun. What is posted stays; differences are paid as adjustments.")


# ------------------------------------------------------------------ close


def period_close(*, batch: Batch, closed_by: User) -> Batch:
    """Ends the period's life, when it is paid and everything on its checklist is done."""
    with everyone():
        batch = locked(batch)
        must_be(batch, "closed", State.PAID)
        if left := checks_open(batch):
            raise BatchError(f"{batch}: {len(left)} of its checklist are open. Next: {left[0].title}.")
        batch.state, batch.closed_by, batch.closed_at = State.CLOSED, closed_by, timezone.now()
        batch.save(update_fields=["state", "closed_by", "closed_at"])
        audit("batch.close", batch, State.PAID, batch_facts(batch))
    return batch
