from __future__ import annotations

import copy
from typing import Any

import pytest

from comp.core.errors import ProblemsError
from plans.rules.checks import check, errors
from plans.rules.diff import diff
from plans.rules.edit import set_bands, set_bonus, set_cap, set_mode, set_tiers
from tests.unit.rules.documents import GOOD

OLD = GOOD["account-executive"]
RATES = [("0%", "8%"), ("100%", "12%"), ("130%", "15%")]
BANDS = [("0", "1"), ("5000", "1.25"), ("25000", "1.5")]


def sentences(new: dict[str, Any], old: dict[str, Any] = OLD) -> list[str]:
    return [change.sentence for change in diff(old, new)]


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        (RATES, []),
        ([("0", "8")], None),
        ([RATES[0], ("100 %", "15.0%"), RATES[2]], ["the rate from 100% of quota rises from 12% to 15%."]),
        ([RATES[0], ("100%", "10%"), RATES[2]], ["the rate from 100% of quota falls from 12% to 10%."]),
        ([*RATES, ("200%", "20%")], ["the rate from 200% of quota (20%) is new."]),
        (RATES[:2], ["the rate from 130% of quota (15%) goes."]),
        ([*RATES[:2], ("150%", "15%")], ["the rate of 15% now starts at 150% of quota instead of 130% of quota."]),
        (
            [*RATES[:2], ("150%", "16%")],
            ["the rate from 150% of quota (16%) is new.", "the rate from 130% of quota (15%) goes."],
        ),
    ],
)
def test_tiers(rates: list[tuple[str, str]], told: list[str] | None) -> None:
    new = set_tiers(OLD, "commission", rates)
    if told is None:
        assert errors(check(new))
        return
    assert check(new) == []
    opened = [f"New business commission: {sentence}" for sentence in told]
    assert sentences(new) == opened


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        (BANDS, []),
        ([], ["the accelerator goes."]),
        ([*BANDS[:2], ("25000", "2")], ["the factor for deals from $25,000.00 rises from 1.5 times to 2 times."]),
        ([*BANDS[:2], ("20000", "1.5")], ["the factor of 1.5 times now starts at $20,000.00 instead of $25,000.00."]),
    ],
)
def test_bands(bands: list[tuple[str, str]], told: list[str]) -> None:
    new = set_bands(OLD, "commission", bands)
    assert check(new) == []
    assert sentences(new) == [f"New business commission: {sentence}" for sentence in told]


def test_cap_and_bonus() -> None:
    assert sentences(set_cap(OLD, "commission", "50000")) == [
        "New business commission: the cap rises from $40,000.00 to $50,000.00."
    ]
    assert sentences(set_cap(OLD, "commission", None)) == ["New business commission: the cap of $40,000.00 goes."]
    assert sentences(set_cap(OLD, "big-win", "900")) == ["Big win bonus: the cap of $900.00 is new."]
    assert sentences(set_bonus(OLD, "big-win", "300", min_deal="7000")) == [
        "Big win bonus: the bonus rises from $250.00 to $300.00.",
        "Big win bonus: the least deal rises from $6,000.00 to $7,000.00.",
    ]
    assert sentences(set_bonus(OLD, "big-win", "250", min_deal=None)) == [
        "Big win bonus: the least deal $6,000.00 goes."
    ]


def test_mode() -> None:
    new = set_mode(OLD, "commission", "retroactive", "running")
    assert errors(check(new)) == []
    assert sentences(new) == [
        "New business commission: the way tiers apply changes from marginal to retroactive.",
        "New business commission: the attribution running is new.",
    ]
    assert set_mode(new, "commission", "marginal") == OLD


def test_crediting_and_release() -> None:
    new = copy.deepcopy(OLD)
    rule, commission = new["credit_rules"][0], new["components"][0]
    rule["credit"].append({"role": "se", "share": "50%"})
    rule["roll_up"].append({"from": ["ae"], "to": "lead", "levels": 1, "limit": "100%"})
    rule["when"] = {"all": [*rule["when"]["all"], {"field": "amount", "op": "at_least", "value": "100.00"}]}
    commission["release"][0]["share"], commission["release"][1]["share"] = "30%", "30%"
    commission["clause"] = "Other words."
    assert sentences(new) == [
        "The credit rule won deals: the condition changes from “stage is won” to "
        "“stage is won and amount is at least $100.00”.",
        "The credit rule won deals: the share of SE (50%) is new.",
        "The credit rule won deals: the roll-up to lead is new.",
        f"New business commission: the clause changes from “{OLD['components'][0]['clause']}” to “Other words.”.",
        "New business commission: the share paid at signature falls from 40% to 30%.",
        "New business commission: the share paid at go live rises from 20% to 30%.",
    ]


def test_components_come_go_and_change_places() -> None:
    swapped = OLD | {"components": OLD["components"][::-1]}
    assert sentences(swapped) == ["The order changes: Big win bonus and New business commission."]
    fewer = OLD | {"components": OLD["components"][:1]}
    assert sentences(fewer) == ["The component Big win bonus goes."]
    assert sentences(OLD, fewer) == ["The component Big win bonus is new."]


def test_a_change_has_its_path_and_both_values() -> None:
    (change,) = diff(OLD, set_tiers(OLD, "commission", [RATES[0], ("100%", "14%"), RATES[2]]))
    assert change.path == "components[commission].tiers.rates[100%].rate"
    assert (change.kind, change.before, change.after) == ("changed", '"12%"', '"14%"')


def test_an_edit_leaves_the_given_document_alone() -> None:
    before = copy.deepcopy(OLD)
    set_tiers(OLD, "commission", [("0%", "1%")], boundary="below")
    set_bands(OLD, "commission", [])
    set_cap(OLD, "commission", None)
    assert before == OLD


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda: set_tiers(OLD, "comission", RATES),
            "no component comission with tiers; components with tiers: commission",
        ),
        (lambda: set_tiers(OLD, "big-win", RATES), "no component big-win with tiers"),
        (
            lambda: set_bonus(OLD, "commission", "5"),
            "no component commission with bonus; components with bonus: big-win",
        ),
    ],
)
def test_an_edit_names_what_is_not_there(edit: Any, told: str) -> None:
    with pytest.raises(ProblemsError, match=told):
        edit()
