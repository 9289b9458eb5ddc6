"""Columns out of and into PostgreSQL by COPY."""

from __future__ import annotations

import csv
import io
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from django.db import IntegrityError, connection, transaction

from comp.tenancy import prepared
from comp.tenancy.scope import scope_or_none
from crediting.kernel.conditions import Mask
from payouts.kernel.batch import MISSING_DAY, Ints

#: What stands for NULL in integer columns on the way in and out: MISSING_DAY and MISSING_MONEY are the same number.
NONE = MISSING_DAY
NULL = f"'{NONE}'::bigint"
EPOCH = "'1970-01-01'::date"
CHUNK = 200_000
#: From so many rows on it pays to try without looking for each whether it stands.
TRIED = 1_000
#: From so many rows on a temporary table is emptied rather than its rows deleted.
MANY = 20_000
#: Up to so many bytes of an answer are read here: pandas needs a millisecond before its first row, and a quarter of the
#: time for each.
SHORT = 16_000
#: What was read once is read without parsing the next time, where a column has no more texts than this, and no longer
#: ones; of so many queries that is known.
VOCABULARY, LENGTH, NOTED = 8, 100, 500
#: What is asked of so many people is read row by row, by a plan that is kept, while it is no more rows than this; of
#: more, COPY is the quicker way.
FEW_PEOPLE, ROWS = 4, 5000
#: Up to so many rows are sent within the statement that writes them, not by COPY into a temporary table before it: when
#: the transaction ends its file is cut off, and each commit of a worker waited for the disk.
SENT = 5000
#: Of so many rows those that only moved up or down beside others are not looked for.
FEW = 500


@dataclass(frozen=True, slots=True)
class Words:
    """A text column: codes into words; -1 is a word that is not among them."""

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
    few = _is_few(params)
    if few and prepared.came(sql):
        return _of_rows(*_few(sql, params), words)
    scope = scope_or_none()
    place = scope.tenant_id if scope else 0, sql
    known = None if few else _noted(place)
    if known and (coded := _coded(sql, params, known)) is not None:
        return coded
    found = _parsed(sql, params, words, few)
    if not few:
        _remember(place, found, known)
    return found


def _parsed(sql: str, params: Mapping[str, Any], words: Sequence[str], few: bool) -> Columns:
    """The columns of an answer of which nothing is known before. Short ones of `few` people are noted for a plan."""
    with connection.cursor() as cursor:
        query = cursor.cursor.mogrify(sql, _literal(params)).decode()
        out = io.BytesIO()
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER true)", out)
    if out.tell() <= SHORT:
        names, *rows = csv.reader(io.StringIO(out.getvalue().decode(), newline=""))
        if few and len(rows) <= ROWS:
            prepared.note(sql)
        return _of_rows(names, rows, words)
    names = out.getvalue().partition(b"\n")[0].decode().replace('"', "").split(",")
    # A column of texts that all read as numbers, or as true and false, would be taken for one of those: 007 for 7.
    out.write(",".join(_TEXT if name in words else "0" for name in names).encode())
    out.seek(0)
    types: dict[str, Any] = {name: "category" if name in words else "int64" for name in names}
    table = pd.read_csv(out, dtype=types, keep_default_na=False, low_memory=False)
    found: Columns = {}
    for name in names:
        if name in words:
            codes: Ints = table[name].cat.codes.to_numpy().astype(np.int64)
            found[name] = _without(codes, tuple(table[name].cat.categories))
        else:
            found[name] = table[name].to_numpy(dtype=np.int64)[:-1]
    return found


@dataclass(slots=True)
class _Long:
    """What long answers of a query had: the names of their columns, each with its words where it is of texts. Nothing
    where these are too many or too long, so that they are not looked for each time. Good `until` then: what texts say
    is not kept for longer than plans are."""

    columns: dict[str, tuple[str, ...] | None]
    until: float


#: By tenant and query.
_long: OrderedDict[tuple[int, str], _Long] = OrderedDict()


