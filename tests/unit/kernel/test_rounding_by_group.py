"""Earnings with a denominator for each person, rounded along the curve and by the group's total."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import pytest

from comp.core.rounding import round_fraction
from payouts.kernel import calculate
from plans.rules.compiled import Tier, Tiers
from tests.unit.kernel.world import Q1, Deal, commission, plan, world

QUOTAS = {1: 99_991, 2: 77_773, 3: 65_537}
TARGETS = {1: 9_973, 2: 8_887, 3: 7_919}


@pytest.mark.parametrize("at", ["curve", "total"])
@pytest.mark.parametrize("step", [1, 1_000])
def test_lines_add_up_to_the_rounded_total_of_their_group(at, step):
    curve = Tiers("marginal", None, "above", (Tier(F(0), F(1)), Tier(F(1, 3), F(3, 2))), pays="times")
    component = replace(commission(curve), incentive="target", zero_quota="no_pay", missing_incentive="wait")
    deals = [Deal(amount, team=(("ae", person),)) for person in QUOTAS for amount in (20_011, 13, 40_009, -7_001)]
    quotas = [(person, "sales", Q1, amount) for person, amount in QUOTAS.items()]
    quotas += [(person, "target", Q1, amount) for person, amount in TARGETS.items()]
    result = calculate(world(plan(component, round_at=at, round_step=step), deals, quotas=quotas))
    for person, quota in QUOTAS.items():
        rows = result.credits.participant[result.lines.credit] == person
        base, x = F(TARGETS[person], quota), 20_011 + 13 + 40_009 - 7_001
        exact = 100 * base * (x + max(x - F(quota, 3), F(0)) / 2)
        assert result.lines.earned[rows].sum() == round_fraction(exact, "half-even", step)
        assert not (result.lines.earned[rows] % step).any()
