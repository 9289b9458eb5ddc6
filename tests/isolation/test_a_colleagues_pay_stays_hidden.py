"""Sixty people on four levels, some of whom moved, in two pay groups: what each of their sessions reads from every
table that shows pay, against what plain Python says it may. The sessions go through the middleware, as requests do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.db import DatabaseError, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from psycopg2 import errors

from comp.people.middleware import TenantMiddleware
from comp.people.models import Participant, PayGroup, ReportingLine
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import Pay
from comp.tenancy.walls import AppendOnly
from payouts.models import Download, LedgerEntry
from tests.database import TestDatabase
from tests.isolation.filler import Filler, owned
from tests.isolation.statements import insert, refused, sql

SHOWING_PAY = [model for model in owned() if getattr(model, "shows_pay", False)]
SIZE = 60
ZONE = ZoneInfo("Europe/Berlin")
EVERYONE = range(SIZE)

#: Who is what, beside representatives: 0 leads 1 to 3, these lead 4 to 12, those lead the rest.
ROLES: dict[int, list[tuple[Role, list[str]]]] = {
    **{n: [(Role.MANAGER, [])] for n in range(13)},
    13: [(Role.FINANCE, ["emea"])],
    14: [(Role.FINANCE, [])],
    15: [(Role.ADMINISTRATOR, [])],
    16: [(Role.SALES_OPS, ["amer"])],
    17: [(Role.REVENUE_LEADER, [])],
    18: [(Role.ADMINISTRATOR, []), (Role.REPRESENTATIVE, [])],
    19: [(Role.MANAGER, []), (Role.FINANCE, ["amer"])],
    20: [(Role.FINANCE, ["closed"])],
}


def above(n: int) -> int:
    """Everybody's first manager."""
    return 0 if n < 4 else 1 + (n - 4) % 3 if n < 13 else 4 + (n - 13) % 9


@dataclass
class House:
    """The organisation as plain lists, beside the rows that hold it."""

    filler: Filler
    today: date
    users: list[User] = field(default_factory=list)
    people: list[Participant] = field(default_factory=list)
    lines: list[tuple[int, int, date, date | None]] = field(default_factory=list)
    groups: dict[int, set[str]] = field(default_factory=dict)  # the groups that somebody has rows of pay in

    def oracle(self, viewer: int) -> set[tuple[int, str]]:
        """(person, pay group) of the rows that the viewer's session may see."""
        roles = ROLES.get(viewer, [(Role.REPRESENTATIVE, [])])
        names = {role for role, _ in roles}
        rows = {(person, group) for person, groups in self.groups.items() for group in groups}
        if names & {Role.FINANCE, Role.SALES_OPS, Role.REVENUE_LEADER}:
            only = {group for _, groups in roles for group in groups}
            return {(person, group) for person, group in rows if not only or group in only}
        if not names & {Role.MANAGER, Role.REPRESENTATIVE}:
            return set()
        seen = self.beneath(viewer) | {viewer} if Role.MANAGER in names else {viewer}
        return {(person, group) for person, group in rows if person in seen}

    def beneath(self, manager: int) -> set[int]:
        direct = {
            person
            for person, above_, starts, ends in self.lines
            if above_ == manager and starts <= self.today and (ends is None or self.today < ends)
        }
        return direct.union(*(self.beneath(person) for person in direct))

    def visit(self, viewer: int, look: Callable[[], Any]) -> Any:
        """What `look` answers within a request of the viewer's. Whatever it changes is rolled back."""
        found: list[Any] = []

        def view(request: Any) -> HttpResponse:
            found.append(look())
            return HttpResponse(status=500)  # the middleware rolls back

        request = RequestFactory().get(f"/t/{self.filler.tenant.slug}/")
        request.user, request.session = self.users[viewer], SessionStore()
        TenantMiddleware(view)(request)
        return found[0]


