"""How far people are towards what their plans ask, and how far the time has gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import get_args

from django.db.models import Count, Q

from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from comp.people.selectors import in_force
from comp.web.parts import Meter, Tier, percent
from payouts.kernel.reads import cadence
from payouts.kernel.say import percent_text
from payouts.models import Attainment, Earning
from payouts.reads.periods import Span, own_span, span_holding
from payouts.reads.plans import MILLIONTHS, Version, bonus_words, measured_words, same_for_all, tier_label, version_of
from plans.models import PlanAssignment, PlanVersion, Quota
from plans.rules.compiled import Component, Every, OfCalendar, OwnPeriods, Point


@dataclass(frozen=True)
class Progress:
    """One component's measure in the period that holds a day: total against quota (None where there is none), in minor
    units, or in millionths of what is counted. `current` is False where the quota of that day is not known: it is that
    of the last credit, or none yet."""

    participant_id: int
    version: Version
    component: Component
    period: Span
    total: int
    quota: int | None
    lines: int
    earned: int
    day: date
    current: bool = True

    @property
    def pace(self) -> Fraction:
        """The share of the period's days that has gone, the day itself included."""
        days = (self.period.ends_on - self.period.starts_on).days
        return Fraction(min((self.day - self.period.starts_on).days + 1, days), days)

    @property
    def attained(self) -> Fraction | None:
        return Fraction(self.total, self.quota) if self.quota else None

    @property
    def lead(self) -> Fraction | None:
        """How far ahead of the pace, as a share of quota; negative where behind. None also where the quota itself moves
        with the time."""
        return None if self.attained is None or not self.paced else self.attained - self.pace

    @property
    def paced(self) -> bool:
        """Whether the quota is one for the whole period, to be reached bit by bit."""
        summed = self.component.measure.value in ("sum", "count", "weighted")
        return self.current and summed and self.component.measure.quota_basis != "cumulative"

    @property
    def counts(self) -> bool:
        """Whether the total decides anything: a quota, or tiers by amount."""
        held = self.component.quota is not None or self.component.quota_fixed is not None
        return held or (self.component.tiers is not None and len(self.component.tiers.rates) > 1)

    @property
    def name(self) -> str:
        return f"{self.component.name}, {self.period.name}"


def progress(people: Sequence[Participant], group: PayGroup, day: date) -> list[Progress]:
    """The measures that hold these people (of one pay group) on a day, in the order of their plans. Five queries."""
    ids = [person.pk for person in people]
    assigned = list(
        PlanAssignment.objects.filter(in_force(day), participant_id__in=ids).order_by("participant_id", "plan__name")
    )
    published = PlanVersion.objects.filter(
        in_force(day), plan_id__in={a.plan_id for a in assigned}, state=PlanVersion.State.PUBLISHED
    )
    by_plan = {row.plan_id: version_of(row) for row in published.select_related("plan")}
    periods: dict[Every, Span] = {every: span_holding(group, day, every) for every in get_args(OfCalendar)}
    for version in by_plan.values():
        for component in version.says.components:
            if isinstance(component.every, OwnPeriods) and (held := own_span(component.every, day)):
                periods[component.every] = held
    spans, year = Q(), periods["year"]
    kept_for = Q(starts_on__gte=year.starts_on, ends_on__lte=year.ends_on)
    for span in periods.values():
        spans |= Q(starts_on=span.starts_on, ends_on=span.ends_on)
    kept: Kept = {
        (row.participant_id, row.key, row.starts_on, row.ends_on): (row.unit, row.amount_minor)
        for row in Quota.objects.filter(spans | kept_for, participant_id__in=ids)
    }
    measured = {
        (row.participant_id, row.plan_id, row.component, row.starts_on, row.ends_on): row
        for row in Attainment.objects.filter(spans, participant_id__in=ids).order_by("plan_version__starts_on")
    }
    found = []
    for assignment in assigned:
        if assignment.plan_id not in by_plan:
            continue
        version = by_plan[assignment.plan_id]
        for component in version.says.components:
            if component.every not in periods:  # between two periods of the plan's own nothing is measured
                continue
            who, span = assignment.participant_id, periods[cadence(component)]
            row = measured.get((who, assignment.plan_id, component.key, span.starts_on, span.ends_on))
            plain = _kept_as_it_is(version, component)
            quota = _quota(component, kept, who, _held_against(component, periods, group)) if plain else None
            # What the figures say was true of the last credit; a year's quotas so far go on growing after it.
            stored = row is not None and (component.measure.quota_basis != "cumulative" or not plain)
            found.append(
                Progress(
                    who,
                    version,
                    component,
                    span,
                    row.total_minor if row else 0,
                    row.quota_minor if row is not None and stored else quota,
                    row.lines if row else 0,
                    row.earned_minor if row else 0,
                    day,
                    plain or (row is not None and component.measure.quota_basis != "cumulative"),
                )
            )
    return found


