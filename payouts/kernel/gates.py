"""What gates, columns and read modifiers do to the lines of a version: number 19 of docs/plan-language.md."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.ratios import Ratios, choose
from payouts.kernel.batch import MISSING_DAY, Ints
from payouts.kernel.reads import Ledger
from payouts.kernel.trace import Notes
from plans.rules.compiled import Component, Gate

ONE = Ratios.constant(1)


@dataclass(frozen=True, slots=True)
class Places:
    """Where lines stand that read: person (a place in the ledger's people), replicate, own day, and the place in the
    order of credits, None for lines of periods."""

    person: Ints
    replicate: Ints
    day: Ints
    when: Ints | None


@dataclass(slots=True)
class Effects:
    """What gates do to lines; None where they do nothing of the kind."""

    plain: Mask | None = None  # accelerators are left out
    factor: Ratios | None = None
    unpaid: Mask | None = None  # the line earns 0
    caps: list[tuple[int, Mask]] = field(default_factory=list)  # a cap, and the lines that it concerns
    not_before: Ints | None = None  # the earliest release day, MISSING_DAY where any is right
    withheld: Mask | None = None  # the line's tranches are withheld


def effects(component: Component, ledger: Ledger, at: Places, notes: Notes | None = None) -> Effects:
    """What all gates of a component together do."""
    found = Effects()
    for gate in component.gates:
        if notes is not None:
            _note(notes, gate, ledger, at)
        if gate.read_at == "running" and gate.catch_up:
            reached = ledger.met_day(gate, at.person, at.replicate, at.day)
            _not_before(found, reached)
            found.withheld = _either(found.withheld, reached == MISSING_DAY)
            continue
        if gate.read_at == "final" and gate.until_known == "withhold":
            _not_before(found, ledger.known_day(gate.read, at.day))
        _unmet(found, gate, ~ledger.met(gate, at.person, at.replicate, at.day, at.when))
    return found


def _note(notes: Notes, gate: Gate, ledger: Ledger, at: Places) -> None:
    """What a gate reads, and whether it is met."""
    if gate.read_at == "final":
        value, missing = ledger.final(gate.read, at.person, at.replicate, at.day)
    else:
        assert at.when is not None
        value, missing = ledger.running(gate.read, at.person, at.replicate, at.day, at.when)
    notes.note(f"reads:{gate.key}", value, ~missing)
    if gate.read_at == "running" and gate.catch_up:
        reached = ledger.met_day(gate, at.person, at.replicate, at.day)
        notes.note(f"since:{gate.key}", reached, reached != MISSING_DAY)
        notes.note(f"gate:{gate.key}", (reached != MISSING_DAY).astype(np.int64))
    else:
        notes.note(f"gate:{gate.key}", ledger.met(gate, at.person, at.replicate, at.day, at.when).astype(np.int64))


def factors(component: Component, ledger: Ledger, at: Places, notes: Notes | None = None) -> tuple[Ratios, ...]:
    """The factor of each read modifier, in document order."""
    modifiers = component.modifiers.each if component.modifiers is not None else ()
    for modifier in modifiers if notes is not None else ():
        if notes is not None and modifier.read is not None:
            value, missing = ledger.final(modifier.read, at.person, at.replicate, at.day)
            notes.note(f"reads:{modifier.key}", value, ~missing)
    return tuple(
        ledger.factor(modifier, at.person, at.replicate, at.day) for modifier in modifiers if modifier.read is not None
    )


def _unmet(found: Effects, gate: Gate, unmet: Mask) -> None:
    if gate.effect == "withhold":
        found.unpaid = _either(found.unpaid, unmet)
    elif gate.effect == "no_accelerators":
        found.plain = _either(found.plain, unmet)
    elif gate.effect == "cap":
        assert gate.cap is not None
        found.caps.append((gate.cap, unmet))
    else:
        assert gate.times is not None
        factor = choose(unmet, Ratios.constant(gate.times), ONE)
        found.factor = factor if found.factor is None else found.factor.multiply(factor)


def _either(one: Mask | None, other: Mask) -> Mask:
    return other if one is None else one | other


def _not_before(found: Effects, day: Ints) -> None:
    found.not_before = day if found.not_before is None else np.maximum(found.not_before, day)