def _noted(place: tuple[int, str]) -> dict[str, tuple[str, ...] | None] | None:
    """What is known of the answers; None: nothing yet."""
    known = _long.get(place)
    if known is None or known.until < time.monotonic():
        return None
    with suppress(KeyError):  # another thread may have taken it away
        _long.move_to_end(place)
    return known.columns


def _remember(place: tuple[int, str], found: Columns, known: Mapping[str, tuple[str, ...] | None] | None) -> None:
    """Notes what an answer had, for the next one."""
    if known == {}:
        return
    noted: dict[str, tuple[str, ...] | None] = {}
    for name, column in found.items():
        noted[name] = None
        if isinstance(column, Words):
            words = {*column.words, *((known or {}).get(name) or ())}
            if len(words) > VOCABULARY or any(len(word) > LENGTH for word in words):
                noted = {}
                break
            noted[name] = tuple(sorted(words))
    now = time.monotonic()
    for each in [each for each, kept in list(_long.items()) if kept.until < now]:
        _long.pop(each, None)
    _long[place] = _Long(noted, now + prepared.GOOD_SECONDS)
    while len(_long) > NOTED:
        _long.popitem(last=False)


def _coded(sql: str, params: Mapping[str, Any], known: Mapping[str, tuple[str, ...] | None]) -> Columns | None:
    """The same as `_parsed`, where nothing needs parsing: texts come as their place among those that came before. None
    where another one has come."""
    picked, more = [], dict(params)
    for name, words in known.items():
        if words is None:
            picked.append(f"{quoted(name)}::bigint")
            continue
        whens = " ".join(f"WHEN %({name}_word{code})s THEN {code}" for code in range(len(words)))
        more |= {f"{name}_word{code}": word for code, word in enumerate(words)}
        picked.append(
            f"(CASE coalesce({quoted(name)}::text, '') {whens} ELSE -1 END)::bigint" if words else "-1::bigint"
        )
    found = read_numbers(f"SELECT {', '.join(picked)} FROM ({sql}) AS answer", more, list(known))
    for name, words in known.items():
        if words is not None:
            present = np.flatnonzero(np.bincount(found[name] + 1, minlength=len(words) + 1))
            if present.size and present[0] == 0:
                return None
            table = np.zeros(len(words), dtype=np.int64)
            table[present - 1] = np.arange(present.size)
            found[name] = Words(table[found[name]], tuple(words[code - 1] for code in present))
    return found


#: A text that is no number.
_TEXT = "\U0010ffff"


def _without(codes: Ints, words: tuple[str, ...]) -> Words:
    """The column without its last row; and without that row's word, where no other has it."""
    codes, last = codes[:-1], int(codes[-1])
    if (codes == last).any():
        return Words(codes, words)
    return Words(codes - (codes > last), words[:last] + words[last + 1 :])


