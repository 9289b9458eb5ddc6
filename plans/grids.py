"""The rates of a component set out as tables: tiers, sizes of deals, rate tables, points of a curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from plans.rules.compiled import CompiledPlan, Component, PayCurve, Table, Tiers
from plans.rules.phrases import headed, money, named, share
from plans.rules.values import number_text
from plans.rules.words_rates import (
    amount_of,
    bound_words,
    cell_words,
    column_starts,
    number,
    row_words,
    size_words,
    tier_pays,
)
from plans.rules.words_reads import read_words


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the first `names` cells of a row say what it is about, the others are its figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1

    @property
    def cells(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        return [(row[: self.names], row[self.names :]) for row in self.rows]

    @property
    def heads(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.head[: self.names], self.head[self.names :]


def grids(component: Component, plan: CompiledPlan) -> Iterator[Grid]:
    """All tables of a component, in the order in which they act."""
    currency = plan.currency
    if component.tiers is not None:
        yield _of_tiers(component.tiers, plan)
    if component.table is not None:
        yield _of_table("Rate table", component.table, currency)
    if component.curve is not None:
        yield _of_curve("What is reached, and what it pays", component.curve, component, currency)
    if component.accelerator is not None:
        bands = component.accelerator.bands
        rows = tuple((size_words(band.start, component, currency), number_text(band.times)) for band in bands)
        yield Grid("Size of the deal", ("Deals from", "Times"), rows)
    for modifier in component.modifiers.each if component.modifiers is not None else ():
        if modifier.table is not None:
            yield _of_table(f"Factor: {named(modifier.key)}", modifier.table, currency)


def _of_tiers(tiers: Tiers, plan: CompiledPlan) -> Grid:
    currency = plan.currency
    first = {"attainment": "From this share of quota", "amount": "From this amount", "units": "From so many"}[
        tiers.axis
    ]
    starts = [
        share(t.start) if tiers.axis == "attainment" else bound_words(tiers, t.start, currency) for t in tiers.rates
    ]
    if tiers.columns is None:
        rows = tuple(
            (start, tier_pays(tiers, tier.rate, currency)) for start, tier in zip(starts, tiers.rates, strict=True)
        )
        return Grid("Rates", (first, "Rate"), rows)
    columns = [f"{read_words(tiers.columns.read, plan)} from {start}" for start in column_starts(tiers.columns, plan)]
    matrix = tuple(
        (start, *(tier_pays(tiers, rate, currency) for rate in tier.rates))
        for start, tier in zip(starts, tiers.rates, strict=True)
    )
    return Grid("Rates", (first, *(column[:1].upper() + column[1:] for column in columns)), matrix)


def _of_table(title: str, table: Table, currency: str) -> Grid:
    """One row a combination of all dimensions but the last, which goes across; of one dimension, one row each."""
    labels = [[headed_row(words) for words in row_words(each, currency)] for each in table.dimensions]
    names = [headed(each.field) for each in table.dimensions]
    cells = [cell_words(table, cell, currency) for cell in table.cells]
    if len(labels) == 1:
        return Grid(title, (names[0], "Pays"), tuple(zip(labels[0], cells, strict=True)))
    wide = len(labels[-1])
    rows = tuple(
        (*place, *cells[number_ * wide : (number_ + 1) * wide]) for number_, place in enumerate(product(*labels[:-1]))
    )
    return Grid(title, (*names[:-1], *labels[-1]), rows, len(labels) - 1)


def headed_row(words: str) -> str:
    return words[:1].upper() + words[1:]


def _of_curve(title: str, curve: PayCurve, component: Component, currency: str) -> Grid:
    def at(point: int) -> str:
        value = curve.points[point].at
        return share(value) if curve.axis == "attainment" else amount_of(value, component.measure.unit, currency)

    def pays(point: int) -> str:
        value = curve.points[point].pays
        if curve.pays == "share":
            return share(value)
        return money(int(value), currency) if curve.pays == "amount" else number(value)

    rows = tuple((at(point), pays(point)) for point in range(len(curve.points)))
    return Grid(title, ("At this share of quota" if curve.axis == "attainment" else "At", "Pays"), rows)
