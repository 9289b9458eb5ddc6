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
    """Does the tenant's daily work until none is left, or its turn is over. Any number may run at once: each drain lets
    one writer in."""
    heard = bells.heard(tenant_id, services.WORK)
    with services.turn_of(tenant_id) as turn:
        done = 1
        while done or turn.news > turn.seen:
            if time.monotonic() - turn.began > TURN_SECONDS:
                turn.news += 1
                return
            before = turn.news
            done = services.work_once(tenant_id, services.WORK)
            turn.seen = before
    if not heard:  # who came meanwhile may have found the mark
        services.ring(tenant_id=tenant_id)


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