def _literal(params: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of whole numbers as one text each, which PostgreSQL reads at once: of thousands, planning would take longer
    than the query."""
    return {name: numbers(value) if _is_numbers(value) else value for name, value in params.items()}


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], int)


def numbers(values: Sequence[int]) -> str:
    """Whole numbers as PostgreSQL writes an array of them."""
    return f"{{{str(list(values))[1:-1]}}}"


def _is_few(params: Mapping[str, Any]) -> bool:
    """Whether little is asked for: of a few people, or of what there is little of, as plans and lines of reporting."""
    people = params.get("people", ())
    return people is not None and len(people) <= FEW_PEOPLE


def _few(sql: str, params: Mapping[str, Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns' names and the rows of a SELECT, by a plan that is kept for as long as they are few."""
    with connection.cursor() as cursor:
        prepared.execute(cursor, sql, _literal(params))
        names, rows = [column.name for column in cursor.description], cursor.fetchall()
    if len(rows) > ROWS:
        prepared.forget(sql)
    return names, rows


def _of_rows(names: Sequence[str], rows: Sequence[Sequence[Any]], words: Sequence[str]) -> Columns:
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    found: Columns = {}
    for name, column in zip(names, columns, strict=True):
        if name in words:
            texts = [text or "" for text in column]
            known = sorted(set(texts))
            place = {word: code for code, word in enumerate(known)}
            found[name] = Words(np.array([place[text] for text in texts], dtype=np.int64), tuple(known))
        else:
            found[name] = np.array([int(value) for value in column], dtype=np.int64)
    return found


def read_numbers(sql: str, params: Mapping[str, Any], names: Sequence[str]) -> Columns:
    """Runs a SELECT of bigints without NULL, named here, through binary COPY: nothing is parsed."""
    few = _is_few(params)
    if few and prepared.came(sql):
        return _of_rows(names, _few(sql, params)[1], ())
    with connection.cursor() as cursor:
        query = cursor.cursor.mogrify(sql, _literal(params)).decode()
        out = io.BytesIO()
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", out)
    layout = _layout(names)
    count = (out.tell() - len(_HEAD) - len(_END)) // layout.itemsize
    if few and count <= ROWS:
        prepared.note(sql)
    block = np.frombuffer(out.getbuffer(), dtype=layout, count=count, offset=len(_HEAD))
    whole = out.tell() == len(_HEAD) + count * layout.itemsize + len(_END) and (block["fields"] == len(names)).all()
    if not whole or any((block[f"l{place}"] != 8).any() for place in range(len(names))):
        raise ValueError(f"an answer of {', '.join(names)} holds something else than whole numbers: {sql[:200]}")
    return {name: block[f"v{place}"].astype(np.int64) for place, name in enumerate(names)}


#: PostgreSQL's binary COPY: before the first row and after the last.
_HEAD, _END = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"


def _layout(names: Sequence[str]) -> np.dtype[np.void]:
    """A row of bigints: how many fields, then each field's length and value."""
    fields = [("fields", ">i2"), *(pair for i in range(len(names)) for pair in ((f"l{i}", ">i4"), (f"v{i}", ">i8")))]
    return np.dtype(fields)


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
    moving: frozenset[str] = frozenset()  # of the values those that change where another row comes before

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.values)


class Part(NamedTuple):
    """Rows of columns that become rows of a table."""

    table: Table
    columns: Columns
    rows: Ints


def load(parts: Iterable[Part]) -> None:
    """Inserts the given rows into their tables. One that stands under the same key already (with a date of another
    span) is changed; a table without a key only grows."""
    many: dict[int, list[Part]] = defaultdict(list)
    with connection.cursor() as cursor:
        for part in parts:
            table, columns, rows = part
            if table.key:
                # In the order of the unique key, so that its index grows at one end of each person's part.
                rows = rows[np.lexsort([columns[name][rows] for name in reversed(table.key[:2])])]
            if rows.size > SENT:
                many[rows.size].append(Part(table, columns, rows))
            elif rows.size:
                names = table.columns
                alike = _alike(columns, names, rows)
                # Columns that are alike in all rows do not travel.
                sent = [name for name in names if name not in alike] or names[:1]
                with _staged(cursor, "", columns, names, sent, rows) as (source, more):
                    _insert(cursor, part, alike, {name: f"t.{quoted(name)}" for name in sent}, source, more)
        for together in many.values():
            _load_together(cursor, together)


def _load_together(cursor: Any, parts: Sequence[Part]) -> None:
    """Inserts as many rows into each of some tables. They stand in one temporary table before, where a column that is
    the same as another one, of this table or of one before it, is once: a credit, its line and its tranche are of one
    person, fact and day."""
    held: list[Ints] = []
    ready = []
    for part in parts:
        alike: dict[str, int] = {}
        places: dict[str, str] = {}
        for name in part.table.columns:
            values = _numbers(part.columns[name])[part.rows]
            if (values == values[0]).all():
                alike[name] = int(values[0])
                continue
            same = (i for i, other in enumerate(held) if other[0] == values[0] and np.array_equal(other, values))
            place = next(same, len(held))
            if place == len(held):
                held.append(values)
            places[name] = f"t.c{place}"
        ready.append((part, alike, places))
    columns: Columns = {f"c{place}": values for place, values in enumerate(held)}
    every = np.arange(parts[0].rows.size)
    columns = columns or {"c0": every}
    with _staged(cursor, f"load_{len(columns)}", columns, [*columns], [*columns], every) as (source, more):
        for part, alike, places in ready:
            _insert(cursor, part, alike, places, source, more)


