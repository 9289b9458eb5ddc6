"""How earnings become pay: tranches, what reversals take back, schedules, and the waterfall of a pay period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from comp.core.days import day_date
from comp.core.spans import whole_months
from payouts.kernel.batch import (
    AS_PAID,
    DATED,
    HELD,
    LOST,
    MISSING_DAY,
    NO_RATE,
    OF_CARRY,
    OF_OPENING,
    OF_REVERSAL,
    WAITING,
    WITHHELD,
    Batch,
    Result,
)
from payouts.kernel.line_view import LineView
from payouts.kernel.say import Names, Step, day_text, money_text, number_text, percent_text, trigger_text
from payouts.kernel.settled_in import SettledIn
from plans.rules.compiled import CompiledPlan
from plans.rules.compiled_pay import Clawback

#: What is said of a tranche that is not released.
_STATES = {
    WAITING: "still waiting for it",
    HELD: "held with its credit",
    WITHHELD: "withheld by a gate",
    LOST: "lost",
    NO_RATE: "waiting for a rate of exchange",
}


def release_steps(view: LineView) -> Iterator[Step]:
    """Every tranche: its share and trigger, its state and day, and its amount in the currency that is paid."""
    parts = view.result.tranches
    low, high = np.searchsorted(parts.line, [view.row, view.row + 1]).tolist()
    for row in range(low, high):
        amount, place = int(parts.amount[row]), int(parts.index[row])
        trigger, release = int(parts.trigger_day[row]), int(parts.release_day[row])
        waiting = WAITING if release == MISSING_DAY else DATED
        state = waiting if parts.state is None else int(parts.state[row])
        said = f"released on {day_text(release)}" if state == DATED else _STATES[state]
        if view.kind == OF_OPENING and state == WAITING:
            said = "still waiting for what releases it"
        paid, rate = _paid(view, row)
        detail: dict[str, object] = {
            "index": place,
            "part": 0 if parts.part is None else int(parts.part[row]),
            "state": state,
            "met": state == DATED,
            "trigger_day": None if trigger == MISSING_DAY else trigger,
            "release_day": None if state != DATED else release,
            "rate": rate,
        }
        how = "At once"
        if view.kind == OF_OPENING:
            how = "Of that"
        elif view.kind not in (OF_REVERSAL, OF_CARRY):
            entry = view.component.release[place]
            detail |= {"on": entry.on, "at": entry.at, "share": entry.share}
            how = f"{percent_text(entry.share)} {'on' if entry.at is None else 'at'} {trigger_text(entry)}"
        sentence = f"{how}: {money_text(amount, view.plan.currency)}{paid}, {said}."
        yield Step("release", sentence, amount, "money", detail)


def _paid(view: LineView, row: int) -> tuple[str, Fraction | None]:
    """What a tranche is worth in the participant's own currency, and the rate."""
    parts, exchange = view.result.tranches, view.batch.exchange
    target = (view.batch.pay_currency or {}).get(view.participant, view.plan.currency)
    if parts.paid_amount is not None and parts.exchange is not None and parts.exchange[row] == AS_PAID:
        return _aside(int(parts.paid_amount[row]), target, "as it was paid"), None
    if parts.paid_amount is None or parts.exchange is None or exchange is None or parts.exchange[row] < 0:
        return "", None
    at = int(parts.exchange[row])
    rate = Fraction(int(exchange.top[at]), int(exchange.bottom[at]))
    return _aside(int(parts.paid_amount[row]), target, f"at {number_text(rate)}"), rate


def _aside(minor: int, currency: str, how: str) -> str:
    """An amount beside another; one below zero has parentheses of its own."""
    text = f"{money_text(minor, currency)} {how}"
    return f", {text}" if minor < 0 else f" ({text})"


def schedule_step(view: LineView) -> Iterator[Step]:
    """Over how many months a line is spread."""
    spread = view.result.schedules
    if spread is None:
        return
    rows = np.flatnonzero(spread.line == view.row)
    if rows.size:
        first, last = (f"{day_date(int(spread.month[row])):%B %Y}" for row in (rows[0], rows[-1]))
        months = "1 month" if rows.size == 1 else f"{rows.size} months"
        yield Step("schedule", f"It is spread over {months}, from {first} to {last}.", int(rows.size), "none")


def clawback_step(view: LineView, names: Names) -> Step:
    """What a reversal takes back, and by which formula."""
    lines, clawback, currency = view.result.lines, view.component.clawback, view.plan.currency
    assert lines.origin is not None and clawback is not None
    origin = int(lines.origin[view.row])
    since = int(view.result.credits.day[view.credit])
    back = -int(lines.earned[view.row])
    of, part = view.steps.get("clawback.of", Fraction(0)), view.steps.get("clawback.part", Fraction(0))
    sentence = f"{names.fact(view.fact)} of {day_text(view.day)} reverses what was earned on {day_text(since)}: "
    sentence += f"{_formula(clawback, since, view.day)}, {percent_text(part)} of {money_text(of, currency)} by now"
    if clawback.floor is not None and part == 1 - clawback.floor:
        sentence += f", for {percent_text(clawback.floor)} stays"
    earlier = abs(int(of * part)) - abs(back)
    sentence += f"; {money_text(back, currency)} is taken back" + (" after what was before" if earlier > 1 else "")
    elapsed = int(whole_months(np.array([since]), np.array([view.day]))[0])
    detail = {"origin": origin, "of": of, "part": part, "months": elapsed, "formula": clawback.formula}
    return Step("clawback", f"{sentence}.", -back, "money", detail)


