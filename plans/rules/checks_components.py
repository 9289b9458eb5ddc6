"""What a component's parts say together, and components with each other. See plans.rules.checks."""

from __future__ import annotations

from plans.rules.about import About
from plans.rules.checks_credit import check_counted, credited, once, rows_of, slug_of
from plans.rules.checks_rates import check_rates
from plans.rules.checks_release import check_release
from plans.rules.look import Look, join
from plans.rules.values import Document


def check_components(look: Look, plan: Document, known: About) -> None:
    """Report what is wrong among components."""
    given = credited(plan)
    keys: dict[str, str] = {}
    for path, component in rows_of(plan, "", "components"):
        once(look, keys, slug_of(component, "key"), join(path, "key"), "component")
        check_counted(look, component, path, given)
        check_rates(look, component, path, known)
        check_release(look, component, path, known)
