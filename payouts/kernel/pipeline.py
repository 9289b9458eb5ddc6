"""`calculate`: from deals, people and plans to credits, attainments, earnings and payables."""

from __future__ import annotations

from dataclasses import fields
from math import lcm
from typing import Any

import numpy as np

from crediting.kernel.credit import Credited, credit
from crediting.kernel.exact import Whole, divided, largest, money, run_numbers, run_starts, running, wide
from payouts.kernel.batch import MISSING_MONEY, Batch, Groups, Ints, Lines, Result, Tranches
from payouts.kernel.measure import QuotaBook, Series, measure, series_of
from payouts.kernel.rate import Rated, Stretch, rate
from payouts.kernel.release import Triggers, tranches


def calculate(batch: Batch) -> Result:
    """Everything that the plans say about the facts of a batch, exact and traced; the meaning is docs/plan-language.md.

    Pure: the same facts give the same result, in the same order, whatever the order of the rows that came in. Raises a
    KernelError (amount out of range, date outside the calendar, bad quota, absent column) before anything is returned.
    """
    credited = credit(batch.plans, batch.facts, batch.teams, batch.reporting, batch.assignments, batch.only)
    quotas, triggers = QuotaBook(batch.quotas), Triggers(batch)
    results: list[tuple[Groups, Lines, Tranches]] = []
    groups = lines = 0
    for versions in series_of(batch.plans):
        series = measure(batch, credited, versions)
        if series is not None:
            results.append(_rated(batch, credited, series, quotas, triggers, groups, lines))
            groups += series.starts.size
            lines += series.row.size
    return Result(
        credited.credits,
        _joined(Groups, [result[0] for result in results]),
        _joined(Lines, [result[1] for result in results]),
        _joined(Tranches, [result[2] for result in results]),
    )


def _rated(
    batch: Batch,
    credited: Credited,
    series: Series,
    quotas: QuotaBook,
    triggers: Triggers,
    first_group: int,
    first_line: int,
) -> tuple[Groups, Lines, Tranches]:
    """The groups, lines and tranches of one component, numbered from `first_group` and `first_line`."""
    rows = series.row.size
    person = credited.person[series.row]
    last = np.append(series.starts[1:], rows) - 1
    total = series.after[last]
    position = np.arange(1, rows + 1) - series.starts[series.group]
    counts = np.bincount(series.version, minlength=len(series.versions))
    stretches: list[Ints | slice] = [
        slice(None) if count == rows else np.flatnonzero(series.version == version)
        for version, count in enumerate(counts)
    ]
    quota = np.full(rows, MISSING_MONEY, dtype=np.int64)
    tier_before, tier_after, band, waiting = (np.full(rows, -1, dtype=np.int64) for _ in range(4))
    rated: list[Rated] = []
    for version, mine in zip(series.versions, stretches, strict=True):
        group = series.group[mine]
        heads = run_starts(group)
        quota[mine] = quotas.find(
            version,
            batch.periods[version.component.every],
            credited.people,
            person[mine][heads],
            series.period[mine][heads],
        )[run_numbers(heads, group.size)]
        stretch = Stretch(
            amount=series.amount[mine],
            whole=series.whole[mine],
            before=series.before[mine],
            after=series.after[mine],
            total=total[group],
            quota=quota[mine],
            position=position[mine],
            fresh=heads if isinstance(mine, slice) else _fresh(mine, heads),
        )
        found = rate(version.component, stretch)
        tier_before[mine], tier_after[mine] = found.tier_before, found.tier_after
        band[mine], waiting[mine] = found.band, found.waiting
        rated.append(found)
    rounded = _rounded(series, stretches, rated)
    deal = credited.credits.fact[series.row]
    earned = _capped(series, stretches, rounded, deal, credited.when[series.row])

    plan_of = np.array([version.plan_place for version in series.versions])
    component_of = np.array([version.component_place for version in series.versions])
    parts = tranches(batch, series, deal, earned, triggers, stretches)
    return (
        Groups(
            participant=credited.people[person[last]],
            plan=plan_of[series.version[last]],
            component=component_of[series.version[last]],
            period=series.period[last],
            replicate=credited.replicate[series.row[last]],
            quota=quota[last],
            total=total,
            lines=last - series.starts + 1,
        ),
        Lines(
            credit=series.row,
            group=series.group + first_group,
            component=component_of[series.version],
            position=position,
            before=series.before,
            after=series.after,
            tier_before=tier_before,
            tier_after=tier_after,
            band=band,
            rounded=rounded,
            earned=earned,
            waiting=waiting.astype(np.int8),
        ),
        Tranches(
            parts.line + first_line, parts.index, parts.amount, parts.trigger_day, parts.release_day, parts.pay_period
        ),
    )


