"""Plan documents in great number: the frame, the credit rules and their conditions.

In every list of options the plainest stands first, so that examples shrink to it.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from fractions import Fraction
from typing import Any

from plans.rules.checks import check, errors
from tests.oracle.book import measure_of, unit_of_credit, unit_of_measure
from tests.oracle.components import component_named, components_of, reshaped
from tests.oracle.payables import settlement_of
from tests.oracle.pick import Pick
from tests.oracle.reading import MINOR_DIGITS
from tests.oracle.words import (
    AREAS,
    CUSTOM_FIELDS,
    DAYS,
    OWN_PERIODS,
    ROLES,
    SHARES,
    TEXTS,
    TITLES,
    Document,
    money,
)

CHANGES = tuple(date.fromisoformat(text) for text in ("2024-02-20", "2024-03-01", "2024-02-11", "2025-01-01"))
COMPUTED = {
    "computed.margin": {"type": "money", "is": "amount - cost"},
    "computed.half": {"type": "money", "mode": "half-up", "is": "amount / 2"},
    "computed.share": {"type": "number", "decimals": 3, "mode": "half-even", "is": "cost / amount"},
    "computed.days_to_pay": {
        "type": "number",
        "decimals": 0,
        "mode": "half-even",
        "is": "days(invoice_date, paid_date)",
    },
    "computed.sized": {
        "type": "money",
        "mode": "half-even",
        "is": "when(custom.term >= 12, max(amount, money(100)), if_missing(custom.arr, computed.margin) * 0.5)",
    },
    "computed.months": {
        "type": "number",
        "decimals": 2,
        "mode": "half-up",
        "is": "months(engage_date, close_date) / 3",
    },
    "computed.new": {"type": "boolean", "is": "stage == 'won' and not (amount < money(0))"},
}
MONEY = "bookings", "renewals"
COUNTED = "activities"


def document_of(
    pick: Pick, key: str, currency: str, others: list[tuple[str, Document]], plans: list[Document]
) -> Document:
    """A whole plan; `others` are components of other plans that it may read, `plans` these in all their versions."""
    unit = 10 ** MINOR_DIGITS[currency]
    own = {"periods": own_periods(pick)} if pick.has("own periods", 6) else {}
    document: Document = {
        "format": "comp/plan/1",
        "key": key,
        "name": "A plan",
        "currency": currency,
        "on_new_version": "carry",
        "rounding": rounding_of(pick),
        "fields": CUSTOM_FIELDS,
    } | own
    if pick.has("computed", 5):
        document["computed"] = COMPUTED
    if pick.has("proration", 6):
        document["proration"] = proration_of(pick)
    if pick.has("employment", 8):
        document["employment"] = {
            "credits_after": pick.one(("none", "count")),
            "credits_on_leave": pick.one(("none", "count")),
            "release_after": pick.one(("lost", "paid")),
        }
    if pick.has("rerun", 8):
        document["on_new_version"] = "rerun"
    elif pick.has("restart", 8):
        document["on_new_version"] = "restart"
        document["proration"] = document.get("proration", proration_of(pick))
    if currency != "none" and pick.has("pay currency", 5):
        document["currencies"] = {"pay_rate": pick.one(("credit_date", "release_date", "period_average"))}
    computed = "computed" in document
    document["credit_rules"] = [
        rule_of(pick, f"rule-{place}", unit, computed) for place in range(1 + pick.upto(3) // 2)
    ]
    document["components"] = components_of(pick, document, unit, others)
    if pick.has("plan caps", 10):
        document["caps"] = [
            {
                "amount": money(pick.one((5_000, 500, 100, 1)) * unit, unit),
                "every": pick.one(("quarter", "month", "half", "year")),
                "excess": pick.one(("lost", "review")),
            }
            for _ in range(1 + pick.upto(4) // 4)
        ]
        paying = [component["key"] for component in document["components"] if component["kind"] != "result"]
        if paying and pick.has("capped components", 3):
            document["caps"][0]["components"] = pick.some(paying)
    if pick.has("overrides", 10):
        overrides = overrides_of(pick, document, unit)
        if overrides:
            document["overrides"] = overrides
    if pick.has("settlement", 6):
        document["settlement"] = settlement_of(pick, unit, document)
    document = with_counterparts(pick, in_steps(document, unit), others, plans)
    if "overrides" in document and errors(check(document)):
        # What an override makes of a result may be out of reach of a gate on it.
        del document["overrides"]
    return with_counts(pick, document)


def with_counterparts(
    pick: Pick, document: Document, others: list[tuple[str, Document]], plans: list[Document]
) -> Document:
    """Some components rated a second time by the terms of another, where those can rate them."""
    known = [(component["key"], component["key"], [document]) for component in document["components"]]
    known += [(f"{plan['key']}/{key}", key, plans) for key, plan in others]
    components = []
    for component in document["components"]:
        found = [
            reference
            for reference, key, versions in known
            if component["key"] != reference
            if all(can_rate(component, document, component_named(plan, key), plan) for plan in versions)
        ]
        if found and pick.has("counterpart", 2):
            stated = {
                "terms": pick.one(found),
                "share": pick.one(("100%", "50%", "33.333333%")),
                "pays": pick.one(("larger", "smaller")),
                "per": pick.one(("credit", "measure_period")),
            }
            component = component | {"counterpart": stated}
        components.append(component)
    changed = document | {"components": components}
    return document if errors(check(changed)) else changed


def can_rate(component: Document, document: Document, other: Document, plan: Document) -> bool:
    """May the terms of the other component rate this one's lines?"""
    paying = ("commission", "bonus", "incentive")
    modifiers = other.get("modifiers", {"each": []})["each"]
    by_size = other.get("accelerator") is not None or "min_deal" in other.get("bonus", {})
    if by_size and unit_of_credit(document, component) != unit_of_credit(plan, other):
        return False
    return (
        component["kind"] in paying
        and other["kind"] in paying
        and "release_rate" not in component
        and measure_of(component)["by"] == measure_of(other)["by"]
        and unit_of_measure(document, component) == unit_of_measure(plan, other)
        and (other.get("quota") is None or component.get("quota") is not None)
        and ("incentive" not in other or "incentive" in component)
        and "columns" not in (other.get("tiers") or {})
        and not any("reads" in modifier for modifier in modifiers)
    )


