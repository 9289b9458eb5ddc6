"""How a line earns: from tiers, points or cells over factors, kickers and rounding to what caps leave."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from payouts.kernel.explain_measure import read_text
from payouts.kernel.line_view import LineView, line_slices
from payouts.kernel.say import Step, Unit, day_text, figure_text, money_text, number_text, percent_text, times_text
from payouts.kernel.slices import EARNED_BEFORE, Slice
from plans.rules.compiled import Cap
from plans.rules.phrases import both, named
from plans.rules.words_rates import size_words


def earning_steps(view: LineView) -> Iterator[Step]:
    """Everything from the base earning to the last cap; nothing for a line that waits or is a result."""
    steps = view.steps
    if view.component.kind == "result":
        yield _result(view)
        return
    if "base" not in steps:
        if view.counts_for == "quota":
            yield Step("nothing", "This credit counts for the quota and not for pay.", 0, "money")
        elif not view.result.lines.waiting[view.row]:
            yield Step("nothing", "By its quota or incentive it pays nothing.", 0, "money")
            if "counterpart" in view.steps or "minimum" in view.steps:
                yield from _left(view)
        return
    if "column" in steps and view.component.tiers is not None and view.component.tiers.columns is not None:
        columns = view.component.tiers.columns
        read = read_text(view, columns.read, steps.get("reads:columns"))
        place = int(steps["column"]) + 1
        sentence = f"{read[0].upper()}{read[1:]}, so column {place} of {len(columns.starts)} counts."
        yield Step("column", sentence, place, "none", {"column": place})
    yield _base(view)
    if steps.get("made_up"):
        yield _made_up(view, steps["made_up"])
    yield from _factors(view)
    yield _rounding(view)
    yield from _left(view)


def _money(view: LineView, value: Fraction | int) -> str:
    return money_text(value, view.plan.currency)


def _result(view: LineView) -> Step:
    groups = view.result.groups
    if groups.result_top is None or groups.result_bottom is None or not groups.result_bottom[view.group]:
        return Step("result", "There is no result yet.", None, "none")
    value = Fraction(int(groups.result_top[view.group]), int(groups.result_bottom[view.group]))
    pays = "number" if view.component.curve is None else view.component.curve.pays
    said = percent_text(value) if pays == "share" else number_text(value)
    if pays == "amount":
        said = _money(view, value)
    unit: Unit = "money" if pays == "amount" else "share"
    return Step("result", f"That gives a result of {said}; it pays nothing by itself.", value, unit)


def _base(view: LineView) -> Step:
    """The base earning: by the parts of it, or as the kind fixes it."""
    component, base = view.component, view.steps["base"]
    if component.tiers is not None or component.curve is not None or component.table is not None:
        return _by_parts(view)
    said = _money(view, base)
    if component.bonus is not None:
        return _bonus(view, base)
    if component.pool is not None:
        pool = component.pool
        total = f"{percent_text(pool.share)} of that" if pool.share is not None else _money(view, pool.amount or 0)
        how = "by points" if pool.divide == "points" else "equally"
        return Step("pool", f"The pool is {total}, divided {how}: your part is {said}.", base, "money")
    if component.rank is not None:
        return Step("rank", f"By your place it earns {said}.", base, "money", {"prizes": component.rank.prizes})
    return Step("scorecard", f"Of the target incentive that is {said}.", base, "money")


def _made_up(view: LineView, amount: Fraction) -> Step:
    """What an opening earned less, or more, than is due of it."""
    less = "less" if amount > 0 else "more"
    sentence = f"What was brought forward earned {_money(view, abs(amount))} {less} than is due of it by this plan: "
    sentence += "that is added." if amount > 0 else "that is taken off."
    return Step("made_up", sentence, amount, "money")


def _bonus(view: LineView, base: Fraction) -> Step:
    bonus = view.component.bonus
    assert bonus is not None
    amount = _money(view, bonus.amount)
    if bonus.per == "measure_period":
        assert bonus.at is not None
        reached = "Reaching" if bonus.boundary == "above" else "Passing"
        sentence = f"{reached} {percent_text(bonus.at)} of the quota pays {amount}"
    else:
        least = ""
        if bonus.min_deal is not None:
            least = f" of at least {size_words(bonus.min_deal, view.component, view.plan.currency)}"
        sentence = f"Each deal{least} pays {amount}"
    detail = {"amount": bonus.amount, "per": bonus.per, "min_deal": bonus.min_deal, "at": bonus.at}
    return Step("bonus", f"{sentence}; this line earns {_money(view, base)}.", base, "money", detail)


def _by_parts(view: LineView) -> Step:
    component, base, parts = view.component, view.steps["base"], line_slices(view)
    detail: dict[str, object] = {"slices": tuple(parts)}
    if component.tiers is not None and component.tiers.columns is None and component.tiers.axis == "attainment":
        tiers, applied = component.tiers, {part.tier for part in parts}
        rows = [
            {"tier": place, "from": tier.start, "rate": tier.rate, "applied": place in applied}
            for place, tier in enumerate(tiers.rates)
        ]
        detail |= {"mode": tiers.mode, "attribution": tiers.attribution, "tiers": rows}
    pieces = [_piece(view, part) for part in parts]
    sentence = f"{' and '.join(pieces)} is {_money(view, base)}."
    if view.counts_for == "pay":
        sentence = f"It counts for pay and not for the quota: {sentence}"
    if not pieces:
        sentence = "That pays nothing."
    elif pieces == [_money(view, base)]:
        sentence = f"That pays {pieces[0]}."
    label = "tiers" if component.tiers is not None else "curve" if component.curve is not None else "table"
    return Step(label, sentence, base, "money", detail)


def _piece(view: LineView, part: Slice) -> str:
    """A part of a line: a rate of an amount, or an amount by itself."""
    unit, currency = view.component.measure.unit, view.plan.currency
    if part.tier == EARNED_BEFORE:
        return f"{_money(view, part.earns)} that was earned before"
    by_amount = view.component.table is not None and view.component.table.pays == "amount"
    if by_amount or (not part.rate and part.earns):
        return _money(view, part.earns)
    amount = figure_text(part.amount_in_slice, unit, currency)
    if unit == "money":
        return f"{percent_text(part.rate)} of {amount}"
    return (
        f"{amount} of {_money(view, part.rate)}"
        if unit == "share"
        else f"{_money(view, part.rate)} for each of {amount}"
    )


def _factors(view: LineView) -> Iterator[Step]:
    """Accelerator, modifiers, kickers, gates with factors and the limit of the rate, each with what it makes."""
    steps, component = view.steps, view.component
    earning = steps["base"]
    if component.accelerator is not None and "accelerator" in steps:
        factor, band = steps["accelerator"], int(view.result.lines.band[view.row])
        earning *= factor
        rows = [
            {"from": each.start, "times": each.times, "applied": place == band}
            for place, each in enumerate(component.accelerator.bands)
        ]
        sentence = f"For a deal of this size it counts {times_text(factor)}: {_money(view, earning)}."
        yield Step("accelerator", sentence, factor, "factor", {"bands": rows, "earns": earning})
    if component.modifiers is not None:
        for modifier in component.modifiers.each:
            factor = steps[f"modifier:{modifier.key}"]
            because = ""
            if modifier.read is not None:
                because = f", as {read_text(view, modifier.read, steps.get(f'reads:{modifier.key}'))}"
            sentence = f"Modifier {modifier.key} counts {times_text(factor)}{because}."
            yield Step("modifier", sentence, factor, "factor", {"modifier": modifier.key})
        earning *= steps["modifiers"]
        how = "multiplied" if component.modifiers.combine == "multiply" else "added up"
        sentence = f"The modifiers {how} count {times_text(steps['modifiers'])}: {_money(view, earning)}."
        yield Step("modifiers", sentence, steps["modifiers"], "factor", {"earns": earning})
    for kicker in component.kickers:
        extra = steps.get(f"kicker:{kicker.key}")
        if extra is not None:
            earning += extra
            sentence = f"Kicker {kicker.key} adds {_money(view, extra)}: {_money(view, earning)}."
            yield Step("kicker", sentence, extra, "money", {"kicker": kicker.key, "earns": earning})
    if "gates" in steps:
        earning *= steps["gates"]
        sentence = f"By its gates it counts {times_text(steps['gates'])}: {_money(view, earning)}."
        yield Step("gates", sentence, steps["gates"], "factor", {"earns": earning})
    if "limit_rate" in steps and component.limit_rate is not None:
        sentence = f"At most {percent_text(component.limit_rate)} is paid: {_money(view, steps['limit_rate'])}."
        yield Step("limit_rate", sentence, steps["limit_rate"], "money", {"limit": component.limit_rate})


def _rounding(view: LineView) -> Step:
    plan, rounded = view.plan, int(view.steps["rounded"])
    to = "minor unit" if plan.round_step == 1 else "whole unit" if plan.round_step == 10**plan.minor_digits else "tens"
    how = {
        "line": "",
        "curve": ", together with the credits before it",
        "total": f", so that the whole {view.component.every} is rounded once",
    }[plan.round_at]
    sentence = f"Rounded to the {to} ({plan.round_mode}){how}: {_money(view, rounded)}."
    detail = {"at": plan.round_at, "mode": plan.round_mode, "step": plan.round_step, "exact": view.steps["exact"]}
    return Step("rounding", sentence, rounded, "money", detail)


def _left(view: LineView) -> Iterator[Step]:
    """The minimum, and what withholding, caps, plan caps and the budget leave; each with what it took."""
    left = int(view.steps["rounded"])
    for name, value in view.steps.items():
        kind = name.split(":")[0]
        if kind not in ("counterpart", "minimum", "withheld", "cap", "gate_cap", "plan_cap", "budget", "floating"):
            continue
        if name.endswith(".limit"):  # told with the step that it belongs to
            continue
        now, limit = int(value), view.known(f"{name}.limit")
        taken, left = left - now, now
        if kind == "counterpart":
            yield _counterpart(view, now)
        elif kind == "minimum":
            yield Step("minimum", f"A line pays at least {_money(view, abs(now))}: {_money(view, now)}.", now, "money")
        elif kind == "withheld":
            yield Step("withheld", "A gate that is not met withholds all of it.", now, "money", {"taken": taken})
        elif kind == "floating":
            sentence = f"At the rate that counts for what was released last it is worth {_money(view, now)}."
            yield Step("floating", sentence, now, "money", {"taken": taken})
        else:
            yield _cap(view, name, limit or 0, taken, now)


def _counterpart(view: LineView, now: int) -> Step:
    """What a counterpart's terms would give, and what comes of it."""
    stated, terms = view.component.counterpart, int(view.steps["counterpart.terms"])
    assert stated is not None
    whose = f"{stated.plan}/{stated.component}"
    given = f"By the terms of {whose} it would be {_money(view, terms)}"
    if stated.share != 1:
        given = f"{percent_text(stated.share)} of what the terms of {whose} give is {_money(view, terms)}"
    # Credit by credit what is taken back follows what was given: the other way round.
    turned = stated.per == "credit" and view.measured < 0
    sentence = f"{given}; {'at least' if (stated.pays == 'larger') != turned else 'at most'} that counts"
    every = "" if stated.per == "credit" else f" for the {view.component.every} as a whole"
    detail = {"terms": terms, "pays": stated.pays, "per": stated.per, "share": stated.share, "of": whose}
    return Step("counterpart", f"{sentence}{every}: {_money(view, now)}.", now, "money", detail)


