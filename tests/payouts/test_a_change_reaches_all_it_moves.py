"""A change redoes everything that it moves, also where that lies before its first day or behind its last."""

from __future__ import annotations

from datetime import date

import pytest

from comp.people import services as people
from payouts.models import Attainment
from plans import services as plans
from plans.models import Plan
from tests.factories import published
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_the_whole_language_pays_from_the_database import RATES, full_agrees

RAMPED = plan_text().replace(
    "    missing_quota", "    ramp: {from: assigned, quota: [25%, 50%, 75%], incentive: null}\n    missing_quota", 1
)


def yearly(text: str) -> str:
    return text.replace("every: quarter", "every: year")


@pytest.mark.django_db
def test_earlier_days_on_a_plan_move_a_ramp() -> None:
    """60,000 on a quarter of the quota of 100,000: 2,500 + 750 + 30,000 at 20% = 9,250. Somebody who was on the plan in
    the year before is beyond the ramp: 6,000."""
    acme = house(RAMPED)
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert acme.earned() == {"A": 925_000}
    with acme.acme.scope(acme.ops):
        plan = Plan.objects.get(key="worked")
        draft = plans.version_draft(
            plan=plan, text=RAMPED.replace("20%", "30%"), starts_on=date(2025, 1, 1), ends_on=date(2026, 1, 1),
            note="What held before", prepared_by=acme.ops,
        )  # fmt: skip
    with acme.acme.scope(acme.other_ops):
        plans.version_publish(version=draft, published_by=acme.other_ops)
    acme.work()
    assert acme.earned() == {"A": 925_000}
    with acme.acme.scope(acme.ops):
        plans.assignment_set(participant=acme.ann, plan=plan, starts_on=date(2025, 1, 1), ends_on=date(2025, 3, 1))
    acme.work()
    assert acme.earned() == {"A": 600_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_an_earlier_version_moves_a_ramp_of_those_who_were_assigned() -> None:
    acme = house(RAMPED)
    with acme.acme.scope(acme.ops):
        plan = Plan.objects.get(key="worked")
        plans.assignment_set(participant=acme.ann, plan=plan, starts_on=date(2025, 1, 1), ends_on=date(2025, 3, 1))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert acme.earned() == {"A": 925_000}
    with acme.acme.scope(acme.ops):
        draft = plans.version_draft(
            plan=plan, text=RAMPED.replace("20%", "30%"), starts_on=date(2025, 1, 1), ends_on=date(2026, 1, 1),
            note="What held before", prepared_by=acme.ops,
        )  # fmt: skip
    with acme.acme.scope(acme.other_ops):
        plans.version_publish(version=draft, published_by=acme.other_ops)
    acme.work()
    assert acme.earned() == {"A": 600_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_version_that_reached_back_over_the_year_is_replaced() -> None:
    """The year that a version from July on measures by begins in January; the version that takes its place measures by
    quarters, and nothing of the year is left."""
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "60000.00", "2026-08-10")
    acme.work()
    first = acme.earned()
    acme.publish(yearly(plan_text()), starts_on=date(2026, 7, 1))
    acme.publish(plan_text(top="25%"), starts_on=date(2026, 7, 1))
    assert acme.earned() == first
    assert periods(acme) == [(date(2026, 1, 1), date(2026, 4, 1)), (date(2026, 7, 1), date(2026, 10, 1))]
    full_agrees(acme)


@pytest.mark.django_db
def test_a_cap_of_the_year_that_only_an_override_states() -> None:
    """At most 7,000 a year for Ann: 6,000 of the first quarter and 1,000 of the second. Corrected to 10,000, the first
    deal leaves the second its 6,000."""
    cap = "components.commission.caps: [{amount: 7000.00, per: year, excess: lost}]"
    acme = house(plan_text() + f"overrides: [{{for: {{person: ann}}, set: {{{cap}}}}}]\n")
    with acme.acme.scope(acme.ops):
        plans.quota_set(
            participant=acme.ann, key="sales", starts_on=date(2026, 4, 1), ends_on=date(2026, 7, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "60000.00", "2026-05-10")
    acme.work()
    assert acme.earned() == {"A": 600_000, "B": 100_000}
    acme.won("A", "10000.00", "2026-01-10", at="2026-06-11T10:00:00Z", version=2)
    acme.work()
    assert acme.earned() == {"A": 100_000, "B": 600_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_fiscal_year_that_begins_on_another_day_leaves_no_measure_behind() -> None:
    acme = house(yearly(plan_text()))
    acme.won("A", "60000.00", "2026-03-10")
    acme.work()
    assert periods(acme) == [(date(2026, 1, 1), date(2027, 1, 1))]
    with acme.acme.scope(acme.ops):
        people.named_change(row=acme.acme.calendar, fiscal_year_start=2)
    acme.work()
    assert periods(acme) == [(date(2026, 2, 1), date(2027, 2, 1))]
    with acme.acme.scope(acme.ops):
        calendar = people.calendar_create(key="march", name="March", kind="monthly", fiscal_year_start=3)
        group = people.pay_group_create(key="march", name="March", calendar=calendar, opens_on=date(2026, 1, 1))
        people.participant_change(participant=acme.ann, pay_group=group)
    acme.work()
    assert periods(acme) == [(date(2026, 3, 1), date(2027, 3, 1))]
    full_agrees(acme)


def periods(acme: House) -> list[tuple[date, date]]:
    with acme.acme.scope():
        return list(Attainment.objects.order_by("starts_on").values_list("starts_on", "ends_on"))


@pytest.mark.django_db
def test_the_terms_of_another_plan_move_whoever_is_paid_by_them() -> None:
    """At least what `terms` would pay: 12% of 60,000 is 7,200; from its new version on 15%, 9,000."""
    acme = house()
    other = plan_text().replace("key: worked", "key: terms").replace("quota: sales", "quota: null")
    for line in ("    missing_quota: wait\n", "    zero_quota: highest_tier\n"):
        other = other.replace(line, "")
    flat = "rates: [{from: 0.00, rate: 12%}]"
    other = other.replace("      mode: marginal\n", "      mode: marginal\n      axis: amount\n").replace(RATES, flat)
    with acme.acme.scope(acme.ops):
        published("terms", ops=acme.ops, other=acme.other_ops, text=other)
    more = "    counterpart: {terms: terms/commission, share: 100%, pays: larger, per: measure_period}\n"
    acme.publish(plan_text().replace("    cap: null\n", f"    cap: null\n{more}"))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert acme.earned() == {"A": 720_000}
    with acme.acme.scope(acme.ops):
        published("terms", ops=acme.ops, other=acme.other_ops, text=other.replace("12%", "15%"))
    acme.work()
    assert acme.earned() == {"A": 900_000}
    full_agrees(acme)
