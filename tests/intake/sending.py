"""A sender for tests: signs as the official client does and posts to the real address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.test import Client
from standardwebhooks import Webhook

from crediting.models import HookEndpoint
from crediting.services.catalogue import account_create, product_create
from crediting.services.endpoints import endpoint_create
from crediting.services.mailbox import mailbox_drain
from tests.factories import Company, person

_ids = count(1)


@dataclass
class Sender:
    """One system that posts to one endpoint of a company."""

    company: Company
    endpoint: HookEndpoint
    secret: str
    client: Client = field(default_factory=Client)

    @property
    def url(self) -> str:
        return f"/hooks/{self.endpoint.token}/"

    def sign(self, body: bytes, sender_id: str, *, seconds: int | None = None, secret: str = "") -> dict[str, str]:
        """The three headers, by the official library."""
        at = seconds if seconds is not None else int(datetime.now(UTC).timestamp())
        moment = datetime.fromtimestamp(at, UTC)
        signature = Webhook(secret or self.secret).sign(sender_id, moment, body.decode())
        return {"webhook-id": sender_id, "webhook-timestamp": str(at), "webhook-signature": signature}

    def post(self, body: bytes, headers: Mapping[str, str]) -> Any:
        return self.client.post(self.url, body, content_type="application/json", headers=dict(headers))

    def send(self, event: dict[str, Any] | bytes, sender_id: str = "") -> Any:
        """Posts one event, well signed; the answer's JSON."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        answer = self.post(body, self.sign(body, sender_id or f"msg_{next(_ids)}"))
        assert answer.status_code == 202, answer.content
        return answer.json()

    def drain(self) -> int:
        """Takes everything that is pending."""
        done = 0
        while taken := mailbox_drain(self.company.tenant.pk):
            done += taken
        return done


def sender(company: Company, key: str = "crm") -> Sender:
    with company.scope():
        endpoint, secret = endpoint_create(key=key, name="CRM")
    return Sender(company, endpoint, secret)


def catalogue(company: Company) -> None:
    """Ann and Bob, two products, two accounts. Inside the company's scope."""
    for name in ("Ann", "Bob"):
        person(company, name)
    product_create(key="gtx-pro", name="GTX Pro", series="GTX", list_price_minor=482100)
    product_create(key="mg", name="MG Special")
    account_create(key="acme", name="Acme Corporation", sector="technology", country="United States")
    account_create(key="isdom", name="Isdom", sector="medical")


def event(kind: str, at: str = "2026-03-01T10:00:00Z", **data: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": at, "data": data}


def deal(kind: str = "won", at: str = "2026-03-01T10:00:00Z", **data: Any) -> dict[str, Any]:
    """A deal event of Ann's, complete, with what the test says instead."""
    whole = {
        "deal": "D1",
        "owner": "ann",
        "product": "gtx-pro",
        "account": "acme",
        "amount": "4514.00",
        "currency": "USD",
        "engage_date": "2026-01-10",
        "close_date": "2026-03-01" if kind in ("won", "lost") else None,
    }
    return event(f"deal.{kind}", at, **{**whole, **data})
