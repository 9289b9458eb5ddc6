"""Who may decide on a batch is reminded of it once a day, by mail and without amounts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction

from comp.people.selectors import today
from comp.tenancy.models import Tenant, User
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from payouts.models import ApprovalStage, Batch, Reminder
from payouts.reads.approvals import deciders, turn_of

log = logging.getLogger(__name__)


def reminders_send(*, tenant_id: int, day: date | None = None) -> int:
    """Reminds everybody who may decide a stage that was open before `day` (today, where the company is) began. A
    second call on the same day finds its reminders and sends none. Returns how many batches were reminded of."""
    with tenant_scope(tenant_id, actor=Actor.task("payouts.remind"), pay=Pay.everyone()):
        day = day or today()
        stages = ApprovalStage.objects.filter(state=ApprovalStage.State.OPEN, batch__state=Batch.State.SUBMITTED)
        by_batch: dict[int, list[ApprovalStage]] = {}
        # The rows' locks let one of two beats in; the other finds what the first reminded of.
        rows = stages.select_related("batch__pay_group").select_for_update(of=["self"])
        for stage in rows.order_by("batch", "place", "seat"):
            if stage.opened_at is not None and today(at=stage.opened_at) < day:
                by_batch.setdefault(stage.batch_id, []).append(stage)
        return sum(_remind(open_seats, day) for open_seats in by_batch.values())


def _remind(seats: Sequence[ApprovalStage], day: date) -> bool:
    batch = seats[0].batch
    users = [user for user in deciders(seats[0]) if user.is_active and turn_of(batch, user).stage is not None]
    rows = [Reminder(stage=seat, day=day, people=[user.pk for user in users]) for seat in seats]
    known = set(Reminder.objects.filter(stage__in=seats, day=day).values_list("stage_id", flat=True))
    if known or not users:
        return False
    Reminder.objects.bulk_create(rows)
    for user in users:
        transaction.on_commit(partial(_mail, user.email, *_text(batch, seats[0], user)))
    return True


def _text(batch: Batch, seat: ApprovalStage, user: User) -> tuple[str, str]:
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=current_tenant_id())
    since = today(at=seat.opened_at) if seat.opened_at else today()
    person = turn_of(batch, user).as_deputy_of
    instead = f", in place of {person}" if person else ""
    subject = f"{batch.name} waits for your decision"
    text = (
        f"{batch.name} has waited at its stage {seat.name} since {since:%-d %B %Y}, "
        f"and you may decide on it{instead}.\n"
        f"Its pay date is {batch.pay_on:%-d %B %Y}.\n\n{settings.PUBLIC_URL}/t/{slug}/payouts/{batch.pk}/\n"
    )
    return subject, text


def _mail(address: str, subject: str, text: str) -> None:
    """A reminder that cannot be sent is logged: the decision waits on the home page as well."""
    try:
        send_mail(subject, text, None, [address])
    except OSError:
        log.exception("no reminder could be sent: %s", subject)
