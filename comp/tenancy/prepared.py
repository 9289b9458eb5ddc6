"""Statements that PostgreSQL plans once and keeps: where the same few are run for every event, planning them took
longer than running them.

Kept for each tenant of a session from a statement's second time on, because a plan is made for what one tenant's tables
hold; for some minutes only, because they grow; and never behind a pool that gives each transaction another session.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

from comp.tenancy.scope import scope_or_none

Params = Sequence[Any] | Mapping[str, Any]
#: The tenant, whether it is seen as the role of pay, and the statement.
Key = tuple[int, bool, str]
#: How many statements a session keeps, of how many more it knows that they came once, and how long a plan is good.
KEPT, KNOWN, GOOD_SECONDS = 300, 2000, 120.0

_MARK = re.compile(r"%(?:\((\w+)\)s|(s)|(%))")


@dataclass(slots=True)
class _Session:
    """What one connection has prepared: name and until when, what was used last at the end; and what came once."""

    direct: bool
    kept: OrderedDict[Key, tuple[str, float]] = field(default_factory=OrderedDict)
    once: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    numbers: count[int] = field(default_factory=count)


_sessions: WeakKeyDictionary[Any, _Session] = WeakKeyDictionary()


def execute(cursor: Any, sql: str, params: Params, *, keep: bool = True) -> None:
    """The same as `cursor.execute`. For statements of which there are few texts; each parameter is of the type that its
    first place in the statement asks for. `keep`: not where so much is asked for that a plan for what is usual would be
    a poor one."""
    name = _prepared(cursor, sql) if keep else None
    if name is None:
        cursor.execute(sql, params)
        return
    _, places = _numbered(sql)
    values = [params[place] for place in places]  # type: ignore[index]
    marks = f" ({', '.join(['%s'] * len(values))})" if values else ""
    cursor.execute(f"EXECUTE {name}{marks}", values)


def came(sql: str) -> bool:
    """Whether the statement came before, so that `execute` keeps it."""
    key = _key(sql)
    if key is None:
        return False
    session = _session()
    return key in session.kept or key in session.once


def note(sql: str) -> None:
    """The statement came, run otherwise than by `execute`."""
    key = _key(sql)
    if key is None:
        return
    session = _session()
    if session.direct:
        session.once[key] = None
        if len(session.once) > KNOWN:
            session.once.popitem(last=False)


def forget(sql: str) -> None:
    """As if the statement had not come."""
    key = _key(sql)
    if key is None:
        return
    session = _session()
    session.once.pop(key, None)
    if key in session.kept:
        name, _ = session.kept.pop(key)
        with connection.cursor() as cursor:
            cursor.execute(f"DEALLOCATE {name}")


def _prepared(cursor: Any, sql: str) -> str | None:
    """The name under which the statement stands in this session; None while it is run as it is."""
    key, now = _key(sql), time.monotonic()
    if key is None or not (session := _session()).direct:
        return None
    if key in session.kept:
        session.kept.move_to_end(key)
        name, until = session.kept[key]
        if now < until:
            return name
        cursor.execute(f"DEALLOCATE {name}")
        del session.kept[key]
    elif key not in session.once:
        note(sql)
        return None
    if len(session.kept) >= KEPT:
        _, (oldest, _) = session.kept.popitem(last=False)
        cursor.execute(f"DEALLOCATE {oldest}")
    name = f"kept_{next(session.numbers)}"
    cursor.execute(f"PREPARE {name} AS {_numbered(sql)[0]}")
    session.kept[key] = name, now + GOOD_SECONDS
    return name


def _key(sql: str) -> Key | None:
    """None outside a scope, where nothing is kept."""
    scope = scope_or_none()
    if scope is None:
        return None
    return scope.tenant_id, scope.pay.every or scope.pay.groups is not None, sql


def _session() -> _Session:
    """What is known of this thread's connection. A pool tells its clients another process than the one that serves
    them; then nothing is kept, for the next transaction may be another session's."""
    session = _sessions.get(connection.connection)
    if session is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            raw = connection.connection
            session = _sessions[raw] = _Session(direct=cursor.fetchone()[0] == raw.info.backend_pid)
    return session


@lru_cache(maxsize=2000)
def _numbered(sql: str) -> tuple[str, tuple[str | int, ...]]:
    """The statement with its parameters as PostgreSQL numbers them, and which each is: by name, or by place."""
    places: dict[str | int, int] = {}

    def number(mark: re.Match[str]) -> str:
        if mark[3]:
            return "%"
        name: str | int = mark[1] or len(places)
        return f"${places.setdefault(name, len(places) + 1)}"

    text = _MARK.sub(number, sql)
    return text, tuple(places)
