"""What is left to do before periods are closed, and how far the posting of a batch is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from comp.tenancy.models import Membership, User
from comp.tenancy.scope import current_tenant_id
from payouts.models import Batch, BatchCheck, Posting
from payouts.selectors import TAKEN


@dataclass(frozen=True, slots=True)
class CheckRow:
    """An item of a batch's checklist for the one who looks at it."""

    check: BatchCheck
    mine: bool
    late: bool

    @property
    def whose(self) -> str:
        return str(self.check.owner) if self.check.owner else self.check.get_owner_role_display()


def check_rows(checks: Iterable[BatchCheck], user: User, day: date) -> list[CheckRow]:
    """Items in their order: whether this person may do each, and whether it is late on that day."""
    roles = _roles(user)
    return [
        CheckRow(
            check,
            check.owner_id == user.pk if check.owner_id else check.owner_role in roles,
            check.done_at is None and check.due_on < day,
        )
        for check in checks
    ]


def checks_of(batch: Batch) -> QuerySet[BatchCheck]:
    """The checklist of a batch, without the files."""
    return BatchCheck.objects.filter(batch=batch).select_related("owner", "done_by").defer("file")


def checks_to_do(user: User) -> QuerySet[BatchCheck]:
    """What this person has to do before periods can be closed, the first due first."""
    mine = Q(owner=user) | Q(owner=None, owner_role__in=_roles(user))
    rows = BatchCheck.objects.filter(mine, done_at=None, batch__state__in=TAKEN)
    return rows.select_related("batch", "owner").defer("file").order_by("due_on", "place", "id")


@dataclass(frozen=True, slots=True)
class Due:
    """What is open of a batch's checklist: how many items, and the day on which the first is due."""

    items: int
    next_on: date
    late: bool


def due_items(batches: Iterable[Batch], day: date) -> dict[int, Due]:
    """Batch id to what is still to be done before it is closed, for batches that are on their way."""
    rows = BatchCheck.objects.filter(batch__in=list(batches), batch__state__in=TAKEN, done_at=None).order_by()
    found = rows.values("batch_id").annotate(items=Count("id"), next_on=Min("due_on"))
    return {row["batch_id"]: Due(row["items"], row["next_on"], row["next_on"] < day) for row in found}


def _roles(user: User) -> set[str]:
    mine = Membership.objects.filter(tenant_id=current_tenant_id(), user=user)
    return set(mine.values_list("role", flat=True))


@dataclass(frozen=True, slots=True)
class Progress:
    """A posting that is under way. `left_for`: how long the rest takes at the pace so far; None before the first part
    is done."""

    posting: Posting
    left_for: timedelta | None

    @property
    def version(self) -> str:
        return f"{self.posting.done}-{self.posting.attempts}-{self.posting.ended_at is not None}"

    @property
    def minutes(self) -> str:
        seconds = self.left_for.total_seconds() if self.left_for else 0
        return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(seconds, 1):.0f} s"


def posting_progress(batch: Batch) -> Progress | None:
    """How far the batch's posting is; None where none is under way."""
    posting = Posting.objects.filter(batch=batch, ended_at=None).order_by("id").first()
    if posting is None:
        return None
    passed = timezone.now() - posting.created_at
    left = (posting.parts - posting.done) * passed / posting.done if posting.done else None
    return Progress(posting, left)
