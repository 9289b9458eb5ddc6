"""The plan as overrides change it for somebody."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

from comp.core.errors import ProblemsError
from plans.rules.about import about
from plans.rules.checks import check, errors
from plans.rules.compile_components import Maker
from plans.rules.compiled import CompiledPlan, Component
from plans.rules.language import ATTRIBUTES
from plans.rules.settings import with_settings
from plans.rules.values import Document


@lru_cache(maxsize=1024)
def specialise(plan: CompiledPlan, which: tuple[int, ...]) -> CompiledPlan:
    """The plan with the overrides at the places `which` of `plan.overrides` in force: region first, then title,
    position and person, those of one attribute in the order of the text; the later wins. Components keep their keys and
    their order, all else is the plan's own. Each override has been checked alone; several that do not fit together
    raise `ProblemsError`."""
    if not which:
        return plan
    document: Document = json.loads(plan.document)
    places = sorted(set(which), key=lambda place: (ATTRIBUTES.index(plan.overrides[place].attribute), place))
    for place in places:
        settings = {path: json.loads(value) for path, value in plan.overrides[place].settings}
        document = with_settings(document, settings)
    if len(places) > 1:
        problems = errors(check(document))
        if problems:
            raise ProblemsError(problems)
    maker = Maker(plan.key, about(document))
    return replace(plan, components=tuple(maker.component(row) for row in document["components"]))


@lru_cache(maxsize=256)
def stated(plan: CompiledPlan) -> tuple[Component, ...]:
    """The components as the plan states them for everybody, then as it does for those whom each override concerns."""
    found = dict.fromkeys(plan.components)
    for place in range(len(plan.overrides)):
        found |= dict.fromkeys(specialise(plan, (place,)).components)
    return tuple(found)
