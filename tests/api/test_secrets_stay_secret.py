"""What is shown once stands nowhere else: in no table in clear, no audit entry, no log, no page, no export."""

from __future__ import annotations

import logging

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from comp.api.models import Webhook
from comp.api.webhooks import webhook_create, webhook_rotate
from crediting.models import HookEndpoint
from crediting.services.endpoints import endpoint_create, endpoint_rotate
from tests.api.conftest import OPS, caller
from tests.intake.sending import Sender, event
from tests.pages.rep.world import World

PAGES = ("endpoints/", "endpoints/?format=csv", "webhooks/", "keys/", "deliveries/", "deliveries/?format=csv", "audit/",
         "audit/?format=csv")  # fmt: skip


@pytest.mark.django_db
def test_no_secret_is_written_anywhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    olga = world.users["Olga"]
    key = caller(world.company, olga, *OPS)
    with world.company.scope(olga):
        own, made = endpoint_create(key="own", name="Own", adapter="standard")
        given = "the-vendors-own-secret-5"
        stripe, _ = endpoint_create(key="billing", name="Billing", adapter="stripe", secret=given)
        webhook, signs = webhook_create(
            name="Told", url="https://example.com/x", topics=["plan.published"], made_by=olga
        )
        secrets = {made, given, signs, endpoint_rotate(own), webhook_rotate(webhook=webhook), key.text.split("_", 2)[2]}
    sender = Sender(world.company, own, made)
    sender.send(event("deal.won", deal="D1"))
    sender.post(b"{}", {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": made})
    key.get("participants")
    client = Client()
    client.force_login(olga, "django.contrib.auth.backends.ModelBackend")
    pages = [*PAGES, f"endpoints/{own.pk}/", f"endpoints/{stripe.pk}/", f"webhooks/{webhook.pk}/"]
    told = [client.get(f"/t/acme/{page}").content.decode() for page in pages]
    told += [one.getMessage() for one in caplog.records]
    with world.company.scope(olga), connection.cursor() as cursor:
        assert HookEndpoint.objects.count() >= 3 and Webhook.objects.count() == 1
        for table in {model._meta.db_table for model in apps.get_models()}:
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" t')
            told += [row[0] for row in cursor.fetchall()]
    assert len(told) > 100
    assert not [one for one in told if any(secret in one for secret in secrets)]
