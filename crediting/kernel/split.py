"""Dividing a pot between people, and rolling parts up to their managers. See docs/algorithms/crediting.md."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from comp.core.rounding import Mode
from crediting.kernel.columns import Ints, Text
from crediting.kernel.conditions import Mask
from crediting.kernel.errors import AmountOutOfRange
from crediting.kernel.exact import FITS, largest, money, run_numbers, run_starts, running, scaled, sums, wide
from crediting.kernel.people import People
from plans.rules.compiled import ShareBy


def picked(by: ShareBy, text: Text, fact: Ints) -> tuple[Mask, Ints, tuple[Fraction, ...]]:
    """The share that a field of each row's fact picks: which rows have one at all (0 gives no credit), each of those'
    place among the different shares, and these."""
    values = dict(by.values)
    # The last place is that of a missing text, which code -1 picks.
    chosen = [*(values.get(word, by.otherwise) for word in text.vocabulary), by.otherwise]
    shares = tuple(sorted({share for share in chosen if share}))
    place_of = np.array([shares.index(share) if share else -1 for share in chosen], dtype=np.int64)
    place = place_of[text.codes[fact]]
    shared = place >= 0
    return shared, place[shared], shares


def divide(pot: Ints, deal: Ints, weight: Ints, place: Ints, deals: int) -> Ints:
    """Each row's part of the pot of its deal, by weight: floors, then one unit each to the largest remainders.

    `pot` repeats the deal's pot in each of its rows. Ties go to the lower place. A negative pot is divided as the
    positive one, negated.
    """
    shared = np.flatnonzero(np.bincount(deal, minlength=deals)[deal] > 1)
    if not shared.size:
        return pot
    order = shared[np.lexsort((place[shared], deal[shared]))]
    starts = run_starts(deal[order])
    run = run_numbers(starts, order.size)
    heavy = largest(weight[order])
    if heavy * order.size > FITS:
        raise AmountOutOfRange(f"A weight of {heavy} is out of range for {order.size} people on shared deals.")
    together = np.add.reduceat(weight[order], starts)[run]
    whole = np.abs(pot[order])
    product = wide(whole, largest(whole) * heavy) * weight[order]
    part = (product // together).astype(np.int64)
    # A remainder is below the sum of weights, so it fits again.
    remainder = (product - wide(part, largest(product)) * together).astype(np.int64)
    left = whole[starts] - np.add.reduceat(part, starts)
    by_remainder = np.lexsort((np.arange(order.size), -remainder, run))
    turn = np.arange(order.size) - starts[run]
    part[by_remainder] += turn < left[run]
    parts = pot.copy()
    parts[order] = np.where(pot[order] < 0, -part, part)
    return parts


def roll_up(
    people: People, plan: int, deal: Ints, person: Ints, part: Ints, day: Ints, levels: int
) -> tuple[Ints, Ints, Ints]:
    """The sums of parts that reach each manager: deal, manager's place and sum, one row a deal and manager.

    Goes up from each part's person, as of the credit date, at most `levels` steps. A part counts once for a manager,
    whatever the paths, and never for the person it came from. Only managers who are credited by the plan are returned.
    """
    row = np.arange(deal.size)
    above = person
    met = [person]
    rows: list[Ints] = []
    managers: list[Ints] = []
    for _ in range(levels):
        above = people.managers(above, day[row])
        # Someone met before closes a circle: from there on nobody new would be met.
        going = above >= 0
        for earlier in met:
            going &= above != earlier
        if not going.any():
            break
        row, above = row[going], above[going]
        met = [earlier[going] for earlier in met]
        credited = people.credited(plan, above, day[row])
        rows.append(row[credited])
        managers.append(above[credited])
        met.append(above)
    none = np.zeros(0, dtype=np.int64)
    at = np.concatenate((none, *rows))
    manager = np.concatenate((none, *managers))
    order = np.lexsort((manager, deal[at]))
    at, manager = at[order], manager[order]
    starts = run_starts(deal[at], manager)
    return deal[at][starts], manager[starts], money(sums(part[at], starts), "A sum of rolled-up parts")


def limited(rolled: Ints, whole: Ints, limit: Fraction, mode: Mode) -> Ints:
    """`rolled`, in absolute amount at most `whole x limit`."""
    most = np.abs(money(scaled(whole, limit, mode), "A roll-up limit"))
    return np.clip(rolled, -most, most)


def limited_parts(fact: Ints, entry: Ints, place: Ints, part: Ints, whole: Ints, limit: Fraction, mode: Mode) -> Ints:
    """The parts of each fact, cut off where their running sum, by `credit` entry and place, passes `whole x limit`; all
    in absolute amounts. `whole` repeats the fact's amount in each of its rows."""
    order = np.lexsort((place, entry, fact))
    size = np.abs(part[order])
    starts = run_starts(fact[order])
    after = running(size, starts, run_numbers(starts, order.size))
    most = np.abs(money(scaled(whole[order], limit, mode), "A limit"))
    left = (np.minimum(after, most) - np.minimum(after - size, most)).astype(np.int64)
    cut = np.empty_like(part)
    cut[order] = np.where(part[order] < 0, -left, left)
    return cut