def _cap(view: LineView, name: str, limit: int, taken: int, left: int) -> Step:
    kind, _, place = name.partition(":")
    component, excess = view.component, "lost"
    if kind == "plan_cap":
        cap = view.plan.caps[int(place) - 1]
        whose = f" of {both(named(key) for key in cap.components)}" if cap.components else ""
        what, excess = f"The plan's cap{whose} of {_money(view, limit)} per {cap.every}", cap.excess
    elif kind == "budget":
        what = f"The budget of {_money(view, limit)}"
        if "budget.left" in view.steps:
            return _budget(view, limit, taken, left)
    elif kind == "gate_cap":
        what = f"The cap of {_money(view, limit)} per {component.every} by gate {place}"
    else:
        stated = component.caps[int(place) - 2] if place else component.cap
        assert stated is not None
        what, excess = f"The cap of {_money(view, limit)} per {_per(view, stated)}", stated.excess
    sentence = f"{what} takes nothing away."
    if taken:
        kept = {"lost": "", "review": f"; {_money(view, taken)} go to review"}
        more = kept.get(excess, f"; {_money(view, taken)} are carried")
        sentence = f"{what} leaves {_money(view, left)}{more}."
    detail = {"cap": limit, "step": name, "excess": excess, "lost": taken}
    return Step("cap" if kind == "cap" else kind, sentence, left, "money", detail)


def _budget(view: LineView, limit: int, taken: int, left: int) -> Step:
    """What a line keeps of a budget, and what comes of the rest beside what all keep."""
    kept, free, had = (view.known(f"budget.{name}") or 0 for name in ("kept", "left", "had"))
    day = day_text(view.known("budget.day") or 0)
    rest = f"{_money(view, free)} of the budget of {_money(view, limit)} were left: {_money(view, left)}."
    sentence = f"Beside what batches took, {rest}"
    if kept:
        sentence = f"It keeps {_money(view, kept)} that a batch took on {day}; {rest}"
    if had:
        came = _money(view, kept) if kept else "nothing"
        sentence = (
            f"A batch took {_money(view, had)} of the budget before. This line had come to {came} when a batch took "
            f"others of it on {day}, so it keeps {came}; {rest}"
        )
    detail = {"cap": limit, "kept": kept, "had": had, "free": free, "lost": taken}
    return Step("budget", sentence, left, "money", detail)


def _per(view: LineView, cap: Cap) -> str:
    return str(view.component.every) if cap.per == "measure_period" else cap.per
