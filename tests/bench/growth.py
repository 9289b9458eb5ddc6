"""What one event costs where much has happened before: the same quarter in two companies, of which one has a long
history."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median

from standardwebhooks import Webhook

from tests.bench.ground import QUARTERS, Company, Ground, company, facts, won
from tests.bench.report import Figure, Report, load

GOAL = 1.3
#: The quarter that events change is as full in both companies; what lies before it is the history.
QUARTER_DAYS, HISTORY_FROM = 90, date(2015, 1, 1)


@dataclass(frozen=True, slots=True)
class _Busy:
    """A company whose one event is timed."""

    where: Company
    token: str
    secret: str


def measure(place: Ground, report: Report, *, people: int, small: int, large: int, quarter: int, samples: int) -> None:
    """Adds history_growth_ratio: medians of one event's work, from the mailbox to its figure, with `small` and `large`
    facts in the company. The companies take turns, so that what else runs slows both."""
    companies = []
    for name, size in (("small", small), ("large", large)):
        report.say(f"a company with {size:,} facts, {quarter:,} of them in the quarter that events change")
        companies.append(_company(place, f"growth-{name}", people, size, quarter))
    took: tuple[list[float], list[float]] = [], []
    for number in range(samples + 2):
        for busy, times in zip(companies, took, strict=True):
            spent = _one_event(busy, number)
            if number >= 2:  # the first of each plan their statements
                times.append(spent)
    report.details["history_growth_ms"] = {
        str(size): round(median(times), 2) for size, times in zip((small, large), took, strict=True)
    }
    ratio = median(took[1]) / median(took[0])
    pairs = tuple(after / before for before, after in zip(*took, strict=True))
    note = f"{median(took[0]):.0f} ms with {small:,} facts, {median(took[1]):.0f} ms with {large:,}; load {load()}"
    report.add(Figure("history_growth_ratio", "x", ratio, pairs, f"<= {GOAL}", ratio <= GOAL, note))


def _company(place: Ground, slug: str, people: int, size: int, quarter: int) -> _Busy:
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from crediting.services.catalogue import account_create, product_create
    from crediting.services.endpoints import endpoint_create
    from payouts.services.claims import scopes_recompute
    from payouts.services.scopes import scopes_everything

    where = company(slug, people, managers=True)
    with tenant_scope(where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()):
        endpoint, secret = endpoint_create(key="crm", name="CRM")
        before, _ = endpoint_create(key="before", name="Before")
        product_create(key="gtx", name="GTX")
        account_create(key="acme", name="Acme")
    facts(place, where, quarter, days=QUARTER_DAYS, endpoint=endpoint.pk)
    days = (QUARTERS[0] - HISTORY_FROM).days
    facts(place, where, size - quarter, days=days, endpoint=before.pk, first=HISTORY_FROM)
    with tenant_scope(where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()):
        scopes_everything(label="Benchmark")
    while scopes_recompute(where.tenant):
        pass
    return _Busy(where, endpoint.token, secret)


def _one_event(busy: _Busy, number: int) -> float:
    """Milliseconds from a stored delivery to its figure, by the calls that a worker makes."""
    from comp.outbox.services import WORK, work_once
    from crediting.intake.source import Call
    from crediting.services.intake import delivery_receive

    body, name, now = won(busy.where, number, days=QUARTER_DAYS), f"grow-{number}", datetime.now(UTC)
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(busy.secret).sign(name, now, body),
    }
    delivery_receive(busy.token, Call("POST", "http://bench/hooks/", headers, body.encode()))
    began = time.perf_counter()
    while work_once(busy.where.tenant, WORK):
        pass
    return (time.perf_counter() - began) * 1000
