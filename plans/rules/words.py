"""A plan read aloud: what the person who signs it, and the one who wrote it, should both hear."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from plans.rules.compile import compile_plan
from plans.rules.compiled import Bonus, CompiledPlan, Component, CreditRule, RollUp, Tiers, Tranche
from plans.rules.phrases import both, condition_words, headed, money, named, share
from plans.rules.values import number_text

Point = tuple[Fraction, Fraction]

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
        Section("plan", plan.name, (_money_sentence(plan),)),
        *(Section(f"credit:{rule.key}", headed(rule.key), _credit(rule, plan)) for rule in plan.credit_rules),
        *(Section(part.key, part.name, _component(part, plan)) for part in plan.components),
    ]


def curve(component: Component, highest: Fraction | None = None) -> list[Point]:
    """The rate at each attainment, as corners of a line to draw: where a rate changes both rates stand at its bound.
    Ends at `highest`, else a quarter of the last bound (at least a quarter of quota) beyond the last bound."""
    if component.tiers is None:
        return []
    rates = component.tiers.rates
    end = _end(component.tiers, highest)
    points: list[Point] = []
    for tier, following in zip(rates, [*rates[1:], None], strict=True):
        if tier.start > end:
            break
        points.append((tier.start, tier.rate))
        points.append((min(following.start, end) if following else end, tier.rate))
    return points


def pay_curve(component: Component, highest: Fraction | None = None) -> list[Point]:
    """What is earned at each attainment, as a share of quota, before accelerator and cap: corners of a line to draw. A
    retroactive tier jumps: both values stand at its bound."""
    if component.tiers is None:
        return []
    points: list[Point] = []
    earned = Fraction(0)
    corners = curve(component, highest)
    for (start, rate), (stop, _) in zip(corners[::2], corners[1::2], strict=True):
        if component.tiers.mode == "retroactive":
            points += [(start, start * rate), (stop, stop * rate)]
        else:
            points.append((start, earned))
            earned += (stop - start) * rate
            points.append((stop, earned))
    return points


def _end(tiers: Tiers, highest: Fraction | None) -> Fraction:
    last = tiers.rates[-1].start
    return highest if highest is not None else last + max(last, Fraction(1)) / 4


def _money_sentence(plan: CompiledPlan) -> str:
    step = (
        "cent" if plan.round_step == 1 and plan.minor_digits == 2 else "minor unit" if plan.round_step == 1 else "unit"
    )
    what = "Each line is rounded once," if plan.round_at == "line" else "What adds up is rounded, a line is its step:"
    half = "half to the even neighbour" if plan.round_mode == "half-even" else "half away from zero"
    return f"Paid in {plan.currency}. {what} to the {step}, {half}."


# ------------------------------------------------------------------ credit


def _credit(rule: CreditRule, plan: CompiledPlan) -> tuple[str, ...]:
    when = condition_words(rule.when, plan.currency)
    given = both(f"{named(entry.role)} {share(entry.share)}" for entry in rule.credit)
    return (
        f"A deal counts {'always' if when == 'always' else f'when {when}'}.",
        f"It counts on its {named(rule.credit_date)}, with its {named(rule.amount)}, as {named(rule.credit_class)}.",
        f"Credited: {given}; people who share a role divide its credit by their weights on the deal.",
        *(_roll_up(entry) for entry in rule.roll_up),
    )


def _roll_up(entry: RollUp) -> str:
    levels = "one level" if entry.levels == 1 else f"{entry.levels} levels"
    return (
        f"Credit of {both(named(role) for role in entry.from_roles)} rolls up {levels}, to the role {named(entry.to)}: "
        f"each deal once, and at most {share(entry.limit)} of it."
    )


# ------------------------------------------------------------------ components


def _component(component: Component, plan: CompiledPlan) -> tuple[str, ...]:
    counted = (
        f"Counts {both(named(name) for name in component.classes)} credit of "
        f"{both(named(role) for role in component.roles)}, added up each {component.every}"
    )
    against = f", against the quota {named(component.quota)}." if component.quota else "."
    sentences = [component.clause, counted + against]
    if component.tiers is not None:
        sentences += tier_sentences(component.tiers)
    if component.accelerator is not None:
        bands = component.accelerator.bands
        sentences.append(
            "What a deal earns is multiplied by the size of the deal: "
            + both(
                f"{number_text(band.times)} times {'above' if component.accelerator.boundary == 'below' else 'from'} "
                f"{money(band.start, plan.currency)}"
                for band in bands
            )
            + "."
        )
    if component.bonus is not None:
        sentences.append(_bonus(component.bonus, component, plan))
    if component.cap is not None and component.cap.amount is not None:
        span = f"{component.every}" if component.cap.per == "measure_period" else "deal"
        sentences.append(
            f"At most {money(component.cap.amount, plan.currency)} is earned per {span}; what is above is lost."
        )
    sentences += _outcomes(component)
    sentences.append(release_sentence(component.release))
    return tuple(sentences)


def tier_sentences(tiers: Tiers) -> list[str]:
    """The rates, how they apply, and whose a bound is."""
    parts = []
    for tier, following in zip(tiers.rates, [*tiers.rates[1:], None], strict=True):
        if following is None:
            parts.append(f"{share(tier.rate)} beyond" if len(tiers.rates) > 1 else f"{share(tier.rate)} of all of it")
        else:
            parts.append(f"{share(tier.rate)} up to {share(following.start)} of quota")
    sentences = [f"The rate is {both(parts)}."]
    if len(tiers.rates) == 1:
        return sentences
    if tiers.mode == "marginal":
        sentences.append("Each rate applies to its own slice only: passing a bound changes nothing below it.")
    else:
        told = {
            "running": "the deal that crosses a bound brings the difference for those before it",
            "proportional": "every deal is paid at the rate reached in the end",
        }[tiers.attribution or "running"]
        sentences.append(f"The rate that is reached applies to the whole amount: {told}.")
    sentences.append(f"Exactly on a bound belongs to the tier {tiers.boundary}.")
    return sentences


def release_sentence(release: tuple[Tranche, ...]) -> str:
    """When what is earned becomes payable."""
    parts = [f"{share(tranche.share)} {_trigger(tranche)}" for tranche in release]
    return f"Paid out: {both(parts)}."


def _trigger(tranche: Tranche) -> str:
    if tranche.on == "credit_date":
        return "at once"
    if tranche.on == "usage" and tranche.at is not None:
        return f"at {share(tranche.at)} usage"
    return f"at {named(tranche.on)}"


def _bonus(bonus: Bonus, component: Component, plan: CompiledPlan) -> str:
    amount = money(bonus.amount, plan.currency)
    if bonus.per == "credit":
        least = f" of a deal of at least {money(bonus.min_deal, plan.currency)}" if bonus.min_deal is not None else ""
        return f"Pays {amount} for each credit{least}; a negative credit takes it back."
    word = "is passed" if bonus.boundary == "below" else "is reached"
    return f"Pays {amount} once {share(bonus.at or Fraction(0))} of quota {word} in the {component.every}."


def _outcomes(component: Component) -> list[str]:
    sentences = []
    if component.missing_quota is not None and component.zero_quota is not None:
        words = _OUTCOMES if component.kind == "commission" else _BONUS_OUTCOMES
        missing, zero = words[component.missing_quota], words[component.zero_quota]
        sentences.append(f"While the quota is missing {missing}; with a quota of zero {zero}.")
    if component.below_zero is not None:
        below = "at the lowest rate" if component.below_zero == "lowest_tier" else "not at all"
        sentences.append(f"The part of the running total below zero is rated {below}.")
    return sentences
