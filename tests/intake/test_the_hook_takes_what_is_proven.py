"""Signatures, the window, ids seen before, and what else may come to an open door."""

from __future__ import annotations

import base64
import json
import random
import time
from contextlib import closing
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import psycopg2
import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from crediting.api import hooks
from crediting.models import DataIssue, EndpointSecret, RawDelivery
from crediting.services.endpoints import (
    DOOR_SECONDS,
    decrypted,
    doors_forget,
    endpoint_rotate,
    endpoint_secrets_end,
    endpoint_update,
)
from tests.factories import company
from tests.intake.sending import Sender, deal, sender

BODY = json.dumps(deal()).encode()


def now() -> int:
    return int(timezone.now().timestamp())


def deliveries(crm: Sender) -> int:
    with crm.company.scope():
        return RawDelivery.objects.count()


def test_the_official_client_is_accepted_and_stored_as_it_came(crm: Sender) -> None:
    answer = crm.post(BODY, crm.sign(BODY, "msg_1"))
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    with crm.company.scope():
        found = RawDelivery.objects.get(pk=answer.json()["delivery"])
        assert (bytes(found.body), found.sender_id, found.state) == (BODY, "msg_1", "pending")
        assert "webhook-signature" not in found.headers


def test_a_delivery_costs_one_statement_and_its_scope(crm: Sender, django_assert_num_queries: Any) -> None:
    assert crm.post(BODY, crm.sign(BODY, "msg_1")).status_code == 202
    with django_assert_num_queries(4):  # savepoint, settings and release around the insert: the door is remembered
        assert crm.post(BODY, crm.sign(BODY, "msg_2")).status_code == 202


def test_what_another_process_ended_verifies_for_two_seconds_at_most(crm: Sender) -> None:
    assert crm.post(BODY, crm.sign(BODY, "msg_1")).status_code == 202
    with crm.company.scope():
        EndpointSecret.objects.filter(endpoint=crm.endpoint).update(ends_at=timezone.now())
    assert crm.post(BODY, crm.sign(BODY, "msg_2")).status_code == 202, "this process remembers the door"
    later = time.monotonic() + DOOR_SECONDS
    with patch("crediting.services.endpoints.time.monotonic", return_value=later):
        assert crm.post(BODY, crm.sign(BODY, "msg_3")).status_code == 404


def test_forged_deliveries_are_never_taken_and_never_break_the_server(crm: Sender) -> None:
    chance = random.Random(11)
    stranger = sender(company("rival"))
    good = crm.sign(BODY, "msg_f")
    raw = base64.b64decode(good["webhook-signature"][3:])
    forged: list[tuple[bytes, dict[str, str]]] = []
    for _ in range(400):  # a bit of the signature, or of the body, flipped
        bit = chance.randrange(len(raw) * 8)
        wrong = bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(raw))
        forged.append((BODY, {**good, "webhook-signature": "v1," + base64.b64encode(wrong).decode()}))
        bit = chance.randrange(len(BODY) * 8)
        body = bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(BODY))
        forged.append((body, good))
    for number in range(100):
        secret = "whsec_" + base64.b64encode(chance.randbytes(32)).decode()
        forged.append((BODY, crm.sign(BODY, f"w{number}", secret=secret)))
        forged.append((BODY, crm.sign(BODY, f"t{number}", secret=stranger.secret)))
        forged.append((BODY, {**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) + number + 1)}))
        forged.append((BODY, {**good, "webhook-id": f"msg_f{number}"}))
    for name in good:
        forged.append((BODY, {key: value for key, value in good.items() if key != name}))
        for value in ("", " ", "\x7f", "ä" * 8, "x" * 100_000, f"{good[name]},{good[name]}", "nan", "-1", "1e9", "v1,"):
            forged.append((BODY, {**good, name: value}))
    for value in ("v1", "v1,", "v2,abc", "v1,!!!", ",", "v1,v1,v1", " ".join(["v1,AAAA"] * 500), "v1a," + "A" * 44):
        forged.append((BODY, {**good, "webhook-signature": value}))

    answers = [crm.post(body, headers).status_code for body, headers in forged]
    for number, far in enumerate(
        (-301, 302, -3600, 3600, -(10**9), 10 * 365 * 86400) * 5
    ):  # signed well, at a wrong time
        answers.append(crm.post(BODY, crm.sign(BODY, f"d{number}", seconds=now() + far)).status_code)
    assert len(answers) >= 1_000
    assert set(answers) <= {400, 401}, set(answers)
    assert deliveries(crm) == 0


def test_the_window_is_open_300_seconds_on_both_sides(crm: Sender) -> None:
    for number, away in enumerate((-298, 298)):
        assert crm.post(BODY, crm.sign(BODY, f"msg_{number}", seconds=now() + away)).status_code == 202


def test_an_unknown_address_another_method_and_a_large_body(crm: Sender) -> None:
    headers = crm.sign(BODY, "msg_1")
    assert crm.client.post("/hooks/nobody/", BODY, content_type="application/json", headers=headers).status_code == 404
    assert crm.client.get(crm.url).status_code == 405
    assert crm.client.put(crm.url, BODY, headers=headers).status_code == 405
    large = b"{" + b" " * settings.HOOK_BODY_LIMIT
    assert crm.post(large, crm.sign(large, "msg_2")).status_code == 413
    with crm.company.scope():
        endpoint_update(endpoint=crm.endpoint, name="CRM", active=False, rate_limit=100, deals_from=None)
    assert crm.post(BODY, headers).status_code == 404
    assert deliveries(crm) == 0


