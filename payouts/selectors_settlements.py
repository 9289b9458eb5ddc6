"""Reading settlements, standing or a batch's: what they make of their lines, and what a digest says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model, QuerySet, Sum

from comp.core.canonical import digest
from payouts.models import BatchDraw, BatchSettlement, DrawStanding, Settlement
from payouts.models.settlements import EFFECT, OfDraw, Waterfall

#: By participant id: a person's settlements, as a digest says them.
Facts = dict[int, list[list[Any]]]


def _amounts(base: type[Model]) -> tuple[str, ...]:
    return tuple(field.name for field in base._meta.get_fields() if field.name.endswith("_minor"))


_OWN, _DRAW = _amounts(Waterfall), _amounts(OfDraw)


def of_batch(batch: int) -> tuple[QuerySet[Any], QuerySet[Any]]:
    """What a batch took: settlements, and what became of their draws."""
    return BatchSettlement.objects.filter(batch=batch), BatchDraw.objects.filter(batch=batch)


def of_open(pay_group: int, starts_on: Any) -> tuple[QuerySet[Any], QuerySet[Any]]:
    """What stands for a pay group's open period."""
    where = {"pay_group": pay_group, "period_starts_on": starts_on}
    return Settlement.objects.filter(**where), DrawStanding.objects.filter(**where)


def effects(settlements: QuerySet[Any]) -> dict[tuple[int, str], int]:
    """By participant id and currency, how far what is paid lies from what the lines add up to."""
    rows = settlements.order_by().values("participant_id", "currency").annotate(minor=Sum(EFFECT))
    return {(row["participant_id"], row["currency"]): int(row["minor"]) for row in rows}


def settlement_facts(settlements: QuerySet[Any], draws: QuerySet[Any]) -> Facts:
    """What settlements say, by names that outlive the database's own numbers, in one order."""
    found: Facts = {}
    named = ("participant_id", "participant__key", "plan__key", "currency")
    columns = (*named, "plan_version__digest", "returns_on", *_OWN)
    converted = ("rate__kind", "rate__starts_on", "rate__rate")
    for row in settlements.order_by("participant__key", "plan__key").values_list(*columns, *converted):
        person, *said = row
        if row[-1] is None:
            said = said[: -len(converted)]
        found.setdefault(person, []).append([_text(value) for value in said])
    columns = (*named, "key", "origin_starts_on", *_DRAW)
    for row in draws.order_by("participant__key", "plan__key", "key", "origin_starts_on").values_list(*columns):
        person, *said = row
        found.setdefault(person, []).append([_text(value) for value in said])
    return found


def _text(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value or "")


def bound(lines: str, facts: Iterable[list[Any]]) -> str:
    """The digest of lines (by their own) and settlements together; that of the lines where nothing is settled."""
    said = list(facts)
    return digest([lines, said]) if said else lines


def all_facts(facts: Mapping[int, list[list[Any]]]) -> list[list[Any]]:
    """Those of everybody, in one order."""
    return sorted(fact for own in facts.values() for fact in own)


def with_effects(totals: Mapping[str, int], settled: Mapping[tuple[int, str], int]) -> dict[str, int]:
    """Sums of lines by currency, and what settlements make of them."""
    found = dict(totals)
    for (_, currency), minor in settled.items():
        found[currency] = found.get(currency, 0) + minor
    return dict(sorted(found.items()))