def _formula(clawback: Clawback, since: int, day: int) -> str:
    """A formula with the time that has passed."""
    elapsed = int(whole_months(np.array([since]), np.array([day]))[0]) + (clawback.failing_month == "counts")
    months = "1 month" if elapsed == 1 else f"{elapsed} months"
    have = "has" if elapsed == 1 else "have"
    match clawback.formula:
        case "pro_rata":
            term = clawback.term_months if isinstance(clawback.term_months, int) else "the term's"
            return f"{months} of {term} {have} passed"
        case "window" if clawback.window_days is not None:
            return f"{day - since} days have passed, within {clawback.window_days} all is taken back"
        case "window":
            return f"{months} {have} passed, within {clawback.window_months} all is taken back"
        case "table":
            return f"by the table for {months}"
        case "uncollected":
            return "the part that was not collected"
        case _:
            return "the part that is reversed"


_WATERFALL = {
    "releases": (("released", "Released: {0}."),),
    "adjustments": (("adjusted", "Adjustments: {0}."),),
    "clawbacks": (("clawed_back", "Taken back: {0}."),),
    "carried": (("brought_forward", "Brought forward: {0}."),),
    "recovery": (("recovered", "Recovered of the draw: {0}."),),
    "cap": (("capped", "Above the payment cap: {0}."), ("review", "Of it to review: {0}.")),
    "holdback": (("held_back", "Held back: {0}."),),
    "top_up": (("topped_up", "Topped up: {0}."),),
}
#: What stands behind all steps.
_CLOSING = (
    ("carried_forward", "Carried into the next period: {0}."),
    ("forgiven", "Of clawbacks forgiven: {0}."),
    ("clawback_balance", "Of clawbacks is owed: {0}."),
    ("kept_adjustments", "Of adjustments is kept until they add up: {0}."),
    ("written_off", "Of the draw written off: {0}."),
    ("draw_balance", "The draw stands at {0}."),
)
#: What is said of each draw where they have keys.
_OF_DRAWS = {
    "recovered": "Recovered of the draw {1}: {0}.",
    "topped_up": "Topped up by the draw {1}: {0}.",
    "written_off": "Of the draw {1} written off: {0}.",
    "draw_balance": "The draw {1} stands at {0}.",
}
#: All that is told of a settlement.
_COLUMNS = (
    *(column for each in _WATERFALL.values() for column, _ in each),
    *(column for column, _ in _CLOSING),
    "payout",
)
#: In which order a period is told that no settlement of the plan takes care of.
_UNSETTLED = ("releases", "adjustments", "clawbacks", "carried")
_ON_NET = ("released", "adjusted", "clawed_back", "brought_forward", "recovered", "capped", "held_back", "topped_up")


def _by_draw(result: Result, row: int, column: str) -> list[tuple[str, int]]:
    """The amounts of a column by draw, where draws have keys."""
    draws = result.draws
    if draws is None or column not in _OF_DRAWS:
        return []
    amounts = draws.balance if column == "draw_balance" else getattr(draws, column)
    rows = np.flatnonzero((draws.settlement == row) & (amounts != 0)).tolist()
    return [(draws.key.vocabulary[draws.key.codes[each]], int(amounts[each])) for each in rows]


def explain_settlement(batch: Batch, result: Result, row: int) -> list[Step]:
    """The waterfall of a participant's pay period, in the plan's order; steps that did nothing are left out."""
    settled = result.settlements
    assert settled is not None
    plan = batch.plans[int(settled.plan[row])]
    amounts = {name: int(getattr(settled, name)[row]) for name in _COLUMNS}
    draws = {name: _by_draw(result, row, name) for name in _OF_DRAWS}
    at, rate = int(settled.exchange[row]), None
    if at >= 0 and batch.exchange is not None:
        rate = Fraction(int(batch.exchange.top[at]), int(batch.exchange.bottom[at]))
    currency = SettledIn(batch).currency(int(settled.plan[row]), int(settled.participant[row]))
    return settlement_steps(plan, amounts, draws, currency, rate)


def settlement_steps(
    plan: CompiledPlan,
    amounts: Mapping[str, int],
    draws: Mapping[str, Sequence[tuple[str, int]]],
    currency: str,
    rate: Fraction | None,
) -> list[Step]:
    """The same of amounts by column of Settlements, and of those of draws that have keys, by key; `rate` is the one by
    which amounts of the plan are converted into the currency that it settles the person in, None for none."""
    order = _UNSETTLED if plan.settlement is None else plan.settlement.order
    steps, net = [], 0
    if rate is not None:
        said = f"Settled in {currency}: amounts that the plan states in {plan.currency} count at {number_text(rate)}."
        steps.append(Step("rate", said, rate, "factor"))
    for name in order:
        for column, sentence in _WATERFALL[name]:
            if not amounts[column]:
                continue
            for key, part in draws.get(column) or [("", amounts[column])]:
                net += part if column in _ON_NET else 0
                said = (_OF_DRAWS[column] if key else sentence).format(money_text(part, currency), key)
                steps.append(Step(column, said, part, "money", {"step": name, "net": net}))
    for column, sentence in _CLOSING:
        if amounts[column]:
            for key, part in draws.get(column) or [("", amounts[column])]:
                said = (_OF_DRAWS[column] if key else sentence).format(money_text(part, currency), key)
                steps.append(Step(column, said, part, "money"))
    payout = amounts["payout"]
    return [*steps, Step("payout", f"Paid: {money_text(payout, currency)}.", payout, "money", {"net": net})]
