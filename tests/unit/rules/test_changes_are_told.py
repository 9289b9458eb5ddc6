from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comp.core.errors import ProblemsError
from plans.rules.checks import check, errors
from plans.rules.diff import diff
from plans.rules.edit import set_bands, set_bonus, set_cap, set_mode, set_tiers
from plans.rules.load import read_yaml
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


# ------------------------------------------------------------------ the whole language

WHOLE = read_yaml(Path(__file__).with_name("whole.yaml").read_text())


def put(path: str, value: Any, document: dict[str, Any] = WHOLE) -> dict[str, Any]:
    """The document with another value at a path of keys and numbers; `...` takes the key away."""
    changed = copy.deepcopy(document)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = changed
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("components.0.gates.0.at_least", "95%", ["C: the gate retention: the least rises from 90% to 95%."]),
        (
            "components.0.gates.1",
            ...,
            [
                "C: the gate g2 goes: The attainment of base of the plan other has to be at least 90%; else at most "
                "$5,000.00 is earned. Until the period is over the value of the day decides."
            ],
        ),
        (
            "components.0.kickers",
            ...,
            [
                "C: the extra new logo goes: Where type is x a credit pays 2% of it on top.",
                "C: the extra poc goes: Each credit pays $250.00 on top.",
            ],
        ),
        ("components.0.kickers.1.amount", "300", ["C: the extra poc: the amount rises from $250.00 to $300.00."]),
        (
            "components.0.modifiers.each.0.times",
            "1.3",
            ["C: the factor multi year: the factor rises from 1.2 to 1.3."],
        ),
        (
            "components.0.modifiers.each.1.table.cells.1",
            "0.25",
            ["C: the factor margin: the factor (amount from $25,000.00) falls from 0.5 times to 0.25 times."],
        ),
        (
            "components.0.caps.0.amount",
            "60000",
            ["C: the cap per year: the amount rises from $50,000.00 to $60,000.00."],
        ),
        (
            "components.0.budget",
            ...,
            [
                "C: the budget goes: All together earn at most $100,000.00 of it, first come, first served; what was "
                "posted stays with its line, and late ones share what is left."
            ],
        ),
        (
            "components.0.clawback",
            {"on": ["refund"], "formula": "original", "lowers_measure": True, "takes": "all"},
            [
                "C: the clawback changes; was: A cancellation or refund takes back the part of what it earned for the "
                "months of the term months that were not served, in proportion to what is reversed. The month of it "
                "counts as served. At least 25% of it stays. It is paid at the rate of exchange of what it takes back. "
                "It lowers what is measured. All of it is taken back; now: A refund takes back what it earned, in "
                "proportion to what is reversed. It lowers what is measured. All of it is taken back."
            ],
        ),
        ("components.0.amortise.months", "24", ["C: the spreading of cost: the months fall from 36 to 24."]),
        ("components.0.ramp.quota", ["30%"], ["C: the ramp: the quota changes from 25% and 50% to 30%."]),
        ("components.0.limits", ..., ["C: the limits (attainment 150%, rate 20%) go."]),
        (
            "components.0.credits.when.value",
            "lost",
            ["C: the condition changes from “stage is won” to “stage is lost”."],
        ),
        (
            "components.1.table.cells.0.1",
            "11%",
            ["B: the rate (amount from $0.00 and for the product series MG) rises from 10% to 11%."],
        ),
        ("components.2.curve.points.1.pays", "90%", ["R: the curve: what 100% pays falls from 100% to 90%."]),
        ("components.3.curve.points.2", ..., ["I: the curve: what 150% pays (200%) goes."]),
        ("components.3.quota.fixed", "50", ["I: the fixed quota rises from 40 to 50."]),
        ("components.4.scorecard.at_most", "120%", ["S: the scorecard: the most falls from 150% to 120%."]),
        (
            "components.5.pool",
            {"amount": "5000", "divide": "equal", "after_posting": "keep"},
            [
                "P: the pool changes; was: A pool of 2% of what is measured is divided by the points pool points "
                "between everybody on the plan; what was posted stays as it was; now: A pool of $5,000.00 is divided "
                "equally between everybody on the plan; what was posted stays as it was."
            ],
        ),
        (
            "components.6.rank.prizes",
            ["6000", "3000"],
            ["K: the rank: the prizes change from $5,000.00, $3,000.00 and $1,000.00 to $6,000.00 and $3,000.00."],
        ),
        ("components.7.reads.depth", "2", ["O: what is read: the depth rises from 1 to 2."]),
        ("caps.0.amount", "90000", ["The cap per quarter: the amount falls from $100,000.00 to $90,000.00."]),
        (
            "currencies",
            ...,
            [
                "The conversion of currencies goes: Deals in another currency count at the rate of their credit date; "
                "pay in another one goes by the rate of the day of release."
            ],
        ),
        (
            "employment.release_after",
            "paid",
            [
                "The employment changes; was: After leaving no credit is given; on leave it counts; what is released "
                "after the last day is lost; now: After leaving no credit is given; on leave it counts; what is "
                "released after the last day is paid."
            ],
        ),
        (
            "overrides.1",
            ...,
            ["The override for the person ada goes: For the person ada: commission cap amount is 60000.00."],
        ),
        (
            "settlement.draws.0.recovery.share",
            "60%",
            ["The settlement: the draw all pay: the recovery: the share rises from 50% to 60%."],
        ),
        (
            "settlement.clawback_limit",
            ...,
            [
                "The settlement: the clawback limit goes: What is taken back takes at most 50% of the pay of one pay "
                "period and leaves at least $1,000.00; the rest stays owed. What is owed of it when leaving is "
                "forgiven."
            ],
        ),
        (
            "settlement.small_adjustments.below",
            "6",
            [
                "The settlement: the keeping of small adjustments: the amount below which they are kept rises from "
                "$5.00 to $6.00."
            ],
        ),
        (
            "settlement.caps.0.amount",
            "90000",
            ["The settlement: the cap per year: the amount falls from $100,000.00 to $90,000.00."],
        ),
        ("caps.1.components", ["base"], ["The cap per year: the components change from base and kickoffs to base."]),
        ("components.0.clawback.floor", "30%", ["C: the clawback: the least share left rises from 25% to 30%."]),
        ("components.8.order", "event_time", ["D: the order changes from largest first to event time."]),
        (
            "components.8.eligible_on",
            "2026-02-01",
            ["D: the day as of which people are asked changes from 2026-01-01 to 2026-02-01."],
        ),
        ("components.8.counterpart.share", "60%", ["D: the counterpart's terms: the share rises from 50% to 60%."]),
        (
            "components.10.measure.per",
            ["account"],
            ["W: what it counts per changes from account and product to account."],
        ),
        (
            "components.10.curve.points.1.pays",
            "900",
            ["W: the curve: what 100 pays falls from $1,000.00 to $900.00."],
        ),
        (
            "components.10.curve.points.0",
            {"at": "50", "pays": "0"},
            ["W: the curve: what 50 pays ($0.00) is new.", "W: the curve: what 0 pays ($0.00) goes."],
        ),
        (
            "credit_rules.2.credit.0.counts_for",
            "both",
            ["The credit rule renewals: the share of AE: what it counts for changes from quota to both."],
        ),
        (
            "computed",
            {"computed.margin": {"type": "money", "is": "amount - cost - tax"}},
            ["The computed field: the margin: the formula changes from amount - cost to amount - cost - tax."],
        ),
        (
            "credit_rules.0.credit.2.share.values.GTX",
            "30%",
            ["The credit rule won deals: the share of CSM: the share for GTX rises from 25% to 30%."],
        ),
        ("examples", [{"name": "One deal", "people": []}], ["The example “One deal” is new."]),
    ],
)
def test_every_construct_is_told(path: str, value: Any, told: list[str]) -> None:
    assert sentences(put(path, value), WHOLE) == told


