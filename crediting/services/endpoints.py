"""Endpoints: the addresses that systems post to, and the secrets they sign with."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.encoding import force_bytes

from comp.audit.services import record
from comp.core.errors import refused
from comp.tenancy.models import EndpointRoute
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from crediting.intake.signatures import PREFIX
from crediting.intake.sources import SOURCES
from crediting.models import EndpointSecret, HookEndpoint

#: How long the old secret stays good after a rotation, so that the sender can change over without a gap.
OVERLAP = timedelta(hours=24)


def endpoint_create(
    *, key: str, name: str, adapter: str = "standard", deals_from: HookEndpoint | None = None
) -> tuple[HookEndpoint, str]:
    """A new address with its first secret. The secret is given back this once; the database keeps it encrypted.
    `deals_from`: whose deals its facts belong to, where not its own."""
    if adapter not in SOURCES:
        allowed = ", ".join(SOURCES)
        raise refused("adapter", adapter, allowed, f"There is no adapter {adapter!r}; allowed are {allowed}.")
    if HookEndpoint.objects.filter(key=key).exists():
        raise refused("key", key, "a key that is free", f"There is an endpoint {key} already.")
    token = secrets.token_urlsafe(32)
    EndpointRoute.objects.create(token=token, tenant_id=current_tenant_id())
    endpoint = HookEndpoint.objects.create(key=key, name=name, adapter=adapter, token=token, deals_from=deals_from)
    secret = _secret_add(endpoint)
    after = {"key": key, "name": name, "adapter": adapter, "deals_from": deals_from.key if deals_from else None}
    record(code="endpoint.create", subject=endpoint, after=after)
    return endpoint, secret


def endpoint_rotate(endpoint: HookEndpoint, *, overlap: timedelta = OVERLAP) -> str:
    """A new secret, good at once. Those before it end after `overlap`, or sooner where they already had to."""
    now = timezone.now()
    ends = now + max(overlap, timedelta())
    live = EndpointSecret.objects.filter(endpoint=endpoint).filter(Q(ends_at=None) | Q(ends_at__gt=ends))
    ended = live.update(ends_at=ends)
    secret = _secret_add(endpoint)
    doors_forget()
    record(code="endpoint.rotate", subject=endpoint, after={"old_secrets": ended, "old_end": ends.isoformat()})
    return secret


def endpoint_secrets_end(endpoint: HookEndpoint) -> int:
    """Ends a rotation early: every secret but the newest verifies nothing from now on. Returns how many ended."""
    newest = EndpointSecret.objects.filter(endpoint=endpoint).order_by("-id").values_list("id", flat=True)[:1]
    now = timezone.now()
    live = EndpointSecret.objects.filter(endpoint=endpoint).filter(Q(ends_at=None) | Q(ends_at__gt=now))
    ended = live.exclude(id__in=list(newest)).update(ends_at=now)
    doors_forget()
    record(code="endpoint.end_secrets", subject=endpoint, after={"old_secrets": ended})
    return ended


@dataclass(frozen=True, slots=True)
class Door:
    """An endpoint that a token addresses, its tenant, and the secrets that verify for it."""

    tenant: int
    endpoint: int
    adapter: str
    secrets: tuple[str, ...]


#: For so many seconds a process remembers a door: reading it costs as much as storing a delivery. What another process
#: ended verifies for so long.
DOOR_SECONDS = 2.0
_doors: dict[str, tuple[float, Door]] = {}


def door_of(token: str) -> Door | None:
    """The endpoint of a token with its secrets that are live; None where there is none."""
    known = _doors.get(token)
    if known and known[0] > time.monotonic():
        return known[1]
    tenant = EndpointRoute.objects.filter(token=token).values_list("tenant_id", flat=True).first()
    if tenant is None:
        return None
    with tenant_scope(tenant, actor=Actor.task("hook"), pay=Pay.nobody()):
        rows = EndpointSecret.objects.filter(endpoint__token=token, endpoint__active=True)
        live = rows.filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()))
        found = list(live.values_list("endpoint_id", "endpoint__adapter", "secret"))
    if not found:
        return None
    door = Door(tenant, found[0][0], found[0][1], tuple(decrypted(row[2]) for row in found))
    if len(_doors) >= 10_000:
        _doors.clear()
    _doors[token] = (time.monotonic() + DOOR_SECONDS, door)
    return door


def doors_forget() -> None:
    """What an endpoint's services changed is looked up anew, in this process at once."""
    _doors.clear()
    transaction.on_commit(_doors.clear)


def _secret_add(endpoint: HookEndpoint) -> str:
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    EndpointSecret.objects.create(endpoint=endpoint, secret=_box().encrypt(secret.encode()).decode())
    return secret


@lru_cache(maxsize=1024)
def decrypted(kept: str) -> str:
    """A secret as it was given out. Remembered by its encrypted form: every delivery asks for it."""
    return _box().decrypt(kept.encode()).decode()


def _box() -> MultiFernet:
    """Encrypts by a key of its own, derived from SECRET_KEY; SECRET_KEY_FALLBACKS still decrypt."""
    words = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [hashlib.sha256(b"comp endpoint secrets v1\0" + force_bytes(word)).digest() for word in words]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
