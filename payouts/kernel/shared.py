"""What depends on several people or components at once: whose earnings a person reads, pools, ranks, scorecards; and
results, which are there to be read. See docs/algorithms/measures.md."""

from __future__ import annotations

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.exact import Whole, largest, money, ranked, run_numbers, run_starts, wide
from crediting.kernel.fields import World
from crediting.kernel.people import People
from crediting.kernel.ratios import Ratios, choose
from crediting.kernel.split import divide
from payouts.kernel.batch import MISSING_MONEY, Ints
from payouts.kernel.curves import evaluate
from payouts.kernel.reads import Ledger, unit_size
from payouts.kernel.windows import matches
from plans.rules.compiled import CompiledPlan, Component, Pool, Rank, Read, Reads, Scorecard


def readers(
    reads: Reads, people: People, world: World, rows: tuple[Ints, Ints], readers: tuple[Ints, Ints, Ints]
) -> tuple[Ints, Ints]:
    """Who reads whose earnings: places in `rows` (earner, period) and in `readers` (person, period, person's day), one
    pair each. Everybody is who he is on the reader's person's day."""
    earner, period = rows
    person, reading, day = readers
    # A reader's period and day, numbered: mostly one day a period, and one more for each who left before its end.
    starts = np.lexsort((day, reading))
    heads = starts[run_starts(reading[starts], day[starts])]
    number = np.empty_like(reading)
    number[starts] = run_numbers(run_starts(reading[starts], day[starts]), starts.size)
    row, moment = matches(period, reading[heads])
    on, who = day[heads][moment], earner[row]
    moments = heads.size
    if reads.of == "self":
        left, right = matches(who * moments + moment, person * moments + number)
        return row[left], right
    if reads.of == "team":
        theirs = world.careers.attribute("team", people.ids[who], on).codes.astype(np.int64)
        mine = world.careers.attribute("team", people.ids[person], day).codes.astype(np.int64)
        # Who is in no team is in nobody's; keys below 0 differ on the two sides.
        left, right = matches(
            np.where(theirs < 0, -1, theirs * moments + moment), np.where(mine < 0, -2, mine * moments + number)
        )
        return row[left], right
    found_rows, found_readers = [row[:0]], [row[:0]]
    above, met, level = who, [who], 0
    place = np.arange(row.size)
    while place.size and (reads.of == "downline" or level < (reads.depth or 1)):
        above = people.managers(above, on[place])
        going = above >= 0
        for earlier in met:
            going &= above != earlier
        place, above = place[going], above[going]
        met = [*(earlier[going] for earlier in met), above]
        left, right = matches(above * moments + moment[place], person * moments + number)
        found_rows.append(row[place[left]])
        found_readers.append(right)
        level += 1
    return np.concatenate(found_rows), np.concatenate(found_readers)


def pool_parts(pool: Pool, plan: CompiledPlan, pot: Ints, value: Ratios, points: Ints | None, person: Ints) -> Ints:
    """What each line of a pool gets. Lines with equal `pot` (a number) share one: its total is that share of the value,
    which they all state, or the amount. `points` are None where it is divided equally."""
    if pool.share is not None:
        shared = value.multiply(Ratios.constant(pool.share)).rounded(plan.round_mode)
        total = money(shared, f"The total of a pool of {plan.key}")
    else:
        assert pool.amount is not None
        total = np.full(pot.size, pool.amount, dtype=np.int64)
    weight = np.ones(pot.size, dtype=np.int64)
    if points is not None:
        weight = np.where(points == MISSING_MONEY, 0, points)
        pots, number = np.unique(pot, return_inverse=True)
        idle = np.zeros(pots.size, dtype=bool)
        idle[np.unique(number)] = True
        idle[number[weight > 0]] = False
        weight = np.where(idle[number], 1, weight)
        total = np.where(idle[number], 0, total)
    return divide(total, pot, weight, person, int(pot.max(initial=-1)) + 1)


