"""What decisions of a second person have in common."""

from __future__ import annotations

from typing import Any, TypeVar

from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.people.models import Participant
from comp.tenancy.models import User
from payouts.models import NegativeDecision, QuotaRelief, SettlementReview, SideLetter, WindfallReview
from payouts.models.manual import State

Row = TypeVar("Row", SideLetter, QuotaRelief, WindfallReview, NegativeDecision, SettlementReview)


def not_own(participant: Participant, by: User, what: str) -> None:
    """ProblemsError where somebody decides about their own pay."""
    if participant.user_id is not None and participant.user_id == by.pk:
        raise refused("participant", participant, "somebody else's pay", f"Nobody decides about {what} of their own.")


def reasoned(reason: str, what: str) -> str:
    """The reason without blanks around it; ProblemsError where there is none."""
    if not reason.strip():
        raise refused("reason", "nothing", "a sentence", f"{what} needs a reason.")
    return reason.strip()


def prepared(row: Any, code: str) -> None:
    """Tells the audit of a row that waits for its second person."""
    record(code=code, subject=row, after=_facts(row), reason=row.reason)


def decide(row: Row, state: State, decided_by: User, reason: str, code: str) -> Row:
    """Approves or refuses a row that waits. Inside a scope of everybody's pay; the caller does what follows."""
    found: Row = type(row).objects.select_for_update(of=("self",)).select_related("participant").get(pk=row.pk)
    if found.state != State.WAITING:
        word = found.get_state_display().lower()
        raise refused("state", word, "one that waits", f"{found}: it is {word}; only one that waits is decided.")
    if found.prepared_by_id == decided_by.pk:
        text = f"{found}: you prepared it, so somebody else has to decide."
        raise refused("decided_by", decided_by, "somebody else", text)
    not_own(found.participant, decided_by, "pay")
    if state == State.REFUSED:
        reason = reasoned(reason, "A refusal")
    before = _facts(found)
    found.state, found.decided_by, found.decided_at, found.decision = state, decided_by, timezone.now(), reason.strip()
    found.save(update_fields=["state", "decided_by", "decided_at", "decision"])
    record(code=f"{code}.{state}", subject=found, before=before, after=_facts(found), reason=found.decision)
    return found


def _facts(row: Any) -> dict[str, str]:
    return {"state": str(row.state), "participant": row.participant.key}
