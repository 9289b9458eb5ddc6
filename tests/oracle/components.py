"""Components in great number: what they count, what they are held against, what they pay, what shapes it."""

from __future__ import annotations

from tests.oracle.book import measure_of, unit_of_credit, unit_of_measure
from tests.oracle.payables import payable_of, release_of
from tests.oracle.pick import Pick
from tests.oracle.shaping import (
    EARNING_KINDS,
    Known,
    bounds_in,
    by_credit,
    cells_of,
    condition,
    dimensions_of,
    gates_of,
    on_target,
    read_between,
    read_of,
    shape_of,
)
from tests.oracle.words import BOUNDS, DAYS, EVERY, FACTORS, RATES, Document, money

QUOTA_KEYS = ("new-business", "expansion")
COUNTED = "activities"


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
