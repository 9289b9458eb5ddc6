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

from hypothesis import strategies as st

from tests.oracle.case import (
    Adjustment,
    Assignment,
    Attribute,
    Balance,
    Case,
    Fact,
    Member,
    Milestone,
    Quota,
    Rate,
    Reading,
    Relief,
    Reports,
    Span,
    Transfer,
    Value,
    Version,
)
from tests.oracle.opening import some_openings
from tests.oracle.own_periods import length_name, own_spans
from tests.oracle.pick import FEATURES, TAPE, Pick
from tests.oracle.posted import with_posted
from tests.oracle.reading import MINOR_DIGITS, percent
from tests.oracle.words import AREAS, BETWEEN, DAYS, LARGEST, MILESTONES, PEOPLE, ROLES, START, TEXTS, TITLES, Document
from tests.oracle.writing import CHANGES, document_of, next_version

__all__ = ["LARGEST", "case_from", "cases"]

MILLION = 10**6


def cases(features: set[str] | frozenset[str] = frozenset(FEATURES)) -> st.SearchStrategy[Case]:
    """Cases of one to four people, one to twelve deals and one to four plan versions."""
    return st.binary(min_size=TAPE, max_size=TAPE).map(lambda tape: case_from(Pick(tape, features)))


def case_from(pick: Pick) -> Case:
    currency = "none" if pick.has("no currency", 20) else pick.one(("USD", "JPY", "KWD"))
    unit = 10 ** MINOR_DIGITS[currency]
    large = pick.seldom(12)
    if large:
        pick.features = set()
    people = PEOPLE[: 1 + pick.upto(len(PEOPLE) - 1)]
    periods, pay_periods = pick.one((CALENDAR, WEEKS_4_4_5))

    versions = versions_of_plan(pick, "plan-a", currency, ())
    if pick.seldom(5):
        versions += versions_of_plan(pick, "plan-b", currency, versions)
    documents = [version.document for version in versions]
    quotas = some_quotas(pick, people, versions, periods, unit, large)
    deals = some_deals(pick, people, versions, quotas, unit, large)
    taken_back: tuple[Fact, ...] = ()
    if pick.used & {"own periods", "carried under restart"}:
        plain = plain_deals(pick, people, unit)
        deals, taken_back = deals + plain, taken_back_between(pick, plain)
    facts = deals + taken_back + (other_facts(pick, people, deals, unit) if pick.features else ())
    spans = (
        some_spans(pick, people)
        if any("employment" in d or "proration" in d for d in documents) or pick.has("employment", 8)
        else ()
    )
    rates: tuple[Rate, ...] = ()
    if currency != "none" and pick.has("currencies", 5):
        facts = in_currencies(pick, facts, currency)
    paid_in: tuple[tuple[int, str], ...] = ()
    # Every version has to say at which rate, or nobody is paid in another currency.
    if all("currencies" in document for document in documents):
        paid_in = tuple((person, pick.one((currency, "EUR", "GBP"))) for person in people)
    if paid_in or any(fact.currency for fact in facts):
        rates = some_rates(pick, currency)
    settled = any("settlement" in document for document in documents)
    assignments = some_assignments(pick, people, versions)
    case = Case(
        versions=versions,
        assignments=assignments,
        reports=some_reports(pick, people),
        facts=facts,
        quotas=quotas,
        milestones=some_milestones(pick, deals),
        readings=some_readings(pick, deals),
        periods=periods,
        pay_periods=pay_periods,
        transfers=some_transfers(pick, people, deals) if "transfers" in pick.used else (),
        attributes=some_attributes(pick, people) if pick.features else (),
        spans=spans,
        rates=rates,
        holidays=tuple(day for day in DAYS[3:8] if pick.seldom(3)) if pick.features else (),
        adjustments=some_adjustments(pick, people, unit) if settled else (),
        balances=some_balances(pick, people, documents, unit) if settled else (),
        pay_currency=paid_in,
        relief=some_relief(pick, quotas) if pick.has("relief", 6) else (),
        openings=some_openings(pick, assignments, versions, periods, unit) if pick.has("openings", 4) else (),
    )
    return with_posted(pick, case)


# ------------------------------------------------------------------ calendars


