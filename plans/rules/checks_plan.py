"""What concerns the plan as a whole: proration, overrides, the settlement, examples. See plans.rules.checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, islice
from typing import Any

from comp.core.errors import Problem
from comp.core.money import NO_CURRENCY
from plans.rules.checks_credit import Row, rows_of
from plans.rules.checks_settlement import check_named, check_settlement
from plans.rules.forms import table_of
from plans.rules.language import ATTRIBUTES, MAX_OVERRIDES
from plans.rules.look import Look, join, listed
from plans.rules.settings import PathError, apply, with_settings
from plans.rules.values import Document

#: What an example may not say: it is of the plan it stands in.
OUTSIDE = ("format", "plan", "plans")

#: So many pairs of overrides are looked at together here; `specialise` refuses whatever else does not fit.
MAX_PAIRS = 200

Judge = Callable[[Document], list[Problem]]


def check_whole(look: Look, plan: Document) -> None:
    """Report what is wrong with the plan as a whole, but for its overrides."""
    if plan.get("on_new_version") == "restart" and "proration" not in plan:
        message = "`restart` prorates quotas, incentives and caps to the days of each version: `proration` is needed."
        look.report("on_new_version", "restart", "carry or rerun, or restart with proration", message)
    if plan.get("currency") == NO_CURRENCY and "currencies" in plan:
        message = "Nothing is converted in a plan without a currency: `currencies` has no place here."
        look.report("currencies", "currencies", "a plan with a currency", message)
    _proration(look, plan)
    by = [table_of(component.get("measure")).get("every") for _, component in rows_of(plan, "", "components")]
    for name in table_of(plan.get("periods")):
        if name not in by:
            message = f"Nothing is measured by {name}."
            look.warn(join("periods", str(name)), name, "periods that a component names", message)
    for path, cap in rows_of(plan, "", "caps"):
        check_named(look, plan, cap, path)
    if isinstance(plan.get("settlement"), dict):
        check_settlement(look, plan, plan["settlement"])
    examples = plan.get("examples")
    for number, example in enumerate(examples if isinstance(examples, list) else []):
        path = join("examples", number)
        if not isinstance(example, dict):
            look.wrong(path, example, "a case: a table with name, people, facts and expect")
            continue
        for key in OUTSIDE:
            if key in example:
                message = f"`{key}` has no place in an example: it is of the plan that it stands in."
                look.report(join(path, key), key, "a case without plan and format", message)


def _proration(look: Look, plan: Document) -> None:
    of = table_of(plan.get("proration")).get("of")
    words = of if isinstance(of, list) else []
    components = [component for _, component in rows_of(plan, "", "components")]
    has = {
        "draw": bool({"draw", "draws"} & set(table_of(plan.get("settlement")))),
        "incentive": any("incentive" in component for component in components),
        "quota": any(isinstance(component.get("quota"), str) for component in components),
        "tiers": any(_prorates(table_of(component.get("tiers"))) for component in components),
        "plan_caps": bool(plan.get("caps")),
        "caps": any(component.get("cap") is not None or "caps" in component for component in components),
    }
    for number, word in enumerate(words):
        if isinstance(word, str) and has.get(word) is False:
            message = f"Nothing is prorated by {word}: this plan has none."
            look.warn(join("proration.of", number), word, "what the plan has", message)


# ------------------------------------------------------------------ overrides


def _prorates(tiers: Document) -> bool:
    """Whether the bounds of tiers are amounts of a whole period."""
    return tiers.get("axis") in ("amount", "units") and tiers.get("mode") != "each"


def check_overrides(look: Look, plan: Document, judge: Judge, before: list[Problem]) -> None:
    """Report paths that lead nowhere, and what is wrong with the plan once an override is in force. `judge` finds the
    problems of a document; those `before` are of the plan itself."""
    rows = rows_of(plan, "", "overrides")
    if len(rows) > MAX_OVERRIDES:
        return  # the form tells it; each of them would have the whole plan checked once more
    known = {(problem.path, problem.message) for problem in before}
    good: list[Row] = []
    seen: dict[tuple[Any, ...], str] = {}
    for path, override in rows:
        whom, settings = override.get("for"), override.get("set")
        if not isinstance(settings, dict) or not isinstance(whom, dict):
            continue
        if not set(whom) & set(ATTRIBUTES):
            message = f"This override is for nobody; say whom by {listed(ATTRIBUTES)}."
            look.report(join(path, "for"), whom, listed(ATTRIBUTES), message)
        lost = False
        for place in settings:
            try:
                apply(plan, {place: settings[place]})
            except PathError as error:
                lost = True
                look.report(join(join(path, "set"), str(place)), str(place), "a path in a component", str(error))
            same = (*sorted(map(str, whom.items())), str(place))
            if same in seen:
                message = f"{place} is set for the same people at {seen[same]}; the later one wins."
                look.warn(join(join(path, "set"), str(place)), str(place), "each once", message)
            seen.setdefault(same, path)
        if lost or any(problem.severity == "error" for problem in before):
            continue
        if not _broken(look, path, "With this override", judge(with_settings(plan, settings)), known):
            good.append((path, override))
    for (first, one), (second, other) in islice(_together(good), MAX_PAIRS):
        if ATTRIBUTES.index(next(iter(one["for"]))) > ATTRIBUTES.index(next(iter(other["for"]))):
            patched = with_settings(with_settings(plan, other["set"]), one["set"])
        else:
            patched = with_settings(with_settings(plan, one["set"]), other["set"])
        _broken(look, second, f"Together with {first}", judge(patched), known)


def _together(rows: list[Row]) -> Iterator[tuple[Row, Row]]:
    """Overrides of different attributes that change one component: somebody may have both."""
    for one, other in combinations(rows, 2):
        components = [{path.split(".")[1] for path in row["set"]} for _, row in (one, other)]
        if set(one[1]["for"]) != set(other[1]["for"]) and components[0] & components[1]:
            yield one, other


def _broken(look: Look, path: str, when: str, found: list[Problem], known: set[tuple[str, str]]) -> bool:
    """Report the errors that were not there before; whether there are any."""
    errors = [each for each in found if each.severity == "error" and (each.path, each.message) not in known]
    for problem in errors:
        look.report(join(path, "set"), problem.found, problem.allowed, f"{when} {problem.path}: {problem.message}")
    return bool(errors)
