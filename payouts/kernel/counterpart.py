"""A counterpart's terms: the component that rates lines a second time, and what the two make of them. See number 25 of
docs/plan-language.md."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.exact import running
from crediting.kernel.ratios import Ratios, choose
from payouts.kernel.batch import FAR_DAY, Batch, Ints
from payouts.kernel.book import Book
from payouts.kernel.errors import UnlikeTerms
from payouts.kernel.order import Version
from payouts.kernel.rate import Rated
from plans.rules.compiled import Counterpart
from plans.rules.counterpart import needs_of, unlike

ALWAYS = (-FAR_DAY, FAR_DAY)


class Terms(NamedTuple):
    """A version of a component that a line is rated by on the days [start, end)."""

    version: Version
    start: int
    end: int


def terms_of(batch: Batch, version: Version) -> list[Terms]:
    """The versions of the component that a counterpart names: of this plan that of the line's own version, of another
    plan all that there are. They measure as the component that names them, and read nothing."""
    stated, component = version.component.counterpart, version.component
    assert stated is not None
    plans = [(version.plan_place, version.plan, ALWAYS)]
    if stated.plan != version.plan.key:
        in_force = batch.in_force or (ALWAYS,) * len(batch.plans)
        plans = [(place, plan, in_force[place]) for place, plan in enumerate(batch.plans) if plan.key == stated.plan]
    found = []
    for place, plan, days in plans:
        for number, other in enumerate(plan.components):
            if other.key != stated.component:
                continue
            why = unlike(needs_of(component), needs_of(other))
            if why is None and plan.currency != version.plan.currency:
                why = f"it is in {plan.currency}, and this one in {version.plan.currency}"
            if why is not None:
                raise UnlikeTerms(_refusal(version, stated, why))
            terms = replace(other, measure=component.measure, every=component.every, gates=(), counterpart=None)
            found.append(Terms(Version(plan, place, terms, number), *days))
    if not found:
        raise UnlikeTerms(_refusal(version, stated, "there is none"))
    return found


def _refusal(version: Version, stated: Counterpart, why: str) -> str:
    return (
        f"The terms of {stated.plan}/{stated.component} cannot rate {version.plan.key}/{version.component.key}: {why}."
    )


def shared(stated: Counterpart, found: Rated) -> Rated:
    """The stated share of what the terms give."""
    exact = earnings(found).multiply(Ratios.constant(stated.share))
    return replace(found, earning=exact.top, divisor=_divisor(exact))


def mixed(mask: Mask, yes: Rated, no: Rated) -> Rated:
    """The earnings of `yes` where the mask says so, else those of `no`."""
    exact = choose(mask, earnings(yes), earnings(no))
    return replace(no, earning=exact.top, divisor=_divisor(exact), waiting=np.where(mask, yes.waiting, no.waiting))


def earnings(found: Rated) -> Ratios:
    if isinstance(found.divisor, int):
        return Ratios.of(found.earning, found.divisor)
    return Ratios(found.earning, found.divisor)


def _divisor(exact: Ratios) -> int | Ints:
    return int(exact.bottom[0]) if exact.bottom.size == 1 else exact.bottom


def countered(book: Book, theirs: Ints, rated: Mask) -> None:
    """What the lines become by the larger, or smaller, of what they earn and what the terms of counterparts give."""
    series, ours = book.series, book.rounded
    assert ours is not None
    became = ours.copy()
    upto = [running(each, series.starts, series.group) for each in (ours, theirs)]
    for place, second in book.second.items():
        stated, mine = series.versions[place].component.counterpart, book.mine[place]
        assert stated is not None
        larger = stated.pays == "larger"
        if stated.per == "credit":
            # What is taken back follows what was given.
            flipped = (series.amounts[mine] < 0) == larger
            pair = ours[mine], theirs[mine]
            became[mine] = np.where(flipped, np.minimum(*pair), np.maximum(*pair))
        else:
            pick = np.maximum if larger else np.minimum
            after = pick(upto[0][mine], upto[1][mine])
            before = pick(upto[0][mine] - ours[mine], upto[1][mine] - theirs[mine])
            became[mine] = (after - before).astype(np.int64)
        notes = book.notes(mine)
        if notes is not None:
            told = rated[mine] & second.there
            notes.note("counterpart.terms", theirs[mine], told)
            notes.note("counterpart", became[mine], told)
    book.rounded = became
