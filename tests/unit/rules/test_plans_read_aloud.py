from __future__ import annotations

import copy
from fractions import Fraction as F
from pathlib import Path

import pytest

from comp.core.errors import ProblemsError
from plans.rules.compile import compile_plan
from plans.rules.drawn import curve, pay_curve
from plans.rules.edit import set_mode, set_tiers
from plans.rules.load import read_yaml
from plans.rules.words import in_words
from tests.unit.rules.documents import GOOD

EXECUTIVE = GOOD["account-executive"]


CARRIED = (
    "Where a new version starts within a period, running totals go on, and each credit is paid by the version of its "
    "day."
)


def test_an_account_executive() -> None:
    plan, credit, commission, big_win = in_words(EXECUTIVE)
    assert plan.sentences == (
        "Paid in USD. Each line is rounded once, to the cent, half to the even neighbour.",
        CARRIED,
    )  # fmt: skip
    assert (credit.key, credit.title) == ("credit:won-deals", "Won deals")
    assert credit.sentences == (
        "A deal counts when stage is won.",
        "It counts on its close date, with its amount, as bookings.",
        "Credited: AE 100%; people who share a role divide its credit by their weights on the deal.",
    )
    assert (commission.key, commission.title) == ("commission", "New business commission")
    assert commission.sentences == (
        "You earn a share of each deal you close, more once you pass your quota, and more for large deals.",
        "Counts bookings credit of AE, added up each quarter, against the quota new business.",
        "The rate is 8% up to 100% of quota, 12% up to 130% of quota and 15% beyond.",
        "Each rate applies to its own slice only: passing a bound changes nothing below it.",
        "Exactly on a bound belongs to the tier above.",
        "What a deal earns is multiplied by the size of the deal: 1 times from $0.00, 1.25 times from $5,000.00 and "
        "1.5 times from $25,000.00.",
        "At most $40,000.00 is earned per quarter; what is above is lost.",
        "While the quota is missing everything waits; with a quota of zero the highest rate applies to everything.",
        "The part of the running total below zero is rated at the lowest rate.",
        "Paid out: 40% at signature, 20% at go live, 10% at 25% usage, 10% at 50% usage and 20% at 75% usage.",
    )
    assert big_win.sentences[2:] == (
        "Pays $250.00 for each credit of a deal of at least $6,000.00; a negative credit takes it back.",
        "Paid out: 100% at once.",
    )


def test_a_compiled_plan_and_its_document_say_the_same() -> None:
    assert in_words(compile_plan(EXECUTIVE)) == in_words(EXECUTIVE)


def test_a_wrong_document_is_not_read_aloud() -> None:
    with pytest.raises(ProblemsError):
        in_words(EXECUTIVE | {"currency": "USB"})


def test_rates_by_attainment() -> None:
    commission, big_win = compile_plan(EXECUTIVE).components
    a, b, c = F(8, 100), F(12, 100), F(15, 100)
    assert curve(commission) == [(F(0), a), (F(1), a), (F(1), b), (F(13, 10), b), (F(13, 10), c), (F(65, 40), c)]
    assert curve(commission, F(11, 10)) == [(F(0), a), (F(1), a), (F(1), b), (F(11, 10), b)]
    assert curve(big_win) == pay_curve(big_win) == []


def test_pay_by_attainment_has_no_jump_when_marginal() -> None:
    (commission, _) = compile_plan(EXECUTIVE).components
    points = pay_curve(commission, F(2))
    assert points == [
        (F(0), F(0)),
        (F(1), F(8, 100)),
        (F(1), F(8, 100)),
        (F(13, 10), F(116, 1000)),
        (F(13, 10), F(116, 1000)),
        (F(2), F(221, 1000)),
    ]


def test_pay_by_attainment_jumps_when_retroactive() -> None:
    document = set_mode(
        set_tiers(EXECUTIVE, "commission", [("0%", "10%"), ("100%", "15%")]), "commission", "retroactive", "running"
    )
    component = compile_plan(document).components[0]
    assert pay_curve(component, F(2)) == [(F(0), F(0)), (F(1), F(1, 10)), (F(1), F(15, 100)), (F(2), F(3, 10))]


def test_a_manager() -> None:
    _, credit, commission = in_words(GOOD["manager"])
    assert credit.sentences[-1] == (
        "Credit of AE rolls up one level, to the role manager: each deal once, and at most 100% of it."
    )
    assert commission.sentences[3] == (
        "The rate that is reached applies to the whole amount: "
        "the deal that crosses a bound brings the difference for those before it."
    )


def test_a_rounded_curve() -> None:
    rounding = {"at": "curve", "mode": "half-up", "step": "whole"}
    assert in_words(EXECUTIVE | {"rounding": rounding})[0].sentences == (
        "Paid in USD. What adds up is rounded, a line is its step: to the unit, half away from zero.",
        CARRIED,
    )


def test_every_construct_is_read_aloud() -> None:
    """The whole language in one plan, sentence by sentence (tests/unit/rules/whole.txt)."""
    folder = Path(__file__).parent
    told = []
    for section in in_words(read_yaml((folder / "whole.yaml").read_text())):
        told += [section.title, *(f"    {sentence}" for sentence in section.sentences)]
    assert "\n".join(told) + "\n" == (folder / "whole.txt").read_text()


def test_the_size_of_a_deal_is_in_the_unit_of_its_credit() -> None:
    document = copy.deepcopy(EXECUTIVE)
    document["credit_rules"][0]["amount"] = "quantity"
    rates = [{"from": "0", "per_unit": "1.00"}]
    tiers = {"mode": "marginal", "axis": "units", "pays": "per_unit", "boundary": "above", "rates": rates}
    commission = document["components"][0] | {"quota": None, "tiers": tiers}
    commission |= {
        "accelerator": {"boundary": "above", "bands": [{"from": "0", "times": "1"}, {"from": "2.5", "times": "2"}]}
    }
    commission = {name: value for name, value in commission.items() if name not in ("missing_quota", "zero_quota")}
    bonus = document["components"][1] | {"bonus": {"amount": "250.00", "per": "credit", "min_deal": "3"}}
    *_, commission_said, bonus_said = in_words(document | {"components": [commission, bonus]})
    size = "What a deal earns is multiplied by the size of the deal: 1 times from 0 units and 2 times from 2.5 units."
    assert size in commission_said.sentences
    assert "of a deal of at least 3 units" in bonus_said.sentences[2]