def prizes(rank: Rank, contest: Ints, value: Ratios, waits: Mask, person: Ints) -> Ints:
    """What each line of a rank gets among the lines of its contest (a number); nothing while it waits."""
    found = np.zeros(contest.size, dtype=np.int64)
    rows = np.flatnonzero(~waits)
    if not rows.size:
        return found
    standing, _ = ranked(sort_key(Ratios(value.top[rows], value.bottom[rows])))
    if rank.order == "high":
        standing = -standing
    order = np.lexsort((person[rows], standing, contest[rows]))
    rows, standing = rows[order], standing[order]
    contests = run_starts(contest[rows])
    ties = run_starts(contest[rows], standing)
    tie = run_numbers(ties, rows.size)
    size = np.diff(ties, append=rows.size)[tie]
    most = len(rank.prizes)
    # The place, from 0, of the first of each line's equals in the contest.
    first = np.minimum(ties[tie] - contests[run_numbers(contests, rows.size)], most)
    if rank.ties == "all":
        found[rows] = np.array([*rank.prizes, 0], dtype=np.int64)[first]
        return found
    upto = np.cumsum(np.array([0, *rank.prizes], dtype=np.int64))
    together = upto[np.minimum(first + size, most)] - upto[first]
    found[rows] = together // size + (np.arange(rows.size) - ties[tie] < together % size)
    return found


def sort_key(values: Ratios) -> Whole:
    """Whole numbers that stand in the order of the values, equal where they are equal.

    Two different values with denominators up to b differ by at least 1 / b², so that b² times as large their whole
    parts differ.
    """
    values = values.reduced()
    spread = largest(values.bottom) ** 2
    key: Whole = wide(values.top, largest(values.top) * spread) * spread // values.bottom
    return np.broadcast_to(key, np.broadcast_shapes(values.top.shape, values.bottom.shape))


def score(
    scorecard: Scorecard, plan: CompiledPlan, ledger: Ledger, person: Ints, replicate: Ints, day: Ints
) -> tuple[Ratios, Mask]:
    """The clipped sum of the weighted results, and which lines wait for a part."""
    total = Ratios(np.zeros(day.size, dtype=np.int64), np.ones(day.size, dtype=np.int64))
    waits = np.zeros(day.size, dtype=bool)
    for part in scorecard.parts:
        result, missing = ledger.final(Read(plan.key, part.component, "result"), person, replicate, day)
        # A missing result is 0 already.
        total = total.add(result.multiply(Ratios.constant(part.weight)))
        if scorecard.missing_part == "wait":
            waits |= missing
    if scorecard.at_least is not None:
        total = total.larger(Ratios.constant(scorecard.at_least))
    if scorecard.at_most is not None:
        total = total.smaller(Ratios.constant(scorecard.at_most))
    return choose(waits, Ratios.constant(0), total), waits


def results(
    component: Component,
    value: Ratios,
    waits: Mask,
    quota: Ints,
    withheld: Mask | None = None,
    gate_factor: Ratios | None = None,
) -> tuple[Ratios, Mask]:
    """The results of a result component's lines, and which are missing. `quota` in minor units or millionths,
    MISSING_MONEY where there is none; `withheld` where a gate withholds, `gate_factor` of gates with `times`."""
    assert component.curve is not None
    idle = np.zeros(waits.size, dtype=bool)
    missing = waits
    if component.curve.axis == "attainment":
        absent, zero = quota == MISSING_MONEY, quota == 0
        unsaid = absent | zero
        missing = (
            missing | (absent & (component.missing_quota == "wait")) | (zero & (component.zero_quota in (None, "wait")))
        )
        idle = unsaid & ~missing
        size = np.array([unit_size(component)], dtype=np.int64)
        value = choose(unsaid, Ratios.constant(0), value.divide(Ratios(np.where(unsaid, 1, quota), size)))
    found = evaluate(component.curve, value, missing)
    if gate_factor is not None:
        found = found.multiply(gate_factor)
    nothing = missing | idle if withheld is None else missing | idle | withheld
    return choose(nothing, Ratios.constant(0), found), missing
