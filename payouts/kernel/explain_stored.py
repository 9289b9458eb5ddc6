"""Why a stored line of the core form is what it is, from the scalars that stand beside it.

Nothing is calculated anew in another way: the slices of a line add up to its exact earning, and that times the factor,
rounded, is the `rounded` of `calculate` (rounding along the curve differs by what the lines before have rounded away).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from payouts.kernel.batch import MISSING_DAY, ROLLED_SPLIT
from payouts.kernel.say import Step, day_text, money_text, percent_text, trigger_text
from payouts.kernel.slices import pays_nothing, slices
from plans.rules.compiled import Bonus, CompiledPlan, Component, CreditRule
from plans.rules.values import number_text


@dataclass(frozen=True, slots=True)
class TrancheFacts:
    amount: int
    trigger_day: int  # MISSING_DAY while not met
    release_day: int  # MISSING_DAY while waiting


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What is stored of a line, its credit, its group and its tranches, in minor units."""

    whole: int  # the deal's whole amount
    rule: int  # index into the plan's credit rules
    role: str
    split: int
    pot: int
    amount: int  # the credit
    position: int
    before: int
    after: int
    quota: int | None
    total: int  # of the group
    band: int
    rounded: int
    earned: int
    waiting: bool
    tranches: tuple[TrancheFacts, ...]
    role_name: str = ""  # for people; the key where none is given


def can_tell(plan: CompiledPlan, component: Component, rule: CreditRule) -> bool:
    """Whether the stored scalars say all of a line: plan and component keep to the core form."""
    tiers, measure = component.tiers, component.measure
    core_tiers = tiers is None or (
        tiers.mode in ("marginal", "retroactive")
        and (tiers.axis, tiers.pays) == ("attainment", "rate")
        and tiers.full_points is None
        and tiers.columns is None
    )
    core_measure = (measure.value, measure.window, measure.of, measure.by) == ("sum", "discrete", "own", "credit")
    beyond = (
        component.quota_fixed,
        component.ramp,
        component.table,
        component.curve,
        component.modifiers,
        component.limit_attainment,
        component.limit_rate,
        component.counterpart,
        component.minimum,
        component.budget,
        component.clawback,
        plan.proration,
    )
    more = (component.kickers, component.caps, component.gates, plan.caps, plan.overrides)
    return (
        (component.tiers is not None or component.bonus is not None)
        and core_tiers
        and core_measure
        and all(each is None for each in beyond)
        and all(entry.on != "paid" for entry in component.release)
        and not any(more)
        and component.release_rate == "fixed"
        and (component.cap is None or component.cap.excess == "lost")
        and plan.on_new_version == "carry"
        and rule.limit is None
        and (rule.amount == "amount" or rule.amount.startswith("custom."))
        and all((entry.by, entry.split, entry.counts_for) == (None, "weights", "both") for entry in rule.credit)
        and rule.unit == "money"
        and (rule.hold, rule.on_transfer) == (None, None)
    )


def explain_line(plan: CompiledPlan, component: Component, line: LineFacts) -> list[Step]:
    """The steps from the deal's amount to what is released of the line."""
    say = _Sayer(plan, component, line)
    steps = [say.deal(), say.credit()]
    if component.quota is not None or component.tiers is not None:
        steps.append(say.position())
    if line.waiting:
        steps.append(say.waits())
    else:
        steps.append(say.tiers() if component.tiers is not None else say.bonus())
        if component.accelerator is not None:
            steps.append(say.accelerator())
        steps.append(say.rounding())
        if component.cap is not None:
            steps.append(say.cap())
    return [*steps, *say.release()]


