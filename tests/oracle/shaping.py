"""What shapes a line, and what components read of each other, in great number."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.oracle.book import measure_of, unit_of_measure
from tests.oracle.pick import Pick
from tests.oracle.reading import number, percent
from tests.oracle.words import FACTORS, RATES, TEXTS, Document, money

EARNING_KINDS = ("commission", "bonus", "incentive", "pool", "rank", "scorecard")
Known = tuple[str, Document, Document]  # how it is referred to, the component, its plan


def read_between(base: Document, document: Document, known: list[Known]) -> list[Known]:
    """What goes by periods of a plan's own, so that a component of the calendar reads it on days between them too."""
    if base["measure"]["every"] in document.get("periods", {}):
        return []
    return [row for row in known if row[1]["measure"]["every"] in row[2].get("periods", {})]


def condition(pick: Pick, document: Document, unit: int) -> Document:
    from tests.oracle.writing import condition_of

    return condition_of(pick, unit, 1, "computed" in document)


def by_credit(component: Document) -> bool:
    return measure_of(component)["by"] == "credit" and component["kind"] in ("commission", "bonus", "incentive")


def on_target(pick: Pick) -> Document:
    return {"incentive": "target", "missing_incentive": pick.one(("wait", "no_pay"))}


# ------------------------------------------------------------------ tables


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
        after = pick.one(("keep", "keep", "redivide"))
        found["budget"] = {"amount": money(pick.one((1_000, 100, 1)) * unit, unit), "after_posting": after}
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
