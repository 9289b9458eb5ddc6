"""The two sides of a parallel run as the kernel ties them out: statements that stand, and what Comp would have paid.
docs/cutover.md"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
from django.db.models import Max

from comp.core.canonical import digest
from comp.core.days import day_date, day_number
from comp.people.models import Participant
from comp.tenancy.rows import rows_read
from crediting.models import Deal
from payouts.frames.parallel import Paid, place_of, step_of, would_pay
from payouts.frames.read import bounds, calendars, credit_days, pay_groups, read_versions
from payouts.frames.sql import NONE
from payouts.kernel.batch import Ints
from payouts.kernel.tieout import Line, Part
from payouts.models import CutOver, LegacyLine, Opening
from payouts.reads.parallel import lines_standing
from payouts.services.recompute import right_figures, spans
from plans.models import Plan

#: What deals are credited with, by person and plan; and the rates that are recorded for the days of these credits.
_CREDITED = """
SELECT participant_id, plan_id, deal_id, sum(amount_minor)::bigint FROM crediting_credit
WHERE deal_id = ANY(%s::bigint[]) GROUP BY 1, 2, 3
"""
_RATES = """
SELECT DISTINCT ON (c.participant_id, c.deal_id, r.kind) c.participant_id, c.deal_id, r.rate
FROM crediting_credit c JOIN crediting_deal d ON d.id = c.deal_id
    JOIN people_exchangerate r ON r.source = d.currency AND r.target = c.currency AND r.starts_on <= c.credit_date
WHERE c.deal_id = ANY(%s::bigint[]) AND r.rate IS NOT NULL AND NOT EXISTS (SELECT 1 FROM people_exchangerate n
    WHERE (n.source, n.target, n.kind, n.starts_on) = (r.source, r.target, r.kind, r.starts_on)
        AND n.revision > r.revision)
ORDER BY c.participant_id, c.deal_id, r.kind, r.starts_on DESC, r.revision DESC
"""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, in a pay group's calendar. `people`: participant id and pay group by employee number; `deals`: how
    a line's deal is called, and its id where Comp has it."""

    theirs: list[Line]
    ours: list[Line]
    periods: range
    people: Mapping[str, int]
    strangers: frozenset[str]
    deals: Mapping[str, tuple[str, int | None]]
    edges: Ints

    def starts_on(self, place: int) -> date:
        return day_date(int(self.edges[place]))

    def digest(self, rounding: int) -> str:
        """Of everything that was compared."""
        return digest([rounding, *(sorted(map(_said, lines)) for lines in (self.theirs, self.ours))])


def _said(line: Line) -> list[Any]:
    named = [line.person, line.period, line.currency, line.kind, line.plan, line.component, line.deal, line.minor]
    return [*named, int(line.known), str(line.credited), [str(rate) for rate in sorted(line.rates)]]


def sides(cut_over: CutOver) -> Sides:
    """What the files say and what Comp would have paid, of the periods from the first to the last that the files name;
    of ours with one period more on both sides."""
    rows = list(lines_standing(cut_over).order_by("id"))
    edges = bounds(calendars()[cut_over.pay_group_id], "pay")
    people = dict(Participant.objects.filter(pay_group_id=cut_over.pay_group_id).values_list("key", "id"))
    strangers = frozenset(row.person for row in rows if row.person not in people)
    if not rows:
        return Sides([], [], range(0), people, strangers, {}, edges)
    places = [int(np.searchsorted(edges, day_number(row.period_starts_on), side="right")) - 1 for row in rows]
    first, last = min(places), max(places)
    of_deal, deals = _deals(rows)
    theirs = [_theirs(row, place, of_deal[row.source, row.deal]) for row, place in zip(rows, places, strict=True)]
    covered = _covered(cut_over)
    begin, behind = (day_date(int(edges[place])) for place in (first - 1, last + 2))
    would = would_pay(cut_over.pay_group_id, begin, behind, covered, _as_if_none(cut_over, covered))
    ours = _ours(would, {pk: key for key, pk in people.items()}, {line.deal for line in theirs if _asks(line)})
    named = {line.deal for line in ours if line.deal} - deals.keys()
    rows_of = Deal.objects.filter(id__in=map(int, named)).values_list("id", "external_id")
    deals |= {str(pk): (external, pk) for pk, external in rows_of}
    return Sides(theirs, ours, range(first, last + 1), people, strangers, deals, edges)


