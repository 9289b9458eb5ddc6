"""Taking back: what a cancellation, refund or unpaid invoice reverses of the lines that its deal earned. See
docs/algorithms/clawback.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comp.core.rounding import Mode
from comp.core.spans import add_months, whole_months
from crediting.kernel.columns import MILLIONTHS, MISSING_MONEY, Ints
from crediting.kernel.exact import money, run_numbers, run_starts
from crediting.kernel.ratios import Ratios
from payouts.kernel.cash import Cash
from plans.rules.compiled_pay import Clawback


@dataclass(frozen=True, slots=True)
class Reversals:
    """One row a reversal and line that it takes back, in the order of the lines, then of the reversals. `share` is the
    part of the deal that is reversed so far, `earlier` what was before."""

    line: Ints  # row among the lines given
    fact: Ints  # the reversing fact
    day: Ints
    turn: Ints  # from 0, within the line
    share: Ratios
    earlier: Ratios


def reversals(clawback: Clawback, cash: Cash, deal: Ints, day: Ints) -> Reversals:
    """What reverses lines of the deals (fact rows, -1 for none) with these days: reversals of the named kinds with a
    day not before the line's."""
    found = cash.returns(tuple(clawback.on))
    known = deal >= 0
    at = np.where(known, deal, 0)
    count = np.where(known, found.count[at], 0) if found.count.size else np.zeros_like(deal)
    line = np.repeat(np.arange(deal.size), count)
    turn = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count)
    row = found.first[at[line]] + turn if line.size else line
    late = found.day[row] >= day[line]
    line, row = line[late], row[late]
    starts = run_starts(line) if line.size else line
    turn = np.arange(line.size) - starts[run_numbers(starts, line.size)] if line.size else line
    before = np.where(turn > 0, row - 1, -1)
    share = Ratios(found.part[row], found.whole[row])
    earlier = Ratios(np.where(before >= 0, found.part[before], 0), np.where(before >= 0, found.whole[before], 1))
    return Reversals(line, found.fact[row], found.day[row], turn, share, earlier)


def measure_taken(rows: Reversals, measured: Ints, mode: Mode) -> Ints:
    """What each reversal takes of the measure amount of its line: the rounded part so far less the one before."""
    amount = measured[rows.line]
    so_far = rows.share.multiply(Ratios.of(amount)).rounded(mode)
    before = rows.earlier.multiply(Ratios.of(amount)).rounded(mode)
    return money(so_far - before, "A reversed measure")


def reversed_whole(rows: Reversals, measured: Ints, mode: Mode) -> Ints:
    """By line: what all of its reversals take of its measure amount, for the formula `recompute`."""
    taken = np.zeros(measured.size, dtype=np.int64)
    np.add.at(taken, rows.line, measure_taken(rows, measured, mode))
    return taken


def portions(clawback: Clawback, rows: Reversals, deal: Ints, since: Ints, term: Ints | None, cash: Cash) -> Ratios:
    """What part of its line is taken back by the time of each reversal: the formula's share times what is reversed of
    the deal, never less than before. By row: `deal` and `since` are those of the line, `term` its months in millionths
    (MISSING_MONEY where missing) where the formula asks for them."""
    found = _formula(clawback, deal, since, rows.day, term, cash)
    if clawback.formula != "uncollected":
        found = found.multiply(rows.share)
    found = Ratios(*(np.array(each) for each in np.broadcast_arrays(found.top, found.bottom)))
    for turn in range(1, int(rows.turn.max(initial=0)) + 1):
        mine = np.flatnonzero(rows.turn == turn)
        before = Ratios(found.top[mine - 1], found.bottom[mine - 1])
        higher = Ratios(found.top[mine], found.bottom[mine]).larger(before)
        found.top[mine], found.bottom[mine] = higher.top, higher.bottom
    if clawback.floor is None:
        return found
    return found.smaller(Ratios.constant(1 - clawback.floor))


def free_from(clawback: Clawback, since: int) -> int | None:
    """The first day on which nothing of what was earned on `since` is taken back any more; None where that never comes,
    or not by time alone."""
    months = {"window": clawback.window_months, "pro_rata": clawback.term_months}.get(clawback.formula)
    if clawback.formula == "window" and clawback.window_days is not None:
        return since + clawback.window_days
    if clawback.formula == "table" and not clawback.table[-1][1]:
        months = clawback.table[-1][0]
    if not isinstance(months, int):
        return None
    months = max(months - (clawback.failing_month == "counts"), 0)
    return int(add_months(np.array([since]), np.array([months]))[0])


def taken(rows: Reversals, amount: Ints, lost: Ints, sign: Ints, part: Ratios, mode: Mode, step: int) -> Ints:
    """What each reversal takes back of `amount`, with the sign of the line: its rounded part, less what is lost by it
    and what earlier reversals took."""
    due = sign * (money(part.multiply(Ratios.of(amount)).rounded(mode, step), "A reversal") - lost)
    found = np.zeros_like(due)
    before = np.zeros_like(due)
    for turn in range(int(rows.turn.max(initial=-1)) + 1):
        mine = np.flatnonzero(rows.turn == turn)
        if turn:
            before[mine] = before[mine - 1] + found[mine - 1]
        found[mine] = np.maximum(due[mine] - before[mine], 0)
    return sign * found


def _formula(clawback: Clawback, deal: Ints, since: Ints, until: Ints, term: Ints | None, cash: Cash) -> Ratios:
    """The formula's share of what is reversed, from 0 to 1."""
    ones = np.ones(since.size, dtype=np.int64)
    match clawback.formula:
        case "original" | "recompute":
            return Ratios(ones, ones)
        case "window" if clawback.window_days is not None:
            return Ratios((until - since < clawback.window_days).astype(np.int64), ones)
        case "uncollected":
            assert clawback.base is not None
            paid, whole = cash.paid_on(clawback.base, clawback.tax, deal, until)
            return Ratios(whole - paid, whole)
    elapsed = whole_months(since, until) + (clawback.failing_month == "counts")
    if clawback.formula == "window":
        assert clawback.window_months is not None
        return Ratios((elapsed < clawback.window_months).astype(np.int64), ones)
    if clawback.formula == "table":
        starts = np.array([month for month, _ in clawback.table], dtype=np.int64)
        place = np.searchsorted(starts, elapsed, side="right") - 1
        tops = np.array([0, *(share.numerator for _, share in clawback.table)], dtype=np.int64)
        bottoms = np.array([1, *(share.denominator for _, share in clawback.table)], dtype=np.int64)
        return Ratios(tops[place + 1], bottoms[place + 1])
    if term is None:
        assert isinstance(clawback.term_months, int)
        term = np.full(since.size, clawback.term_months * MILLIONTHS)
    # Where nobody says how long it was to run, nothing of it has been served.
    known = (term != MISSING_MONEY) & (term > 0)
    left = np.maximum(np.where(known, term, 1) - np.where(known, elapsed * MILLIONTHS, 0), 0)
    return Ratios(left, np.where(known, term, 1))
