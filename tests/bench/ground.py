"""Servers of the benchmark's own (settings as for `make run`, so every commit reaches the disk) and its companies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from psycopg2.extensions import connection as Connection

from comp.local import environment, run
from comp.local.dev import CHECKOUT, DATABASE
from comp.local.digests import migrations_digest
from comp.local.postgres import SUPERUSER, Postgres, binaries
from comp.local.process import locked, log_tail
from comp.local.valkey import Valkey
from tests.bench.report import Report

QUARTERS = tuple(date(2025, month, 1) for month in (1, 4, 7, 10))
YEAR_END = date(2026, 1, 1)
QUOTA_MINOR = 400_000_00
#: How long a worker may take to stand, on a machine that does much else.
START_SECONDS = 180

PLAN = """
format: comp/plan/1
key: bench
name: Benchmark
currency: USD
on_new_version: carry
rounding: {at: line, mode: half-up, step: minor}
credit_rules:
  - key: won-deals
    fact: deal
    class: bookings
    when: {all: [{field: stage, op: is, value: won}]}
    credit_date: close_date
    amount: amount
    credit:
      - {role: ae, share: 100%}
      - {role: se, share: 50%}
    roll_up: ROLL_UP
components:
  - key: commission
    name: Commission
    clause: You earn a share of each deal, more once you pass your quota.
    kind: commission
    credits: {classes: [bookings], roles: ROLES}
    measure: {every: quarter}
    quota: bookings
    missing_quota: wait
    zero_quota: highest_tier
    below_zero: lowest_tier
    tiers:
      mode: marginal
      boundary: above
      rates: [{from: 0%, rate: 8%}, {from: 100%, rate: 12%}, {from: 130%, rate: 15%}]
    accelerator: null
    cap: null
    release: [{share: 100%, on: credit_date}]
"""


ROLL_UP = "[{from: [ae], to: manager, levels: 1, limit: 100%}]"


@dataclass(frozen=True, slots=True)
class Ground:
    """The servers, and the environment of processes that use them."""

    data: Path
    postgres: Postgres
    env: dict[str, str]

    def admin(self) -> Connection:
        """A connection as the database's superuser, in autocommit: past the walls, to set up and to look."""
        return self.postgres.connect(DATABASE)


@contextmanager
def ground(report: Report) -> Iterator[Ground]:
    """A new data folder, servers and a migrated database in it; all gone afterwards. Django is set up as the runtime
    role."""
    data = Path(os.environ.get("COMP_BENCH_DATA") or CHECKOUT / ".comp" / "bench").resolve()
    postgres, valkey = Postgres(data), Valkey(data)
    with locked(data.with_suffix(".lock")):  # a second run waits: together they would measure each other
        yield from _ground(report, data, postgres, valkey)


def _ground(report: Report, data: Path, postgres: Postgres, valkey: Valkey) -> Iterator[Ground]:
    _remove(data, postgres, valkey)
    try:
        report.say("servers and migrations")
        postgres.start()
        valkey.start()
        env = environment.base(data, os.environ)
        env |= {**environment.database_embedded(postgres), "REDIS_URL": valkey.url, "LOG_LEVEL": "WARNING"}
        os.environ.update(env)
        with _quiet():
            if schema := os.environ.get("COMP_BENCH_SCHEMA"):
                _restore(postgres, Path(schema))
            run.migrate(env)
            run.collect_static(env)
        import django

        django.setup()
        _quick_passwords()
        yield Ground(data, postgres, env)
    finally:
        _remove(data, postgres, valkey)


