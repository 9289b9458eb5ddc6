"""What a representative reads of measures that are more than money against a quota of the period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from django.test import Client

from comp.tenancy.capabilities import Role
from payouts.reads.attainment import Progress, meter, next_words, pace_words, progress
from plans import services as plans
from tests.factories import member
from tests.pages.rep.reading import text
from tests.payouts.house import House, house, plan_text

RATES = "rates: [{from: 0%, rate: 10%}, {from: 100%, rate: 15%}, {from: 120%, rate: 20%}]"
QUOTA = "    quota: sales\n    missing_quota: wait\n    zero_quota: highest_tier\n"
TIERS = f"""    below_zero: lowest_tier
    tiers:
      mode: marginal
      boundary: above
      {RATES}
    accelerator: null
"""
MEASURE = "    measure: {every: quarter}\n"
DAY = date(2026, 2, 10)


@pytest.fixture(autouse=True)
def february(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=lambda: datetime(2026, 2, 10, 12, tzinfo=UTC))
    monkeypatch.setattr("comp.people.selectors.timezone", clock)


def amounts(plan: str) -> str:
    tiers = TIERS.replace("mode: marginal", "mode: marginal\n      axis: amount")
    tiers = tiers.replace(RATES, "rates: [{from: 0.00, rate: 5%}, {from: 90000.00, rate: 7%}]")
    return plan.replace(QUOTA, "    quota: null\n").replace(TIERS, tiers)


def mixed(plan: str) -> str:
    rates = "rates: [{from: 0%, rate: 10%, back: none}, {from: 100%, rate: 15%, back: all}]"
    return plan.replace("mode: marginal", "mode: mixed").replace(RATES, rates)


def times(plan: str) -> str:
    tiers = TIERS.replace("boundary", "pays: times\n      boundary")
    tiers = tiers.replace(RATES, "rates: [{from: 0%, times: 1}, {from: 100%, times: 1.5}]")
    held = QUOTA.replace("highest_tier", "no_pay") + "    incentive: target-pay\n    missing_incentive: wait\n"
    return plan.replace(TIERS, tiers).replace(QUOTA, held)


def curve(mode: str) -> Callable[[str], str]:
    def changed(plan: str) -> str:
        points = "points: [{at: 0%, pays: 0%}, {at: 50%, pays: 30%}, {at: 100%, pays: 100%}]"
        more = "below: zero, " + ("beyond: extend, " if mode == "interpolated" else "")
        line = f"    curve: {{pays: share, axis: attainment, mode: {mode}, boundary: above, {more}{points}}}\n"
        held = QUOTA.replace("highest_tier", "no_pay") + "    incentive: target-pay\n    missing_incentive: wait\n"
        return plan.replace("kind: commission", "kind: incentive").replace(TIERS, line).replace(QUOTA, held)

    return changed


def table(plan: str) -> str:
    lines = """    table:
      pays: rate
      dimensions: [{field: amount, from: [0.00, 25000.00], boundary: above}]
      cells: [8%, 10%]
    accelerator: null
"""
    return plan.replace(TIERS, lines).replace(QUOTA, "    quota: null\n")


def counted(plan: str) -> str:
    measure = "{every: quarter, value: count, window: discrete, of: own, by: credit}"
    tiers = TIERS.replace("boundary", "axis: units\n      pays: per_unit\n      boundary")
    tiers = tiers.replace(RATES, "rates: [{from: 0, per_unit: 100.00}, {from: 3, per_unit: 150.00}]")
    return plan.replace("{every: quarter}", measure).replace(TIERS, tiers).replace(QUOTA, "    quota: null\n")


def to_date(basis: str) -> Callable[[str], str]:
    def changed(plan: str) -> str:
        measure = "every: quarter, value: sum, window: year_to_date, of: own, by: credit"
        plan = plan.replace("{every: quarter}", f"{{{measure}, quota_basis: {basis}}}")
        return plan.replace("quota: sales", "quota: year-sales") if basis == "year" else plan

    return changed


def shaped(plan: str) -> str:
    more = """    limits: {attainment: 110%}
    minimum: {amount: 50.00, per: credit}
    cap: {amount: 50000.00, per: measure_period, excess: lost}
    caps: [{amount: 90000.00, per: year, excess: lost}, {amount: 5000.00, per: credit, excess: lost}]
