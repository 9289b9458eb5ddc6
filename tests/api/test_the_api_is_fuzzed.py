"""Calls that schemathesis makes up from the OpenAPI document, good and malformed ones, of every operation: none is
answered 500, each answer is as the document says, a refusal tells what is wrong, and nothing stays of what is refused.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import LazySettings
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from comp.api.grants import Grant
from comp.wsgi import application
from tests.api.conftest import OPS, caller
from tests.intake.test_whatever_is_sent_is_refused_or_asked_about import rows
from tests.pages.rep.world import NOVEMBER, World, selling

#: Calls of each operation in each mode, and what they are drawn by: COMP_FUZZ=100 COMP_SEED=7 for another, longer run.
CALLS, SEED = int(os.environ.get("COMP_FUZZ", "5")), int(os.environ.get("COMP_SEED", "4"))
#: What the company's rows are called.
KNOWN = {"participant": "ann", "manager": "mia", "plan": "account-executive", "pay_group": "sales", "credit_role": "ae",
         "endpoint": "crm", "currency": "USD", "amount": "25000.00", "id": 1, "number": 1}  # fmt: skip
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


class Door:
    """The application, called with a key whatever the call itself brings: 401 would hide what lies behind."""

    key = ""

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        return application({**environ, "HTTP_AUTHORIZATION": f"Bearer {self.key}"}, start)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    """Its requests leave the test's connection open."""
    monkeypatch.setattr(BaseDatabaseWrapper, "close_if_unusable_or_obsolete", lambda self: None)
    return Door()


@pytest.fixture
def world(db: None, settings: LazySettings) -> World:
    """A company with rows of every kind."""
    settings.API_RATE = 1_000_000
    world = selling()
    world.submit(NOVEMBER)
    return world


@pytest.mark.django_db
def test_whatever_is_called_is_answered_as_documented(door: Door, world: World) -> None:
    ops = caller(world.company, world.users["Olga"], *OPS)
    finance = caller(world.company, world.users["Fay"], Grant.BATCHES_READ)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", door)
    schema.validate()
    answers: Counter[tuple[str, int]] = Counter()
    wrong: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        door.key = (finance if "/batches" in operation.path else ops).text
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            for case, response, stays in called(operation, mode, world):
                answers[mode.value, response.status_code] += 1
                found_wrong = [*faults(case, response), *stays]
                wrong += [f"{operation.label}, {mode.value}: {fault}" for fault in found_wrong]
    print(f"seed {SEED}:", dict(sorted(answers.items())))
    assert not wrong, "\n\n".join(wrong)


def called(operation: Any, mode: GenerationMode, world: World) -> list[tuple[Any, Any, list[str]]]:
    """Calls of one operation, each answered and undone; and what stayed of it though it was refused."""
    made: list[tuple[Any, Any, list[str]]] = []
    before = rows(world.company)

    @seed(SEED)
    @settings(
        max_examples=CALLS, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def call(case: Any, known: bool) -> None:
        if known:  # else next to every call ends at a name that nobody has
            for place in case.path_parameters, case.query, case.body:
                if isinstance(place, dict):
                    place |= {name: KNOWN[name] for name in place if name in KNOWN}
        with transaction.atomic():
            response = case.call()
            refused = case.method != "GET" and response.status_code >= 400
            stays = rows(world.company) - before if refused else Counter()
            transaction.set_rollback(True)
        made.append((case, response, [f"refused, and yet wrote {dict(stays)}"] if stays else []))

    call()
    return made


def faults(case: Any, response: Any) -> Iterator[str]:
    try:
        case.validate_response(response, checks=CHECKS)
    except BaseExceptionGroup as group:
        for error in group.exceptions:
            yield f"{response.status_code} {response.content[:200]!r}\n{str(error)[:600]}"
    if response.status_code >= 400:
        for error in response.json()["errors"]:
            if not error["message"] or (response.status_code == 422 and not error["allowed"]):
                yield f"{response.status_code} {response.content[:300]!r} {case.body!r}"
