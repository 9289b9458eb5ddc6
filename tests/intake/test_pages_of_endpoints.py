"""Sales Ops connect a system, rotate its secret, map its fields and see what would become of what has come."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from comp.tenancy.capabilities import Role
from crediting.intake.sources import SOURCES
from crediting.models import EndpointSecret, FieldMapping, HookEndpoint, RawDelivery
from crediting.pages.guides import GUIDES, SOURCE_NAMES
from crediting.selectors_endpoints import health_of
from crediting.services.bulk import api_endpoint
from crediting.services.endpoints import decrypted, endpoint_create
from crediting.services.mappings import records_reread
from tests.factories import member
from tests.intake.test_records_become_facts import HISTORY, Crm, crm, prop

pytestmark = pytest.mark.django_db


def text(answer: Any) -> str:
    return html.unescape(answer.content.decode())


@pytest.fixture
def here() -> Crm:
    return crm()


@pytest.fixture
def ops(here: Crm) -> Client:
    client = Client()
    client.force_login(member(here.company, Role.SALES_OPS), "django.contrib.auth.backends.ModelBackend")
    return client


def test_every_source_has_a_name_and_a_guide() -> None:
    assert set(SOURCE_NAMES) == set(GUIDES) == set(SOURCES)


def test_a_system_is_connected_and_its_secret_shown_once(here: Crm, ops: Client) -> None:
    made = ops.post("/t/acme/endpoints/new/", {"name": "Own events", "key": "own", "adapter": "standard"})
    with here.company.scope():
        endpoint = HookEndpoint.objects.get(key="own")
        secret = decrypted(EndpointSecret.objects.get(endpoint=endpoint).secret)
    assert secret in text(made) and endpoint.token in text(made) and made["Cache-Control"] == "no-store"
    assert secret not in text(ops.get(f"/t/acme/endpoints/{endpoint.pk}/"))
    assert "Own events" in text(ops.get("/t/acme/endpoints/"))
    again = ops.post("/t/acme/endpoints/new/", {"name": "Own", "key": "own", "adapter": "standard"})
    assert again.status_code == 422 and "There is an endpoint own already" in text(again)


def test_how_an_endpoint_does_is_told_in_its_figures(here: Crm, ops: Client) -> None:
    """Of eight deliveries one came before the hour, one waits to be taken since 90 s, one is parked, one waits for an
    answer. Of the three that were taken at once the slowest took 4.2 s; a fourth was tried twice and tells nothing."""
    now = timezone.now()
    came = [  # seconds ago, seconds until it was taken, attempts, state
        (4_000, 0.5, 1, "done"), (3_000, 4.2, 1, "done"), (200, 0.1, 1, "done"), (150, 99.0, 2, "done"),
        (120, None, 1, "parked"), (110, None, 1, "waiting"), (90, None, 0, "pending"), (30, None, 0, "pending"),
    ]  # fmt: skip
    with here.company.scope():
        endpoint, _ = endpoint_create(key="told", name="Told")
        for place, (ago, took, attempts, state) in enumerate(came):
            at = now - timedelta(seconds=ago)
            RawDelivery.objects.create(
                endpoint=endpoint, sender_id=f"m{place}", sent_at=at, received_at=at, body=b"{}", attempts=attempts,
                body_sha256=f"{place:064}", state=state,
                processed_at=None if took is None else at + timedelta(seconds=took),
            )  # fmt: skip
        health = health_of([endpoint])[endpoint.pk]
    assert (health.hour, health.failures, health.waiting, health.states["pending"]) == (7, 1, 1, 2)
    assert (health.last, health.oldest) == (now - timedelta(seconds=30), now - timedelta(seconds=90))
    assert health.slowest == timedelta(seconds=4.2)
    page = " ".join(strip_tags(text(ops.get(f"/t/acme/endpoints/{endpoint.pk}/"))).split())
    assert "4.2 s at most, of the last 100" in page and "In the last hour" in page


def test_a_vendors_secret_is_kept_and_never_shown(here: Crm, ops: Client) -> None:
    said = {"name": "Billing", "key": "billing", "adapter": "stripe", "secret": "whsec_the-vendors-own"}
    assert "whsec_the-vendors-own" not in text(ops.post("/t/acme/endpoints/new/", said))
    with here.company.scope():
        row = HookEndpoint.objects.get(key="billing")
    url = f"/t/acme/endpoints/{row.pk}/"
    turned = ops.post(f"{url}secret/", {"act": "rotate", "hours": "2", "secret": "whsec_the-next-one"})
    assert turned.status_code == 200 and "whsec_the" not in text(turned) and "good until" in text(turned)
    assert ops.post(f"{url}secret/", {"act": "end"}).status_code == 302
    assert "good until" not in text(ops.get(url))
    kept = ops.post(url, {"name": "Billing", "rate_limit": "50", "deals_from": str(here.endpoint.pk)})
    assert kept.status_code == 302 and "Switched off" in text(ops.get(url))
    assert ops.post(url, {"name": "Billing", "rate_limit": "0"}).status_code == 422


def test_a_mapping_is_tried_then_put_in_force(here: Crm, ops: Client) -> None:
    here.take([*HISTORY, prop(40, "dealstage", "poc"), prop(41, "margin", "12.5")])
    url = f"/t/acme/endpoints/{here.endpoint.pk}/mapping/"
    shown = text(ops.get(url))
    assert "closedwon → won" in shown and "poc" in shown and "margin" in shown
    edited = text(ops.get(url)).split("<textarea", 1)[1].split(">", 1)[1].split("</textarea>")[0]
    word = {"act": "value", "text": edited, "object": "deal", "name": "stage", "word": "poc", "meaning": "engaged"}
    tried = text(ops.post(url, word))
    assert "poc: engaged" in tried and "New" in tried and f"Deal {HISTORY[0]['objectId']} engaged" in tried
    edited = tried.split("<textarea", 1)[1].split(">", 1)[1].split("</textarea>")[0]
    own = {
        "act": "custom",
        "text": edited,
        "object": "deal",
        "name": "margin",
        "source": "margin",
        "reading": "decimal",
    }
    tried = text(ops.post(url, own))
    assert "margin 12.5" in tried
    edited = tried.split("<textarea", 1)[1].split(">", 1)[1].split("</textarea>")[0]
    assert ops.post(url, {"act": "set", "text": "format: comp/mapping/1"}).status_code == 422
    with here.company.scope():
        assert not FieldMapping.objects.exists()
    assert ops.post(url, {"act": "set", "text": edited, "note": "Proofs of concept"}).status_code == 302
    assert "0 of 3 records" in text(ops.get(f"/t/acme/endpoints/{here.endpoint.pk}/progress/"))
    here.take()
    while records_reread(here.company.tenant.pk):
        pass
    assert "has read all 3 records" in text(ops.get(url)) and here.questions() == {}


def test_our_own_events_need_no_mapping(here: Crm, ops: Client) -> None:
    ops.post("/t/acme/endpoints/new/", {"name": "Own events", "key": "own", "adapter": "standard"})
    with here.company.scope():
        row = HookEndpoint.objects.get(key="own")
    assert "needs no mapping" in text(ops.get(f"/t/acme/endpoints/{row.pk}/mapping/"))
    assert ops.post(f"/t/acme/endpoints/{row.pk}/mapping/", {"act": "set", "text": "x"}).status_code == 422


def test_where_nobody_posts_there_is_no_address_and_no_secret(here: Crm, ops: Client) -> None:
    with here.company.scope():
        made = api_endpoint(None)
    page = ops.get(f"/t/acme/endpoints/{made.pk}/").content.decode()
    assert "REST API" in page and made.token not in page and "New secret" not in page
    settings = {"name": "Billing", "rate_limit": "600", "active": "on", "deals_from": here.endpoint.pk}
    assert ops.post(f"/t/acme/endpoints/{made.pk}/", settings).status_code == 302
    with here.company.scope():
        assert HookEndpoint.objects.get(pk=made.pk).deals_from_id == here.endpoint.pk
