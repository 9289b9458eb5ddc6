"""A part of a submitted batch goes on alone: who is left out waits with a reason, and the rest is submitted anew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from django.db.models import Max

from comp.people.models import Participant
from comp.tenancy.models import User
from payouts.frames.waterfall import wholly_held
from payouts.models import Batch, BatchPerson, BatchSettlement
from payouts.reads.approvals import why_not
from payouts.selectors_batches import open_of
from payouts.services.batch_steps import BatchError, State, everyone, locked, must_be, period_moves
from payouts.services.batches import review_submit
from payouts.services.holds import hold_place
from payouts.services.periods import freeze, ready, void


def batch_approve_part(*, batch: Batch, people: Collection[Participant], reason: str, by: User) -> Batch:
    """Leaves these people out: their pay is held with the reason, the batch is void, and a new one of the rest is
    submitted in the name of the same preparer, all or nothing. Returns the new one, which is then approved as it is
    shown: it holds what is right now, so it may differ from the one before for others too."""
    reason = reason.strip()
    if not reason:
        raise BatchError(f"{batch}: whoever is left out reads why. Give a reason.")
    with everyone():
        ready(batch.pay_group)
        batch = locked(batch)
        must_be(batch, "approved in part", State.SUBMITTED)
        if why := why_not(batch, by):
            raise BatchError(f"{batch}: {why}")
        if batch.void_asked_by_id is not None:
            raise BatchError(f"{batch}: {batch.void_asked_by} asks for it to be opened again. Settle that first.")
        inside = _inside(batch)
        out = {person.pk for person in people}
        if strangers := sorted(person.name for person in people if person.pk not in inside):
            raise BatchError(f"{batch}: it holds nothing of {', '.join(strangers)}.")
        if not out or out == inside:
            raise BatchError(f"{batch}: leave out some of its people, and not all; else approve it or send it back.")
        void(batch, by=by, reason=f"{len(out)} of its people wait: {reason}")
        period_moves(batch, f"{batch.name}: a part of it goes on alone")
        held = {who for who, plan in wholly_held(out) if plan is None}
        for person in people:
            if person.pk not in held:
                hold_place(reason=reason, by=by, participant=person)
        period = open_of(batch.pay_group)
        if period.starts_on != batch.starts_on:
            raise BatchError(f"{batch}: {period.name} is open before it; send the batch back instead.")
        run = 0
        if batch.run:
            runs = Batch.objects.filter(pay_group=batch.pay_group, starts_on=batch.starts_on).aggregate(last=Max("run"))
            period, run = replace(period, people=frozenset(inside - out)), (runs["last"] or 0) + 1
        preparer = batch.submitted_by
        assert preparer is not None, "a submitted batch was submitted by somebody"
        made = freeze(period, run=run, by=preparer, replaces=batch)
        return review_submit(batch=made, submitted_by=preparer)


def _inside(batch: Batch) -> set[int]:
    """Whom the batch pays or settles, by lines or without."""
    lines = BatchPerson.objects.filter(batch=batch, lines__gt=0).values_list("participant_id", flat=True)
    return {*lines, *BatchSettlement.objects.filter(batch=batch).values_list("participant_id", flat=True)}
