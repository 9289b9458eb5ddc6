"""Two people approve, a third edits what they look at, and figures are worked out anew, all at the same moment: each
stage is signed once, and always for what was shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from random import Random
from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from payouts.models import ApprovalStage, Batch, Cause
from payouts.selectors_batches import lines_digest
from payouts.services import approvals
from payouts.services.batch_steps import locked
from payouts.services.payables import payables_refresh
from tests.finance.cast import World, january

RACES = 200


def submitted(world: World, count: int) -> list[Batch]:
    """So many submitted batches of nothing, a month each, with a chain of one stage."""
    made = []
    with world.scope():
        for number in range(count):
            starts_on = date(2030 + number // 12, number % 12 + 1, 1)
            batch = Batch.objects.create(
                pay_group=world.group,
                starts_on=starts_on,
                ends_on=starts_on.replace(day=28),
                name=f"Month {number}",
                pay_on=starts_on,
                people=0,
                lines=0,
                totals={},
                digest=lines_digest([]),
                locked_by=world.users["fiona"],
            )
            batch.state, batch.submitted_by, batch.submitted_at = "submitted", world.users["fiona"], timezone.now()
            batch.save()
            approvals.stages_open(batch)
            made.append(batch)
    return made


@pytest.mark.django_db(transaction=True)
def test_each_stage_is_signed_once_for_what_was_shown() -> None:
    world = january()
    races = submitted(world, RACES)
    shown = lines_digest([])
    start = Barrier(4)

    def sign(batch: Batch, who: str, digest: str) -> str:
        try:
            with world.scope():
                held = locked(batch)
                approvals.stage_approve(batch=held, approved_by=world.users[who], digest=digest)
        except approvals.ApprovalError as error:
            return str(error)
        return who

    def edit(batch: Batch, who: str, digest: str) -> str:
        with pytest.raises(DatabaseError), world.scope(), transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(digest="f" * 64)
        return "edited"

    def recompute(batch: Batch, who: str, digest: str) -> str:
        with world.scope():
            cause = Cause.objects.create(kind=Cause.Kind.JOB, label="Again")
            payables_refresh(participants=[world.people["R1"].pk], cause=cause)
        return "recomputed"

    def run(at: tuple[Any, str]) -> list[str]:
        """One racer through all races; every tenth approver was shown something else."""
        step, who = at
        draw = Random(who)  # noqa: S311
        try:
            said = []
            for batch in races:
                start.wait(timeout=60)
                said.append(step(batch, who, "0" * 64 if draw.random() < 0.1 else shown))
            return said
        finally:
            connection.close()

    racers = [(sign, "frank"), (sign, "greta"), (edit, ""), (recompute, "")]
    with ThreadPoolExecutor(len(racers)) as threads:
        frank, greta, *_ = threads.map(run, racers)
    with world.scope():
        signed = {stage.batch_id: stage for stage in ApprovalStage.objects.select_related("decided_by")}
    assert len(signed) == RACES
    for batch, one, other in zip(races, frank, greta, strict=True):
        won = [said for said in (one, other) if said in ("frank", "greta")]
        stage = signed[batch.pk]
        if won:
            assert len(won) == 1 and stage.decided_by == world.users[won[0]] and stage.digest == shown
            lost = other if won[0] == one else one
            assert "none of its approval stages is open" in lost or "not what would be approved" in lost
        else:  # both were shown something else
            assert stage.state == "open" and stage.decided_by is None
