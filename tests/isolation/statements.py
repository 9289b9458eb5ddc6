"""Statements as an attacker would write them, and what the database says to them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction


def sql(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def copied(statement: str) -> list[str]:
    out = io.StringIO()
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.cursor.copy_expert(statement, out)
    return out.getvalue().splitlines()


def insert(table: str, row: dict[str, Any]) -> None:
    """That very row. The walls are asked before keys and uniques are."""
    sql(f'INSERT INTO "{table}" SELECT * FROM jsonb_populate_record(NULL::"{table}", %s::jsonb)', json.dumps(row))


@contextmanager
def refused(kind: type[Exception] | tuple[type[Exception], ...], text: str = "") -> Iterator[list[Any]]:
    """The database refuses what is tried inside, for this reason; the transaction goes on."""
    causes: list[Any] = []
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        yield causes
    causes.append(refusal.value.__cause__)
    assert isinstance(refusal.value, kind) or isinstance(causes[0], kind), refusal.value
    assert text in str(refusal.value)
