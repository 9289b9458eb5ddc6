"""The tables that `calculate` returns, from the books of all components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import Whole, codes
from payouts.kernel.batch import (
    DATED,
    MISSING_DAY,
    MISSING_MONEY,
    OF_CREDIT,
    WAITING,
    Codes,
    Groups,
    Ints,
    Lines,
    Releases,
    Result,
    Text,
    Traces,
    Tranches,
)
from payouts.kernel.book import Book
from payouts.kernel.groups import Series
from payouts.kernel.order import Version
from payouts.kernel.reads import DIVIDED, taken


@dataclass(frozen=True, slots=True)
class Shape:
    """Which optional columns the tables have: those that some book has a use for."""

    special: bool  # lines that are no credit's
    plan: bool  # lines that another version rates than gave the credit
    measured: bool
    review: bool
    incentive: bool
    exact: bool  # measures that are ratios
    result: bool
    quota: bool  # lines for which another quota held than for the last of their group
    opening: bool
    releases: Releases  # all that there are, where some people have another than others; else none

    @classmethod
    def of(cls, books: list[Book]) -> Shape:
        series = [book.series for book in books]
        special = any(each.kind is not None for each in series)
        return cls(
            special=special,
            plan=special or any(_rerun(each) for each in series),
            measured=special or any(each.measured is not None for each in series),
            review=any(book.review is not None for book in books),
            incentive=any(book.incentive is not None for book in books),
            exact=any(each.value is not None and _divides(each) for each in series),
            result=any(book.result is not None for book in books),
            quota=any(_quota_moves(book) for book in books),
            opening=any(each.opening is not None for each in series),
            releases=_releases(books),
        )


def _releases(books: list[Book]) -> Releases:
    """The releases of all versions, where overrides give some people of a version one of their own."""
    versions = [version for book in books for version in book.series.versions]
    found = {(each.plan_place, each.component_place, each.component.release) for each in versions}
    places = {(plan, component) for plan, component, _ in found}
    return tuple(dict.fromkeys(each.component.release for each in versions)) if len(found) > len(places) else ()


def _rerun(series: Series) -> bool:
    plans = {version.plan_place for version in series.versions}
    return len(plans) > 1 and any(version.plan.on_new_version == "rerun" for version in series.versions)


def _quota_moves(book: Book) -> bool:
    """Whether the quota of a group is another one before its last line: over a year, or by another version's terms."""
    series = book.series
    if series.year is None and len(series.versions) == 1:
        return False
    return bool((book.quota != book.quota[series.last][series.group]).any())


def _divides(series: Series) -> bool:
    return any(_is_ratio(version) for version in series.versions)


def _is_ratio(version: Version) -> bool:
    return version.component.measure.value in DIVIDED or version.component.kind == "scorecard"


def assembled(credited: Credited, books: list[Book]) -> Result:
    """Everything, one component below the other. Takes the books away: each is let go of when its columns are in the
    tables, so that they do not stand in memory twice."""
    shape = Shape.of(books)
    groups, lines, parts = _tables(credited, shape, _handed_over(books))
    return Result(credited.credits, groups, lines, parts, credited.waits, releases=shape.releases or None)


def _handed_over(books: list[Book]) -> Iterator[Book]:
    books.reverse()
    while books:
        yield books.pop()


def tables(credited: Credited, books: list[Book]) -> tuple[Groups, Lines, Tranches]:
    """The groups, lines and tranches of books, one book below the other."""
    return _tables(credited, Shape.of(books), iter(books))


def _tables(credited: Credited, shape: Shape, books: Iterator[Book]) -> tuple[Groups, Lines, Tranches]:
    groups: list[Groups] = []
    lines: list[Lines] = []
    parts: list[Tranches] = []
    first_group = first_line = 0
    for book in books:
        groups.append(_groups(credited, book, shape))
        lines.append(_lines(credited, book, shape, first_group, first_line))
        assert book.tranches is not None
        parts.append(_shifted(book.tranches, first_line))
        first_group += book.series.starts.size
        first_line += book.series.row.size
        del book
    return _joined(Groups, groups), _joined(Lines, lines), _joined(Tranches, parts)


