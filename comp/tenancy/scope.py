"""The tenant of a transaction: set for it alone, by SET LOCAL, and restored when an inner scope ends.

    with tenant_scope(tenant.id, actor=Actor.command("demo"), pay=Pay.everyone()):
        ...

Outside a scope every query on a tenant table raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from comp.tenancy.walls import PAY


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `kind` is user, key, task or command; `label` is what people read; `user_id` for users; `trace` is the
    request's or task's id; `address` and `agent` are where from, as the server saw it. `on_behalf` names the person in
    whose place somebody acts (a deputy)."""

    kind: str
    label: str
    user_id: int | None = None
    trace: str = ""
    address: str = ""
    agent: str = ""
    on_behalf: str = ""

    @classmethod
    def task(cls, name: str, trace: str = "") -> Actor:
        return cls("task", name, trace=trace)

    @classmethod
    def command(cls, name: str) -> Actor:
        return cls("command", name)


@dataclass(frozen=True, slots=True)
class Pay:
    """Whose pay a transaction may see: these participants, these pay groups, or everyone's (services that compute
    it)."""

    participants: tuple[int, ...] = ()
    groups: tuple[int, ...] | None = None
    every: bool = False

    @classmethod
    def nobody(cls) -> Pay:
        return cls()

    @classmethod
    def of(cls, participants: Iterable[int]) -> Pay:
        return cls(participants=tuple(sorted(set(participants))))

    @classmethod
    def in_groups(cls, groups: Iterable[int]) -> Pay:
        return cls(groups=tuple(sorted(set(groups))))

    @classmethod
    def everyone(cls) -> Pay:
        return cls(every=True)


@dataclass(frozen=True, slots=True)
class Scope:
    tenant_id: int
    actor: Actor
    pay: Pay


class NoTenant(Exception):
    """Something that needs a tenant was called outside `tenant_scope`."""


_current: ContextVar[Scope | None] = ContextVar("comp_scope", default=None)


def current_scope() -> Scope:
    """The innermost scope; raises NoTenant outside one."""
    scope = _current.get()
    if scope is None:
        raise NoTenant("no tenant is set: open tenant_scope(...) first")
    return scope


def scope_or_none() -> Scope | None:
    """The innermost scope; None outside one."""
    return _current.get()


def current_tenant_id() -> int:
    return current_scope().tenant_id


def _settings(scope: Scope) -> tuple[str, list[str]]:
    """SQL that sets a scope for the transaction, and its parameters."""
    pay = scope.pay
    wide = pay.every or pay.groups is not None
    groups = "*" if pay.every else "{" + ",".join(map(str, pay.groups or ())) + "}"
    narrow = "{" + ",".join(map(str, pay.participants)) + "}"
    who = f"{scope.actor.kind}:{scope.actor.label}"
    sql = (
        f"SET LOCAL ROLE {PAY if wide else 'NONE'};"
        "SET LOCAL app.tenant = %s; SET LOCAL app.actor = %s; SET LOCAL app.user_id = %s;"
        "SET LOCAL app.pay = %s; SET LOCAL app.pay_groups = %s"
    )
    return sql, [str(scope.tenant_id), who[:200], str(scope.actor.user_id or ""), narrow, groups]


#: What is done again if it is lost is small and often the same: its plans are made once, for whatever parameters.
_OF_DRAINS = "; SET LOCAL synchronous_commit = off; SET LOCAL plan_cache_mode = force_generic_plan"


def _apply(scope: Scope, more: str = "") -> None:
    sql, params = _settings(scope)
    with connection.cursor() as cursor:
        cursor.execute(sql + more, params)


@contextmanager
def tenant_scope(
    tenant_id: int, *, actor: Actor | None = None, pay: Pay | None = None, redone_if_lost: bool = False
) -> Iterator[Scope]:
    """Opens a transaction (a savepoint inside another) in which `tenant_id` is the tenant.

    An inner scope inherits actor and pay where they are not given. Leaving it restores the outer one; on an exception
    the savepoint's rollback restores it.

    `redone_if_lost`: the commit does not wait for the disk. For work alone that is found waiting and done again if a
    crash of the server takes its last moment back: whatever waited for the disk after it was committed after it, so
    nothing lasting ever follows from something lost.
    """
    outer = _current.get()
    actor = actor or (outer.actor if outer else Actor("system", "unnamed"))
    pay = pay if pay is not None else (outer.pay if outer else Pay.nobody())
    scope = Scope(int(tenant_id), actor, pay)
    with transaction.atomic():
        _apply(scope, _OF_DRAINS if redone_if_lost else "")
        token = _current.set(scope)
        try:
            yield scope
        finally:
            _current.reset(token)
        if outer is not None and connection.in_atomic_block and not connection.needs_rollback:
            _apply(outer)


def in_one_trip(tenant_id: int, *, actor: Actor, pay: Pay, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of one statement in a transaction of its own. Settings and statement travel together, and PostgreSQL
    makes one transaction of what comes together: a trip to the server instead of four. Inside another transaction it
    is a part of that one."""
    if connection.in_atomic_block:
        with tenant_scope(tenant_id, actor=actor, pay=pay), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    settings, values = _settings(Scope(int(tenant_id), actor, pay))
    with connection.cursor() as cursor:
        cursor.execute(f"{settings};{sql}", [*values, *params])
        return list(cursor.fetchall())


@contextmanager
def one_moment() -> Iterator[None]:
    """Everything inside is read as it was at one moment, so that work going on meanwhile is no difference. Inside
    another transaction its reads are as they are there."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


@contextmanager
def as_user(user_id: int) -> Iterator[None]:
    """A transaction before the tenant is known: shows this user's own memberships and nothing else."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL app.user_id = %s", [str(user_id)])
        yield
