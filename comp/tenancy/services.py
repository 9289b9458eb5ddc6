"""Companies, users, and who may enter where as what."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from comp.core.errors import refused
from comp.core.money import CURRENCIES
from comp.tenancy.capabilities import Can, Role, capabilities
from comp.tenancy.models import Membership, Tenant, User
from comp.tenancy.scope import current_tenant_id, tenant_scope

#: `comp.audit` stands above this room and hears from it through here (comp/audit/apps.py).
Recorder = Callable[..., Any]
_recorders: list[Recorder] = []

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def record_with(recorder: Recorder) -> None:
    """Every act from now on is told to `recorder(code=, subject=, before=, after=)`, in its transaction."""
    if recorder not in _recorders:
        _recorders.append(recorder)


def tenant_create(*, slug: str, name: str, time_zone: str, currency: str, note: str = "") -> Tenant:
    """A new company. `time_zone` is a name such as Europe/Berlin; `note` is shown on its front page."""
    if not _SLUG.fullmatch(slug) or len(slug) > 50:
        allowed = "small letters, digits and single dashes, at most 50"
        raise refused("slug", slug, allowed, f"{slug!r} is no address for a company; allowed are {allowed}.")
    if Tenant.objects.filter(slug=slug).exists():
        raise refused("slug", slug, "an address that is free", f"There is a company at {slug} already.")
    if not name.strip():
        raise refused("name", name, "a name", "A company needs a name.")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"Unknown time zone {time_zone!r}; use a name such as Europe/Berlin or UTC."
        raise refused("time_zone", time_zone, "a name of the time zone database", message) from None
    if currency not in CURRENCIES:
        message = f"Unknown currency {currency!r}; use a code of ISO 4217 such as USD or EUR."
        raise refused("currency", currency, "a code of ISO 4217", message)
    with transaction.atomic():
        tenant = Tenant.objects.create(slug=slug, name=name, time_zone=time_zone, currency=currency, note=note)
        with tenant_scope(tenant.pk):
            _record("tenant.create", tenant, after={"slug": slug, "time_zone": time_zone, "currency": currency})
    return tenant


def user_create(*, email: str, full_name: str, password: str) -> User:
    """Somebody who can log in; enters no company before a membership says so."""
    email = email.strip().lower()
    user = User(username=email, email=email, full_name=full_name)
    try:
        validate_email(email)
    except ValidationError:
        raise refused("email", email, "an e-mail address", f"{email!r} is no e-mail address.") from None
    if User.objects.filter(email__iexact=email).exists():
        raise refused("email", email, "an address that is free", f"{email} can log in already.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        message = f"The password of {email} is refused: {' '.join(error.messages)}"
        raise refused("password", "a weak password", "one that passes the rules", message) from None
    user.set_password(password)
    user.save(force_insert=True)
    return user


def membership_add(*, user: User, role: str, pay_groups: Sequence[str] = ()) -> Membership:
    """Lets a user into the current tenant in a role. `pay_groups`: keys of those whose pay it shows (none: all)."""
    _role(role)
    if Membership.objects.filter(tenant_id=current_tenant_id(), user=user, role=role).exists():
        message = f"{user} is {Role(role).label} here already."
        raise refused("role", role, "a role that the user does not have yet", message)
    membership = Membership.objects.create(
        tenant_id=current_tenant_id(), user=user, role=role, pay_groups=list(pay_groups)
    )
    _record("membership.add", _subject(membership), after=_state(membership))
    return membership


def membership_change(*, membership: Membership, pay_groups: Sequence[str]) -> Membership:
    """Other pay groups for a membership (none: all)."""
    before = _state(membership)
    membership.pay_groups = list(pay_groups)
    membership.save(update_fields=["pay_groups"])
    _record("membership.change", _subject(membership), before=before, after=_state(membership))
    return membership


def membership_remove(*, membership: Membership) -> None:
    """Takes a role away. The last administrator stays: nobody could let anybody in again."""
    others = Membership.objects.filter(tenant_id=membership.tenant_id, role=Role.ADMINISTRATOR).exclude(
        pk=membership.pk
    )
    if membership.role == Role.ADMINISTRATOR and not others.exists():
        message = f"{membership.user} is the last administrator here; make somebody else one first."
        raise refused("role", membership.role, "a membership that is not the last administrator's", message)
    subject, before = _subject(membership), _state(membership)
    membership.delete()
    _record("membership.remove", subject, before=before)


def capabilities_of(*, user: User) -> frozenset[Can]:
    """What a user may do in the current tenant, whoever asks."""
    rows = Membership.objects.filter(tenant_id=current_tenant_id(), user=user)
    return capabilities(list(rows.values_list("role", flat=True)))


def _role(role: str) -> None:
    if role not in Role.values:
        allowed = ", ".join(Role.values)
        raise refused("role", role, allowed, f"There is no role {role!r}; roles are {allowed}.")


def _state(membership: Membership) -> dict[str, Any]:
    return {"role": str(membership.role), "pay_groups": list(membership.pay_groups)}


def _subject(membership: Membership) -> tuple[str, str, str]:
    label = f"{membership.user}, {Role(membership.role).label}"
    return "tenancy.membership", str(membership.pk), label


def _record(code: str, subject: object, before: dict[str, Any] | None = None, after: Any = None) -> None:
    for recorder in _recorders:
        recorder(code=code, subject=subject, before=before, after=after)
