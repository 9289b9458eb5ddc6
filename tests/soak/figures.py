"""What stands for a company, told by natural keys, so that two companies with the same events give the same digest."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from hashlib import sha256

import psycopg2

from tests.bench.ground import Ground

TABLES = (
    "crediting_credit",
    "payouts_earning",
    "payouts_tranche",
    "payouts_attainment",
    "payouts_payable",
    "payouts_statement",
)
#: Numbers of the database's own, and when and why something was written.
APART = {"id", "tenant_id", "pay_group_id", "plan_version_id", "cause_id", "calculated_at", "data_at", "digest"}
#: The revision that a credit was computed from is a number of the database's own too; that of an open statement counts
#: how often it was written, which depends on how many events came between two looks.
APART_OF = {"crediting_credit": {"revision"}, "payouts_statement": {"revision"}}
NAMES = {
    "participant_id": "(SELECT key FROM people_participant x WHERE x.id = t.participant_id)",
    "plan_id": "(SELECT key FROM plans_plan x WHERE x.id = t.plan_id)",
    "deal_id": "(SELECT external_id FROM crediting_deal x WHERE x.id = t.deal_id)",
    "fact": "(SELECT external_id FROM facts x WHERE x.id = t.fact)",
    "origin": "(SELECT external_id FROM facts x WHERE x.id = t.origin)",
}
_WAITING = (
    "SELECT (SELECT count(*) FROM crediting_rawdelivery WHERE tenant_id = %(tenant)s AND state = 'pending') "
    "+ (SELECT count(*) FROM outbox_message WHERE tenant_id = %(tenant)s AND done_at IS NULL) "
    "+ (SELECT count(*) FROM payouts_changedscope WHERE tenant_id = %(tenant)s)"
)


def settled(place: Ground, tenant: int, patience: float) -> float:
    """Waits until nothing waits: no delivery, no news, no recomputation. Returns the seconds that took."""
    began = time.monotonic()
    left: object = "everything"
    while time.monotonic() - began < patience:
        try:
            with closing(place.admin()) as admin, admin.cursor() as cursor:
                cursor.execute(_WAITING, {"tenant": tenant})
                [(left,)] = cursor.fetchall()
        except psycopg2.OperationalError as error:
            left = error
        if left == 0:
            return time.monotonic() - began
        time.sleep(0.1)
    raise RuntimeError(f"after {patience:.0f} s something still waits: {left}")


def deliveries(place: Ground, tenant: int) -> dict[str, int]:
    """How many deliveries there are in each state."""
    with closing(place.admin()) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM crediting_rawdelivery WHERE tenant_id = %s GROUP BY 1", [tenant])
        return dict(cursor.fetchall())


#: All that stands, row by row, by table.
Figures = dict[str, list[str]]


def digest(found: Figures) -> str:
    """One digest over all that stands."""
    return sha256("\n".join(line for table, lines in found.items() for line in (table, *lines)).encode()).hexdigest()


def differences(ours: Figures, theirs: Figures) -> list[str]:
    """The first rows that only one of the two has, by table."""
    found = []
    for table in TABLES:
        one, other = Counter(ours[table]), Counter(theirs[table])
        found += [f"{table}: not in the undisturbed run: {row}" for row in sorted((one - other).elements())[:2]]
        found += [f"{table}: only in the undisturbed run: {row}" for row in sorted((other - one).elements())[:2]]
    return found


def standing(place: Ground, tenant: int) -> Figures:
    """All that stands for a company."""
    found: Figures = {}
    with closing(place.admin()) as admin, admin.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
                "ORDER BY attname",
                [table],
            )
            apart = APART | APART_OF.get(table, set())
            columns = ", ".join(NAMES.get(name, f't."{name}"') for (name,) in cursor.fetchall() if name not in apart)
            cursor.execute(
                f"WITH facts AS ({_facts(admin)}) SELECT ROW({columns})::text AS told FROM {table} t "
                "WHERE t.tenant_id = %s ORDER BY 1",
                [tenant],
            )
            found[table] = [line for (line,) in cursor.fetchall()]
    return found


def _facts(admin: psycopg2.extensions.connection) -> str:
    """SQL: the source's name of everything that a line can be for."""
    with admin.cursor() as cursor:
        cursor.execute("SELECT to_regclass('crediting_fact') IS NOT NULL")
        [(others,)] = cursor.fetchall()
    told = "SELECT id, external_id FROM crediting_deal"
    return f"{told} UNION ALL SELECT id, kind || ' ' || external_id FROM crediting_fact" if others else told
