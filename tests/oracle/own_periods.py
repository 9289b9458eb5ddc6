"""Measure periods of a plan's own (17): each list becomes a length of the calendar, with the times between two of them.

A length is told as text, its name and all its days, so that lists of another shape under one name are held apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from tests.oracle.case import Case
from tests.oracle.reading import Document

Span = tuple[date, date]  # half-open
ONE_DAY = timedelta(days=1)


def own_spans(document: Document, name: str) -> list[Span]:
    """The periods of that name, from the first day to the day after the last; none where the name is the calendar's."""
    return [
        (date.fromisoformat(row["first"]), date.fromisoformat(row["last"]) + ONE_DAY)
        for row in document.get("periods", {}).get(name, ())
    ]


def length_name(name: str, spans: Sequence[Span]) -> str:
    return " ".join([name, *(f"{start}/{end - ONE_DAY}" for start, end in spans)])


def with_own_periods(case: Case) -> Case:
    """The case with each such name spelled out in the components, and its periods among those of the calendar."""
    periods, between = dict(case.periods), set(case.between)
    versions = []
    for version in case.versions:
        components = []
        for component in version.document["components"]:
            measure = component.get("measure", {})
            spans = own_spans(version.document, measure["every"]) if measure else []
            if spans:
                length = length_name(measure["every"], spans)
                edges = {case.periods["year"][0], case.periods["year"][-1], *(day for span in spans for day in span)}
                periods[length] = tuple(sorted(edges))
                between |= {
                    (length, place)
                    for place, day in enumerate(periods[length][:-1])
                    if all(day != start for start, _ in spans)
                }
                component = component | {"measure": measure | {"every": length}}
            components.append(component)
        versions.append(replace(version, document=version.document | {"components": components}))
    return replace(case, versions=tuple(versions), periods=periods, between=frozenset(between))
