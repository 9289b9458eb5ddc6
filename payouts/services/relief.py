"""Quota relief: a share of a person's quota taken off for some time, once a second person agrees. The figures of the
measure periods that it touches are worked out anew, and name it as their cause."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.outbox.services import publish
from comp.people.models import Participant
from comp.people.timeline import check_dates
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import QuotaRelief
from payouts.models.manual import State
from payouts.services.decisions import decide, not_own, prepared, reasoned
from plans.models import Quota


def relief_prepare(
    *, participant: Participant, key: str, starts_on: date, ends_on: date, percent: Decimal, reason: str,
    prepared_by: User,
) -> QuotaRelief:  # fmt: skip
    """Asks for `percent` of a quota to be taken off on [starts_on, ends_on)."""
    reason = reasoned(reason, "A relief")
    not_own(participant, prepared_by, "a quota")
    check_dates(starts_on, ends_on)
    if not 0 < percent <= 100 or percent != round(percent, 4):
        raise refused(
            "percent", percent, "more than 0, up to 100, four decimals", f"{percent}% is no share of a quota."
        )
    known = set(Quota.objects.filter(participant=participant).values_list("key", flat=True))
    if key not in known:
        allowed = ", ".join(sorted(known)) or "none"
        raise refused("key", key, allowed, f"{participant} has no quota {key}; theirs are {allowed}.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        row = QuotaRelief.objects.create(
            participant=participant, key=key, starts_on=starts_on, ends_on=ends_on, percent=percent, reason=reason,
            prepared_by=prepared_by,
        )  # fmt: skip
        prepared(row, "relief.prepare")
    return row


def relief_decide(*, relief: QuotaRelief, state: State, decided_by: User, reason: str = "") -> QuotaRelief:
    """A second person agrees, and the figures follow; or does not."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found = decide(relief, state, decided_by, reason, "relief")
        if state == State.APPROVED:
            _tell(found, f"{found}: {found.reason}")
    return found


def relief_revoke(*, relief: QuotaRelief, by: User, reason: str) -> QuotaRelief:
    """Takes an approved relief back, as if it had never been: posted pay is answered by adjustments."""
    reason = reasoned(reason, "Taking a relief back")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found = QuotaRelief.objects.select_for_update(of=("self",)).select_related("participant").get(pk=relief.pk)
        if found.state != State.APPROVED or found.revoked_at is not None:
            raise refused("relief", found, "an approved one", f"{found} is not in force.")
        not_own(found.participant, by, "a quota")
        found.revoked_by, found.revoked_at, found.revoked_because = by, timezone.now(), reason
        found.save(update_fields=["revoked_by", "revoked_at", "revoked_because"])
        record(code="relief.revoke", subject=found, reason=reason)
        _tell(found, f"{found} taken back: {reason}")
    return found


def _tell(relief: QuotaRelief, label: str) -> None:
    days = {"from": relief.starts_on.isoformat(), "to": relief.ends_on.isoformat()}
    publish(topic="quota.changed", payload={"participant": relief.participant_id, **days, "label": label[:300]})