def with_counts(pick: Pick, document: Document) -> Document:
    """Credit for the quota alone or for pay alone, where all components that count it can."""
    for place, rule in enumerate(document["credit_rules"]):
        for number in range(len(rule["credit"])):
            if pick.has("counts for", 4):
                changed = deepcopy(document)
                changed["credit_rules"][place]["credit"][number]["counts_for"] = pick.one(("quota", "pay"))
                document = changed if not errors(check(changed)) else document
    return document


def without_counts(document: Document) -> Document:
    """The same where they can still count it so; else all credit counts for both."""
    counted = [entry for rule in document["credit_rules"] for entry in rule["credit"] if "counts_for" in entry]
    if not counted or not errors(check(document)):
        return document
    document = deepcopy(document)
    for rule in document["credit_rules"]:
        for entry in rule["credit"]:
            entry.pop("counts_for", None)
    return document


def in_steps(document: Document, unit: int) -> Document:
    """With rounding to whole units or tens, every amount that is paid or limits pay is a multiple of it."""
    step = {"minor": 1, "whole": unit, "tens": 10 * unit}[document["rounding"]["step"]]

    def multiple(holder: Any, key: Any) -> None:
        minor = int(Fraction(holder[key]) * unit)
        holder[key] = money(max(step, -(-minor // step) * step), unit)

    if step == 1:
        return document
    document = deepcopy(document)
    for component in document["components"]:
        holders = [component.get(name) for name in ("cap", "minimum", "budget", "bonus", "pool")]
        holders += component.get("caps", ())
        for holder in holders:
            if holder and "amount" in holder:
                multiple(holder, "amount")
        for kicker in component.get("kickers", ()):
            if "amount" in kicker:
                multiple(kicker, "amount")
        for gate in component.get("gates", ()):
            if isinstance(gate["effect"], dict) and "cap" in gate["effect"]:
                multiple(gate["effect"], "cap")
        prizes = component.get("rank", {}).get("prizes", [])
        for place in range(len(prizes)):
            multiple(prizes, place)
    for cap in document.get("caps", ()):
        multiple(cap, "amount")
    for override in document.get("overrides", ()):
        for path in override["set"]:
            if path.endswith(".amount"):
                multiple(override["set"], path)
    settlement = document.get("settlement", {})
    holders = [settlement[name] for name in ("cap", "minimum", "draw") if name in settlement]
    for holder in (*holders, *settlement.get("caps", ()), *settlement.get("draws", ())):
        multiple(holder, "amount")
    return document


def next_version(pick: Pick, document: Document) -> Document:
    """The same plan with other numbers, and perhaps other choices."""
    unit = 10 ** MINOR_DIGITS[document["currency"]]
    changed = dict(document)
    if "periods" in document and pick.seldom(3):
        changed["periods"] = own_periods(pick)
    if pick.seldom(4):
        changed["rounding"] = rounding_of(pick)
    if "proration" in document and pick.seldom(4):
        changed["proration"] = proration_of(pick) | {"round": document["proration"]["round"]}
    if pick.seldom(4):
        changed["on_new_version"] = "carry"
    if pick.seldom(4):
        changed["credit_rules"] = [rule_again(pick, rule, unit, document) for rule in document["credit_rules"]]
    changed["components"] = [
        reshaped(pick, component, document, unit) if pick.seldom(2) else component
        for component in document["components"]
    ]
    changed.pop("overrides", None)
    if "settlement" in document and pick.seldom(3):
        old = document["settlement"]
        changed["settlement"] = settlement_of(pick, unit, changed)
        for name in ("settle_in", "amounts_rate"):
            # All versions of a plan settle in one currency.
            changed["settlement"].pop(name, None)
            if name in old:
                changed["settlement"][name] = old[name]
    changed = in_steps(changed, unit)
    if any("counterpart" in component for component in changed["components"]) and errors(check(changed)):
        changed["components"] = [
            {name: value for name, value in component.items() if name != "counterpart"}
            for component in changed["components"]
        ]
    return without_counts(changed)


def rule_again(pick: Pick, rule: Document, unit: int, document: Document) -> Document:
    """The same roles in the same class and unit, by other shares and conditions."""
    again = rule_of(pick, rule["key"], unit, "computed" in document)
    again |= {name: rule[name] for name in ("fact", "class", "amount", "credit_date", "roll_up")}
    again["credit"] = [credit_entry(pick, entry["role"]) for entry in rule["credit"]]
    return again


def own_periods(pick: Pick) -> Document:
    """Lists of periods by name."""
    return {
        name: [{"first": first, "last": last} for first, last in pick.one(shapes)]
        for name, shapes in OWN_PERIODS.items()
    }


def rounding_of(pick: Pick) -> Document:
    at = "total" if pick.has("rounding", 5) else pick.one(("line", "curve"))
    step = pick.one(("whole", "tens")) if pick.has("rounding", 6) else "minor"
    return {"at": at, "mode": pick.one(("half-even", "half-up")), "step": step}


def proration_of(pick: Pick) -> Document:
    of = pick.some(("quota", "incentive", "caps", "draw"))
    if pick.has("prorated tiers", 3):
        of.append("tiers")
    if pick.has("prorated plan caps", 3):
        of.append("plan_caps")
    return {
        "method": pick.one(("calendar_days", "working_days", "whole_months")),
        "first_day": pick.one(("counts", "does_not_count")),
        "last_day": pick.one(("counts", "does_not_count")),
        "leave": pick.one(("counts", "excluded")),
        "of": of,
        "round": pick.one(("minor", "whole")),
    }


# ------------------------------------------------------------------ credit rules


def rule_of(pick: Pick, key: str, unit: int, computed: bool) -> Document:
    roles = ["ae"] if pick.seldom(2) else pick.some(ROLES)
    if pick.has("units", 5):
        fact = pick.one(("activity", "score", "hours")) if pick.has("fact kinds", 2) else "deal"
        rule = {"key": key, "fact": fact, "class": COUNTED}
        amount: Any = pick.one(("quantity", "one", "custom.term"))
        credit_date = "close_date" if rule["fact"] == "deal" else "day"
    else:
        kinds = ("deal", "invoice", "receipt", "milestone", "usage")
        fact = pick.one(kinds) if pick.has("fact kinds", 3) else "deal"
        rule = {"key": key, "fact": fact, "class": pick.one(("bookings", "bookings", "bookings", "renewals"))}
        credit_date = pick.one((*["close_date"] * 6, "engage_date", "custom.signed")) if fact == "deal" else "day"
        amount = pick.one((*["amount"] * 6, "custom.arr"))
        if computed and pick.seldom(4):
            amount = pick.one(("computed.margin", "computed.half", "computed.sized"))
    rule |= {
        "when": condition_of(pick, unit, 2, computed) if pick.seldom(3) else {"all": []},
        "credit_date": credit_date,
        "amount": amount,
        "credit": [credit_entry(pick, role) for role in roles],
    }
    if pick.has("eligible", 10):
        rule["eligible"] = person_condition(pick)
    if pick.has("hold", 8):
        rule["hold"] = condition_of(pick, unit, 1, computed)
    if pick.has("limit", 8):
        rule["limit"] = pick.one(("150%", "100%", "60%", "33.333333%"))
    if pick.has("transfers", 4):
        rule["on_transfer"] = {"rolled": pick.one(("stays", "follows"))}
    rule["roll_up"] = [roll_up_of(pick, roles, place) for place in range(pick.upto(4) // 2)]
    return rule


def credit_entry(pick: Pick, role: str) -> Document:
    entry: Document = {"role": role, "share": pick.one(SHARES)}
    if pick.has("share by", 10):
        field = pick.one(("product.series", "stage", "deal.stage"))
        words = TEXTS[field.removeprefix("deal.")]
        entry["share"] = {
            "by": field,
            "values": {word: pick.one((*SHARES, "0%")) for word in words[:2]},
            "else": pick.one(("0%", "10%", "100%")),
        }
    if pick.has("split kinds", 6):
        entry["split"] = pick.one(("weights", "equal", "each"))
    return entry


def roll_up_of(pick: Pick, roles: list[str], place: int) -> Document:
    return {
        "from": pick.some(roles),
        "to": pick.one((("manager", "director")[place], "ae")),
        "levels": 1 + pick.upto(2),
        "limit": pick.one(("100%", "150%", "50%", "33.333333%")),
    }


# ------------------------------------------------------------------ conditions


def condition_of(pick: Pick, unit: int, depth: int, computed: bool) -> Document:
    if depth == 0 or pick.seldom(2):
        return leaf_of(pick, unit, computed)
    join = pick.one(("all", "any", "none"))
    return {join: [condition_of(pick, unit, depth - 1, computed) for _ in range(1 + pick.upto(1))]}


def leaf_of(pick: Pick, unit: int, computed: bool) -> Document:
    field = pick.one(("stage", "amount", *TEXTS, "close_date", "engage_date", *CUSTOM_FIELDS))
    if computed and pick.seldom(4):
        field = pick.one(("computed.margin", "computed.share", "computed.new", "computed.days_to_pay"))
    elif pick.has("fact kinds", 8):
        field = pick.one(
            ("deal.stage", "deal.amount", "type", "quantity", "day", "deal.close_date", "deal.custom.term")
        )
    plain = field.removeprefix("deal.")
    if pick.seldom(6):
        return {"field": field, "op": pick.one(("is_present", "is_missing"))}
    if plain in TEXTS:
        op = pick.one(("is", "is_not", "in", "not_in", "contains", "starts_with"))
        words = TEXTS[plain]
        if op in ("in", "not_in"):
            return {"field": field, "op": op, "value": pick.some([word for word in words if word])}
        whole = pick.one([word for word in words if word])
        return {"field": field, "op": op, "value": whole[:2] if op in ("contains", "starts_with") else whole}
    if plain in ("custom.renewal", "computed.new"):
        return {"field": field, "op": "is", "value": pick.one((True, False))}
    if plain in ("close_date", "engage_date", "custom.signed", "day"):
        op = pick.one(("on_or_after", "before", "is", "between"))
        values = sorted(pick.one(DAYS).isoformat() for _ in range(2))
    else:
        op = pick.one(("at_least", "at_most", "more_than", "less_than", "is", "is_not", "between"))
        if plain in ("custom.term", "quantity", "computed.share", "computed.days_to_pay"):
            values = sorted((pick.one(("12", "0.5", "36", "0")) for _ in range(2)), key=Fraction)
        else:
            values = [money(amount, unit) for amount in sorted(pick.one((0, 100, 25_000)) * unit for _ in range(2))]
    return {"field": field, "op": op, "value": values if op == "between" else values[0]}


def person_condition(pick: Pick) -> Document:
    match pick.one(("title", "region", "tenure", "hired", "missing")):
        case "title":
            return {"field": "person.title", "op": pick.one(("is", "is_not")), "value": pick.one(TITLES)}
        case "region":
            return {"none": [{"field": "person.region", "op": "is", "value": pick.one(AREAS)}]}
        case "tenure":
            op = pick.one(("at_least", "less_than"))
            return {"field": "person.tenure_months", "op": op, "value": pick.one(("1", "2", "6", "0"))}
        case "hired":
            return {"field": "person.hired_on", "op": "before", "value": pick.one(DAYS).isoformat()}
    return {"field": "person.team", "op": "is_missing"}


# ------------------------------------------------------------------ overrides


def overrides_of(pick: Pick, document: Document, unit: int) -> list[Document]:
    rows = []
    for _ in range(1 + pick.upto(2)):
        name, values = pick.one(
            (("region", AREAS), ("title", TITLES), ("position", ("P1", "P2")), ("person", ("p3", "p11")))
        )
        component = pick.one(document["components"])
        path = f"components.{component['key']}"
        settings: Document = {}
        if "rate" in (component.get("tiers") or {"rates": [{}]})["rates"][0]:
            settings[f"{path}.tiers.rates.0.rate"] = pick.one(("12%", "7.5%", "0%"))
        if component.get("cap"):
            settings[f"{path}.cap.amount"] = money(pick.one((60, 5_001)) * unit, unit)
        if component["kind"] == "bonus":
            settings[f"{path}.bonus.amount"] = money(pick.one((77, 1_000)) * unit, unit)
        if component.get("curve") and component["curve"]["pays"] == "share":
            settings[f"{path}.curve.points.0.pays"] = pick.one(("5%", "0%"))
        if component.get("kickers"):
            settings[f"{path}.kickers.new-logo.when"] = {"all": []}
        if settings:
            rows.append({"for": {name: pick.one(values)}, "set": dict([pick.one(sorted(settings.items(), key=str))])})
    return rows


__all__ = ["CHANGES", "document_of", "next_version"]
