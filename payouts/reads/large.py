"""Steps of large batches that are under way, or were refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from comp.people.models import PayGroup
from payouts.models import Batch, LargeStep

#: So long a refusal is shown.
SHOWN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StepNow:
    """A step as its page shows it. `seconds`: since it was asked for."""

    step: LargeStep
    seconds: int

    @property
    def version(self) -> str:
        return f"{self.step.pk}-{self.step.attempts}-{self.seconds // 5}-{self.step.ended_at is not None}"

    @property
    def minutes(self) -> str:
        return f"{self.seconds / 60:.0f} min" if self.seconds >= 90 else f"{self.seconds} s"


def step_now(step: LargeStep) -> StepNow:
    return StepNow(step, int((timezone.now() - step.asked_at).total_seconds()))


def step_of(pay_group: PayGroup, batch: Batch | None = None) -> StepNow | None:
    """What is under way of a pay group, whatever it is of; else the last step of the batch (or of the open period),
    where that was refused and is not long ago."""
    steps = LargeStep.objects.filter(pay_group=pay_group).select_related("asked_by", "batch", "made")
    if (running := steps.filter(ended_at=None).first()) is not None:
        return step_now(running)
    last = steps.filter(batch=batch).first()
    if last is None or not last.refused or last.asked_at < timezone.now() - SHOWN:
        return None
    return step_now(last)
