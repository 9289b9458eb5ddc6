"""Overrides: what a plan version states for people of some region, title, position or name. See number 27 of
docs/plan-language.md.

Every set of overrides that some person meets on some day makes one more version of each component, so that lines of
such people are rated like those of any other version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from crediting.kernel.people import Careers
from payouts.kernel.batch import Attributes, Batch, Ints
from payouts.kernel.order import Version
from plans.rules.compiled import CompiledPlan
from plans.rules.specialise import specialise

#: From places in the versions, participant ids and days to the places of the versions that state their terms.
Variant = Callable[[Ints, Ints, Ints], Ints]
#: Later ones win.
_ATTRIBUTES = ("region", "title", "position", "person")


class Variants:
    def __init__(self, batch: Batch, careers: Careers) -> None:
        self._attributes = batch.attributes
        self._careers = careers
        self._of_plans: dict[int, _Terms] = {}

    def extended(self, versions: tuple[Version, ...]) -> tuple[tuple[Version, ...], Variant | None]:
        """The versions with those for overrides behind them, and who has which; None where no override is met."""
        attributes = self._attributes
        if attributes is None or not any(version.plan.overrides for version in versions):
            return versions, None
        found = list(versions)
        terms: list[tuple[_Terms, Ints] | None] = []
        for place, version in enumerate(versions):
            mine = self._terms(version, attributes)
            if mine is None:
                terms.append(None)
                continue
            places = [place]
            for plan in mine.plans:
                places.append(len(found))
                found.append(replace(version, plan=plan, component=plan.components[version.component_place]))
            terms.append((mine, np.array(places, dtype=np.int64)))

        def variant(version: Ints, participant: Ints, day: Ints) -> Ints:
            result = version.copy()
            for place, each in enumerate(terms):
                rows = np.flatnonzero(version == place) if each is not None else version[:0]
                if each is not None and rows.size:
                    mine, places = each
                    result[rows] = places[mine.of(self._careers, participant[rows], day[rows])]
            return result

        return tuple(found), variant

    def _terms(self, version: Version, attributes: Attributes) -> _Terms | None:
        if not version.plan.overrides:
            return None
        place = version.plan_place
        if place not in self._of_plans:
            self._of_plans[place] = _Terms(version.plan, attributes, self._careers)
        return self._of_plans[place] if self._of_plans[place].plans else None


class _Terms:
    """The plans that a plan with overrides is for some people; number 0 is the plan itself, then `plans`."""

    def __init__(self, plan: CompiledPlan, attributes: Attributes, careers: Careers) -> None:
        self._names = [name for name in _ATTRIBUTES if any(each.attribute == name for each in plan.overrides)]
        self._values: dict[str, list[str]] = {
            name: list(dict.fromkeys(each.value for each in plan.overrides if each.attribute == name))
            for name in self._names
        }
        # Whoever meets overrides on some day meets the same on a day on which an attribute begins or ends.
        participant = np.concatenate((attributes.participant, attributes.participant))
        keys = np.unique(self._key(careers, participant, np.concatenate((attributes.start, attributes.end))))
        self._keys = keys[keys > 0]
        self.plans = [specialise(plan, self._met(plan, int(key))) for key in self._keys]

    def of(self, careers: Careers, participant: Ints, day: Ints) -> Ints:
        """The number of each person's terms on a day."""
        key = self._key(careers, participant, day)
        return np.where(key > 0, np.searchsorted(self._keys, key) + 1, 0)

    def _key(self, careers: Careers, participant: Ints, day: Ints) -> Ints:
        """What each person's attributes are, as one number with a digit an attribute: 0 for what no override names."""
        key = np.zeros(participant.size, dtype=np.int64)
        for name in self._names:
            text, values = careers.attribute(name, participant, day), self._values[name]
            digits = [values.index(word) + 1 if word in values else 0 for word in text.vocabulary]
            # A missing value is code -1, which picks the last.
            key = key * (len(values) + 1) + np.array([*digits, 0], dtype=np.int64)[text.codes]
        return key

    def _met(self, plan: CompiledPlan, key: int) -> tuple[int, ...]:
        """The places of the overrides that a key stands for: by attribute, the later winning, then as they stand."""
        met: list[int] = []
        for name in reversed(self._names):
            key, digit = divmod(key, len(self._values[name]) + 1)
            if digit:
                value = self._values[name][digit - 1]
                met[:0] = [
                    place for place, each in enumerate(plan.overrides) if (each.attribute, each.value) == (name, value)
                ]
        return tuple(met)