def _fresh(lines: Ints, heads: Ints) -> Ints:
    """The places in `lines` of those that do not follow the line before them: a group or version begins there."""
    apart = np.flatnonzero(np.diff(lines) != 1) + 1
    return np.union1d(heads, apart)


def _rounded(series: Series, stretches: list[Ints | slice], rated: list[Rated]) -> Ints:
    """Earnings rounded as each line's own plan version states."""
    rounded = np.zeros(series.row.size, dtype=np.int64)
    exact: Whole = rounded
    unit = 1
    if any(version.plan.round_at == "curve" for version in series.versions):
        unit = lcm(*(found.divisor for found in rated))
        scaled = [wide(each.earning, largest(each.earning) * (unit // each.divisor)) for each in rated]
        if any(each.dtype == object for each in scaled):
            exact = rounded.astype(object)
        else:
            exact = rounded.copy()
        for found, earning, mine in zip(rated, scaled, stretches, strict=True):
            # A version whose lines are all zero keeps int64, and the factor of another's long decimals may pass it.
            factor = unit // found.divisor
            exact[mine] = wide(earning, factor) * factor
        sums = running(exact, series.starts, series.group)
    for version, found, mine in zip(series.versions, rated, stretches, strict=True):
        plan = version.plan
        if plan.round_at == "line":
            value = divided(found.earning, found.divisor * plan.round_step, plan.round_mode)
        else:
            divisor = unit * plan.round_step
            value = divided(sums[mine], divisor, plan.round_mode) - divided(
                sums[mine] - exact[mine], divisor, plan.round_mode
            )
        rounded[mine] = money(value * plan.round_step, "An earning")
    return rounded


def _capped(series: Series, stretches: list[Ints | slice], rounded: Ints, deal: Ints, when: Ints) -> Ints:
    """What remains of each rounded line below its version's cap on the running sum of lines."""
    capped = {version.component.cap.per for version in series.versions if version.component.cap is not None}
    if not capped:
        return rounded
    sums: dict[str, Whole] = {}
    if "measure_period" in capped:
        sums["measure_period"] = running(rounded, series.starts, series.group)
    if "deal" in capped:
        order = np.lexsort((when, deal, series.group))
        starts = run_starts(series.group[order], deal[order])
        by_deal = running(rounded[order], starts, run_numbers(starts, order.size))
        sums["deal"] = np.empty_like(by_deal)
        sums["deal"][order] = by_deal
    earned = rounded.copy()
    for version, mine in zip(series.versions, stretches, strict=True):
        cap = version.component.cap
        if cap is not None and cap.amount is not None:
            after = sums[cap.per][mine]
            earned[mine] = np.minimum(after, cap.amount) - np.minimum(after - rounded[mine], cap.amount)
    return earned


def _joined(kind: Any, tables: list[Any]) -> Any:
    """Tables of the same kind one below the other."""
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Any] = {}
    for each in fields(kind):
        if each.default is None and all(getattr(table, each.name) is None for table in tables):
            continue
        kinds = np.int8 if each.name == "waiting" else np.int64
        columns[each.name] = np.concatenate(
            (np.zeros(0, dtype=kinds), *(getattr(table, each.name) for table in tables))
        )
    return kind(**columns)
