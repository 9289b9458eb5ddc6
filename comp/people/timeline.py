"""Rows that follow each other in time, half-open [starts_on, ends_on)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet

from comp.core.errors import refused
from comp.people.selectors import in_force

#: Years in which something can start or end. Days about them can be counted on, and calendars cut.
YEARS = range(1900, 2200)


def check_dates(starts_on: date, ends_on: date | None) -> None:
    """Refuses an end that is not after the start, and years that nobody means."""
    for day in (starts_on, ends_on):
        if day is not None and day.year not in YEARS:
            allowed = f"the years {YEARS[0]} to {YEARS[-1]}"
            raise refused("starts_on", day, allowed, f"{day:%-d %B %Y} lies outside {allowed}.")
    if ends_on is not None and ends_on <= starts_on:
        message = (
            f"What starts on {starts_on:%-d %B %Y} has to end later, not on {ends_on:%-d %B %Y}; the end day itself is "
            "not included."
        )
        raise refused("ends_on", ends_on, f"a day after {starts_on:%-d %B %Y}", message)


def make_room(rows: QuerySet[Any], starts_on: date) -> date | None:
    """Ends at `starts_on` the row in force then; one that starts on that very day is replaced, so it goes (its history
    stays). Returns the first day of the row that follows: where the new one has to end."""
    check_dates(starts_on, None)
    rows.filter(starts_on=starts_on).delete()
    rows.filter(in_force(starts_on)).update(ends_on=starts_on)
    following = rows.filter(starts_on__gt=starts_on).order_by("starts_on").first()
    return following.starts_on if following else None


def span(starts_on: date, ends_on: date | None) -> str:
    """For people: `from 1 October 2026` or `from 1 October 2026 until 1 January 2027`."""
    return f"from {starts_on:%-d %B %Y}" + (f" until {ends_on:%-d %B %Y}" if ends_on else "")
