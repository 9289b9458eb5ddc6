"""Of some people only the lines of reporting above them are read, of a large company too, and they say the same."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from comp.people import services as people
from payouts.services.readers import ReportingLines
from tests.factories import person
from tests.payouts.house import house

BEGAN, MOVED = date(2026, 1, 1), date(2026, 2, 1)


@pytest.mark.django_db
def test_what_is_above_some_is_what_is_above_them_of_all() -> None:
    acme = house()
    with acme.acme.scope(acme.ops):
        names = ("Bea", "Cal", "Dan", "Eve", "Fred", "Gil")
        bea, cal, dan, eve, fred, gil = (person(acme.acme, name) for name in names)
        for below, above in pairwise((bea, cal, dan, eve)):
            people.reporting_line_set(participant=below, manager=above, starts_on=BEGAN)
        people.reporting_line_set(participant=cal, manager=fred, starts_on=MOVED)
        people.reporting_line_set(participant=gil, manager=eve, starts_on=BEGAN)
        some, every = ReportingLines([bea.pk]), ReportingLines()
    assert set(some.above) == {bea.pk, cal.pk, dan.pk} < set(every.above)
    assert some.ever({bea.pk}) == every.ever({bea.pk}) == {bea.pk, cal.pk, dan.pk, eve.pk, fred.pk}
    for day, levels, found in (
        (BEGAN, 1, {cal}),
        (BEGAN, 2, {cal, dan}),
        (BEGAN, 9, {cal, dan, eve}),
        (MOVED, 9, {cal, fred}),
    ):
        assert some.of({bea.pk}, day, levels) == every.of({bea.pk}, day, levels) == {bea.pk, *(one.pk for one in found)}
