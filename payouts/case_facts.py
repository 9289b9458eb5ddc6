"""The facts of a case file: deals, other facts with their teams, milestones and readings of usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from payouts.case_tables import columns, ints, objects, text
from payouts.kernel.batch import MILLIONTHS, MISSING_DAY, MISSING_MONEY, Facts, Milestones, Teams, Usage
from plans.rules.compiled import FactKind
from plans.rules.fields import FieldType
from plans.rules.look import join
from plans.rules.values import Document, read_number

if TYPE_CHECKING:
    from payouts.case import Reader

#: Fields that the kernel works out: no fact states them.
_WORKED_OUT = ("deal.", "computed.", "person.")
#: What a fact may be; `deals` are listed by themselves.
KINDS = tuple(kind for kind in get_args(FactKind) if kind != "deal")


def read_facts(
    reader: Reader, rows: list[tuple[str, Any]], types_of: Sequence[Mapping[str, FieldType]]
) -> tuple[Facts, Teams]:
    """The rows (deals first) as columns, and who stands on them. `types_of` are the fields of each plan version."""
    types: dict[str, FieldType] = {}
    for declared in types_of:
        for name, kind in declared.items():
            if name.startswith(_WORKED_OUT):
                continue
            if types.setdefault(name, kind) != kind:
                reader.look.report("plans", name, "one type", f"The versions declare {name} with different types.")
    values: dict[str, list[Any]] = {name: [] for name in types}
    events, team, kinds, deals = [], [], [], []
    for place, (path, row) in enumerate(rows):
        is_deal = path.startswith("deals")
        if is_deal:
            table = reader.look.table(row, path, ("id", "fields", "team"), ("event_time",))
        else:
            table = reader.look.table(row, path, ("id", "kind", "fields"), ("event_time", "deal", "team"))
        own = reader.look.text(table, path, "id", 200)
        if own is not None and reader.facts.index(own) != place:
            reader.look.report(join(path, "id"), own, "each id once", f"There are two facts {own}.")
        kinds.append("deal" if is_deal else reader.look.word(table, path, "kind", KINDS))
        deals.append(place if is_deal else reader.fact(table, path) if "deal" in table else -1)
        events.append(_event_time(reader, table, path))
        fields = reader.look.table(table.get("fields", {}), join(path, "fields"), (), tuple(types))
        with reader.money_in(fields.get("currency"), join(join(path, "fields"), "currency")):
            for field, kind in types.items():
                values[field].append(_value(reader, fields.get(field), kind, join(join(path, "fields"), field)))
        team += _team(reader, table, path, place)
    sources = values["source"]
    order = sorted(range(len(rows)), key=lambda row: (sources[row] or "", reader.facts[row]))
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows))

    def chosen(kind: str) -> list[tuple[str, list[Any]]]:
        return [(field, values[field]) for field, its in types.items() if its == kind]

    only_deals = all(kind == "deal" for kind in kinds)
    facts = Facts(
        id=np.arange(len(rows)),
        rank=rank,
        event_time=ints(events),
        text={field: text(found) for field, found in chosen("text")},
        money={field: ints(found, MISSING_MONEY) for field, found in chosen("money")},
        dates={field: ints(found, MISSING_DAY) for field, found in chosen("date")},
        numbers={field: objects(found) for field, found in chosen("number")},
        booleans={
            field: np.array([-1 if value is None else int(value) for value in found], dtype=np.int8)
            for field, found in chosen("boolean")
        },
        kind=None if only_deals else text(kinds),
        deal=None if only_deals else ints(deals, -1),
        currency=text(values["currency"]) if any(values["currency"]) else None,
    )
    fact, person, weight, standing = columns([(each[0], *each[2:]) for each in team], 4)
    return facts, Teams(fact, text([each[1] for each in team]), person, weight, standing)


def _team(reader: Reader, deal: Document, path: str, row: int) -> list[tuple[int, str, int, int, int]]:
    found = []
    for standing, (place, member) in enumerate(reader.rows("team", deal, path)):
        table = reader.look.table(member, place, ("role", "person"), ("weight",))
        role, person = reader.look.slug(table, place, "role"), reader.person(table, place)
        weight = reader.look.whole(table, place, "weight", 1, 10**9) if "weight" in table else 1
        if role is not None and person is not None and weight is not None:
            found.append((row, role, person, weight, standing))
    return found


def _event_time(reader: Reader, table: Document, path: str) -> int:
    """Microseconds since 1970-01-01 UTC; 0 where the deal states none, so that ids decide the order of a day."""
    if "event_time" not in table:
        return 0
    try:
        moment = datetime.fromisoformat(str(table["event_time"]))
        if moment.tzinfo is not None:
            return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)
    except ValueError:
        pass
    reader.look.wrong(join(path, "event_time"), table["event_time"], "an instant like 2026-01-11T09:30:00Z")
    return 0


def _value(reader: Reader, value: Any, kind: FieldType, path: str) -> Any:
    """A field's value as the kernel holds it, None where it is missing."""
    if value is None:
        return None
    if kind == "money":
        return reader.look.money_value(value, path, "any")
    if kind == "date":
        return reader.day({"day": value}, path, "day", path)
    found: Any = value
    allowed = "a text"
    if kind == "number":
        found, allowed = read_number(value), "a number with at most 6 decimals"
    elif kind == "boolean":
        found, allowed = value if isinstance(value, bool) else None, "true or false"
    elif not isinstance(value, str):
        found = None
    if found is None:
        reader.look.wrong(path, value, allowed)
    return found