def _shifted(parts: Tranches, first_line: int) -> Tranches:
    if not first_line:
        return parts
    columns = {each.name: getattr(parts, each.name) for each in fields(Tranches)}
    return Tranches(**{**columns, "line": parts.line + first_line})


def _groups(credited: Credited, book: Book, shape: Shape) -> Groups:
    series = book.series
    last = series.last
    version = series.version[last]
    period = series.period[last]
    if series.year is not None:
        period = np.where(series.year[last] >= 0, series.year[last], period)
    top, bottom = _exact(series) if shape.exact else (None, None)
    result_top, result_bottom = _of_result(book) if shape.result else (None, None)
    incentive = None
    if shape.incentive:
        incentive = np.full(last.size, MISSING_MONEY) if book.incentive is None else book.incentive[last]
    return Groups(
        participant=credited.people[series.person],
        plan=_places(series, "plan_place")[version],
        component=_places(series, "component_place")[version],
        period=period,
        replicate=series.replicate,
        quota=book.quota[last],
        total=series.after[last],
        lines=last - series.starts + 1,
        incentive=incentive,
        value_top=top,
        value_bottom=bottom,
        result_top=result_top,
        result_bottom=result_bottom,
    )


def _exact(series: Series) -> tuple[Whole, Whole]:
    """The exact measure of each group where it is a ratio, in whole units; 0 / 0 elsewhere."""
    rows = series.starts.size
    top, bottom = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    if series.value is None or not _divides(series):
        return top, bottom
    # A group's own line is its first; carried excess may stand behind it.
    heads = series.starts
    value = taken(series.value.reduced(), heads)
    divides = np.array([_is_ratio(version) for version in series.versions])
    assert series.waits is not None
    mine = divides[series.version[heads]] & ~series.waits[heads]
    return np.where(mine, value.top, 0), np.where(mine, value.bottom, 0)


def _of_result(book: Book) -> tuple[Whole, Whole]:
    rows = book.series.starts.size
    if book.result is None:
        return np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    value, missing = book.result
    return np.where(missing, 0, value.top), np.where(missing, 0, value.bottom)


def _lines(credited: Credited, book: Book, shape: Shape, first_group: int, first_line: int) -> Lines:
    series = book.series
    assert book.rounded is not None
    kind = plan = day = fact = origin = None
    if shape.plan:
        plan = _places(series, "plan_place")[series.version]
    if shape.special:
        rows = series.row.size
        kind = np.full(rows, OF_CREDIT, dtype=np.int8) if series.kind is None else series.kind
        day, origin = series.day, np.full(rows, -1, dtype=np.int64)
        known = series.row >= 0
        fact = np.where(known, credited.credits.fact[np.where(known, series.row, 0)], -1) if known.any() else series.row
        for each in series.reversed:
            fact[each.lines], origin[each.lines] = each.rows.fact, each.rows.line + first_line
    review = None
    if shape.review:
        review = np.zeros(series.row.size, dtype=np.int64) if book.review is None else book.review
    opening = None
    if shape.opening:
        opening = np.full(series.row.size, -1, dtype=np.int64) if series.opening is None else series.opening
    return Lines(
        credit=series.row,
        group=series.group + first_group if first_group else series.group,
        component=_places(series, "component_place")[series.version],
        position=book.position,
        before=series.before,
        after=series.after,
        tier_before=book.tier_before,
        tier_after=book.tier_after,
        band=book.band,
        rounded=book.rounded,
        earned=book.earnings,
        waiting=book.waiting,
        kind=kind,
        plan=plan,
        day=day,
        fact=fact,
        origin=origin,
        measured=series.amounts if shape.measured else None,
        review=review,
        quota=book.quota if shape.quota else None,
        opening=opening,
        release=_released_by(series, shape.releases)[series.version] if shape.releases else None,
    )


