"""A plan read aloud: what the person who signs it, and the one who wrote it, should both hear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from comp.core.days import day_date
from comp.core.money import NO_CURRENCY
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan, Component, CreditRule, OwnPeriods, RoleShare, RollUp
from plans.rules.phrases import both, condition_words, field_words, headed, named, share
from plans.rules.words_pay import (
    amortise_sentence,
    clawback_sentences,
    plan_sentences,
    rate_sentence,
    release_sentence,
)
from plans.rules.words_rates import (
    accelerator_sentence,
    amount_of,
    bonus_sentence,
    curve_sentences,
    pool_sentence,
    rank_sentence,
    scorecard_sentences,
    table_sentences,
    tier_sentences,
)
from plans.rules.words_reads import counted_sentence, order_sentence, periods_sentence
from plans.rules.words_shape import shape_sentences

__all__ = ["Section", "in_words", "release_sentence", "tier_sentences"]

#: What `missing_quota` and `zero_quota` say, for a commission and for a bonus.
_OUTCOMES = {
    "wait": "everything waits",
    "no_pay": "nothing is paid",
    "lowest_tier": "the lowest rate applies to everything",
    "highest_tier": "the highest rate applies to everything",
}
_BONUS_OUTCOMES = {
    "wait": "everything waits",
    "no_pay": "nothing is paid",
    "lowest_tier": "it counts as not reached",
    "highest_tier": "it counts as reached with the first credit",
}


@dataclass(frozen=True, slots=True)
class Section:
    """`key` is a component's key, `credit:` and a rule's key, or `plan`."""

    key: str
    title: str
    sentences: tuple[str, ...]


def in_words(plan: CompiledPlan | dict[str, Any]) -> list[Section]:
    """The plan in sentences: the whole, who is credited, then each component. A document is compiled first, so that it
    raises `ProblemsError` where it is wrong."""
    if not isinstance(plan, CompiledPlan):
        plan = compile_plan(plan)
    return [
        Section("plan", plan.name, (_money_sentence(plan), *plan_sentences(plan))),
        *(Section(f"credit:{rule.key}", headed(rule.key), _credit(rule, plan)) for rule in plan.credit_rules),
        *(Section(part.key, part.name, _component(part, plan)) for part in plan.components),
    ]


def _money_sentence(plan: CompiledPlan) -> str:
    whole = 10**plan.minor_digits
    if plan.round_step == 1:
        step = "cent" if plan.minor_digits == 2 else "minor unit"
        if plan.currency == NO_CURRENCY:
            step = "second decimal"
    else:
        step = "unit" if plan.round_step == whole else "ten units"
    what = {
        "line": "Each line is rounded once,",
        "curve": "What adds up is rounded, a line is its step:",
        "total": "The total is rounded, and divided between its lines:",
    }[plan.round_at]
    half = "half to the even neighbour" if plan.round_mode == "half-even" else "half away from zero"
    paid = "Amounts are plain numbers" if plan.currency == NO_CURRENCY else f"Paid in {plan.currency}"
    return f"{paid}. {what} to the {step}, {half}."


# ------------------------------------------------------------------ credit

_FACTS = {
    "deal": "A deal",
    "line": "A line of a deal",
    "milestone": "A milestone",
    "usage": "A usage reading",
    "invoice": "An invoice",
    "receipt": "A receipt",
    "activity": "An activity",
    "score": "A score",
    "hours": "A record of hours",
    "cancellation": "A cancellation",
    "refund": "A refund",
    "nonpayment": "An unpaid invoice",
}


def _credit(rule: CreditRule, plan: CompiledPlan) -> tuple[str, ...]:
    when = condition_words(rule.when, plan.currency)
    what = "as one" if rule.amount == "one" else f"with its {field_words(rule.amount)}"
    sentences = [
        f"{_FACTS[rule.fact]} counts {'always' if when == 'always' else f'when {when}'}.",
        f"It counts on its {named(rule.credit_date)}, {what}, as {named(rule.credit_class)}.",
        f"Credited: {both(_share(entry) for entry in rule.credit)}; {_split(rule)}.",
        *_counts(rule),
    ]
    if rule.limit is not None:
        sentences.append(f"All of them together get at most {share(rule.limit)} of it.")
    if rule.eligible is not None:
        sentences.append(f"Only people whose {condition_words(rule.eligible, plan.currency)} get it.")
    if rule.hold is not None:
        sentences.append(f"Where {condition_words(rule.hold, plan.currency)} it is held.")
    if rule.on_transfer is not None:
        rolled = "goes with it" if rule.on_transfer == "follows" else "stays with the old line"
        sentences.append(f"Where a deal is handed over its credit is too; rolled-up credit {rolled}.")
    return (*sentences, *(_roll_up(entry) for entry in rule.roll_up))


def _share(entry: RoleShare) -> str:
    if entry.by is None:
        return f"{named(entry.role)} {share(entry.share)}"
    picked = both(f"{share(value)} for {word}" for word, value in entry.by.values)
    return f"{named(entry.role)} by {named(entry.by.field)} ({picked}, else {share(entry.by.otherwise)})"


def _counts(rule: CreditRule) -> Iterator[str]:
    for word, told in (
        ("quota", "counts for the quota and earns nothing"),
        ("pay", "is paid at the rate of its place and does not count for the quota"),
    ):
        roles = [named(entry.role) for entry in rule.credit if entry.counts_for == word]
        if roles:
            yield f"Credit of {both(roles)} {told}."


def _split(rule: CreditRule) -> str:
    told = {
        "weights": "divide its credit by their weights on the deal",
        "equal": "divide its credit equally",
        "each": "each get all of it",
    }
    splits = list(dict.fromkeys(entry.split for entry in rule.credit))
    if len(splits) == 1:
        return f"people who share a role {told[splits[0]]}"
    return both(
        f"those who share {both(named(entry.role) for entry in rule.credit if entry.split == split)} {told[split]}"
        for split in splits
    )


def _roll_up(entry: RollUp) -> str:
    levels = "one level" if entry.levels == 1 else f"{entry.levels} levels"
    return (
        f"Credit of {both(named(role) for role in entry.from_roles)} rolls up {levels}, to the role {named(entry.to)}: "
        f"each deal once, and at most {share(entry.limit)} of it."
    )


# ------------------------------------------------------------------ components


def _component(component: Component, plan: CompiledPlan) -> tuple[str, ...]:
    currency = plan.currency
    sentences = [component.clause, counted_sentence(component, plan)]
    if isinstance(component.every, OwnPeriods):
        sentences.append(periods_sentence(component.every))
    if component.order != "credit_date":
        sentences.append(order_sentence(component))
    if component.eligible is not None:
        asked = condition_words(component.eligible, currency)
        as_of = "" if component.eligible_on is None else f", as of {day_date(component.eligible_on).isoformat()}"
        sentences.append(f"Only for people whose {asked}{as_of}.")
    if component.quota_fixed is not None:
        sentences.append(f"The quota is {_fixed(component, currency)} for everybody.")
    if component.incentive is not None:
        sentences.append(f"The target incentive is {named(component.incentive)}.")
    sentences += ramp_sentences(component)
    sentences += _pays(component, plan)
    sentences += shape_sentences(component, plan)
    sentences += _outcomes(component)
    if component.release:
        sentences.append(release_sentence(component.release))
    floating = rate_sentence(component.release_rate)
    if floating is not None:
        sentences.append(floating)
    if component.clawback is not None:
        sentences += clawback_sentences(component.clawback)
    if component.amortise is not None:
        sentences.append(amortise_sentence(component.amortise))
    return tuple(sentences)


def _fixed(component: Component, currency: str) -> str:
    assert component.quota_fixed is not None
    return amount_of(component.quota_fixed, component.measure.unit, currency)


def _pays(component: Component, plan: CompiledPlan) -> list[str]:
    """What earns: one of tiers, table, curve, bonus, scorecard, pool, rank."""
    currency = plan.currency
    found: list[str] = []
    if component.tiers is not None:
        found += tier_sentences(component.tiers, plan)
    if component.table is not None:
        found += table_sentences(component.table, currency)
    if component.curve is not None:
        what = "the target incentive" if component.kind == "incentive" else ""
        found += curve_sentences(component.curve, component.measure.unit, currency, what)
    if component.kind == "result":
        found.append("It pays nothing itself: other components read it.")
    if component.accelerator is not None:
        found.append(accelerator_sentence(component.accelerator, component, currency))
    if component.bonus is not None:
        found.append(bonus_sentence(component.bonus, component, plan))
    if component.scorecard is not None:
        found += scorecard_sentences(component.scorecard)
    if component.pool is not None:
        found.append(pool_sentence(component.pool, currency))
    if component.rank is not None:
        found.append(rank_sentence(component.rank, currency))
    return found


def ramp_sentences(component: Component) -> list[str]:
    if component.ramp is None:
        return []
    start = {"hired": "hiring", "assigned": "joining the plan"}[component.ramp.start]
    return [
        f"The {what} is {both(share(step) for step in steps)} in the first months after {start}, then whole."
        for what, steps in (("quota", component.ramp.quota), ("target incentive", component.ramp.incentive))
        if steps
    ]


def _outcomes(component: Component) -> list[str]:
    sentences = []
    if component.missing_quota is not None and component.zero_quota is not None:
        words = _BONUS_OUTCOMES if component.kind == "bonus" else _OUTCOMES
        missing, zero = words[component.missing_quota], words[component.zero_quota]
        sentences.append(f"While the quota is missing {missing}; with a quota of zero {zero}.")
    if component.missing_incentive is not None:
        sentences.append(f"While the target incentive is missing {_OUTCOMES[component.missing_incentive]}.")
    if component.below_zero is not None:
        below = "at the lowest rate" if component.below_zero == "lowest_tier" else "not at all"
        sentences.append(f"The part of the running total below zero is rated {below}.")
    return sentences
