"""Components in great number: what they count, what they are held against, what they pay, what shapes it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.oracle.book import measure_of, unit_of_credit, unit_of_measure
from tests.oracle.payables import payable_of, release_of
from tests.oracle.pick import Pick
from tests.oracle.reading import number, percent
from tests.oracle.words import BOUNDS, DAYS, EVERY, FACTORS, RATES, TEXTS, Document, money

QUOTA_KEYS = ("new-business", "expansion")
COUNTED = "activities"
EARNING_KINDS = ("commission", "bonus", "incentive", "pool", "rank", "scorecard")
Known = tuple[str, Document, Document]  # how it is referred to, the component, its plan


def components_of(pick: Pick, document: Document, unit: int, others: list[tuple[str, Document]]) -> list[Document]:
    components: list[Document] = []
    for place in range(1 + pick.upto(8) // 2):
        known: list[Known] = [
            (f"{plan['key']}/{reference}", component_named(plan, reference), plan) for reference, plan in others
        ]
        known += [(component["key"], component, document) for component in components]
        components.append(component_of(pick, f"component-{place}", document, unit, known))
    return components


def component_named(plan: Document, key: str) -> Document:
    return next(component for component in plan["components"] if component["key"] == key)


def component_of(pick: Pick, key: str, document: Document, unit: int, known: list[Known]) -> Document:
    kind = kind_of(pick, document, known)
    base: Document = {"key": key, "name": "A component", "clause": "You earn what this says.", "kind": kind}
    if pick.has("component eligible", 12):
        from tests.oracle.writing import person_condition

        base["eligible"] = person_condition(pick)
        if pick.has("eligible on", 2):
            base["eligible_on"] = pick.one(DAYS).isoformat()
    earlier = [
        reference
        for reference, component, plan in known
        if component["kind"] in EARNING_KINDS and plan["currency"] == document["currency"]
    ]
    reads = kind not in ("scorecard", "result", "pool") and earlier and pick.has("reads", 10)
    if reads:
        of = pick.one(("self", "reports", "downline", "team"))
        base["reads"] = {"what": pick.one(("earning", "released")), "of": of}
        if of == "reports":
            base["reads"]["depth"] = 1 + pick.upto(2)
        base["reads"]["components"] = pick.some(earlier[:4])
    elif kind != "scorecard":
        base["credits"] = taken_by(pick, document, kind, unit)
    base["measure"] = measured_by(pick, kind, bool(reads), document, base, unit)
    if "credits" in base and (by_credit(base) or measure_of(base)["value"] == "last") and pick.has("order", 6):
        base["order"] = pick.one(orders(base))
    return shaped(pick, base, document, unit, known)


def orders(base: Document) -> tuple[str, ...]:
    dates = ("close_date", "engage_date", "custom.signed", "day")
    return ("event_time", *dates) + (("largest_first", "largest_first") if by_credit(base) else ())


def kind_of(pick: Pick, document: Document, known: list[Known]) -> str:
    own = [component for reference, component, _ in known if "/" not in reference]
    if any(is_part(component) for component in own) and pick.has("scorecard", 4):
        return "scorecard"
    money_given = any(rule["class"] != COUNTED for rule in document["credit_rules"])
    for kind, out_of in (("result", 6), ("incentive", 5), ("pool", 14), ("rank", 14)):
        if (kind != "pool" or money_given) and pick.has(kind, out_of):
            return kind
    return pick.one(("commission", "commission", "commission", "bonus"))


def read_between(base: Document, document: Document, known: list[Known]) -> list[Known]:
    """What goes by periods of a plan's own, so that a component of the calendar reads it on days between them too."""
    if base["measure"]["every"] in document.get("periods", {}):
        return []
    return [row for row in known if row[1]["measure"]["every"] in row[2].get("periods", {})]


