"""Columns out of and into PostgreSQL by COPY."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection

from payouts.kernel.batch import MISSING_DAY, Ints

#: What stands for NULL in integer columns on the way in and out: MISSING_DAY and MISSING_MONEY are the same number.
NONE = MISSING_DAY
NULL = f"'{NONE}'::bigint"
EPOCH = "'1970-01-01'::date"
CHUNK = 200_000


@dataclass(frozen=True, slots=True)
class Words:
    """A text column: codes into words."""

    codes: Ints
    words: tuple[str, ...]

    def renamed(self, order: Mapping[str, int]) -> Ints:
        """The codes in another numbering; words that it does not know become -1."""
        table = np.array([*(order.get(word, -1) for word in self.words), -1], dtype=np.int64)
        renamed: Ints = table[self.codes]
        return renamed


Columns = dict[str, Any]  # name → Ints or Words, all of one length


def quoted(column: str) -> str:
    """SQL: a column's name; `index` and its like are words of SQL."""
    return f'"{column}"'


def day(column: str) -> str:
    """SQL: a date as a day number, NULL as NONE."""
    return f"coalesce(({column} - {EPOCH})::bigint, {NULL})"


def number(column: str) -> str:
    """SQL: a nullable integer, NULL as NONE."""
    return f"coalesce({column}::bigint, {NULL})"


def read(sql: str, params: Mapping[str, Any], *, words: Sequence[str] = ()) -> Columns:
    """Runs a SELECT through COPY. Columns are int64 (NULL already replaced), but for those named in `words`, where NULL
    reads as an empty text."""
    with connection.cursor() as cursor:
        query = cursor.cursor.mogrify(sql, dict(params)).decode()
        out = io.BytesIO()
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER true)", out)
    out.seek(0)
    names = out.readline().decode().strip().replace('"', "").split(",")
    out.seek(0)
    types: dict[str, Any] = {name: "category" if name in words else "int64" for name in names}
    table = pd.read_csv(out, dtype=types, keep_default_na=False)
    found: Columns = {}
    for name in names:
        if name in words:
            category = table[name].cat
            codes: Ints = category.codes.to_numpy().astype(np.int64)
            found[name] = Words(codes, tuple(map(str, category.categories)))
        else:
            found[name] = table[name].to_numpy(dtype=np.int64)
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """How a standing table is written. `days` are date columns, `nullable` hold NULL for NONE, `words` are text."""

    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    days: frozenset[str]
    words: frozenset[str]
    nullable: frozenset[str] = frozenset()
    stamped: str = ""  # a column that takes the transaction's time

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.values)


def load(table: Table, columns: Columns, rows: Ints) -> None:
    """Inserts the given rows, or changes those that stand under the same key (a table without a key only grows).

    COPY into a walled table is refused by PostgreSQL, so the rows pass through a temporary table of plain bigints;
    texts travel as codes and days as numbers.
    """
    if not rows.size:
        return
    if table.key:
        # In the order of the unique key, so that its index grows at one end of each person's part.
        rows = rows[np.lexsort([columns[name][rows] for name in reversed(table.key[:2])])]
    temp = f"load_{table.name}"
    fields = ", ".join(f'"{c}" bigint' for c in table.columns)
    target = ", ".join(f'"{c}"' for c in table.columns)
    changed = ", ".join(f'"{c}" = EXCLUDED."{c}"' for c in table.values)
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE TEMPORARY TABLE IF NOT EXISTS "{temp}" ({fields}) ON COMMIT DELETE ROWS')
        for start in range(0, rows.size, CHUNK):
            part = rows[start : start + CHUNK]
            cursor.cursor.copy_expert(f'COPY "{temp}" FROM STDIN (FORMAT binary)', _binary(table, columns, part))
        picked, params = [], []
        for name in table.columns:
            column, value = columns[name], f"t.{quoted(name)}"
            if name in table.nullable:
                value = f"nullif({value}, {NULL})"
            if name in table.words:
                picked.append(f"(%s::text[])[{value} + 1]")
                params.append(list(column.words))
            else:
                picked.append(f"{EPOCH} + {value}::int" if name in table.days else value)
        if table.stamped:
            target += f", {quoted(table.stamped)}"
            picked.append("now()")
        key = ", ".join(map(quoted, table.key))
        cursor.execute(
            f"INSERT INTO {table.name} (tenant_id, {target}) "
            f"SELECT current_setting('app.tenant')::bigint, {', '.join(picked)} FROM {quoted(temp)} t "
            + (f"ON CONFLICT (tenant_id, {key}) DO UPDATE SET {changed}" if key else ""),
            params,
        )
        cursor.execute(f'DELETE FROM "{temp}"' if rows.size < CHUNK else f'TRUNCATE "{temp}"')