def _insert(
    cursor: Any, part: Part, alike: Mapping[str, int], places: Mapping[str, str], source: str, more: Sequence[str]
) -> None:
    """Inserts a part out of `source`, where `places` says how each column stands that is not `alike` in all rows."""
    table, names, size = part.table, part.table.columns, part.rows.size
    values, params = _values(table, part.columns, names, alike, places)
    target = ", ".join(map(quoted, names))
    if table.stamped:
        target += f", {quoted(table.stamped)}"
        values.append("now()")
    params += more
    insert = (
        f"INSERT INTO {table.name} (tenant_id, {target}) "
        # Within a query of its own, so that the setting is read once and not for each row.
        f"SELECT (SELECT current_setting('app.tenant')::bigint), {', '.join(values)} FROM {source} "
    )
    if not table.key:
        prepared.execute(cursor, insert, params, keep=size <= SENT)
    elif size < TRIED or not _inserted(cursor, insert, params):
        key = ", ".join(map(quoted, table.key))
        changed = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in table.values)
        insert += f"ON CONFLICT (tenant_id, {key}) DO UPDATE SET {changed}"
        prepared.execute(cursor, insert, params, keep=size <= SENT)


def _inserted(cursor: Any, insert: str, params: Sequence[Any]) -> bool:
    """Inserts rows of which none should stand, a third quicker than by looking for each; False, and nothing is
    inserted, where one does."""
    try:
        with transaction.atomic():
            cursor.execute(insert, params)
    except IntegrityError:
        return False
    return True


def change(table: Table, right: Columns, rows: Ints, standing: Columns, was: Ints) -> None:
    """Gives the standing rows `was` the values of the given rows of what is right, one for one. Where they are many,
    most only moved up or down beside others: of those nothing else is written."""
    if not rows.size:
        return
    moved = only_moved(table, right, rows, standing, was)
    every = np.arange(rows.size)
    for part in (every[~moved], every[moved]) if rows.size > FEW else (every,):
        if part.size:
            some, were = rows[part], was[part]
            names = [name for name in table.values if _unlike(right[name], standing[name], some, were).any()]
            _change(table, right, names, some, standing["id"][were])


def only_moved(table: Table, right: Columns, rows: Ints, standing: Columns, was: Ints) -> Mask:
    """Which of the given rows differ from the standing rows `was` in nothing but where they stand beside others."""
    more = np.zeros(rows.size, dtype=bool)
    for name in table.values:
        if name not in table.moving:
            more |= _unlike(right[name], standing[name], rows, was)
    moved: Mask = ~more
    return moved


def _unlike(right: Any, standing: Any, rows: Ints, was: Ints) -> Mask:
    """Where the given rows of two columns differ."""
    if isinstance(right, Words):
        order = {word: code for code, word in enumerate(right.words)}
        return right.codes[rows] != standing.renamed(order)[was]
    return right[rows] != standing[was]


def _change(table: Table, columns: Columns, names: Sequence[str], rows: Ints, ids: Ints) -> None:
    every = {**columns, "id": np.zeros(rows.max() + 1, dtype=np.int64)}
    every["id"][rows] = ids
    alike = _alike(every, names, rows)
    places = {name: f"t.{quoted(name)}" for name in names}
    values, params = _values(table, columns, names, alike, places)
    changed = ", ".join(f"{quoted(name)} = {value}" for name, value in zip(names, values, strict=True))
    sent = ("id", *(name for name in names if name not in alike))
    with (
        connection.cursor() as cursor,
        _staged(cursor, f"change_{table.name}", every, ("id", *table.values), sent, rows) as (source, more),
    ):
        update = f"UPDATE {table.name} s SET {changed} FROM {source} WHERE s.id = t.id"
        prepared.execute(cursor, update, [*params, *more], keep=rows.size <= SENT)


