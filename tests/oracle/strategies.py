"""Hypothesis strategies: small cases in great number, over all constructs of the language together.

Amounts aim at the places where money changes: exactly on a tier bound, one minor unit beside it, back below zero, equal
days and event times, the edge of a period, the largest amount. In every list of options the plainest stands first, so
that examples shrink to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.oracle.case import Assignment, Case, Deal, Member, Milestone, Quota, Reading, Reports, Value, Version
from tests.oracle.meaning import MINOR_DIGITS, percent

Option = TypeVar("Option")

LARGEST = 10**15
PEOPLE = (3, 11, 7, 20)
EVERY = ("quarter", "quarter", "month", "year")
ROLES = ("ae", "se", "csm")
QUOTA_KEYS = ("new-business", "expansion")
MILESTONES = ("signature", "go-live")
CUSTOM_FIELDS = {
    "custom.term": "number",
    "custom.arr": "money",
    "custom.signed": "date",
    "custom.renewal": "boolean",
    "custom.note": "text",
}
TEXTS: dict[str, tuple[str, ...]] = {
    "stage": ("won", "lost", "Won"),
    "source": ("crm", "b", "B", "é"),
    "product": ("GTX Pro", "GTXPro", "MG Special"),
    "product.series": ("GTX", "MG"),
    "account": ("Kan-code", "kan-code"),
    "account.sector": ("technology", "retail"),
    "account.country": ("Kenya", "Norway"),
    "territory": ("Central", "East"),
    "currency": ("USD", "JPY"),
    "custom.note": ("multi-year", "pilot", ""),
}
START = date(2024, 1, 1)
#: Most days fall into one quarter; the others sit on the edges of months, quarters, years, assignments and versions.
DAYS = tuple(
    date.fromisoformat(text)
    for text in (
        *(
            "2024-02-10",
            "2024-02-10",
            "2024-02-11",
            "2024-02-20",
            "2024-02-28",
            "2024-02-29",
            "2024-03-01",
            "2024-03-02",
        ),
        *(
            "2024-01-31",
            "2024-02-01",
            "2024-03-31",
            "2024-04-01",
            "2024-04-02",
            "2024-12-31",
            "2025-01-01",
            "2024-01-01",
        ),
    )
)
CHANGES = tuple(date.fromisoformat(text) for text in ("2024-02-20", "2024-03-01", "2024-02-11", "2025-01-01"))
RATES = ("10%", "15%", "20%", "0%", "12.5%", "7.333333%", "0.000001%", "150%", "100000%")
SHARES = ("100%", "50%", "25%", "33.333333%", "150%", "0.5%")
FACTORS = ("1", "1.5", "0.5", "2", "0", "1.000001", "1000")
BOUNDS = (
    ("0%",),
    ("0%", "100%"),
    ("0%", "100%", "120%"),
    ("0%", "50%", "100%", "150%"),
    ("0%", "33.333333%", "66.666667%"),
    ("0%", "0.000001%"),
)
RELEASES = (
    ("100%",),
    ("50%", "50%"),
    ("50%", "25%", "25%"),
    ("33.333333%", "33.333333%", "33.333334%"),
    ("0.000001%", "99.999999%"),
    ("10%", "20%", "30%", "40%"),
)


#: Bytes of chance that a case may use up; the largest cases take nearly as many.
TAPE = 650


class Pick:
    """Choices read from a tape of bytes, each an index into written options; past the end the first option.

    One draw a case, where a draw for each choice would be slow and would let hypothesis mix parts of one example into
    the next instead of making new ones. It still shrinks: a smaller byte is a plainer choice.
    """

    def __init__(self, tape: bytes) -> None:
        self._tape = iter(tape)

    def one(self, options: Sequence[Option]) -> Option:
        return options[self.upto(len(options) - 1)]

    def upto(self, highest: int) -> int:
        number, reach = 0, 1
        while reach <= highest:
            number, reach = number * 256 + next(self._tape, 0), reach * 256
        return number % (highest + 1)

    def seldom(self, out_of: int) -> bool:
        """True once in `out_of` times."""
        return self.upto(out_of - 1) == out_of - 1

    def some(self, options: Sequence[Option]) -> list[Option]:
        """At least one of the options, in their order."""
        chosen = 1 + self.upto(2 ** len(options) - 2)
        return [option for place, option in enumerate(options) if chosen >> place & 1]


def cases() -> st.SearchStrategy[Case]:
    """Cases of one to four people, one to twelve deals and one to four plan versions."""
    return st.binary(min_size=TAPE, max_size=TAPE).map(lambda tape: case_from(Pick(tape)))


def case_from(pick: Pick) -> Case:
    currency = pick.one(("USD", "JPY", "KWD"))
    unit = 10 ** MINOR_DIGITS[currency]
    large = pick.seldom(12)
    people = PEOPLE[: 1 + pick.upto(len(PEOPLE) - 1)]
    periods, pay_periods = pick.one((CALENDAR, WEEKS_4_4_5))

    versions = versions_of_plan(pick, "plan-a", currency)
    if pick.seldom(5):
        versions += versions_of_plan(pick, "plan-b", currency)
    quotas = some_quotas(pick, people, versions, periods, unit, large)
    deals = some_deals(pick, people, versions, quotas, unit, large)
    return Case(
        versions=versions,
        assignments=some_assignments(pick, people, versions),
        reports=some_reports(pick, people),
        deals=deals,
        quotas=quotas,
        milestones=some_milestones(pick, deals),
        readings=some_readings(pick, deals),
        periods=periods,
        pay_periods=pay_periods,
    )


# ------------------------------------------------------------------ calendars


def months(count: int, step: int) -> tuple[date, ...]:
    return tuple(date(2024 + place // 12, place % 12 + 1, 1) for place in range(0, count + 1, step))


def weeks(lengths: tuple[int, ...], years: int) -> tuple[date, ...]:
    """First days of periods of so many weeks each, from the first day of 2024, a Monday."""
    days = [START]
    for length in lengths * years:
        days.append(days[-1] + timedelta(weeks=length))
    return tuple(days)


CALENDAR = ({"month": months(36, 1), "quarter": months(36, 3), "year": months(36, 12)}, months(36, 1))
WEEKS_4_4_5 = (
    {"month": weeks((4, 4, 5) * 4, 3), "quarter": weeks((13,) * 4, 3), "year": weeks((52,), 3)},
    weeks((2,) * 26, 3),
)

# ------------------------------------------------------------------ plans


def money(amount: int, unit: int) -> str:
    """Minor units as the text that people write."""
    digits = len(str(unit)) - 1
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}{amount // unit}.{amount % unit:0{digits}}" if digits else f"{sign}{amount}"


def versions_of_plan(pick: Pick, key: str, currency: str) -> tuple[Version, ...]:
    """One version without an end, or two that meet on a day inside a measure period, or with a gap between."""
    every = [pick.one(EVERY) for _ in range(3)]
    first = document_of(pick, key, currency, every)
    if not pick.seldom(3):
        return (Version(first, START, None),)
    changed = pick.one(CHANGES)
    gap = timedelta(days=1 if pick.seldom(6) else 0)
    if pick.seldom(6):
        every = [pick.one(EVERY) for _ in range(3)]
    return (Version(first, START, changed), Version(document_of(pick, key, currency, every), changed + gap, None))


def document_of(pick: Pick, key: str, currency: str, every: list[str]) -> dict[str, Any]:
    unit = 10 ** MINOR_DIGITS[currency]
    rules = [rule_of(pick, f"rule-{place}", unit) for place in range(1 + pick.upto(3) // 2)]
    return {
        "format": "comp/plan/1",
        "key": key,
        "name": "A plan",
        "currency": currency,
        "on_new_version": "carry",
        "rounding": {
            "at": pick.one(("line", "curve")),
            "mode": pick.one(("half-even", "half-up")),
            "step": "whole" if pick.seldom(4) else "minor",
        },
        "fields": CUSTOM_FIELDS,
        "credit_rules": rules,
        "components": [
            component_of(pick, f"component-{place}", measured, rules, unit)
            for place, measured in enumerate(every[: 1 + pick.upto(5) // 2])
        ],
    }


def rule_of(pick: Pick, key: str, unit: int) -> dict[str, Any]:
    roles = ["ae"] if pick.seldom(2) else pick.some(ROLES)
    return {
        "key": key,
        "fact": "deal",
        "class": pick.one(("bookings", "bookings", "bookings", "renewals")),
        "when": condition_of(pick, unit, depth=2) if pick.seldom(3) else {"all": []},
        "credit_date": pick.one((*["close_date"] * 6, "engage_date", "custom.signed")),
        "amount": pick.one((*["amount"] * 6, "custom.arr")),
        "credit": [{"role": role, "share": pick.one(SHARES)} for role in roles],
        "roll_up": [roll_up_of(pick, roles, place) for place in range(pick.upto(4) // 2)],
    }


def roll_up_of(pick: Pick, roles: list[str], place: int) -> dict[str, Any]:
    return {
        "from": pick.some(roles),
        "to": pick.one((("manager", "director")[place], "ae")),
        "levels": 1 + pick.upto(2),
        "limit": pick.one(("100%", "150%", "50%", "33.333333%")),
    }


def condition_of(pick: Pick, unit: int, depth: int) -> dict[str, Any]:
    if depth == 0 or pick.seldom(2):
        return leaf_of(pick, unit)
    join = pick.one(("all", "any", "none"))
    return {join: [condition_of(pick, unit, depth - 1) for _ in range(1 + pick.upto(1))]}


def leaf_of(pick: Pick, unit: int) -> dict[str, Any]:
    field = pick.one(("stage", "amount", *TEXTS, "close_date", "engage_date", *CUSTOM_FIELDS))
    if pick.seldom(6):
        return {"field": field, "op": pick.one(("is_present", "is_missing"))}
    if field in TEXTS:
        op = pick.one(("is", "is_not", "in", "not_in", "contains", "starts_with"))
        words = TEXTS[field]
        if op in ("in", "not_in"):
            return {"field": field, "op": op, "value": pick.some([word for word in words if word])}
        whole = pick.one([word for word in words if word])
        return {"field": field, "op": op, "value": whole[:2] if op in ("contains", "starts_with") else whole}
    if field == "custom.renewal":
        return {"field": field, "op": "is", "value": pick.one((True, False))}
    if field in ("close_date", "engage_date", "custom.signed"):
        op = pick.one(("on_or_after", "before", "is", "between"))
        values = sorted(pick.one(DAYS).isoformat() for _ in range(2))
    else:
        op = pick.one(("at_least", "at_most", "more_than", "less_than", "is", "is_not", "between"))
        if field == "custom.term":
            values = sorted((pick.one(("12", "0.5", "36", "0")) for _ in range(2)), key=Fraction)
        else:
            values = [money(amount, unit) for amount in sorted(pick.one((0, 100, 25_000)) * unit for _ in range(2))]
    return {"field": field, "op": op, "value": values if op == "between" else values[0]}


def component_of(pick: Pick, key: str, every: str, rules: list[dict[str, Any]], unit: int) -> dict[str, Any]:
    kind = pick.one(("commission", "commission", "bonus"))
    component: dict[str, Any] = {
        "key": key,
        "name": "A component",
        "clause": "You earn what this says.",
        "kind": kind,
        "credits": taken_by(pick, rules),
        "measure": {"every": every},
        "quota": pick.one(QUOTA_KEYS),
        "cap": None,
        "release": release_of(pick),
    }
    if kind == "commission":
        component |= commission_of(pick, unit)
    else:
        component["bonus"] = bonus_of(pick, unit)
        if component["bonus"]["per"] == "credit":
            component["quota"] = None
    if component["quota"] is not None:
        component["missing_quota"] = pick.one(("lowest_tier", "wait"))
        component["zero_quota"] = pick.one(("lowest_tier", "highest_tier", "no_pay", "wait"))
    if pick.seldom(3):
        component["cap"] = {
            "amount": money(pick.one((5_000 * unit, 500 * unit, 100 * unit, 1 * unit)), unit),
            "per": pick.one(("measure_period", "deal")),
            "excess": "lost",
        }
    return component


def taken_by(pick: Pick, rules: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Classes that the rules give, and roles that they credit in these classes: all, or some of them."""
    given = sorted({rule["class"] for rule in rules})
    classes = pick.some(given) if pick.seldom(3) else given
    credited = [rule for rule in rules if rule["class"] in classes]
    roles = {entry["role"] for rule in credited for entry in rule["credit"]}
    roles |= {entry["to"] for rule in credited for entry in rule["roll_up"]}
    return {"classes": classes, "roles": pick.some(sorted(roles)) if pick.seldom(3) else sorted(roles)}


