"""Fields of facts and of people, as columns beside any rows: what conditions, amounts, tables and weights read.

A `World` is built once a batch. `FactRows` are rows of (fact, person, day) read as one plan version reads them: in its
currency, with its computed fields. Fields are named as in plans: `amount`, `deal.amount`, `computed.margin`,
`person.title`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from comp.core.spans import whole_months
from crediting.kernel.columns import (
    FAR_DAY,
    MILLIONTHS,
    MISSING_DAY,
    MISSING_MONEY,
    Attributes,
    Employment,
    Exchange,
    Facts,
    Ints,
    Text,
)
from crediting.kernel.conditions import Mask, answer
from crediting.kernel.errors import ColumnAbsent
from crediting.kernel.exchange import NO_RATE, Rates
from crediting.kernel.expressions import evaluate
from crediting.kernel.people import Careers
from plans.rules.compiled import CompiledPlan, Condition, Leaf
from plans.rules.fields import FieldType

__all__ = ["FactRows", "Mask", "RowFields", "World"]


class RowFields(Protocol):
    """Columns beside some rows: money int64 minor units, numbers int64 millionths (both MISSING_MONEY where missing),
    dates int64 (MISSING_DAY), texts `Text` (code -1), booleans int8 (-1)."""

    @property
    def size(self) -> int: ...
    def column(self, field: str, kind: FieldType) -> Any: ...
    def mask(self, condition: Condition) -> Mask: ...


class World:
    """The facts of a batch, and what is known about people and rates by dates. Remembers what was worked out: rules and
    plan versions mostly ask the same."""

    def __init__(
        self,
        facts: Facts,
        attributes: Attributes | None = None,
        employment: Employment | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self.facts = facts
        self.size = int(facts.id.size)
        self.careers = Careers(attributes, employment)
        self.rates = Rates(exchange)
        self._columns: dict[tuple[str, FieldType], Any] = {}
        self._answers: dict[Leaf, Mask] = {}

    def column(self, field: str, kind: FieldType) -> Any:
        """A field of all facts, or of their deals, in its own currency. Not to be written to. Refused where the batch
        carries no such column: as a missing one it would pay nothing."""
        key = (field, kind)
        if key not in self._columns:
            column = self.raw(field, kind)
            numbers = kind == "number" and column.dtype == object
            self._columns[key] = _millionths(column) if numbers else column
        return self._columns[key]

    def raw(self, field: str, kind: FieldType) -> Any:
        """The same as the batch holds it: numbers may be Fractions."""
        if field.startswith("deal."):
            return self._of_deals(self.raw(field.removeprefix("deal."), kind))
        facts = self.facts
        held: Any = {
            "text": facts.text,
            "money": facts.money,
            "date": facts.dates,
            "number": facts.numbers,
            "boolean": facts.booleans,
        }[kind]
        if field in held:
            return held[field]
        if field == "currency" and kind == "text" and facts.currency is not None:
            return facts.currency
        raise ColumnAbsent(f"A plan reads the {kind} field {field!r}; the facts carry {', '.join(held) or 'none'}.")

    def of_kind(self, kind: str) -> Mask:
        """The facts of a kind."""
        kinds = self.facts.kind
        if kinds is None:
            return np.full(self.size, kind == "deal")
        code = kinds.vocabulary.index(kind) if kind in kinds.vocabulary else -2
        return np.asarray(kinds.codes == code, dtype=bool)

    def currency(self, deals: bool) -> Text | None:
        """The currency that each fact's money is in, or its deal's; None where all are in the plans'."""
        stated = self.facts.currency
        return stated if stated is None or not deals else self._of_deals(stated)

    def answer(self, leaf: Leaf) -> Mask:
        """For each fact whether the leaf is true, each leaf worked out once. Not to be written to."""
        if leaf not in self._answers:
            self._answers[leaf] = answer(leaf, self.raw(leaf.field, leaf.type))
        return self._answers[leaf]

    def _of_deals(self, column: Any) -> Any:
        return column if self.facts.deal is None else _taken(column, self.facts.deal)