@contextmanager
def _staged(
    cursor: Any, temp: str, columns: Columns, names: Sequence[str], sent: Sequence[str], rows: Ints
) -> Iterator[tuple[str, list[str]]]:
    """SQL of the columns `sent` of the rows as `t`, all plain bigints, and its parameters: a few rows stand in the
    statement itself, more in a temporary table, which has all of the `names` (COPY into a walled table is refused by
    PostgreSQL). Texts travel as codes and days as numbers."""
    if rows.size <= SENT:
        arrays = ", ".join(["%s::bigint[]"] * len(sent))
        every = [numbers(_numbers(columns[name])[rows].tolist()) for name in sent]
        yield f"unnest({arrays}) t ({', '.join(map(quoted, sent))})", every
        return
    fields = ", ".join(f"{quoted(name)} bigint" for name in names)
    temp = quoted(temp)
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {temp} ({fields}) ON COMMIT DELETE ROWS")
    copy = f"COPY {temp} ({', '.join(map(quoted, sent))}) FROM STDIN (FORMAT binary)"
    for start in range(0, rows.size, CHUNK):
        cursor.cursor.copy_expert(copy, _binary(columns, sent, rows[start : start + CHUNK]))
    yield f"{temp} t", []
    cursor.execute(f"DELETE FROM {temp}" if rows.size < MANY else f"TRUNCATE {temp}")


def _numbers(column: Any) -> Ints:
    """A column as it travels: texts by their codes."""
    found: Ints = column.codes if isinstance(column, Words) else column
    return found


def _alike(columns: Columns, names: Sequence[str], rows: Ints) -> dict[str, int]:
    """Columns that hold one number in all of these rows, and which."""
    found = {}
    for name in names:
        numbers = _numbers(columns[name])
        first = numbers[rows[0]]
        if (numbers[rows] == first).all():
            found[name] = int(first)
    return found


def _values(
    table: Table, columns: Columns, names: Sequence[str], alike: Mapping[str, int], places: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    """SQL of each column as the table wants it, out of its place among what was sent or `alike`; and the words that it
    picks from."""
    values: list[str] = []
    params: list[Any] = []
    for name in names:
        column, value = columns[name], places.get(name, "")
        if name in table.words:
            params.append(list(column.words))
        if name in alike:
            params.append(str(alike[name]))  # the smallest bigint is none before its sign is read
            value = "%s::bigint"
        if name in table.nullable:
            value = f"nullif({value}, {NULL})"
        if name in table.words:
            value = f"(%s::text[])[{value} + 1]"
        elif name in table.days:
            value = f"{EPOCH} + {value}::int"
        values.append(value)
    return values, params


def _binary(columns: Columns, names: Sequence[str], rows: Ints) -> io.BytesIO:
    """The rows in PostgreSQL's binary COPY form: every field a bigint."""
    block = np.empty(rows.size, dtype=_layout(names))
    block["fields"] = len(names)
    for i, name in enumerate(names):
        block[f"l{i}"] = 8
        block[f"v{i}"] = _numbers(columns[name])[rows]
    return io.BytesIO(_HEAD + block.tobytes() + _END)


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
        if isinstance(a, Words) and a.words == b.words:
            a, b = a.codes, b.codes
        elif isinstance(a, Words):
            order = {word: code for code, word in enumerate(sorted({*a.words, *b.words}))}
            a, b = a.renamed(order), b.renamed(order)
        joined[name] = np.concatenate([a, b])
    return joined


def _packed(columns: Sequence[Ints]) -> Ints:
    """One number a row that is equal exactly where all columns are."""
    packed = np.zeros(columns[0].size, dtype=np.int64)
    bound = 1
    for column in columns:
        low, high = int(column.min()), int(column.max())
        codes, size = column, high - low + 1
        if bound * size >= 2**62:  # too wide to stand beside the others: by the places of its values
            values, codes = np.unique(column, return_inverse=True)
            low, size = 0, values.size
        if bound * size >= 2**62:
            _, packed = np.unique(packed, return_inverse=True)
            bound = int(packed.max()) + 1
        if size > 1:
            packed = packed * size + (codes - low)
            bound *= size
    return packed


def delete(table: Table, ids: Ints) -> None:
    """Takes away standing rows by id."""
    if ids.size:
        with connection.cursor() as cursor:
            prepared.execute(cursor, f"DELETE FROM {table.name} WHERE id = ANY(%s::bigint[])", [numbers(ids.tolist())])
