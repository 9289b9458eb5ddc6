"""What tranches, clawbacks and releases say together. See plans.rules.checks."""

from __future__ import annotations

from fractions import Fraction

from plans.rules.about import About
from plans.rules.checks_credit import rows_of, slug_of
from plans.rules.checks_rates import percent_from
from plans.rules.fields import FACT_FIELDS
from plans.rules.look import Look, join
from plans.rules.values import Document, percent_text


def check_release(look: Look, component: Document, path: str, known: About) -> None:
    """Report what is wrong among the tranches of a component."""
    total: Fraction | None = Fraction(0)
    seen: set[tuple[str, Fraction | None, str]] = set()
    rows = rows_of(component, path, "release")
    for place, tranche in rows:
        share = percent_from(tranche.get("share"))
        total = None if not share or total is None else total + share
        trigger = slug_of(tranche, "on")
        at = percent_from(tranche.get("at")) if trigger == "usage" else None
        what = (trigger or "", at, str((tranche.get("after"), tranche.get("day"), tranche.get("reading"))))
        if trigger in FACT_FIELDS or trigger == "credit-date":
            message = f"Nothing is released on {trigger}: write credit_date, usage, or the kind of a milestone."
            look.report(join(place, "on"), str(trigger), "credit_date, usage or a kind of milestone", message)
        elif trigger is not None and what in seen:
            message = f"Two tranches are released by the same {trigger}; one with their sum says the same."
            look.warn(join(place, "on"), trigger, "each trigger once", message)
        if trigger is not None:
            seen.add(what)
    listed = component.get("release")
    if rows and len(rows) == len(listed if isinstance(listed, list) else []) and total is not None and total != 1:
        message = f"The released shares sum to {percent_text(total)}; they have to sum to exactly 100%."
        look.report(join(path, "release"), percent_text(total), "100%", message)
