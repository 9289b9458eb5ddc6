"""What stands beside what is right: rows of the standing tables, in the words of what they are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from comp.core.days import day_date
from payouts.frames.sql import EPOCH, FEW_PEOPLE, Columns, Table, Words, day, number, quoted, read, read_numbers
from payouts.frames.tables import ATTAINMENTS, EARNINGS, LINE
from payouts.kernel.batch import Ints

#: Up to so many words a text is compared with each of them.
COMPARED = 8


def standing(
    table: Table,
    *,
    right: Columns,
    start: int,
    end: int,
    participants: Sequence[int] | None,
    since: Mapping[int, int] | None = None,
) -> Columns:
    """The rows that stand with credit dates (for attainments: period starts) in [start, end), with their ids. `since`:
    of each participant those from that day on, and all attainments. Texts are told in the words of `right`, what is
    compared with them; another word is code -1."""
    date = "starts_on" if table is ATTAINMENTS else "credit_date"
    params: dict[str, Any] = {"start": start, "end": end, "people": None}
    picked = {"id": "id"}
    for name in table.columns:
        if name in table.words:
            words = right[name].words
            params |= {name: list(words)} | {f"{name}{code}": word for code, word in enumerate(words[:COMPARED])}
            picked[name] = _coded(name, len(words))
        elif name in table.days:
            picked[name] = day(name) if name in table.nullable else f"({quoted(name)} - {EPOCH})::bigint"
        else:
            picked[name] = number(quoted(name)) if name in table.nullable else f"{quoted(name)}::bigint"
    source, first = table.name, "'1970-01-01'::date + %(start)s::int"
    if participants is not None:
        params["people"] = list(participants)
        if since is not None and table is not ATTAINMENTS:
            # As days: behind a wall the index is not asked with what is worked out of another column.
            source = f"unnest(%(people)s::bigint[], %(since)s::date[]) AS whose (person, since) JOIN {source}"
            source += " ON participant_id = whose.person"
            days = ",".join(str(day_date(since[person])) for person in participants)
            first, params["since"] = "whose.since", f"{{{days}}}"
    rows = f"FROM {source} WHERE {date} >= {first} AND {date} < '1970-01-01'::date + %(end)s::int"
    if participants is not None and "since" not in params:
        rows += " AND participant_id = ANY(%(people)s)"
    found = None
    if participants is not None and len(participants) > FEW_PEOPLE:
        found = _as_usual(picked, rows, params, table, right)
    if found is None:
        found = read_numbers(f"SELECT {', '.join(picked.values())} {rows}", params, list(picked))
    return {name: Words(found[name], right[name].words) if name in table.words else found[name] for name in picked}


#: Columns that a plan's new version or a move of people changes in all rows at once.
OTHERWISE = frozenset({"plan_version_id", "pay_group_id"})


def _as_usual(
    picked: Mapping[str, str], rows: str, params: Mapping[str, Any], table: Table, right: Columns
) -> Columns | None:
    """The same columns of the same rows, where those that are alike in all that is right are so in all that stands:
    then one number a row says that they are, and none of them is sent, which costs more than finding the rows does.
    None where a row is otherwise."""
    alike: dict[str, int] = {}
    more = dict(params)
    asked = []
    for name in table.columns:
        column = right[name]
        numbers = column.codes if isinstance(column, Words) else column
        if not numbers.size or (numbers != numbers[0]).any():
            continue
        value = int(numbers[0])
        if name in OTHERWISE or (isinstance(column, Words) and value < 0):
            continue
        if isinstance(column, Words):
            more[f"{name}_alike"] = column.words[value]
            asked.append(f"{quoted(name)}::text = %({name}_alike)s")
        else:
            more[f"{name}_alike"] = str(value)  # the smallest bigint is none before its sign is read
            asked.append(f"{picked[name]} = %({name}_alike)s::bigint")
        alike[name] = value
    if not alike:
        return None
    sent = {name: sql for name, sql in picked.items() if name not in alike}
    sent["alike"] = f"(({' AND '.join(asked)}) IS TRUE)::int::bigint"
    found = read_numbers(f"SELECT {', '.join(sent.values())} {rows}", more, list(sent))
    if not found["alike"].all():
        return None
    return found | {name: np.full(found["id"].size, value, dtype=np.int64) for name, value in alike.items()}


def _coded(name: str, words: int) -> str:
    """SQL: the place of a text among the words in the parameter `name`, -1 where it is none of them. Where there are
    few, comparing costs a tenth of looking into an array."""
    column = quoted(name)
    if words > COMPARED:
        return f"(coalesce(array_position(%({name})s::text[], {column}::text), 0) - 1)::bigint"
    whens = " ".join(f"WHEN %({name}{code})s THEN {code}" for code in range(words))
    return f"(CASE {column} {whens} ELSE -1 END)::bigint" if words else "-1::bigint"


def lines_standing(ids: Ints) -> Columns:
    """Lines that stand, by id, with their texts: what stood may name a component that no plan has any more."""
    return read(
        f"SELECT participant_id, pay_group_id, line_kind, fact, {number('deal_id')} AS deal_id, origin, "
        f"{day('period')} AS period, plan_id, component, {day('credit_date')} AS credit_date, earned_minor, currency "
        "FROM payouts_earning WHERE id = ANY(%(ids)s)",
        {"ids": ids.tolist()},
        words=["component", "currency"],
    )


def earned_elsewhere(right: Columns, rows: Ints) -> Ints:
    """What each of these lines earns where it stands already, 0 where it does not: one that is new among those read may
    stand on a day that was not, until news of its deal is taken up."""
    found = np.zeros(rows.size, dtype=np.int64)
    pairs = np.unique(np.stack((right["participant_id"][rows], right["fact"][rows])), axis=1)
    stands = read(
        f"SELECT {', '.join(_in_key(name) for name in LINE)}, earned_minor FROM payouts_earning "
        "JOIN unnest(%(people)s::bigint[], %(facts)s::bigint[]) AS whose (person, about) "
        "ON participant_id = whose.person AND fact = whose.about",
        {"people": pairs[0].tolist(), "facts": pairs[1].tolist()},
        words=[name for name in LINE if name in EARNINGS.words],
    )
    if stands["earned_minor"].size:
        every = np.arange(stands["earned_minor"].size)
        earned = dict(zip(_keys(stands, every), stands["earned_minor"].tolist(), strict=True))
        found[:] = [earned.get(key, 0) for key in _keys(right, rows)]
    return found


def _in_key(name: str) -> str:
    """SQL: a column of a line's key."""
    return f"{day(name)} AS {name}" if name in EARNINGS.days else quoted(name)


def _keys(columns: Columns, rows: Ints) -> Iterator[tuple[Any, ...]]:
    """The keys of these lines, with their texts."""
    return zip(*(_told(columns[name], rows) for name in LINE), strict=True)


def _told(column: Any, rows: Ints) -> list[Any]:
    if isinstance(column, Words):
        return [column.words[code] for code in column.codes[rows].tolist()]
    values: list[Any] = column[rows].tolist()
    return values
