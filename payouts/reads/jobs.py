"""Recomputations that touch many people, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from payouts.models import Cause, ChangedScope, RecomputeJob


@dataclass(frozen=True, slots=True)
class Progress:
    """A job that is under way. `left_for` is how long the rest takes at the pace so far; None before the first is
    done. `failed` of those that wait could not be redone and are tried again."""

    job: RecomputeJob
    done: int
    failed: int
    left_for: timedelta | None
    can_be_left: bool

    @property
    def minutes(self) -> str:
        """How long the rest takes, for people."""
        seconds = self.left_for.total_seconds() if self.left_for else 0
        return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(seconds, 1):.0f} s"


def jobs() -> QuerySet[RecomputeJob]:
    """All of them, the latest first."""
    return RecomputeJob.objects.select_related("cause").order_by("-created_at", "-pk")


def under_way() -> tuple[list[Progress], str]:
    """Those that are not ended, the oldest first, and a short text that changes with them."""
    running = list(RecomputeJob.objects.filter(ended_at=None).select_related("cause").order_by("created_at", "pk"))
    counts = {
        row["job_id"]: (row["people"], row["failed"])
        for row in ChangedScope.objects.filter(job__in=running)
        .values("job_id")
        .annotate(
            people=Count("participant_id", distinct=True),
            failed=Count("participant_id", distinct=True, filter=Q(attempts__gt=0)),
        )
    }
    now = timezone.now()
    found = []
    for job in running:
        left, failed = counts.get(job.pk, (0, 0))
        done = max(job.people - left, 0)
        left_for = (now - job.created_at) * left / done if done else None
        found.append(Progress(job, done, failed, left_for, job.cause.kind == Cause.Kind.JOB))
    version = "-".join(f"{each.job.pk}.{each.done}.{each.failed}" for each in found)
    return found, version or "none"
