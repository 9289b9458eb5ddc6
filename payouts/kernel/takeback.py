"""What reversals earn, and what they leave of tranches, once their lines have earned: number 30 of
docs/plan-language.md. See docs/algorithms/clawback.md."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.credit import Credited
from crediting.kernel.exact import largest, run_numbers, run_starts, running, wide
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import DATED, LOST, MISSING_DAY, WAITING, Ints, Tranches
from payouts.kernel.book import Book
from payouts.kernel.cash import Cash
from payouts.kernel.clawback import Reversals, portions, taken
from payouts.kernel.groups import Reversed
from payouts.kernel.measure import fields_of
from payouts.kernel.order import Version


def take_back(credited: Credited, cash: Cash, book: Book) -> None:
    """Sets what the reversals of a component earn, and with `takes: released` what is lost of tranches not released."""
    if not book.series.reversed:
        return
    assert book.rounded is not None and book.tranches is not None
    # What was read of them so far was read without reversals.
    book.earned, book.rounded = book.earnings.copy(), book.rounded.copy()
    book.tranches = replace(book.tranches, amount=book.tranches.amount.copy())
    lost = np.zeros_like(book.tranches.amount)
    for each in book.series.reversed:
        _one_version(credited, cash, book, each, lost)
    if lost.any():
        book.tranches = _with_losses(book.tranches, lost)


def _one_version(credited: Credited, cash: Cash, book: Book, found: Reversed, lost: Ints) -> None:
    series, rows = book.series, found.rows
    version = series.versions[found.version]
    clawback, plan = version.component.clawback, version.plan
    assert clawback is not None and book.earned is not None and book.rounded is not None and book.tranches is not None
    origin = rows.line
    facts, fact = credited.world.facts, credited.credits.fact[series.row[origin]]
    deal = fact if facts.deal is None else facts.deal[fact]
    term = _term(credited, version, clawback.term_months, series.row[origin])
    part = portions(clawback, rows, deal, series.day[origin], term, cash)
    sign = np.where(book.earned[origin] < 0, -1, 1)
    amount, gone = book.earned[origin], np.zeros(origin.size, dtype=np.int64)
    if clawback.takes == "released":
        amount, gone = _released(book.tranches, rows, part, version, lost)
    back = taken(rows, amount, gone, sign, part, plan.round_mode, plan.round_step)
    book.earned[found.lines] = book.rounded[found.lines] = -back
    if book.trace is not None:
        notes = book.trace.at(series.row.size, found.lines)
        notes.note("clawback.of", amount)
        notes.note("clawback.part", part)
        notes.note("clawback", -back)
    # A reversal has one tranche.
    book.tranches.amount[np.searchsorted(book.tranches.line, found.lines)] = -back


def _term(credited: Credited, version: Version, stated: int | str | None, credit: Ints) -> Ints | None:
    """The months that the fact of each credit says, in millionths, where a field holds them."""
    if not isinstance(stated, str):
        return None
    found: Ints = fields_of(credited, version, credit).column(stated, "number")
    return found


def _released(parts: Tranches, rows: Reversals, part: Ratios, version: Version, lost: Ints) -> tuple[Ints, Ints]:
    """By reversal, what of its line is released by its day, and what of that earlier reversals made lost; writes into
    `lost` what each tranche loses: its part by the last reversal before its release."""
    first = np.searchsorted(parts.line, rows.line, side="left")
    count = np.searchsorted(parts.line, rows.line, side="right") - first
    row = np.repeat(np.arange(rows.line.size), count)
    tranche = first[row] + np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    # What the person left behind is neither released nor to come.
    state = _state(parts)[tranche]
    released = (state == DATED) & (parts.release_day[tranche] <= rows.day[row])
    rest = np.flatnonzero(~released & (state != LOST))
    of, which = row[rest], tranche[rest]
    last = np.full(parts.line.size, -1, dtype=np.int64)
    np.maximum.at(last, which, of)
    shrinks = _shrunk(parts.amount[which], of, part, version)
    final = last[which] == of
    lost[which[final]] = shrinks[final]
    amount, gone = np.zeros(rows.line.size, dtype=np.int64), np.zeros(rows.line.size, dtype=np.int64)
    np.add.at(amount, row[released], parts.amount[tranche[released]])
    np.add.at(gone, row[released], lost[tranche[released]])
    return amount, gone


def _shrunk(amount: Ints, of: Ints, part: Ratios, version: Version) -> Ints:
    """The parts of amounts that reversals (`of`, ascending) leave unreleased, rounded cumulatively within each."""
    if not of.size:
        return amount
    mode, step = version.plan.round_mode, version.plan.round_step
    starts = run_starts(of)
    upto = running(amount, starts, run_numbers(starts, of.size))
    share = Ratios(part.top[of], part.bottom[of])
    so_far, before = (
        share.multiply(Ratios.of(wide(each, largest(each)))).rounded(mode, step) for each in (upto, upto - amount)
    )
    return (so_far - before).astype(np.int64)


def _state(parts: Tranches) -> Ints:
    if parts.state is not None:
        return parts.state.astype(np.int64)
    return np.where(parts.release_day == MISSING_DAY, WAITING, DATED)


def _with_losses(parts: Tranches, lost: Ints) -> Tranches:
    """Tranches less what is lost of them, which stands behind them as a part of its own; a tranche that is lost whole
    stays one row."""
    left = parts.amount - lost
    state = _state(parts).astype(np.int8)
    whole = (lost != 0) & (left == 0)
    split = np.flatnonzero((lost != 0) & ~whole)
    places = np.concatenate((np.arange(left.size), split))
    order = np.argsort(places, kind="stable")
    added = np.concatenate((np.zeros(left.size, dtype=bool), np.ones(split.size, dtype=bool)))[order]
    places = places[order]
    columns = {each.name: getattr(parts, each.name) for each in fields(parts)}
    columns = {name: None if column is None else column[places] for name, column in columns.items()}
    gone: Mask = added | whole[places]
    starts = run_starts(columns["line"], columns["index"])
    columns |= {
        "amount": np.where(added, lost[places], np.where(whole[places], lost[places], left[places])),
        "release_day": np.where(gone, MISSING_DAY, columns["release_day"]),
        "pay_period": np.where(gone, -1, columns["pay_period"]),
        "state": np.where(gone, LOST, state[places]).astype(np.int8),
        "part": np.arange(places.size) - starts[run_numbers(starts, places.size)],
    }
    return Tranches(**columns)
