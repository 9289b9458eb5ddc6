"""What stands, for forms to offer: plans, components, cost centres and the like; values, and words for each."""

from __future__ import annotations

import json
from collections import defaultdict

from comp.people.models import Attribute
from payouts.models import AccrualPolicy
from payouts.reads.accounting import plans_with_components
from plans.models import Plan, PlanVersion

Offered = list[tuple[str, str]]


def plans_offered() -> Offered:
    """Every plan's key, with its name."""
    return list(Plan.objects.order_by("name", "key").values_list("key", "name"))


def components_offered() -> Offered:
    """The components of published plan versions and those that ever had lines, with the plans that have them."""
    found: dict[str, set[str]] = defaultdict(set)
    published = PlanVersion.objects.filter(state=PlanVersion.State.PUBLISHED)
    for document, name in published.values_list("document", "plan__name"):
        for component in json.loads(document).get("components", ()):
            found[component["key"]].add(name)
    for plan, components in plans_with_components():
        for key in components:
            found[key].add(plan.name)
    return [(key, ", ".join(sorted(found[key]))) for key in sorted(found)]


def attributes_offered(name: Attribute.Name) -> Offered:
    """What an attribute of anybody ever was, such as each cost centre."""
    rows = Attribute.objects.filter(name=name).order_by("value").values_list("value", flat=True)
    return [(value, "") for value in rows.distinct()]


def triggers_offered(unchosen: list[str]) -> Offered:
    """What tranches wait for: first what no share is chosen for, then what one is."""
    chosen = AccrualPolicy.objects.order_by("trigger").values_list("trigger", "share")
    return [*((one, "no share yet") for one in unchosen), *((one, f"{share}% now") for one, share in chosen)]
