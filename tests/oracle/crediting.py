"""Who gets what credit: numbers 1 to 5, 16, and the crediting side of 31 and 32."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from tests.oracle.case import Case, CreditFact, Fact, Member, WaitFact
from tests.oracle.fields import Sight, attribute, employed, managers_above, on_leave, on_plan, type_of
from tests.oracle.reading import MILLION, Document, divided, nearest, percent, rounded_to_minor

FIRST_ROLLED_SPLIT = 10_000
Order = tuple[Any, ...]


class Part(NamedTuple):
    """What one team member gets of a role's pot, before anybody asks who is on the plan."""

    split: int
    person: int
    role: str
    pot: int
    amount: int
    giver: int
    kind: str = "direct"


class Share(NamedTuple):
    """A part, or what rolled up."""

    person: int
    role: str
    split: int
    pot: int
    amount: int
    kind: str


@dataclass(frozen=True)
class Ordered:
    """A credit with what orders it (5) and its fact's whole amount as its rule reads it."""

    order: Order
    credit: CreditFact
    fact: Fact
    whole: int
    unit: str


def credits_of(case: Case) -> tuple[list[Ordered], list[WaitFact]]:
    found, waits = [], []
    for version in range(len(case.versions)):
        document = case.versions[version].document
        for place, rule in enumerate(document["credit_rules"]):
            for fact in case.facts:
                if fact.kind != rule["fact"]:
                    continue
                day = Sight(case, document, fact, None, None).value(rule["credit_date"])
                if day is None:
                    continue
                sight = Sight(case, document, fact, None, day)
                if sight.lacks_a_rate():
                    if would_be_credited(case, version, place, rule, sight):
                        waits.append(WaitFact(fact.id, version, rule["key"]))
                    continue
                amount = amount_of(sight, rule)
                if amount is None or not sight.holds(rule["when"]):
                    continue
                found += list(credits_of_fact(case, version, place, rule, sight, amount))
    return found, waits


def would_be_credited(case: Case, version: int, place: int, rule: dict[str, Any], sight: Sight) -> bool:
    """Would anybody get credit of some amount, if the rate were there (32)?"""
    if not isinstance(rule["amount"], str) or not sight.may_hold(rule["when"]):
        return False
    if rule["amount"] != "one" and sight.is_known(rule["amount"]) and sight.value(rule["amount"]) is None:
        return False
    return any(True for _ in credits_of_fact(case, version, place, rule, sight, 0))


def amount_of(sight: Sight, rule: dict[str, Any]) -> int | None:
    """The fact's whole amount: minor units, or millionths where it is counted in units (16)."""
    if rule["amount"] == "one":
        return MILLION
    found = sight.value(rule["amount"])
    if found is None or type_of(rule["amount"], sight.document) == "money":
        return found  # type: ignore[no-any-return]
    return nearest(found * MILLION, "half-even")


def unit_of_rule(document: Document, rule: dict[str, Any]) -> str:
    if rule["amount"] == "one" or type_of(rule["amount"], document) == "number":
        return "units"
    return "money"


def credits_of_fact(
    case: Case, version: int, place: int, rule: dict[str, Any], sight: Sight, amount: int
) -> Iterator[Ordered]:
    document, fact, day = sight.document, sight.fact, sight.day
    assert fact is not None and day is not None
    held = "hold" in rule and sight.may_hold(rule["hold"])
    for share in shares_of(case, rule, sight, amount):
        if not on_plan(case, share.person, version, day) or not may_be_credited(case, share.person, day, document):
            continue
        if "eligible" in rule and not Sight(case, document, fact, share.person, day).may_hold(rule["eligible"]):
            continue
        credit = CreditFact(
            person=share.person,
            version=version,
            fact=fact.id,
            rule=rule["key"],
            split=share.split,
            role=share.role,
            credit_class=rule["class"],
            kind=share.kind,
            day=day,
            pot=share.pot,
            amount=share.amount,
            held=held,
        )
        order = (day, fact.event_time, fact.source, fact.external_id, share.split, place)
        yield Ordered(order, credit, fact, amount, unit_of_rule(document, rule))


def credit_counts_for(case: Case, row: Ordered) -> str:
    """Both, quota or pay, as the entry says that the part came from, or the parts of what rolled up (2)."""
    credit = row.credit
    rule = next(rule for rule in case.versions[credit.version].document["credit_rules"] if rule["key"] == credit.rule)
    role = credit.role
    if credit.kind == "rolled":
        role = rule["roll_up"][credit.split - FIRST_ROLLED_SPLIT]["from"][0]
    return str(next(entry.get("counts_for", "both") for entry in rule["credit"] if entry["role"] == role))


def may_be_credited(case: Case, person: int, day: date, document: Document) -> bool:
    """Employment and leave (31)."""
    stated = document.get("employment")
    if stated is None:
        return True
    if stated["credits_after"] == "none" and not employed(case, person, day):
        return False
    return not (stated["credits_on_leave"] == "none" and on_leave(case, person, day))