def reshaped(pick: Pick, component: Document, document: Document, unit: int) -> Document:
    """The same component with other terms, perhaps by periods of another length. What others read by its unit stays."""
    place = document["components"].index(component)
    if pick.has("other lengths", 2):
        component = component | {"measure": component["measure"] | {"every": other_length(pick, component, document)}}
    if component["kind"] in ("result", "scorecard") or measure_of(component)["window"] == "year_to_date":
        return component
    kept = ("key", "name", "clause", "kind", "eligible", "eligible_on", "credits", "reads", "measure", "order")
    base = {name: value for name, value in component.items() if name in kept}
    if "order" in base and pick.seldom(2):
        base["order"] = pick.one(orders(base))
    known: list[Known] = [(each["key"], each, document) for each in document["components"][:place]]
    again = shaped(pick, base, document, unit, known)
    # Others may read its attainment.
    return again if (again.get("quota") is None) == (component.get("quota") is None) else component


def other_length(pick: Pick, component: Document, document: Document) -> str:
    """Another of the calendar, or where its window and its caps allow it one of the plan's own."""
    every = component["measure"]["every"]
    if measure_of(component)["window"] == "year_to_date":
        return pick.one([name for name in ("quarter", "month", "half") if name != every])
    carries = any(cap["excess"] == "carried" for cap in component.get("caps", ()))
    own = () if carries or measure_of(component)["window"] != "discrete" else tuple(document.get("periods", {}))
    return pick.one([name for name in ("month", *EVERY, *own) if name != every])


# ------------------------------------------------------------------ what is counted


def taken_by(pick: Pick, document: Document, kind: str, unit: int) -> Document:
    """Classes that the rules give, all of one unit, and roles that they credit in these classes."""
    rules = document["credit_rules"]
    given = sorted({rule["class"] for rule in rules})
    plain = [name for name in given if name != COUNTED]
    if COUNTED in given and kind != "pool" and (not plain or pick.seldom(2)):
        classes = [COUNTED]
    else:
        classes = pick.some(plain) if pick.seldom(3) else plain
    credited = [rule for rule in rules if rule["class"] in classes]
    roles = {entry["role"] for rule in credited for entry in rule["credit"]}
    roles |= {entry["to"] for rule in credited for entry in rule["roll_up"]}
    taken: Document = {"classes": classes, "roles": pick.some(sorted(roles)) if pick.seldom(3) else sorted(roles)}
    if pick.has("credits when", 8):
        taken["when"] = condition(pick, document, unit)
    return taken


def condition(pick: Pick, document: Document, unit: int) -> Document:
    from tests.oracle.writing import condition_of

    return condition_of(pick, unit, 1, "computed" in document)


def measured_by(pick: Pick, kind: str, reads: bool, document: Document, base: Document, unit: int) -> Document:
    every = pick.one(EVERY)
    own = list(document.get("periods", {}))
    if own and not pick.seldom(3):
        every = pick.one(own)
    own = [every] if every in own else []
    if kind == "scorecard":
        return {"every": every}
    always = kind in ("result", "pool", "rank")
    by_period = always or reads or pick.has("by period", 6)
    measure: Document = {"value": "sum", "window": "discrete", "of": "own", "by": "period" if by_period else "credit"}
    extra: Document = {}
    if not reads:
        # Pays by a rate, or a share of a pot, need money.
        ratios = ("share", "days") if kind in ("incentive", "result", "rank") else ()
        if by_period and pick.has("ratios", 2):
            measure["value"] = pick.one((*ratios, "average", "last", "high_water"))
        elif kind != "pool" and pick.has("count", 7):
            measure["value"] = pick.one(("count", "weighted"))
        extra = measure_details(pick, measure["value"], document, base, unit)
        if measure["value"] in ("last", "high_water") and pick.has("parts of a measure", 3):
            fields = pick.some(("account", "product", "deal", "deal.account.country"))
            extra["per"] = fields[:3]
    if own:
        pass
    elif pick.has("year to date", 6):
        measure["window"] = "year_to_date"
        extra["quota_basis"] = pick.one(("cumulative", "year"))
        every = pick.one(("quarter", "month", "half"))
    elif by_period and pick.has("rolling", 6):
        measure["window"] = "rolling"
        extra["periods"] = 2 + pick.upto(2)
    if by_period and not reads and pick.has("others", 4):
        measure["of"] = pick.one(("team", "pool", "company"))
    elif kind == "pool" and pick.seldom(2):
        measure["of"] = "company"
    if measure == {"value": "sum", "window": "discrete", "of": "own", "by": "credit"} and not pick.seldom(4):
        return {"every": every}
    return {"every": every} | measure | extra