#: Units and amounts by participant, key, first day and end.
Kept = Mapping[tuple[int, str, date, date], tuple[str, int]]


def _kept_as_it_is(version: Version, component: Component) -> bool:
    """Whether a quota holds as it is kept: not prorated, nor ramped."""
    says = version.says
    prorated = says.on_new_version == "restart" or (says.proration is not None and "quota" in says.proration.of)
    ramped = component.ramp is not None and bool(component.ramp.quota)
    return not (prorated or ramped) or (component.quota is None and component.quota_fixed is None)


def _held_against(component: Component, periods: Mapping[Every, Span], group: PayGroup) -> list[Span]:
    """The periods whose quotas add up to the one that holds today."""
    every = component.every
    current, year = periods[every], periods["year"]
    if component.measure.quota_basis == "year":
        return [year]
    if component.measure.quota_basis is None or isinstance(every, OwnPeriods):
        return [current]
    spans = [span_holding(group, year.starts_on, every)]
    while spans[-1].ends_on < current.ends_on:
        spans.append(span_holding(group, spans[-1].ends_on, every))
    return spans


def _quota(component: Component, kept: Kept, who: int, spans: Sequence[Span]) -> int | None:
    """The quotas of these periods added up; None where one of them is missing or there is none."""
    if component.quota_fixed is not None:
        return int(component.quota_fixed * (1 if component.measure.unit == "money" else MILLIONTHS)) * len(spans)
    if component.quota is None:
        return None
    unit = Quota.Unit.MONEY if component.measure.unit == "money" else Quota.Unit.NUMBER
    found = [kept.get((who, component.quota, span.starts_on, span.ends_on), ("", 0)) for span in spans]
    return sum(amount for _, amount in found) if all(of == unit for of, _ in found) else None


def deals_earning(person: Participant, rows: Sequence[Progress]) -> dict[tuple[int, str], int]:
    """By plan and component, how many deals earn something in the measure's period. One query."""
    spans = Q(pk__in=[])
    for row in rows:
        spans |= Q(plan_id=row.version.plan_id, component=row.component.key, period_starts_on=row.period.starts_on)
    found = Earning.objects.filter(spans, participant=person).exclude(earned_minor=0)
    counted = found.values_list("plan_id", "component").annotate(Count("deal", distinct=True))
    return {(plan, component): count for plan, component, count in counted.order_by()}


def by_person(rows: Iterable[Progress]) -> dict[int, list[Progress]]:
    found: dict[int, list[Progress]] = defaultdict(list)
    for row in rows:
        found[row.participant_id].append(row)
    return found


def meter(row: Progress) -> Meter:
    """The measure as a bar: tiers, pace, and what is missing to the next tier."""
    currency = row.version.says.currency
    quota = row.quota or 0
    return Meter(
        name=row.name,
        value=row.total,
        target=quota,
        value_text=measured_words(row.component, row.total, currency),
        target_text=measured_words(row.component, quota, currency),
        tiers=[Tier(_percent(at), label) for at, label in _shares(row.component, currency)],
        pace=_percent(row.pace) if quota and row.paced else None,
        next=next_words(row),
    )


