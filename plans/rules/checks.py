"""Everything that is wrong with a plan document, at once. The language: docs/plan-language.md.

An error keeps a document from being used. A warning is allowed but likely to surprise: a jump of pay at a tier, credit
that nothing counts.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from comp.core.errors import Problem
from comp.core.money import CURRENCIES
from plans.rules.conditions import check_condition
from plans.rules.fields import CUSTOM_FIELD, DEAL_FIELDS, FIELD_TYPES, FieldType, field_types, fields_of
from plans.rules.look import Look, join, listed, shown
from plans.rules.values import Document, percent_text

FORMAT = "comp/plan/1"
MAX_RULES = 50
MAX_COMPONENTS = 50
MAX_TIERS = 50
MAX_TRANCHES = 20
MAX_ROLES = 50
MAX_LEVELS = 10

PLAN = ("format", "key", "name", "currency", "on_new_version", "rounding", "credit_rules", "components")
RULE = ("key", "fact", "class", "when", "credit_date", "amount", "credit", "roll_up")
COMPONENT = ("key", "name", "clause", "kind", "credits", "measure", "quota", "cap", "release")
OUTCOMES = ("missing_quota", "zero_quota")
COMMISSION = (*OUTCOMES, "below_zero", "tiers", "accelerator")

MISSING_QUOTA = ("wait", "lowest_tier")
ZERO_QUOTA = ("wait", "no_pay", "lowest_tier", "highest_tier")
BELOW_ZERO = ("lowest_tier", "no_pay")
BOUNDARY = ("above", "below")

#: Roles that a rule credits, by credit class.
Credited = dict[str, set[str]]


def check(document: Any) -> list[Problem]:
    """All problems of a document, in its order. No errors among them: `compile_plan` takes it."""
    look = Look()
    plan = look.table(document, "", PLAN, ("fields",))
    if not plan:
        return look.problems
    look.word(plan, "", "format", (FORMAT,))
    look.slug(plan, "", "key")
    look.text(plan, "", "name", 120)
    _currency(look, plan)
    look.word(plan, "", "on_new_version", ("carry",))
    if "rounding" in plan:
        rounding = look.table(plan["rounding"], "rounding", ("at", "mode", "step"))
        look.word(rounding, "rounding", "at", ("line", "curve"))
        look.word(rounding, "rounding", "mode", ("half-even", "half-up"))
        look.word(rounding, "rounding", "step", ("minor", "whole"))
    _fields(look, plan)
    credited = _credit_rules(look, plan, field_types(plan))
    _components(look, plan, credited)
    return look.problems


def errors(problems: list[Problem]) -> list[Problem]:
    """Those that keep a document from being used."""
    return [problem for problem in problems if problem.severity == "error"]


def _currency(look: Look, plan: Document) -> None:
    currency = plan.get("currency")
    if isinstance(currency, str) and currency in CURRENCIES:
        look.currency = currency
    elif "currency" in plan:
        look.wrong("currency", currency, "a known code of ISO 4217, like USD, EUR or JPY")


def _fields(look: Look, plan: Document) -> None:
    fields = plan.get("fields", {})
    if not isinstance(fields, dict):
        look.wrong("fields", fields, "a table of custom fields and their types")
        return
    for name in fields:
        path = join("fields", str(name))
        if name in DEAL_FIELDS:
            look.report(path, name, "custom.*", f"Every deal has {name}; it is not declared.")
        elif not isinstance(name, str) or not CUSTOM_FIELD.fullmatch(name):
            allowed = "custom. and small letters, digits and underscores, like custom.term_months"
            look.report(path, str(name), allowed, f"{name} is no name for a field of your own; allowed: {allowed}.")
        look.word(fields, "fields", name, FIELD_TYPES)


# ------------------------------------------------------------------ who is credited


def _credit_rules(look: Look, plan: Document, types: dict[str, FieldType]) -> Credited:
    credited: Credited = {}
    keys: dict[str, str] = {}
    for path, row in look.rows(plan, "", "credit_rules", 1, MAX_RULES, "credit rules"):
        rule = look.table(row, path, RULE)
        _once(look, keys, look.slug(rule, path, "key"), join(path, "key"), "credit rule")
        look.word(rule, path, "fact", ("deal",))
        credit_class = look.slug(rule, path, "class")
        if "when" in rule:
            check_condition(look, rule["when"], join(path, "when"), types)
        _field(look, rule, path, "credit_date", "date", types)
        _field(look, rule, path, "amount", "money", types)
        roles = _credit(look, rule, path)
        roles |= _roll_up(look, rule, path, roles)
        if credit_class is not None:
            credited.setdefault(credit_class, set()).update(roles)
    return credited


def _field(look: Look, rule: Document, path: str, key: str, kind: FieldType, types: dict[str, FieldType]) -> None:
    if key not in rule:
        return
    name = rule[key]
    allowed = f"a {kind} field: {listed(fields_of(types, kind))}"
    if not isinstance(name, str) or name not in types:
        look.report(join(path, key), name, allowed, f"A deal has no field {shown(name)}; allowed is {allowed}.")
    elif types[name] != kind:
        look.report(join(path, key), name, allowed, f"{name} is a {types[name]}; allowed is {allowed}.")


def _credit(look: Look, rule: Document, path: str) -> set[str]:
    roles: dict[str, str] = {}
    for place, row in look.rows(rule, path, "credit", 1, MAX_ROLES, "roles"):
        entry = look.table(row, place, ("role", "share"))
        _once(look, roles, look.slug(entry, place, "role"), join(place, "role"), "role of this rule")
        look.percent(entry, place, "share", zero=False)
    return set(roles)


def _roll_up(look: Look, rule: Document, path: str, roles: set[str]) -> set[str]:
    receivers: set[str] = set()
    for place, row in look.rows(rule, path, "roll_up", 0, MAX_ROLES, "roll-ups"):
        entry = look.table(row, place, ("from", "to", "levels", "limit"))
        for role in look.slugs(entry, place, "from", "roles"):
            if role not in roles:
                number = entry["from"].index(role)
                allowed = f"a role that this rule credits: {listed(sorted(roles)) if roles else 'none so far'}"
                message = f"Nothing rolls up from {role}: this rule does not credit that role."
                look.report(join(join(place, "from"), number), role, allowed, message)
        to = look.slug(entry, place, "to")
        if to is not None and to in receivers:
            message = f"A second roll-up to {to}: a manager whom both reach counts the deal twice."
            look.warn(join(place, "to"), to, "one roll-up for each receiving role", message)
        if to is not None:
            receivers.add(to)
        look.whole(entry, place, "levels", 1, MAX_LEVELS)
        look.percent(entry, place, "limit", zero=False)
    return receivers


# ------------------------------------------------------------------ what credit earns


def _components(look: Look, plan: Document, credited: Credited) -> None:
    keys: dict[str, str] = {}
    counted: Credited = {}
    for path, row in look.rows(plan, "", "components", 1, MAX_COMPONENTS, "components"):
        component = _component_table(look, row, path)
        _once(look, keys, look.slug(component, path, "key"), join(path, "key"), "component")
        look.text(component, path, "name", 120)
        look.text(component, path, "clause", 2000)
        look.word(component, path, "kind", ("commission", "bonus"))
        _credits(look, component, path, credited, counted)
        if "measure" in component:
            measure = look.table(component["measure"], join(path, "measure"), ("every",))
            look.word(measure, join(path, "measure"), "every", ("month", "quarter", "year"))
        _quota(look, component, path)
        look.word(component, path, "below_zero", BELOW_ZERO)
        if component.get("kind") == "commission" and "tiers" in component:
            _tiers(look, component["tiers"], join(path, "tiers"))
        if component.get("accelerator") is not None:
            _accelerator(look, component["accelerator"], join(path, "accelerator"))
        if component.get("kind") == "bonus" and "bonus" in component:
            _bonus(look, component["bonus"], join(path, "bonus"))
        _cap(look, component, path)
        _release(look, component, path)
    _uncounted(look, plan, counted)


def _component_table(look: Look, row: Any, path: str) -> Document:
    """The component with its keys checked; which are needed depends on its kind and on what a bonus is paid per."""
    kind = row.get("kind") if isinstance(row, dict) else None
    if kind == "commission":
        return look.table(row, path, (*COMPONENT, *COMMISSION))
    if kind != "bonus":
        return look.table(row, path, COMPONENT, (*COMMISSION, "bonus"))
    bonus = row.get("bonus")
    by_measure = isinstance(bonus, dict) and bonus.get("per") == "measure_period"
    return look.table(row, path, (*COMPONENT, "bonus", *(OUTCOMES if by_measure else ())))


def _credits(look: Look, component: Document, path: str, credited: Credited, counted: Credited) -> None:
    if "credits" not in component:
        return
    path = join(path, "credits")
    credits = look.table(component["credits"], path, ("classes", "roles"))
    classes = look.slugs(credits, path, "classes", "credit classes")
    roles = look.slugs(credits, path, "roles", "roles")
    for name in classes:
        counted.setdefault(name, set()).update(roles)
        if credited and name not in credited:
            allowed = listed(sorted(credited))
            message = f"No credit rule gives credit of the class {name}; classes given: {allowed}."
            look.report(join(path, "classes"), name, allowed, message)
    given: set[str] = set().union(*(credited.get(name, set()) for name in classes))
    for role in roles:
        if given and role not in given:
            allowed = listed(sorted(given))
            message = f"No credit rule credits the role {role} in {listed(classes)}; roles credited: {allowed}."
            look.report(join(path, "roles"), role, allowed, message)


def _uncounted(look: Look, plan: Document, counted: Credited) -> None:
    """Warn of credit that no component counts."""
    rules = plan.get("credit_rules")
    for place, rule in enumerate(rules if isinstance(rules, list) else []):
        if not isinstance(rule, dict) or not isinstance(rule.get("class"), str):
            continue
        roles = counted.get(rule["class"], set()) | _rolled_from(rule)
        path = join("credit_rules", place)
        for list_key, role_key in (("credit", "role"), ("roll_up", "to")):
            rows = rule.get(list_key)
            for number, row in enumerate(rows if isinstance(rows, list) else []):
                role = row.get(role_key) if isinstance(row, dict) else None
                if isinstance(role, str) and role not in roles:
                    message = f"No component counts {rule['class']} credit of the role {role}: it earns nothing."
                    where = join(join(join(path, list_key), number), role_key)
                    look.warn(where, role, "a role that a component counts", message)


def _rolled_from(rule: Document) -> set[str]:
    """Roles that a rule credits so that their parts can roll up."""
    rows = rule.get("roll_up")
    names = [row.get("from") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {role for roles in names if isinstance(roles, list) for role in roles if isinstance(role, str)}


def _quota(look: Look, component: Document, path: str) -> None:
    look.word(component, path, "missing_quota", MISSING_QUOTA)
    look.word(component, path, "zero_quota", ZERO_QUOTA)
    if "quota" not in component or component.get("kind") not in ("commission", "bonus"):
        return
    bonus = component.get("bonus")
    per_credit = component.get("kind") == "bonus" and isinstance(bonus, dict) and bonus.get("per") == "credit"
    if per_credit:
        if component["quota"] is not None:
            message = f"A bonus per credit is held against no quota; found {shown(component['quota'])}, allowed: null."
            look.report(join(path, "quota"), component["quota"], "null", message)
    elif component["quota"] is None:
        message = "A quota is needed: only a bonus per credit can do without. Found null; allowed: a quota key."
        look.report(join(path, "quota"), "null", "a quota key", message)
    else:
        look.slug(component, path, "quota")


def _tiers(look: Look, value: Any, path: str) -> None:
    retroactive = isinstance(value, dict) and value.get("mode") == "retroactive"
    tiers = look.table(value, path, ("mode", *(("attribution",) if retroactive else ()), "boundary", "rates"))
    look.word(tiers, path, "mode", ("marginal", "retroactive"))
    if retroactive:
        look.word(tiers, path, "attribution", ("running", "proportional"))
    look.word(tiers, path, "boundary", BOUNDARY)
    steps: list[tuple[Fraction | None, Fraction | None]] = []
    rows = look.rows(tiers, path, "rates", 1, MAX_TIERS, "tiers")
    for place, row in rows:
        tier = look.table(row, place, ("from", "rate"))
        steps.append((look.percent(tier, place, "from", zero=True), look.percent(tier, place, "rate", zero=True)))
    paths = [place for place, _ in rows]
    _rising(look, [start for start, _ in steps], paths, "tier", "0%", percent_text)
    if retroactive:
        for place, (lower, upper) in zip(paths[1:], pairwise(steps), strict=True):
            _jump(look, place, lower, upper)


def _jump(
    look: Look,
    path: str,
    lower: tuple[Fraction | None, Fraction | None],
    upper: tuple[Fraction | None, Fraction | None],
) -> None:
    """Warn of how far pay jumps where a retroactive tier begins, as a share of quota."""
    if lower[1] is None or upper[0] is None or upper[1] is None:
        return
    size = (upper[1] - lower[1]) * upper[0]
    if size == 0:
        return
    verb = "jumps" if size > 0 else "falls"
    # Six decimals show it; the exact size has up to sixteen.
    text = percent_text(Fraction(round(abs(size) * 10**8), 10**8))
    message = (
        f"At {percent_text(upper[0])} of quota pay {verb} by {text} of quota: the rate applies to the whole amount."
    )
    look.warn(path, f"{verb} by {text} of quota", "marginal tiers do not jump", message)


def _rising(
    look: Look,
    starts: list[Any],
    paths: list[str],
    what: str,
    first: str,
    text: Callable[[Any], str],
) -> None:
    """Lower bounds start at zero and rise strictly."""
    if starts and starts[0] is not None and starts[0] != 0:
        message = (
            f"The first {what} starts at {text(starts[0])}; it has to start at {first}: what is below has no rate."
        )
        look.report(join(paths[0], "from"), text(starts[0]), first, message)
    for place in range(1, len(starts)):
        before, start = starts[place - 1], starts[place]
        if before is not None and start is not None and start <= before:
            message = f"This {what} starts at {text(start)}, the one before it at {text(before)}; bounds have to rise."
            look.report(join(paths[place], "from"), text(start), f"more than {text(before)}", message)


def _accelerator(look: Look, value: Any, path: str) -> None:
    accelerator = look.table(value, path, ("boundary", "bands"))
    look.word(accelerator, path, "boundary", BOUNDARY)
    rows = look.rows(accelerator, path, "bands", 1, MAX_TIERS, "bands")
    starts: list[int | None] = []
    for place, row in rows:
        band = look.table(row, place, ("from", "times"))
        starts.append(look.money(band, place, "from", zero=True))
        look.factor(band, place, "times")
    if look.currency is not None:
        _rising(look, starts, [place for place, _ in rows], "band", look.amount(0), look.amount)


def _bonus(look: Look, value: Any, path: str) -> None:
    per = value.get("per") if isinstance(value, dict) else None
    if per == "measure_period":
        bonus = look.table(value, path, ("amount", "per", "at", "boundary"))
    elif per == "credit":
        bonus = look.table(value, path, ("amount", "per"), ("min_deal",))
    else:
        bonus = look.table(value, path, ("amount", "per"), ("min_deal", "at", "boundary"))
    look.money(bonus, path, "amount", zero=False)
    look.word(bonus, path, "per", ("credit", "measure_period"))
    look.money(bonus, path, "min_deal", zero=False)
    look.percent(bonus, path, "at", zero=False)
    look.word(bonus, path, "boundary", BOUNDARY)


def _cap(look: Look, component: Document, path: str) -> None:
    if component.get("cap") is None:
        return
    path = join(path, "cap")
    cap = look.table(component["cap"], path, ("amount", "per", "excess"))
    look.money(cap, path, "amount", zero=False)
    look.word(cap, path, "per", ("measure_period", "deal"))
    look.word(cap, path, "excess", ("lost",))


def _release(look: Look, component: Document, path: str) -> None:
    total: Fraction | None = Fraction(0)
    seen: set[tuple[str, Fraction | None]] = set()
    rows = look.rows(component, path, "release", 1, MAX_TRANCHES, "tranches")
    for place, row in rows:
        by_usage = isinstance(row, dict) and row.get("on") == "usage"
        tranche = look.table(row, place, ("share", "on", *(("at",) if by_usage else ())))
        share = look.percent(tranche, place, "share", zero=False)
        total = None if share is None or total is None else total + share
        trigger = look.slug(tranche, place, "on")
        at = look.percent(tranche, place, "at", zero=False) if by_usage else None
        if trigger in DEAL_FIELDS or trigger == "credit-date":
            message = f"Nothing is released on {trigger}: write credit_date, usage, or the kind of a milestone."
            look.report(join(place, "on"), str(trigger), "credit_date, usage or a kind of milestone", message)
        elif trigger is not None and (trigger, at) in seen:
            message = f"Two tranches are released by the same {trigger}; one with their sum says the same."
            look.warn(join(place, "on"), trigger, "each trigger once", message)
        if trigger is not None:
            seen.add((trigger, at))
    if rows and total is not None and total != 1:
        message = f"The released shares sum to {percent_text(total)}; they have to sum to exactly 100%."
        look.report(join(path, "release"), percent_text(total), "100%", message)


def _once(look: Look, seen: dict[str, str], key: str | None, path: str, what: str) -> None:
    """Report a key that stood before."""
    if key is None:
        return
    if key in seen:
        look.report(
            path, key, "a key of its own", f"{key} is already the {what} at {seen[key]}; each needs a key of its own."
        )
    seen.setdefault(key, path)
