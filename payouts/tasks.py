"""What beat asks of the figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from celery import shared_task

from comp.tenancy.models import Tenant
from comp.tenancy.scope import Actor, tenant_scope
from payouts.services.downloads import downloads_expire
from payouts.services.holds import holds_expire
from payouts.services.letters import letters_pay
from payouts.services.reminders import reminders_send
from payouts.services.sampling import sample_verify

log = logging.getLogger(__name__)

#: How often beat asks, how long all companies together take at the most, and how much is drawn of each.
SAMPLE_EVERY, SAMPLE_SECONDS, SAMPLE_SIZE = 60, 3.0, 10


@shared_task(name="payouts.sample")
def sample(minute: int | None = None) -> int:
    """A sample of each company's figures, beginning with another company each minute, as long as there is time. One
    minute's draws are the same whoever draws, and a second look changes nothing. Returns how many companies it saw;
    raises RuntimeError at the end where some could not be looked at."""
    minute = int(time.time()) // 60 if minute is None else minute
    tenants = list(Tenant.objects.order_by("id").values_list("id", flat=True))
    first = minute % len(tenants) if tenants else 0
    over = time.monotonic() + SAMPLE_SECONDS
    seen, failed = 0, []
    for tenant_id in tenants[first:] + tenants[:first]:
        left = over - time.monotonic()
        if left <= 0:
            break
        try:
            sample_verify(tenant_id, size=SAMPLE_SIZE, seed=f"{tenant_id}-{minute}", seconds=left)
        except Exception:
            log.exception("tenant %s: no sample can be taken", tenant_id)
            failed.append(tenant_id)
        else:
            seen += 1
    if failed:  # the task has failed then, for whoever watches the workers
        raise RuntimeError(f"no sample can be taken of the tenants {failed}")
    return seen


@shared_task(name="payouts.days")
def days_come() -> int:
    """What happens by itself when its day comes, in each company: holds end, months of side letters are paid, downloads
    are dropped. A second look finds nothing left. Returns how many; raises RuntimeError at the end where a company
    could not be looked at."""
    return _in_each_company("what was due could not be done", holds_end, letters_due, downloads_end)


@shared_task(name="payouts.remind")
def remind() -> int:
    """Reminds who may decide of what waits for them, in each company and once a day there. Returns of how many
    batches; raises RuntimeError at the end where a company could not be looked at."""
    return _in_each_company("nobody can be reminded", lambda tenant_id: reminders_send(tenant_id=tenant_id))


def holds_end(tenant_id: int) -> int:
    with tenant_scope(tenant_id, actor=Actor.task("days")):
        return holds_expire()


def letters_due(tenant_id: int) -> int:
    with tenant_scope(tenant_id, actor=Actor.task("days")):
        return letters_pay()


def downloads_end(tenant_id: int) -> int:
    with tenant_scope(tenant_id, actor=Actor.task("days")):
        return downloads_expire()


def _in_each_company(failure: str, *steps: Callable[[int], int]) -> int:
    """Takes each step in each company by itself: where one fails the others go on, and the task has failed then, for
    whoever watches the workers."""
    done, failed = 0, []
    for tenant_id in Tenant.objects.order_by("id").values_list("id", flat=True):
        for step in steps:
            try:
                done += step(tenant_id)
            except Exception:
                log.exception("tenant %s: %s", tenant_id, failure)
                failed.append(tenant_id)
    if failed:
        raise RuntimeError(f"{failure} in the tenants {sorted({*failed})}")
    return done
