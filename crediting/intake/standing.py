"""What stands of a person: a function of the set of all that was ever said of them, in whatever order it came.

What is kept by date (title, role, team, territory, manager, region, position, pool) holds from its `as_of` until that
of the next state; of several as of one day the last by (version, event time, sender's id) counts. What is not kept by
date (name, e-mail, pay group, leave, targets) is what was said last. An employment that was said later takes the place
of those that it shares days with; those that it does not touch stay: somebody was hired again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crediting.intake.facts import PersonFact, Target

Order = tuple[int, datetime, str]
#: [hired, left), open where nothing is known of an end.
Employment = tuple[date, date | None]
_ATTRIBUTES = ("region", "position", "pool")
_POSITION = ("title", "role", "team", "territory")


@dataclass(frozen=True, slots=True)
class Since:
    """Some values from a day on, until the next of the same kind."""

    starts_on: date
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A person as all of it together says. `leave` and `targets` are None where nothing was ever said of them;
    `former` are the targets that were said once and stand no more."""

    name: str
    email: str
    pay_group: str
    employments: tuple[Employment, ...]
    positions: tuple[Since, ...]
    managers: tuple[Since, ...]
    attributes: dict[str, tuple[Since, ...]]
    leave: tuple[tuple[date, date | None], ...] | None
    targets: tuple[Target, ...] | None
    former: tuple[Target, ...]


def stand(said: Iterable[tuple[Order, PersonFact]], before: Sequence[Employment] = ()) -> Standing:
    """What stands, of at least one thing said; `before`: when they were employed as far as was known without it."""
    known = [fact for _, fact in sorted(said, key=lambda one: one[0])]
    dated = {fact.as_of: fact for fact in known}  # of one day the last
    states = [dated[day] for day in sorted(dated)]
    last = known[-1]
    leave = [fact.leave for fact in known if fact.leave is not None]
    targets = [fact.targets for fact in known if fact.targets is not None]
    now = targets[-1] if targets else ()
    held = {(one.key, one.starts_on, one.ends_on) for one in now}
    former = {(one.key, one.starts_on, one.ends_on): one for row in targets for one in row}
    return Standing(
        name=last.name,
        email=last.email,
        pay_group=last.pay_group,
        employments=_employments(before, known),
        positions=_since(states, *_POSITION),
        managers=_since(states, "manager"),
        attributes={name: _since(states, name) for name in _ATTRIBUTES},
        leave=leave[-1] if leave else None,
        targets=targets[-1] if targets else None,
        former=tuple(former[key] for key in sorted(former) if key not in held),
    )


def _since(states: Sequence[PersonFact], *names: str) -> tuple[Since, ...]:
    """The values of each state from its day on; one that says what the one before it said is no new one."""
    found: list[Since] = []
    for state in states:
        values = tuple(getattr(state, name) for name in names)
        if not found or found[-1].values != values:
            found.append(Since(state.as_of, values))
    return tuple(found)


def _employments(before: Sequence[Employment], known: Sequence[PersonFact]) -> tuple[Employment, ...]:
    found = list(before)
    for fact in known:
        first, end = fact.hired, fact.left or date.max
        found = [(a, b) for a, b in found if (b or date.max) <= first or end <= a]
        found.append((first, fact.left))
    return tuple(_joined(sorted(found)))


def _joined(spans: Sequence[Employment]) -> list[Employment]:
    """Employments without a day between them are one."""
    found: list[Employment] = []
    for starts_on, ends_on in spans:
        if found and found[-1][1] == starts_on:
            found[-1] = (found[-1][0], ends_on)
        else:
            found.append((starts_on, ends_on))
    return found


def kept(fact: PersonFact) -> dict[str, Any]:
    """What was said, as it is stored."""
    found: dict[str, Any] = {name: getattr(fact, name) for name in fact.__slots__ if name not in ("leave", "targets")}
    found |= {name: found[name].isoformat() for name in ("as_of", "hired")}
    found["left"] = fact.left.isoformat() if fact.left else None
    if fact.leave is not None:
        found["leave"] = [[start.isoformat(), end.isoformat() if end else None] for start, end in fact.leave]
    if fact.targets is not None:
        found["targets"] = [
            [one.key, one.starts_on.isoformat(), one.ends_on.isoformat(), one.amount_minor, one.currency]
            for one in fact.targets
        ]
    return found


def fact_of(said: dict[str, Any]) -> PersonFact:
    """What was said, read from where it is stored."""
    values = dict(said)
    for name in ("as_of", "hired", "left"):
        values[name] = _day(values[name])
    if "leave" in values:
        values["leave"] = tuple((_day(start), _day(end)) for start, end in values["leave"])
    if "targets" in values:
        values["targets"] = tuple(Target(key, _day(a), _day(b), *rest) for key, a, b, *rest in values["targets"])
    return PersonFact(**values)


def _day(text: str | None) -> Any:
    return date.fromisoformat(text) if text else None
