"""Transfers of deals, as people enter them: what one has of a deal in a role is another's, while the credit date stays.
A transfer is a fact of its deal, like those that sources tell of (`deal.transferred`), and is taken back like one."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.people.models import Participant
from comp.tenancy.models import User
from crediting.intake.facts import Member, OtherFact
from crediting.models import Deal, Fact, HookEndpoint, RawDelivery
from crediting.selectors import held_by, transfers_of
from crediting.services.endpoints import endpoint_create
from crediting.services.locks import intake_hold
from crediting.services.mailbox import changes_tell
from crediting.services.other_facts import FactRow, facts_known, facts_store
from plans.rules.fields import YEARS

#: The endpoint of what people enter.
BY_HAND = "by-hand"


@transaction.atomic
def deal_transfer(
    *, deal: Deal, role: str, giver: Participant, receiver: Participant, day: date, reason: str, by: User
) -> Fact:
    """Hands all that `giver` has of the deal in a credit role to `receiver`; of several transfers of one role the
    earlier day's acts first. Refused where the giver never had anything in that role."""
    reason = _checked(reason)
    intake_hold()
    if not any(one == (role, giver.pk) for one in held_by(deal)):
        allowed = ", ".join(sorted({held for held, person in held_by(deal) if person == giver.pk})) or "no role"
        message = f"{giver.name} has nothing of deal {deal.external_id} as {role}; found on it: {allowed}."
        raise refused("role", role, allowed, message)
    if giver.pk == receiver.pk:
        raise refused("receiver", receiver.name, "somebody else", f"{giver.name} has it already.")
    if day.year not in YEARS:
        allowed = f"a day from {YEARS[0]} to {YEARS[-1]}"
        message = f"A transfer on {day:%-d %B %Y} cannot be; allowed is {allowed}."
        raise refused("day", day.isoformat(), allowed, message)
    fact = OtherFact(
        kind="transfer",
        id=uuid.uuid4().hex,
        deal=deal.external_id,
        day=day,
        custom=(("reason", reason),),
        team=(Member(role, giver.key, 1), Member(role, receiver.key, 1)),
    )
    stands = _store(deal, fact, [[role, giver.pk, 1], [role, receiver.pk, 1]], by)
    said = {"role": role, "from": giver.key, "to": receiver.key, "on": day.isoformat()}
    record(code="deal.transfer", subject=deal, after=said, reason=reason)
    return stands


@transaction.atomic
def transfer_withdraw(*, transfer: Fact, reason: str, by: User) -> None:
    """Takes a transfer back, as if it had never been, whoever told of it."""
    reason = _checked(reason)
    intake_hold()
    deal = transfer.deal
    found = [one for one in transfers_of(deal) if one.transfer.pk == transfer.pk] if deal else []
    if not found or deal is None:
        raise refused("transfer", str(transfer), "a transfer that stands", f"The {transfer} does not stand.")
    (one,) = found
    gone = OtherFact(
        kind="transfer", id=transfer.external_id, stands=False, deal=deal.external_id, day=transfer.day,
        custom=(("reason", reason),),
    )  # fmt: skip
    _store(deal, gone, [], by, of=one.transfer)
    said = {"role": one.role, "from": one.giver.key, "to": one.receiver.key, "on": str(transfer.day)}
    record(code="deal.transfer.withdraw", subject=deal, before=said, reason=reason)


def _checked(reason: str) -> str:
    if not 1 <= len(reason.strip()) <= 200:
        raise refused("reason", reason, "1 to 200 characters", "Say in a sentence why; at most 200 characters.")
    return reason.strip()


def _store(deal: Deal, fact: OtherFact, team: list[list[Any]], by: User, of: Fact | None = None) -> Fact:
    """The fact by a delivery of its own, in the words of an event, and its news. `of`: what it is another revision
    of."""
    now, version = timezone.now(), of.version if of else 0
    if of is not None:  # it comes behind what it takes back, whatever the source's clock says
        now = max(now, of.event_time + timedelta(microseconds=1))
    endpoint = of.endpoint if of else _by_hand()
    role, giver, receiver = (team[0][0], *(member.person for member in fact.team)) if team else ("", "", "")
    people = {"role": role, "from": giver, "to": receiver} if team else {}
    kind = "deal.transferred" if fact.stands else "transfer.withdrawn"
    data = {"id": fact.id, "deal": fact.deal, **people, "on": str(fact.day), **dict(fact.custom), "version": version}
    body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, indent=1).encode()
    delivery = RawDelivery.objects.create(
        endpoint=endpoint, sender_id=f"{BY_HAND}:{uuid.uuid4().hex}", sent_at=now, processed_at=now, attempts=1,
        body=body, body_sha256=hashlib.sha256(body).hexdigest(), headers={"by": by.email},
        state=RawDelivery.State.DONE,
    )  # fmt: skip
    row = FactRow(endpoint.pk, delivery.pk, (version, now, delivery.sender_id), fact, deal.pk, None, None, team)
    changes, (stored,) = facts_store(rows=[row], known=facts_known([row.key]))
    changes_tell(changes)
    return stored


def _by_hand() -> HookEndpoint:
    found = HookEndpoint.objects.filter(key=BY_HAND).first()
    return found or endpoint_create(key=BY_HAND, name="Entered by hand")[0]
