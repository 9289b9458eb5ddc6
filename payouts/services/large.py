"""Steps of large batches: asked for within a request, taken by the workers of the jobs; those of small ones at once.

A step and its row's end are one transaction, so a worker that is killed leaves the batch as it was and the row waiting.
That it is tried is counted before, so what no worker gets through is given up, and what waits can be taken back.
One is under way a pay group: a second click is told of the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring
from comp.people.models import Participant
from comp.tenancy.capabilities import Can, capabilities
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import Actor, Pay, Scope, current_scope, current_tenant_id, tenant_scope
from payouts.models import Batch, CutOver, LargeStep, PayrollProvider
from payouts.selectors_batches import Open
from payouts.services import batches, parallel, partial, payroll_files, periods
from payouts.services.batch_steps import BatchError

log = logging.getLogger(__name__)

Step = LargeStep.Step
#: A batch is large with more lines or more people than these.
LINES, PEOPLE = 20_000, 500
#: A step that breaks off (not one that is refused) is tried so often, each time later.
ATTEMPTS = 5


def _batch(asked: LargeStep) -> Batch:
    """The batch as it stands now."""
    assert asked.batch_id is not None, f"{asked.step} is of a batch"
    return Batch.objects.get(pk=asked.batch_id)


def _lock(asked: LargeStep) -> Batch:
    return periods.period_lock(pay_group=asked.pay_group, starts_on=asked.starts_on, locked_by=asked.asked_by)


def _submit(asked: LargeStep) -> Batch:
    return batches.batch_submit(pay_group=asked.pay_group, starts_on=asked.starts_on, submitted_by=asked.asked_by)


def _approve(asked: LargeStep) -> Batch:
    return batches.batch_approve(batch=_batch(asked), approved_by=asked.asked_by, digest=asked.said["digest"])


def _reject(asked: LargeStep) -> Batch:
    return batches.batch_reject(batch=_batch(asked), rejected_by=asked.asked_by, reason=asked.said["reason"])


def _unlock(asked: LargeStep) -> Batch:
    return periods.period_unlock_confirm(batch=_batch(asked), confirmed_by=asked.asked_by)


def _part(asked: LargeStep) -> Batch:
    people = list(Participant.objects.filter(pk__in=asked.said["people"]))
    return partial.batch_approve_part(
        batch=_batch(asked), people=people, reason=asked.said["reason"], by=asked.asked_by
    )


def _export(asked: LargeStep) -> Batch:
    provider = PayrollProvider.objects.filter(pk=asked.said["provider"]).first()
    payroll_files.batch_file(batch=_batch(asked), provider=provider, by=asked.asked_by)
    return _batch(asked)


def _pay(asked: LargeStep) -> Batch:
    return batches.batch_mark_paid(batch=_batch(asked), paid_by=asked.asked_by, sent=asked.said.get("sent"))


def _tie(asked: LargeStep) -> None:
    parallel.tie_now(cut_over=CutOver.objects.get(pk=asked.said["cut_over"]), by=asked.asked_by)


STEPS: Mapping[str, Callable[[LargeStep], Batch | None]] = {
    Step.LOCK: _lock,
    Step.SUBMIT: _submit,
    Step.APPROVE: _approve,
    Step.REJECT: _reject,
    Step.UNLOCK: _unlock,
    Step.PART: _part,
    Step.EXPORT: _export,
    Step.PAY: _pay,
    Step.TIE: _tie,
}

#: What the one who asked must still be allowed to do when it is taken; whose turn an approval is, it says itself.
CAN: Mapping[str, Can] = {
    Step.LOCK: Can.BATCH_SUBMIT,
    Step.SUBMIT: Can.BATCH_SUBMIT,
    Step.APPROVE: Can.BATCH_READ,
    Step.REJECT: Can.BATCH_READ,
    Step.UNLOCK: Can.BATCH_APPROVE,
    Step.PART: Can.BATCH_APPROVE,
    Step.EXPORT: Can.BATCH_PAY,
    Step.PAY: Can.BATCH_PAY,
    Step.TIE: Can.BATCH_SUBMIT,
}


# ------------------------------------------------------------------ asked for


def is_large(people: int, lines: int) -> bool:
    return people > PEOPLE or lines > LINES


def step_take(*, step: LargeStep.Step, of: Batch | Open, by: User, **said: Any) -> Batch | LargeStep:
    """Takes a step of a batch or an open period at once, and returns the batch that it leaves; of a large one it is
    asked for, and returned as what workers have still to do. Refused while another step of the pay group is under way.

    `said` is what the step needs: approve its `digest`, reject its `reason`, part its `people` (ids) and `reason`,
    export its `provider` (an id, or None), pay what was `sent` (`with_payroll`)."""
    batch = of if isinstance(of, Batch) else None
    if isinstance(of, Batch):
        people, lines, name = of.people, of.lines, of.name
    else:
        people, lines = of.lines.values("participant_id").distinct().count(), of.lines.count()
        name = f"{of.name}, {of.pay_group.name}"
    asked = LargeStep(
        step=step, pay_group=of.pay_group, starts_on=of.starts_on, batch=batch, name=name, people=people, lines=lines,
        said=said, asked_by=by, actor=asdict(current_scope().actor),
    )  # fmt: skip
    if before := LargeStep.objects.filter(pay_group=of.pay_group, ended_at=None).first():
        raise _under_way(before)
    if not is_large(people, lines):
        done = STEPS[step](asked)
        assert done is not None, f"{step} leaves a batch"
        return done
    if batch is not None and step == Step.APPROVE:
        batches.approve_check(batch, by, said["digest"])  # said at once, and once more by the step
    try:
        with transaction.atomic():
            asked.save()
    except IntegrityError as error:
        before = LargeStep.objects.filter(pay_group=of.pay_group, ended_at=None).first()
        raise _under_way(before) if before else error from error
    ring(tenant_id=current_tenant_id(), queue=JOBS)
    return asked


def _under_way(step: LargeStep) -> BatchError:
    return BatchError(
        f"{step} is under way, asked for by {step.asked_by} at {timezone.localtime(step.asked_at):%H:%M}. "
        "Wait until it is done."
    )


# ------------------------------------------------------------------ taken


def steps_drain(tenant_id: int) -> int:
    """Takes the step that waits longest, as the one who asked for it; 0 where none waits. Refused, it ends with the
    reason.

    The attempt is counted in a transaction before that of the step: a worker that is stopped at its time limit cannot
    count it any more."""
    with _of_workers(tenant_id):
        asked = _next(LargeStep.objects.filter(due_at__lte=timezone.now()))
        if asked is None:
            return 0
        if asked.attempts >= ATTEMPTS:
            _again(asked, asked.error or "The workers that took it were stopped.")
            return 0
        asked.attempts += 1
        asked.save(update_fields=["attempts"])
    try:
        return _taken(tenant_id, asked.pk)
    except PASSING as error:
        # The server or the clock, not the step. Yet what takes too long does so again, and keeps its pay group waiting.
        with suppress(*PASSING), _of_workers(tenant_id):  # with the server gone the row waits as it is
            if still := _next(LargeStep.objects.filter(pk=asked.pk)):
                _again(still, _words(error))
        raise


def _taken(tenant_id: int, pk: int) -> int:
    """The step and its row's end, in one transaction. 0 where another worker has it, or it broke off."""
    with _of_workers(tenant_id):
        asked = _next(LargeStep.objects.filter(pk=pk))
        if asked is None:
            return 0
        try:
            with tenant_scope(tenant_id, actor=Actor(**asked.actor)):
                if not _may(asked, asked.asked_by):
                    raise BatchError(f"{asked.name}: {asked.asked_by} may not take this step any more.")
                asked.made = STEPS[asked.step](asked)
        except PASSING:
            raise
        except CompError as error:
            asked.refused = str(error)
        except Exception as error:
            log.exception("step %s (%s) breaks off", asked.pk, asked)
            _again(asked, _words(error))
            return 0
        asked.ended_at, asked.error = timezone.now(), ""
        asked.save(update_fields=["made", "refused", "ended_at", "error"])
        return 1