@pytest.fixture(scope="module")
def house(shared_database: TestDatabase) -> House:
    today = datetime.now(ZONE).date()
    built = House(Filler("sixty", time_zone=ZONE.key), today)
    days = {"long ago": today - timedelta(days=400), "today": today, "tomorrow": today + timedelta(days=1)}
    with built.filler.scope():
        groups = {key: built.filler.row(PayGroup, key=key) for key in ("emea", "amer", "closed")}
        built.filler.rows[PayGroup] = groups["emea"]  # rows that others need belong to the first person
        for n in EVERYONE:
            user = User.objects.create(username=f"u{n}", email=f"u{n}@sixty.test")
            built.users.append(user)
            for role, keys in ROLES.get(n, [(Role.REPRESENTATIVE, [])]):
                Membership.objects.create(tenant=built.filler.tenant, user=user, role=role, pay_groups=keys)
            group = ("emea", "amer")[n % 2]
            built.people.append(built.filler.row(Participant, name="Ann", user=user, pay_group=groups[group]))
            built.filler.rows.setdefault(Participant, built.people[0])
            # Every seventh was paid in the other group before.
            built.groups[n] = {group, ("amer", "emea")[n % 2]} if n % 7 == 0 else {group}
        for n in range(1, SIZE):
            move = {0: "today", 1: "tomorrow", 2: "left"}.get(n % 10, "") if n >= 13 else ""
            if not move:
                built.lines.append((n, above(n), days["long ago"], None))
                continue
            # Moved to another manager today, or will tomorrow, or left the line today for nobody's.
            day = days["today" if move == "left" else move]
            built.lines.append((n, above(n), days["long ago"], day))
            if move != "left":
                built.lines.append((n, 4 + (n - 12) % 9, day, None))
        for person, manager, starts, ends in built.lines:
            said = {"participant": built.people[person], "manager": built.people[manager]}
            built.filler.row(ReportingLine, **said, starts_on=starts, ends_on=ends)
        for n, keys in built.groups.items():
            for key in sorted(keys):
                for model in SHOWING_PAY:
                    said = {"participant": built.people[n], "pay_group": groups[key]}
                    built.filler.entries(**said) if model is LedgerEntry else built.filler.row(model, **said)
    return built


@pytest.fixture(scope="module")
def numbers(house: House) -> dict[tuple[int, int], tuple[int, str]]:
    """(participant id, pay group id) to (person, group key)."""
    with house.filler.scope():
        groups = dict(PayGroup.objects.values_list("key", "id"))
    return {(house.people[n].pk, groups[key]): (n, key) for n in EVERYONE for key in ("emea", "amer")}


def read(statement: str, numbers: dict[tuple[int, int], tuple[int, str]]) -> set[tuple[int, str]]:
    return {numbers[participant, group] for participant, group in sql(statement)}


def test_the_organisation_is_worth_asking(house: House) -> None:
    everything = {(n, group) for n, groups in house.groups.items() for group in groups}
    seen = [house.oracle(viewer) for viewer in EVERYONE]
    assert set() in seen and everything in seen and len({frozenset(rows) for rows in seen}) > 50
    assert house.beneath(0) >= house.beneath(1) > house.beneath(4) - {4} and len(house.beneath(4)) > 3
    moved = [n for n, _, starts, _ in house.lines if starts >= house.today]
    assert len(moved) >= 8


@pytest.mark.parametrize("viewer", EVERYONE)
def test_every_pair_of_viewer_and_subject(house: House, numbers: Any, viewer: int) -> None:
    """60 × 60 on each table: rows, counts and joins. Another tenant's row would be a KeyError."""

    def look() -> dict[str, set[tuple[int, str]]]:
        found = {}
        for model in SHOWING_PAY:
            table = model._meta.db_table
            found[table] = read(f'SELECT participant_id, pay_group_id FROM "{table}"', numbers)
            orm = model._base_manager.values_list("participant_id", "pay_group_id")
            assert {numbers[pair] for pair in orm} == found[table]
            joined = (
                f'SELECT t.participant_id, t.pay_group_id FROM people_participant p JOIN "{table}" t '
                "ON t.tenant_id = p.tenant_id AND t.participant_id = p.id"
            )
            assert read(joined, numbers) == found[table]
            ((people,),) = sql(f'SELECT count(DISTINCT participant_id) FROM "{table}"')
            assert people == len({person for person, _ in found[table]})
        return found

    expected = house.oracle(viewer)
    for table, seen in house.visit(viewer, look).items():
        assert seen == expected, f"{table}: too much {seen - expected}, too little {expected - seen}"