def measure_details(pick: Pick, value: str, document: Document, base: Document, unit: int) -> Document:
    weights = ("custom.term", "quantity", "custom.arr")
    match value:
        case "weighted":
            return {"weight": pick.one(weights[:2])}
        case "average":
            return {"weight": pick.one((None, *weights)), "empty": pick.one(("wait", "zero"))}
        case "days":
            return {
                "weight": pick.one((None, *weights)),
                "from": pick.one(("engage_date", "invoice_date")),
                "to": pick.one(("close_date", "paid_date")),
                "first_day": pick.one(("in", "out")),
                "last_day": pick.one(("in", "out")),
                "empty": pick.one(("wait", "zero")),
            }
        case "share":
            return {"part": condition(pick, document, unit), "empty": pick.one(("wait", "zero"))}
    return {}


# ------------------------------------------------------------------ what is paid


def shaped(pick: Pick, base: Document, document: Document, unit: int, known: list[Known]) -> Document:
    """The base with all that is paid and shaped."""
    kind = base["kind"]
    between = read_between(base, document, known)
    if kind != "scorecard" and between and pick.has("read between periods", 2):
        known = between
    counted = unit_of_measure(document, base)
    component = dict(base)
    match kind:
        case "commission":
            component |= commission_of(pick, base, counted, unit, known, document)
        case "bonus":
            component |= bonus_of(pick, base, counted, unit, document)
        case "incentive" | "result":
            component |= incentive_of(pick, kind, counted, unit, "proration" in document)
        case "scorecard":
            component |= scorecard_of(pick, known)
        case "pool":
            component["pool"] = pool_of(pick, unit)
        case _:
            component["rank"] = rank_of(pick, unit)
    floats = kind == "commission" and by_credit(base) and "tiers" in component and pick.has("floating", 8)
    floats = floats and "order" not in base
    if floats:
        component["accelerator"] = None
        component["tiers"] |= {"mode": "retroactive", "attribution": "proportional"}
        for tier in component["tiers"]["rates"]:
            tier.pop("back", None)
    if kind != "result":
        component["cap"] = None
    if kind != "result" and not floats:
        if pick.seldom(3):
            amount = pick.one((5_000, 500, 100, 1)) * unit
            per = pick.one(("measure_period", "deal")) if by_credit(base) else "measure_period"
            component["cap"] = {"amount": money(amount, unit), "per": per, "excess": "lost"}
        component |= shape_of(pick, component, document, unit, known)
    elif kind == "result" and pick.has("gates", 5):
        component |= gates_of(pick, base, unit, known)
    if isinstance(component.get("quota"), str) and pick.has("ramp", 8):
        component["ramp"] = {
            "from": pick.one(("hired", "assigned")),
            "quota": pick.one((["25%", "50%", "75%"], ["0%", "33.333333%"])),
            "incentive": pick.one((None, ["50%"])) if "incentive" in component else None,
        }
    if kind != "result":
        component["release"] = release_of(pick, by_credit(base), by_milestone(base, document))
        component |= payable_of(pick, component, by_credit(base), floats)
    return component


def by_milestone(base: Document, document: Document) -> bool:
    """Does a milestone give the component its credit? Then it cannot release it as well."""
    classes = base.get("credits", {}).get("classes", ())
    return any(rule["fact"] == "milestone" and rule["class"] in classes for rule in document["credit_rules"])


def by_credit(component: Document) -> bool:
    return measure_of(component)["by"] == "credit" and component["kind"] in ("commission", "bonus", "incentive")


