"""What every page of a batch's steps shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from comp.core.errors import CompError, told
from payouts import selectors_batches as reads
from payouts.models import Batch, LargeStep
from payouts.reads.large import StepNow
from payouts.selectors_batches import Open
from payouts.services.large import CAN, step_take

Result = TypeVar("Result")


def batch_or_404(pk: int) -> Batch:
    """A batch of a pay group that the request may see; any other does not exist."""
    return get_object_or_404(reads.batches_visible(), pk=pk)


def attempt(request: HttpRequest, step: Callable[[], Result]) -> Result | None:
    """What the service did, or None with its refusal as a message."""
    try:
        return step()
    except CompError as error:
        messages.error(request, told(error))
        return None


def take(request: HttpRequest, step: LargeStep.Step, of: Batch | Open, **said: Any) -> Batch | None:
    """The batch that a step left; None with a message where it was refused, or is under way because it is large."""
    user: Any = request.user
    found = attempt(request, lambda: step_take(step=step, of=of, by=user, **said))
    if isinstance(found, LargeStep):
        messages.info(request, f"{found} takes a while: it is large. This page follows it.")
        return None
    return found


def step_shown(request: HttpRequest, found: StepNow | None) -> dict[str, Any]:
    """What the step's region shows, and whether this person may take it back."""
    can: Any = request.can  # type: ignore[attr-defined]
    return {"step_now": found, "step_back": found is not None and CAN[found.step.step] in can}
