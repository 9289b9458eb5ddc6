"""What shapes a line, in sentences: factors, kickers, limits, gates, caps, budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plans.rules.compiled import Budget, Cap, CompiledPlan, Component, Counterpart, Gate, Kicker, Modifier
from plans.rules.phrases import both, condition_words, money, named, share
from plans.rules.words_rates import amount_of, curve_sentences, number, table_sentences
from plans.rules.words_reads import component_words, read_unit, read_words

_PER = {"credit": "credit", "deal": "deal", "year": "year"}
_EXCESS = {
    "lost": "what is above is lost",
    "review": "what is above is reviewed before it is paid",
    "carried": "what is above is carried to the next period",
}


def shape_sentences(component: Component, plan: CompiledPlan) -> Iterator[str]:
    """In the order in which they act."""
    currency = plan.currency
    if component.limit_attainment is not None:
        yield f"Attainment beyond {share(component.limit_attainment)} of quota earns nothing more."
    yield from factor_sentences(component, plan)
    for kicker in component.kickers:
        yield kicker_sentence(kicker, currency)
    if component.limit_rate is not None:
        yield f"No credit pays more than {share(component.limit_rate)} of itself."
    if component.counterpart is not None:
        yield counterpart_sentence(component.counterpart, component, plan)
    if component.minimum is not None:
        yield f"Each credit pays at least {money(component.minimum, currency)}."
    yield from (sentence for gate in component.gates for sentence in gate_sentences(gate, plan))
    if component.cap is not None:
        yield cap_sentence(component.cap, component, plan)
    yield from (cap_sentence(cap, component, plan) for cap in component.caps)
    if component.budget is not None:
        yield budget_sentence(component.budget, currency)


def counterpart_sentence(stated: Counterpart, component: Component, plan: CompiledPlan) -> str:
    what = "credit" if stated.per == "credit" else component.every
    most = "at least" if stated.pays == "larger" else "at most"
    part = "" if stated.share == 1 else f"{share(stated.share)} of "
    terms = component_words(stated.component, stated.plan, plan)
    return f"Each {what} pays {most} {part}what the terms of {terms} would give for it."


def kicker_sentence(kicker: Kicker, currency: str) -> str:
    more = f"{share(kicker.rate)} of it" if kicker.rate is not None else money(kicker.amount or 0, currency)
    when = condition_words(kicker.when, currency)
    return f"{'Each' if when == 'always' else f'Where {when} a'} credit pays {more} on top."


def budget_sentence(budget: Budget, currency: str) -> str:
    after = {"keep": "stays with its line, and late ones share what is left", "redivide": "is divided anew"}
    return (
        f"All together earn at most {money(budget.amount, currency)} of it, first come, first served; "
        f"what was posted {after[budget.after_posting]}."
    )


def cap_sentence(cap: Cap, component: Component, plan: CompiledPlan) -> str:
    per = _PER.get(cap.per, component.every)
    if cap.amount is not None:
        most = money(cap.amount, plan.currency)
    elif cap.of_incentive is not None:
        most = f"{share(cap.of_incentive)} of the target incentive"
    else:
        assert cap.of_component is not None and cap.share is not None
        most = f"{share(cap.share)} of {read_words(cap.of_component, plan)}"
    told = f"At most {most} is earned per {per}; {_EXCESS[cap.excess]}"
    if cap.excess == "carried":
        told += " and counts against its cap" if cap.counts else " beside its cap"
        told += ", until the year ends" if cap.until == "year_end" else ", until it is used up"
    return f"{told}."


def factor_sentences(component: Component, plan: CompiledPlan) -> Iterator[str]:
    if component.modifiers is None:
        return
    for modifier in component.modifiers.each:
        yield from modifier_sentences(modifier, plan)
    if len(component.modifiers.each) > 1:
        how = {
            "multiply": "Several factors are multiplied.",
            "add": "Several factors are added: what each is above 1 comes together.",
        }
        yield how[component.modifiers.combine]


def modifier_sentences(modifier: Modifier, plan: CompiledPlan) -> Iterator[str]:
    currency = plan.currency
    if modifier.times is not None and modifier.when is not None:
        yield f"Where {condition_words(modifier.when, currency)} it is multiplied by {number(modifier.times)}."
    elif modifier.table is not None:
        yield f"It is multiplied by a factor for {named(modifier.key)}."
        yield from table_sentences(modifier.table, currency)
    elif modifier.read is not None and modifier.curve is not None:
        yield f"It is multiplied by a factor for {read_words(modifier.read, plan)}."
        unit, per = read_unit(plan, modifier.read)
        points = tuple(replace(point, at=point.at * per) for point in modifier.curve.points)
        yield from curve_sentences(replace(modifier.curve, points=points), unit, currency, "")


def gate_sentences(gate: Gate, plan: CompiledPlan) -> Iterator[str]:
    currency = plan.currency
    unit, per = read_unit(plan, gate.read)
    least = amount_of(gate.at_least * per, unit, currency)
    else_ = {
        "withhold": "nothing is paid",
        "no_accelerators": "the rates above 100%, factors and extras are left out",
        "cap": f"at most {money(gate.cap or 0, currency)} is earned",
        "times": f"it is multiplied by {number(gate.times) if gate.times is not None else ''}",
    }[gate.effect]
    read = read_words(gate.read, plan)
    yield f"{read[:1].upper()}{read[1:]} has to be at least {least}; else {else_}."
    if gate.read_at == "running":
        if gate.effect == "withhold" and gate.catch_up:
            yield "It is looked at credit by credit; what was withheld is paid once it is reached."
        else:
            yield "It is looked at credit by credit, as it stands then."
    elif gate.until_known == "withhold":
        yield "Until the period is over nothing is paid out."
    else:
        yield "Until the period is over the value of the day decides."


__all__ = ["both", "cap_sentence", "shape_sentences"]
