"""A person's pay periods, by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from comp.core.calendars import Every, Period
from comp.core.days import day_date, day_number
from comp.people.calendars import period_holding
from comp.people.models import Participant, PayGroup
from payouts.selectors import open_period
from plans.rules.compiled import OwnPeriods


@dataclass(frozen=True, slots=True)
class Span:
    """A period as dates: [starts_on, ends_on), with its name."""

    starts_on: date
    ends_on: date
    name: str

    @property
    def last_day(self) -> date:
        return self.ends_on - timedelta(days=1)


def pay_group_of(participant: Participant) -> PayGroup:
    """The pay group with its calendar, in one query."""
    return PayGroup.objects.select_related("calendar").get(pk=participant.pay_group_id)


def open_span(group: PayGroup) -> Span:
    """The pay group's open period."""
    return _span(open_period(group))


def span_holding(group: PayGroup, day: date, every: Every | None = None) -> Span:
    """The pay period (or month, quarter, year) that holds a day."""
    return _span(period_holding(group.calendar, day, every))


def own_span(every: OwnPeriods, day: date) -> Span | None:
    """The period of a plan's own that holds a day; None between two."""
    for start, end in every.spans:
        if start <= day_number(day) < end:
            first, last = day_date(start), day_date(end - 1)
            return Span(first, day_date(end), f"{every}, {first:%-d %b} to {last:%-d %b %Y}")
    return None


def _span(period: Period) -> Span:
    return Span(day_date(period.start), day_date(period.end), period.name)