def _released_by(series: Series, releases: Releases) -> Codes:
    return codes([releases.index(version.component.release) for version in series.versions])


def _places(series: Series, name: str) -> Codes:
    return codes([getattr(version, name) for version in series.versions])


def _joined(kind: Any, tables: list[Any]) -> Any:
    """Tables of the same kind one below the other. A column of tranches that only some have is 0 where it is absent."""
    if len(tables) == 1:
        return tables[0]
    kept = [each for each in fields(kind) if any(getattr(table, each.name) is not None for table in tables)]
    parts = [{each.name: _column(table, each.name) for each in kept} for table in tables]
    # The tables are used up column by column, so that they do not stand in memory twice.
    tables.clear()
    columns = {each.name: np.concatenate([part.pop(each.name) for part in parts]) for each in kept}
    for each in fields(kind):
        if each.name not in columns and each.default is not None:
            columns[each.name] = np.zeros(0, dtype=np.int8 if each.name == "waiting" else np.int64)
    return kind(**columns)


def _column(table: Any, name: str) -> Any:
    found = getattr(table, name)
    return _filled(table, name) if found is None else found


def _filled(parts: Tranches, name: str) -> Any:
    """What stands in an optional column of tranches that have no use for it."""
    if name == "state":
        return np.where(parts.release_day == MISSING_DAY, WAITING, DATED).astype(np.int8)
    if name == "paid_amount":
        return parts.amount
    return np.full(parts.line.size, -1 if name == "exchange" else 0, dtype=np.int64)


def only_of(result: Result, participants: Ints) -> Result:
    """The rows of these participants."""
    credits, groups, lines, parts = result.credits, result.groups, result.lines, result.tranches
    kept_credit = np.isin(credits.participant, participants)
    kept_group = np.isin(groups.participant, participants)
    kept_line = kept_group[lines.group]
    kept_part = kept_line[parts.line]
    credit_to, group_to, line_to = (_renumbered(kept) for kept in (kept_credit, kept_group, kept_line))
    lines, parts, spread = _rows(lines, kept_line), _rows(parts, kept_part), result.schedules
    if spread is not None:
        spread = _rows(spread, kept_line[spread.line])
        spread = replace(spread, line=line_to[spread.line])
    return replace(
        result,
        credits=_rows(credits, kept_credit),
        groups=_rows(groups, kept_group),
        lines=replace(
            lines,
            credit=_moved(credit_to, lines.credit),
            group=group_to[lines.group],
            origin=None if lines.origin is None else _moved(line_to, lines.origin),
        ),
        tranches=replace(parts, line=line_to[parts.line]),
        schedules=spread,
        waits=None if result.waits is None else _rows(result.waits, np.isin(result.waits.participant, participants)),
        traces=_of_lines(result.traces, kept_line, line_to),
    )


def _of_lines(found: Traces | None, kept: Mask, line_to: Ints) -> Traces | None:
    if found is None:
        return None
    rows: Traces = _rows(found, kept[found.line])
    return replace(rows, line=line_to[rows.line])


def _renumbered(kept: Mask) -> Ints:
    return np.cumsum(kept) - 1


def _moved(to: Ints, rows: Ints) -> Ints:
    """Rows by their new numbers; -1 stays."""
    return np.where(rows >= 0, np.append(to, -1)[rows], -1)


def _rows(table: Any, kept: Mask) -> Any:
    columns = {each.name: getattr(table, each.name) for each in fields(table)}
    return type(table)(**{name: _part(column, kept) for name, column in columns.items()})


def _part(column: Any, kept: Mask) -> Any:
    if column is None:
        return None
    return Text(column.codes[kept], column.vocabulary) if isinstance(column, Text) else column[kept]