def _covered(cut_over: CutOver) -> dict[int, date]:
    """Participant to the last day for which an opening stands for all that they earn."""
    rows = Opening.objects.filter(cut_over=cut_over, taken_back_at=None).order_by()
    return dict(rows.values_list("participant_id").annotate(last=Max("day")))


def _as_if_none(cut_over: CutOver, covered: Mapping[int, date]) -> Iterator[Paid]:
    """What would be released of these people had the system before left no openings: by the facts alone."""
    days = credit_days()
    if not covered or days is None:
        return
    calendar, versions, groups = calendars()[cut_over.pay_group_id], read_versions(), pay_groups()
    edges = bounds(calendar, "pay")
    for span in spans(calendar, versions.every(), *days):
        of = right_figures(calendar, span, sorted(covered), versions, groups, openings=False).tranches
        rows = np.flatnonzero((of["release_day"] != NONE) & np.isin(of["participant_id"], sorted(covered)))
        texts = {name: [of[name].words[code] for code in of[name].codes[rows]] for name in ("component", "currency")}
        numbers = ("participant_id", "plan_id", "plan_version_id", "line_kind", "period_starts_on", "deal_id",
                   "amount_minor")  # fmt: skip
        columns = [of[name][rows].tolist() for name in numbers] + [texts["component"], texts["currency"]]
        for who, plan, version, kind, day, deal, minor, component, currency in zip(*columns, strict=True):
            place = place_of(edges, day_date(day))
            deal = None if deal == NONE else deal
            yield Paid(who, plan, version, component, "commission", place, deal, currency, minor, step_of(kind))


def _asks(line: Line) -> bool:
    return line.known and (line.credited is not None or bool(line.rates))


def _deals(rows: list[LegacyLine]) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, int | None]]]:
    """The name of each deal of theirs in lines (its id in Comp, or as they call it), and how it is called. A deal
    without a source is the one of that number; of several sources none is it."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    asked = {row.deal for row in rows if row.deal}
    for pk, source, external in Deal.objects.filter(external_id__in=asked).values_list(
        "id", "endpoint__key", "external_id"
    ):
        found[source, external].add(pk)
        found["", external].add(pk)
    of: dict[tuple[str, str], str] = {}
    deals: dict[str, tuple[str, int | None]] = {}
    for row in rows:
        ids = found[row.source, row.deal] if row.deal else set()
        known = next(iter(ids)) if len(ids) == 1 else None
        name = "" if not row.deal else str(known) if known else f"{row.source}:{row.deal}"
        of[row.source, row.deal] = name
        if name:
            deals[name] = (row.deal, known)
    return of, deals


def _theirs(row: LegacyLine, place: int, deal: str) -> Line:
    return Line(
        *(row.person, place, row.currency, row.amount_minor, row.kind, row.plan, row.component, deal),
        known=deal.isdecimal(),
        credited=row.credited_minor,
        rates=(Fraction(row.rate),) if row.rate else (),
    )


def _ours(would: list[Paid], keys: Mapping[int, str], asked: set[str]) -> list[Line]:
    plans = dict(Plan.objects.values_list("id", "key"))
    ids = [sorted(map(int, asked))]
    credited = {(who, plan, deal): minor for who, plan, deal, minor in rows_read(_CREDITED, ids)} if asked else {}
    rates: dict[tuple[int, int], list[Fraction]] = defaultdict(list)
    for who, deal, rate in rows_read(_RATES, ids) if asked else ():
        rates[who, deal].append(Fraction(rate))
    return [
        Line(
            *(keys[row.participant], row.place, row.currency, row.minor, row.kind, plans[row.plan], row.component),
            deal=str(row.deal or ""),
            credited=credited.get((row.participant, row.plan, row.deal or 0)),
            rates=tuple(rates.get((row.participant, row.deal or 0), ())),
        )
        for row in would
        if row.participant in keys
    ]


def told(part: Part, deals: Mapping[str, tuple[str, int | None]]) -> dict[str, Any]:
    """A part as it is kept: its deal as people call it, with its id where Comp has it."""
    kept = {name: value for name, value in part._asdict().items() if name not in ("deal", "within")}
    within = [_named(line, deals) | {"minor": line.minor} for line in part.within]
    return kept | _named(part, deals) | ({"within": within} if within else {})


def _named(of: Line | Part, deals: Mapping[str, tuple[str, int | None]]) -> dict[str, Any]:
    called, pk = deals.get(of.deal, (of.deal, None))
    return {"kind": of.kind, "plan": of.plan, "component": of.component, "deal": called, "deal_id": pk}
