"""Keys of the API: made, ended, recognised."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from comp.api import limits
from comp.api.grants import NEEDS, Grant
from comp.api.models import ApiKey
from comp.audit.services import record
from comp.core.errors import CompError, refused
from comp.tenancy.models import EndpointRoute, User
from comp.tenancy.scope import Actor, current_tenant_id, tenant_scope
from comp.tenancy.services import capabilities_of

#: No key lives longer.
LONGEST = timedelta(days=366)
#: How exactly the last use is kept: a write a minute and key, not one a call.
LAST_USE = timedelta(minutes=1)
_KEY = re.compile(r"comp_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_ACTOR = Actor.task("api")
#: No company has this number: a scope that shows nothing.
NO_TENANT = 0


class Denied(CompError):
    """A call that is not let in: `status` 401, or 429 with the seconds to `wait`."""

    def __init__(self, status: int, reason: str, wait: int = 0) -> None:
        super().__init__(reason)
        self.status, self.wait = status, wait


@transaction.atomic
def key_create(*, name: str, grants: Sequence[str], expires_at: datetime, made_by: User) -> tuple[ApiKey, str]:
    """A new key, and its whole text, which is given back this once. It may do what its maker may, at most."""
    if not name.strip() or len(name) > 120:
        raise refused("name", name, "1 to 120 characters", "A key needs a name that says who uses it.")
    unknown = [grant for grant in grants if grant not in Grant.values]
    if unknown or not grants:
        allowed = ", ".join(Grant.values)
        raise refused("grants", ", ".join(unknown) or "none", allowed, f"A key needs grants; there are {allowed}.")
    can = capabilities_of(user=made_by)
    beyond = [grant for grant in grants if NEEDS[grant] not in can]
    if beyond:
        message = f"{made_by} may not do this, so neither may a key made by them: {', '.join(beyond)}."
        raise refused("grants", ", ".join(beyond), "what you may do yourself", message)
    if not timezone.now() < expires_at <= timezone.now() + LONGEST:
        message = f"A key ends within {LONGEST.days} days; make a new one then."
        raise refused("expires_at", expires_at, f"a moment in the next {LONGEST.days} days", message)
    prefix, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    EndpointRoute.objects.create(token=prefix, tenant_id=current_tenant_id())
    key = ApiKey.objects.create(
        name=name.strip(),
        prefix=prefix,
        sha256=_sha256(secret),
        grants=sorted(set(grants)),
        made_by=made_by,
        expires_at=expires_at,
    )
    after = {"name": key.name, "prefix": prefix, "grants": key.grants, "expires_at": expires_at.isoformat()}
    record(code="api_key.create", subject=key, after=after)
    return key, f"comp_{prefix}_{secret}"


@transaction.atomic
def key_end(*, key: ApiKey, ended_by: User) -> ApiKey:
    """The next call with it is refused. Ended again it stays as it was."""
    key = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if key.ended_at is None:
        key.ended_at, key.ended_by = timezone.now(), ended_by
        key.save(update_fields=["ended_at", "ended_by"])
        record(code="api_key.end", subject=key, after={"name": key.name, "prefix": key.prefix})
    return key


def key_open(authorization: str, address: str) -> ApiKey:
    """The key that an Authorization header holds. Raises Denied; an address that has guessed too often in this minute
    is not looked at, whatever it brings."""
    caller = f"from:{limits.network(address)}"
    if wait := limits.used_up(caller, settings.API_GUESSES):
        raise Denied(429, "too many calls from this address without a good key", wait)
    word, _, text = authorization.partition(" ")
    if word.lower() != "bearer" or not text.strip():
        raise Denied(401, "no key was given; send it as `Authorization: Bearer comp_…`")
    key = _known(text.strip())
    if key is None:
        limits.spend(caller, settings.API_GUESSES)
        raise Denied(401, "this key is not known")
    if wait := limits.spend(f"key:{key.prefix}", settings.API_RATE):
        raise Denied(429, f"this key may call {settings.API_RATE} times a minute", wait)
    if key.ended_at is not None or key.expires_at <= timezone.now():
        raise Denied(401, "this key has ended; make a new one")
    return key


def _known(text: str) -> ApiKey | None:
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    route = EndpointRoute.objects.filter(token=match[1]).values_list("tenant_id", flat=True).first()
    # The same work for a prefix that nobody has: how long a refusal takes does not tell which ones there are.
    with tenant_scope(route or NO_TENANT, actor=_ACTOR):
        key = ApiKey.objects.select_related("made_by").filter(prefix=match[1]).first()
        if not hmac.compare_digest(key.sha256 if key else "-" * 64, _sha256(match[2])) or key is None:
            return None
        now = timezone.now()
        if key.last_used_at is None or key.last_used_at < now - LAST_USE:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
