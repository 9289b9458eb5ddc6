"""A file of facts, from its first byte to final figures, held against copying the same rows into the same tables."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any, BinaryIO

from psycopg2.extensions import connection as Connection

from tests.bench.ground import QUARTERS, Company, Ground, company
from tests.bench.recompute import _columns
from tests.bench.report import Report, load, typical

#: What stands in the end, and the floor copies: the raw rows, what is known of each deal, and what is paid for it.
STANDS = (
    *("crediting_rawdelivery", "crediting_dealrevision", "crediting_deal", "crediting_dealteam"),
    *("crediting_credit", "payouts_earning", "payouts_tranche"),
)
HEADER = "Deal,Owner,Product,Account,Amount,Engage date,Close date\n"
PRODUCTS, DAYS = 10, 365
#: Rows, and seconds, after which it is told how far a stage is.
TOLD, QUIET_SECONDS = 100_000, 10.0


def measure(place: Ground, report: Report, *, rows: int, people: int, accounts: int) -> None:
    """Adds bulk_facts_per_s and bulk_vs_copy_floor."""
    from comp.outbox.services import messages_drain
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from crediting.models import Upload
    from crediting.services import uploads
    from crediting.services.catalogue import account_create, product_create
    from crediting.services.endpoints import endpoint_create
    from crediting.services.mailbox import mailbox_drain
    from payouts.services.claims import scopes_recompute

    report.say(f"a company of {people} people; a CSV file of {rows:,} won deals")
    where = company("files", people)
    actor = Actor.command("bench")
    with tenant_scope(where.tenant, actor=actor):
        endpoint, _ = endpoint_create(key="files", name="Files", adapter="file")
        for number in range(PRODUCTS):
            product_create(key=f"product-{number}", name=f"Product {number}")
        for number in range(accounts):
            account_create(key=f"account-{number}", name=f"Account {number}", sector="technology")
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.monotonic()
        found = work()
        spent[name] = time.monotonic() - start
        report.say(f"{name}: {spent[name]:.1f} s, {rows / spent[name]:,.0f} rows a second")
        return found

    def drain() -> None:
        done = told = 0
        while number := mailbox_drain(where.tenant):
            done += number
            if done - told >= TOLD:
                told = done
                report.say(f"  {done:,} of {rows:,} rows")

    def add(file: BinaryIO) -> Upload:
        with tenant_scope(where.tenant, actor=actor):
            return uploads.upload_add(endpoint=endpoint, event="deal.won", name="deals.csv", file=file, made_by=None)

    def figures() -> None:
        done, told = 0, time.monotonic()
        while number := messages_drain(where.tenant) or scopes_recompute(where.tenant):
            done += number
            if time.monotonic() - told > QUIET_SECONDS:
                told = time.monotonic()
                report.say(f"  {done:,} messages and scopes")

    with tempfile.TemporaryFile() as file:
        _write(file, rows, accounts, where)
        upload = timed("read", lambda: add(file))
    with tenant_scope(where.tenant, actor=actor):
        forms = {"date_form": "YYYY-MM-DD", "decimal_form": "1234.5"}
        uploads.upload_match(upload=upload, columns=upload.columns, **forms)
    timed("check", drain)
    with tenant_scope(where.tenant, actor=actor):
        uploads.upload_take(upload=upload, taken_by=None)
    timed("take in", drain)
    timed("figures", figures)
    with tenant_scope(where.tenant, actor=actor, pay=Pay.everyone()):
        counts = Upload.objects.get(pk=upload.pk).counts
    assert counts["delivered"] == rows and not counts["bad"], counts
    with closing(place.admin()) as admin:
        floor, stands = _floor(admin, where)
    assert stands["crediting_deal"] == stands["crediting_credit"] == rows, stands
    total = sum(spent.values())
    note = f"{rows:,} won deals by CSV, {people} people: read, checked, taken in and paid for"
    report.add(typical("bulk_facts_per_s", "rows/s", [rows / total], note))
    note = "the whole way / COPY in of all rows that stand in the end, with their indexes"
    report.add(typical("bulk_vs_copy_floor", "x", [total / floor], note))
    report.details["bulk_s"] = {name: round(value, 2) for name, value in {**spent, "floor": floor}.items()} | {
        "rows": rows, "load": load(),
    }  # fmt: skip


def _write(file: BinaryIO, rows: int, accounts: int, where: Company) -> None:
    """Won deals of the year 2025, of everybody who sells."""
    rng = random.Random(7)
    file.write(HEADER.encode())
    for number in range(rows):
        close = QUARTERS[0] + timedelta(days=number % DAYS)
        owner = f"p{rng.randrange(len(where.sellers))}"
        amount = f"{rng.randrange(100, 9_000)}.{rng.randrange(100):02}"
        said = (
            *(f"D{number}", owner, f"product-{number % PRODUCTS}", f"account-{number % accounts}"),
            *(amount, QUARTERS[0].isoformat(), close.isoformat()),
        )
        file.write(f"{','.join(said)}\n".encode())
    file.flush()


def _floor(admin: Connection, where: Company) -> tuple[float, dict[str, int]]:
    """Seconds that COPY needs for the rows that stand, into copies of the tables with their indexes; and how many."""
    counts: dict[str, int] = {}
    taken = 0.0
    with admin.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS bench_bulk")
        for table in STANDS:
            columns = _columns(admin, table)
            cursor.execute(f"CREATE TABLE bench_bulk.{table} (LIKE {table} INCLUDING ALL)")
            with tempfile.TemporaryFile() as rows:
                query = f"SELECT {columns} FROM {table} WHERE tenant_id = {int(where.tenant)}"
                cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", rows)
                rows.seek(0)
                cursor.execute("CHECKPOINT")
                start = time.monotonic()
                cursor.copy_expert(f"COPY bench_bulk.{table} ({columns}) FROM STDIN (FORMAT binary)", rows)
                counts[table] = cursor.rowcount
                taken += time.monotonic() - start
        cursor.execute("DROP SCHEMA bench_bulk CASCADE")
    return taken, counts
