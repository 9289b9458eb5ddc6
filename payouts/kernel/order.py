"""The order in which components are worked out: what is read comes before what reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from payouts.kernel.errors import ReadingCircle
from plans.rules.compiled import CompiledPlan, Component
from plans.rules.specialise import specialise

#: A component whatever its version: plan key and component key.
Family = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A component as one plan version states it, or as it states it for people whom overrides concern."""

    plan: CompiledPlan
    plan_place: int
    component: Component
    component_place: int


@dataclass(frozen=True, slots=True)
class Step:
    """A component to work out: its versions, its place by document order, and whether others read it."""

    family: Family
    place: int
    versions: tuple[Version, ...]
    is_read: bool


@lru_cache(maxsize=64)
def reading_order(
    plans: tuple[CompiledPlan, ...], in_force: tuple[tuple[int, int], ...] | None = None
) -> tuple[Step, ...]:
    """The components: what is read first, else by document order. The versions of each stand as they came into force.

    Raises ReadingCircle where components read each other in a circle.
    """
    families = _families(plans, in_force)
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
    places = {family: place for place, family in enumerate(families)}
    read_ones = {read for each in reads.values() for read in each}
    return tuple(Step(family, places[family], families[family], family in read_ones) for family in done)


def _families(
    plans: tuple[CompiledPlan, ...], in_force: tuple[tuple[int, int], ...] | None
) -> dict[Family, tuple[Version, ...]]:
    """The versions of each component, in the order in which the components first stand."""
    families: dict[Family, tuple[Version, ...]] = {}
    for plan_place, plan in enumerate(plans):
        for component_place, component in enumerate(plan.components):
            version = Version(plan, plan_place, component, component_place)
            family = (plan.key, component.key)
            families[family] = (*families.get(family, ()), version)
    if in_force is None:
        return families
    return {
        family: tuple(sorted(versions, key=lambda version: in_force[version.plan_place]))
        for family, versions in families.items()
    }


def _reads(versions: tuple[Version, ...]) -> list[Family]:
    """What any version of a component reads, by document order of the versions; what an override lets it read too."""
    found: dict[Family, None] = {}
    for version in versions:
        found |= dict.fromkeys(_read_by(version.plan.key, version.component))
        for place in range(len(version.plan.overrides)):
            component = specialise(version.plan, (place,)).components[version.component_place]
            found |= dict.fromkeys(_read_by(version.plan.key, component))
    return list(found)


def _read_by(plan: str, component: Component) -> list[Family]:
    found = list(component.read_keys())
    if component.scorecard is not None:
        found += [(plan, part.component) for part in component.scorecard.parts]
    return found
