"""Which payables stay in the open period, and why: what people hold, differences that reach too far back, and those too
small to be paid alone. A payable with a hold is taken by no batch and stands in no statement's sum.

docs/algorithms/manual.md tells the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection

from comp.core.days import day_date
from comp.people.calendars import pay_periods, period_holding
from comp.people.models import Participant, PayGroup
from comp.tenancy.rows import rows_read
from payouts.models import Batch, Hold
from payouts.models.figures import TRANCHE_KEY
from plans.models import PlanVersion

_KEY = [f'"{name}{"_id" if name in ("participant", "plan") else ""}"' for name in TRANCHE_KEY]
_SAME = " AND ".join(f"f.{column} = p.{column}" for column in _KEY)
#: No pay period is longer.
LONGEST = timedelta(days=95)
#: Why the holds stand that nobody places.
SAYS = {
    Hold.Kind.SMALL: "Too small to be paid alone: kept until it adds up, the year ends or the person leaves.",
    Hold.Kind.FAR: "It reaches further back than a difference may without approval.",
}

#: What there is to look at: most companies hold nothing, and their payables are written without another look.
_ASKED = """
SELECT EXISTS (SELECT 1 FROM payouts_hold WHERE kind = 'placed' AND released_at IS NULL AND batch_id IS NULL),
    EXISTS (SELECT 1 FROM payouts_adjustmentpolicy WHERE small_minor IS NOT NULL),
    (SELECT periods_back FROM payouts_reachpolicy),
    EXISTS (SELECT 1 FROM payouts_payable WHERE participant_id = ANY(%(people)s) AND hold_id IS NOT NULL)
"""
#: The first hold that somebody placed, else of differences: too far back, or too small together with the others.
_MARK = f"""
WITH open AS (
    SELECT * FROM unnest(%(people)s::bigint[], %(earliest)s::date[], %(acts)s::bool[])
        AS o(participant_id, earliest, acts)
), standing AS MATERIALIZED (
    SELECT id, participant_id, deal_id, plan_id, component FROM payouts_hold
    WHERE kind = 'placed' AND released_at IS NULL AND batch_id IS NULL
), marked AS (
    SELECT p.id, p.participant_id, p.currency, p.amount_minor,
        p.kind = 'adjustment' AND NOT o.acts AND p.plan_id <> ALL(%(settled)s::bigint[]) AS may_be_small, coalesce(
            (SELECT min(h.id) FROM standing h WHERE coalesce(h.participant_id = p.participant_id, true)
                AND coalesce(h.deal_id = p.deal_id, h.deal_id IS NULL) AND coalesce(h.plan_id = p.plan_id, true)
                AND h.component IN ('', p.component)),
            CASE WHEN p.kind = 'adjustment' AND p.origin_starts_on < o.earliest AND NOT EXISTS (
                SELECT 1 FROM payouts_farapproval f WHERE {_SAME}
                    AND (f.amount_minor, f.posted_minor) = (p.amount_minor, p.posted_minor)
            ) THEN %(far)s::bigint END) AS hold
    FROM payouts_payable p JOIN open o USING (participant_id)
), small AS (
    SELECT m.participant_id, m.currency FROM marked m JOIN payouts_adjustmentpolicy s ON s.currency = m.currency
    WHERE m.may_be_small AND m.hold IS NULL
    GROUP BY m.participant_id, m.currency, s.small_minor HAVING abs(sum(m.amount_minor)) < s.small_minor
), rights AS (
    SELECT m.id, CASE WHEN m.hold IS NULL AND m.may_be_small AND s.currency IS NOT NULL THEN %(small)s::bigint
        ELSE m.hold END AS hold
    FROM marked m LEFT JOIN small s USING (participant_id, currency)
)
UPDATE payouts_payable p SET hold_id = r.hold FROM rights r WHERE p.id = r.id AND p.hold_id IS DISTINCT FROM r.hold
"""
_LEFT = f"""
INSERT INTO payouts_batchheld (tenant_id, batch_id, hold_id, {", ".join(_KEY)}, deal_id, pay_group_id, amount_minor,
    currency)
SELECT p.tenant_id, %(batch)s, p.hold_id, {", ".join(f"p.{column}" for column in _KEY)}, p.deal_id, p.pay_group_id,
    p.amount_minor, p.currency
FROM payouts_payable p
WHERE p.pay_group_id = %(pay_group)s AND p.period_starts_on = %(starts_on)s AND p.hold_id IS NOT NULL
"""


def holds_write(*, people: Sequence[int], groups: Sequence[int], starts: Sequence[date], ends: Sequence[date]) -> None:
    """Says of the payables of these people which are held, by what. `groups`, `starts` and `ends` are each one's pay
    group and open period."""
    [(placed, small, periods_back, held)] = rows_read(_ASKED, {"people": list(people)})
    if not (placed or small or periods_back is not None or held):
        return
    with connection.cursor() as cursor:
        earliest, acts = _reach(people, groups, starts, ends, periods_back)
        params: dict[str, Any] = {"people": list(people), "earliest": earliest, "acts": acts}
        params["settled"] = _settled() if small else []
        params["small"] = marker(Hold.Kind.SMALL) if small else None
        params["far"] = marker(Hold.Kind.FAR) if periods_back is not None else None
        cursor.execute(_MARK, params)


def held_note(batch: Batch) -> None:
    """Writes down what of the batch's period stayed behind, and for which hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LEFT, {"batch": batch.pk, "pay_group": batch.pay_group_id, "starts_on": batch.starts_on.isoformat()}
        )


def marker(kind: Hold.Kind) -> int:
    """The company's hold of a kind that nobody places."""
    return int(Hold.objects.get_or_create(kind=kind, defaults={"reason": SAYS[kind]})[0].pk)


def _settled() -> list[int]:
    """Plans whose own settlement keeps small adjustments, or pays them as they are."""
    rows = PlanVersion.objects.exclude(state=PlanVersion.State.DRAFT).filter(document__contains='"settlement"')
    return list(rows.values_list("plan_id", flat=True).distinct())


def _reach(
    people: Sequence[int],
    groups: Sequence[int],
    starts: Sequence[date],
    ends: Sequence[date],
    periods_back: int | None,
) -> tuple[list[date | None], list[bool]]:
    """Of each person the first day that a difference may reach without approval (None: any), and whether what was kept
    for being small is paid in their open period: it ends the fiscal year, or they leave."""
    calendars = {
        group.pk: group.calendar for group in PayGroup.objects.filter(pk__in={*groups}).select_related("calendar")
    }
    gone = set(Participant.objects.filter(id__in=people, ends_on__isnull=False).values_list("id", "ends_on"))
    leaves: dict[int, date] = {person: day for person, day in gone if day is not None}
    of_period: dict[tuple[int, date], tuple[date | None, bool]] = {}
    for group, start, end in set(zip(groups, starts, ends, strict=True)):
        calendar, first = calendars[group], None
        if periods_back is not None:
            before = pay_periods(calendar, start - LONGEST * (periods_back + 1), start)
            first = day_date(before[-1 - periods_back].start)
        after = pay_periods(calendar, end, end)[0]
        year = period_holding(calendar, end - timedelta(days=1), "year")
        of_period[group, start] = first, after.end > year.end
    found = [of_period[group, start] for group, start in zip(groups, starts, strict=True)]
    left = [person in leaves and leaves[person] <= end for person, end in zip(people, ends, strict=True)]
    return [first for first, _ in found], [last or went for (_, last), went in zip(found, left, strict=True)]
