"""A full recomputation, held against moving the same bytes (the COPY floor) and against set-based SQL, in turns.

One SQL does the product's job; another knows tiers, rates and periods by heart."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from psycopg2.extensions import connection as Connection

from comp.local.run import processes
from tests.bench.ground import Company, Ground, company, facts, running
from tests.bench.report import Report, load, typical

#: Seconds after which a recomputation is given up.
PATIENCE = 600
#: The bulk results: with the facts, what the floor moves.
MOVED = ("crediting_credit", "payouts_earning", "payouts_tranche")
WRITTEN = (*MOVED, "payouts_attainment", "payouts_payable", "payouts_statement")
#: What is no figure: numbers of the database's own, and when and why something was written.
APART = ("id", "cause_id", "calculated_at", "data_at")
FACTS = (
    "SELECT id, revision_id, event_time, endpoint_id, external_id, stage, amount_minor, close_date FROM crediting_deal",
    "SELECT deal_id, place, role, participant_id, weight FROM crediting_dealteam",
)


def measure(place: Ground, report: Report, *, deals: int, people: int, rounds: int) -> None:
    """Adds full_recompute_vs_copy_floor, full_recompute_vs_sql and full_recompute_vs_sql_by_heart."""
    from comp.tenancy.scope import Actor, tenant_scope
    from crediting.services.endpoints import endpoint_create

    report.say(f"a company of {people} people with {deals:,} deals, 2 credits each")
    where = company("bulk", people)
    with tenant_scope(where.tenant, actor=Actor.command("bench")):
        endpoint, _ = endpoint_create(key="crm", name="CRM")
    facts(place, where, deals, days=365, endpoint=endpoint.pk)
    samples: dict[str, list[float]] = defaultdict(list)
    with closing(place.admin()) as admin, _jobs_worker(place) as worker:
        _copies(admin)
        for number in range(rounds):
            _empty(admin)
            samples["ours"].append(_ours(admin, worker, where, samples))
            ours = _digests(admin) if number == 0 else {}
            samples["floor"].append(_floor(place, admin))
            for name, way in (("sql", _general), ("sql_by_heart", _by_heart)):
                _empty(admin)
                samples[name].append(way(where))
                if number == 0:
                    check_equal(ours, _digests(admin))
            if number == 0:
                report.say("the rows by SQL equal the product's own, all columns, both ways")
            report.say(
                f"round {number + 1} of {rounds}: recompute {samples['ours'][-1]:.1f} s, COPY floor "
                f"{samples['floor'][-1]:.1f} s, SQL {samples['sql'][-1]:.1f} s, SQL that knows the answer by heart "
                f"{samples['sql_by_heart'][-1]:.1f} s, load {load()}"
            )
        _empty(admin)
    note = f"{deals:,} deals, 2 credits each, {people} people; recompute / floor of the same round"
    ratios = [ours / floor for ours, floor in zip(samples["ours"], samples["floor"], strict=True)]
    floor = typical("full_recompute_vs_copy_floor", "x", ratios, note)
    report.add(replace(floor, goal="<= 3", ok=floor.value <= 3))
    note = "time of SQL that does the same job / our time: above 1 the product is faster; rows checked equal"
    ratios = [sql / ours for sql, ours in zip(samples["sql"], samples["ours"], strict=True)]
    sql = typical("full_recompute_vs_sql", "x", ratios, note)
    report.add(replace(sql, goal=">= 1.5", ok=sql.value >= 1.5))
    note = "the same with SQL that knows tiers, rates and periods by heart and takes the tables to be empty"
    ratios = [sql / ours for sql, ours in zip(samples["sql_by_heart"], samples["ours"], strict=True)]
    report.add(typical("full_recompute_vs_sql_by_heart", "x", ratios, note))
    report.details["full_recompute_s"] = {
        name: [round(value, 2) for value in values] for name, values in samples.items()
    } | {"deals": deals, "load": load()}


@contextmanager
def _jobs_worker(place: Ground) -> Iterator[psutil.Process]:
    """The worker of large recomputations as `make run` starts it: two processes below one."""
    with running(processes(place.data, 0)["jobs"], place.env, place.data / "jobs.log") as worker:
        yield psutil.Process(worker.pid)


def _ours(admin: Connection, worker: psutil.Process, where: Company, samples: dict[str, list[float]]) -> float:
    """Seconds from the bell for everybody's whole time until nothing waits and the job is done."""
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from payouts.services.scopes import scopes_everything

    before = _spent(worker), _spent(_server(admin))
    start = time.monotonic()
    with tenant_scope(where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()):
        scopes_everything(label="Benchmark")
    with admin.cursor() as cursor:
        while True:
            cursor.execute("SELECT EXISTS (SELECT FROM payouts_recomputejob WHERE ended_at IS NULL)")
            if cursor.fetchone() == (False,):
                break
            if time.monotonic() > start + PATIENCE or not worker.is_running():
                raise RuntimeError(f"the recomputation did not end; the worker is {worker.status()}")
            time.sleep(0.05)
    taken = time.monotonic() - start
    for name, process, already in zip(("workers", "postgres"), (worker, _server(admin)), before, strict=True):
        samples[f"processor_{name}"].append(_spent(process) - already)
    return taken


def _server(admin: Connection) -> psutil.Process:
    """PostgreSQL's first process."""
    return psutil.Process(admin.info.backend_pid).parent()


