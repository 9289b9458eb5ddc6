"""What tranches, clawbacks and floating rates say together. See plans.rules.checks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from plans.rules.about import About, by_period
from plans.rules.checks_credit import Row, rows_of, slug_of, slugs_of
from plans.rules.checks_rates import rising, value_of
from plans.rules.fields import FACT_FIELDS
from plans.rules.forms import table_of
from plans.rules.look import Look, join, listed
from plans.rules.values import Document, percent_text, read_percent, read_whole

#: What a line that no deal gave can be released by.
DEALLESS = ("credit_date", "date", "period_end")


def check_release(look: Look, plan: Document, component: Document, path: str, known: About) -> None:
    """Report what is wrong among a component's tranches and clawbacks."""
    rows = rows_of(component, path, "release")
    _shares(look, component, rows, path)
    seen: set[str] = set()
    creating = _milestones(plan, component)
    for place, tranche in rows:
        trigger = slug_of(tranche, "on")
        if trigger is None:
            continue
        same = str(sorted((key, str(value)) for key, value in tranche.items() if key != "share"))
        if trigger in FACT_FIELDS or trigger == "credit-date":
            message = f"Nothing is released on {trigger}: write credit_date, usage, or the kind of a milestone."
            look.report(join(place, "on"), trigger, "credit_date, usage or a kind of milestone", message)
        elif same in seen:
            message = f"Two tranches are released by the same {trigger}; one with their sum says the same."
            look.warn(join(place, "on"), trigger, "each trigger once", message)
        elif by_period(component) and trigger not in DEALLESS:
            message = f"A line of a measure period belongs to no deal, so that {trigger} never comes."
            look.report(join(place, "on"), trigger, listed(DEALLESS), f"{message} Allowed: {listed(DEALLESS)}.")
        elif trigger in creating or ("" in creating and _is_milestone(trigger)):
            message = f"The milestone {trigger} gives this component its credit; it cannot release it as well."
            look.report(join(place, "on"), trigger, "a trigger that gives no credit here", message)
        seen.add(same)
    _floating(look, component, path)
    _clawback(look, plan, component, path)


def _shares(look: Look, component: Document, rows: list[Row], path: str) -> None:
    shares = [read_percent(row.get("share")) for _, row in rows]
    listed_rows = component.get("release")
    whole = isinstance(listed_rows, list) and len(rows) == len(listed_rows)
    if not rows or not whole or any(share is None or not 0 < share <= 1000 for share in shares):
        return
    total = sum((share for share in shares if share is not None), Fraction(0))
    if total != 1:
        message = f"The released shares sum to {percent_text(total)}; they have to sum to exactly 100%."
        look.report(join(path, "release"), percent_text(total), "100%", message)


def _is_milestone(trigger: str) -> bool:
    return trigger not in (*DEALLESS, "usage", "paid")


def _milestones(plan: Document, component: Document) -> set[str]:
    """The kinds of milestone that give a component its credit; the empty text where a rule takes any kind."""
    credits = table_of(component.get("credits"))
    classes, roles = slugs_of(credits, "classes"), slugs_of(credits, "roles")
    found: set[str] = set()
    for path, rule in rows_of(plan, "", "credit_rules"):
        given = [row.get("role") for _, row in rows_of(rule, path, "credit")]
        given += [row.get("to") for _, row in rows_of(rule, path, "roll_up")]
        if rule.get("fact") == "milestone" and rule.get("class") in classes and set(map(str, given)) & set(roles):
            found |= _kinds(rule.get("when")) or {""}
    return found


def _kinds(condition: Any) -> set[str]:
    """The values of `type` that a condition asks for."""
    condition = table_of(condition)
    if condition.get("field") == "type" and condition.get("op") in ("is", "in"):
        value = condition.get("value")
        return {str(item) for item in (value if isinstance(value, list) else [value])}
    parts = condition.get("all") or condition.get("any")
    return set().union(*(_kinds(part) for part in parts)) if isinstance(parts, list) else set()


def _floating(look: Look, component: Document, path: str) -> None:
    rate = component.get("release_rate")
    if rate not in ("this_share", "true_up"):
        return
    tiers = table_of(component.get("tiers"))
    if tiers.get("mode") != "retroactive" or tiers.get("attribution") != "proportional" or by_period(component):
        allowed = "retroactive, proportional tiers, credit by credit"
        message = f"A rate floats only with {allowed}: without them a line keeps the rate that it was earned at."
        look.report(join(path, "release_rate"), rate, allowed, message)
    fixed = [key for key in ("cap", "caps", "counterpart", "minimum", "budget") if component.get(key)]
    fixed += ["paid" for _, tranche in rows_of(component, path, "release") if tranche.get("on") == "paid"]
    for key in dict.fromkeys(fixed):
        message = f"What a floating rate comes to is known tranche by tranche; {key} needs it known at once."
        look.report(join(path, "release_rate"), rate, f"no {key}", message)


def _clawback(look: Look, plan: Document, component: Document, path: str) -> None:
    clawback = table_of(component.get("clawback"))
    path = join(path, "clawback")
    if not clawback:
        return
    if by_period(component):
        message = "A line of a measure period belongs to no deal, so that nothing takes it back."
        look.report(path, "by period", "a component that is measured by credit", message)
    rows = rows_of(clawback, path, "table")
    if clawback.get("formula") == "table" and rows:
        months = [read_whole(row.get("from")) for _, row in rows]
        if months[0]:
            message = f"The first row starts after {months[0]} months; it has to start at 0."
            look.report(join(rows[0][0], "from"), str(months[0]), "0", message)
        rising(look, months, [join(place, "from") for place, _ in rows], "row", str)
    if clawback.get("exchange") == "origin" and "currencies" not in plan:
        message = "Nothing is converted for people here: the plan has no `currencies`."
        look.warn(join(path, "exchange"), "origin", "currencies in the plan", message)
    floor = read_percent(clawback.get("floor"))
    if floor is not None and floor >= 1:
        message = f"With a floor of {percent_text(floor)} nothing is ever taken back."
        look.report(join(path, "floor"), percent_text(floor), "above 0% and below 100%", message)
    for place, row in rows:
        share = value_of(row.get("share"), "share", look)
        if share is not None and share > 1:
            message = f"At most all can be taken back; found {percent_text(share)}."
            look.report(join(place, "share"), percent_text(share), "0% to 100%", message)
