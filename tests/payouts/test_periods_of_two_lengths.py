"""Measure periods of different lengths, of two versions of a plan, stand side by side."""

from __future__ import annotations

from datetime import date

import pytest

from payouts.models import Attainment, ChangedScope, Earning, Tranche
from payouts.services import scopes
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_the_whole_language_pays_from_the_database import full_agrees


@pytest.mark.django_db
def test_the_first_quarter_and_the_year_begin_on_the_same_day() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-08-10")
    acme.work()
    acme.publish(plan_text().replace("every: quarter", "every: year"), starts_on=date(2026, 7, 1))
    full_agrees(acme)
    stands = [(1, date(2026, 4, 1), 6_000_000), (2, date(2027, 1, 1), 5_000_000)]
    assert measures(acme) == stands
    with acme.acme.scope():
        for model in (Tranche, Earning, Attainment):
            model.objects.all().delete()
        scopes.scopes_everything(label="all")
    acme.work()
    with acme.acme.scope():
        assert list(ChangedScope.objects.values_list("error", flat=True)) == []
    assert measures(acme) == stands
    full_agrees(acme)


def measures(acme: House) -> list[tuple[int, date, int]]:
    with acme.acme.scope():
        rows = Attainment.objects.order_by("ends_on")
        return list(rows.values_list("plan_version__number", "ends_on", "total_minor"))
