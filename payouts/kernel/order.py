"""The order in which components are worked out: what is read comes before what reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from payouts.kernel.errors import ReadingCircle
from plans.rules.compiled import CompiledPlan, Component

#: A component whatever its version: plan key and component key.
Family = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A component as one plan version states it, or as it states it for people whom overrides concern."""

    plan: CompiledPlan
    plan_place: int
    component: Component
    component_place: int


@lru_cache(maxsize=64)
def reading_order(plans: tuple[CompiledPlan, ...]) -> tuple[tuple[int, tuple[Version, ...]], ...]:
    """The components, each with its versions and its place by document order: what is read first, else by place.

    Raises ReadingCircle where components read each other in a circle.
    """
    families = _families(plans)
    places = {family: place for place, family in enumerate(families)}
    reads = {family: _reads(versions) for family, versions in families.items()}
    done: dict[Family, None] = {}
    path: list[Family] = []

    def visit(family: Family) -> None:
        if family in done or family not in families:
            return
        if family in path:
            circle = [*path[path.index(family) :], family]
            raise ReadingCircle(
                "Components read each other in a circle: "
                + " reads ".join("/".join(each) for each in circle)
                + "; each may only read what does not depend on it."
            )
        path.append(family)
        for read in reads[family]:
            visit(read)
        path.pop()
        done[family] = None

    for family in families:
        visit(family)
    return tuple((places[family], families[family]) for family in done)


def _families(plans: tuple[CompiledPlan, ...]) -> dict[Family, tuple[Version, ...]]:
    """The versions of each component, in the order in which they first stand."""
    families: dict[Family, tuple[Version, ...]] = {}
    for plan_place, plan in enumerate(plans):
        for component_place, component in enumerate(plan.components):
            version = Version(plan, plan_place, component, component_place)
            family = (plan.key, component.key)
            families[family] = (*families.get(family, ()), version)
    return families


def _reads(versions: tuple[Version, ...]) -> list[Family]:
    """What any version of a component reads, by document order of the versions."""
    found: dict[Family, None] = {}
    for version in versions:
        found |= dict.fromkeys(version.component.read_keys())
        if version.component.scorecard is not None:
            found |= dict.fromkeys((version.plan.key, part.component) for part in version.component.scorecard.parts)
    return list(found)
