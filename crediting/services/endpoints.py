"""Endpoints: the addresses that systems post to, and the secrets they sign with."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.people.models import CreditRole
from comp.tenancy.models import EndpointRoute
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from comp.tenancy.sealing import seal, unseal
from crediting.intake.signatures import PREFIX
from crediting.intake.sources import SOURCES
from crediting.models import EndpointSecret, HookEndpoint
from crediting.services.issues import questions_answer
from crediting.services.locks import intake_hold

#: What the key that seals these secrets is derived for: with another none of them could be read again.
PURPOSE = "endpoint secrets v1"
#: How long the old secret stays good after a rotation, so that the sender can change over without a gap.
OVERLAP = timedelta(hours=24)
#: Calls a minute that a limit may be set to; characters of a source's own secret (encrypted it takes twice as many).
RATE_MOST, SECRET_MOST = 1_000_000, 70
#: The adapter whose endpoints may carry people: one that a company's own secret proves.
PEOPLE_BY = "standard"


def endpoint_create(
    *, key: str, name: str, adapter: str = "standard", deals_from: HookEndpoint | None = None, secret: str = ""
) -> tuple[HookEndpoint, str]:
    """A new address with its first secret: the source's own where it gives one, else a new one. It is given back this
    once; the database keeps it encrypted. `deals_from`: whose deals its facts belong to, where not its own."""
    if adapter not in SOURCES:
        allowed = ", ".join(SOURCES)
        raise refused("adapter", adapter, allowed, f"There is no adapter {adapter!r}; allowed are {allowed}.")
    if HookEndpoint.objects.filter(key=key).exists():
        raise refused("key", key, "a key that is free", f"There is an endpoint {key} already.")
    given = _checked(adapter, secret)
    token = secrets.token_urlsafe(32)
    EndpointRoute.objects.create(token=token, tenant_id=current_tenant_id())
    endpoint = HookEndpoint.objects.create(key=key, name=name, adapter=adapter, token=token, deals_from=deals_from)
    secret = _secret_add(endpoint, given)
    after = {"key": key, "name": name, "adapter": adapter, "deals_from": deals_from.key if deals_from else None}
    record(code="endpoint.create", subject=endpoint, after=after)
    return endpoint, secret


def endpoint_update(
    *,
    endpoint: HookEndpoint,
    name: str,
    active: bool,
    rate_limit: int,
    deals_from: HookEndpoint | None,
    carries_people: bool | None = None,
    aligned_roles: Sequence[str] | None = None,
) -> None:
    """What an endpoint is called, whether it takes anything, how many calls a minute, whose deals its facts are of,
    whether it may say who works here, and for which credit roles the alignment says whose a deal is where it names
    nobody (None: as it is). The roles count from its next events on."""
    if not name.strip():
        raise refused("name", name, "a name", "The endpoint needs a name.")
    if not 1 <= rate_limit <= RATE_MOST:
        allowed = f"1 to {RATE_MOST:,} calls a minute"
        raise refused("rate_limit", rate_limit, allowed, f"{rate_limit} is no rate limit; allowed are {allowed}.")
    if deals_from is not None and deals_from.pk == endpoint.pk:
        raise refused("deals_from", endpoint.key, "another endpoint, or none", "Its own deals are what it has anyway.")
    if carries_people and endpoint.adapter != PEOPLE_BY:
        message = f"People come by endpoints of Comp's own events ({PEOPLE_BY}), not by {endpoint.adapter}."
        raise refused("carries_people", endpoint.adapter, PEOPLE_BY, message)
    before = _settings(HookEndpoint.objects.select_related("deals_from").get(pk=endpoint.pk))
    endpoint.name, endpoint.active = name.strip(), active
    endpoint.rate_limit, endpoint.deals_from = rate_limit, deals_from
    if carries_people is not None:
        endpoint.carries_people = carries_people
    if aligned_roles is not None:
        endpoint.aligned_roles = _known_roles(aligned_roles)
    endpoint.save(update_fields=["name", "active", "rate_limit", "deals_from", "carries_people", "aligned_roles"])
    if endpoint.carries_people and not before["carries_people"]:
        intake_hold()  # before the audit trail's
        questions_answer(endpoint_id=endpoint.pk, kinds=["people"], values=[""], answer="it may carry people now")
    record(code="endpoint.update", subject=endpoint, before=before, after=_settings(endpoint))
    doors_forget()


def _settings(endpoint: HookEndpoint) -> dict[str, object]:
    return {
        **{"name": endpoint.name, "active": endpoint.active, "rate_limit": endpoint.rate_limit},
        "deals_from": endpoint.deals_from.key if endpoint.deals_from else None,
        **{"carries_people": endpoint.carries_people, "aligned_roles": endpoint.aligned_roles},
    }


def _known_roles(keys: Sequence[str]) -> list[str]:
    known = list(CreditRole.objects.order_by("key").values_list("key", flat=True))
    unknown = [key for key in keys if key not in known]
    if unknown:
        allowed = ", ".join(known) or "none is known yet"
        message = f"There is no credit role {unknown[0]}; known are {allowed}."
        raise refused("aligned_roles", unknown[0], allowed, message)
    return sorted(set(keys))


def endpoint_rotate(endpoint: HookEndpoint, *, overlap: timedelta = OVERLAP, secret: str = "") -> str:
    """A new secret, the source's own where it gives one, good at once. Those before it end after `overlap`, or sooner
    where they already had to."""
    given = _checked(endpoint.adapter, secret)
    now = timezone.now()
    ends = now + max(overlap, timedelta())
    live = EndpointSecret.objects.filter(endpoint=endpoint).filter(Q(ends_at=None) | Q(ends_at__gt=ends))
    ended = live.update(ends_at=ends)
    secret = _secret_add(endpoint, given)
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
    rate_limit: int
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
        found = list(live.values_list("endpoint_id", "endpoint__adapter", "endpoint__rate_limit", "secret"))
    if not found:
        return None
    door = Door(tenant, *found[0][:3], tuple(decrypted(row[3]) for row in found))
    if len(_doors) >= 10_000:
        _doors.clear()
    _doors[token] = (time.monotonic() + DOOR_SECONDS, door)
    return door


def doors_forget() -> None:
    """What an endpoint's services changed is looked up anew, in this process at once."""
    _doors.clear()
    transaction.on_commit(_doors.clear)


def _checked(adapter: str, secret: str) -> str:
    """A source's own secret as it is kept; "" where ours is to be made."""
    secret = secret.strip()
    if not secret:
        return ""
    if adapter == "standard":
        raise refused("secret", "a secret", "none", "Senders of Comp's own events sign with a secret that Comp makes.")
    if not 8 <= len(secret) <= SECRET_MOST or not secret.isascii() or not secret.isprintable():
        allowed = f"8 to {SECRET_MOST} visible characters"
        raise refused("secret", f"{len(secret)} characters", allowed, f"A secret has {allowed}.")
    return secret


def _secret_add(endpoint: HookEndpoint, given: str) -> str:
    secret = given or PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    EndpointSecret.objects.create(endpoint=endpoint, secret=seal(secret, purpose=PURPOSE))
    return secret


@lru_cache(maxsize=1024)
def decrypted(kept: str) -> str:
    """A secret as it was given out. Remembered by its encrypted form: every delivery asks for it."""
    return unseal(kept, purpose=PURPOSE)