@pytest.fixture(scope="module")
def rows(house: House) -> dict[str, list[Any]]:
    """Every row as JSON, by table."""
    with house.filler.scope():
        return {
            model._meta.db_table: [
                json.loads(row) for (row,) in sql(f'SELECT to_jsonb(t) FROM "{model._meta.db_table}" t')
            ]
            for model in SHOWING_PAY
        }


@pytest.mark.parametrize(
    "viewer", [30, 4, 13, 15], ids=["representative", "manager", "finance of emea", "administrator"]
)
@pytest.mark.parametrize("model", SHOWING_PAY, ids=lambda model: model._meta.db_table)
def test_nobody_elses_pay_is_changed(house: House, numbers: Any, rows: Any, model: Any, viewer: int) -> None:
    table, expected = model._meta.db_table, house.oracle(viewer)
    hidden = next(r for r in rows[table] if numbers[r["participant_id"], r["pay_group_id"]] not in expected)
    returning = "RETURNING participant_id, pay_group_id"

    def look() -> None:
        with refused(errors.InsufficientPrivilege, "row-level security"):
            insert(table, {**hidden, "id": -1})
        if any(isinstance(c, AppendOnly) for c in model._meta.constraints):
            for statement in (f'UPDATE "{table}" SET participant_id = participant_id', f'DELETE FROM "{table}"'):
                with refused(errors.InsufficientPrivilege, "permission denied"):
                    sql(statement)
            return
        assert read(f'UPDATE "{table}" SET tenant_id = tenant_id {returning}', numbers) == expected
        whose, group = hidden["participant_id"], hidden["pay_group_id"]
        named = f"WHERE participant_id = {whose} AND pay_group_id = {group}"
        assert sql(f'UPDATE "{table}" SET tenant_id = tenant_id {named} {returning}') == []
        if expected:  # nor is a row of one's own given to somebody else
            with refused(errors.InsufficientPrivilege, "row-level security"):
                sql(f'UPDATE "{table}" SET participant_id = %s, pay_group_id = %s', whose, group)
        if model is Download:  # its parts are dropped before it
            assert read(f'DELETE FROM "payouts_downloadpart" {returning}', numbers) == expected
        assert read(f'DELETE FROM "{table}" {returning}', numbers) == expected

    house.visit(viewer, look)


def test_who_is_no_participant_sees_nobodys(house: House) -> None:
    """A manager by role whom no participant row names, and a machine's member, who opens no page at all."""
    with house.filler.scope():
        for role in (Role.MANAGER, Role.INTEGRATION):
            user = User.objects.create(username=role, email=f"{role}@sixty.test")
            Membership.objects.create(tenant=house.filler.tenant, user=user, role=role)
            house.users.append(user)

    def look() -> list[int]:
        return [model._base_manager.count() for model in SHOWING_PAY]

    assert house.visit(-2, look) == [0] * len(SHOWING_PAY)
    with pytest.raises(IndexError):
        house.visit(-1, look)


def test_pay_stays_hidden_where_no_pay_was_asked_for(house: House) -> None:
    with house.filler.scope(Pay.nobody()):
        assert [model._base_manager.count() for model in SHOWING_PAY] == [0] * len(SHOWING_PAY)
    for role in ("comp_app", "comp_pay"):
        for model in SHOWING_PAY:  # unset or empty, as the connection comes: an error, no answer of nothing
            with pytest.raises(DatabaseError, match="app.pay|array literal"), transaction.atomic():
                sql(f"SET LOCAL ROLE {role}; SET LOCAL app.tenant = '{house.filler.tenant.pk}'")
                sql(f'SELECT count(*) FROM "{model._meta.db_table}"')
