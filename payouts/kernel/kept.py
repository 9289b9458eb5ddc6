"""What batches took of budgets stays with its lines (`after_posting: keep`): number 25 of docs/plan-language.md."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crediting.kernel.columns import Text
from crediting.kernel.credit import Credited
from crediting.kernel.exact import FITS, Whole, run_numbers
from payouts.kernel.batch import OF_CREDIT, OF_REVERSAL, Batch, Ints, Kept
from payouts.kernel.book import Book
from payouts.kernel.groups import Series, credited_or
from payouts.kernel.reads import cadence
from plans.rules.compiled import Component, OwnPeriods


class Shares(NamedTuple):
    """By line of a book: what it keeps of the budget, 0 for none, and the day on which a batch took it last; where it
    gave some of it up, what it kept until then, and the day on which a batch took others of the budget."""

    amount: Ints
    day: Ints
    had: Ints


def rhythm(component: Component) -> str:
    """What stands for a rule in the name of a line that is of a period: `quarter`, or the name of a plan's own."""
    every = cadence(component)
    return every.name if isinstance(every, OwnPeriods) else every


def kept_by(batch: Batch, credited: Credited, book: Book) -> Shares | None:
    """What the lines of a book keep: never more than they earn, and nothing below zero. None where nothing is kept."""
    kept, series = batch.kept, book.series
    if kept is None:
        return None
    rows, lines = _of_component(batch, series, kept), _keeping(series)
    lines = lines[np.isin(credited.people[series.person[series.group[lines]]], kept.participant[rows])]
    if not rows.size or not lines.size:
        return None
    names = np.concatenate((_names_of_lines(batch, credited, series, kept, lines), _names_of_kept(kept, rows)))
    _, number = np.unique(names, axis=0, return_inverse=True)
    number = number.ravel()
    found = np.full(int(number.max()) + 1, -1, dtype=np.int64)
    found[number[lines.size :]] = rows
    row = found[number[: lines.size]]
    lines, row = lines[row >= 0], row[row >= 0]
    amount, day, had = (np.zeros(series.row.size, dtype=np.int64) for _ in range(3))
    amount[lines] = np.clip(book.earnings[lines], 0, np.maximum(kept.earned[row], 0))
    day[lines], had[lines] = kept.day[row], kept.had[row]
    return Shares(amount, day, had) if amount.any() or had.any() else None


def _of_component(batch: Batch, series: Series, kept: Kept) -> Ints:
    """The rows of what is kept of the component of these lines."""
    plan, component = series.versions[0].plan.key, series.versions[0].component.key
    of_plan = np.array([each.key == plan for each in batch.plans])
    return np.flatnonzero(of_plan[kept.plan] & (kept.component.codes == _code(kept.component, component)))


def _keeping(series: Series) -> Ints:
    """The lines whose version lets them keep anything; reversals never do."""
    budgets = [version.component.budget for version in series.versions]
    keeps = np.array([budget is not None and budget.after_posting == "keep" for budget in budgets])[series.version]
    if series.kind is not None:
        keeps &= series.kind != OF_REVERSAL
    if series.opening is not None:
        keeps &= series.opening < 0
    return np.flatnonzero(keeps)


def _names_of_lines(batch: Batch, credited: Credited, series: Series, kept: Kept, lines: Ints) -> Ints:
    """A row of numbers that names each line, as `_names_of_kept` does."""
    credits, row = credited.credits, series.row[lines]
    kind = np.full(lines.size, OF_CREDIT, dtype=np.int64) if series.kind is None else series.kind[lines]
    rhythms = np.array([_code(kept.rule, rhythm(version.component)) for version in series.versions])
    rule, of_credit = rhythms[series.version[lines]], np.flatnonzero(row >= 0)
    for place, plan in enumerate(batch.plans):
        mine = of_credit[credits.plan[row[of_credit]] == place]
        codes = np.array([_code(kept.rule, each.key) for each in plan.credit_rules])
        rule[mine] = codes[credits.rule[row[mine]]]
    role = np.full(lines.size, _code(kept.role, ""), dtype=np.int64)
    roles = np.array([_code(kept.role, word) for word in credits.role.vocabulary], dtype=np.int64)
    role[of_credit] = roles[credits.role.codes[row[of_credit]]]
    nothing = np.zeros(lines.size, dtype=np.int64)
    return np.column_stack(
        (
            credited.people[series.person[series.group[lines]]],
            kind,
            credited_or(credits.fact, row, nothing - 1),
            credited_or(credits.split, row, nothing),
            np.where(row >= 0, 0, series.day[lines]),
            rule,
            role,
        )
    )


def _names_of_kept(kept: Kept, rows: Ints) -> Ints:
    """Whose line it is, and its kind; of a credit its fact and split, of a period its last day; its rule and role."""
    of_credit = kept.kind[rows] == OF_CREDIT
    return np.column_stack(
        (
            kept.participant[rows],
            kept.kind[rows],
            np.where(of_credit, kept.fact[rows], -1),
            np.where(of_credit, kept.split[rows], 0),
            np.where(of_credit, 0, kept.line_day[rows]),
            kept.rule.codes[rows],
            kept.role.codes[rows],
        )
    )


def _code(words: Text, word: str) -> int:
    """The code of a word, one that no row has where it is none of them."""
    return words.vocabulary.index(word) if word in words.vocabulary else len(words.vocabulary)


def rooms(limit: Ints, kept: Ints, least: Whole, starts: Ints) -> Whole:
    """How far the running sum may go at each line, by its own limit and so that each later line that keeps something
    still has it below its own: `least` is the running sum of what lines earn at least. Lines stand in their order, a
    budget's together from each of `starts`."""
    needed = np.where(kept > 0, limit - least, FITS)
    run = run_numbers(starts, limit.size)
    last = np.append(starts[1:], limit.size) - 1
    needed = np.append(needed[1:], FITS)
    needed[last] = FITS
    # Of the lines behind it the least, over twice as many lines at every step.
    step, longest = 1, int(np.diff(starts, append=limit.size).max(initial=0))
    while step < longest:
        further = np.where(run[:-step] == run[step:], needed[step:], FITS)
        needed[:-step] = np.minimum(needed[:-step], further)
        step *= 2
    return np.where(needed == FITS, limit, np.minimum(limit, np.where(needed == FITS, 0, needed) + least))
