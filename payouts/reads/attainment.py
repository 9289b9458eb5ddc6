"""How far people are towards what their plans ask, and how far the time has gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db.models import Count, Q

from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from comp.people.selectors import in_force
from comp.web.parts import Meter, Tier, percent
from payouts.kernel.say import percent_text
from payouts.models import Attainment, Earning
from payouts.reads.periods import Span, span_holding
from payouts.reads.plans import Version, bonus_words, version_of
from plans.models import PlanAssignment, PlanVersion, Quota
from plans.rules.compiled import Component


@dataclass(frozen=True)
class Progress:
    """One component's measure in the period that holds a day: total against quota (None where there is none)."""

    participant_id: int
    version: Version
    component: Component
    period: Span
    total: int
    quota: int | None
    lines: int
    earned: int
    day: date

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
        """How far ahead of the pace, as a share of quota; negative where behind."""
        return None if self.attained is None else self.attained - self.pace

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
    periods = {every: span_holding(group, day, every) for every in ("month", "quarter", "half", "year")}
    spans = Q()
    for span in periods.values():
        spans |= Q(starts_on=span.starts_on, ends_on=span.ends_on)
    quotas = {
        (row.participant_id, row.key, row.starts_on, row.ends_on): row.amount_minor
        for row in Quota.objects.filter(spans, participant_id__in=ids)
    }
    measured = {
        (row.participant_id, row.plan_id, row.component, row.starts_on): row
        for row in Attainment.objects.filter(spans, participant_id__in=ids)
    }
    found = []
    for assignment in assigned:
        version = by_plan.get(assignment.plan_id)
        if version is None:
            continue
        for component in version.says.components:
            span = periods[component.every]
            who = assignment.participant_id
            row = measured.get((who, assignment.plan_id, component.key, span.starts_on))
            quota = quotas.get((who, component.quota, span.starts_on, span.ends_on)) if component.quota else None
            found.append(
                Progress(
                    who,
                    version,
                    component,
                    span,
                    row.total_minor if row else 0,
                    row.quota_minor if row else quota,
                    row.lines if row else 0,
                    row.earned_minor if row else 0,
                    day,
                )
            )
    return found


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
        value_text=format_money(row.total, currency),
        target_text=format_money(quota, currency),
        tiers=[Tier(_percent(at), label) for at, label in _marks(row.component, currency)],
        pace=_percent(row.pace) if quota else None,
        next=next_words(row),
    )


def next_words(row: Progress) -> str:
    """`$25,840.00 or about 2 deals to the 12% tier`, by the average credit so far; empty beyond the last tier."""
    currency = row.version.says.currency
    if not row.quota:
        return "waits for its quota" if row.component.quota and row.quota is None else ""
    for at, label in _marks(row.component, currency):
        missing = at * row.quota - row.total
        if at > 0 and missing > 0:
            distance = -(-missing.numerator // missing.denominator)
            text = format_money(distance, currency)
            if row.lines and row.total > 0:
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


def _marks(component: Component, currency: str) -> list[tuple[Fraction, str]]:
    """Where tiers (or the bonus) begin, as shares of quota, with their words."""
    if component.tiers is not None:
        return [(t.start, f"{percent_text(t.rate)} from {percent_text(t.start)}") for t in component.tiers.rates]
    if component.bonus is not None and component.bonus.at is not None:
        return [(component.bonus.at, f"{format_money(component.bonus.amount, currency)} {bonus_words(component)}")]
    return []


def _percent(share: Fraction) -> Decimal:
    """In percent, to a tenth, never rounded up."""
    return Decimal(share.numerator * 1000 // share.denominator) / 10
