"""The form of a component: which keys each kind has, what it counts, what it is held against. See plans.rules.forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plans.rules import language_rates as rates
from plans.rules import language_release as pay
from plans.rules.about import About
from plans.rules.compiled import Unit
from plans.rules.forms import (
    Anything,
    AsIs,
    Date,
    Factor,
    Field,
    Form,
    Money,
    Percent,
    Refused,
    Schema,
    Slug,
    Text,
    When,
    Whole,
    Word,
    table_of,
)
from plans.rules.look import Look
from plans.rules.shapes import By, ComponentName, Needed, Nothing, Null, Opt, Rows, Slugs, Table

KINDS = ("commission", "bonus", "incentive", "result", "scorecard", "pool", "rank")
EVERY = ("month", "quarter", "half", "year")
VALUES = ("sum", "count", "weighted", "share", "average", "last", "high_water", "days")
WINDOWS = ("discrete", "year_to_date", "rolling")

#: What a missing quota and one of zero may lead to.
TIER_OUTCOMES: dict[str, Form] = {
    "missing_quota": Word(("wait", "lowest_tier")),
    "zero_quota": Word(("wait", "no_pay", "lowest_tier", "highest_tier")),
}
PLAIN_OUTCOMES: dict[str, Form] = {"missing_quota": Word(("wait", "no_pay")), "zero_quota": Word(("wait", "no_pay"))}
BELOW_ZERO = Word(("lowest_tier", "no_pay"))

NO_QUOTA = "A bonus per credit is held against no quota; found {found}, allowed: null."
A_QUOTA = "A quota is needed: what is paid here goes by attainment. Found null; allowed: a quota key."
NO_TARGET = "Nothing here is paid as a share or multiple of a target incentive."


def component(value: Any, about: About) -> Table:
    """The keys that a component has, by its kind and by what it says."""
    row = table_of(value)
    kind, unit = row.get("kind"), about.unit(row)
    if kind not in KINDS:
        return _unknown(about)
    keys: dict[str, Form] = {
        "key": Slug(),
        "name": Text(120),
        "clause": Text(2000),
        "kind": Word((kind,)),
        "eligible": Opt(When(person=True)),
        "eligible_on": Opt(Date()),
        **_counted(row),
        "measure": _EVERY if kind == "scorecard" else MEASURE,
        "order": Opt(ORDER),
    }
    if kind in ("commission", "bonus", "incentive", "result"):
        keys |= _quota(row, unit)
    if _on_target(row):
        keys |= {"incentive": Slug(), "missing_incentive": Word(("wait", "no_pay"))}
    elif "incentive" in row:
        keys |= {"incentive": Opt(Refused(NO_TARGET)), "missing_incentive": Opt(Anything())}
    keys["ramp"] = Opt(RAMP)
    keys |= _paid(row, kind, unit, about)
    if kind != "result":
        keys["cap"] = Null(CAP)
        keys |= rates.SHAPING
    keys["gates"] = Opt(rates.GATES)
    if kind != "result":
        keys |= {"release": pay.RELEASE, **pay.PAYABLE}
    return Table(keys)


def _paid(row: dict[str, Any], kind: str, unit: Unit | None, about: About) -> dict[str, Form]:
    """What the measure earns, by kind."""
    keys: dict[str, Form] = {}
    size = about.credit_unit(row)
    if kind == "commission" and "table" in row and "tiers" not in row:
        keys["table"] = By(rates.table, ({"pays": "rate", **_DIMENSION}, {"pays": "amount", **_DIMENSION}), "pays")
    elif kind == "commission":
        keys["below_zero"] = BELOW_ZERO
        keys["tiers"] = By(rates.tiers, rates.TIERS, "mode")
    elif kind == "bonus":
        rows = tuple({"per": word} for word in ("credit", "measure_period"))
        keys["bonus"] = By(lambda value, about: _bonus(value, size), rows, "per")
    elif kind in ("incentive", "result"):
        keys["curve"] = By(lambda value, about: rates.curve(value, unit, kind), _CURVES, "mode")
    elif kind == "scorecard":
        keys["scorecard"] = SCORECARD
    elif kind == "pool":
        keys["pool"] = By(_pool, _POOLS, "divide")
    else:
        keys["rank"] = RANK
    if kind == "commission":
        keys["accelerator"] = Null(_accelerator(size))
    if kind in ("commission", "bonus", "incentive"):
        keys |= {"modifiers": Opt(rates.MODIFIERS), "kickers": Opt(rates.KICKERS)}
        keys["limits"] = Opt(By(rates.limits, ({"attainment": 1, "rate": 1},)))
        keys["counterpart"] = Opt(rates.COUNTERPART)
    return keys


_CURVES = tuple(
    {"pays": pays, "axis": axis, "mode": mode}
    for pays in ("share", "amount", "number")
    for axis in ("attainment", "value")
    for mode in ("steps", "interpolated", "by_width")
)
_POOLS = tuple({name: "", "divide": divide} for name in ("share", "amount") for divide in ("equal", "points"))
_READS = tuple({"of": of} for of in ("self", "reports", "downline", "team"))
_DIMENSION = {"dimensions": [{"field": "amount", "from": [""]}]}


def _unknown(about: About) -> Table:
    """All keys of all kinds, for a component whose kind says nothing."""
    keys: dict[str, Form] = {
        "key": Slug(),
        "name": Text(120),
        "clause": Text(2000),
        "kind": Word(KINDS),
        "measure": Anything(),
    }
    known = {key for kind in KINDS for row in exemplars(kind) for key in component(row, about).keys}
    return Table(keys | {key: Opt(Anything()) for key in sorted(known - set(keys))})


def exemplars(kind: str) -> list[dict[str, Any]]:
    """Documents in small whose forms are, together, all that a component of a kind may have."""
    rows: list[dict[str, Any]] = [{"kind": kind, "quota": "x"}]
    if kind == "commission":
        rows += [{**rows[0], "tiers": {"pays": "times"}}, {**rows[0], "table": {}}]
        rows += [{"kind": kind, "quota": None, "tiers": {"axis": "units"}}]
    elif kind == "bonus":
        rows = [{"kind": kind, "quota": None, "bonus": {"per": "credit"}}]
        rows += [{"kind": kind, "quota": "x", "bonus": {"per": "measure_period"}}]
        rows += [{"kind": kind, "quota": {}, "bonus": {"per": "measure_period"}}]
    elif kind in ("incentive", "result"):
        rows += [{"kind": kind, "quota": None, "curve": {"axis": "value", "pays": "amount"}}]
        rows += [{"kind": kind, "quota": "x", "curve": {"pays": "share"}}]
    elif kind == "pool":
        rows += [{"kind": kind, "pool": {"amount": ""}}]
    if kind not in ("scorecard", "result"):
        rows += [{**row, "reads": {}} for row in rows]
    if kind != "result":
        rows += [{**row, "caps": [{"of_incentive": ""}]} for row in rows]
    return rows


# ------------------------------------------------------------------ what is counted


def _counted(row: dict[str, Any]) -> dict[str, Form]:
    """`credits` or, in its place, `reads`."""
    if row.get("kind") == "scorecard":
        return {}
    if "reads" in row and "credits" in row:
        return {"credits": Anything(), "reads": Anything()}
    if "reads" in row:
        return {"reads": By(_reads, _READS, "of")}
    credits = Table({"classes": Slugs("credit classes"), "roles": Slugs("roles"), "when": Opt(When())})
    amount = row.get("kind") == "pool" and "amount" in table_of(row.get("pool"))
    return {"credits": Opt(credits) if amount else credits}


def _reads(value: Any, about: Any) -> Table:
    row = table_of(value)
    keys: dict[str, Form] = {"what": Word(("earning", "released")), "of": Word(("self", "reports", "downline", "team"))}
    if row.get("of") == "reports":
        keys["depth"] = Whole(1, 10)
    keys["components"] = Rows(ComponentName(), 1, 50, "components")
    return Table(keys)


#: By what rows are parted before they are added up: the deal, or texts of the fact.
PER = Rows(Field(("text",), ("deal",)), 1, 3, "words")
#: By what the lines of a measure period stand one behind the other.
ORDER = Field(("date",), ("credit_date", "event_time", "largest_first"))


@dataclass(frozen=True)
class EveryPeriod(AsIs):
    """A period of the calendar, or the name of periods that the plan states."""

    def check(self, look: Look, value: Any, path: str, about: About) -> None:
        look.word_value(value, path, (*EVERY, *map(str, about.periods)))

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": list(EVERY)}, {"$ref": "#/$defs/key"}]}


def _measure_table(value: Any, about: About) -> Table:
    row = table_of(value)
    keys: dict[str, Form] = {"every": EveryPeriod()}
    if not set(row) - {"every"}:
        return Table(keys)
    kind, window = row.get("value"), row.get("window")
    keys |= {"value": Word(VALUES), "window": Word(WINDOWS)}
    if window == "rolling":
        keys["periods"] = Whole(2, 24)
    keys |= {"of": Word(("own", "team", "pool", "company")), "by": Word(("credit", "period"))}
    weight = Field(("number", "money"))
    match kind:
        case "weighted":
            keys["weight"] = weight
        case "average":
            keys["weight"] = Null(weight)
        case "days":
            keys["weight"] = Null(weight)
            keys |= {"from": Field(("date",)), "to": Field(("date",))}
            keys |= {"first_day": Word(("in", "out")), "last_day": Word(("in", "out"))}
        case "share":
            keys["part"] = When()
        case "last" | "high_water":
            keys["per"] = Opt(PER)
    if kind in ("share", "average", "days"):
        keys["empty"] = Word(("wait", "zero"))
    if window == "year_to_date":
        keys["quota_basis"] = Word(("cumulative", "year"))
    return Table(keys)


_EVERY = Table({"every": EveryPeriod()})  # the short form
MEASURE = By(
    _measure_table, ({}, *({"value": value, "window": window} for value in VALUES for window in WINDOWS)), "value"
)


# ------------------------------------------------------------------ what it is held against


def needs_quota(row: dict[str, Any]) -> bool:
    """Whether a component can only be worked out against a quota."""
    tiers = table_of(row.get("tiers"))
    match row.get("kind"):
        case "commission" if "table" in row and "tiers" not in row:
            return False
        case "commission":
            return tiers.get("axis", "attainment") not in ("amount", "units") or tiers.get("pays") == "times"
        case "incentive" | "result":
            return table_of(row.get("curve")).get("axis") != "value"
    return True


def _quota(row: dict[str, Any], unit: Unit | None) -> dict[str, Form]:
    quota = row.get("quota")
    kind = row.get("kind")
    if kind == "bonus" and table_of(row.get("bonus")).get("per") != "measure_period":
        per_credit = table_of(row.get("bonus")).get("per") == "credit"
        return {"quota": Nothing(NO_QUOTA) if per_credit else Anything()}
    fixed = Table({"fixed": rates.in_unit(unit, "positive")})
    one = By(lambda value, about: fixed if isinstance(value, dict) else Slug(), ("", {}))
    needed = needs_quota(row)
    keys: dict[str, Form] = {"quota": Needed(one, A_QUOTA, "a quota key") if needed else Null(one)}
    if isinstance(quota, dict) or (quota is None and not needed):
        return keys
    plain = kind in ("incentive", "result") or "tiers" not in row and "table" in row
    times = table_of(row.get("tiers")).get("pays") == "times"
    return keys | (PLAIN_OUTCOMES if plain or times else TIER_OUTCOMES)


def _on_target(row: dict[str, Any]) -> bool:
    """Whether anything is paid as a share or multiple of the target incentive."""
    kind = row.get("kind")
    caps = row.get("caps")
    return (
        kind == "scorecard"
        or (kind == "incentive" and table_of(row.get("curve")).get("pays") != "amount")
        or (kind == "commission" and table_of(row.get("tiers")).get("pays") == "times")
        or any("of_incentive" in table_of(cap) for cap in (caps if isinstance(caps, list) else []))
    )


_PERCENTS = Rows(Percent(), 1, 60, "percentages, one a month")
RAMP = Table({"from": Word(("hired", "assigned")), "quota": Null(_PERCENTS), "incentive": Null(_PERCENTS)})

# ------------------------------------------------------------------ kinds with a form of their own

CAP = Table({"amount": Money(), "per": Word(("measure_period", "deal")), "excess": Word(("lost",))})

SCORECARD = Table(
    {
        "missing_part": Word(("zero", "wait")),
        "at_least": Null(Percent()),
        "at_most": Null(Percent(zero=False)),
        "parts": Rows(Table({"component": Slug(), "weight": Percent(zero=False)}), 1, 50, "parts"),
    }
)

RANK = Table(
    {
        "order": Word(("high", "low")),
        "prizes": Rows(Money(), 1, 500, "prizes"),
        "ties": Word(("share", "all")),
        "after_posting": rates.AFTER_POSTING,
    }
)


def _pool(value: Any, about: About) -> Table:
    row = table_of(value)
    keys: dict[str, Form] = {"amount": Money()} if "amount" in row else {"share": Percent(zero=False)}
    keys["divide"] = Word(("equal", "points"))
    if row.get("divide") == "points":
        keys["points"] = Slug()
    return Table(keys | {"after_posting": rates.AFTER_POSTING})


def _accelerator(unit: Unit) -> Table:
    band = Table({"from": rates.in_unit(unit), "times": Factor()})
    return Table({"boundary": rates.BOUNDARY, "bands": Rows(band, 1, rates.MAX_TIERS, "bands")})


def _bonus(value: Any, unit: Unit) -> Table:
    size = Opt(rates.in_unit(unit, "positive"))
    at, boundary = Percent(zero=False), rates.BOUNDARY
    match table_of(value).get("per"):
        case "measure_period":
            return Table({"amount": Money(), "per": Word(("measure_period",)), "at": at, "boundary": boundary})
        case "credit":
            return Table({"amount": Money(), "per": Word(("credit",)), "min_deal": size})
    optional: dict[str, Form] = {"min_deal": size, "at": Opt(at), "boundary": Opt(boundary)}
    return Table({"amount": Money(), "per": Word(("credit", "measure_period")), **optional})