"""
    return plan.replace("    cap: null\n", more).replace(", {from: 120%, rate: 20%}", "")


def each(plan: str) -> str:
    tiers = TIERS.replace("mode: marginal", "mode: each\n      axis: amount")
    tiers = tiers.replace(RATES, "rates: [{from: 0.00, rate: 5%}, {from: 90000.00, rate: 7%}]")
    return plan.replace(QUOTA, "    quota: null\n").replace(TIERS, tiers)


def set_out(change: Callable[[str], str]) -> tuple[House, Progress]:
    """Ann with a deal of 60,000.00 in January, as she stands in the middle of February."""
    plan = change(plan_text())
    built = house(plan)
    with built.acme.scope(built.ops):
        kept = [("target-pay", date(2026, 4, 1), 1_000_000)]
        if "basis: year" in plan:
            kept.append(("year-sales", date(2027, 1, 1), 50_000_000))
        for key, until, amount in kept:
            plans.quota_set(
                participant=built.ann, key=key, starts_on=date(2026, 1, 1), ends_on=until, amount_minor=amount,
                currency="USD",
            )  # fmt: skip
    built.won("A", "60000.00", "2026-01-10")
    built.work()
    return built, now(built)


def now(built: House, day: date = DAY) -> Progress:
    with built.acme.scope():
        (row,) = progress([built.ann], built.acme.pay_group, day)
    return row


WHOLE = [
    (mixed, "$40,000.00 or about 1 deal to 15%"),
    (amounts, "$30,000.00 or about 1 deal to 7%"),
    (times, "$40,000.00 or about 1 deal to 1.5 times"),
    (curve("steps"), "$40,000.00 or about 1 deal to 100% of target pay"),
    (curve("interpolated"), ""),
    (table, ""),
    (counted, "2 or about 2 deals to $150.00 a unit"),
    (each, ""),
    (shaped, "$40,000.00 or about 1 deal to 15%"),
    (to_date("cumulative"), "$40,000.00 or about 1 deal to 15%"),
    (to_date("year"), "$440,000.00 or about 8 deals to 15%"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("change", "told"), WHOLE)
def test_what_is_missing_to_the_next_tier(change: Callable[[str], str], told: str) -> None:
    built, row = set_out(change)
    assert row.lines == 1 and row.earned > 0
    assert next_words(row) == told
    with built.acme.scope():
        user = member(built.acme, Role.REPRESENTATIVE, "Ann")
        built.ann.user = user
        built.ann.save()
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    base = f"/t/{built.acme.tenant.slug}"
    home = text(client.get(f"{base}/home/"))
    if told:
        assert told in home
    for page in ("deals/", "statements/2026-01-01/"):
        answer = client.get(f"{base}/{page}")
        assert answer.status_code == 200, page


@pytest.mark.django_db
def test_a_year_to_date_is_held_against_the_year() -> None:
    """41 of 365 days are gone, and 60,000 of 500,000 reached."""
    _, row = set_out(to_date("year"))
    assert (row.name, row.total, row.quota) == ("Commission, 2026", 6_000_000, 50_000_000)
    assert pace_words(row) == "0.7 points ahead"


@pytest.mark.django_db
def test_quotas_so_far_have_no_pace() -> None:
    built, row = set_out(to_date("cumulative"))
    assert (row.quota, pace_words(row), meter(row).pace) == (10_000_000, "", None)
    # In April the second quarter's quota is not kept yet: what holds then is not that of January's deal.
    assert next_words(now(built, date(2026, 4, 10))) == "waits for its quota"


@pytest.mark.django_db
def test_what_is_counted_is_no_money() -> None:
    _, row = set_out(counted)
    assert (row.total, row.counts, meter(row).value_text) == (1_000_000, True, "1")


@pytest.mark.django_db
def test_a_rate_table_counts_towards_nothing() -> None:
    _, row = set_out(table)
    assert not row.counts


@pytest.mark.django_db
def test_a_prorated_quota_is_told_with_the_first_credit() -> None:
    block = (
        "proration: {method: calendar_days, first_day: counts, last_day: counts, leave: counts, of: [quota], "
        "round: minor}\n"
    )
    built = house(plan_text().replace("credit_rules:", f"{block}credit_rules:", 1))
    assert next_words(now(built)) == "Its quota is told with the first credit"
    built.won("A", "60000.00", "2026-01-10")
    built.work()
    assert next_words(now(built)) == "$40,000.00 or about 1 deal to 15%"