# ------------------------------------------------------------------ split (2)


def team_of(case: Case, fact: Fact) -> tuple[Member, ...]:
    """A fact of another kind than a deal without a team of its own has the team of its deal (16)."""
    if fact.team or fact.kind == "deal" or fact.deal is None:
        return fact.team
    return case.fact(fact.deal).team


def parts_of(case: Case, rule: dict[str, Any], sight: Sight, amount: int) -> list[Part]:
    """Every role's pot, divided between everybody who stands in that role (2), then handed on where transferred."""
    fact, document = sight.fact, sight.document
    assert fact is not None
    parts = []
    for entry in rule["credit"]:
        team = {place: member for place, member in enumerate(team_of(case, fact)) if member.role == entry["role"]}
        share = share_of(entry["share"], sight)
        if not team or share == 0:
            continue
        pot = rounded_to_minor(amount * share, document)
        match entry.get("split", "weights"):
            case "weights":
                given = divided(pot, {place: member.weight for place, member in team.items()})
            case "equal":
                given = divided(pot, dict.fromkeys(team, 1))
            case _:
                given = dict.fromkeys(team, pot)
        for place, member in team.items():
            parts.append(Part(place, member.person, member.role, pot, given[place], member.person))
    return transferred(case, rule, fact, limited(rule, amount, parts, document))


def share_of(stated: Any, sight: Sight) -> Fraction:
    if isinstance(stated, str):
        return percent(stated)
    found = sight.value(stated["by"])
    return percent(stated["values"].get(found, stated["else"]))


def limited(rule: dict[str, Any], amount: int, parts: list[Part], document: Document) -> list[Part]:
    """All parts of the fact together are at most so much of its amount: the first ones are served first."""
    if "limit" not in rule:
        return parts
    limit = abs(rounded_to_minor(amount * percent(rule["limit"]), document))
    left, so_far = [], 0
    for part in parts:
        served = min(limit, so_far + abs(part.amount)) - min(limit, so_far)
        so_far += abs(part.amount)
        left.append(part._replace(amount=served if part.amount >= 0 else -served))
    return left


def transferred(case: Case, rule: dict[str, Any], fact: Fact, parts: list[Part]) -> list[Part]:
    if "on_transfer" not in rule or fact.belongs_to is None:
        return parts
    handed = []
    for part in parts:
        for transfer in sorted(case.transfers, key=lambda row: (row.day, row.giver, row.receiver)):
            if (transfer.deal, transfer.role, transfer.giver) == (fact.belongs_to, part.role, part.person):
                part = part._replace(person=transfer.receiver, kind="transferred")
        handed.append(part)
    return handed


# ------------------------------------------------------------------ roll up (4)


def shares_of(case: Case, rule: dict[str, Any], sight: Sight, amount: int) -> Iterator[Share]:
    """Every share in the fact, direct and rolled up."""
    assert sight.day is not None
    parts = parts_of(case, rule, sight, amount)
    for part in parts:
        yield Share(part.person, part.role, part.split, part.pot, part.amount, part.kind)
    follows = rule.get("on_transfer", {}).get("rolled") == "follows"
    for place, entry in enumerate(rule["roll_up"]):
        beneath: dict[int, int] = defaultdict(int)
        for part in parts:
            if part.role in entry["from"]:
                bottom = part.person if follows else part.giver
                for manager in managers_above(case, bottom, sight.day, entry["levels"]):
                    beneath[manager] += part.amount
        limit = abs(rounded_to_minor(amount * percent(entry["limit"]), sight.document))
        for manager, whole in beneath.items():
            rolled = max(-limit, min(limit, whole))
            yield Share(manager, entry["to"], FIRST_ROLLED_SPLIT + place, whole, rolled, "rolled")


# ------------------------------------------------------------------ overrides (27)


def overridden(case: Case, version: int, component: dict[str, Any], person: int, day: date) -> dict[str, Any]:
    """The component as it is for a person on a day: region, then title, position and person, the later winning."""
    document = case.versions[version].document
    for name in ("region", "title", "position", "person"):
        for override in document.get("overrides", ()):
            if override["for"].get(name) is None or attribute(case, person, name, day) != override["for"][name]:
                continue
            for path, value in override["set"].items():
                _, key, *rest = path.split(".")
                if key == component["key"]:
                    component = replaced(component, rest, value)
    return component


def replaced(found: Any, path: list[str], value: Any) -> Any:
    """A copy in which only what the path names is another."""
    if not path:
        return value
    if isinstance(found, list):
        keys = [each.get("key") if isinstance(each, dict) else None for each in found]
        place = keys.index(path[0]) if path[0] in keys else int(path[0])
        return [replaced(each, path[1:], value) if index == place else each for index, each in enumerate(found)]
    return found | {path[0]: replaced(found.get(path[0]), path[1:], value)}
