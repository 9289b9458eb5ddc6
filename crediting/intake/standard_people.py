"""The event of a person: what HR says that somebody is from a day on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from comp.core.money import CURRENCIES
from crediting.intake.facts import Fact, PersonFact, Target
from crediting.intake.reading import Reader, shown
from crediting.intake.standard_parts import CODE, amount

KEY_LIMIT, NAME_LIMIT, EMAIL_LIMIT, TEXT_LIMIT, SLUG_LIMIT = 60, 150, 254, 120, 50
#: Spans of leave, and targets, in one event.
LEAVE_LIMIT, TARGET_LIMIT = 100, 200
_KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def person(data: Reader, verb: str) -> Fact:
    data.only(
        *("person", "version", "as_of", "name", "email", "hired", "left", "pay_group", "title", "role", "team"),
        *("territory", "manager", "region", "position", "pool", "leave", "targets"),
    )
    key, hired = data.text("person", KEY_LIMIT), data.day("hired")
    left = data.day("left", empty=True) if "left" in data.values else None
    if hired and left and left <= hired:
        data.wrong("left", left.isoformat(), f"a day after {hired}: the first one no longer employed")
    manager = _text(data, "manager", KEY_LIMIT)
    if manager and manager == key:
        data.wrong("manager", shown(manager), "the employee number of somebody else")
    email = _text(data, "email", EMAIL_LIMIT)
    if email and not _EMAIL.fullmatch(email):
        data.wrong("email", shown(email), "an address such as ann@company.com")
    return PersonFact(
        person=key,
        as_of=data.day("as_of") or date.min,
        name=data.text("name", NAME_LIMIT),
        email=email,
        hired=hired or date.min,
        left=left,
        pay_group=data.text("pay_group", SLUG_LIMIT),
        title=data.text("title", TEXT_LIMIT),
        role=data.text("role", SLUG_LIMIT),
        team=_text(data, "team", SLUG_LIMIT),
        territory=_text(data, "territory", SLUG_LIMIT),
        manager=manager,
        region=_text(data, "region", TEXT_LIMIT),
        position=_text(data, "position", TEXT_LIMIT),
        pool=_text(data, "pool", TEXT_LIMIT),
        leave=_all(data, "leave", LEAVE_LIMIT, _leave),
        targets=_all(data, "targets", TARGET_LIMIT, _target),
    )


def _text(data: Reader, key: str, limit: int) -> str:
    return data.text(key, limit, blank=True, default="")


def _all(data: Reader, key: str, most: int, read: Callable[[Reader], Any]) -> tuple[Any, ...] | None:
    """All of a list, in the order of their days; None where the event does not speak of it. Of one key no two may
    share a day."""
    if key not in data.values:
        return None
    rows = data.values[key]
    if not isinstance(rows, list) or len(rows) > most or not all(isinstance(row, dict) for row in rows):
        data.wrong(key, shown(rows), f"a list of at most {most} objects")
        return None
    before = len(data.problems)
    found = [read(Reader(row, f"{data.path}.{key}[{place}]", data.problems)) for place, row in enumerate(rows)]
    if len(data.problems) > before:
        return None
    found.sort(key=_span)
    for one, other in zip(found, found[1:], strict=False):
        (name, starts_on, ends_on), (another, follows, _) = _span(one), _span(other)
        if name == another and follows < ends_on:
            data.wrong(key, f"{follows} within the days from {starts_on}", "days that do not overlap")
    return tuple(found)


def _span(row: Target | Sequence[date | None]) -> tuple[str, date, date]:
    if isinstance(row, Target):
        return row.key, row.starts_on, row.ends_on
    return "", row[0] or date.min, row[1] or date.max


def _days(data: Reader, *, empty: bool) -> tuple[date, date | None]:
    starts_on = data.day("from") or date.min
    ends_on = data.day("until", empty=empty) if "until" in data.values or not empty else None
    if ends_on is not None and ends_on <= starts_on:
        data.wrong("until", ends_on.isoformat(), f"a day after {starts_on}: the first one after it")
    return starts_on, ends_on


def _leave(data: Reader) -> tuple[date, date | None]:
    data.only("from", "until")
    return _days(data, empty=True)


def _target(data: Reader) -> Target:
    data.only("key", "from", "until", "amount", "currency")
    key = data.pattern("key", _KEY, "small letters and digits, joined by dashes or underscores")
    if len(key) > SLUG_LIMIT:
        data.wrong("key", shown(key), f"at most {SLUG_LIMIT} characters")
    starts_on, ends_on = _days(data, empty=False)
    currency = data.pattern("currency", CODE, "a currency code of ISO 4217")
    if currency and currency not in CURRENCIES:
        data.wrong("currency", currency, "a currency code of ISO 4217")
    minor = amount(data, "amount", currency, needed=True)
    if "amount" in data.values and data.values["amount"] is None:
        data.wrong("amount", "null", 'plain digits such as "25000.00"')
    if minor is not None and minor < 0:
        data.wrong("amount", shown(data.values["amount"]), "no amount below 0")
    return Target(key, starts_on, ends_on or date.max, minor or 0, currency)
