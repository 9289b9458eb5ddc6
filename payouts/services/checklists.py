"""The close checklist: what is done at every close, and what of it is done for one batch, by whom and with what
evidence."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import PurePath
from typing import BinaryIO

from django.db.models import Max
from django.utils import timezone

from comp.audit.services import record
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import current_tenant_id
from payouts.models import Batch, BatchCheck, ChecklistItem
from payouts.services.batch_steps import BatchError, State, audit, locked

#: How large a file of evidence may be.
EVIDENCE_BYTES = 10 * 1024 * 1024
#: What a company begins with: title, whose it is, days after the period's last day, whether evidence is needed.
FIRST_ITEMS = (
    ("Questions about data and credits are answered", Role.SALES_OPS, 2, False),
    ("Exceptions of the batch are looked at", Role.FINANCE, 3, False),
    ("Manual adjustments and holds are agreed", Role.FINANCE, 3, False),
    ("Total agrees with the plan's budget, or the difference is explained", Role.FINANCE, 4, True),
    ("Payroll has confirmed what it paid", Role.FINANCE, 10, True),
    ("Ledger agrees with the general ledger", Role.FINANCE, 10, True),
)


# ------------------------------------------------------------------ the company's list


def checklist_begin() -> None:
    """The usual list, where the company never had any."""
    if ChecklistItem.objects.exists():
        return
    items = [
        ChecklistItem(title=title, place=place, owner_role=role, due_days=days, needs_evidence=evidence)
        for place, (title, role, days, evidence) in enumerate(FIRST_ITEMS, start=1)
    ]
    ChecklistItem.objects.bulk_create(items)
    subject = ("payouts.checklistitem", "", "Close checklist")
    record(code="checklist.begin", subject=subject, after={"items": [item.title for item in items]})


def item_add(
    *, title: str, owner_role: str, owner: User | None, due_days: int, needs_evidence: bool = False
) -> ChecklistItem:
    """Adds an item at the end of the list: of everybody in a role, or of one person of the company."""
    last = ChecklistItem.objects.aggregate(last=Max("place"))["last"]
    item = ChecklistItem(place=(last or 0) + 1)
    _say(item, title, owner_role, owner, due_days, needs_evidence)
    item.save()
    record(code="checklist.add", subject=item, after=_said(item))
    return item


def item_update(
    *, item: ChecklistItem, title: str, owner_role: str, owner: User | None, due_days: int, needs_evidence: bool
) -> ChecklistItem:
    """Says an item anew. Closes that have begun keep what they began with."""
    before = _said(item)
    _say(item, title, owner_role, owner, due_days, needs_evidence)
    item.save()
    record(code="checklist.update", subject=item, before=before, after=_said(item))
    return item


def item_end(*, item: ChecklistItem) -> None:
    """Takes an item off the list: no later close has it."""
    item.active = False
    item.save(update_fields=["active"])
    record(code="checklist.end", subject=item, before=_said(item))


def _say(
    item: ChecklistItem, title: str, owner_role: str, owner: User | None, due_days: int, needs_evidence: bool
) -> None:
    title = title.strip()
    if not title:
        raise BatchError("Checklist: an item needs a title.")
    if bool(owner_role) == (owner is not None):
        raise BatchError(f"Checklist, {title}: an item is somebody's: either a role's or one person's.")
    if not -60 <= due_days <= 120:
        raise BatchError(f"Checklist, {title}: due {due_days} days after the period; allowed are -60 to 120.")
    item.title, item.owner_role, item.owner = title, owner_role, owner
    item.due_days, item.needs_evidence = due_days, needs_evidence


def _said(item: ChecklistItem) -> dict[str, object]:
    whose = str(item.owner) if item.owner else item.get_owner_role_display()
    return {"title": item.title, "whose": whose, "due_days": item.due_days, "needs_evidence": item.needs_evidence}


# ------------------------------------------------------------------ a batch's


def checks_begin(*, batch: Batch) -> None:
    """The company's list, for this batch. An off-cycle batch has none: the period is closed by its regular one."""
    if batch.run:
        return
    checklist_begin()
    last_day = batch.ends_on - timedelta(days=1)
    BatchCheck.objects.bulk_create(
        BatchCheck(
            batch=batch,
            item=item,
            title=item.title,
            place=item.place,
            owner_role=item.owner_role,
            owner_id=item.owner_id,
            due_on=last_day + timedelta(days=item.due_days),
            needs_evidence=item.needs_evidence,
        )
        for item in ChecklistItem.objects.filter(active=True)
    )


