"""The tasks: daily work for a tenant, a chunk of its jobs, and the sweep that needs no bell."""

from __future__ import annotations

import logging
import time

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from comp.outbox import bells, services
from comp.tenancy.models import Tenant

log = logging.getLogger(__name__)

#: For how long a bell of the sweep hangs, in seconds: of four sweeps (comp.settings), so that one is heard where the
#: queue is longer than the time between two.
HANGS_SECONDS = 60
#: So many bells of a sweep may be lost before it gives up: then Redis is away, not an answer of it.
LOST = 3
#: After so long a tenant's work goes to the end of the queue: others have come meanwhile.
TURN_SECONDS = 1.0
#: A step of a large batch is one transaction, and may take so long. Less than the broker waits for its task.
JOB_SECONDS = 1000


@shared_task(name="comp.outbox.work")
def work(tenant_id: int) -> None:
    """Does the tenant's daily work until none is left, or its turn is over. Who finds another worker at it leaves it to
    him, and comes again in case that one is long at something: any number may run at once, for each drain lets one
    writer in, but several small turns cost more than one."""
    lead = bells.Lead(tenant_id)
    entered = lead.enter()
    if entered is not bells.Entered.IN:
        if entered is bells.Entered.ASKED:
            _again(tenant_id)
        return
    heard = going = True
    with services.turn_of(tenant_id) as turn:
        while going:
            leads, heard = lead.look(services.WORK)
            if not leads:
                turn.seen = turn.news  # whoever leads now looks for it
                break
            before = turn.news
            try:
                done = services.work_once(tenant_id, services.WORK)
            except BaseException:
                lead.leave(at_once=True)
                raise
            turn.seen = before
            if time.monotonic() - turn.began > TURN_SECONDS:
                lead.leave(at_once=True)
                turn.news += 1
                break
            going = bool(done) or turn.news > turn.seen or not lead.leave()
    if not heard:  # who came meanwhile may have found the mark
        services.ring(tenant_id=tenant_id)


def _again(tenant_id: int) -> None:
    try:
        work.apply_async(args=[tenant_id], countdown=bells.TURN_MS / 1000, retry=False, ignore_result=True)
    except BrokerError:
        log.warning("who is at it is not looked after, the sweep will", exc_info=True)


@shared_task(name="comp.outbox.job", soft_time_limit=JOB_SECONDS, time_limit=JOB_SECONDS + 60)
def job(tenant_id: int) -> None:
    """Does one chunk of the tenant's jobs and goes to the end of the queue: the jobs of several tenants take turns."""
    heard = bells.heard(tenant_id, services.JOBS)
    if services.work_once(tenant_id, services.JOBS) or not heard:
        services.ring(tenant_id=tenant_id, queue=services.JOBS)


@shared_task(name="comp.outbox.sweep")
def sweep() -> None:
    """Every 15 s: whatever a lost bell left behind is brought back from PostgreSQL. Behind busy workers its bells go
    away by themselves after some sweeps. One that is lost is no reason to ring for nobody else."""
    lost = 0
    for tenant_id in Tenant.objects.values_list("id", flat=True):
        for task in (work, job):
            try:
                task.apply_async(args=[tenant_id], retry=False, ignore_result=True, expires=HANGS_SECONDS)
            except BrokerError:
                lost += 1
                if lost > LOST:
                    raise
                log.warning("a bell of the sweep is lost, the next one rings again", exc_info=True)
