"""The two tasks: work for a tenant, and the sweep that needs no bell."""

from __future__ import annotations

from celery import shared_task

from comp.outbox import bells, services
from comp.tenancy.models import Tenant

#: How often beat asks for the sweep (comp.settings).
SWEEP_SECONDS = 15


@shared_task(name="comp.outbox.work")
def work(tenant_id: int) -> None:
    """Does the tenant's waiting work until none is left. Any number may run at once: each drain lets one writer in."""
    bells.heard(tenant_id)
    for _ in range(1000):
        if not services.work_once(tenant_id):
            return
    services.ring(tenant_id=tenant_id)


@shared_task(name="comp.outbox.sweep")
def sweep() -> None:
    """Every 15 s: whatever a lost bell left behind is brought back from PostgreSQL. Behind busy workers its bells go
    away by themselves when the next sweep comes."""
    for tenant_id in Tenant.objects.values_list("id", flat=True):
        work.apply_async(args=[tenant_id], retry=False, ignore_result=True, expires=SWEEP_SECONDS)