def quota_for(pick: Pick, counted: str, unit: int, plain: bool, prorated: bool) -> Document:
    """A quota in the unit of the measure, with what a missing one and one of zero mean."""
    if counted == "share" and pick.has("fixed quota", 3):
        return {"quota": {"fixed": "90%"}}
    # One that is prorated to nothing has no stated outcome.
    if counted != "share" and not prorated and pick.has("fixed quota", 6):
        fixed = money(pick.one((100, 100_000)) * unit, unit) if counted == "money" else pick.one(("3", "2.5"))
        return {"quota": {"fixed": fixed}}
    key = pick.one(QUOTA_KEYS) if counted == "money" else f"quota-of-{counted}"
    if plain:
        outcomes = {"missing_quota": pick.one(("no_pay", "wait")), "zero_quota": pick.one(("no_pay", "wait"))}
    else:
        zero = ("lowest_tier", "highest_tier", "no_pay", "wait")
        outcomes = {"missing_quota": pick.one(("lowest_tier", "wait")), "zero_quota": pick.one(zero)}
    return {"quota": key} | outcomes


def on_target(pick: Pick) -> Document:
    return {"incentive": "target", "missing_incentive": pick.one(("wait", "no_pay"))}


def commission_of(
    pick: Pick, base: Document, counted: str, unit: int, known: list[Known], document: Document
) -> Document:
    found: Document = {}
    if by_credit(base) and pick.has("table", 6):
        found = {"quota": None, "table": table_of(pick, document, unit, counted)}
    else:
        found = tiers_of(pick, counted, unit, known, "proration" in document)
        found["below_zero"] = pick.one(("lowest_tier", "no_pay"))
    found["accelerator"] = None
    if by_credit(base) and pick.seldom(3):
        sized = unit_of_credit(document, base)
        starts = pick.one(((0, 25_000), (0, 100, 25_000)))
        found["accelerator"] = {
            "boundary": pick.one(("above", "below")),
            "bands": [
                {"from": money(start * unit, unit) if sized == "money" else str(start), "times": pick.one(FACTORS)}
                for start in starts
            ],
        }
    return found


def tiers_of(pick: Pick, counted: str, unit: int, known: list[Known], prorated: bool) -> Document:
    mode = pick.one(("marginal", "retroactive"))
    if pick.has("tier modes", 3):
        mode = pick.one(("mixed", "each"))
    tiers: Document = {"mode": mode, "boundary": pick.one(("above", "below"))}
    if mode == "retroactive":
        tiers["attribution"] = pick.one(("running", "proportional"))
    bounds = list(pick.one(BOUNDS))
    axis = "attainment"
    if pick.has("tier axes", 5):
        axis = "amount" if counted == "money" else "units"
        tiers["axis"] = axis
        several = (
            (("0",), ("0", "100"), ("0", "100", "25000"), ("0", "25000"))
            if axis == "amount"
            else (("0", "2"), ("0", "1.5", "3"))
        )
        bounds = list(pick.one(several))
        if axis == "amount":
            bounds = [money(int(bound) * unit, unit) for bound in bounds]
    pays = "rate" if counted == "money" else "per_unit"
    if counted == "money" and pick.has("times", 7):
        pays = "times"
    if pays != "rate":
        tiers["pays"] = pays
    if pick.has("full points", 8):
        tiers["full_points"] = {"attainment": pick.one(("1%", "33.333333%")), "amount": money(7 * unit, unit)}.get(
            axis, "0.5"
        )
    columns = 0
    if known and pick.has("columns", 6):
        tiers["columns"], columns = columns_of(pick, unit, known)
    tiers["rates"] = []
    for place, bound in enumerate(bounds):
        row: Document = {"from": bound}
        if columns:
            row["rates"] = [rate_of(pick, pays, unit) for _ in range(columns)]
        else:
            row[pays] = rate_of(pick, pays, unit)
        if mode == "mixed":
            row["back"] = pick.one(("none", "all", "tier")) if place else "none"
        tiers["rates"].append(row)
    found: Document = {"tiers": tiers, "quota": None}
    if axis == "attainment" or pays == "times":
        found |= quota_for(pick, counted, unit, pays == "times", prorated)
    if pays == "times":
        found |= on_target(pick)
    return found