def test_an_empty_list_is_not_the_same_as_none() -> None:
    assert check({**OLD, "examples": []}) == check(OLD) == []
    assert sentences({**OLD, "examples": []}) == ["The examples (an empty list) are new."]
    assert sentences(OLD, {**OLD, "examples": []}) == ["The examples (an empty list) go."]
    first, *others = OLD["credit_rules"]
    none = {**OLD, "credit_rules": [{key: item for key, item in first.items() if key != "roll_up"}, *others]}
    empty = {**OLD, "credit_rules": [{**first, "roll_up": []}, *others]}
    # A rule has to say that nothing rolls up: without the key it is refused.
    assert errors(check(none))
    assert not errors(check(empty))
    assert sentences(empty, none) == ["The credit rule won deals: the roll up (an empty list) is new."]
    assert sentences(none, empty) == ["The credit rule won deals: the roll up (an empty list) goes."]


def leaves(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*way, key))]
    if isinstance(value, list):
        return [leaf for place, item in enumerate(value) for leaf in leaves(item, (*way, place))]
    return [way]


def other(value: Any, text: str) -> Any:
    """Another value, as somebody might write it: of the same kind, or not."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str) and value.endswith("%"):
        return "37.5%" if value != "37.5%" else "38%"
    try:
        return str(float(value) + 1)
    except (TypeError, ValueError):
        return f"{value}{text}"


@settings(deadline=None, max_examples=50)
@given(leaf=st.sampled_from(leaves(WHOLE)), text=st.sampled_from(["x", "-b"]))
def test_any_change_is_told_in_words(leaf: tuple[Any, ...], text: str) -> None:
    changed = copy.deepcopy(WHOLE)
    place: Any = changed
    for step in leaf[:-1]:
        place = place[step]
    place[leaf[-1]] = other(place[leaf[-1]], text)
    told = diff(WHOLE, changed)
    assert told
    for change in told:
        assert not set("{}[]_") & set(change.sentence), change.sentence