def _binary(table: Table, columns: Columns, rows: Ints) -> io.BytesIO:
    """The rows in PostgreSQL's binary COPY form: every field a bigint."""
    names = table.columns
    layout = np.dtype(
        [("fields", ">i2"), *(pair for i in range(len(names)) for pair in ((f"l{i}", ">i4"), (f"v{i}", ">i8")))]
    )
    block = np.empty(rows.size, dtype=layout)
    block["fields"] = len(names)
    for i, name in enumerate(names):
        column = columns[name]
        block[f"l{i}"] = 8
        block[f"v{i}"] = (column.codes if isinstance(column, Words) else column)[rows]
    head = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
    return io.BytesIO(head + block.tobytes() + b"\xff\xff")


def differences(table: Table, right: Columns, standing: Columns) -> tuple[Ints, Ints, Ints, Ints]:
    """Compares by key: (rows of `right` that are new, rows of `right` that differ, the rows of `standing` that they
    differ from, rows of `standing` that are no longer right). `standing` also holds `id`."""
    fresh = _codes(table, right, standing)
    size = len(right[table.key[0]].codes if isinstance(right[table.key[0]], Words) else right[table.key[0]])
    there = standing["id"].size
    if not there:
        none = np.zeros(0, dtype=np.int64)
        return np.arange(size), none, none, none
    key = _packed([fresh[name] for name in table.key])
    mine, theirs = key[:size], key[size:]
    order = np.argsort(theirs, kind="stable")
    place = np.searchsorted(theirs[order], mine)
    match = order[np.minimum(place, there - 1)]
    known = theirs[match] == mine
    same = known.copy()
    for name in table.values:
        values = fresh[name]
        same &= values[:size] == values[size:][match]
    new = np.flatnonzero(~known)
    changed = np.flatnonzero(known & ~same)
    gone = np.ones(there, dtype=bool)
    gone[match[known]] = False
    return new, changed, match[changed], np.flatnonzero(gone)


def _codes(table: Table, right: Columns, standing: Columns) -> dict[str, Ints]:
    """Each column of both, one behind the other, texts in one numbering."""
    joined: dict[str, Ints] = {}
    for name in table.columns:
        a, b = right[name], standing[name]
        if isinstance(a, Words):
            order = {word: code for code, word in enumerate(sorted({*a.words, *b.words}))}
            a, b = a.renamed(order), b.renamed(order)
        joined[name] = np.concatenate([a, b])
    return joined


def _packed(columns: Sequence[Ints]) -> Ints:
    """One number a row that is equal exactly where all columns are."""
    packed = np.zeros(columns[0].size, dtype=np.int64)
    bound = 1
    for column in columns:
        values, codes = np.unique(column, return_inverse=True)
        if bound * max(values.size, 1) >= 2**62:
            _, packed = np.unique(packed, return_inverse=True)
            bound = int(packed.max(initial=0)) + 1
        packed = packed * values.size + codes
        bound *= max(values.size, 1)
    return packed


def delete(table: Table, ids: Ints) -> None:
    """Takes away standing rows by id."""
    if ids.size:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table.name} WHERE id = ANY(%s)", [ids.tolist()])
