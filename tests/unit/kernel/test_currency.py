"""Facts in other currencies than the plan's: converted at the credit date, or waiting for a rate (number 32)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crediting.kernel.columns import MISSING_MONEY, Text
from crediting.kernel.errors import BadRate
from crediting.kernel.exchange import NO_RATE, SAME, Rates
from payouts.case import read_case
from payouts.kernel import calculate
from plans.rules.compiled import Group, Leaf, RollUp
from plans.rules.compiled_pay import Currencies
from plans.rules.load import read_yaml
from tests.unit.kernel.test_credits_of_every_kind import amounts, credited, run
from tests.unit.kernel.world import WON, Deal, day, days, exchange, ints, plan, rule, text, world

ALL_YEAR = ("2026-01-01", "2027-01-01")
EURO = {"currency": "EUR"}


def converted(minor: int, source: str, target: str, rate: str, digits: int, mode: Any = "half-even") -> int:
    rates = Rates(exchange((source, target, rate, *ALL_YEAR)))
    currency, days_ = Text(text([source]).codes, (source,)), ints([day("2026-06-01")])
    found = rates.find("spot", currency, target, days_)
    return int(rates.convert(ints([minor]), currency, found, digits, mode)[0])


@pytest.mark.parametrize(
    ("minor", "source", "target", "rate", "digits", "expected"),
    [
        (10_000_000, "GBP", "EUR", "1.20", 2, 12_000_000),  # 100,000.00 GBP are 120,000.00 EUR
        (10_000, "JPY", "USD", "0.0067", 2, 6_700),  # 10,000 yen are 67.00 dollars
        (6_700, "USD", "JPY", "149.5", 0, 10_016),  # 67.00 dollars are 10,016.5 yen, half to even
        (1_234, "KWD", "USD", "3.25", 2, 401),  # 1.234 dinars are 4.0105 dollars
        (401, "USD", "KWD", "0.3077", 3, 1_234),  # 4.01 dollars are 1.233877 dinars
        (5, "KWD", "JPY", "500", 0, 2),  # 0.005 dinars are 2.5 yen
        (-5, "KWD", "JPY", "500", 0, -2),
        (10**15, "KWD", "JPY", "499.123456789", 0, 499_123_456_789_000),
        (10**15, "JPY", "KWD", "1", 3, 10**15 + 1),  # past the largest amount, to be refused where it is used
    ],
)
def test_an_amount_is_converted_in_whole_units_and_rounded_once(minor, source, target, rate, digits, expected):
    assert converted(minor, source, target, rate, digits) == expected


def test_half_goes_by_the_plans_mode():
    assert converted(5, "KWD", "JPY", "500", 0, "half-up") == 3
    assert converted(-5, "KWD", "JPY", "500", 0, "half-up") == -3


def test_the_rate_is_the_one_that_holds_the_day():
    rates = Rates(
        exchange(
            ("EUR", "USD", "1.2", "2026-02-01", "2026-03-01"),
            ("EUR", "USD", "1.1", "2026-01-01", "2026-02-01"),
            ("GBP", "USD", "1.3", "2026-01-01", "2026-02-01"),
            ("EUR", "USD", "1.4", "2026-03-02", "2026-04-01"),
        )
    )
    source = text(["EUR", "EUR", "EUR", "EUR", "GBP", "USD", None, "GBP"])
    on = [
        "2026-01-31",
        "2026-02-01",
        "2026-03-01",
        "2026-03-31",
        "2026-01-01",
        "2026-01-01",
        "2026-01-01",
        "2025-12-31",
    ]
    found = rates.find("spot", source, "USD", days(on))
    assert found.tolist() == [1, 0, NO_RATE, 3, 2, SAME, SAME, NO_RATE]
    assert rates.find("average", source, "USD", days(on)).tolist() == [NO_RATE] * 5 + [SAME, SAME, NO_RATE]
    amounts_ = rates.convert(ints([100] * 7 + [MISSING_MONEY]), source, found, 2, "half-even")
    assert amounts_.tolist() == [110, 120, MISSING_MONEY, 140, 130, 100, 100, MISSING_MONEY]


def test_rates_that_cannot_be_are_refused():
    with pytest.raises(BadRate, match=r"two rates EUR to USD \(spot\) on 2026-02-01"):
        Rates(
            exchange(("EUR", "USD", "1.2", "2026-01-01", "2026-02-02"), ("EUR", "USD", "1", "2026-02-01", "2026-03-01"))
        )
    with pytest.raises(BadRate, match="EUR to USD \\(spot\\) is 0/1; a rate is more than zero"):
        Rates(exchange(("EUR", "USD", "0", *ALL_YEAR)))


CONVERTS: dict[str, Any] = {"currency": "EUR", "currencies": Currencies("credit_date")}
IN_EURO = plan(**CONVERTS)


def test_a_deal_in_pounds_counts_in_euros():
    batch = world(
        [(IN_EURO, *ALL_YEAR)],
        [Deal(100_000, currency="GBP"), Deal(5, currency="EUR"), Deal(7)],
        exchange=exchange(("GBP", "EUR", "1.20", *ALL_YEAR)),
    )
    result = run(batch)
    assert amounts(result) == {(1, "ae"): [12_000_000, 500, 700]}
    assert result.whole(np.arange(3)).tolist() == [12_000_000, 500, 700]
    assert result.credits.exchange is not None
    assert result.credits.exchange.tolist() == [0, -1, -1]
    assert result.waits is None


def test_conversion_comes_before_the_split_and_rounds_as_the_plan_does():
    rates = exchange(("JPY", "EUR", "0.00625", *ALL_YEAR))
    deal = Deal(minor=10_002, currency="JPY", team=[("ae", 1), ("ae", 2)])
    # 10,002 yen are 62.5125 euros: 62.51, of which 31.26 and 31.25.
    assert credited(None, deal, of=IN_EURO, exchange=rates) == {(1, "ae"): [3_126], (2, "ae"): [3_125]}
    half = Deal(minor=2, currency="JPY")
    rates = exchange(("JPY", "EUR", "0.0025", *ALL_YEAR))
    assert credited(None, half, of=IN_EURO, exchange=rates) == {(1, "ae"): [0]}
    assert credited(None, half, of=replace(IN_EURO, round_mode="half-up"), exchange=rates) == {(1, "ae"): [1]}


def test_each_rule_converts_at_its_own_credit_date():
    rates = exchange(
        ("GBP", "EUR", "1.20", "2026-01-01", "2026-02-01"), ("GBP", "EUR", "1.25", "2026-02-01", "2027-01-01")
    )
    deal = Deal(100, currency="GBP", extra={"engage_date": "2026-02-01"})
    rules = [rule(), rule(("se", 100), credit_date="engage_date")]
    deal = replace(deal, team=[("ae", 1), ("se", 2)])
    found = credited(None, deal, of=plan(**CONVERTS, rules=rules), exchange=rates, types={"engage_date": "date"})
    assert found == {(1, "ae"): [12_000], (2, "se"): [12_500]}


def test_conditions_compare_converted_amounts():
    rates = exchange(("GBP", "EUR", "1.20", *ALL_YEAR))
    at_least = Leaf("amount", "money", "at_least", 12_000)
    plans = plan(**CONVERTS, rules=[rule(when=at_least)])
    deals = [Deal(100, currency="GBP"), Deal(minor=9_999, currency="GBP"), Deal(100, currency="EUR")]
    assert credited(None, deals, of=plans, exchange=rates) == {(1, "ae"): [12_000]}


def test_a_deal_is_read_in_its_own_currency_by_its_facts():
    rates = exchange(("GBP", "EUR", "1.20", *ALL_YEAR), ("USD", "EUR", "0.5", *ALL_YEAR))
    facts = [Deal(100, name="deal", currency="GBP"), Deal(8, name="bill", kind="invoice", of="deal", currency="USD")]
    for least, found in [(12_000, {(1, "ae"): [400]}), (12_001, {})]:
        rules = rule(fact="invoice", when=Leaf("deal.amount", "money", "at_least", least))
        assert credited(None, facts, of=plan(**CONVERTS, rules=[rules]), exchange=rates) == found


# ------------------------------------------------------------------ waiting for a rate


def waits(deals: Any, rules: Any = (), **changes: Any) -> list[int]:
    """The facts that wait, by their place."""
    result = run(world([(plan(**CONVERTS, rules=rules), *ALL_YEAR)], deals, **changes))
    if result.waits is None:
        return []
    reason = result.waits.reason
    assert {reason.vocabulary[code] for code in reason.codes} == {"rate"}
    return result.waits.fact.tolist()


def test_a_fact_without_a_rate_waits_and_gives_no_credit():
    deals = [Deal(100, currency="GBP"), Deal(100, currency="EUR"), Deal(100, close="2026-02-01", currency="GBP")]
    rates = exchange(("GBP", "EUR", "1.20", "2026-02-01", "2026-03-01"))
    batch = world([(IN_EURO, *ALL_YEAR)], deals, exchange=rates)
    result = run(batch)
    assert amounts(result) == {(1, "ae"): [10_000, 12_000]}
    assert result.waits is not None
    assert (result.waits.fact.tolist(), result.waits.plan.tolist(), result.waits.rule.tolist()) == ([0], [0], [0])
    assert waits(deals) == [0, 2]


def test_only_what_somebody_would_get_credit_for_waits():
    pounds = Deal(100, currency="GBP")
    assert waits([pounds]) == [0]
    assert waits([replace(pounds, stage="lost")]) == []
    assert waits([replace(pounds, close=None)]) == []
    assert waits([replace(pounds, amount=None)]) == []
    assert waits([pounds], people=[2]) == []
    assert waits([pounds], only=[2]) == []
    assert waits([replace(pounds, close="2027-01-01")]) == []
    reporting = [(9, 3, *ALL_YEAR)]
    rolled = rule(roll_up=(RollUp(("ae",), "manager", 1, Fraction(1)),))
    assert waits([replace(pounds, team=(("ae", 9),))], [rolled], people=[3], reporting=reporting) == [0]


def test_a_fact_waits_where_its_condition_may_hold_for_some_amount():
    pounds = Deal(100, currency="GBP")
    big = Leaf("amount", "money", "at_least", 10**12)
    present = Leaf("stage", "text", "is", "lost")
    for condition, waiting in [
        (big, [0]),
        (Group("none", (big,)), [0]),
        (Group("all", (WON, big)), [0]),
        (Group("all", (present, big)), []),
        (Group("any", (present, big)), [0]),
        (Group("none", (WON, big)), []),
        (Group("none", (Group("all", (present, big)),)), [0]),
    ]:
        assert waits([pounds], [rule(when=condition)]) == waiting


def test_a_fact_waits_for_its_deals_rate_too():
    facts = [Deal(100, name="deal", currency="GBP"), Deal(8, name="bill", kind="invoice", of="deal", currency="EUR")]
    assert waits(facts, [rule(fact="invoice")]) == [1]


def test_waits_come_in_the_order_of_plans_rules_and_facts():
    late, early = (Deal(1, name="late", event=2, currency="GBP"), Deal(1, name="early", event=1, currency="GBP"))
    rules = [rule(key="first"), rule(key="second")]
    result = run(world([(plan(**CONVERTS, rules=rules), *ALL_YEAR)], [late, early]))
    assert result.waits is not None
    assert (result.waits.rule.tolist(), result.waits.fact.tolist()) == ([0, 0, 1, 1], [1, 0, 1, 0])


def test_what_has_no_amount_at_all_waits_for_no_rate():
    path = Path(__file__).parents[2] / "plans" / "what-has-no-amount-waits-for-no-rate.yaml"
    case = read_case(read_yaml(path.read_text()))
    result = calculate(case.batch)
    assert result.waits is not None
    assert result.waits.fact.size == 1