def months(count: int, step: int) -> tuple[date, ...]:
    return tuple(date(2024 + place // 12, place % 12 + 1, 1) for place in range(0, count + 1, step))


def weeks(lengths: tuple[int, ...], years: int) -> tuple[date, ...]:
    """First days of periods of so many weeks each, from the first day of 2024, a Monday."""
    days = [START]
    for length in lengths * years:
        days.append(days[-1] + timedelta(weeks=length))
    return tuple(days)


CALENDAR = (
    {"month": months(36, 1), "quarter": months(36, 3), "half": months(36, 6), "year": months(36, 12)},
    months(36, 1),
)
WEEKS_4_4_5 = (
    {
        "month": weeks((4, 4, 5) * 4, 3),
        "quarter": weeks((13,) * 4, 3),
        "half": weeks((26,) * 2, 3),
        "year": weeks((52,), 3),
    },
    weeks((2,) * 26, 3),
)

# ------------------------------------------------------------------ plans


def versions_of_plan(pick: Pick, key: str, currency: str, before: Sequence[Version]) -> tuple[Version, ...]:
    """One version without an end, or two that meet on a day inside a measure period, or with a gap between."""
    others = [
        (component["key"], version.document) for version in before[:1] for component in version.document["components"]
    ]
    first = document_of(pick, key, currency, others, [version.document for version in before])
    if not pick.seldom(3) and (first["on_new_version"] != "restart" or pick.seldom(3)):
        return (Version(first, START, None),)
    changed = pick.one(CHANGES)
    gap = timedelta(days=1 if pick.seldom(6) else 0)
    return (Version(first, START, changed), Version(next_version(pick, first), changed + gap, None))


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


def some_attributes(pick: Pick, people: Sequence[int]) -> tuple[Attribute, ...]:
    """What each person is; some of it changes on a day."""
    rows = []
    values = {"title": TITLES, "region": AREAS, "position": ("P1", "P2"), "team": ("T1", "T2"), "pool": ("X", "Y")}
    for person in people:
        rows.append(Attribute(person, "person", f"p{person}", START - timedelta(days=5000), None))
        for name, options in values.items():
            match pick.one(("first", "first", "second", "changes", "none")):
                case "first":
                    rows.append(Attribute(person, name, options[0], START, None))
                case "second":
                    rows.append(Attribute(person, name, options[1], START, None))
                case "changes":
                    day = pick.one((date(2024, 2, 11), date(2024, 2, 29), date(2024, 3, 31)))
                    rows.append(Attribute(person, name, options[0], START, day))
                    rows.append(Attribute(person, name, options[1], day, None))
    return tuple(rows)


def some_spans(pick: Pick, people: Sequence[int]) -> tuple[Span, ...]:
    rows = []
    for person in people:
        match pick.one(("no rows", "always", "leaves", "joins", "comes back")):
            case "always":
                rows.append(Span(person, False, pick.one((START, date(2023, 12, 31), date(2022, 5, 31))), None))
            case "leaves":
                rows.append(Span(person, False, START, pick.one((date(2024, 2, 29), date(2024, 3, 31)))))
            case "joins":
                rows.append(Span(person, False, pick.one((date(2024, 2, 11), date(2024, 2, 1))), None))
            case "comes back":
                rows.append(Span(person, False, START, date(2024, 2, 11)))
                rows.append(Span(person, False, date(2024, 2, 20), pick.one((None, date(2024, 4, 1)))))
        if pick.seldom(3):
            first = pick.one(DAYS)
            rows.append(Span(person, True, first, first + timedelta(days=pick.one((10, 1, 40)))))
    return tuple(rows)


def some_quotas(
    pick: Pick,
    people: Sequence[int],
    versions: Sequence[Version],
    periods: dict[str, tuple[date, ...]],
    unit: int,
    large: bool,
) -> tuple[Quota, ...]:
    """The same amount for each period of a person and key; now and then one that is a day short and so matches none."""
    keys: set[tuple[str, str]] = set()
    spans_of = {every: tuple(zip(starts[:13], starts[1:14], strict=False)) for every, starts in periods.items()}
    for version in versions:
        for component in version.document["components"]:
            names = [component.get("quota"), component.get("incentive"), component.get("pool", {}).get("points")]
            every = component["measure"]["every"]
            own = own_spans(version.document, every)
            if own:
                every = length_name(every, own)
                edges = (periods["year"][0], *(day for span in own for day in span), periods["year"][-1])
                # Quotas of the times between them, which nothing goes by.
                between = zip(edges[::2], edges[1::2], strict=True) if pick.has("quota between periods", 2) else ()
                spans_of[every] = (*own, *(span for span in between if span[0] < span[1]))
            spans = {every}
            if component["measure"].get("window") == "year_to_date":
                spans.add("year")
            keys |= {(name, every) for name in names if isinstance(name, str) for every in spans}
    rows: list[Quota] = []
    for person in people:
        for key, every in sorted(keys):
            amount = some_quota(pick, key, unit, large)
            if amount is None:
                continue
            short = timedelta(days=1 if pick.seldom(12) else 0)
            left_out = pick.upto(3) if pick.seldom(8) else None
            rows.extend(
                Quota(person, key, start, end - short, amount)
                for place, (start, end) in enumerate(spans_of[every])
                if place != left_out
            )
    # A period of one's own may be one of another list, or of the calendar.
    return tuple({(row.person, row.key, row.start, row.end): row for row in rows}.values())


def some_relief(pick: Pick, quotas: Sequence[Quota]) -> tuple[Relief, ...]:
    given = sorted({(quota.person, quota.key) for quota in quotas})
    rows = []
    for _ in range(1 + pick.upto(2) if given else 0):
        person, key = pick.one(given)
        start = pick.one(DAYS)
        end = start + timedelta(days=pick.one((10, 1, 29, 120)))
        rows.append(Relief(person, key, start, end, pick.one((Fraction(1, 2), Fraction(1), Fraction(1, 3)))))
    return tuple(rows)


def some_quota(pick: Pick, key: str, unit: int, large: bool) -> int | None:
    match key:
        case "quota-of-units":
            return pick.one((3 * MILLION, 2_500_000, 0, None, 12 * MILLION))
        case "quota-of-share":
            return pick.one((900_000, MILLION, 0, None, 333_333))
        case "quota-of-days":
            return pick.one((30 * MILLION, 1_500_000, 0, None))
        case "target":
            return pick.one((1_000 * unit, 333, 0, None, 25_000 * unit))
        case "pool-points":
            return pick.one((1, 2, None, 0, 7))
    amounts = (100_000 * unit, 100 * unit, 120_000 * unit, 0, None, 333, 1, 60_000 * unit)
    return pick.one((*amounts, LARGEST, LARGEST + 1) if large else amounts)


# ------------------------------------------------------------------ deals


def some_deals(
    pick: Pick,
    people: Sequence[int],
    versions: Sequence[Version],
    quotas: Sequence[Quota],
    unit: int,
    large: bool,
) -> tuple[Fact, ...]:
    aims = aimed_totals(versions, quotas, unit)
    deals: list[Fact] = []
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
            Fact(
                id=1000 - 7 * place,
                source=source,
                external_id=f"{pick.one(('D', 'd', 'É'))}{(place * 7) % 13}",
                event_time=datetime(2024, 5, 1, pick.upto(2), tzinfo=UTC),
                fields={name: value for name, value in fields.items() if value is not None},
                team=some_team(pick, people),
            )
        )
    return tuple(deals)


def plain_deals(pick: Pick, people: Sequence[int], unit: int) -> tuple[Fact, ...]:
    """Large ones of one or two people in every role, so that caps are reached."""
    deals = []
    for place in range(6):
        day = pick.one((*DAYS[:13], *BETWEEN))
        amount = pick.one((60, 50, 30, 120)) * 1000 * unit
        fields: dict[str, Value] = {
            "amount": amount,
            "close_date": day,
            "engage_date": day,
            "custom.signed": day,
            "custom.arr": amount,
            "quantity": Fraction(3),
            "custom.term": Fraction(12),
            "stage": "won",
            "source": "crm",
        }
        team = tuple(Member(pick.one(people[:2]), role, 1) for role in ROLES)
        deals.append(Fact(3000 + place, "crm", f"P{place}", datetime(2024, 5, 1, tzinfo=UTC), fields, team))
    return tuple(deals)


def taken_back_between(pick: Pick, deals: Sequence[Fact]) -> tuple[Fact, ...]:
    """Some of the deals cancelled, many of them on a day between two periods of a plan's own."""
    facts = []
    for place in range(pick.upto(3)):
        day = pick.one(BETWEEN)
        fields: dict[str, Value] = {"day": day, "source": "crm"}
        event_time = datetime(2024, 5, 1, tzinfo=UTC)
        deal = pick.one(deals).id
        facts.append(Fact(3100 + place, "crm", f"C{place}", event_time, fields, (), "cancellation", deal))
    return tuple(facts)


def other_fields(pick: Pick, amount: int | None, unit: int) -> dict[str, Value]:
    fields: dict[str, Value] = {
        name: pick.one((*words, None)) for name, words in TEXTS.items() if name not in ("stage", "source")
    }
    fields["custom.term"] = pick.one((Fraction(12), None, Fraction(1, 2), Fraction(25, 2)))
    fields["custom.arr"] = pick.one((amount, None, 100 * unit, -25_000 * unit))
    fields["custom.signed"] = pick.one((*DAYS[:8], None))
    fields["custom.renewal"] = pick.one((True, False, None))
    if pick.seldom(2):
        fields["quantity"] = pick.one((Fraction(1), Fraction(3), Fraction(-2), Fraction(7, 4), None))
        fields["cost"] = pick.one((60 * unit, 333, None))
        fields["tax"] = pick.one((19 * unit, None, 1))
        fields["invoice_date"] = pick.one((*DAYS[4:9], None))
        fields["paid_date"] = pick.one((*DAYS[4:12], None))
        fields["term_months"] = pick.one((Fraction(12), Fraction(2), None, Fraction(36)))
    return fields


def aimed_totals(versions: Sequence[Version], quotas: Sequence[Quota], unit: int) -> list[int]:
    """Running totals and deal sizes on which some bound of the case lies."""
    bounds = {Fraction(1)}
    for version in versions:
        for component in version.document["components"]:
            tiers = component.get("tiers") or {"rates": []}
            bounds |= {percent(tier["from"]) for tier in tiers["rates"] if tier["from"].endswith("%")}
            bounds.add(percent(component.get("bonus", {}).get("at", "0%")))
    totals = {
        floor(bound * quota.amount)
        for bound in bounds
        for quota in quotas
        if not quota.key.startswith(("quota-of", "pool", "target"))
    }
    return sorted(totals | {25_000 * unit, 100 * unit})


def some_amount(pick: Pick, aims: list[int], so_far: int, deals: Sequence[Fact], unit: int, large: bool) -> int | None:
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


# ------------------------------------------------------------------ what else happens


def other_facts(pick: Pick, people: Sequence[int], deals: Sequence[Fact], unit: int) -> tuple[Fact, ...]:
    """Invoices, receipts, activities and what takes a deal back."""
    kinds = (
        "receipt",
        "invoice",
        "cancellation",
        "refund",
        "activity",
        "score",
        "milestone",
        "usage",
        "hours",
        "nonpayment",
    )
    facts = []
    for place in range(pick.one((0, 2, 4, 6))):
        kind = pick.one(kinds)
        deal = pick.one(deals)
        amount = some_part(pick, deal, unit)
        fields: dict[str, Value] = {
            "amount": amount,
            "day": None if pick.seldom(12) else pick.one(DAYS),
            "type": pick.one((*TEXTS["type"], None)),
            "quantity": pick.one((Fraction(1), Fraction(2), Fraction(1, 2), None)),
            "source": "crm",
        }
        if pick.seldom(3):
            fields |= other_fields(pick, amount, unit) | {"source": "crm"}
        facts.append(
            Fact(
                id=2000 + 3 * place,
                source="crm",
                external_id=f"F{(place * 5) % 7}",
                event_time=datetime(2024, 5, 1, pick.upto(2), tzinfo=UTC),
                fields={name: value for name, value in fields.items() if value is not None},
                team=some_team(pick, people) if pick.seldom(3) else (),
                kind=kind,
                deal=None if kind in ("activity", "score", "hours") and pick.seldom(2) else deal.id,
            )
        )
    return tuple(facts)


def some_part(pick: Pick, deal: Fact, unit: int) -> int | None:
    """All of the deal's amount, half of it, or another amount."""
    whole = deal.fields.get("amount")
    assert whole is None or isinstance(whole, int)
    return pick.one((whole, None if whole is None else whole // 2, 100 * unit, None, 333, 0))


def some_milestones(pick: Pick, deals: Sequence[Fact]) -> tuple[Milestone, ...]:
    days = (*DAYS, date(2023, 11, 5), date(2026, 6, 30))
    return tuple(
        Milestone(pick.one(deals).id, pick.one((*MILESTONES, "kick-off")), pick.one(days)) for _ in range(pick.upto(4))
    )


def some_readings(pick: Pick, deals: Sequence[Fact]) -> tuple[Reading, ...]:
    rows: list[Reading] = []
    for _ in range(pick.upto(4)):
        used, contracted = pick.one(((25, 100), (75, 100), (74, 100), (1, 3), (333_333, 1_000_000), (5, 0), (-3, -4)))
        rows.append(Reading(pick.one(deals).id, pick.one(DAYS), used, contracted))
    return tuple(rows)


def some_transfers(pick: Pick, people: Sequence[int], deals: Sequence[Fact]) -> tuple[Transfer, ...]:
    rows: dict[tuple[int, str, int], Transfer] = {}
    for _ in range(pick.upto(3)):
        giver, receiver = pick.one(people), pick.one(people)
        transfer = Transfer(pick.one(deals).id, pick.one(("ae", "ae", "se")), giver, receiver, pick.one(DAYS))
        if giver != receiver:
            rows.setdefault((transfer.deal, transfer.role, giver), transfer)
    return tuple(rows.values())


# ------------------------------------------------------------------ money of other currencies, settlements


def in_currencies(pick: Pick, facts: tuple[Fact, ...], currency: str) -> tuple[Fact, ...]:
    """Every fact with a currency of its own; what belongs to a deal has that of the deal."""
    of_deal: dict[int, str] = {}
    found = []
    for fact in facts:
        chosen = pick.one((currency, currency, "EUR", "GBP"))
        chosen = of_deal.get(fact.deal, chosen) if fact.deal is not None else chosen
        if fact.kind == "deal":
            of_deal[fact.id] = chosen
        found.append(
            Fact(
                fact.id,
                fact.source,
                fact.external_id,
                fact.event_time,
                fact.fields | {"currency": chosen},
                fact.team,
                fact.kind,
                fact.deal,
                chosen,
            )
        )
    return tuple(found)


def some_rates(pick: Pick, currency: str) -> tuple[Rate, ...]:
    """Rates that change on a day, some of them with a gap."""
    rows = []
    for other in ("EUR", "GBP"):
        for source, target in ((other, currency), (currency, other)):
            for kind in ("spot", "average"):
                changes = pick.one((date(2024, 2, 20), date(2024, 3, 1)))
                gap = timedelta(days=pick.one((0, 0, 1, 30)))
                values = (Fraction(11, 10), Fraction(27, 25), Fraction(1, 3), Fraction(105))
                rows.append(Rate(source, target, kind, START - timedelta(days=90), changes, pick.one(values)))
                rows.append(Rate(source, target, kind, changes + gap, None, pick.one(values)))
    return tuple(rows)


def some_adjustments(pick: Pick, people: Sequence[int], unit: int) -> tuple[Adjustment, ...]:
    return tuple(
        Adjustment(
            pick.one(people),
            pick.one(DAYS[:12]),
            pick.one((500, -500, 33, 100_000)) * unit,
            pick.one((None, date(2024, 1, 5), date(2024, 2, 10))),
        )
        for _ in range(pick.upto(2))
    )


def some_balances(pick: Pick, people: Sequence[int], documents: list[Document], unit: int) -> tuple[Balance, ...]:
    rows = []
    settlements = [document["settlement"] for document in documents if "settlement" in document]
    several = [{draw["key"] for draw in settlement.get("draws", ())} for settlement in settlements]
    keys = sorted(set.intersection(*several))
    limited = any("clawback_limit" in settlement for settlement in settlements)
    for person in people:
        if pick.seldom(3):
            kind = pick.one(("draw", *(f"draw:{key}" for key in keys)))
            rows.append(Balance(person, kind, pick.one((3_000, 100)) * unit))
        if limited and pick.seldom(4):
            rows.append(Balance(person, "clawback", pick.one((50, 700)) * unit))
        if pick.seldom(4):
            rows.append(Balance(person, "carried", pick.one((-700, 150)) * unit))
    return tuple(rows)
