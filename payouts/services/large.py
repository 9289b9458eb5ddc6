"""Steps of large batches: asked for within a request, taken by the workers of the jobs; those of small ones at once.

A step and its row's end are one transaction, so a worker that is killed leaves the batch as it was and the row waiting.
One is under way a pay group: a second click is told of the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from comp.core.errors import CompError
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring
from comp.people.models import Participant
from comp.tenancy.capabilities import Can, capabilities
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import Actor, Pay, current_scope, current_tenant_id, tenant_scope
from payouts.models import Batch, LargeStep, PayrollProvider
from payouts.selectors_batches import Open
from payouts.services import batches, partial, payroll_files, periods
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
    return batches.batch_mark_paid(batch=_batch(asked), paid_by=asked.asked_by)


STEPS: Mapping[str, Callable[[LargeStep], Batch]] = {
    Step.LOCK: _lock,
    Step.SUBMIT: _submit,
    Step.APPROVE: _approve,
    Step.REJECT: _reject,
    Step.UNLOCK: _unlock,
    Step.PART: _part,
    Step.EXPORT: _export,
    Step.PAY: _pay,
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
}


# ------------------------------------------------------------------ asked for


def is_large(people: int, lines: int) -> bool:
    return people > PEOPLE or lines > LINES


def step_take(*, step: LargeStep.Step, of: Batch | Open, by: User, **said: Any) -> Batch | LargeStep:
    """Takes a step of a batch or an open period at once, and returns the batch that it leaves; of a large one it is
    asked for, and returned as what workers have still to do. Refused while another step of the pay group is under way.

    `said` is what the step needs: approve its `digest`, reject its `reason`, part its `people` (ids) and `reason`,
    export its `provider` (an id, or None)."""
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
        return STEPS[step](asked)
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
    reason."""
    with tenant_scope(tenant_id, actor=Actor.task("large steps"), pay=Pay.everyone()):
        waiting = LargeStep.objects.select_for_update(of=("self",), skip_locked=True)
        asked = waiting.filter(ended_at=None, due_at__lte=timezone.now()).order_by("id").first()
        if asked is None:
            return 0
        try:
            with tenant_scope(tenant_id, actor=Actor(**asked.actor)):
                _still_may(asked)
                asked.made = STEPS[asked.step](asked)
        except PASSING:
            raise  # the server, not the step
        except CompError as error:
            asked.refused = str(error)
        except Exception as error:
            log.exception("step %s (%s) breaks off", asked.pk, asked)
            _again(asked, error)
            return 0
        asked.ended_at, asked.error = timezone.now(), ""
        asked.save(update_fields=["made", "refused", "ended_at", "error"])
        return 1


def _still_may(asked: LargeStep) -> None:
    """Whoever asked may have lost the role meanwhile, or the pay group."""
    rows = Membership.objects.filter(tenant_id=current_tenant_id(), user_id=asked.asked_by_id)
    roles = [row.role for row in rows if not row.pay_groups or asked.pay_group.key in row.pay_groups]
    if not asked.asked_by.is_active or CAN[asked.step] not in capabilities(roles):
        raise BatchError(f"{asked.name}: {asked.asked_by} may not take this step any more.")


def _again(asked: LargeStep, error: Exception) -> None:
    asked.attempts += 1
    asked.error = f"{type(error).__name__}: {error}"[:2000]
    asked.due_at = timezone.now() + timedelta(seconds=2**asked.attempts)
    if asked.attempts >= ATTEMPTS:
        asked.ended_at, asked.refused = timezone.now(), f"It could not be done. {asked.error}"
    asked.save(update_fields=["attempts", "error", "due_at", "ended_at", "refused"])
