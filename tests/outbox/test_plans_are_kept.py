"""Statements that every event runs are planned once a session. What they find is what they would find planned anew:
each company its own, each role what it may see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from comp.people.models import Participant
from comp.tenancy import prepared
from comp.tenancy.rows import models_read, rows_read
from comp.tenancy.scope import Pay, tenant_scope
from tests.factories import company, person

NAMES = """
SELECT name, '100%%' FROM people_participant
WHERE name <> ALL(%(but)s::text[]) AND %(but)s <> '{x}' ORDER BY 1
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """A session that has prepared nothing."""
    connection.close()
    prepared._sessions.clear()
    yield
    connection.close()


def names(tenant: int, *but: str, pay: Pay | None = None) -> tuple[list[str], list[str]]:
    """What is found, and the kinds of statements that were run for it."""
    with tenant_scope(tenant, pay=pay), CaptureQueriesContext(connection) as ran:
        found = [name for name, whole in rows_read(NAMES, {"but": list(but)}) if whole == "100%"]
    kinds = [query["sql"].split()[0] for query in ran.captured_queries]
    return found, [kind for kind in kinds if kind in ("PREPARE", "EXECUTE", "DEALLOCATE")]


@pytest.mark.django_db(transaction=True)
def test_a_plan_is_kept_from_the_second_time_on_for_one_company_and_role(monkeypatch: pytest.MonkeyPatch) -> None:
    acme, bolt = company("acme"), company("bolt")
    with acme.scope():
        person(acme, "Ann"), person(acme, "Ben")
    with bolt.scope():
        person(bolt, "Cleo")
    one, other = acme.tenant.pk, bolt.tenant.pk
    assert names(one) == (["Ann", "Ben"], [])
    assert names(one, "Ann") == (["Ben"], ["PREPARE", "EXECUTE"])
    assert names(one, "Ben", "it's") == (["Ann"], ["EXECUTE"])
    assert names(other) == (["Cleo"], [])
    assert names(other) == (["Cleo"], ["PREPARE", "EXECUTE"])
    assert names(one, pay=Pay.everyone()) == (["Ann", "Ben"], [])
    # A failure takes nothing of it back.
    with pytest.raises(ZeroDivisionError), tenant_scope(one):
        assert len(rows_read(NAMES, {"but": []})) == 2
        raise ZeroDivisionError
    assert names(one) == (["Ann", "Ben"], ["EXECUTE"])
    # Tables grow: after a while it is planned anew; and no session keeps more than it has room for.
    monkeypatch.setattr(prepared, "GOOD_SECONDS", -1.0)
    session = prepared._sessions[connection.connection]
    session.kept = type(session.kept)((key, (name, 0.0)) for key, (name, _) in session.kept.items())
    assert names(one) == (["Ann", "Ben"], ["DEALLOCATE", "PREPARE", "EXECUTE"])
    monkeypatch.setattr(prepared, "KEPT", 1)
    assert names(one, pay=Pay.everyone())[1].count("DEALLOCATE") == 1
    # Behind a pool nothing is kept: the next transaction may be another session's.
    session.direct = False
    assert names(one) == (["Ann", "Ben"], [])


@pytest.mark.django_db(transaction=True)
def test_objects_read_by_hand_are_those_of_their_manager() -> None:
    acme = company("acme")
    with acme.scope():
        ann = person(acme, "Ann")
        for _ in range(3):
            (read,) = models_read(Participant, "id = ANY(%s::bigint[])", [[ann.pk]])
            (known,) = Participant.objects.filter(pk=ann.pk)
            assert read == known and {**vars(read), "_state": 0} == {**vars(known), "_state": 0}