def _quick_passwords() -> None:
    """Nobody logs in by password here: hashing those of the companies' people would take a third of a second each."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 8, 1


def _restore(postgres: Postgres, schema: Path) -> None:
    """The database as the tests' migrations left it, which `run.migrate` then finds done."""
    command = (str(binaries() / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", str(schema))
    subprocess.run((*command, postgres.url(DATABASE, SUPERUSER)), check=True, stdout=subprocess.DEVNULL)
    with closing(postgres.connect(DATABASE)) as admin, admin.cursor() as cursor:
        cursor.execute(f"COMMENT ON DATABASE {DATABASE} IS %s", [f"migrations {migrations_digest()}"])


@dataclass(frozen=True, slots=True)
class Company:
    """A tenant of the benchmark and its participants' ids: those who sell, then those who help."""

    tenant: int
    sellers: tuple[int, ...]
    helpers: tuple[int, ...]


def company(slug: str, people: int, managers: bool = False, plan_text: str = PLAN) -> Company:
    """A company of so many people, made by the product's services: half sell, half help, all on one plan with a quota
    for each quarter of 2025, in teams of ten under the first of them; with `managers`, sales roll up to these."""
    from comp.outbox.services import messages_drain
    from comp.people import services as who
    from comp.tenancy import services as tenancy
    from comp.tenancy.capabilities import Role
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from payouts.services.claims import scopes_recompute
    from plans import services as plans

    tenant = tenancy.tenant_create(slug=slug, name=slug.title(), time_zone="UTC", currency="USD")
    users = [
        tenancy.user_create(email=f"{name}@{slug}.test", full_name=name, password="nine-lamps-over-water")
        for name in ("ann", "ben")
    ]
    with tenant_scope(tenant.pk, actor=Actor.command("bench"), pay=Pay.everyone()):
        for user in users:
            tenancy.membership_add(user=user, role=Role.SALES_OPS)
        calendar = who.calendar_create(key="monthly", name="Monthly", kind="monthly")
        group = who.pay_group_create(key="sales", name="Sales", calendar=calendar, opens_on=QUARTERS[0])
        for key in ("ae", "se", "manager"):
            who.credit_role_create(key=key, name=key.upper())
        plan = plans.plan_create(key="bench", name="Benchmark")
        text = plan_text.replace("ROLL_UP", ROLL_UP if managers else "[]")
        text = text.replace("ROLES", "[ae, se, manager]" if managers else "[ae, se]")
        draft = plans.version_draft(plan=plan, text=text, starts_on=QUARTERS[0], note="", prepared_by=users[0])
        plans.version_publish(version=draft, published_by=users[1])
        found = []
        for number in range(people):
            person = who.participant_create(
                key=f"p{number}", name=f"Person {number}", currency="USD", pay_group=group, starts_on=QUARTERS[0]
            )
            found.append(person)
            if number % 10:
                who.reporting_line_set(participant=person, manager=found[number - number % 10], starts_on=QUARTERS[0])
            plans.assignment_set(participant=person, plan=plan, starts_on=QUARTERS[0])
            for start, end in zip(QUARTERS, (*QUARTERS[1:], YEAR_END), strict=True):
                plans.quota_set(
                    participant=person,
                    key="bookings",
                    starts_on=start,
                    ends_on=end,
                    amount_minor=QUOTA_MINOR,
                    currency="USD",
                )
    # The news of all this is done with before anything is measured.
    while messages_drain(tenant.pk) or scopes_recompute(tenant.pk):
        pass
    ids = [person.pk for person in found]
    return Company(tenant.pk, tuple(ids[: people // 2]), tuple(ids[people // 2 :]))


def facts(place: Ground, where: Company, deals: int, *, days: int, endpoint: int, first: date = QUARTERS[0]) -> None:
    """Won deals of the `days` from the first on with two people each, put straight into the tables, past foreign keys
    and walls: they are sound by construction, and a million deliveries would take longer than all that is measured.
    Their revisions and deliveries are left out: nothing measured here reads them."""
    with closing(place.admin()) as admin, admin.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        cursor.execute("SELECT coalesce(max(id), 0) FROM crediting_deal")
        [(base,)] = cursor.fetchall()
        params = {
            "tenant": where.tenant,
            "endpoint": endpoint,
            "days": days,
            "first": first,
            "deals": deals,
            "base": base,
            "sellers": list(where.sellers),
            "helpers": list(where.helpers),
        }
        for statement in (Path(__file__).parent / "facts.sql").read_text().split(";\n"):
            if statement.strip():
                cursor.execute(statement, params)


def won(where: Company, number: int, *, days: int) -> str:
    """The body of a new deal won within so many days from the first quarter's start, each of another seller."""
    half = len(where.sellers)
    data = {
        "deal": f"N{number:07}",
        "version": 1,
        "owner": f"p{number % half}",
        "team": [{"role": "se", "person": f"p{half + number * 7 % half}"}],
        "product": "gtx",
        "account": "acme",
        "amount": f"{1000 + number}.00",
        "currency": "USD",
        "engage_date": "2024-12-01",
        "close_date": (QUARTERS[0] + timedelta(days=number % days)).isoformat(),
    }
    return json.dumps({"type": "deal.won", "timestamp": "2025-06-01T12:00:00Z", "data": data})


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker that is ready; ended in any case."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=dict(env) | {"LOG_LEVEL": "INFO"}, stdout=output, stderr=output
        )
        try:
            end = time.monotonic() + START_SECONDS
            while " ready." not in log.read_text():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"a worker did not start:\n{log_tail(log, 30)}")
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _remove(data: Path, postgres: Postgres, valkey: Valkey) -> None:
    if data.exists():
        run.end_left_overs(data)
        valkey.stop()
        postgres.stop()
        shutil.rmtree(data)


@contextmanager
def _quiet() -> Iterator[None]:
    """The steps of `make run` number their lines; here they would only confuse."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        yield