def read_milestones(reader: Reader, facts: Facts) -> Milestones:
    """Those of `milestones`, and facts of that kind with a deal, a type and a day."""
    lines, kinds = [], []
    for path, row in reader.rows("milestones", reader.document):
        table = reader.look.table(row, path, ("deal", "kind", "day"))
        deal, kind = reader.fact(table, path), reader.look.slug(table, path, "kind")
        day = reader.day(table, path, "day")
        if deal is not None and kind is not None and day is not None:
            lines.append((deal, day))
            kinds.append(kind)
    for row, deal_of in _of_kind(facts, "milestone"):
        code, day = int(facts.text["type"].codes[row]), int(facts.dates["day"][row])
        if code >= 0 and day != MISSING_DAY:
            lines.append((deal_of, day))
            kinds.append(facts.text["type"].vocabulary[code])
    deals, days = columns(lines, 2)
    return Milestones(deals, text(kinds), days)


def read_usage(reader: Reader, facts: Facts) -> Usage:
    """Those of `usage`, and facts of that kind with a deal, a day and both numbers, in millionths. Of one day, what
    `usage` lists comes before all facts, in no order of its own."""
    lines = []
    for path, row in reader.rows("usage", reader.document):
        table = reader.look.table(row, path, ("deal", "day", "used", "contracted"))
        deal, day = reader.fact(table, path), reader.day(table, path, "day")
        used = reader.look.whole(table, path, "used", 0, 10**9)
        contracted = reader.look.whole(table, path, "contracted", -(10**9), 10**9)
        if deal is not None and day is not None and used is not None and contracted is not None:
            lines.append((deal, day, used, contracted, -1))
    place = np.empty_like(facts.rank)
    place[np.lexsort((facts.rank, facts.event_time))] = np.arange(facts.rank.size)
    for row, deal_of in _of_kind(facts, "usage"):
        day, numbers = int(facts.dates["day"][row]), [facts.numbers[name][row] for name in ("used", "contracted")]
        if day != MISSING_DAY and None not in numbers:
            used, contracted = (int(number * MILLIONTHS) for number in numbers)
            lines.append((deal_of, day, used, contracted, int(place[row])))
    return Usage(*columns(lines, 5))


def _of_kind(facts: Facts, kind: str) -> list[tuple[int, int]]:
    """The rows of a kind of fact that belong to a deal, each with the deal's row."""
    if facts.kind is None or facts.deal is None or kind not in facts.kind.vocabulary:
        return []
    mine = (facts.kind.codes == facts.kind.vocabulary.index(kind)) & (facts.deal >= 0)
    return [(int(row), int(facts.deal[row])) for row in np.flatnonzero(mine)]
