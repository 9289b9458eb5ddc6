"""A trace leads from the base of every line to what it earns, without a gap; without one, nothing else changes."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, reject, seed, settings

from comp.core.errors import ProblemsError
from comp.core.rounding import round_fraction
from payouts.case import read_case
from payouts.kernel import calculate
from payouts.kernel.batch import OF_CARRY, OF_CREDIT, OF_OPENING, OF_REVERSAL
from payouts.kernel.errors import AmountOutOfRange
from payouts.kernel.line_view import line_slices, line_view
from plans.rules.load import read_yaml
from tests.oracle.bridge import batch_of
from tests.oracle.strategies import cases
from tests.unit.kernel.test_earnings import rich_world

CASES = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml")) + sorted(
    (Path(__file__).parent / "cases").glob("*.yaml")
)
PHASES = [Phase.generate]
#: Steps after rounding that say what is left of a line.
LEAVES = (
    "floating",
    "rounded",
    "counterpart",
    "minimum",
    "withheld",
    "cap",
    "gate_cap",
    "carried",
    "plan_cap",
    "budget",
    "clawback",
    "opening",
)


#: Lines that are not rated.
GIVEN = (OF_REVERSAL, OF_CARRY, OF_OPENING)


def exact(steps: dict[str, Fraction], component) -> Fraction:
    """The earning before rounding, from the steps before it."""
    earning = (steps["base"] + steps.get("made_up", 0)) * steps.get("accelerator", 1)
    own = [value for name, value in steps.items() if name.startswith("modifier:")]
    if component.modifiers is not None:
        together = Fraction(1)
        for factor in own:
            together = together + factor - 1 if component.modifiers.combine == "add" else together * factor
        assert together == steps["modifiers"]
        earning *= together
    earning += sum((value for name, value in steps.items() if name.startswith("kicker:")), Fraction(0))
    earning *= steps.get("gates", 1)
    return steps.get("limit_rate", earning)


def hold(batch) -> int:
    """Checks every line of a batch, and says how many were rated."""
    result = calculate(batch, traced=True)
    lines, rated = result.lines, 0
    sums: dict[int, tuple[Fraction, int]] = {}
    for line in range(lines.credit.size):
        steps = result.traces.of(line)
        plan = batch.plans[int(result.credits.plan[lines.credit[line]] if lines.plan is None else lines.plan[line])]
        kind = OF_CREDIT if lines.kind is None else lines.kind[line]
        left = [value for name, value in steps.items() if name.split(":")[0] in LEAVES]
        assert (left[-1] if left else 0) == lines.earned[line]
        if kind in GIVEN or "exact" not in steps:
            # What is not paid for its quota is not rated, but a minimum lifts it all the same.
            assert kind in GIVEN or lines.rounded[line] == steps.get("minimum", steps.get("counterpart", 0))
            continue
        view = line_view(batch, result, line)
        parts = line_slices(view)
        if view.component.kind in ("commission", "incentive"):
            assert sum((part.earns for part in parts), Fraction(0)) == steps["base"]
        assert exact(steps, plan.components[int(lines.component[line])]) == steps["exact"]
        if plan.round_at == "line":
            assert round_fraction(steps["exact"], plan.round_mode, plan.round_step) == steps["rounded"]
        group = int(lines.group[line])
        total, so_far = sums.get(group, (Fraction(0), 0))
        sums[group] = total + steps["exact"], so_far + int(steps["rounded"])
        assert plan.round_at == "total" or abs(sums[group][0] - sums[group][1]) < plan.round_step * lines.credit.size
        assert (
            steps.get("floating", steps.get("minimum", steps.get("counterpart", steps["rounded"])))
            == lines.rounded[line]
        )
        rated += 1
    return rated


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_steps_of_each_case_lead_from_base_to_earned(path):
    hold(read_case(read_yaml(path.read_text(encoding="utf-8"))).batch)


def test_the_steps_of_a_rich_world_lead_from_base_to_earned():
    assert hold(rich_world()) > 200


def test_the_steps_of_generated_cases_lead_from_base_to_earned():
    rated = 0

    @seed(7)
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=PHASES)
    @given(cases())
    def each(case):
        nonlocal rated
        try:
            rated += hold(batch_of(case).batch)
        except (AmountOutOfRange, ProblemsError):  # a plan or an amount that is refused
            reject()

    each()
    assert rated > 200


def test_a_trace_changes_nothing_and_is_limited_with_the_rest():
    batch = rich_world()
    plain, traced = calculate(batch), calculate(batch, traced=True)
    assert plain.traces is None
    for table in ("credits", "groups", "lines", "tranches"):
        for each in fields(getattr(plain, table)):
            one, other = (getattr(getattr(result, table), each.name) for result in (plain, traced))
            if isinstance(one, np.ndarray):
                assert np.array_equal(one, other), each.name
    assert set(traced.traces.line.tolist()) <= set(range(traced.lines.credit.size))