def commission_of(pick: Pick, unit: int) -> dict[str, Any]:
    mode = pick.one(("marginal", "retroactive"))
    tiers: dict[str, Any] = {"mode": mode, "boundary": pick.one(("above", "below"))}
    if mode == "retroactive":
        tiers["attribution"] = pick.one(("running", "proportional"))
    tiers["rates"] = [{"from": bound, "rate": pick.one(RATES)} for bound in pick.one(BOUNDS)]
    accelerator = None
    if pick.seldom(3):
        starts = pick.one(((0, 25_000), (0, 100, 25_000)))
        accelerator = {
            "boundary": pick.one(("above", "below")),
            "bands": [
                {
                    "from": money(start * unit, unit),
                    "times": pick.one(FACTORS),
                }
                for start in starts
            ],
        }
    return {"below_zero": pick.one(("lowest_tier", "no_pay")), "tiers": tiers, "accelerator": accelerator}


def bonus_of(pick: Pick, unit: int) -> dict[str, Any]:
    bonus: dict[str, Any] = {"amount": money(pick.one((500 * unit, 12_345, 1)), unit)}
    if pick.seldom(2):
        bonus |= {"per": "credit"}
        if pick.seldom(2):
            bonus["min_deal"] = money(pick.one((25_000, 100)) * unit, unit)
        return bonus
    return bonus | {
        "per": "measure_period",
        "at": pick.one(("100%", "50%", "33.333333%", "120%")),
        "boundary": pick.one(("above", "below")),
    }


