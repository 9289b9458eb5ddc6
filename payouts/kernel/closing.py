"""What follows when lines have earned: tranches, what they are worth to people, schedules and settlements."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from crediting.kernel.columns import MILLIONTHS
from crediting.kernel.credit import Credited
from payouts.kernel.amortise import schedules
from payouts.kernel.batch import (
    DATED,
    MISSING_DAY,
    MISSING_MONEY,
    OF_CARRY,
    OF_CREDIT,
    OF_REVERSAL,
    WAITING,
    Batch,
    Ints,
    Result,
    Schedules,
)
from payouts.kernel.book import Book
from payouts.kernel.exchange import converts, pay
from payouts.kernel.groups import Reversed, credited_or
from payouts.kernel.measure import fields_of
from payouts.kernel.openings import paid_before, with_given
from payouts.kernel.order import Version
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.release import Due, Triggers, tranches
from payouts.kernel.settle import Movements, movements, settle
from payouts.kernel.settled_in import SettledIn


def _deal(batch: Batch, credited: Credited, book: Book) -> Ints:
    """The row of the deal that each line belongs to, -1 for none."""
    row, facts = book.series.row, batch.facts
    if book.series.kind is not None and book.series.value is not None:
        return np.full(row.size, -1, dtype=np.int64)
    fact = credited_or(credited.credits.fact, row, np.full(row.size, -1, dtype=np.int64))
    return fact if facts.deal is None else np.where(fact >= 0, facts.deal[fact], -1)


def release(batch: Batch, credited: Credited, triggers: Triggers, book: Book) -> None:
    """The tranches of a book."""
    book.tranches = tranches(batch, _due(batch, credited, book), triggers)
    with_given(batch, book)


def _due(batch: Batch, credited: Credited, book: Book) -> Due:
    """What of a component is to be released."""
    series, credits = book.series, credited.credits
    releases = {entry.on for version in series.versions for entry in version.component.release}
    period_end = None
    if "period_end" in releases:
        period_end = np.empty_like(series.period)
        for version, mine in zip(series.versions, book.mine, strict=True):
            period_end[mine] = batch.periods[version.component.every][series.period[mine] + 1]
    held = credits.held
    if held is not None and (series.value is not None or not held.any()):
        held = None
    leaving = any(version.plan.employment is not None for version in series.versions)
    at_once = None if series.kind is None else (series.kind == OF_REVERSAL) | (series.kind == OF_CARRY)
    return Due(
        versions=series.versions,
        stretches=book.mine,
        earned=book.earnings,
        day=series.day,
        deal=_deal(batch, credited, book) if releases - {"credit_date", "date", "period_end"} else None,
        participant=credited.people[series.person[series.group]] if leaving else None,
        period_end=period_end,
        held=None if held is None else (held[series.row] == 1) & (series.row >= 0),
        withheld=book.withheld,
        not_before=book.not_before,
        at_once=at_once if at_once is not None and at_once.any() else None,
    )


def paid(batch: Batch, credited: Credited, book: Book) -> None:
    """The tranches of a book in the currencies that people are paid in."""
    if not converts(batch):
        return
    assert book.tranches is not None
    series = book.series
    plan = np.array([version.plan_place for version in series.versions])[series.version]
    participant = credited.people[series.person[series.group]]
    day, released = series.day, book.tranches.release_day
    for each in series.reversed:
        clawback = series.versions[each.version].component.clawback
        if clawback is not None and clawback.exchange == "origin":
            day, released = _as_origin(book, each, day, released)
    given = paid_before(batch, book)
    book.tranches = pay(batch, credited.world.rates, book.tranches, plan, participant, day, released, given)


def _as_origin(book: Book, found: Reversed, day: Ints, released: Ints) -> tuple[Ints, Ints]:
    """The days by which reversals are converted where they go by the lines that they take back: by line the credit
    date of those, by tranche the last day, up to the reversal's own, on which some of those was released."""
    parts, origin = book.tranches, found.rows.line
    assert parts is not None
    day, released = day.copy(), released.copy()
    day[found.lines] = book.series.day[origin]
    first = np.searchsorted(parts.line, origin, side="left")
    count = np.searchsorted(parts.line, origin, side="right") - first
    of = np.repeat(np.arange(origin.size), count)
    tranche = first[of] + np.arange(of.size) - np.repeat(np.cumsum(count) - count, count)
    last = np.full(origin.size, MISSING_DAY, dtype=np.int64)
    known = (parts.release_day[tranche] != MISSING_DAY) & (parts.release_day[tranche] <= found.rows.day[of])
    np.maximum.at(last, of[known], parts.release_day[tranche[known]])
    # A reversal has one tranche.
    own = np.searchsorted(parts.line, found.lines)
    released[own] = np.where(last == MISSING_DAY, released[own], last)
    return day, released


