"""When earnings are payable, in great number: release, floating rates, clawbacks, amortisation."""

from __future__ import annotations

from typing import Any

from tests.oracle.pick import Pick
from tests.oracle.words import MILESTONES, RELEASES, Document


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
    elif by_credit and pick.has("clawback", 5):
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
    return clawback
