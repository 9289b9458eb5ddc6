"""The story of a line tells exactly what the kernel calculated."""

from __future__ import annotations

from fractions import Fraction

import pytest

from comp.core.rounding import round_fraction
from payouts.kernel import calculate
from payouts.kernel.batch import MISSING_MONEY
from payouts.kernel.explain_stored import LineFacts, TrancheFacts, explain_line
from payouts.kernel.say import percent_text
from payouts.kernel.slices import slices
from plans.rules.compiled import RollUp
from tests.unit.kernel.test_earnings import rich_world
from tests.unit.kernel.world import (
    Q1,
    USUAL,
    Deal,
    bands,
    bonus,
    cap,
    commission,
    plan,
    release,
    rule,
    tiers,
    world,
)


def stories(batch):
    """Each line's plan, component and facts, as they would be stored."""
    result = calculate(batch)
    credits, lines, groups, tranches = result.credits, result.lines, result.groups, result.tranches
    for line in range(lines.credit.size):
        row, group = lines.credit[line], lines.group[line]
        made = batch.plans[credits.plan[row]]
        component = made.components[lines.component[line]]
        source = made.credit_rules[credits.rule[row]]
        mine = [part for part in range(tranches.line.size) if tranches.line[part] == line]
        quota = int(groups.quota[group])
        yield (
            made,
            component,
            LineFacts(
                whole=int(batch.facts.money[source.amount][credits.fact[row]]),
                rule=int(credits.rule[row]),
                role=credits.role.vocabulary[credits.role.codes[row]],
                split=int(credits.split[row]),
                pot=int(credits.pot[row]),
                amount=int(credits.amount[row]),
                position=int(lines.position[line]),
                before=int(lines.before[line]),
                after=int(lines.after[line]),
                quota=None if quota == MISSING_MONEY else quota,
                total=int(groups.total[group]),
                band=int(lines.band[line]),
                rounded=int(lines.rounded[line]),
                earned=int(lines.earned[line]),
                waiting=bool(lines.waiting[line]),
                tranches=tuple(
                    TrancheFacts(
                        int(tranches.amount[part]), int(tranches.trigger_day[part]), int(tranches.release_day[part])
                    )
                    for part in mine
                ),
            ),
        )


DEALS = [Deal(60_000, "2026-01-11"), Deal(50_000, "2026-01-12"), Deal(-130_000, "2026-01-13"), Deal(200_000)]
RATES = ((0, 10), (Fraction(200, 3), 15), (120, 20))


@pytest.mark.parametrize("below_zero", ["lowest_tier", "no_pay"])
@pytest.mark.parametrize("boundary", ["above", "below"])
@pytest.mark.parametrize(
    ("mode", "attribution"), [("marginal", None), ("retroactive", "running"), ("retroactive", "proportional")]
)
@pytest.mark.parametrize("quota", [100_000, 0, None])
@pytest.mark.parametrize("outcome", ["lowest_tier", "highest_tier", "no_pay", "wait"])
def test_slices_times_factor_rounded_are_the_line(below_zero, boundary, mode, attribution, quota, outcome):
    component = commission(
        tiers(*RATES, mode=mode, attribution=attribution, boundary=boundary),
        below_zero=below_zero,
        zero_quota=outcome,
        missing_quota=outcome if outcome in ("wait", "lowest_tier") else "wait",
        accelerator=bands((0, "1"), (60_000, "1.333333")),
    )
    batch = world(plan(component), DEALS, quotas=[] if quota is None else [(1, "sales", Q1, quota)])
    for made, component, line in stories(batch):
        parts = slices(component, line.before, line.after, line.quota, line.total)
        factor = component.accelerator.bands[line.band].times
        assert round_fraction(sum(part.earns for part in parts) * factor, made.round_mode) == line.rounded
        if mode == "marginal" and parts:
            assert sum(part.amount_in_slice for part in parts) == line.amount


def test_every_line_of_a_rich_world_is_explained_to_its_rounded_value():
    explained = 0
    for made, component, line in stories(rich_world()):
        steps = {step.label_code: step for step in explain_line(made, component, line)}
        assert steps["deal"].value == line.whole
        if line.waiting:
            assert "rounding" not in steps
            continue
        exact = steps["rounding"].detail["exact"]
        if made.round_at == "line":
            assert round_fraction(exact, made.round_mode, made.round_step) == line.rounded
        else:
            assert abs(exact - line.rounded) <= 1
        explained += 1
    assert explained > 200


def test_the_steps_of_one_line_in_words():
    component = commission(
        USUAL,
        accelerator=bands((0, "1"), (50_000, "1.5")),
        cap=cap(7_000),
        release=release((40, "signature"), (60, "usage 75")),
    )
    deals = [
        Deal(60_000, "2026-01-11"),
        Deal(120_000, "2026-01-12", team=[("ae", 1), ("ae", 2)], milestones=[("signature", "2026-01-20")]),
    ]
    _, (made, _, line), _ = stories(world(plan(component), deals))
    steps = explain_line(made, component, line)
    assert [step.label_code for step in steps] == [
        "deal", "credit", "position", "tiers", "accelerator", "rounding", "cap", "release", "release",
    ]  # fmt: skip
    assert [step.sentence for step in steps] == [
        "The deal is worth $120,000.00.",
        "The role ae is credited with 100% of it: $120,000.00, of which your part is $60,000.00.",
        "As credit 2 of the quarter it takes the total from $60,000.00 to $120,000.00, "
        "from 60% to 120% of the quota of $100,000.00.",
        "10% of $40,000.00 and 15% of $20,000.00 is $7,000.00.",
        "For a deal of this size it counts 1.5 times: $10,500.00.",
        "Rounded to the minor unit (half-even): $10,500.00.",
        "The cap of $7,000.00 per quarter leaves $0.00.",
        "40% on signature: $0.00, released on 20 January 2026.",
        "60% at 75% of the contracted usage: $0.00, still waiting for it.",
    ]
    assert [row["applied"] for row in steps[3].detail["tiers"]] == [True, True, False]


def test_a_rolled_credit_a_bonus_and_a_wait_in_words():
    rolls = rule(roll_up=[RollUp(("ae",), "manager", 1, Fraction(1, 2))])
    made = plan(bonus(500, roles=("manager",), min_deal=1_000_000), commission(), rules=[rolls])
    batch = world(made, [Deal(20_000)], reporting=[(1, 3, "2026-01-01", "2027-01-01")], quotas=[])
    (_, first, reward), (_, second, wait) = stories(batch)
    sentences = [step.sentence for step in explain_line(made, first, reward)]
    assert sentences[1:3] == [
        "Credits of $20,000.00 by your team roll up to you as manager, limited to 50% of the deal: $10,000.00.",
        "Each deal of at least $10,000.00 pays $500.00; this credit earns $500.00.",
    ]
    assert "It earns nothing yet: the quota sales is missing." in [
        step.sentence for step in explain_line(made, second, wait)
    ]


def test_a_share_for_people_is_never_rounded_up():
    assert [percent_text(Fraction(*share)) for share in ((99_999, 100_000), (1, 3), (-1, 8), (12, 1))] == [
        "99.99%",
        "33.33%",
        "-12.5%",
        "1,200%",
    ]