def rate_of(pick: Pick, pays: str, unit: int) -> str:
    match pays:
        case "rate":
            return pick.one(RATES)
        case "times":
            return pick.one(FACTORS)
    return money(pick.one((250 * unit, 1, 333)), unit)


def columns_of(pick: Pick, unit: int, known: list[Known]) -> tuple[Document, int]:
    reads, read_unit = read_of(pick, known)
    starts = bounds_in(read_unit, unit)[: 1 + pick.upto(1)]
    return {"reads": reads, "boundary": pick.one(("above", "below")), "from": starts}, len(starts)


def table_of(pick: Pick, document: Document, unit: int, counted: str) -> Document:
    pays = "amount" if counted != "money" else pick.one(("rate", "amount"))
    dimensions = dimensions_of(pick, document, unit, 1 + pick.upto(2))
    return {"pays": pays, "dimensions": dimensions, "cells": cells_of(pick, dimensions, pays, unit)}


def dimensions_of(pick: Pick, document: Document, unit: int, count: int) -> list[Document]:
    found: list[Document] = []
    for _ in range(count):
        found.append(dimension_of(pick, document, unit, {dimension["field"] for dimension in found}))
    return found


def dimension_of(pick: Pick, document: Document, unit: int, taken: set[str]) -> Document:
    fields = ["amount", "product.series", "custom.term", "close_date", "person.title", "stage"]
    if "computed" in document and pick.seldom(3):
        fields = ["computed.share", "computed.margin"]
    field = pick.one(
        [field for field in fields if field not in taken]
        or [name for name in ("amount", "stage", "territory") if name not in taken]
    )
    boundary = pick.one(("above", "below"))
    if field in ("amount", "computed.margin"):
        return {"field": field, "from": [money(start * unit, unit) for start in (0, 100, 25_000)], "boundary": boundary}
    if field in ("custom.term", "computed.share"):
        return {"field": field, "from": pick.one((["0", "12"], ["0.5"])), "boundary": boundary}
    if field == "close_date":
        return {"field": field, "from": ["2024-01-01", "2024-02-11"], "boundary": boundary}
    values = ("AE", "Senior") if field == "person.title" else TEXTS[field]
    return {"field": field, "values": list(values[: 1 + pick.upto(1)]), "else": pick.one((True, False))}


def cells_of(pick: Pick, dimensions: list[Document], pays: str, unit: int) -> Any:
    if not dimensions:
        match pays:
            case "rate":
                return pick.one(RATES[:6])
            case "amount":
                return money(pick.one((250 * unit, 1, 0)), unit)
        return pick.one(FACTORS[:6])
    first = dimensions[0]
    rows = len(first["from"]) if "from" in first else len(first["values"]) + first["else"]
    return [cells_of(pick, dimensions[1:], pays, unit) for _ in range(rows)]


def bonus_of(pick: Pick, base: Document, counted: str, unit: int, document: Document) -> Document:
    bonus: Document = {"amount": money(pick.one((500 * unit, 12_345, 1)), unit)}
    if by_credit(base) and pick.seldom(2):
        bonus |= {"per": "credit"}
        if pick.seldom(2):
            least = pick.one((25_000, 100))
            bonus["min_deal"] = money(least * unit, unit) if unit_of_credit(document, base) == "money" else str(least)
        return {"quota": None, "bonus": bonus}
    bonus |= {
        "per": "measure_period",
        "at": pick.one(("100%", "50%", "33.333333%", "120%")),
        "boundary": pick.one(("above", "below")),
    }
    return quota_for(pick, counted, unit, False, "proration" in document) | {"bonus": bonus}


