"""Who is credited with what, the whole language: facts of every kind, units, splits, limits, transfers, holds,
eligibility and employment (docs/plan-language.md, 2 to 4, 16 and 31)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from crediting.kernel.credit import Credited, credit
from crediting.kernel.errors import BadReporting
from crediting.kernel.fields import World
from payouts.kernel.batch import Batch
from plans.rules.compiled import (
    Leaf,
    RoleShare,
    RollUp,
    ShareBy,
)
from plans.rules.compiled_pay import Currencies, EmploymentRules
from plans.rules.expressions import compile_computed
from plans.rules.fields import FACT_FIELDS, with_deal
from tests.unit.kernel.world import Deal, attributes, day, employment, exchange, plan, rule, world

UP = RollUp(("ae",), "manager", 1, Fraction(1))
REPORTING = [(1, 3, "2026-01-01", "2027-01-01"), (2, 4, "2026-01-01", "2027-01-01")]
ROLLED, TRANSFERRED = 1, 2


def run(batch: Batch) -> Credited:
    ground = World(batch.facts, batch.attributes, batch.employment, batch.exchange)
    return credit(batch.plans, ground, batch.teams, batch.reporting, batch.assignments, batch.only, batch.transfers)


def credited(rules: Any, deals: Any, *, of: Any = None, **changes: Any) -> dict[tuple[int, str], list[int]]:
    """Amounts by participant and role; the same for the rows in another order."""
    deals = [deals] if isinstance(deals, Deal) else deals
    plans = of or plan(rules=[rules])
    found = amounts(run(world(plans, deals, **changes)))
    turned = run(world(plans, deals, order=range(len(deals))[::-1], **changes))
    assert amounts(turned) == found
    return found


def amounts(result: Credited) -> dict[tuple[int, str], list[int]]:
    found: dict[tuple[int, str], list[int]] = {}
    credits = result.credits
    for participant, role, amount in zip(credits.participant, credits.role.codes, credits.amount, strict=True):
        found.setdefault((int(participant), credits.role.vocabulary[role]), []).append(int(amount))
    return found


# ------------------------------------------------------------------ facts and units

ACTIVITY = replace(rule(), fact="activity", amount="one", unit="units", when=Leaf("type", "text", "is", "demo"))


def test_a_rule_takes_facts_of_its_kind():
    facts = [Deal(100, name="deal"), Deal(40, name="bill", kind="invoice", of="deal", stage="won")]
    assert credited(rule(), facts) == {(1, "ae"): [10_000]}
    assert credited(rule(fact="invoice"), facts) == {(1, "ae"): [4_000]}
    assert credited(rule(fact="refund"), facts) == {}
    assert credited(rule(fact="invoice"), Deal(100)) == {}


def test_a_fact_without_a_team_has_that_of_its_deal():
    bill = Deal(40, name="bill", kind="invoice", of="deal", team=())
    rules = rule(("ae", 100), ("se", 50), fact="invoice")
    deal = Deal(100, name="deal", team=[("ae", 1, 2), ("ae", 2, 1), ("se", 3)])
    assert credited(rules, [bill, deal]) == {(1, "ae"): [2_667], (2, "ae"): [1_333], (3, "se"): [2_000]}
    own = replace(bill, team=(("ae", 4),))
    assert credited(rules, [own, deal]) == {(4, "ae"): [4_000]}
    assert credited(rules, [replace(bill, of=None), deal]) == {}


def test_one_counts_a_unit_a_fact():
    facts = [
        Deal(name="a", kind="activity", extra={"type": "demo"}, team=[("ae", 1), ("ae", 2), ("ae", 3)]),
        Deal(name="b", kind="activity", extra={"type": "call"}),
    ]
    result = run(world(plan(rules=[ACTIVITY]), facts, types={"type": "text"}))
    # A unit in millionths, divided as money is: the one left over goes to the lowest place.
    assert result.credits.amount.tolist() == [333_334, 333_333, 333_333]
    assert result.whole(np.arange(3)).tolist() == [1_000_000] * 3
    assert result.sources[0].unit == "units"


def test_a_number_field_is_credit_in_units():
    rules = rule(("ae", 100), ("se", 50), amount="quantity", unit="units")
    deal = Deal(extra={"quantity": Fraction("2.5")}, team=[("ae", 1), ("se", 2)])
    missing = Deal(100, extra={"quantity": None})
    found = credited(rules, [deal, missing], types={"quantity": "number"})
    assert found == {(1, "ae"): [2_500_000], (2, "se"): [1_250_000]}


def test_facts_with_one_id_stand_by_split_and_rule():
    # A deal and its invoice may come under one id and at one time: then the split number counts, then the rule.
    facts = [Deal(1, name="x", team=[("se", 9), ("ae", 1)]), Deal(2, name="x", kind="invoice", team=[("ae", 1)])]
    facts += [Deal(3, name="x", kind="receipt", team=[("se", 9), ("ae", 1)])]
    kinds = ["receipt", "invoice", "deal"]
    rules = [rule(key=kind, fact=kind) for kind in kinds]
    for order in (None, (2, 1, 0), (1, 0, 2)):
        result = run(world(plan(rules=rules), facts, order=order))
        by_when = result.credits.amount[np.argsort(result.when)]
        assert by_when.tolist() == [200, 300, 100]


# ------------------------------------------------------------------ splits, shares by a field, limits


def entry(role: str, share: Any, **changes: Any) -> RoleShare:
    return replace(RoleShare(role, Fraction(share)), **changes)


def test_equal_leaves_the_weights_aside_and_each_divides_nothing():
    team = [("ae", 1, 9), ("ae", 2, 1), ("se", 3, 1), ("se", 4, 5)]
    rules = rule(credit=(entry("ae", 1, split="equal"), entry("se", "1/2", split="each")))
    found = credited(rules, Deal(minor=10_001, team=team))
    assert found == {(1, "ae"): [5_001], (2, "ae"): [5_000], (3, "se"): [5_000], (4, "se"): [5_000]}


def test_a_share_may_be_picked_by_a_field():
    by = ShareBy("product.series", (("GTX", Fraction(1, 4)), ("MG", Fraction(1, 10))), Fraction(0))
    rules = rule(credit=(entry("ae", 0, by=by),), roll_up=(UP,))
    deals = [Deal(minor=minor, extra={"product.series": series}) for minor, series in [(10_002, "GTX"), (555, "MG")]]
    deals += [Deal(77, extra={"product.series": "old"}), Deal(88, extra={"product.series": None})]
    found = credited(rules, deals, types={"product.series": "text"}, reporting=REPORTING)
    # 2,500.5 and 55.5 half to even; nothing at all for 0%.
    assert found == {(1, "ae"): [2_500, 56], (3, "manager"): [2_500, 56]}
    other = replace(by, otherwise=Fraction(1, 2))
    rules = rule(credit=(entry("ae", 0, by=other),))
    assert credited(rules, deals[2:], types={"product.series": "text"}) == {(1, "ae"): [3_850, 4_400]}


@pytest.mark.parametrize("sign", [1, -1])
def test_direct_credit_of_one_fact_stops_at_the_limit(sign):
    # 100% + 50% + 25% is 175% of 100.00; at most 130% in all: the third entry gets nothing, the second what is left.
    team = [("ae", 1), ("se", 2), ("se", 3), ("csm", 4)]
    rules = rule(("ae", 100), ("se", 50), ("csm", 25), limit=Fraction("1.3"), roll_up=(UP,))
    found = credited(rules, Deal(100 * sign, team=team), reporting=REPORTING)
    direct = {(1, "ae"): 10_000, (2, "se"): 2_500, (3, "se"): 500, (4, "csm"): 0, (3, "manager"): 10_000}
    assert found == {who: [amount * sign] for who, amount in direct.items()}


def test_what_rolls_up_is_what_the_limit_left():
    rules = rule(("ae", 100), limit=Fraction("0.505"), roll_up=(UP,))
    found = credited(rules, Deal(minor=101, team=[("ae", 1), ("ae", 2)]), reporting=REPORTING)
    # The limit is round(101 x 0.505) = 51, of which the first part, 51, takes all.
    assert found == {(1, "ae"): [51], (2, "ae"): [0], (3, "manager"): [51], (4, "manager"): [0]}


def test_175_percent_are_no_mistake():
    rules = rule(("ae", 100), ("se", 50), ("csm", 25), limit=Fraction("1.75"))
    team = [("ae", 1), ("se", 2), ("csm", 3)]
    found = credited(rules, Deal(100, team=team))
    assert found == {(1, "ae"): [10_000], (2, "se"): [5_000], (3, "csm"): [2_500]}


# ------------------------------------------------------------------ transfers

HANDED = [("D0000", "ae", 1, 2, "2026-03-01")]


def test_a_transfer_without_a_word_of_it_touches_nothing():
    rules = rule(roll_up=(UP,))
    assert credited(rules, Deal(100), transfers=HANDED, reporting=REPORTING) == {
        (1, "ae"): [10_000],
        (3, "manager"): [10_000],
    }


@pytest.mark.parametrize(("rolled", "manager"), [("follows", 4), ("stays", 3)])
def test_a_transferred_part_goes_to_the_receiver_and_rolls_up_as_stated(rolled, manager):
    rules = rule(roll_up=(UP,), on_transfer=rolled)
    batch = world(plan(rules=[rules]), [Deal(100)], transfers=HANDED, reporting=REPORTING)
    result = run(batch)
    assert amounts(result) == {(2, "ae"): [10_000], (manager, "manager"): [10_000]}
    assert result.credits.kind.tolist() == [TRANSFERRED, ROLLED]
    # The credit date stays, and so does the split number.
    assert result.credits.day.tolist() == [day("2026-01-15")] * 2
    assert result.credits.split.tolist() == [0, 10_000]


def test_the_receivers_manager_is_the_one_of_the_credit_date():
    lines = [(1, 3, "2026-01-01", "2027-01-01"), (2, 5, "2026-01-01", "2026-02-01"), (2, 4, "2026-02-01", "2027-01-01")]
    rules = rule(roll_up=(UP,), on_transfer="follows")
    found = credited(rules, Deal(100), transfers=HANDED, reporting=lines)
    assert found == {(2, "ae"): [10_000], (5, "manager"): [10_000]}


def test_parts_go_on_by_the_days_of_the_transfers():
    rules = rule(on_transfer="stays")
    deal = Deal(100, team=[("ae", 1, 3), ("ae", 2, 1), ("se", 1)])
    on = [("D0000", "ae", 1, 2, "2026-03-01"), ("D0000", "ae", 2, 5, "2026-04-01"), ("D0000", "se", 1, 4, "2026-04-01")]
    assert credited(rules, deal, transfers=on) == {(5, "ae"): [7_500, 2_500]}
    # The other way round the first has nothing to hand on yet.
    back = [("D0000", "ae", 1, 2, "2026-04-01"), ("D0000", "ae", 2, 5, "2026-03-01")]
    assert credited(rules, deal, transfers=back) == {(2, "ae"): [7_500], (5, "ae"): [2_500]}
    home = [("D0000", "ae", 1, 2, "2026-03-01"), ("D0000", "ae", 2, 1, "2026-04-01")]
    result = run(world(plan(rules=[rules]), [deal], transfers=home))
    assert amounts(result) == {(1, "ae"): [7_500, 2_500]}
    assert result.credits.kind.tolist() == [TRANSFERRED, TRANSFERRED]


def test_a_transfer_of_a_deal_takes_its_facts_along():
    facts = [Deal(100, name="deal"), Deal(40, name="bill", kind="invoice", of="deal", team=()), Deal(7, name="other")]
    handed = [("deal", "ae", 1, 2, "2026-03-01")]
    rules = rule(fact="invoice", on_transfer="stays")
    assert credited(rules, facts, transfers=handed) == {(2, "ae"): [4_000]}
    found = credited(rule(on_transfer="stays"), facts, transfers=handed)
    assert found == {(2, "ae"): [10_000], (1, "ae"): [700]}


def test_the_receiver_has_to_be_assigned():
    assert credited(rule(on_transfer="stays"), Deal(100), transfers=HANDED, people=[1]) == {}
    assert credited(rule(on_transfer="stays"), Deal(100), transfers=HANDED, people=[2]) == {(2, "ae"): [10_000]}


# ------------------------------------------------------------------ eligible, held, employed


def test_each_person_has_to_be_eligible_on_the_credit_date():
    rules = rule(eligible=Leaf("person.region", "text", "is", "EMEA"), roll_up=(UP,))
    people = attributes(
        (1, "region", "EMEA", "2026-01-01", "2026-01-16"),
        (2, "region", "EMEA", "2026-01-16", "2027-01-01"),
        (3, "region", "AMER", "2026-01-01", "2027-01-01"),
        (4, "region", "EMEA", "2026-01-01", "2027-01-01"),
    )
    deal = Deal(100, team=[("ae", 1), ("ae", 2)])
    found = credited(rules, deal, reporting=REPORTING, attributes=people)
    # The part of 2 is not given to 1, and rolls up to 4 all the same.
    assert found == {(1, "ae"): [5_000], (4, "manager"): [5_000]}
    assert credited(rules, deal, reporting=REPORTING) == {}


def test_a_matching_hold_holds_the_credit():
    rules = rule(hold=Leaf("custom.flagged", "boolean", "is", True), roll_up=(UP,))
    deals = [Deal(100, extra={"custom.flagged": flag}) for flag in (True, False, None)]
    result = run(world(plan(rules=[rules]), deals, types={"custom.flagged": "boolean"}, reporting=REPORTING))
    assert result.credits.held is not None
    assert result.credits.held.tolist() == [1, 0, 0, 1, 0, 0]
    assert run(world(plan(), deals, types={"custom.flagged": "boolean"})).credits.held is None


@pytest.mark.parametrize(
    ("credits_after", "credits_on_leave", "close", "paid"),
    [
        ("none", "count", "2026-06-30", True),
        ("none", "count", "2026-07-01", False),
        ("none", "count", "2025-12-31", False),
        ("count", "count", "2026-07-01", True),
        ("none", "count", "2026-03-15", True),
        ("none", "none", "2026-03-15", False),
        ("count", "none", "2026-03-15", False),
        ("count", "none", "2026-04-01", True),
    ],
)
def test_credit_outside_employment_and_on_leave_is_as_the_plan_says(credits_after, credits_on_leave, close, paid):
    rules = EmploymentRules(credits_after, credits_on_leave, "paid")
    spans = employment((1, "2026-01-01", "2026-07-01"), leave=[(1, "2026-03-01", "2026-04-01")])
    deal = Deal(100, close=close, team=[("ae", 1), ("ae", 2)])
    versions = [(plan(employment=rules), "2025-01-01", "2027-01-01")]
    found = credited(None, deal, of=versions, employment=spans)
    # 2 has no rows, and is employed.
    assert found == {(2, "ae"): [5_000]} | ({(1, "ae"): [5_000]} if paid else {})


def test_two_managers_on_one_day_are_refused():
    lines = [(1, 3, "2026-01-01", "2026-02-02"), (1, 4, "2026-02-01", "2027-01-01")]
    with pytest.raises(BadReporting, match="Participant 1 reports to 3 and to 4 on 2026-02-01"):
        credited(rule(roll_up=(UP,)), Deal(100), reporting=lines)
    vacancy = [(1, 3, "2026-01-01", "2026-01-15"), (1, 4, "2026-01-16", "2027-01-01")]
    assert credited(rule(roll_up=(UP,)), Deal(100), reporting=vacancy) == {(1, "ae"): [10_000]}


def test_a_vacancy_ends_the_way_up():
    lines = [(1, 3, "2026-01-01", "2027-01-01"), (4, 5, "2026-01-01", "2027-01-01")]
    rules = rule(roll_up=(replace(UP, levels=5),))
    assert credited(rules, Deal(100), reporting=lines) == {(1, "ae"): [10_000], (3, "manager"): [10_000]}


# ------------------------------------------------------------------ computed fields

COMPUTED = {
    "computed.margin": {"type": "money", "is": "amount - cost"},
    "computed.share": {"type": "number", "decimals": 2, "mode": "half-even", "is": "computed.margin / amount"},
    "computed.on": {"type": "date", "is": "when(amount > money(100), invoice_date, close_date)"},
}


def computing(*rules: Any, **changes: Any) -> Any:
    types = with_deal(FACT_FIELDS)
    document = {"currency": "EUR", "computed": COMPUTED}
    computed = compile_computed(document, types)
    return plan(rules=rules, currency="EUR", currencies=Currencies("credit_date"), computed=computed, **changes)


FIELDS = {"cost": "money", "invoice_date": "date"}


def test_rules_read_computed_fields():
    deals = [Deal(100, extra={"cost": 3_000}), Deal(100, extra={"cost": 9_500}), Deal(100)]
    good = Leaf("computed.share", "number", "at_least", Fraction(1, 2))
    rules = rule(when=good, amount="computed.margin")
    assert credited(None, deals, of=computing(rules), types=FIELDS) == {(1, "ae"): [7_000]}
    rules = rule(amount="computed.share", unit="units")
    assert credited(None, deals, of=computing(rules), types=FIELDS) == {(1, "ae"): [700_000, 50_000]}


def test_computed_fields_read_converted_amounts():
    rates = exchange(("GBP", "EUR", "1.20", "2026-01-01", "2027-01-01"))
    deal = Deal(100, currency="GBP", extra={"cost": 3_000})
    rules = rule(when=Leaf("computed.margin", "money", "is", 8_400), amount="computed.margin")
    assert credited(None, deal, of=computing(rules), types=FIELDS, exchange=rates) == {(1, "ae"): [8_400]}
    waiting = run(world(computing(rules), [deal], types=FIELDS)).waits
    assert waiting is not None
    assert waiting.fact.tolist() == [0]


def test_a_credit_date_may_be_computed():
    rules = rule(credit_date="computed.on")
    deals = [Deal(100), Deal(101, extra={"invoice_date": "2026-05-05"}), Deal(102), Deal(9, currency="GBP")]
    rates = exchange(("GBP", "EUR", "1.20", "2026-01-01", "2027-01-01"))
    result = run(world(computing(rules), deals, types=FIELDS, exchange=rates))
    assert result.credits.day.tolist() == [day("2026-01-15"), day("2026-05-05")]
