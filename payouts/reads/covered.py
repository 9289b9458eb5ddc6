"""What another system paid, and signed openings stand for, deal by deal: docs/cutover.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Any, NamedTuple

from django.db.models import Sum

from comp.core.days import day_date, parse_day
from comp.people.calendars import period_holding
from comp.people.models import Participant
from comp.tenancy.rows import rows_read
from crediting.models import Deal, DealRevision
from crediting.services.news import days_of_deal
from payouts.models import LegacyLine, Opening
from payouts.reads.plans import Version, version_of
from plans.rules.compiled import Component, OwnPeriods
from plans.rules.dates import credit_dates
from plans.selectors import version_in_force

_STANDING = """
SELECT o.id FROM payouts_opening o JOIN payouts_cutover c ON c.id = o.cut_over_id
WHERE o.participant_id = ANY(%s::bigint[]) AND o.day >= %s AND o.taken_back_at IS NULL AND c.state = 'signed'
"""
#: What of a deal may change what is paid for it, whatever its plan reads beside that.
_SAID = (
    "stage", "amount_minor", "currency", "close_date", "engage_date", "product_id", "account_id", "territory", "team",
)  # fmt: skip


class Covered(NamedTuple):
    """An opening by the terms of its day; `first` is the first of the days of which it stands for everything."""

    opening: Opening
    version: Version
    component: Component
    first: date

    def holds(self, kind: str, dates: Mapping[str, Collection[str]]) -> bool:
        """Whether it stands for what a fact of this kind, with these dates by field, would earn or take back."""
        back = self.component.clawback
        for rule in self.version.says.credit_rules:
            reads = rule.credit_class in self.component.classes
            if reads and (kind == rule.fact or back is not None and kind in back.on):
                for field in credit_dates(self.version.says, rule.credit_date):
                    days = [field] if field[0].isdigit() else dates.get(field.removeprefix("deal."), ())
                    if any(self.first <= parse_day(day) <= self.opening.day for day in days):
                        return True
        return False


def covered_by(people: Collection[int], days: Iterable[str]) -> dict[int, list[Covered]]:
    """The openings of these people that were signed, by participant; only such as may stand for any of these days."""
    found: dict[int, list[Covered]] = defaultdict(list)
    first = min(days, default="")
    ids = [row[0] for row in rows_read(_STANDING, [sorted(people), parse_day(first)])] if people and first else []
    if not ids:
        return found
    rows = Opening.objects.filter(pk__in=ids).select_related("participant", "cut_over__pay_group__calendar")
    for opening in rows.order_by("participant__name", "id"):
        row = version_in_force(plan_id=opening.plan_id, day=opening.day)
        if row is None:
            continue
        version = version_of(row)
        component = next((each for each in version.says.components if each.key == opening.component), None)
        if component is not None:
            found[opening.participant_id].append(Covered(opening, version, component, _first(opening, component)))
    return found


def _first(opening: Opening, component: Component) -> date:
    """Of credits measured to date an opening stands for the fiscal year; else for the measure period."""
    every = component.every
    if component.measure.window == "year_to_date" or isinstance(every, OwnPeriods):
        every = "year"
    return day_date(period_holding(opening.cut_over.pay_group.calendar, opening.day, every).start)


def differs_since(deal: Deal, moment: datetime, fields: Collection[str]) -> bool:
    """Whether a deal says another thing than it did then, of what may change what is paid for it by plans that read
    these fields; one that came since does where it is won."""
    every = DealRevision.objects.filter(endpoint_id=deal.endpoint_id, external_id=deal.external_id)
    revisions = every.order_by("version", "event_time", "sender_id", "id")  # the last of them stands
    before = revisions.filter(recorded_at__lte=moment).last()
    now = revisions.last()
    if before is None or now is None:
        return deal.stage == "won"
    return _said(before, fields) != _said(now, fields)


def _said(row: DealRevision, fields: Iterable[str]) -> list[Any]:
    """What it says, and of these fields of plans those that it says among its other values."""
    more = [row.custom.get(field[7:]) if field.startswith("custom.") else row.values.get(field) for field in fields]
    return [*(getattr(row, name) for name in _SAID), *more]


@dataclass(frozen=True, slots=True)
class PaidBefore:
    """What the system before paid somebody for a deal: under which opening, and how much where its statements say."""

    participant: Participant
    covered: Covered
    paid: Sequence[tuple[str, int]]  # currency, minor units
    lost: bool


def paid_before(external_id: str) -> list[PaidBefore]:
    """Whoever was ever on a deal of this number, with what stands for it now; within the pay that one may see."""
    found: list[PaidBefore] = []
    for deal in Deal.objects.filter(external_id=external_id):
        revisions = DealRevision.objects.filter(endpoint_id=deal.endpoint_id, external_id=external_id)
        dates: dict[str, set[str]] = defaultdict(set)
        people: set[int] = set()
        for row in revisions:
            people |= {member[1] for member in row.team}
            for name, day in days_of_deal(row):
                dates[name].add(day)
        for person, standing in covered_by(people, chain(*dates.values())).items():
            for place, one in enumerate([each for each in standing if each.holds("deal", dates)]):
                # What a statement says of no component is told once, with the first.
                of = [one.component.key] if place else ["", one.component.key]
                lines = LegacyLine.objects.filter(
                    participant=person, deal=external_id, cut_over=one.opening.cut_over_id, component__in=of,
                    file__taken_back_at=None,
                )  # fmt: skip
                sums = lines.order_by().values_list("currency").annotate(minor=Sum("amount_minor"))
                paid = tuple((currency, int(minor)) for currency, minor in sums)
                found.append(PaidBefore(one.opening.participant, one, paid, deal.stage != "won"))
    return found
