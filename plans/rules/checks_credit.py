"""What credit rules say together: who is credited, what rolls up, what nothing counts. See plans.rules.checks."""

from __future__ import annotations

from plans.rules.expressions import check_computed
from plans.rules.fields import field_types, with_deal
from plans.rules.forms import table_of
from plans.rules.look import Look, join, listed
from plans.rules.values import SLUG, Document

#: Roles that rules credit, by credit class.
Credited = dict[str, set[str]]
Row = tuple[str, Document]


def rows_of(table: Document, path: str, key: str) -> list[Row]:
    """The tables of the list at `key`, each with its path."""
    rows = table.get(key)
    path = join(path, key)
    return [
        (join(path, place), row)
        for place, row in enumerate(rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    ]


def slug_of(table: Document, key: str) -> str | None:
    """The key that stands there, where it is one."""
    value = table.get(key)
    return value if isinstance(value, str) and SLUG.fullmatch(value) else None


def slugs_of(table: Document, key: str) -> list[str]:
    """The keys of a list, each once."""
    values = table.get(key)
    found = [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
    return list(dict.fromkeys(found))


def once(look: Look, seen: dict[str, str], key: str | None, path: str, what: str) -> None:
    """Report a key that stood before."""
    if key is None:
        return
    if key in seen:
        message = f"{key} is already the {what} at {seen[key]}; each needs a key of its own."
        look.report(path, key, "a key of its own", message)
    seen.setdefault(key, path)


def check_credit(look: Look, plan: Document) -> None:
    """Report what is wrong among credit rules, and the fields that are computed for them."""
    if "computed" in plan:
        check_computed(look, plan, with_deal(field_types(plan)))
    keys: dict[str, str] = {}
    for path, rule in rows_of(plan, "", "credit_rules"):
        once(look, keys, slug_of(rule, "key"), join(path, "key"), "credit rule")
        roles: dict[str, str] = {}
        for place, entry in rows_of(rule, path, "credit"):
            once(look, roles, slug_of(entry, "role"), join(place, "role"), "role of this rule")
        _roll_up(look, rule, path, list(roles))
    _counts_for(look, plan)
    _uncounted(look, plan)


def _roll_up(look: Look, rule: Document, path: str, roles: list[str]) -> None:
    receivers: set[str] = set()
    counts = {str(row.get("role")): str(row.get("counts_for") or "both") for _, row in rows_of(rule, path, "credit")}
    for place, entry in rows_of(rule, path, "roll_up"):
        for role in slugs_of(entry, "from"):
            if role not in roles and SLUG.fullmatch(role):
                number = entry["from"].index(role)
                allowed = f"a role that this rule credits: {listed(sorted(roles)) if roles else 'none so far'}"
                message = f"Nothing rolls up from {role}: this rule does not credit that role."
                look.report(join(join(place, "from"), number), role, allowed, message)
        counted = {word for role, word in counts.items() if role in slugs_of(entry, "from")}
        if len(counted) > 1:
            found = ", ".join(f"{role} for {counts[role]}" for role in slugs_of(entry, "from") if role in counts)
            message = f"What rolls up together counts for the same; found {found}."
            look.report(join(place, "from"), found, "roles that count for the same", message)
        to = slug_of(entry, "to")
        if to is not None and to in receivers:
            message = f"A second roll-up to {to}: a manager whom both reach counts the deal twice."
            look.warn(join(place, "to"), to, "one roll-up for each receiving role", message)
        if to is not None:
            receivers.add(to)


def credited(plan: Document) -> Credited:
    """Who is credited, by class."""
    found: Credited = {}
    for path, rule in rows_of(plan, "", "credit_rules"):
        name = slug_of(rule, "class")
        if name is not None:
            found.setdefault(name, set()).update(_roles(rule, path))
    return found


def _roles(rule: Document, path: str) -> set[str]:
    found = [slug_of(row, "role") for _, row in rows_of(rule, path, "credit")]
    found += [slug_of(row, "to") for _, row in rows_of(rule, path, "roll_up")]
    return {role for role in found if role is not None}


def _uncounted(look: Look, plan: Document) -> None:
    """Warn of credit that no component counts."""
    counted: Credited = {}
    for _, component in rows_of(plan, "", "components"):
        credits = table_of(component.get("credits"))
        for name in slugs_of(credits, "classes"):
            counted.setdefault(name, set()).update(slugs_of(credits, "roles"))
    for path, rule in rows_of(plan, "", "credit_rules"):
        if not isinstance(rule.get("class"), str):
            continue
        roles = counted.get(rule["class"], set()) | _rolled_from(rule)
        for list_key, role_key in (("credit", "role"), ("roll_up", "to")):
            for place, row in rows_of(rule, path, list_key):
                role = row.get(role_key)
                if isinstance(role, str) and role not in roles:
                    message = f"No component counts {rule['class']} credit of the role {role}: it earns nothing."
                    look.warn(join(place, role_key), role, "a role that a component counts", message)


def _rolled_from(rule: Document) -> set[str]:
    """Roles that a rule credits so that their parts can roll up."""
    return {role for _, row in rows_of(rule, "", "roll_up") for role in slugs_of(row, "from")}


def _counts_for(look: Look, plan: Document) -> None:
    """Report credit for the quota alone, or for pay alone, that a component cannot count so."""
    for path, rule in rows_of(plan, "", "credit_rules"):
        entries = rows_of(rule, path, "credit")
        words = {str(row.get("role")): row.get("counts_for") for _, row in entries}
        given = [(join(place, "counts_for"), row.get("role"), row.get("counts_for")) for place, row in entries]
        for place, row in rows_of(rule, path, "roll_up"):
            below = slugs_of(row, "from")
            given.append((join(place, "to"), row.get("to"), words.get(below[0]) if below else None))
        for place, role, word in given:
            for _, component in rows_of(plan, "", "components") if word in ("quota", "pay") else []:
                credits = table_of(component.get("credits"))
                takes = rule.get("class") in slugs_of(credits, "classes") and role in slugs_of(credits, "roles")
                if takes and not (_measures_only(component) if word == "quota" else _pays_only(component)):
                    needs = _NEEDS[str(word)]
                    message = f"{component.get('key')} counts credit of {role}, which is for {word} alone: {needs}."
                    look.report(place, str(word), needs, message)


_NEEDS = {
    "quota": "it takes a component that is measured by credit, or a result",
    "pay": "it takes a summing commission by credit, with marginal, retroactive or mixed tiers of a rate or per_unit",
}


def _measures_only(component: Document) -> bool:
    measure = table_of(component.get("measure"))
    return component.get("kind") == "result" or (component.get("kind") in _LINES and measure.get("by") != "period")


_LINES = ("commission", "bonus", "incentive")


def _pays_only(component: Document) -> bool:
    tiers, measure = table_of(component.get("tiers")), table_of(component.get("measure"))
    return (
        component.get("kind") == "commission"
        and tiers.get("mode") in ("marginal", "retroactive", "mixed")
        and tiers.get("pays", "rate") in ("rate", "per_unit")
        and measure.get("value", "sum") == "sum"
        and measure.get("by") != "period"
    )


def check_counted(look: Look, component: Document, path: str, given: Credited) -> None:
    """Report classes and roles that a component counts and no rule gives."""
    if "credits" in component and "reads" in component:
        message = "A component counts `credits` or, in their place, `reads` what others earn; write one of them."
        look.report(join(path, "reads"), "credits and reads", "one of them", message)
    credits = table_of(component.get("credits"))
    path = join(path, "credits")
    classes = [name for name in slugs_of(credits, "classes") if SLUG.fullmatch(name)]
    # What a team, a pool or the company is credited may come from other plans alone.
    elsewhere = table_of(component.get("measure")).get("of") in ("team", "pool", "company")
    tell = look.warn if elsewhere else look.report
    of = "No credit rule of this plan" if elsewhere else "No credit rule"
    for name in classes:
        if given and name not in given:
            allowed = listed(sorted(given))
            message = f"{of} gives credit of the class {name}; classes given: {allowed}."
            tell(join(path, "classes"), name, allowed, message)
    roles: set[str] = set().union(*(given.get(name, set()) for name in classes))
    for role in slugs_of(credits, "roles"):
        if roles and role not in roles and SLUG.fullmatch(role):
            allowed = listed(sorted(roles))
            message = f"{of} credits the role {role} in {listed(classes)}; roles credited: {allowed}."
            tell(join(path, "roles"), role, allowed, message)
