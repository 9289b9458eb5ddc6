"""The chain of a batch: opened by the rules at its submission, signed stage by stage, voided with the batch.

docs/algorithms/approvals.md tells who may sign and what the database refuses by itself. Each function runs inside the
batch's own step, whose lock on the batch orders those who act at once.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError
from comp.people.selectors import today
from comp.tenancy.models import User
from payouts.models import ApprovalStage, Batch, Deputy
from payouts.reads.approval_rules import rule_for, stage_plans
from payouts.reads.approvals import may_decide, new_approvers, turn_of, why_not
from payouts.services.approval_rules import deputy_check

__all__ = ["ApprovalError", "stage_approve", "stage_delegate", "stages_open", "stages_void", "why_not"]

State = ApprovalStage.State


class ApprovalError(CompError):
    """A step of a chain that may not be taken; the message says why and what is allowed."""


def stages_open(batch: Batch) -> list[ApprovalStage]:
    """Fixes the chain of a submitted batch: the stages of the first rule in force that holds for it, the first of them
    open. What rules and roles become later changes nothing of it but who holds a role."""
    rule, now = rule_for(batch), timezone.now()
    rows = []
    for place, plan in enumerate(stage_plans(rule), start=1):
        for seat in range(1, plan.needed + 1):
            rows.append(
                ApprovalStage(
                    batch=batch,
                    place=place,
                    seat=seat,
                    name=plan.name,
                    roles=list(plan.roles),
                    people=list(plan.people),
                    rule=rule,
                    state=State.OPEN if place == 1 else State.WAITING,
                    opened_at=now if place == 1 else None,
                )
            )
    made = ApprovalStage.objects.bulk_create(rows)
    record(
        code="batch.chain",
        subject=batch,
        after={"rule": rule.pk if rule else None, "stages": [_told(stage) for stage in made]},
        reason=rule.name if rule else "",
    )
    return made


def stage_approve(*, batch: Batch, approved_by: User, digest: str) -> bool:
    """Signs the open stage with the digest that was shown. True where that was the last signature of the chain."""
    stages = list(ApprovalStage.objects.select_for_update().filter(batch=batch).order_by("place", "seat"))
    turn = turn_of(batch, approved_by)
    if turn.stage is None:
        raise ApprovalError(f"{batch}: {turn.why_not}")
    if digest != batch.digest:
        raise ApprovalError(f"{batch}: what you were shown is not what would be approved. Look at it once more.")
    signed = next(stage for stage in stages if stage.pk == turn.stage.pk)
    signed.state = State.APPROVED
    signed.decided_by, signed.as_deputy_of = approved_by, turn.as_deputy_of
    signed.decided_at, signed.digest = timezone.now(), digest
    signed.save(update_fields=["state", "decided_by", "as_deputy_of", "decided_at", "digest"])
    _next_opens(stages)
    record(
        code="batch.stage",
        subject=batch,
        after={
            **_told(signed),
            "digest": digest,
            "as_deputy_of": str(turn.as_deputy_of) if turn.as_deputy_of else None,
            "new_approvers": [f"{one.user}, {one.role}, given by {one.given_by}" for one in new_approvers(batch)],
        },
        on_behalf=str(turn.as_deputy_of or ""),
    )
    return all(stage.state == State.APPROVED for stage in stages)


def _told(stage: ApprovalStage) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "place": stage.place,
        "seat": stage.seat,
        "roles": list(stage.roles),
        "people": list(stage.people),
    }


def _next_opens(stages: list[ApprovalStage]) -> None:
    """The first stages that wait open once every seat before them is signed."""
    left = [stage for stage in stages if stage.state != State.APPROVED]
    if not left or left[0].state == State.OPEN:
        return
    now = timezone.now()
    for stage in left:
        if stage.place == left[0].place:
            stage.state, stage.opened_at = State.OPEN, now
            stage.save(update_fields=["state", "opened_at"])


def stages_void(batch: Batch, reason: str) -> None:
    """The chain counts for nothing any more: its batch went back. Who had signed what stays to be read."""
    voided = ApprovalStage.objects.filter(batch=batch).exclude(state=State.VOIDED)
    if voided.update(state=State.VOIDED, reason=reason):
        record(code="batch.chain.void", subject=batch, reason=reason)


def stage_delegate(*, batch: Batch, delegated_by: User, to: User, reason: str) -> Deputy:
    """Hands the open stage of one batch to a named person, who then decides in the owner's place."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch.pk)
        turn = turn_of(batch, delegated_by)
        if turn.stage is None:
            raise ApprovalError(f"{batch}: {turn.why_not}")
        if turn.as_deputy_of is not None:
            raise ApprovalError(f"{batch}: you stand in for {turn.as_deputy_of}; only they can hand it on.")
        if may_decide(turn.stage, to):
            raise ApprovalError(f"{batch}: {to} may decide its stage {turn.stage.name} already.")
        deputy_check(person=delegated_by, deputy=to, reason=reason)
        made = Deputy.objects.create(
            person=delegated_by,
            deputy=to,
            stage=turn.stage,
            starts_on=today(),
            reason=reason.strip(),
            made_by=delegated_by,
        )
        if (barred := turn_of(batch, to)).stage is None:
            raise ApprovalError(f"{to} cannot decide on {batch}: {barred.why_not}")
        record(
            code="batch.delegate",
            subject=batch,
            after={"stage": turn.stage.name, "from": str(delegated_by), "to": str(to)},
            reason=reason.strip(),
        )
    return made