class FactRows:
    """Rows of (fact, person, day) as a plan version reads them: money in its currency, converted at the day.

    `fact` are rows of `Facts` (-1 for none), None for all of them as they stand; `participant` are ids, None where
    nothing of a person is read. The day is the credit date; `person_day` is as of when a person is read, where that is
    another.
    """

    def __init__(
        self,
        world: World,
        plan: CompiledPlan,
        fact: Ints | None,
        participant: Ints | None,
        day: Ints,
        person_day: Ints | None = None,
    ) -> None:
        self._world = world
        self._plan = plan
        self._fact = fact
        self._participant = participant
        self._day = day
        self._person_day = day if person_day is None else person_day
        self._computed = {each.name: each for each in plan.computed}
        self._columns: dict[tuple[str, FieldType], Any] = {}
        self._answers: dict[Leaf, Mask] = {}
        self._rates: dict[bool, Ints] = {}
        self._unpriced: Mask | None = None
        self._priced = world.facts.currency is None

    @property
    def size(self) -> int:
        return int(self._day.size)

    def column(self, field: str, kind: FieldType) -> Any:
        """The field beside each row. Not to be written to."""
        key = (field, kind)
        if key not in self._columns:
            self._columns[key] = self._column(field, kind)
        return self._columns[key]

    def mask(self, condition: Condition) -> Mask:
        """For each row whether the condition is true. Not to be written to."""
        return self._mask(condition, None)

    def may_hold(self, condition: Condition) -> Mask:
        """For each row whether the condition is true, or would be for some amounts where they have no rate yet."""
        return self._mask(condition, True)

    def rate(self) -> Ints | None:
        """The row of `Exchange` at which each row's money is converted, SAME or NO_RATE; None where no fact of the
        batch states a currency."""
        return None if self._world.facts.currency is None else self._rate_of(False)

    def unpriced(self) -> Mask | None:
        """The rows whose money has no rate, or that of their deal; None where there are none."""
        if not self._priced:
            without = (self._rate_of(False) == NO_RATE) | (self._rate_of(True) == NO_RATE)
            self._unpriced, self._priced = without if without.any() else None, True
        return self._unpriced

    def unreached(self) -> Text:
        """The currency that has no rate on each of the `unpriced` rows: the fact's own, else its deal's."""
        own, deals = self._world.currency(False), self._world.currency(True)
        assert own is not None and deals is not None
        lacks = self._rate_of(False) == NO_RATE
        return Text(np.where(lacks, self._taken(own).codes, self._taken(deals).codes), own.vocabulary)

    def unknown(self, field: str, kind: FieldType) -> Mask | None:
        """The rows on which a field is money that is there and has no rate, or made of such; None where none is."""
        if self.unpriced() is None:
            return None
        if field.startswith("computed."):
            several = [self.unknown(*read) for read in self._computed[field].reads]
            known = [each for each in several if each is not None]
            return None if not known else np.any(np.stack(known), axis=0)
        if kind != "money":
            return None
        there: Mask = self._taken(self._world.column(field, kind)) != MISSING_MONEY
        without: Mask = self._rate_of(field.startswith("deal.")) == NO_RATE
        return there & without

    def _column(self, field: str, kind: FieldType) -> Any:
        if field.startswith("computed."):
            return self._evaluated(field, kind)
        if field.startswith("person."):
            return self._of_person(field.removeprefix("person."))
        values = self._taken(self._world.column(field, kind))
        deals = field.startswith("deal.")
        currency = self._world.currency(deals) if kind == "money" else None
        if currency is None:
            return values
        digits, mode = self._plan.minor_digits, self._plan.round_mode
        return self._world.rates.convert(values, self._taken(currency), self._rate_of(deals), digits, mode)

    def _taken(self, column: Any) -> Any:
        """Of a column of all facts, the rows' own."""
        if self._fact is None:
            return column
        return _taken(column, self._fact)

    def _rate_of(self, deals: bool) -> Ints:
        """The rates of the rows' own currencies, or of those of their deals."""
        if deals not in self._rates:
            currency = self._world.currency(deals)
            assert currency is not None
            # A plan that does not say how it converts converts nothing.
            rates = self._world.rates if self._plan.currencies is not None else Rates(None)
            self._rates[deals] = rates.find("spot", self._taken(currency), self._plan.currency, self._day)
        return self._rates[deals]

    def _evaluated(self, field: str, kind: FieldType) -> Any:
        computed = self._computed.get(field)
        if computed is None or computed.type != kind:
            raise ColumnAbsent(f"A plan reads the {kind} field {field!r}, and computes no such field.")
        return evaluate(computed, self, self._plan.minor_digits)

    def _of_person(self, name: str) -> Any:
        if self._participant is None:
            raise ColumnAbsent(f"A plan reads 'person.{name}' where no person is known.")
        careers = self._world.careers
        if name not in ("hired_on", "tenure_months"):
            return careers.attribute(name, self._participant, self._person_day)
        hired = careers.hired(self._participant)
        if name == "hired_on":
            return hired
        known = hired != MISSING_DAY
        months = whole_months(np.where(known, hired, 0), np.where(known, self._person_day, 0))
        return np.where(known, months * MILLIONTHS, MISSING_MONEY)

    def _mask(self, condition: Condition, unpriced: bool | None) -> Mask:
        """`unpriced`: what a leaf counts as on rows without a rate, where it reads money; None: missing, thus false."""
        if isinstance(condition, Leaf):
            found = self._leaf(condition)
            rows = None if unpriced is None else self.unknown(condition.field, condition.type)
            if rows is None:
                return found
            if condition.op in ("is_missing", "is_present") and not condition.field.startswith("computed."):
                return np.where(rows, condition.op == "is_present", found)
            return found | rows if unpriced else found & ~rows
        result = np.full(self.size, condition.join != "any")
        for part in condition.parts:
            if condition.join == "all":
                result &= self._mask(part, unpriced)
            elif condition.join == "any":
                result |= self._mask(part, unpriced)
            else:
                result &= ~self._mask(part, None if unpriced is None else not unpriced)
        return result

    def _leaf(self, leaf: Leaf) -> Mask:
        converted = leaf.type == "money" and self._world.facts.currency is not None
        if self._fact is None and not converted and not leaf.field.startswith(("computed.", "person.")):
            return self._world.answer(leaf)
        if leaf not in self._answers:
            self._answers[leaf] = answer(leaf, self._values(leaf))
        return self._answers[leaf]

    def _values(self, leaf: Leaf) -> Any:
        """A column for a condition, in which numbers may be Fractions: compared exactly, whatever their decimals."""
        if leaf.type == "number" and not leaf.field.startswith(("computed.", "person.")):
            return self._taken(self._world.raw(leaf.field, leaf.type))
        return self.column(leaf.field, leaf.type)


def _taken(column: Any, places: Ints) -> Any:
    """The values at the places, missing where a place is -1."""
    if places.size and int(places.min()) >= 0:
        return Text(column.codes[places], column.vocabulary) if isinstance(column, Text) else column[places]
    if isinstance(column, Text):
        # The code -1 is a missing text's, and the added last place is what -1 picks.
        return Text(np.append(column.codes, np.int32(-1))[places], column.vocabulary)
    missing = {"object": None, "int8": -1}.get(column.dtype.name, MISSING_MONEY)
    return np.append(column, np.array([missing], dtype=column.dtype))[places]


def _millionths(values: Any) -> Ints:
    """Fractions (None where missing) as whole millionths, rounded half to even. What passes 64 bits becomes the largest
    number there is, so that it is refused as an amount, and only there."""
    return np.array(
        [
            MISSING_MONEY if value is None else max(-FAR_DAY, min(FAR_DAY, round(value * MILLIONTHS)))
            for value in values
        ],
        dtype=np.int64,
    )
