"""What two systems pay the same people for the same pay periods, compared line by line: each difference with its cause.
docs/cutover.md

A difference is ours less theirs. The causes of a person's period add up to its difference; what no evidence explains is
its rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

#: What a line may be; one of theirs that says nothing (a total) holds them all.
PAID = ("commission", "adjustment")
SETTLED = ("draw", "recovery", "cap", "holdback", "carried")
KINDS = (*PAID, *SETTLED)


@dataclass(frozen=True, slots=True)
class Line:
    """An amount of a person in a pay period (its place in the calendar), in minor units. Of theirs everything but
    these may be unsaid. `deal` is any text by which both name the deal; `known`: Comp has it. `credited` is the amount
    that the deal was credited with, `rates` those by which it was converted: of theirs the one, of ours those that are
    recorded for its day."""

    person: str
    period: int
    currency: str
    minor: int
    kind: str = ""
    plan: str = ""
    component: str = ""
    deal: str = ""
    known: bool = True
    credited: int | None = None
    rates: tuple[Fraction, ...] = ()


class Part(NamedTuple):
    """What both pay for one thing. `cause` is empty where they agree, "rest" where nothing explains the difference;
    an amount is None where that side has no such line."""

    cause: str
    minor: int
    theirs: int | None
    ours: int | None
    kind: str
    plan: str
    component: str
    deal: str
    #: What ours holds, where theirs names no deal and differs.
    within: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Tie:
    """One person's pay period in a currency."""

    person: str
    period: int
    currency: str
    theirs: int
    ours: int
    rest: int
    parts: tuple[Part, ...]


@dataclass(slots=True)
class _Pair:
    """A line of theirs, or several of one thing, and those of ours that it is about."""

    period: int
    of: Line  # theirs, or ours where they have none
    theirs: list[Line]
    ours: list[Line]
    cause: str = ""

    @property
    def minor(self) -> int:
        return sum(line.minor for line in self.ours) - sum(line.minor for line in self.theirs)


def tied(
    theirs: Iterable[Line], ours: Iterable[Line], *, periods: Sequence[int], rounding: int, strangers: Set[str]
) -> list[Tie]:
    """Ties out these consecutive `periods`, person by person. Lines of ours just before and after them only tell what
    was paid in another period. Differences up to `rounding` minor units are rounding; `strangers` are not in Comp."""
    of: dict[tuple[str, str], tuple[list[Line], list[Line]]] = defaultdict(lambda: ([], []))
    deals: dict[int, set[str]] = defaultdict(set)
    for line in theirs:
        of[line.person, line.currency][0].append(line)
        if line.deal:
            deals[line.period].add(line.deal)
    for line in ours:
        of[line.person, line.currency][1].append(line)
    named = set().union(*deals.values())
    found: list[Tie] = []
    for (person, currency), (stated, figured) in sorted(of.items()):
        pairs = _pairs(stated, figured)
        _other_periods(pairs)
        for pair in pairs:
            if not pair.cause and pair.minor:
                pair.cause = "stranger" if person in strangers else _cause(pair, rounding, deals[pair.period], named)
        for period in periods:
            if mine := [pair for pair in pairs if pair.period == period]:
                found.append(_tie(person, period, currency, mine))
    return found


def _tie(person: str, period: int, currency: str, pairs: Sequence[_Pair]) -> Tie:
    parts = tuple(
        Part(
            pair.cause,
            pair.minor,
            sum(line.minor for line in pair.theirs) if pair.theirs else None,
            sum(line.minor for line in pair.ours) if pair.ours else None,
            *(pair.of.kind, pair.of.plan, pair.of.component, pair.of.deal),
            within=tuple(pair.ours) if pair.cause and not pair.of.deal else (),
        )
        for pair in pairs
    )
    return Tie(
        *(person, period, currency),
        theirs=sum(part.theirs or 0 for part in parts),
        ours=sum(part.ours or 0 for part in parts),
        rest=sum(part.minor for part in parts if part.cause == "rest"),
        parts=tuple(sorted(parts, key=lambda part: (-abs(part.minor), part.deal, part.component, part.kind))),
    )


# ------------------------------------------------------------------ which lines are of one thing

_Key = tuple[str, str, str, str]