def release_of(pick: Pick) -> list[dict[str, Any]]:
    """Triggers do not repeat inside one release."""
    triggers: list[dict[str, Any]] = [
        {"on": "credit_date"},
        *({"on": kind} for kind in MILESTONES),
        *({"on": "usage", "at": at} for at in ("25%", "33.333333%", "75%")),
    ]
    release = []
    for share in pick.one(RELEASES):
        release.append({"share": share} | triggers.pop(pick.upto(len(triggers) - 1)))
    return release


# ------------------------------------------------------------------ people


def some_assignments(pick: Pick, people: Sequence[int], versions: Sequence[Version]) -> tuple[Assignment, ...]:
    rows: list[Assignment] = []
    for plan in sorted({version.document["key"] for version in versions}):
        for person in people:
            match pick.one((*["always"] * 8, "leaves", "joins", "pauses", "never")):
                case "always":
                    rows.append(Assignment(person, plan, START, None))
                case "leaves":
                    rows.append(Assignment(person, plan, START, date(2024, 2, 29)))
                case "joins":
                    rows.append(Assignment(person, plan, date(2024, 2, 11), None))
                case "pauses":
                    rows.append(Assignment(person, plan, START, date(2024, 2, 11)))
                    rows.append(Assignment(person, plan, date(2024, 2, 29), date(2024, 4, 2)))
    return tuple(rows)