def _spent(process: psutil.Process) -> float:
    """Processor seconds of all that stands below this process so far, and of what ended there."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times) + times[0].children_user + times[0].children_system


def _floor(place: Ground, admin: Connection) -> float:
    """COPY out of the facts and COPY in of the rows that stand, into copies of the tables with their indexes."""
    files = {table: place.data / f"{table}.copy" for table in MOVED}
    columns = {table: _columns(admin, table) for table in MOVED}
    with admin.cursor() as cursor:
        for table, file in files.items():
            with file.open("wb") as out:
                cursor.copy_expert(f"COPY {table} ({columns[table]}) TO STDOUT (FORMAT binary)", out)
        cursor.execute("CHECKPOINT")
        start = time.monotonic()
        cursor.execute("BEGIN")
        with Path(os.devnull).open("wb") as nowhere:
            for query in FACTS:
                cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", nowhere)
        for table, file in files.items():
            with file.open("rb") as rows:
                cursor.copy_expert(f"COPY bench.{table} ({columns[table]}) FROM STDIN (FORMAT binary)", rows)
        cursor.execute("COMMIT")
        taken = time.monotonic() - start
        for table, file in files.items():
            file.unlink()
            cursor.execute(f"TRUNCATE bench.{table}")
        cursor.execute("CHECKPOINT")
    return taken


@contextmanager
def _as_the_product(where: Company) -> Iterator[Any]:
    """A transaction of the runtime role, under the walls, with ample memory."""
    from django.db import connection

    from comp.tenancy.scope import Actor, Pay, tenant_scope

    with tenant_scope(where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        yield cursor


def _statements(file: str) -> list[str]:
    return (Path(__file__).parent / file).read_text().split(";\n")


def _by_heart(where: Company) -> float:
    """reference.sql: into tables that it takes to be empty, by tiers, rates and periods that stand in it."""
    start = time.monotonic()
    with _as_the_product(where) as cursor:
        for statement in _statements("reference.sql"):
            cursor.execute(statement)
    return time.monotonic() - start


def _general(where: Company) -> float:
    """reference_general.sql, which finds what is right, and what brings each table there."""
    start = time.monotonic()
    with _as_the_product(where) as cursor:
        for statement in _statements("reference_general.sql"):
            cursor.execute(statement)
        for table in WRITTEN:
            for statement in _merged(cursor, table):
                cursor.execute(statement)
    return time.monotonic() - start


def _merged(cursor: Any, table: str) -> tuple[str, str]:
    """SQL: what should not stand is taken away; what differs is changed, what is missing added, the rest left alone."""
    cursor.execute(
        "SELECT quote_ident(attname), EXISTS (SELECT FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indexrelid "
        "WHERE i.indrelid = %s::regclass AND indisunique AND NOT indisprimary AND k.attname = a.attname) "
        "FROM pg_attribute a WHERE attrelid = %s::regclass ORDER BY attnum",
        [table, f"right_{table}"],
    )
    columns = cursor.fetchall()
    key, values = ([name for name, in_key in columns if in_key is which] for which in (True, False))
    same = f"({_named('t', key)}) = ({_named('s', key)})"
    only = " AND t.state = 'open'" if table == "payouts_statement" else ""  # what was paid stays as it was
    return (
        f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT FROM right_{table} s WHERE {same}){only}",
        f"MERGE INTO {table} t USING right_{table} s ON {same} "
        f"WHEN MATCHED AND ({_named('t', values)}) IS DISTINCT FROM ({_named('s', values)}) "
        f"THEN UPDATE SET ({', '.join(values)}) = ROW ({_named('s', values)}) "
        f"WHEN NOT MATCHED THEN INSERT (tenant_id, {', '.join((*key, *values))}) "
        f"VALUES (current_setting('app.tenant')::bigint, {_named('s', (*key, *values))})",
    )


def _named(table: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{table}.{column}" for column in columns)


Digests = dict[str, tuple[int, int]]


def _digests(admin: Connection) -> Digests:
    """Each table's rows and a sum over all their columns."""
    found: Digests = {}
    with admin.cursor() as cursor:
        for table in WRITTEN:
            columns = _columns(admin, table, without=APART)
            cursor.execute(f"SELECT count(*), sum(hashtextextended(({columns})::text, 0)) FROM {table}")
            [found[table]] = cursor.fetchall()
    return found


def check_equal(ours: Digests, theirs: Digests) -> None:
    """Raises AssertionError where the two ways differ in any row, or wrote none."""
    for table in WRITTEN:
        assert ours[table][0] and ours[table] == theirs[table], (
            f"{table}: (rows, digest) {ours[table]} by us, {theirs[table]} by SQL"
        )


def _copies(admin: Connection) -> None:
    with admin.cursor() as cursor:
        cursor.execute("ANALYZE")  # both sides' plans know what there is to read
        cursor.execute("CREATE SCHEMA bench")
        for table in MOVED:
            cursor.execute(f"CREATE TABLE bench.{table} (LIKE {table} INCLUDING ALL)")
            cursor.execute(f"ALTER TABLE bench.{table} SET (fillfactor = 75)")  # as the tables themselves


def _empty(admin: Connection) -> None:
    """No figures stand, as before a first computation."""
    with admin.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join((*WRITTEN, *(f'bench.{table}' for table in MOVED)))}; CHECKPOINT")


def _columns(admin: Connection, table: str, without: tuple[str, ...] = ("id",)) -> str:
    with admin.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL(%s)",
            [table, list(without)],
        )
        [(columns,)] = cursor.fetchall()
    return str(columns)
