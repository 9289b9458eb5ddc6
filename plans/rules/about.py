"""What the parts of a document need to know of the rest of it: its currency, the types of its fields, the unit that
each component is measured in. Read from documents that may be wrong anywhere: what cannot be told is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from comp.core.money import PLAN_CURRENCIES
from plans.rules.compiled import Unit
from plans.rules.expressions import computed_types
from plans.rules.fields import PERSON_FIELDS, FieldType, field_types, with_deal
from plans.rules.values import Document

#: What a result pays in.
_RESULT_UNITS: Mapping[str, Unit] = {"share": "share", "number": "number", "amount": "money"}
#: The unit of what a read gives, where its word alone says it.
READ_UNITS: Mapping[str, Unit] = {
    "attainment": "share",
    "earning_before_cap": "money",
    "earning": "money",
    "released": "money",
}


@dataclass(frozen=True)
class About:
    currency: str | None
    types: Mapping[str, FieldType]  # of facts: their own, of their deal, custom and computed
    person_types: Mapping[str, FieldType]  # these and those of the person
    class_units: Mapping[str, frozenset[Unit]]  # by credit class
    components: Mapping[str, Document]  # by key
    periods: Mapping[str, Any]  # of the plan's own, by name

    def credits_unit(self, component: Any) -> Unit | None:
        """The unit of the credits that a component counts; where only other plans give them, money."""
        if not isinstance(component, dict):
            return None
        if "reads" in component:
            return "money"
        credits = component.get("credits")
        classes = credits.get("classes") if isinstance(credits, dict) else None
        found: set[Unit] = set()
        for name in classes if isinstance(classes, list) else []:
            found |= self.class_units.get(name, frozenset()) if isinstance(name, str) else set()
        if len(found) == 1:
            return found.pop()
        measure = component.get("measure")
        elsewhere = isinstance(measure, dict) and measure.get("of") in ("team", "pool", "company")
        return "money" if elsewhere and not found else None

    def credit_unit(self, component: Any) -> Literal["money", "units"]:
        """The unit of the size of a fact that a component counts: its amount, or its quantity."""
        return "units" if self.credits_unit(component) == "units" else "money"

    def unit(self, component: Any) -> Unit | None:
        """The unit of a component's measure."""
        if isinstance(component, dict) and component.get("kind") == "scorecard":
            return "share"
        measure = component.get("measure") if isinstance(component, dict) else None
        value = measure.get("value", "sum") if isinstance(measure, dict) else "sum"
        if value == "count":
            return "units"
        if value in ("share", "days"):
            return "share" if value == "share" else "days"
        return self.credits_unit(component)

    def read_unit(self, read: Any) -> Unit | None:
        """The unit of what a read gives; None where it is of another plan and its word does not say."""
        if not isinstance(read, dict):
            return None
        value, name = read.get("value"), read.get("component")
        if not isinstance(value, str) or not isinstance(name, str):
            return None
        component = self.components.get(name, {})
        if value == "result":
            curve = component.get("curve")
            pays = curve.get("pays") if isinstance(curve, dict) else None
            return _RESULT_UNITS.get(pays) if isinstance(pays, str) else None
        return READ_UNITS.get(value) or (self.unit(component) if value == "measure" else None)


def by_period(component: Document) -> bool:
    """Whether a component is worked out once a measure period, not credit by credit."""
    if component.get("kind") in ("result", "scorecard", "pool", "rank"):
        return True
    measure = component.get("measure")
    return isinstance(measure, dict) and measure.get("by") == "period"


def about(document: Any) -> About:
    """What is to be known of a document."""
    document = document if isinstance(document, dict) else {}
    currency = document.get("currency")
    types = with_deal(field_types(document)) | computed_types(document)
    components = document.get("components")
    by_key: dict[str, Document] = {}
    for row in components if isinstance(components, list) else []:
        if isinstance(row, dict) and isinstance(row.get("key"), str):
            by_key.setdefault(row["key"], row)
    return About(
        currency=currency if isinstance(currency, str) and currency in PLAN_CURRENCIES else None,
        types=types,
        person_types={**types, **PERSON_FIELDS},
        class_units=_class_units(document, types),
        components=by_key,
        periods=periods if isinstance(periods := document.get("periods"), dict) else {},
    )


def amount_unit(amount: Any, types: Mapping[str, FieldType]) -> Unit | None:
    """The unit of credit whose amount is this field, or `one`."""
    if amount == "one":
        return "units"
    kind = types.get(amount) if isinstance(amount, str) else None
    return "money" if kind == "money" else "units" if kind == "number" else None


def _class_units(document: Document, types: Mapping[str, FieldType]) -> dict[str, frozenset[Unit]]:
    units: dict[str, frozenset[Unit]] = {}
    rules = document.get("credit_rules")
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict) and isinstance(rule.get("class"), str):
            unit = amount_unit(rule.get("amount"), types)
            known = units.get(rule["class"], frozenset())
            units[rule["class"]] = known if unit is None else known | {unit}
    return units


#: What is known of nothing.
NOTHING = about({})
