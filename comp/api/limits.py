"""How often somebody may call in a minute. Counted in PostgreSQL, by one statement each: a call that the database
cannot count it could not answer either, and concurrent calls are counted one after the other."""

from __future__ import annotations

import ipaddress

from django.db import connection

_SPEND = """
INSERT INTO api_callcount AS c (name, minute, calls)
VALUES (%s, floor(extract(epoch FROM statement_timestamp()) / 60), 1)
ON CONFLICT (name) DO UPDATE SET minute = EXCLUDED.minute,
    calls = CASE WHEN c.minute = EXCLUDED.minute THEN least(c.calls, 1000000) + 1 ELSE 1 END
RETURNING calls, 60 - floor(extract(second FROM statement_timestamp()))::int
"""
_LOOK = """
SELECT calls, 60 - floor(extract(second FROM statement_timestamp()))::int FROM api_callcount
WHERE name = %s AND minute = floor(extract(epoch FROM statement_timestamp()) / 60)
"""
_SWEEP = """
DELETE FROM api_callcount WHERE name IN (
    SELECT name FROM api_callcount WHERE minute < floor(extract(epoch FROM statement_timestamp()) / 60) - 60
    LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""


def spend(name: str, limit: int) -> int:
    """Counts a call. 0 where it is within the limit; else the seconds until the next minute."""
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, [name])
        calls, left = cursor.fetchone()
        if calls == 1:  # somebody new: the place of those long gone is free
            cursor.execute(_SWEEP)
    return left if calls > limit else 0


def used_up(name: str, limit: int) -> int:
    """Without counting: the seconds to wait where the limit is reached already, else 0."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [name])
        found = cursor.fetchone()
    return found[1] if found and found[0] >= limit else 0


def network(address: str) -> str:
    """What an address is counted as: itself, or its /64 where it is IPv6, for one household has all of that."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)
