"""One company puts a plan in force over a year of deals while another one posts single deals: how long these take to be
figures, and whether they wait for the other company's job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.bench.ground import PLAN, QUARTERS, ROLL_UP, Ground, company, facts
from tests.bench.hooks import PATIENCE as NEVER_SECONDS
from tests.bench.hooks import Live, NeverCame
from tests.bench.report import Report
from tests.soak import figures
from tests.soak.stack import Stack

NAME = "a plan over a year, beside single deals"
#: By so much more than in an undisturbed run a single deal may be late.
LATER_MS = 1000
#: People and deals of the large company; deals a second of the small one, and for how many seconds it is undisturbed.
SIZE, QUICK_SIZE = (200, 100_000), (30, 30_000)
RATE, SECONDS, QUICK_SECONDS = 5, 20, 4
PATIENCE = 600
NEVER_MS = NEVER_SECONDS * 1000.0


@dataclass(frozen=True, slots=True)
class Beside:
    """Milliseconds from the answer to the readable figure: undisturbed, and while the job was under way."""

    before: Sequence[float]
    during: Sequence[float]
    job_seconds: float
    wrong: str

    def __str__(self) -> str:
        return f"undisturbed {_told(self.before)}; beside a job of {self.job_seconds:.0f} s {_told(self.during)}"


def _told(waits: Sequence[float]) -> str:
    ordered = sorted(waits) or [0.0]
    p50, p99 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99))
    return f"{len(waits)} deals, p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {ordered[-1]:.0f} ms"


def run(stack: Stack, report: Report, *, quick: bool) -> Beside:
    """Both companies on the stack that is up."""
    place, (people, deals) = stack.place, QUICK_SIZE if quick else SIZE
    report.say(f"{NAME}: {people} people with {deals:,} deals of a year")
    live = Live(place, people=4 if quick else 40, deals=200, port=stack.port)
    large = _large(place, people, deals)
    figures.settled(place, large, PATIENCE)
    figures.settled(place, live.where.tenant, PATIENCE)
    before = _followed(live, QUICK_SECONDS if quick else SECONDS)
    job = _publish(place, large)
    during: list[float] = []
    wrong = ""
    while True:
        # Of these some deals would otherwise come when the job has ended already.
        waits = _followed(live, 1)
        if _ended(place, job):
            break
        during += waits
    if not during:
        wrong = "no deal was a figure before the job had ended"
    elif not quick and max(during) > max(before) + LATER_MS:
        wrong = f"a single deal was {max(during) - max(before):.0f} ms later than undisturbed"
    found = Beside(before, during, _seconds(place, job), wrong)
    report.say(f"{NAME}: {found}: {wrong or 'nobody waited for the job'}")
    figures.settled(place, large, PATIENCE)
    return found


def _followed(live: Live, seconds: int) -> list[float]:
    """The waits; what never came counts as all the time that was waited for it."""
    try:
        return live.followed(rate=RATE, seconds=seconds)
    except NeverCame as error:
        return [*error.waits, *[NEVER_MS] * error.missing]


def _large(place: Ground, people: int, deals: int) -> int:
    """The company whose year is redone; its figures stand."""
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from crediting.services.endpoints import endpoint_create
    from payouts.services.scopes import scopes_everything

    where = company("large", people, managers=True)
    with tenant_scope(where.tenant, actor=Actor.command("soak"), pay=Pay.everyone()):
        endpoint, _ = endpoint_create(key="crm", name="CRM")
    facts(place, where, deals, days=365, endpoint=endpoint.pk)
    with tenant_scope(where.tenant, actor=Actor.command("soak"), pay=Pay.everyone()):
        scopes_everything(label="Set up")
    return where.tenant


def _publish(place: Ground, tenant: int) -> int:
    """Other rates in force from the first day of the year on. Returns the job that follows, once it is there."""
    from comp.tenancy.models import User
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from plans import services as plans
    from plans.models import Plan

    text = PLAN.replace("ROLL_UP", ROLL_UP).replace("ROLES", "[ae, se, manager]").replace("rate: 8%", "rate: 9%")
    ann, ben = (User.objects.get(email=f"{name}@large.test") for name in ("ann", "ben"))
    with tenant_scope(tenant, actor=Actor.command("soak"), pay=Pay.everyone()):
        draft = plans.version_draft(
            plan=Plan.objects.get(key="bench"), text=text, starts_on=QUARTERS[0], note="Another rate", prepared_by=ann
        )
        plans.version_publish(version=draft, published_by=ben)
    sql = "SELECT id FROM payouts_recomputejob WHERE tenant_id = %s AND ended_at IS NULL"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := _asked(place, sql, tenant):
            return int(found[0][0])
        time.sleep(0.05)
    raise RuntimeError("no job follows from the plan")


def _ended(place: Ground, job: int) -> bool:
    return bool(_asked(place, "SELECT ended_at IS NOT NULL FROM payouts_recomputejob WHERE id = %s", job)[0][0])


def _seconds(place: Ground, job: int) -> float:
    sql = "SELECT extract(epoch FROM ended_at - created_at) FROM payouts_recomputejob WHERE id = %s"
    return float(_asked(place, sql, job)[0][0])


def _asked(place: Ground, sql: str, number: int) -> list[tuple[Any, ...]]:
    with closing(place.admin()) as admin, admin.cursor() as cursor:
        cursor.execute(sql, [number])
        return list(cursor.fetchall())
