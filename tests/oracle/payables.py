"""When earnings are payable, in great number: release, floating rates, clawbacks, amortisation, settlements."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.oracle.book import measure_of
from tests.oracle.pick import Pick
from tests.oracle.words import EVERY, MILESTONES, RELEASES, START, Document, money


def release_of(pick: Pick, by_credit: bool, by_milestone: bool) -> list[Document]:
    """Triggers do not repeat inside one release."""
    triggers: list[Document] = [{"on": "credit_date"}]
    if by_credit:
        triggers += [{"on": kind} for kind in MILESTONES if not by_milestone]
        for at in ("25%", "33.333333%", "75%"):
            triggers.append({"on": "usage", "at": at})
            if pick.has("live usage", 10):
                triggers[-1]["reading"] = "live"
    if pick.has("release days", 4):
        triggers[0] = pick.one(({"on": "period_end"}, {"on": "date", "day": "2024-03-15"}))
        if not by_credit:
            triggers += [{"on": "date", "day": "2024-06-30"}, {"on": "credit_date"}]
    if by_credit and pick.has("paid", 4):
        base = pick.one(("invoiced", "contracted"))
        tax = pick.one(("with", "without")) if base == "invoiced" else "without"
        triggers.insert(0, {"on": "paid", "base": base, "tax": tax})
    release = []
    shares = [shares for shares in RELEASES if len(shares) <= len(triggers)]
    for share in pick.one(shares):
        entry = {"share": share} | triggers.pop(pick.upto(len(triggers) - 1))
        if pick.has("after", 5):
            afters: list[Document] = [
                {"days": 1},
                {"days": 40},
                {"months": 1},
                {"months": 2, "day": 31},
                {"months": 0, "day": 5},
            ]
            if entry["on"] in ("credit_date", "period_end", "date"):
                afters += [{"periods": 1}, {"periods": 3}]
            entry["after"] = pick.one(afters)
        release.append(entry)
    return release


def payable_of(pick: Pick, component: Document, by_credit: bool, floats: bool) -> Document:
    found: Document = {}
    if floats:
        found["release_rate"] = pick.one(("this_share", "true_up"))
        for entry in component["release"]:
            if entry["on"] == "paid":
                entry |= {"on": "date", "day": "2024-05-05"}
                del entry["base"], entry["tax"]
    elif by_credit and pick.has("clawback", 5 if measure_of(component)["every"] in EVERY else 2):
        found["clawback"] = clawback_of(pick)
    if pick.has("amortise", 8):
        months: Any = pick.one((12, 3, 7))
        if by_credit and pick.seldom(3):
            months = "term_months"
        found["amortise"] = {"months": months, "from": pick.one(("credit_date", "next_month"))}
    return found


def clawback_of(pick: Pick) -> Document:
    formula = pick.one(("original", "pro_rata", "window", "table", "uncollected", "recompute"))
    clawback: Document = {"on": pick.some(("cancellation", "refund", "nonpayment")), "formula": formula}
    failing = pick.one(("does_not_count", "counts"))
    match formula:
        case "pro_rata":
            clawback |= {"term_months": pick.one((12, 2, "term_months")), "failing_month": failing}
        case "window":
            clawback["window"] = pick.one(({"months": 1}, {"days": 30}, {"months": 6}, {"days": 1}))
            if "months" in clawback["window"]:
                clawback["failing_month"] = failing
        case "table":
            shares = (("100%", "50%", "0%"), ("100%", "33.333333%", "25%"))
            rows = zip((0, 1, 2), pick.one(shares), strict=True)
            clawback |= {"table": [{"from": start, "share": share} for start, share in rows], "failing_month": failing}
        case "uncollected":
            base = pick.one(("invoiced", "contracted"))
            clawback |= {"base": base, "tax": pick.one(("with", "without")) if base == "invoiced" else "without"}
    if formula != "recompute":
        clawback |= {"lowers_measure": pick.one((True, False)), "takes": pick.one(("all", "released"))}
        if pick.has("floor", 4):
            clawback["floor"] = pick.one(("25%", "33.333333%", "50%"))
        if pick.has("rate of origin", 2):
            clawback["exchange"] = pick.one(("origin", "own"))
    return clawback


# ------------------------------------------------------------------ settlements


def settlement_of(pick: Pick, unit: int, document: Document) -> Document:
    order = ["releases", "adjustments", "clawbacks", "carried", "recovery", "cap", "holdback", "top_up"]
    if pick.seldom(3):
        order[4], order[5] = order[5], order[4]
    if pick.seldom(4):
        order[2], order[5] = order[5], order[2]
    settlement: Document = {"order": order}
    if pick.seldom(3):
        settlement["cap"] = payment_cap(pick, unit)
    if pick.has("payment caps", 4):
        settlement["caps"] = [
            payment_cap(pick, unit) | {"per": pick.one(("year", "pay_period"))} for _ in range(1 + pick.upto(1))
        ]
    if pick.seldom(3):
        settlement["holdback"] = {"share": pick.one(("10%", "33.333333%", "5%")), "periods": 1 + pick.upto(2)}
    if pick.has("clawback limit", 4):
        limit = {"share": pick.one(("50%", "33.333333%", "100%")), "keep": money(pick.one((0, 100)) * unit, unit)}
        settlement["clawback_limit"] = limit | {"excess": pick.one(("carried", "forgiven"))}
        if settlement["clawback_limit"]["excess"] == "carried":
            settlement["clawback_limit"]["on_leaving"] = pick.one(("owed", "forgiven"))
    if pick.has("small adjustments", 4):
        settlement["small_adjustments"] = {"below": money(pick.one((501, 34, 500)) * unit, unit)}
    draws = []
    if pick.has("draws", 4):
        draws = settlement["draws"] = several_draws(pick, unit, settlement, document)
    elif pick.seldom(2):
        settlement["draw"] = draw_of(pick, unit, settlement)
        draws = [settlement["draw"]]
    if not {"cap", "caps"} & set(settlement):
        order.remove("cap")
    if "holdback" not in settlement:
        order.remove("holdback")
    if not draws:
        order.remove("top_up")
    if not any(draw["kind"] == "recoverable" for draw in draws):
        order.remove("recovery")
    for draw in draws:
        if "test" in draw:
            draw["test"] = [step for step in draw["test"] if step in order] or ["releases"]
    if pick.seldom(3):
        settlement["minimum"] = {"amount": money(pick.one((100, 1_000)) * unit, unit)}
    if "currencies" in document and pick.has("settled in pay", 2):
        settlement["settle_in"] = "pay"
        settlement["amounts_rate"] = pick.one(("period_start", "period_end", "period_average"))
    settlement["negative"] = pick.one(("carried", "collected"))
    return settlement


def payment_cap(pick: Pick, unit: int) -> Document:
    amount = money(pick.one((1_000, 100, 5_000)) * unit, unit)
    return {"amount": amount, "excess": pick.one(("lost", "carried", "review"))}


def several_draws(pick: Pick, unit: int, settlement: Document, document: Document) -> list[Document]:
    """Up to three, of some components or of all pay; no component is in two."""
    paying = [component["key"] for component in document["components"] if component["kind"] != "result"]
    draws = []
    for place, key in enumerate(("first", "second", "third")[: 1 + pick.upto(2)]):
        draw = {"key": key} | draw_of(pick, unit, settlement)
        if paying and pick.seldom(2):
            draw["components"] = pick.some(paying)
            paying = [name for name in paying if name not in draw["components"]]
            if "retest" in draw:
                draw["retest"] = False
            if "test" in draw:
                steps = ("releases", "recovery") if "clawback_limit" in settlement else ("releases", "clawbacks")
                draw["test"] = pick.some(steps)
        elif place and "test" in draw and pick.seldom(2):
            draw["test"].append("top_up")
        draws.append(draw)
    return draws


def draw_of(pick: Pick, unit: int, settlement: Document) -> Document:
    kind = pick.one(("recoverable", "non_recoverable", "guarantee"))
    style = pick.one(("top_up", "top_up", "advance"))
    start = pick.one((START, date(2024, 2, 1), date(2024, 2, 10)))
    draw: Document = {
        "kind": kind,
        "style": style,
        "amount": money(pick.one((2_000, 500, 100)) * unit, unit),
        "from": start.isoformat(),
        "to": (start + timedelta(days=pick.one((182, 60, 31)))).isoformat(),
    }
    if style == "top_up":
        draw["test"] = pick.some(("releases", "adjustments", "clawbacks", "carried", "cap", "holdback"))
    if kind == "recoverable":
        draw["recovery"] = {
            "share": pick.one(("50%", "100%")),
            "keep": money(pick.one((0, 1_000)) * unit, unit),
            "after_periods": pick.upto(2),
        }
        draw["on_leaving"] = pick.one(("owed", "written_off"))
    if kind == "guarantee":
        draw["retest"] = "small_adjustments" not in settlement and pick.one((True, False))
    return draw