def next_words(row: Progress) -> str:
    """`$25,840.00 or about 2 deals to the 12% tier`, by the average credit so far; empty beyond the last tier, and
    where no total alone decides what comes next."""
    component, currency = row.component, row.version.says.currency
    has_quota = component.quota is not None or component.quota_fixed is not None
    if has_quota and not row.current:
        return "Its quota is told with the first credit" if row.quota is None else "Its quota follows the next credit"
    if has_quota and not row.quota:
        return "waits for its quota" if component.missing_quota == "wait" and row.quota is None else ""
    bounds = [(at * row.quota, label) for at, label in _shares(component, currency)] if row.quota else []
    if not bounds and same_for_all(row.version.says, component):
        bounds = _amounts(component, currency)
    for bound, label in bounds:
        missing = bound - row.total
        if bound > 0 and missing > 0:
            distance = -(-missing.numerator // missing.denominator)
            text = measured_words(component, distance, currency)
            if row.lines and row.total > 0 and component.measure.value in ("sum", "count", "weighted"):
                deals = -(-distance * row.lines // row.total)
                text += f" or about {deals:,} deal{'' if deals == 1 else 's'}"
            return f"{text} to {label.partition(' from ')[0]}"
    return ""


def pace_words(row: Progress) -> str:
    """`12.4 points ahead of the pace`; empty without a quota."""
    if row.lead is None:
        return ""
    points = Decimal(abs(row.lead).numerator * 1000 // abs(row.lead).denominator) / 10
    unit = "point" if points == 1 else "points"
    return f"{points} {unit} {'behind' if row.lead < 0 else 'ahead'}" if points else "on pace"


def attained_words(row: Progress) -> str:
    return percent(row.total, row.quota or 0)


def _shares(component: Component, currency: str) -> list[tuple[Fraction, str]]:
    """Where tiers, steps or the bonus begin, as shares of quota, with their words; no more than attainment is limited
    to. Between the points of a curve nothing begins."""
    tiers, curve = component.tiers, component.curve
    if tiers is not None and tiers.axis == "attainment" and tiers.mode != "each":
        found = [(tier.start, tier_label(component, tier, currency)) for tier in tiers.rates]
    elif curve is not None and curve.axis == "attainment" and curve.mode == "steps":
        found = [(point.at, _step_words(component, point, currency)) for point in curve.points]
    elif component.bonus is not None and component.bonus.at is not None:
        found = [(component.bonus.at, f"{format_money(component.bonus.amount, currency)} {bonus_words(component)}")]
    else:
        return []
    limit = component.limit_attainment
    return [(at, label) for at, label in found if limit is None or at <= limit]


def _amounts(component: Component, currency: str) -> list[tuple[Fraction, str]]:
    """Where tiers by money or units begin, in what totals are stored in."""
    tiers = component.tiers
    if tiers is None or tiers.axis == "attainment" or tiers.mode == "each":
        return []
    unit = 1 if component.measure.unit == "money" else MILLIONTHS
    return [(tier.start * unit, tier_label(component, tier, currency)) for tier in tiers.rates]


def _step_words(component: Component, point: Point, currency: str) -> str:
    """`50% of target pay from 90%`."""
    assert component.curve is not None
    pays = {
        "share": f"{percent_text(point.pays)} of target pay",
        "amount": format_money(int(point.pays), currency),
    }.get(component.curve.pays, f"{percent_text(point.pays)}")
    return f"{pays} from {percent_text(point.at)}"


def _percent(share: Fraction) -> Decimal:
    """In percent, to a tenth, never rounded up."""
    return Decimal(share.numerator * 1000 // share.denominator) / 10