def checks_open(batch: Batch) -> list[BatchCheck]:
    """What is still to be done before the batch can be closed, in order."""
    return list(BatchCheck.objects.filter(batch=batch, done_at=None).defer("file"))


def may_do(check: BatchCheck, user: User) -> bool:
    """Whether the item is this person's: by name, or by a role in this company."""
    if check.owner_id is not None:
        return check.owner_id == user.pk
    return Membership.objects.filter(tenant_id=current_tenant_id(), user=user, role=check.owner_role).exists()


def check_do(
    *, check: BatchCheck, done_by: User, note: str = "", file: BinaryIO | None = None, file_name: str = ""
) -> BatchCheck:
    """Marks an item done, with a note, a file or both as its evidence. Refused to others than its owner, for a batch
    that is no longer worked on, and without evidence where that is needed."""
    batch, check = _held(check)
    if not may_do(check, done_by):
        whose = str(check.owner) if check.owner else f"anybody in the role {check.get_owner_role_display()}"
        raise BatchError(f"{batch}, {check.title}: this is for {whose} to do.")
    if check.done_at is not None:
        raise BatchError(f"{batch}, {check.title}: {check.done_by} did it already.")
    body = file.read(EVIDENCE_BYTES + 1) if file is not None else b""
    if len(body) > EVIDENCE_BYTES:
        raise BatchError(f"{file_name}: larger than {EVIDENCE_BYTES // 1024 // 1024} MB, which evidence may have.")
    check.note = note.strip()
    if check.needs_evidence and not (check.note or body):
        raise BatchError(f"{batch}, {check.title}: it needs evidence: a file, or a note of where it is.")
    if body:
        check.file, check.file_size = body, len(body)
        check.file_name, check.file_sha256 = PurePath(file_name).name[:200], hashlib.sha256(body).hexdigest()
    check.done_by, check.done_at = done_by, timezone.now()
    check.save(update_fields=_DONE)
    evidence = {"note": check.note, "file": check.file_name, "sha256": check.file_sha256}
    audit("batch.check_do", batch, after={"item": check.title, **evidence})
    return check


def check_undo(*, check: BatchCheck, undone_by: User, reason: str = "") -> BatchCheck:
    """Opens an item again; the trail keeps that it was done, and the digest of its evidence."""
    batch, check = _held(check)
    if not may_do(check, undone_by):
        raise BatchError(f"{batch}, {check.title}: only who may do it can open it again.")
    if check.done_at is None:
        raise BatchError(f"{batch}, {check.title}: it is not done.")
    before = {"item": check.title, "by": str(check.done_by), "note": check.note, "sha256": check.file_sha256}
    check.done_by = check.done_at = None
    check.note, check.file, check.file_size, check.file_name, check.file_sha256 = "", b"", 0, "", ""
    check.save(update_fields=_DONE)
    audit("batch.check_undo", batch, after=before, reason=reason)
    return check


#: All of an item that ever changes.
_DONE = ["done_by", "done_at", "note", "file", "file_name", "file_size", "file_sha256"]


def _held(check: BatchCheck) -> tuple[Batch, BatchCheck]:
    batch = locked(check.batch)
    if batch.state in (State.CLOSED, State.REJECTED, State.VOIDED):
        raise BatchError(f"{batch}: it is {batch.get_state_display().lower()}; its checklist stays as it is.")
    return batch, BatchCheck.objects.select_for_update().get(pk=check.pk)
