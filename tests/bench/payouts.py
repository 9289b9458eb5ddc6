"""A batch of many people and lines: how long its page takes while it waits for approval, and how fast it is posted."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import Any

from tests.bench.ground import QUARTERS, Company, Ground, company, facts
from tests.bench.report import Report, load, typical

#: Lines of a deal: its seller and its helper.
OF_DEAL = 2
PAGES = ("", "?page=40", "?view=people")


def measure(place: Ground, report: Report, *, people: int, lines: int, samples: int) -> None:
    """Adds approval_page_ms and posting_lines_per_s."""
    from comp.people.models import PayGroup
    from comp.tenancy.models import Tenant, User
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from crediting.services.endpoints import endpoint_create
    from payouts.models import Batch
    from payouts.services import batches, posting
    from payouts.services.claims import scopes_recompute
    from payouts.services.scopes import scopes_everything

    report.say(f"a company of {people:,} people who are paid for {lines:,} lines in one month")
    where = _with_people(place, company("payouts", 4), people)
    spent: dict[str, float] = {}

    def scope() -> Any:
        return tenant_scope(where.tenant, actor=Actor.command("bench"), pay=Pay.everyone())

    def timed(name: str, work: Any) -> Any:
        start = time.monotonic()
        with scope():
            found = work()
        spent[name] = time.monotonic() - start
        report.say(f"{name}: {spent[name]:.1f} s")
        return found

    with scope():
        endpoint, _ = endpoint_create(key="crm", name="CRM")
    facts(place, where, lines // OF_DEAL, days=31, endpoint=endpoint.pk)
    with scope():
        scopes_everything(label="Benchmark")
    while scopes_recompute(where.tenant):
        pass
    ann = User.objects.get(email="ann@payouts.test")
    with scope():
        fay = _finance()
        group = PayGroup.objects.get(key="sales")
    batch = timed("submit", lambda: batches.batch_submit(pay_group=group, starts_on=QUARTERS[0], submitted_by=ann))
    assert (batch.people, batch.lines) == (people, lines), (batch.people, batch.lines)
    taken = _page_ms(Tenant.objects.get(pk=where.tenant).slug, fay, batch.pk, samples)
    page = typical("approval_page_ms", "ms", taken, f"{people:,} people, {lines:,} lines; the server's whole answer")
    report.add(replace(page, goal="< 1000", ok=max(taken) < 1000))
    timed("approve", lambda: batches.batch_approve(batch=batch, approved_by=fay, digest=batch.digest))
    start = time.monotonic()
    while posting.postings_drain(where.tenant):
        pass
    seconds = time.monotonic() - start if lines > posting.AT_ONCE else spent["approve"]
    with scope():
        assert Batch.objects.get(pk=batch.pk).state == Batch.State.POSTED
    note = f"{lines:,} lines of {people:,} people, from approved to posted, part by part"
    rate = typical("posting_lines_per_s", "lines/s", [lines / seconds], note)
    report.add(replace(rate, goal=">= 20000", ok=rate.value >= 20_000))
    report.details["payouts_s"] = {name: round(value, 2) for name, value in spent.items()} | {
        "posting": round(seconds, 2),
        "load": load(),
    }


def _with_people(place: Ground, where: Company, people: int) -> Company:
    """More people like the first one, put straight into the tables with its plan and quotas."""
    half = people // 2
    with closing(place.admin()) as admin, admin.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        cursor.execute(
            "INSERT INTO people_participant SELECT r.* FROM people_participant p, generate_series(1, %s) i, "
            "LATERAL jsonb_populate_record(p, jsonb_build_object('id', "
            "nextval(pg_get_serial_sequence('people_participant', 'id')), 'key', 'q' || i, 'name', 'Person Q' || i)) r "
            "WHERE p.id = %s RETURNING id",
            [people - len(where.sellers) - len(where.helpers), where.sellers[0]],
        )
        added = [pk for (pk,) in cursor.fetchall()]
        for table in ("plans_planassignment", "plans_quota"):
            cursor.execute(
                f"INSERT INTO {table} SELECT r.* FROM {table} p, unnest(%s::bigint[]) person, "
                "LATERAL jsonb_populate_record(p, jsonb_build_object('id', "
                f"nextval(pg_get_serial_sequence('{table}', 'id')), 'participant_id', person)) r "
                "WHERE p.participant_id = %s",
                [added, where.sellers[0]],
            )
        cursor.execute("ANALYZE people_participant; ANALYZE plans_planassignment; ANALYZE plans_quota")
    everybody = [*where.sellers, *where.helpers, *added]
    return Company(where.tenant, tuple(everybody[:half]), tuple(everybody[half:]))


def _finance() -> Any:
    """Somebody who approves and whose plan it is not: those of the company published it."""
    from comp.tenancy.capabilities import Role
    from comp.tenancy.services import membership_add, user_create

    user = user_create(email="fay@payouts.test", full_name="fay", password="nine-lamps-over-water")
    membership_add(user=user, role=Role.FINANCE)
    return user


def _page_ms(slug: str, user: Any, batch: int, samples: int) -> list[float]:
    """The batch's page as the approver opens it, in milliseconds, through every middleware; the first one, which
    warms what a server keeps, does not count."""
    from django.test import Client

    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    taken = []
    for number in range(samples + 1):
        start = time.monotonic()
        answer = client.get(f"/t/{slug}/payouts/{batch}/{PAGES[number % len(PAGES)]}")
        taken.append((time.monotonic() - start) * 1000)
        assert answer.status_code == 200 and b"Look at these first" in answer.content
    return taken[1:]
