"""What a calculation notes on its way, where it is asked to: the trace of every line, in exact values.

Without a trace the steps are handed None and note nothing, so that the plain path costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.exact import Whole
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import Ints, Text, Traces


@dataclass(frozen=True, slots=True)
class _Note:
    step: str
    line: Ints  # a place in the book
    top: Whole
    bottom: Whole


@dataclass(slots=True)
class Trace:
    """The notes on the lines of one book, as they come."""

    notes: list[_Note] = field(default_factory=list)

    def at(self, rows: int, mine: Ints | slice = slice(None)) -> Notes:
        """Where these of the book's `rows` lines are noted on."""
        return Notes(self, np.arange(rows)[mine])

    def moved(self, place: Ints) -> Trace:
        """The same notes on a book whose lines stand at other places."""
        return Trace([_Note(each.step, place[each.line], each.top, each.bottom) for each in self.notes])


@dataclass(frozen=True, slots=True)
class Notes:
    """Takes notes on some lines of a book. `pick`: the place of each line in the columns that are noted; None: they
    are by line."""

    trace: Trace
    lines: Ints
    pick: Ints | None = None

    @property
    def place(self) -> Ints:
        return np.arange(self.lines.size) if self.pick is None else self.pick

    def spread(self, pick: Ints) -> Notes:
        """Notes of columns that have a row for several of these: `pick` says which for each row there is now."""
        return Notes(self.trace, self.lines, pick[self.place])

    def only(self, kept: Mask) -> Notes:
        """Notes of the same columns on the lines of some of their rows."""
        place = self.place
        return Notes(self.trace, self.lines[kept[place]], place[kept[place]])

    def note(self, step: str, value: Ratios | Ints, where: Mask | None = None) -> None:
        """The exact value of a step, on the lines at which the mask (by column row) is true."""
        value = value if isinstance(value, Ratios) else Ratios.of(value)
        lines, place = self.lines, self.place
        if where is not None:
            lines, place = lines[where[place]], place[where[place]]
        top, bottom = (
            each if each.size != 1 else np.broadcast_to(each, max(int(place.max(initial=0)) + 1, 1))
            for each in (value.top, value.bottom)
        )
        self.trace.notes.append(_Note(step, lines, top[place], bottom[place]))


def traces(kept: list[tuple[Trace | None, int]]) -> Traces:
    """The traces of all books, each with the number of its lines, one below the other."""
    notes: list[_Note] = []
    first = 0
    for trace, rows in kept:
        notes += (trace.moved(np.arange(first, first + rows)) if trace is not None else Trace()).notes
        first += rows
    words = tuple(sorted({each.step for each in notes}))
    codes = [np.full(each.line.size, words.index(each.step), dtype=np.int32) for each in notes]
    nothing = np.zeros(0, dtype=np.int64)
    line, top, bottom = (
        np.concatenate([nothing, *(getattr(each, one.name) for each in notes)]) for one in fields(_Note)[1:]
    )
    order = np.argsort(line, kind="stable")
    step = np.concatenate([np.zeros(0, dtype=np.int32), *codes])
    return Traces(line[order], Text(step[order], words), top[order], bottom[order])
