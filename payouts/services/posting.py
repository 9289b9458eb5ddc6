"""Posting a batch: at once where it is small, else as a job of parts that goes on after whatever stopped it.

Each part posts some people in a transaction of its own, with the count of parts that are done: a worker killed at any
line leaves a part posted and counted, or neither (and the ledger takes each part of a batch once, whoever asks). The
batch is posted with its last part.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from comp.core.errors import CompError
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from payouts.models import Batch, BatchPerson, LedgerTransaction, Posting, Statement
from payouts.services import ledger
from payouts.services.batch_steps import State, audit, batch_facts, lines_of, nobody_held, not_held, statements_of
from payouts.services.outside import batch_told

log = logging.getLogger(__name__)

#: Up to so many lines a batch is posted in the transaction that asks for it.
AT_ONCE = 2_000
#: About how many lines a part has; each person is in one part.
PART_LINES = 20_000
#: What cannot be posted is tried again at the latest after this.
RETRY = timedelta(minutes=10)


def posting_begin(*, batch: Batch) -> Posting:
    """Posts an approved batch, or has it posted by the workers of the jobs. The database refuses it twice
    (posting_once)."""
    last = BatchPerson.objects.filter(batch=batch).aggregate(last=Max("part"))["last"]
    posting = Posting.objects.create(batch=batch, kind=LedgerTransaction.Kind.APPROVAL, parts=(last or 0) + 1)
    if batch.lines > AT_ONCE:
        ring(tenant_id=current_tenant_id(), queue=JOBS)
        return posting
    while posting.ended_at is None:
        _part(posting, batch)
    return posting


def postings_drain(tenant_id: int) -> int:
    """Posts the next part of the posting that waits longest. Returns how many people it posted; 0 when none waits."""
    with tenant_scope(tenant_id, actor=Actor.task("posting"), pay=Pay.everyone()):
        waiting = Posting.objects.filter(ended_at=None, due_at__lte=timezone.now())
        posting = waiting.order_by("id").first()
        if posting is None:
            return 0
        # The batch first, as every step does. Whoever holds it posts a part of it, or takes a step that comes before.
        batch = Batch.objects.select_for_update(skip_locked=True).filter(pk=posting.batch_id).first()
        posting = waiting.filter(pk=posting.pk).first() if batch else None
        if batch is None or posting is None:
            return 0
        try:
            with transaction.atomic():
                not_held(batch)
                nobody_held(batch)
                return _part(posting, batch)
        except PASSING:
            raise  # the server, not the batch
        except Exception as error:
            if not isinstance(error, CompError):
                log.exception("posting %s of batch %s stops at part %s", posting.pk, posting.batch_id, posting.done)
            posting.refresh_from_db()
            posting.attempts += 1
            told = "" if isinstance(error, CompError) else f"{type(error).__name__}: "
            posting.error = f"{told}{error}"[:2000]
            posting.due_at = timezone.now() + min(timedelta(seconds=2 ** min(posting.attempts, 12)), RETRY)
            posting.save(update_fields=["attempts", "error", "due_at"])
            return 0


def _part(posting: Posting, batch: Batch) -> int:
    """The next part, in the caller's transaction. Returns how many people it is."""
    people = _people(batch, posting.done)
    posted = ledger.post_part(batch=batch, part=posting.done, people=people)
    batch.ledger_head = posted.digest
    batch.save(update_fields=["ledger_head"])
    posting.done, posting.error = posting.done + 1, ""
    if posting.done == posting.parts:
        posting.ended_at = timezone.now()
    posting.save(update_fields=["done", "error", "ended_at"])
    if posting.ended_at is not None:
        _posted(batch)
    return max(len(people), 1)


def _people(batch: Batch, part: int) -> list[int]:
    kept = BatchPerson.objects.filter(batch=batch)
    found: QuerySet[Any] = kept.filter(part=part) if kept.exists() else lines_of(batch)
    return sorted(set(found.values_list("participant_id", flat=True)))


def _posted(batch: Batch) -> None:
    """The batch is posted: its people read Approved, and whoever listens outside is told."""
    batch.state, batch.posted_at = State.POSTED, timezone.now()
    batch.save(update_fields=["state", "posted_at"])
    statements_of(batch).update(state=Statement.State.APPROVED)
    audit("batch.post", batch, State.APPROVED, {**batch_facts(batch), "ledger": batch.ledger_head})
    batch_told(batch)