def some_reports(pick: Pick, people: Sequence[int]) -> tuple[Reports, ...]:
    """Each to the next, some to another from some day on, some in a circle; never two at a time."""
    rows = []
    for place, person in enumerate(people[:-1]):
        match pick.one(("next", "next", "next", "changes", "nobody")):
            case "next":
                rows.append(Reports(person, people[place + 1], START, None))
            case "changes":
                rows.append(Reports(person, people[place + 1], START, date(2024, 2, 20)))
                rows.append(Reports(person, people[-1], date(2024, 2, 20), None))
    if len(people) > 1 and pick.seldom(6):
        rows.append(Reports(people[-1], people[0], START, None))
    return tuple(rows)


def some_quotas(
    pick: Pick,
    people: Sequence[int],
    versions: Sequence[Version],
    periods: dict[str, tuple[date, ...]],
    unit: int,
    large: bool,
) -> tuple[Quota, ...]:
    """The same quota for each period of a person and key; now and then one that is a day short and so matches none."""
    components = [component for version in versions for component in version.document["components"]]
    keys = sorted(
        {(component["quota"], component["measure"]["every"]) for component in components if component["quota"]}
    )
    rows: list[Quota] = []
    amounts = (100_000 * unit, 100 * unit, 120_000 * unit, 0, None, 333, 1, 60_000 * unit)
    for person in people:
        for key, every in keys:
            amount = pick.one((*amounts, LARGEST, LARGEST + 1) if large else amounts)
            if amount is None:
                continue
            short = timedelta(days=1 if pick.seldom(12) else 0)
            spans = zip(periods[every][:5], periods[every][1:6], strict=False)
            rows.extend(Quota(person, key, start, end - short, amount) for start, end in spans)
    return tuple(rows)


# ------------------------------------------------------------------ deals


