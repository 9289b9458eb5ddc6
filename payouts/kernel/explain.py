"""Why a line is what it is, in sentences: from the fact and its revision to what is released of it, whatever the plan.

Nothing is calculated anew: the sentences tell the trace of the calculation (`calculate(batch, traced=True)`).
"""

from __future__ import annotations

from fractions import Fraction

from crediting.kernel.columns import TRANSFERRED
from payouts.kernel.batch import (
    MILLIONTHS,
    OF_CARRY,
    OF_CREDIT,
    OF_OPENING,
    OF_REVERSAL,
    ROLLED_SPLIT,
    Batch,
    Result,
)
from payouts.kernel.explain_earning import earning_steps
from payouts.kernel.explain_measure import measure_steps
from payouts.kernel.explain_pay import clawback_step, explain_settlement, release_steps, schedule_step
from payouts.kernel.line_view import LineView, line_view
from payouts.kernel.say import Names, Step, day_text, figure_text, money_text, number_text, percent_text, trigger_text

__all__ = ["Names", "Step", "explain", "explain_settlement", "percent_text", "trigger_text"]


def explain(batch: Batch, result: Result, row: int, names: Names) -> list[Step]:
    """The steps to the line at a row of a traced result."""
    assert result.traces is not None, "a line is explained from its trace"
    view = line_view(batch, result, row)
    steps: list[Step] = []
    if view.kind == OF_REVERSAL:
        steps.append(clawback_step(view, names))
    elif view.kind == OF_CARRY:
        steps.append(_carried(view))
    elif view.kind == OF_OPENING:
        steps.append(_brought_forward(view))
    else:
        if view.kind == OF_CREDIT:
            steps += [*_fact(view, names), _credit(view, names)]
        steps += [*measure_steps(view), *earning_steps(view)]
    return [*steps, *schedule_step(view), *release_steps(view)]


def _fact(view: LineView, names: Names) -> list[Step]:
    """What the fact is worth, and the rate at which it was converted."""
    credits, exchange = view.result.credits, view.batch.exchange
    plan = view.batch.plans[int(credits.plan[view.credit])]
    rule = plan.credit_rules[int(credits.rule[view.credit])]
    fact, whole = int(credits.fact[view.credit]), view.known("whole")
    name = names.fact(fact)
    if whole is None:
        return [Step("deal", f"{name} is credited on {_day(view)}.", None, "none", {"fact": name})]
    said = _amount(whole, rule.unit, plan.currency)
    steps = [
        Step(
            "deal",
            f"{name} {'is worth' if rule.unit == 'money' else 'counts'} {said}.",
            whole,
            "money",
            {"fact": name, "field": rule.amount},
        )
    ]
    row = -1 if credits.exchange is None else int(credits.exchange[view.credit])
    if row >= 0 and exchange is not None:
        source, target = (each.vocabulary[int(each.codes[row])] for each in (exchange.source, exchange.target))
        rate = Fraction(int(exchange.top[row]), int(exchange.bottom[row]))
        column = view.batch.facts.money.get(rule.amount)
        own = "" if column is None else f" of {money_text(int(column[fact]), source)}"
        sentence = f"That is its amount{own}, at the rate of {_day(view)}: 1 {source} is {number_text(rate)} {target}."
        steps.append(Step("conversion", sentence, rate, "factor", {"from": source, "to": target, "row": row}))
    return steps


def _day(view: LineView) -> str:
    return day_text(int(view.result.credits.day[view.credit]))


def _amount(value: int, unit: str, currency: str) -> str:
    """An amount of a fact or credit: minor units, or millionths of a unit."""
    if unit == "money":
        return money_text(value, currency)
    return figure_text(Fraction(value, MILLIONTHS), "units", currency)


def _credit(view: LineView, names: Names) -> Step:
    """The rule, the share and the split; the team's parts for credit that rolls up; what a transfer handed on."""
    credits = view.result.credits
    plan = view.batch.plans[int(credits.plan[view.credit])]
    rule = plan.credit_rules[int(credits.rule[view.credit])]
    split, pot, amount = (int(each[view.credit]) for each in (credits.split, credits.pot, credits.amount))
    role = credits.role.vocabulary[int(credits.role.codes[view.credit])]
    name, rolled = names.role(role), split >= ROLLED_SPLIT
    held = credits.held is not None and bool(credits.held[view.credit])
    detail: dict[str, object] = {"rule": rule.key, "role": role, "rolled": rolled, "pot": pot, "credit": amount}

    def said(value: int) -> str:
        return _amount(value, rule.unit, plan.currency)

    if rolled:
        entry = rule.roll_up[split - ROLLED_SPLIT]
        detail["limit"] = entry.limit
        sentence = f"By rule {rule.key}, credits of {said(pot)} by the team roll up to {name}"
        if amount != pot:
            sentence += f", limited to {percent_text(entry.limit)} of the whole: {said(amount)}"
    else:
        shares = [entry for entry in rule.credit if entry.role == role]
        whole = view.known("whole")
        share = shares[0].share if shares and shares[0].by is None else Fraction(pot, whole) if whole else None
        detail["share"] = share
        part = "" if share is None else f" with {percent_text(share)} of it"
        sentence = f"By rule {rule.key}, the role {name} is credited{part}: {said(pot)}"
        if amount != pot:
            sentence += f", of which this part is {said(amount)}"
    if int(credits.kind[view.credit]) == TRANSFERRED:
        giver = _giver(view, role)
        sentence += "; it was handed on" + ("" if giver is None else f" by {names.person(giver)}")
        detail["from"] = giver
    if held:
        sentence += "; it is held"
    return Step("credit", f"{sentence}.", amount, "money", {**detail, "held": held})


def _giver(view: LineView, role: str) -> int | None:
    """Who handed a credit on last, None where it came by more than one hand."""
    handed, facts = view.batch.transfers, view.batch.facts
    if handed is None:
        return None
    fact = int(view.result.credits.fact[view.credit])
    deal = fact if facts.deal is None else int(facts.deal[fact])
    givers = {
        int(handed.giver[row])
        for row in range(handed.deal.size)
        if int(handed.deal[row]) == deal
        and handed.role.vocabulary[int(handed.role.codes[row])] == role
        and int(handed.receiver[row]) == view.participant
    }
    return givers.pop() if len(givers) == 1 else None


def _brought_forward(view: LineView) -> Step:
    """What the system before measured and earned."""
    component, amount, currency = view.component, int(view.result.lines.earned[view.row]), view.plan.currency
    measured = figure_text(Fraction(view.measured, view.per), component.measure.unit, currency)
    sentence = f"Brought forward from the system before: by {day_text(view.day)} it had counted {measured}"
    sentence += f" in this {component.every}, and {money_text(amount, currency)} was earned."
    return Step("opening", sentence, amount, "money", {"measured": view.measured})


def _carried(view: LineView) -> Step:
    amount = view.known("carried") or 0
    said = money_text(amount, view.plan.currency)
    sentence = f"What earlier periods earned beyond the cap pays {said} in this {view.component.every}."
    return Step("carried", sentence, amount, "money")