def incentive_of(pick: Pick, kind: str, counted: str, unit: int, prorated: bool) -> Document:
    pays = pick.one(("share", "amount") if kind == "incentive" else ("share", "number"))
    if kind == "result" and pick.has("result in money", 3):
        pays = "amount"
    axis = pick.one(("attainment", "value"))
    curve: Document = {"pays": pays, "axis": axis, "mode": pick.one(("interpolated", "steps", "by_width"))}
    curve["boundary"] = pick.one(("above", "below"))
    if curve["mode"] != "by_width":
        curve["below"] = pick.one(("zero", "first"))
    if curve["mode"] == "interpolated":
        curve["beyond"] = pick.one(("last", "extend"))
    in_unit = "share" if axis == "attainment" else counted
    if pick.has("full points", 6):
        curve["full_points"] = {"share": "1%", "money": money(7 * unit, unit)}.get(in_unit, "0.5")
    paid = {"share": ("0%", "50%", "100%", "200%"), "number": ("0", "0.5", "2", "3.25")}.get(
        pays, tuple(money(amount * unit, unit) for amount in (0, 5, 100, 250))
    )
    places = list(bounds_in(in_unit, unit))
    places = places[pick.upto(1) :][: 2 + pick.upto(2)]
    curve["points"] = [{"at": place, "pays": pick.one(paid)} for place in places]
    if curve["mode"] == "by_width":
        curve["points"][-1]["pays"] = paid[0]
    found: Document = {"quota": None, "curve": curve}
    if axis == "attainment":
        found = quota_for(pick, counted, unit, True, prorated) | {"curve": curve}
    if kind == "incentive" and pays == "share":
        found |= on_target(pick)
    return found


def is_part(component: Document) -> bool:
    """May it be part of a scorecard?"""
    return bool(component["kind"] == "result" and component["curve"]["pays"] != "amount")


def scorecard_of(pick: Pick, known: list[Known]) -> Document:
    own = [reference for reference, component, _ in known if is_part(component) and "/" not in reference]
    parts = [{"component": own[0], "weight": "100%"}]
    if len(own) > 1:
        parts = [{"component": own[0], "weight": "60%"}, {"component": own[1], "weight": "40%"}]
    scorecard = {
        "missing_part": pick.one(("zero", "wait")),
        "at_least": pick.one((None, "50%", "0%")),
        "at_most": pick.one((None, "150%", "100%")),
        "parts": parts,
    }
    return {"scorecard": scorecard} | on_target(pick)


def pool_of(pick: Pick, unit: int) -> Document:
    pool: Document = {"share": pick.one(("2%", "33.333333%"))}
    if pick.seldom(3):
        pool = {"amount": money(pick.one((1_000 * unit, 101)), unit)}
    pool["divide"] = pick.one(("equal", "points"))
    if pool["divide"] == "points":
        pool["points"] = "pool-points"
    return pool | {"after_posting": pick.one(("keep", "redivide"))}


def rank_of(pick: Pick, unit: int) -> Document:
    prizes = pick.one(((5_000, 3_000, 1_000), (100,), (100, 99)))
    return {
        "order": pick.one(("high", "low")),
        "prizes": [money(prize * unit, unit) for prize in prizes],
        "ties": pick.one(("share", "all")),
        "after_posting": "keep",
    }


# ------------------------------------------------------------------ reads


def read_of(pick: Pick, known: list[Known]) -> tuple[Document, str]:
    """What is read of a known component, and its unit."""
    reference, component, plan = pick.one(known)
    values = ["earning", "earning_before_cap", "released"]
    if component["kind"] == "result":
        values = ["result"]
    elif component["kind"] == "scorecard":
        values = ["earning"]
    if component["kind"] not in ("scorecard", "pool", "rank"):
        if "/" not in reference:
            # A plan does not know what another counts.
            values.insert(0, "measure")
        if component.get("quota") is not None:
            values.insert(0, "attainment")
    value = pick.one(values)
    match value:
        case "attainment":
            unit = "share"
        case "measure":
            unit = unit_of_measure(plan, component)
        case "result":
            unit = {"share": "share", "amount": "money"}.get(component["curve"]["pays"], "number")
        case _:
            unit = "money"
    return {"component": reference, "value": value}, unit