def _of_workers(tenant_id: int) -> AbstractContextManager[Scope]:
    return tenant_scope(tenant_id, actor=Actor.task("large steps"), pay=Pay.everyone())


def _next(steps: QuerySet[LargeStep]) -> LargeStep | None:
    """The first of these that has not ended and that no worker holds; nobody else takes it until the transaction
    ends."""
    free = steps.select_for_update(of=("self",), skip_locked=True)
    return free.filter(ended_at=None).order_by("id").first()


def _may(asked: LargeStep, user: User) -> bool:
    """Whether somebody may take this step as of now: the role may be lost meanwhile, or the pay group."""
    rows = Membership.objects.filter(tenant_id=current_tenant_id(), user_id=user.pk)
    roles = [row.role for row in rows if not row.pay_groups or asked.pay_group.key in row.pay_groups]
    return user.is_active and CAN[asked.step] in capabilities(roles)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


def _again(asked: LargeStep, error: str) -> None:
    """It is tried later, or given up where it was tried often enough."""
    asked.error = error
    asked.due_at = timezone.now() + timedelta(seconds=2**asked.attempts)
    if asked.attempts >= ATTEMPTS:
        asked.ended_at, asked.refused = timezone.now(), f"It could not be done. {asked.error}"
    asked.save(update_fields=["error", "due_at", "ended_at", "refused"])


# ------------------------------------------------------------------ taken back


def step_withdraw(*, step: LargeStep, by: User) -> LargeStep:
    """Takes back a step that waits, so that the pay group is free for another one; by whoever could take it. Refused
    while a worker is at it."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        asked = _next(LargeStep.objects.filter(pk=step.pk))
        if asked is None:
            raise BatchError(f"{step}: it is done, or a worker is at it just now. Look again in a minute.")
        if not _may(asked, by):
            raise BatchError(f"{step}: only who may take this step can take it back.")
        asked.ended_at, asked.refused = timezone.now(), f"{by} took it back."
        asked.save(update_fields=["ended_at", "refused"])
        record(code="batch.step_withdrawn", subject=asked, after={"step": str(asked), "by": str(by)})
    return asked