def test_a_rotation_has_no_gap_and_ends(crm: Sender) -> None:
    old = crm.secret
    with crm.company.scope():
        crm.secret = endpoint_rotate(crm.endpoint)
    for number, secret in enumerate((old, crm.secret)):
        assert crm.post(BODY, crm.sign(BODY, f"msg_{number}", secret=secret)).status_code == 202
    both = crm.sign(BODY, "msg_both")
    both["webhook-signature"] += " " + crm.sign(BODY, "msg_both", secret=old)["webhook-signature"] + " v1a,xyz"
    assert crm.post(BODY, both).status_code == 202
    with crm.company.scope():
        assert endpoint_secrets_end(crm.endpoint) == 1
    assert crm.post(BODY, crm.sign(BODY, "msg_8", secret=old)).status_code == 401
    assert crm.post(BODY, crm.sign(BODY, "msg_9")).status_code == 202


def test_an_old_secret_ends_by_itself_after_its_overlap(crm: Sender) -> None:
    old = crm.secret
    with crm.company.scope():
        crm.secret = endpoint_rotate(crm.endpoint, overlap=timedelta(seconds=-1))
    assert crm.post(BODY, crm.sign(BODY, "msg_1", secret=old)).status_code == 401


def test_secrets_are_not_readable_in_the_database(crm: Sender) -> None:
    with crm.company.scope():
        kept = EndpointSecret.objects.get().secret
    assert crm.secret not in kept
    assert crm.secret.removeprefix("whsec_") not in kept


def test_the_same_delivery_again_is_seen_and_another_body_is_set_aside(crm: Sender) -> None:
    first = crm.send(BODY, "msg_1")
    assert crm.send(BODY, "msg_1") == {"delivery": first["delivery"], "status": "seen"}
    other = json.dumps(deal(amount="9999.00")).encode()
    aside = crm.send(other, "msg_1")
    assert aside["status"] == "quarantined"
    assert crm.send(other, "msg_1") == aside
    crm.drain()
    with crm.company.scope():
        states = dict(RawDelivery.objects.values_list("id", "state"))
        assert states == {first["delivery"]: "done", aside["delivery"]: "quarantined"}
        issue = DataIssue.objects.get()
        assert (issue.kind, issue.value, issue.first_delivery_id) == ("conflict", "msg_1", aside["delivery"])


def test_an_address_that_no_token_can_have_is_absent(crm: Sender) -> None:
    headers = crm.sign(BODY, "msg_n")
    for token in ("%00", "a%00b", "%F0%9F", "a" * 5000, "a b"):
        answer = crm.client.post(f"/hooks/{token}/", BODY, content_type="application/json", headers=headers)
        assert answer.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_gone_is_replaced_by_the_way(
    crm: Sender, superuser_connection: psycopg2.extensions.connection
) -> None:
    assert crm.post(BODY, crm.sign(BODY, "msg_1")).json()["status"] == "stored"
    with connection.cursor() as mine:
        mine.execute("SELECT pg_backend_pid()")
        [pid] = mine.fetchone()
    with closing(superuser_connection.cursor()) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    answer = crm.post(BODY, crm.sign(BODY, "msg_2"))
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    assert deliveries(crm) == 2


@pytest.mark.django_db
def test_what_is_sent_again_rings_while_it_waits(crm: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stored it may have been killed before the bell."""
    rung: list[int] = []
    monkeypatch.setattr("crediting.services.intake.ring_together", lambda tenant_id: rung.append(tenant_id))
    tenant = crm.company.tenant.pk
    for times, status in ((1, "stored"), (2, "seen")):
        assert crm.post(BODY, crm.sign(BODY, "msg_1")).json()["status"] == status
        assert rung == [tenant] * times
    crm.drain()
    assert crm.post(BODY, crm.sign(BODY, "msg_1")).json()["status"] == "seen"
    assert rung == [tenant] * 2


def test_while_the_database_is_away_the_sender_is_asked_to_come_again(
    crm: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(hooks, "delivery_receive", away)
    answer = crm.post(b"{}", crm.sign(b"{}", "msg_away"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "send it again" in answer.json()["error"]


def test_secrets_are_read_by_the_key_before_and_without_it_the_sender_comes_again(
    crm: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = settings.SECRET_KEY
    monkeypatch.setattr(settings, "SECRET_KEY", "another one, set after the old one was seen by somebody")
    decrypted.cache_clear()
    doors_forget()
    body = json.dumps(deal()).encode()
    answer = crm.post(body, crm.sign(body, "m1"))
    assert answer.status_code == 503 and answer["Retry-After"] == "600"
    monkeypatch.setattr(settings, "SECRET_KEY_FALLBACKS", [old])
    assert crm.post(body, crm.sign(body, "m1")).status_code == 202
    decrypted.cache_clear()