def bounds_in(kind: str, unit: int) -> list[str]:
    match kind:
        case "money":
            return [money(amount * unit, unit) for amount in (0, 100, 25_000, 100_000)]
        case "share":
            return ["0%", "50%", "100%", "120%"]
        case "units":
            return ["0", "1", "2", "3.5"]
        case "days":
            return ["0", "5", "10", "31"]
    return ["0", "0.5", "1", "2"]


# ------------------------------------------------------------------ what shapes a line


def shape_of(pick: Pick, component: Document, document: Document, unit: int, known: list[Known]) -> Document:
    found: Document = {}
    kind, credit = component["kind"], by_credit(component)
    counted = unit_of_measure(document, component)
    if kind in ("commission", "bonus", "incentive"):
        if pick.has("modifiers", 6):
            modifiers = modifiers_of(pick, credit, document, unit, known)
            if modifiers:
                found["modifiers"] = modifiers
        if credit and pick.has("kickers", 6):
            found["kickers"] = kickers_of(pick, counted, document, unit)
        if pick.has("limits", 6):
            limits = limits_of(pick, component, counted)
            if limits:
                found["limits"] = limits
    if credit and pick.has("minimum", 8):
        found["minimum"] = {"amount": money(pick.one((50 * unit, 1)), unit), "per": "credit"}
    caps = []
    if pick.has("caps", 6):
        caps = [cap_of(pick, component, unit, known) for _ in range(1 + pick.upto(2) // 2)]
    carries = kind != "scorecard" and measure_of(component)["every"] not in document.get("periods", {})
    if carries and document["on_new_version"] == "restart":
        carries = pick.has("carried under restart", 2)
    else:
        carries = carries and pick.has("carried", 10)
    if carries:
        if document["on_new_version"] == "restart":
            caps = []
        amount = money(pick.one((1_000, 100)) * unit, unit)
        carried = {"counts": pick.one((True, False)), "until": pick.one(("used_up", "year_end"))}
        caps.append({"amount": amount, "per": "measure_period", "excess": "carried"} | carried)
    if caps:
        found["caps"] = caps
        if any("of_incentive" in cap for cap in caps) and "incentive" not in component:
            found |= on_target(pick)
    if pick.has("budget", 10):
        found["budget"] = {"amount": money(pick.one((1_000, 100, 1)) * unit, unit), "after_posting": "keep"}
    if pick.has("gates", 2 if read_between(component, document, known) else 5):
        found |= gates_of(pick, component, unit, known)
    return found


def modifiers_of(pick: Pick, credit: bool, document: Document, unit: int, known: list[Known]) -> Document | None:
    each: list[Document] = []
    for place in range(1 + pick.upto(2)):
        modifier: Document = {"key": f"m-{place}"}
        what = pick.one(("when", "table", "reads"))
        if what == "reads":
            if not known:
                continue
            reads, read_unit = read_of(pick, known)
            mode = pick.one(("steps", "interpolated"))
            modifier |= {"reads": reads, "mode": mode, "boundary": pick.one(("above", "below"))}
            modifier["below"] = pick.one(("first", "one"))
            if mode == "interpolated":
                modifier["beyond"] = pick.one(("last", "extend"))
            places = bounds_in(read_unit, unit)[pick.upto(1) :][:3]
            modifier["points"] = [{"at": place, "times": pick.one(FACTORS[:6])} for place in places]
        elif not credit:
            continue
        elif what == "when":
            modifier |= {"when": condition(pick, document, unit), "times": pick.one(FACTORS)}
        else:
            dimensions = dimensions_of(pick, document, unit, 1 + pick.upto(1))
            modifier["table"] = {"dimensions": dimensions, "cells": cells_of(pick, dimensions, "times", unit)}
        each.append(modifier)
    return {"combine": pick.one(("multiply", "add")), "each": each} if each else None


def kickers_of(pick: Pick, counted: str, document: Document, unit: int) -> list[Document]:
    kickers = [{"key": "new-logo", "when": condition(pick, document, unit)}]
    if counted == "money" and pick.seldom(2):
        kickers[0]["rate"] = pick.one(("2%", "33.333333%"))
    else:
        kickers[0]["amount"] = money(pick.one((250 * unit, 1)), unit)
    return kickers


def limits_of(pick: Pick, component: Document, counted: str) -> Document:
    limits: Document = {}
    if component.get("quota") is not None and pick.seldom(2):
        starts = [row["from"] for row in (component.get("tiers") or {"rates": []})["rates"]]
        starts += [row["at"] for row in component.get("curve", {"points": []})["points"]]
        starts.append(component.get("bonus", {}).get("at", "0%"))
        highest = max((percent(start) for start in starts if start.endswith("%")), default=Fraction(0))
        limits["attainment"] = pick.one(
            [text for text in ("150%", "125%", "100%", "33.333333%", "250%") if percent(text) > highest]
        )
    if counted == "money" and pick.seldom(2):
        limits["rate"] = pick.one(("20%", "5%"))
    return limits


def cap_of(pick: Pick, component: Document, unit: int, known: list[Known]) -> Document:
    per = pick.one(("credit", "deal", "measure_period", "year") if by_credit(component) else ("measure_period", "year"))
    rest = {"per": per, "excess": pick.one(("lost", "review"))}
    paid = [reference for reference, each, _ in known if each["kind"] in EARNING_KINDS]
    what = pick.one(("amount", "of_incentive", "of_component"))
    if what == "of_incentive":
        return {"of_incentive": pick.one(("200%", "10%"))} | rest
    if what == "of_component" and paid:
        of = {"component": pick.one(paid), "share": pick.one(("50%", "33.333333%"))}
        counted = [
            name
            for name, each, plan in known
            if "/" not in name and "credits" in each and unit_of_measure(plan, each) == "money"
        ]
        if counted and pick.has("measured cap", 3):
            of |= {"component": pick.one(counted), "value": "measure"}
        return {"of_component": of} | rest
    return {"amount": money(pick.one((5_000, 500, 100, 1)) * unit, unit)} | rest


def highest_result(known: list[Known], reference: str) -> str:
    """What the highest point of a result pays, so that a gate can be met."""
    points = next(component for name, component, _ in known if name == reference)["curve"]["points"]
    return str(max((point["pays"] for point in points), key=number))


def gates_of(pick: Pick, component: Document, unit: int, known: list[Known]) -> Document:
    gates = []
    if not known:
        return {}
    for place in range(1 + pick.upto(3) // 3):
        gate: Document = {"key": f"gate-{place}"}
        summed = [
            row
            for row in known
            if by_credit(row[1]) and row[1].get("quota") is not None and not isinstance(row[1]["quota"], dict)
            if "/" in row[0] or "order" not in row[1]
        ]
        if by_credit(component) and "order" not in component and summed and pick.has("running gates", 3):
            reference, read, plan = pick.one(summed)
            value = "attainment" if "/" in reference else pick.one(("attainment", "measure"))
            read_unit = "share" if value == "attainment" else unit_of_measure(plan, read)
            gate |= {"reads": {"component": reference, "value": value}, "read_at": "running"}
            gate["catch_up"] = pick.one((True, False))
        else:
            gate["reads"], read_unit = read_of(pick, known)
            gate |= {"read_at": "final", "until_known": pick.one(("withhold", "provisional"))}
        gate["at_least"] = pick.one(bounds_in(read_unit, unit)[:3])
        if gate["reads"]["value"] == "result":
            gate["at_least"] = highest_result(known, gate["reads"]["component"])
        effects: list[Any] = ["withhold", "no_accelerators", {"times": pick.one(("0.5", "0", "1.5"))}]
        effects.append({"cap": money(pick.one((1_000, 100)) * unit, unit)})
        gate["effect"] = "withhold" if gate.get("catch_up") else pick.one(effects)
        if component["kind"] == "result" and gate["effect"] not in ("withhold", effects[2]):
            gate["effect"] = "withhold"
        gates.append(gate)
    return {"gates": gates}
