"""The form of when earnings are payable and what is taken back, and of the settlement. See plans.rules.forms."""

from __future__ import annotations

from typing import Any

from plans.rules.about import About
from plans.rules.forms import Anything, Date, Field, Flag, Form, Money, Percent, Slug, Whole, Word, table_of
from plans.rules.shapes import By, Opt, Rows, Slugs, Table, Words
from plans.rules.values import Document

MAX_TRANCHES = 20
MAX_DAYS = 3660
MAX_MONTHS = 600
MAX_PERIODS = 120
MAX_DRAWS = 10
MAX_CAPS = 10

STEPS = ("releases", "adjustments", "clawbacks", "carried", "recovery", "cap", "holdback", "top_up")
#: The steps of a settlement that a top-up may be tested against.
TESTED = ("releases", "adjustments", "clawbacks", "carried", "recovery", "cap", "holdback")
REVERSALS = ("cancellation", "refund", "nonpayment")
FORMULAS = ("recompute", "original", "pro_rata", "window", "table", "uncollected")


def tranche(value: Any, about: About) -> Table:
    row = table_of(value)
    keys: dict[str, Form] = {"share": Percent(zero=False), "on": Slug()}
    match row.get("on"):
        case "usage":
            keys |= {"at": Percent(zero=False), "reading": Opt(Word(("high_water", "live")))}
        case "paid":
            keys |= _cash(row)
        case "date":
            keys["day"] = Date()
    keys["after"] = Opt(By(after, ({}, {"months": 1}, {"periods": 1})))
    return Table(keys)


def _cash(row: dict[str, Any]) -> dict[str, Form]:
    contracted = row.get("base") == "contracted"
    return {"base": Word(("invoiced", "contracted")), "tax": Word(("without",) if contracted else ("with", "without"))}


def after(value: Any, about: About) -> Table:
    row = table_of(value)
    if "months" in row:
        return Table({"months": Whole(0, MAX_MONTHS), "day": Opt(Whole(1, 31))})
    if "periods" in row:
        return Table({"periods": Whole(1, MAX_PERIODS)})
    return Table({"days": Whole(1, MAX_DAYS)})


_TRIGGERS: tuple[Document, ...] = ({}, {"on": "usage"}, {"on": "paid"}, {"on": "date"})
RELEASE = Rows(By(tranche, _TRIGGERS, "on"), 1, MAX_TRANCHES, "tranches")


# ------------------------------------------------------------------ taken back, spread


def months(value: Any, about: About) -> Form:
    """A number of months, or the number field that holds them."""
    return Field(("number",)) if isinstance(value, str) and not value.strip().isdigit() else Whole(1, MAX_MONTHS)


MONTHS = By(months, (1, "months"))


def clawback(value: Any, about: About) -> Table:
    row = table_of(value)
    formula = row.get("formula")
    keys: dict[str, Form] = {
        "on": Words(REVERSALS),
        "formula": Word(FORMULAS),
    }
    failing = Word(("counts", "does_not_count"))
    if formula not in FORMULAS:
        keys |= dict.fromkeys(("term_months", "window", "table", "failing_month", "base", "tax"), Opt(Anything()))
    match formula:
        case "pro_rata":
            keys |= {"term_months": MONTHS, "failing_month": failing}
        case "window":
            keys["window"] = By(window, ({"months": 1}, {"days": 1}))
            if "days" not in table_of(row.get("window")):
                keys["failing_month"] = failing
        case "table":
            step = Table({"from": Whole(0, MAX_MONTHS), "share": Percent()})
            keys |= {"table": Rows(step, 1, MAX_MONTHS, "rows"), "failing_month": failing}
        case "uncollected":
            keys |= _cash(row)
    if formula != "recompute":
        keys |= {"lowers_measure": Flag(), "takes": Word(("all", "released")), "floor": Opt(Percent(zero=False))}
        keys["exchange"] = Opt(Word(("own", "origin")))
    return Table(keys)


def window(value: Any, about: About) -> Table:
    if "days" in table_of(value):
        return Table({"days": Whole(1, MAX_DAYS)})
    return Table({"months": Whole(1, MAX_MONTHS)})


_FORMULAS = tuple({"formula": word, "window": unit} for word in FORMULAS for unit in ({}, {"days": 1}))
#: What stands beside `release`.
PAYABLE: dict[str, Form] = {
    "release_rate": Opt(Word(("fixed", "this_share", "true_up"))),
    "clawback": Opt(By(clawback, _FORMULAS, "formula")),
    "amortise": Opt(Table({"months": MONTHS, "from": Word(("credit_date", "next_month"))})),
}


# ------------------------------------------------------------------ the settlement


def draw(value: Any, about: About) -> Table:
    return Table(_draw(table_of(value), TESTED))


def one_of_draws(value: Any, about: About) -> Table:
    """A draw among several."""
    return Table({"key": Slug(), "components": Opt(Slugs("components")), **_draw(table_of(value), (*TESTED, "top_up"))})


def _draw(row: Document, tested: tuple[str, ...]) -> dict[str, Form]:
    keys: dict[str, Form] = {
        "kind": Word(("recoverable", "non_recoverable", "guarantee")),
        "style": Word(("top_up", "advance")),
        "amount": Money(),
        "from": Date(),
        "to": Date(),
    }
    if row.get("style") != "advance":
        keys["test"] = Words(tested)
    if row.get("kind") == "recoverable":
        recovery: dict[str, Form] = {
            "share": Percent(zero=False),
            "keep": Money("zero"),
            "after_periods": Whole(0, MAX_PERIODS),
        }
        keys |= {"recovery": Table(recovery), "on_leaving": Word(("owed", "written_off"))}
    elif row.get("kind") == "guarantee":
        keys["retest"] = Flag()
    return keys


def clawback_limit(value: Any, about: About) -> Table:
    keys: dict[str, Form] = {
        "share": Percent(zero=False),
        "keep": Money("zero"),
        "excess": Word(("carried", "forgiven")),
    }
    if table_of(value).get("excess") != "forgiven":
        keys["on_leaving"] = Word(("owed", "forgiven"))
    return Table(keys)


_DRAWS = tuple(
    {"kind": kind, "style": style}
    for kind in ("recoverable", "non_recoverable", "guarantee")
    for style in ("top_up", "advance")
)
_CAP_EXCESS = Word(("lost", "carried", "review"))
_PAYMENT_CAP = Table({"amount": Money(), "per": Word(("pay_period", "year")), "excess": _CAP_EXCESS})
SETTLEMENT = Table(
    {
        "order": Words(STEPS),
        "settle_in": Opt(Word(("plan", "pay"))),
        "amounts_rate": Opt(Word(("period_start", "period_end", "period_average"))),
        "draw": Opt(By(draw, _DRAWS, "kind")),
        "draws": Opt(Rows(By(one_of_draws, _DRAWS, "kind"), 1, MAX_DRAWS, "draws")),
        "cap": Opt(Table({"amount": Money(), "excess": _CAP_EXCESS})),
        "caps": Opt(Rows(_PAYMENT_CAP, 1, MAX_CAPS, "caps")),
        "clawback_limit": Opt(By(clawback_limit, ({"excess": "carried"}, {"excess": "forgiven"}), "excess")),
        "holdback": Opt(Table({"share": Percent(zero=False), "periods": Whole(1, MAX_PERIODS)})),
        "minimum": Opt(Table({"amount": Money()})),
        "small_adjustments": Opt(Table({"below": Money()})),
        "negative": Word(("carried", "collected")),
    }
)
