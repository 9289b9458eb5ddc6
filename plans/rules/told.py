"""What one place of a plan says, in the sentences that the whole plan is read aloud in: for telling what came, what
went, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable

from plans.rules.compiled import (
    CompiledPlan,
    Component,
    Modifier,
    Table,
)
from plans.rules.compiled_pay import Settlement
from plans.rules.words import ramp_sentences
from plans.rules.words_pay import (
    amortise_sentence,
    clawback_limit_sentences,
    clawback_sentences,
    currencies_sentence,
    draw_sentences,
    employment_sentence,
    override_sentence,
    plan_cap_sentence,
    proration_sentences,
    settlement_sentences,
)
from plans.rules.words_rates import (
    curve_sentences,
    pool_sentence,
    rank_sentence,
    scorecard_sentences,
    table_sentences,
    tier_sentences,
)
from plans.rules.words_reads import counted_sentence
from plans.rules.words_shape import (
    budget_sentence,
    cap_sentence,
    counterpart_sentence,
    factor_sentences,
    gate_sentences,
    kicker_sentence,
    modifier_sentences,
)

#: Keys and places of rows on the way from the document to a table in it.
Steps = tuple[str | int, ...]


def told(plan: CompiledPlan, steps: Steps) -> str:
    """The sentences of the table or row at `steps`, without the last stop; empty where nothing says it alone."""
    match steps:
        case ("components", int(place), *rest):
            found = _of_component(plan, plan.components[place], tuple(rest))
        case _:
            found = _of_plan(plan, steps)
    return " ".join(found).removesuffix(".")


def table_at(plan: CompiledPlan, steps: Steps) -> Table | None:
    """The rate table, or the table of a factor, at `steps`."""
    match steps:
        case ("components", int(place), "table"):
            return plan.components[place].table
        case ("components", int(place), "modifiers", "each", int(row), "table"):
            return _modifier(plan.components[place], row).table
        case _:
            return None


def _modifier(component: Component, row: int) -> Modifier:
    assert component.modifiers is not None
    return component.modifiers.each[row]


def _of_plan(plan: CompiledPlan, steps: Steps) -> Iterable[str]:
    match steps:
        case ("proration",):
            return proration_sentences(plan)
        case ("employment",) if plan.employment is not None:
            return [employment_sentence(plan.employment)]
        case ("currencies",) if plan.currencies is not None:
            return [currencies_sentence(plan.currencies)]
        case ("caps", int(row)):
            return [plan_cap_sentence(plan.caps[row], plan.currency)]
        case ("overrides", int(row)):
            return [override_sentence(plan.overrides[row])]
        case ("settlement",) if plan.settlement is not None:
            return settlement_sentences(plan.settlement, plan.currency)
        case ("settlement", *rest) if plan.settlement is not None:
            return _of_settlement(plan.settlement, tuple(rest), plan.currency)
        case _:
            return []


def _of_settlement(settlement: Settlement, steps: Steps, currency: str) -> Iterable[str]:
    match steps:
        case ("draw",) if settlement.draws:
            return draw_sentences(settlement.draws[0], currency)
        case ("draws", int(row)):
            return draw_sentences(settlement.draws[row], currency)
        case ("clawback_limit",) if settlement.clawback_limit is not None:
            return clawback_limit_sentences(settlement.clawback_limit, currency)
        case _:
            return []


def _of_component(plan: CompiledPlan, component: Component, steps: Steps) -> Iterable[str]:
    currency = plan.currency
    match steps:
        case ("measure" | "reads",):
            return [counted_sentence(component, plan)]
        case ("ramp",):
            return ramp_sentences(component)
        case ("tiers",) if component.tiers is not None:
            return tier_sentences(component.tiers, plan)
        case ("table",) if component.table is not None:
            return table_sentences(component.table, currency)
        case ("curve",) if component.curve is not None:
            what = "the target incentive" if component.kind == "incentive" else ""
            return curve_sentences(component.curve, component.measure.unit, currency, what)
        case ("scorecard",) if component.scorecard is not None:
            return scorecard_sentences(component.scorecard)
        case ("pool",) if component.pool is not None:
            return [pool_sentence(component.pool, currency)]
        case ("rank",) if component.rank is not None:
            return [rank_sentence(component.rank, currency)]
        case ("modifiers",):
            return factor_sentences(component, plan)
        case ("modifiers", "each", int(row)):
            return modifier_sentences(_modifier(component, row), plan)
        case ("counterpart",) if component.counterpart is not None:
            return [counterpart_sentence(component.counterpart, component, plan)]
        case ("kickers", int(row)):
            return [kicker_sentence(component.kickers[row], currency)]
        case ("gates", int(row)):
            return gate_sentences(component.gates[row], plan)
        case ("caps", int(row)):
            return [cap_sentence(component.caps[row], component, plan)]
        case ("budget",) if component.budget is not None:
            return [budget_sentence(component.budget, currency)]
        case ("clawback",) if component.clawback is not None:
            return clawback_sentences(component.clawback)
        case ("amortise",) if component.amortise is not None:
            return [amortise_sentence(component.amortise)]
        case _:
            return []