class _Sayer:
    """Says each step of one line."""

    def __init__(self, plan: CompiledPlan, component: Component, line: LineFacts) -> None:
        self.plan, self.component, self.line = plan, component, line
        self.parts = slices(component, line.before, line.after, line.quota, line.total)
        self.exact = sum((part.earns for part in self.parts), Fraction(0))

    def money(self, minor: int | Fraction) -> str:
        return money_text(minor, self.plan.currency)

    def deal(self) -> Step:
        return Step("deal", f"The deal is worth {self.money(self.line.whole)}.", self.line.whole, "money", {})

    def credit(self) -> Step:
        line, rule = self.line, self.plan.credit_rules[self.line.rule]
        rolled = line.split >= ROLLED_SPLIT
        name = line.role_name or line.role
        detail = {"rule": rule.key, "role": line.role, "rolled": rolled, "pot": line.pot, "credit": line.amount}
        if rolled:
            entry = rule.roll_up[line.split - ROLLED_SPLIT]
            detail["limit"] = entry.limit
            sentence = f"Credits of {self.money(line.pot)} by your team roll up to you as {name}"
            if line.amount != line.pot:
                sentence += f", limited to {percent_text(entry.limit)} of the deal: {self.money(line.amount)}"
        else:
            share = next(entry.share for entry in rule.credit if entry.role == line.role)
            detail["share"] = share
            sentence = f"The role {name} is credited with {percent_text(share)} of it: {self.money(line.pot)}"
            if line.amount != line.pot:
                sentence += f", of which your part is {self.money(line.amount)}"
        return Step("credit", f"{sentence}.", line.amount, "money", detail)

    def position(self) -> Step:
        line, every = self.line, self.component.every
        sentence = f"As credit {line.position} of the {every} it takes the total from {self.money(line.before)} to "
        sentence += self.money(line.after)
        detail: dict[str, Any] = {"position": line.position, "before": line.before, "after": line.after}
        detail |= {"quota": line.quota, "quota_key": self.component.quota, "attainment": None}
        attainment = None
        if line.quota:
            from_, attainment = Fraction(line.before, line.quota), Fraction(line.after, line.quota)
            detail["attainment"] = (from_, attainment)
            sentence += (
                f", from {percent_text(from_)} to {percent_text(attainment)} of the quota of {self.money(line.quota)}"
            )
        return Step("position", f"{sentence}.", attainment, "share", detail)

    def waits(self) -> Step:
        state = "missing" if self.line.quota is None else "zero"
        sentence = f"It earns nothing yet: the quota {self.component.quota} is {state}."
        return Step("waits", sentence, 0, "money", {"quota_key": self.component.quota, "state": state})

    def tiers(self) -> Step:
        tiers = self.component.tiers
        assert tiers is not None
        applied = {part.tier for part in self.parts}
        rows = [
            {"tier": place, "from": tier.start, "rate": tier.rate, "applied": place in applied}
            for place, tier in enumerate(tiers.rates)
        ]
        detail = {"mode": tiers.mode, "attribution": tiers.attribution, "tiers": rows, "slices": tuple(self.parts)}
        pieces = [f"{percent_text(part.rate)} of {self.money(part.amount_in_slice)}" for part in self.parts]
        sentence = f"{' and '.join(pieces)} is {self.money(self.exact)}." if pieces else "By its quota it pays nothing."
        return Step("tiers", sentence, self.exact, "money", detail)

    def bonus(self) -> Step:
        bonus = self.component.bonus
        assert bonus is not None
        amount = self.money(bonus.amount)
        detail = {"amount": bonus.amount, "per": bonus.per, "min_deal": bonus.min_deal, "at": bonus.at}
        if bonus.per == "measure_period":
            assert bonus.at is not None
            reached = "reaching" if bonus.boundary == "above" else "passing"
            sentence = f"{reached.capitalize()} {percent_text(bonus.at)} of the quota pays {amount}"
        else:
            least = "" if bonus.min_deal is None else f" of at least {self.money(bonus.min_deal)}"
            sentence = f"Each deal{least} pays {amount}"
        self.exact = Fraction(_bonus_sign(bonus, self.component, self.line) * bonus.amount)
        sentence += f"; this credit earns {self.money(self.exact)}."
        return Step("bonus", sentence, self.exact, "money", detail)

    def accelerator(self) -> Step:
        accelerator = self.component.accelerator
        assert accelerator is not None
        band = accelerator.bands[self.line.band]
        self.exact *= band.times
        rows = [
            {"from": each.start, "times": each.times, "applied": place == self.line.band}
            for place, each in enumerate(accelerator.bands)
        ]
        times = "once" if band.times == 1 else f"{number_text(band.times)} times"
        sentence = f"For a deal of this size it counts {times}: {self.money(self.exact)}."
        return Step("accelerator", sentence, band.times, "factor", {"bands": rows, "earns": self.exact})

    def rounding(self) -> Step:
        plan = self.plan
        to = "minor unit" if plan.round_step == 1 else "whole unit"
        how = "" if plan.round_at == "line" else ", together with the credits before it"
        sentence = f"Rounded to the {to} ({plan.round_mode}){how}: {self.money(self.line.rounded)}."
        detail = {"at": plan.round_at, "mode": plan.round_mode, "step": plan.round_step, "exact": self.exact}
        return Step("rounding", sentence, self.line.rounded, "money", detail)

    def cap(self) -> Step:
        cap, line = self.component.cap, self.line
        assert cap is not None
        assert cap.amount is not None
        per = "deal" if cap.per == "deal" else self.component.every
        lost = line.rounded - line.earned
        effect = f"leaves {self.money(line.earned)}" if lost else "takes nothing away"
        sentence = f"The cap of {self.money(cap.amount)} per {per} {effect}."
        return Step("cap", sentence, line.earned, "money", {"cap": cap.amount, "per": cap.per, "lost": lost})

    def release(self) -> list[Step]:
        steps = []
        for place, (entry, part) in enumerate(zip(self.component.release, self.line.tranches, strict=True)):
            due = part.release_day != MISSING_DAY
            amount, trigger = self.money(part.amount), trigger_text(entry)
            state = f"released on {day_text(part.release_day)}" if due else "still waiting for it"
            at = "on" if entry.at is None else "at"
            sentence = f"{percent_text(entry.share)} {at} {trigger}: {amount}, {state}."
            detail = {"index": place, "on": entry.on, "at": entry.at, "share": entry.share, "met": due}
            detail |= {
                "trigger_day": part.trigger_day if due else None,
                "release_day": part.release_day if due else None,
            }
            steps.append(Step("release", sentence, part.amount, "money", detail))
        return steps


def _bonus_sign(bonus: Bonus, component: Component, line: LineFacts) -> int:
    """Whether a credit earns a bonus (1), takes it back (-1) or neither (0)."""
    if pays_nothing(component, line.quota):
        return 0
    if bonus.per == "credit":
        large = bonus.min_deal is None or abs(line.whole) >= bonus.min_deal
        return large * ((line.amount > 0) - (line.amount < 0))
    if not line.quota:
        reached = line.quota == 0 and component.zero_quota == "highest_tier"
        return int(reached and line.position == 1)
    assert bonus.at is not None
    bound = bonus.at * line.quota
    before, after = (
        total >= bound if bonus.boundary == "above" else total > bound for total in (line.before, line.after)
    )
    return after - before
