"""What the language states credit by credit is paid from the database too; what the database cannot deliver is refused
before it is in force."""

from __future__ import annotations

from datetime import date

import pytest

from comp.core.errors import ProblemsError
from comp.people import services as people
from payouts.models import Attainment, Earning, Tranche
from payouts.reads.plans import rate_words, versions
from payouts.reads.why import spread_over
from payouts.services import replay
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.payouts.house import House, house, plan_text

RATES = "rates: [{from: 0%, rate: 10%}, {from: 100%, rate: 15%}, {from: 120%, rate: 20%}]"
TERMS = """
fields: {custom.term: number, custom.cost: money}
computed:
  computed.margin: {type: money, is: amount - custom.cost}
"""


def full_agrees(of: House) -> None:
    with of.acme.scope():
        assert replay.differences_found() == []


def with_terms(text: str) -> str:
    return text.replace("credit_rules:", f"{TERMS.strip()}\ncredit_rules:", 1)


@pytest.mark.django_db
def test_shares_of_margin_and_factors_by_term_and_title() -> None:
    """Margins of 40,000 and 30,000 on a quota of 50,000: 4,000 and (10,000 at each of 10%, 15% and 20%) = 4,500; x 1.2
    for three years = 5,400; x 1.25 as a senior from February on = 6,750."""
    text = plan_text().replace("    amount: amount\n", "    amount: computed.margin\n")
    shaped = """    modifiers:
      combine: multiply
      each:
        - {key: three-years, when: {field: custom.term, op: at_least, value: 36}, times: 1.2}
        - {key: senior, when: {field: person.title, op: is, value: Senior AE}, times: 1.25}
    cap: null
"""
    acme = house(with_terms(text).replace("    cap: null\n", shaped), quota_minor=5_000_000)
    with acme.acme.scope(acme.ops):
        role = people.CreditRole.objects.get(key="ae")
        people.position_set(
            participant=acme.ann, title="Senior AE", credit_role=role, team=None, territory=None,
            starts_on=date(2026, 2, 1),
        )  # fmt: skip
    acme.won("A", "60000.00", "2026-01-10", custom={"term": "12", "cost": "20000.00"})
    acme.won("B", "45000.00", "2026-02-10", custom={"term": "36", "cost": "15000.00"})
    acme.work()
    assert acme.earned() == {"A": 400_000, "B": 675_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_year_to_date_and_a_cap_a_year() -> None:
    """Retroactive 5% to 100,000, then 7% on all, over the year by months: January 80,000 pays 4,000, February 40,000
    pays 8,400 - 4,000 = 4,400; of the year's 9,000 March's 20,000 (1,400) gets the last 600."""
    text = plan_text()
    text = text.replace(
        "    measure: {every: quarter}\n",
        """    measure:
      {every: month, value: sum, window: year_to_date, of: own, by: credit, quota_basis: year}
""",
    )
    text = text.replace("mode: marginal", "mode: retroactive\n      attribution: running")
    text = text.replace(RATES, "rates: [{from: 0%, rate: 5%}, {from: 100%, rate: 7%}]")
    text = text.replace("    cap: null\n", "    cap: null\n    caps: [{amount: 9000.00, per: year, excess: lost}]\n")
    acme = house(text.replace("quota: sales", "quota: year-sales"))
    with acme.acme.scope(acme.ops):
        plans.quota_set(
            participant=acme.ann, key="year-sales", starts_on=date(2026, 1, 1), ends_on=date(2027, 1, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    acme.won("A", "80000.00", "2026-01-10")
    acme.won("B", "40000.00", "2026-02-10")
    acme.won("C", "20000.00", "2026-03-10")
    acme.work()
    assert acme.earned() == {"A": 400_000, "B": 440_000, "C": 60_000}
    acme.won("A", "90000.00", "2026-01-10", at="2026-03-11T10:00:00Z", version=2)
    acme.work()
    assert sum(acme.earned().values()) == 900_000
    full_agrees(acme)


@pytest.mark.django_db
def test_a_quota_is_prorated_to_the_days_on_the_plan() -> None:
    """On the plan from 11 February 2026: 49 of the quarter's 90 days; 100,000 becomes 54,444.44. 60,000 pays 5,444.444
    + 5,555.56 at 15% = 833.334: 6,277.78."""
    block = (
        "proration: {method: calendar_days, first_day: counts, last_day: counts, leave: counts, of: [quota], "
        "round: minor}\n"
    )
    acme = house(plan_text().replace("credit_rules:", f"{block}credit_rules:", 1))
    with acme.acme.scope(acme.ops):
        bea = person(acme.acme, "Bea")
        plans.assignment_set(participant=bea, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 2, 11))
        plans.quota_set(
            participant=bea, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    acme.won("A", "60000.00", "2026-03-10", owner="bea")
    acme.work()
    with acme.acme.scope():
        assert Attainment.objects.get(participant=bea).quota_minor == 5_444_444
    assert acme.earned() == {"A": 627_778}
    full_agrees(acme)


@pytest.mark.django_db
def test_releases_on_days_of_their_own() -> None:
    """Half at the end of the quarter, half on the 15th two months after the signature's month."""
    release = "[{share: 50%, on: period_end}, {share: 50%, on: signature, after: {months: 2, day: 15}}]"
    acme = house(plan_text(release=release))
    acme.won("A", "60000.00", "2026-01-10")
    acme.milestone("A", "signature", "2026-01-31")
    acme.work()
    with acme.acme.scope():
        days = list(Tranche.objects.order_by("index").values_list("release_day", flat=True))
    assert days == [date(2026, 3, 31), date(2026, 3, 15)]
    full_agrees(acme)


@pytest.mark.django_db
def test_what_only_an_override_names_is_read_too() -> None:
    """Ann alone gets 250.00 more for deals of a custom term of three years: 6,250.00."""
    text = plan_text().replace("credit_rules:", "fields: {custom.term: number}\ncredit_rules:", 1)
    kicker = "{key: long, when: {field: custom.term, op: at_least, value: 36}, amount: 250.00}"
    override = f"{{for: {{person: ann}}, set: {{components.commission.kickers: [{kicker}]}}}}"
    acme = house(f"{text}overrides: [{override}]\n")
    acme.won("A", "60000.00", "2026-01-10", custom={"term": "36"})
    acme.work()
    assert acme.earned() == {"A": 625_000}
    with acme.acme.scope():
        earning = Earning.objects.get()
        version = versions([earning.plan_version_id])[earning.plan_version_id]
    # What the plan states for all is not what this line was rated by.
    words = rate_words(version.says, version.component("commission"), vars(earning), earning.after_minor)
    assert words == "tiers"
    full_agrees(acme)


@pytest.mark.django_db
def test_a_quota_of_another_kind_is_a_missing_one() -> None:
    """40 deals against a plan that measures money are no quota of 0.40: the line waits until the quota is in money."""
    acme = house()
    quarter = {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 4, 1), "currency": "USD"}
    with acme.acme.scope(acme.ops):
        held = plans.quota_set(participant=acme.ann, key="sales", amount_minor=40_000_000, unit="number", **quarter)
        assert held.amount_words == "40"
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert acme.earned() == {"A": 0}
    with acme.acme.scope(acme.ops):
        assert [line.waiting for line in Earning.objects.all()] == [1]
        plans.quota_set(participant=acme.ann, key="sales", amount_minor=10_000_000, **quarter)
    acme.work()
    assert acme.earned() == {"A": 600_000}
    full_agrees(acme)
    with acme.acme.scope(acme.ops), pytest.raises(ProblemsError, match="A quota is in money or number; found 'kg'"):
        plans.quota_set(participant=acme.ann, key="sales", amount_minor=1, unit="kg", **quarter)


@pytest.mark.django_db
def test_leave_ends_and_is_taken_back() -> None:
    """On leave from 1 February on, Ann is credited with nothing of that month; leave taken back, with all of it."""
    terms = "employment: {credits_after: none, credits_on_leave: none, release_after: paid}\n"
    acme = house(plan_text().replace("credit_rules:", f"{terms}credit_rules:", 1))
    acme.won("A", "60000.00", "2026-02-10")
    acme.work()
    with acme.acme.scope(acme.ops):
        leave = people.leave_set(participant=acme.ann, starts_on=date(2026, 2, 1))
        with pytest.raises(ProblemsError, match="is on leave from 1 February 2026 without an end already"):
            people.leave_set(participant=acme.ann, starts_on=date(2026, 3, 1))
    acme.work()
    assert acme.earned() == {}
    with acme.acme.scope(acme.ops):
        people.row_end(row=leave, ends_on=date(2026, 2, 10))
    acme.work()
    assert acme.earned() == {"A": 600_000}
    with acme.acme.scope(acme.ops):
        people.row_end(row=leave, ends_on=date(2026, 2, 5))
        people.leave_remove(leave=leave)
    acme.work()
    assert acme.earned() == {"A": 600_000}
    full_agrees(acme)


@pytest.mark.django_db
def test_what_is_earned_is_spread_over_months() -> None:
    """6,000 over the deal's 7 months from the next one on: 857.14 a month, what is left over where it falls due."""
    text = plan_text().replace("credit_rules:", "fields: {custom.term: number}\ncredit_rules:", 1)
    acme = house(text.rstrip("\n") + "\n    amortise: {months: custom.term, from: next_month}\n")
    acme.won("A", "60000.00", "2026-01-10", custom={"term": "7"})
    acme.work()
    with acme.acme.scope():
        line = Earning.objects.get()
        months = spread_over(line)
        assert [month for month, _ in months] == [date(2026, number, 1) for number in range(2, 9)]
        assert sum(minor for _, minor in months) == 600_000 and {minor for _, minor in months} == {85_714, 85_715}
    full_agrees(acme)
    acme.won("A", "60000.00", "2026-01-10", at="2026-02-11T10:00:00Z", version=2, custom={"term": "1"})
    acme.work()
    with acme.acme.scope():
        assert spread_over(Earning.objects.get()) == [(date(2026, 2, 1), 600_000)]
    full_agrees(acme)