def some_deals(
    pick: Pick,
    people: Sequence[int],
    versions: Sequence[Version],
    quotas: Sequence[Quota],
    unit: int,
    large: bool,
) -> tuple[Deal, ...]:
    aims = aimed_totals(versions, quotas, unit)
    deals: list[Deal] = []
    so_far = 0
    for place in range(1 + pick.one((3, 0, 1, 2, 4, 5, 7, 11))):
        amount = some_amount(pick, aims, so_far, deals, unit, large)
        so_far += amount or 0
        fields: dict[str, Value] = {
            "amount": amount,
            "close_date": None if pick.seldom(16) else pick.one(DAYS),
            "engage_date": pick.one((*DAYS[:6], None)),
            "stage": pick.one(("won", "won", "lost", None)),
        }
        if pick.seldom(2):
            fields |= other_fields(pick, amount, unit)
        source = pick.one(TEXTS["source"])
        fields["source"] = source
        deals.append(
            Deal(
                id=1000 - 7 * place,
                source=source,
                external_id=f"{pick.one(('D', 'd', 'É'))}{(place * 7) % 13}",
                event_time=datetime(2024, 5, 1, pick.upto(2), tzinfo=UTC),
                fields={name: value for name, value in fields.items() if value is not None},
                team=some_team(pick, people),
            )
        )
    return tuple(deals)


def other_fields(pick: Pick, amount: int | None, unit: int) -> dict[str, Value]:
    fields: dict[str, Value] = {
        name: pick.one((*words, None)) for name, words in TEXTS.items() if name not in ("stage", "source")
    }
    fields["custom.term"] = pick.one((Fraction(12), None, Fraction(1, 2), Fraction(25, 2)))
    fields["custom.arr"] = pick.one((amount, None, 100 * unit, -25_000 * unit))
    fields["custom.signed"] = pick.one((*DAYS[:8], None))
    fields["custom.renewal"] = pick.one((True, False, None))
    return fields


def aimed_totals(versions: Sequence[Version], quotas: Sequence[Quota], unit: int) -> list[int]:
    """Running totals and deal sizes on which some bound of the case lies."""
    bounds = set()
    for version in versions:
        for component in version.document["components"]:
            if component["kind"] == "commission":
                bounds |= {percent(tier["from"]) for tier in component["tiers"]["rates"]}
            else:
                bounds.add(percent(component["bonus"].get("at", "0%")))
    totals = {floor(bound * quota.amount) for bound in bounds for quota in quotas}
    return sorted(totals | {25_000 * unit, 100 * unit})


def some_amount(pick: Pick, aims: list[int], so_far: int, deals: Sequence[Deal], unit: int, large: bool) -> int | None:
    if large and pick.seldom(3):
        return pick.one((LARGEST, LARGEST - 1, 4 * 10**14, LARGEST + 1, -LARGEST, 3 * 10**15, -LARGEST - 1))
    match pick.one(("round", "on a bound", "small", "any", "taken back", "missing or none")):
        case "round":
            return pick.one((60, 50, 30, -50, 10, 25)) * 1000 * unit
        case "on a bound":
            return pick.one(aims) - (so_far if pick.seldom(2) else 0) + pick.one((0, 1, -1))
        case "small":
            return pick.one((1, 99, 101, 333, 25, -1, 12_345))
        case "any":
            return pick.upto(10**7) - 2 * 10**6
        case "taken back":
            amount = pick.one(deals).fields.get("amount") if deals else 1
            return -amount if isinstance(amount, int) else 100 * unit
    return pick.one((0, None))


def some_team(pick: Pick, people: Sequence[int]) -> tuple[Member, ...]:
    if pick.seldom(2):
        return (Member(people[0], "ae", 1),)
    team: dict[tuple[int, str], Member] = {}
    for _ in range(pick.upto(5)):
        member = Member(pick.one(people), pick.one(("ae", "ae", "se", "csm")), pick.one((1, 1, 1, 2, 3, 7, 1_000_003)))
        team.setdefault((member.person, member.role), member)
    return tuple(team.values())


def some_milestones(pick: Pick, deals: Sequence[Deal]) -> tuple[Milestone, ...]:
    days = (*DAYS, date(2023, 11, 5), date(2026, 6, 30))
    return tuple(
        Milestone(pick.one(deals).id, pick.one((*MILESTONES, "kick-off")), pick.one(days)) for _ in range(pick.upto(4))
    )


def some_readings(pick: Pick, deals: Sequence[Deal]) -> tuple[Reading, ...]:
    rows: list[Reading] = []
    for _ in range(pick.upto(4)):
        used, contracted = pick.one(((25, 100), (75, 100), (74, 100), (1, 3), (333_333, 1_000_000), (5, 0), (-3, -4)))
        rows.append(Reading(pick.one(deals).id, pick.one(DAYS), used, contracted))
    return tuple(rows)