def _key(line: Line) -> _Key:
    return line.kind, line.plan, line.component, line.deal


def _about(stated: Line) -> Callable[[Line], bool]:
    """Whether a line of ours is of what one of theirs says."""

    def same(line: Line) -> bool:
        return (
            stated.kind in ("", line.kind)
            and stated.plan in ("", line.plan)
            and stated.component in ("", line.component)
            and stated.deal in ("", line.deal)
        )

    return same


def _pairs(stated: Sequence[Line], figured: Sequence[Line]) -> list[_Pair]:
    """Every line of both in one pair: what says most is looked for first, so that a total takes what is left."""
    found: list[_Pair] = []
    for period in sorted({line.period for line in (*stated, *figured)}):
        groups: dict[_Key, list[Line]] = defaultdict(list)
        for line in stated:
            if line.period == period:
                groups[_key(line)].append(line)
        left = [line for line in figured if line.period == period]
        for key in sorted(groups, key=lambda key: ([not word for word in reversed(key)], key)):
            about = _about(groups[key][0])
            found.append(_Pair(period, groups[key][0], groups[key], [line for line in left if about(line)]))
            left = [line for line in left if not about(line)]
        own: dict[_Key, list[Line]] = defaultdict(list)
        for line in left:
            own[_key(line)].append(line)
        found += [_Pair(period, lines[0], [], lines) for _, lines in sorted(own.items())]
    return found


def _other_periods(pairs: Sequence[_Pair]) -> None:
    """What one pays a period before the other: the same thing is off by one amount, once up and once down."""
    open_: dict[tuple[str, int, int], list[_Pair]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: pair.period):
        thing = pair.of.deal and f"deal {pair.of.deal}" or pair.of.component and f"component {pair.of.component}"
        if not pair.minor or not thing:
            continue
        waiting = open_[thing, pair.period - 1, -pair.minor]
        if before := next((other for other in waiting if _alike(pair.of, other.of)), None):
            waiting.remove(before)
            pair.cause = before.cause = "timing"
        else:
            open_[thing, pair.period, pair.minor].append(pair)


def _alike(one: Line, other: Line) -> bool:
    """Whether both may be of one thing: what both say is the same."""
    pairs = ((one.kind, other.kind), (one.plan, other.plan), (one.component, other.component), (one.deal, other.deal))
    return all(a == b or not a or not b for a, b in pairs)


# ------------------------------------------------------------------ why they differ


def _cause(pair: _Pair, rounding: int, of_period: Set[str], named: Set[str]) -> str:
    """`of_period`: the deals that they name in the period, for anybody; `named`: in any period."""
    line = pair.of
    if pair.theirs and pair.ours and abs(pair.minor) <= rounding:
        return "rounding"
    if line.kind in SETTLED:
        return "settlement"
    if not pair.ours:
        if line.deal:
            return "only_theirs" if line.known else "missing_here"
        return "only_theirs" if line.kind == "adjustment" else "rest"
    if not pair.theirs:
        if line.deal and of_period:
            return "only_ours" if line.deal in named else "missing_there"
        return "only_ours" if line.kind == "adjustment" else "rest"
    if line.deal:
        return _of_deal(pair, rounding)
    settled = [ours.minor for ours in pair.ours if ours.kind in SETTLED]
    return "settlement" if pair.minor in (*settled, sum(settled)) else "rest"


def _of_deal(pair: _Pair, rounding: int) -> str:
    """Both pay the deal, and not the same."""
    theirs, ours = (sum(line.minor for line in lines) for lines in (pair.theirs, pair.ours))
    stated = {rate for line in pair.theirs for rate in line.rates}
    for rate in sorted({rate for line in pair.ours for rate in line.rates} - stated):
        if len(stated) == 1 and abs(theirs * rate / stated.copy().pop() - ours) <= max(rounding, 1):
            return "exchange"
    credited = [_only(line.credited for line in lines) for lines in (pair.theirs, pair.ours)]
    if None in credited:
        return "amount"
    return "rate" if credited[0] == credited[1] else "credit"


def _only(values: Iterable[int | None]) -> int | None:
    """The value that all say who say any; None where they differ."""
    found = {value for value in values if value is not None}
    return found.pop() if len(found) == 1 else None