def _dated(day: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.where(day == MISSING_DAY, WAITING, DATED).astype(np.int8)


def scheduled(credited: Credited, books: list[Book]) -> Schedules | None:
    """The schedules of all lines that are spread over months, by line; None where no component says so."""
    found: list[Schedules] = []
    first_line = 0
    for book in books:
        for version, mine in zip(book.series.versions, book.mine, strict=True):
            if version.component.amortise is not None:
                found.append(_spread(credited, book, np.arange(book.series.row.size)[mine], version, first_line))
        first_line += book.series.row.size
    if not found:
        return None
    columns = [np.concatenate([getattr(each, field.name) for each in found]) for field in fields(Schedules)]
    order = np.argsort(columns[0], kind="stable")
    return Schedules(*(column[order] for column in columns))


def _spread(credited: Credited, book: Book, lines: Ints, version: Version, first_line: int) -> Schedules:
    """The schedules of the lines of one version; a reversal stands whole in the month of its day."""
    series, amortise = book.series, version.component.amortise
    assert amortise is not None
    if isinstance(amortise.months, int):
        months = np.full(lines.size, amortise.months, dtype=np.int64)
    else:
        known = series.row[lines] >= 0
        term = fields_of(credited, version, series.row[lines[known]]).column(amortise.months, "number")
        months = np.zeros(lines.size, dtype=np.int64)
        months[known] = np.where(term == MISSING_MONEY, 0, term // MILLIONTHS)
    delay = np.full(lines.size, int(amortise.start == "next_month"))
    if series.kind is not None:
        reversal = series.kind[lines] == OF_REVERSAL
        months, delay = np.where(reversal, 1, months), np.where(reversal, 0, delay)
    mode = version.plan.round_mode
    return schedules(lines + first_line, book.earnings[lines], series.day[lines], months, delay, mode)


def settled(batch: Batch, quotas: QuotaBook, result: Result) -> Result:
    """A result with its waterfall, where some plan has one."""
    if not batch.settles or not any(plan.settlement for plan in batch.plans):
        return result
    found = settle(batch, moved(batch, result), quotas.active)
    assert found is not None
    return replace(result, settlements=found.settlements, draws=found.draws if found.keyed else None)


def moved(batch: Batch, result: Result) -> Movements:
    """What a result's tranches bring into the waterfall."""
    groups, lines, parts = result.groups, result.lines, result.tranches
    plan = result.credits.plan[lines.credit] if lines.plan is None else lines.plan
    kind = np.full(lines.group.size, OF_CREDIT, dtype=np.int8) if lines.kind is None else lines.kind
    state = _dated(parts.release_day) if parts.state is None else parts.state
    amount = parts.amount
    if parts.paid_amount is not None:
        amount = np.where(SettledIn(batch).pays[plan][parts.line], parts.paid_amount, amount)
    return movements(
        parts.line,
        (amount, parts.pay_period, state.astype(np.int64)),
        (groups.participant[lines.group], plan, groups.replicate[lines.group], kind.astype(np.int64), lines.component),
    )
