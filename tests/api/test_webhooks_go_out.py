"""Messages to a real receiver over TLS: signed as the official library verifies, tried again, given up, sent again."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from comp.api import sending, webhooks
from comp.api.models import Webhook, WebhookAttempt, WebhookMessage, WebhookSecret
from comp.core.errors import ProblemsError
from comp.people.selectors import today
from payouts.models import Earning, Statement
from payouts.services import disputes
from tests.api.receiver import Receiver, receiving
from tests.pages.rep.world import OCTOBER, World

State = WebhookMessage.State
ALL = [*webhooks.TOPICS]


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """No setting lets an inner address through: the test takes the place of the function that judges them."""
    with receiving(tmp_path) as told:
        monkeypatch.setattr(sending, "is_public", lambda address: address in ("127.0.0.1", "::1"))
        monkeypatch.setattr(sending, "_tls", lambda: ssl.create_default_context(cafile=str(told.certificate)))
        here = [(2, 1, 6, "", ("127.0.0.1", told.port))]
        monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: here)
        monkeypatch.setattr("comp.api.tasks.send.apply_async", lambda args, **kwargs: None)
        yield told


def listening(world: World, url: str, topics: Any = ALL) -> tuple[Webhook, str]:
    with world.company.scope(world.users["Olga"]):
        return webhooks.webhook_create(name="Payroll", url=url, topics=topics, made_by=world.users["Olga"])


def told(world: World, count: int = 1) -> None:
    with world.company.scope():
        webhooks.tell("plan.published", [{"plan": f"p{n}"} for n in range(count)])


def send(world: World) -> int:
    return webhooks.send_due(world.company.tenant.pk, 20)


def later(world: World) -> None:
    """As if the next try were due now."""
    with world.company.scope():
        WebhookMessage.objects.filter(state=State.PENDING).update(due_at=timezone.now(), leased_until=None)
        Webhook.objects.update(quiet_until=timezone.now())


def test_a_batch_and_its_statements_are_told_and_verify(world: World, receiver: Receiver) -> None:
    world.work()
    _, secret = listening(world, receiver.url)
    world.won("D1", "2026-10-12", "4514.00")
    world.milestone("D1", "signature", "2026-10-12")
    world.work()
    world.approve(world.submit(OCTOBER))
    world.work()
    with world.company.scope():
        statements = {*Statement.objects.filter(period_starts_on=OCTOBER).values_list("id", flat=True)}
    assert send(world) == 1 + len(statements) > 2
    bodies = [Verifier(secret).verify(body, headers) for headers, body in receiver.calls]
    assert [body["type"] for body in bodies].count("batch.approved") == 1
    published = [body["data"] for body in bodies if body["type"] == "statement.published"]
    assert {one["statement"] for one in published} == statements
    assert not [one for one in published if "payout" in str(one)], "no amounts go out"
    assert send(world) == 0
    with world.company.scope():
        assert {*WebhookMessage.objects.values_list("state", flat=True)} == {State.DONE}


def test_what_becomes_of_a_dispute_is_told_once_each_and_without_amounts_or_words(
    world: World, receiver: Receiver
) -> None:
    _, secret = listening(world, receiver.url, ["dispute.changed"])
    world.won("D1", "2026-10-12", "4514.00")
    world.milestone("D1", "signature", "2026-10-12")
    world.work()
    ann, fay = world.users["Ann"], world.users["Fay"]
    with world.company.scope(ann):
        line = Earning.objects.filter(participant=world.people["Ann"], deal__external_id="D1").latest("earned_minor")
        asked = {"category": "rate", "expectation": "Secret words", "expected_minor": 777_77, "earning": line}
        dispute = disputes.dispute_open(by=ann, **asked)
        with pytest.raises(ProblemsError, match="D-1"):
            disputes.dispute_open(by=ann, **asked)
        disputes.dispute_say(dispute=dispute, by=ann, words="Secret words")
        disputes.dispute_say(dispute=dispute, by=ann, words="Secret words")
    with world.company.scope(fay):
        for _ in range(2):
            disputes.dispute_take(dispute=dispute, by=fay, owner=fay, promised_on=today())
        disputes.dispute_decide(dispute=dispute, by=fay, decision="split", words="Secret words", deal=line.deal)
        withdrawn = disputes.dispute_open(by=fay, **asked)
        disputes.dispute_withdraw(dispute=withdrawn, by=fay)
    assert send(world) == 6 and send(world) == 0
    bodies = [Verifier(secret).verify(body, headers) for headers, body in receiver.calls]
    assert {body["type"] for body in bodies} == {"dispute.changed"}
    told_ = [body["data"] for body in bodies]
    assert [(one["number"], one["change"], one["state"]) for one in told_] == [
        ("D-1", "opened", "open"), ("D-1", "answered", "open"), ("D-1", "taken", "in_review"),
        ("D-1", "decided", "decided"), ("D-2", "opened", "open"), ("D-2", "withdrawn", "withdrawn"),
    ]  # fmt: skip
    assert told_[3] == {
        "dispute": dispute.pk, "number": "D-1", "change": "decided", "state": "decided", "category": "rate",
        "participant": "ann", "period": "2026-10-01", "deal": "D1", "decision": "split", "owned": True,
    }  # fmt: skip
    assert (told_[0]["decision"], told_[0]["owned"]) == (None, False)
    assert "Secret" not in str(receiver.calls) and "777" not in str(told_)


def test_a_dispute_that_is_not_opened_is_told_to_nobody(world: World) -> None:
    listening(world, "https://payroll.example/hook", ["dispute.changed"])
    world.won("D1", "2026-10-12", "4514.00")
    world.milestone("D1", "signature", "2026-10-12")
    world.work()
    with world.company.scope(world.users["Ann"]):
        line = Earning.objects.filter(participant=world.people["Ann"]).latest("earned_minor")
        with pytest.raises(RuntimeError), transaction.atomic():
            asked = {"category": "rate", "expectation": "More", "earning": line}
            disputes.dispute_open(by=world.users["Ann"], **asked)
            raise RuntimeError("the transaction is lost")
        assert WebhookMessage.objects.count() == 0


def test_a_published_plan_is_told_to_those_who_listen(world: World, receiver: Receiver) -> None:
    listening(world, receiver.url, ["batch.approved"])
    told(world)
    assert send(world) == 0 and receiver.calls == []


def test_both_secrets_sign_after_a_rotation(world: World, receiver: Receiver) -> None:
    webhook, old = listening(world, receiver.url)
    with world.company.scope(world.users["Olga"]):
        new = webhooks.webhook_rotate(webhook=webhook)
        kept = str([*WebhookSecret.objects.values()])
    assert new not in kept and old not in kept
    told(world)
    assert send(world) == 1
    headers, body = receiver.calls[0]
    assert Verifier(old).verify(body, headers) == Verifier(new).verify(body, headers)
    with world.company.scope():
        WebhookSecret.objects.filter(ends_at__isnull=False).update(ends_at=timezone.now() - timedelta(seconds=1))
    told(world)
    assert send(world) == 1
    Verifier(new).verify(receiver.calls[1][1], receiver.calls[1][0])
    with pytest.raises(Exception, match="signature"):
        Verifier(old).verify(receiver.calls[1][1], receiver.calls[1][0])


def test_what_fails_is_tried_again_then_given_up_and_sent_again_by_a_person(world: World, receiver: Receiver) -> None:
    webhook, _ = listening(world, receiver.url)
    receiver.statuses = [500]
    told(world, 2)
    assert send(world) == 1, "after a failure the address is left alone"
    with world.company.scope():
        first = WebhookMessage.objects.get(attempts=1)
        wait = first.due_at - timezone.now()
        assert timedelta() < wait <= timedelta(seconds=5)
    for _ in range(2 * len(webhooks.DELAYS) + 1):
        later(world)
        send(world)
    with world.company.scope():
        assert {*WebhookMessage.objects.values_list("state", "attempts")} == {(State.PARKED, 11)}
        assert WebhookAttempt.objects.count() == len(receiver.calls) == 22
    browser = Client()
    browser.force_login(world.users["Olga"], "django.contrib.auth.backends.ModelBackend")
    page = browser.get(f"/t/acme/webhooks/{webhook.pk}/").content.decode()
    assert "Given up" in page and "500" in page and "thank you" in page
    receiver.statuses = [204]
    browser.post(f"/t/acme/webhooks/{webhook.pk}/again/{first.pk}/")
    assert send(world) == 1
    ids = {headers["webhook-id"] for headers, _ in receiver.calls}
    assert len(ids) == 2, "sent again under its own id"
    assert "Delivered" in browser.get(f"/t/acme/webhooks/{webhook.pk}/").content.decode()


def test_a_redirect_is_not_followed(world: World, receiver: Receiver) -> None:
    listening(world, receiver.url)
    receiver.statuses = [302]
    told(world)
    send(world)
    assert len(receiver.calls) == 1
    with world.company.scope():
        assert WebhookAttempt.objects.get().status == 302
        assert WebhookMessage.objects.get().state == State.PENDING


def test_one_that_answers_a_byte_at_a_time_is_cut(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WHOLE", 1)
    listening(world, receiver.url)
    receiver.drip = True
    told(world)
    started = timezone.now()
    send(world)
    assert timezone.now() - started < timedelta(seconds=5)
    with world.company.scope():
        assert WebhookAttempt.objects.get().status == 0


def test_a_certificate_that_nobody_vouches_for_is_refused(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_tls", ssl.create_default_context)
    listening(world, receiver.url)
    told(world)
    send(world)
    with world.company.scope():
        assert "CERTIFICATE_VERIFY_FAILED" in WebhookAttempt.objects.get().answer
    assert receiver.calls == []


def test_what_a_dead_sender_had_is_taken_by_the_next(world: World, receiver: Receiver) -> None:
    listening(world, receiver.url)
    told(world)
    claim = webhooks._claim(world.company.tenant.pk)
    assert claim and send(world) == 0, "leased"
    with world.company.scope():
        WebhookMessage.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert send(world) == 1
    webhooks._book(world.company.tenant.pk, claim[0], sending.Answer(500, "late"), 1)
    with world.company.scope():
        assert WebhookMessage.objects.get().state == State.DONE, "the dead one's answer changes nothing"


def test_a_webhook_is_added_on_a_page_and_its_secret_shown_once(world: World) -> None:
    browser = Client()
    browser.force_login(world.users["Olga"], "django.contrib.auth.backends.ModelBackend")
    said = {"name": "Payroll", "url": "https://payroll.example/hook", "topics": ["batch.approved"]}
    assert "whsec_" in browser.post("/t/acme/webhooks/new/", said).content.decode()
    listed = browser.get("/t/acme/webhooks/").content.decode()
    assert "Payroll" in listed and "whsec_" not in listed
    wrong = browser.post("/t/acme/webhooks/new/", {**said, "url": "http://payroll.example/"}).content.decode()
    assert "cannot be called" in wrong
    with world.company.scope(world.users["Olga"]):
        webhook = Webhook.objects.get()
    assert "whsec_" in browser.post(f"/t/acme/webhooks/{webhook.pk}/rotate/", {"once": "A"}).content.decode()
    assert browser.post(f"/t/acme/webhooks/{webhook.pk}/rotate/", {"once": "A"}).status_code == 302, "a reload"
    assert "whsec_" in browser.post(f"/t/acme/webhooks/{webhook.pk}/rotate/", {"once": "B"}).content.decode()
    assert browser.post(f"/t/acme/webhooks/{webhook.pk}/end/").status_code == 302
    with world.company.scope(), pytest.raises(ProblemsError, match="topics"):
        webhooks.webhook_create(name="X", url=said["url"], topics=["deal.changed"], made_by=world.users["Olga"])
