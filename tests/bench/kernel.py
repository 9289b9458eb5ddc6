"""The kernel alone: exact columns in, exact columns out, one core, no database."""

from __future__ import annotations

import gc
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from comp.core.calendars import PayCalendar, measure_periods, periods
from comp.core.days import day_number
from payouts.kernel import calculate
from payouts.kernel.batch import (
    FAR_DAY,
    Assignments,
    Batch,
    Facts,
    Ints,
    Milestones,
    Quotas,
    Reporting,
    Teams,
    Text,
    Usage,
)
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan
from plans.rules.load import read_yaml
from tests.bench.report import Report, load, typical

SEED = 20260101
FIRST = day_number(date(2026, 1, 1))
CALENDAR = PayCalendar("monthly", 1)

HEAD = """
format: comp/plan/1
key: bench
name: Bench
currency: USD
on_new_version: carry
rounding: {at: line, mode: half-even, step: minor}
"""
MARGINAL = (
    HEAD
    + """
credit_rules:
  - key: won
    fact: deal
    class: bookings
    when: {field: stage, op: is, value: won}
    credit_date: close_date
    amount: amount
    credit: [{role: ae, share: 100%}, {role: se, share: 50%}]
    roll_up: []
components:
  - key: commission
    name: Commission
    clause: You earn a share of each deal, more beyond your quota.
    kind: commission
    credits: {classes: [bookings], roles: [ae, se]}
    measure: {every: quarter}
    quota: sales
    missing_quota: wait
    zero_quota: wait
    below_zero: lowest_tier
    tiers:
      mode: marginal
      boundary: above
      rates: [{from: 0%, rate: 8%}, {from: 100%, rate: 12%}, {from: 120%, rate: 15%}]
    accelerator: null
    cap: null
    release: [{share: 100%, on: credit_date}]
"""
)
#: A split, a roll-up, marginal tiers with an accelerator, a gate, a cap, tranches and clawbacks.
EVERYTHING = (
    HEAD
    + """
credit_rules:
  - key: won
    fact: deal
    class: bookings
    when: {field: stage, op: is, value: won}
    credit_date: close_date
    amount: amount
    credit: [{role: ae, share: 100%}]
    roll_up: [{from: [ae], to: manager, levels: 1, limit: 100%}]
components:
  - key: pipeline
    name: Volume
    clause: What you sell, held against your quota.
    kind: result
    credits: {classes: [bookings], roles: [ae, manager]}
    measure: {every: quarter}
    quota: sales
    missing_quota: wait
    zero_quota: wait
    curve: {pays: share, axis: attainment, mode: steps, boundary: above, below: zero, points: [{at: 50%, pays: 100%}]}
  - key: commission
    name: Commission
    clause: You earn a share of each deal, more beyond your quota and for large deals, once half of it is reached.
    kind: commission
    credits: {classes: [bookings], roles: [ae, manager]}
    measure: {every: quarter}
    quota: sales
    missing_quota: wait
    zero_quota: wait
    below_zero: lowest_tier
    tiers:
      mode: marginal
      boundary: above
      rates: [{from: 0%, rate: 8%}, {from: 100%, rate: 12%}, {from: 120%, rate: 15%}]
    accelerator: {boundary: above, bands: [{from: 0.00, times: 1}, {from: 8000.00, times: 1.5}]}
    gates:
      - key: volume
        reads: {component: pipeline, value: result}
        at_least: 100%
        read_at: final
        until_known: withhold
        effect: {times: 0.5}
    cap: {amount: 500000.00, per: measure_period, excess: lost}
    clawback:
      on: [cancellation]
      formula: pro_rata
      term_months: 12
      failing_month: does_not_count
      lowers_measure: true
      takes: all
    release:
      - {share: 50%, on: credit_date}
      - {share: 50%, on: go-live}
"""
)
SPLIT = 3  # of the everything plan: every third deal has two account executives


def plan(text: str) -> CompiledPlan:
    return compile_plan(read_yaml(text))


def words(codes: Any, *vocabulary: str) -> Text:
    return Text(np.asarray(codes, dtype=np.int32), vocabulary)


def whole(*values: Any) -> Ints:
    return np.array(values, dtype=np.int64)


def ground(count: int, people: int, compiled: CompiledPlan, *, replicate: Ints | None = None) -> dict[str, Any]:
    """Deals of a year and what all batches share. People are numbered from 1; the last tenth are managers."""
    random = np.random.default_rng(SEED)
    every = {each: measure_periods(CALENDAR, each, 2026, 2027) for each in ("month", "quarter", "half", "year")}
    pay = periods(CALENDAR, 2026, 2028)
    none = np.zeros(0, dtype=np.int64)
    quarters = every["quarter"][:4]
    return {
        "plans": (compiled,),
        "periods": {name: whole(*(p.start for p in found), found[-1].end) for name, found in every.items()},
        "pay_periods": whole(*(p.start for p in pay), pay[-1].end),
        "facts": Facts(
            id=np.arange(1, count + 1),
            rank=np.arange(count),
            event_time=random.integers(0, 10**12, count),
            text={"stage": words((random.random(count) < 0.9) - 1, "won")},
            money={"amount": random.integers(10_000, 2_000_000, count)},
            dates={"close_date": FIRST + random.integers(0, 365, count)},
            replicate=replicate,
        ),
        "reporting": Reporting(none, none, none, none),
        "assignments": Assignments(
            np.arange(1, people + 1),
            np.zeros(people, dtype=np.int64),
            np.full(people, FIRST),
            np.full(people, FAR_DAY),
        ),
        "quotas": Quotas(
            np.repeat(np.arange(1, people + 1), 4),
            words(np.zeros(4 * people), "sales"),
            np.tile(whole(*(p.start for p in quarters)), people),
            np.tile(whole(*(p.end for p in quarters)), people),
            np.full(4 * people, max(count // max(people, 1), 1) * 250_000),
        ),
        "milestones": Milestones(none, words(none, "go-live"), none),
        "usage": Usage(none, none, none, none),
    }


def marginal(credits: int, people: int, compiled: CompiledPlan) -> Batch:
    """Two credits a deal, all of them won."""
    count = credits // 2
    parts = ground(count, people, compiled)
    parts["facts"] = replace(parts["facts"], text={"stage": words(np.zeros(count), "won")})
    random = np.random.default_rng(SEED + 1)
    ae = random.integers(1, people + 1, count)
    teams = Teams(
        fact=np.repeat(np.arange(count), 2),
        role=words(np.tile([0, 1], count), "ae", "se"),
        participant=np.stack((ae, ae % people + 1), axis=1).ravel(),
        weight=np.ones(2 * count, dtype=np.int64),
        place=np.tile(whole(0, 1), count),
    )
    return Batch(**parts, teams=teams)


def everything(credits: int, people: int, compiled: CompiledPlan) -> Batch:
    """About as many credits: each deal is credited to one or two people and to their manager; a twentieth is
    cancelled."""
    count = max(credits * 3 // 7, 1)
    parts = ground(count, people, compiled)
    deals = parts["facts"]
    random = np.random.default_rng(SEED + 2)
    gone = np.flatnonzero(random.random(count) < 0.05)
    facts = count + gone.size
    rows = np.concatenate((np.arange(count), gone))
    close = deals.dates["close_date"]
    day = np.concatenate((np.full(count, np.iinfo(np.int64).min), close[gone] + random.integers(0, 200, gone.size)))
    parts["facts"] = Facts(
        id=np.arange(1, facts + 1),
        rank=np.arange(facts),
        event_time=deals.event_time[rows],
        text={"stage": words(np.zeros(facts), "won")},
        money={"amount": deals.money["amount"][rows]},
        dates={"close_date": close[rows], "day": day},
        kind=words(np.arange(facts) >= count, "deal", "cancellation"),
        deal=rows,
    )
    shared = np.arange(0, count, SPLIT)
    own = np.concatenate((np.arange(count), shared))
    managers = people // 10
    ae = random.integers(1, people - managers + 1, own.size)
    order = np.argsort(own, kind="stable")
    if managers:
        parts["reporting"] = Reporting(
            np.arange(1, people - managers + 1),
            people - np.arange(people - managers) % managers,
            np.full(people - managers, FIRST),
            np.full(people - managers, FAR_DAY),
        )
    live = np.flatnonzero(random.random(count) < 0.8)
    parts["milestones"] = Milestones(live, words(np.zeros(live.size), "go-live"), close[live] + 60)
    teams = Teams(
        fact=own[order],
        role=words(np.zeros(own.size), "ae"),
        participant=ae,
        weight=np.ones(own.size, dtype=np.int64),
        place=(np.arange(own.size) >= count).astype(np.int64)[order],
    )
    return Batch(**parts, teams=teams)


def simulated(people: int, replicates: int, deals: int, compiled: CompiledPlan, first: int) -> Batch:
    """Sampled futures: each replicate has all open deals, each won or not, with its own amount."""
    count = people * deals * replicates
    replicate = np.repeat(np.arange(replicates), people * deals)
    parts = ground(count, people, compiled, replicate=replicate)
    random = np.random.default_rng(SEED + 3 + first)
    facts = parts["facts"]
    parts["facts"] = replace(facts, text={"stage": words((random.random(count) < 0.6) - 1, "won")})
    teams = Teams(
        fact=np.arange(count),
        role=words(np.zeros(count), "ae"),
        participant=np.tile(np.repeat(np.arange(1, people + 1), deals), replicates),
        weight=np.ones(count, dtype=np.int64),
        place=np.zeros(count, dtype=np.int64),
    )
    return Batch(**parts, teams=teams)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def measure(report: Report, *, scale: float, samples: int) -> None:
    """Adds the figures of the kernel; `scale` 1 is what the goals speak of."""
    people = max(int(500 * scale), 10)
    _marginal(report, int(2_000_000 * scale), people, samples)
    _everything(report, int(1_000_000 * scale), people, samples)
    _single_cell(report, samples * 20)
    _simulation(report, max(int(1000 * scale), 20), max(int(1000 * scale), 20), samples)
    _growth(report, scale)
    report.details["kernel"] = {"scale": scale, "load": load()}


def _marginal(report: Report, credits: int, people: int, samples: int) -> None:
    batch = marginal(credits, people, plan(MARGINAL))
    calculate(batch)  # the first call reads code from disk
    speeds = []
    for _ in range(samples):
        took, result = seconds(lambda: calculate(batch))
        speeds.append(result.lines.earned.size / took)
        del result
    note = f"{credits:,} credits, {people} people, quarters; one core"
    figure = typical("kernel_marginal_credits_per_s", "1/s", speeds, note)
    report.add(replace(figure, goal=">= 2e6", ok=figure.value >= 2_000_000))
    gc.collect()
    tracemalloc.start()
    result = calculate(batch)
    peak = tracemalloc.get_traced_memory()[1] / result.lines.earned.size
    tracemalloc.stop()
    figure = typical("kernel_bytes_per_credit", "B", [peak], "all that calculate() allocates, its results included")
    report.add(replace(figure, goal="<= 250", ok=figure.value <= 250))
    del result
    _oracle(report, figure_value(report, "kernel_marginal_credits_per_s"), min(samples, 3))


def figure_value(report: Report, name: str) -> float:
    return next(figure.value for figure in report.figures if figure.name == name)


def _oracle(report: Report, median_speed: float, samples: int) -> None:
    """The meaning in Fractions, on a company small enough for it: its credits a second against the kernel's."""
    from tests.bench.oracle import oracle_credits_per_s

    ratios = [median_speed / speed for speed in oracle_credits_per_s(MARGINAL, samples)]
    figure = typical("kernel_vs_oracle", "x", ratios, "credits a second, the same plan; the oracle on 2,000 credits")
    report.add(replace(figure, goal=">= 100", ok=figure.value >= 100))


def _everything(report: Report, credits: int, people: int, samples: int) -> None:
    batch = everything(credits, people, plan(EVERYTHING))
    calculate(batch)
    speeds = []
    for _ in range(samples):
        took, result = seconds(lambda: calculate(batch))
        speeds.append(result.credits.amount.size / took)
        made = result.credits.amount.size
        del result
    note = f"{made:,} credits: split, roll-up, marginal, accelerator, gate, cap, tranches, clawbacks"
    figure = typical("kernel_everything_credits_per_s", "1/s", speeds, note)
    report.add(replace(figure, goal=">= 4e5", ok=figure.value >= 400_000))


def _single_cell(report: Report, samples: int) -> None:
    batch = everything(350, 1, plan(EVERYTHING))
    calculate(batch)
    took = [seconds(lambda: calculate(batch))[0] * 1000 for _ in range(samples)]
    note = "one participant with 200 credits, the everything plan"
    figure = typical("kernel_single_cell_ms", "ms", took, note)
    report.add(replace(figure, goal="<= 5", ok=figure.value <= 5))


def _simulation(report: Report, people: int, replicates: int, samples: int) -> None:
    compiled = plan(MARGINAL.replace("roles: [ae, se]", "roles: [ae]").replace(", {role: se, share: 50%}", ""))
    took = []
    at_once = max(replicates // 20, 1)
    for _ in range(max(samples // 2, 1)):
        total = 0.0
        for first in range(0, replicates, at_once):
            batch = simulated(people, at_once, 20, compiled, first)
            took_now, result = seconds(lambda batch=batch: calculate(batch))  # type: ignore[misc]
            total += took_now
            del result, batch
        took.append(total)
    note = f"{people:,} participants x {replicates:,} replicates x 20 open deals, {at_once} replicates a batch"
    figure = typical("kernel_simulation_s", "s", took, note)
    report.add(replace(figure, goal="<= 20", ok=figure.value <= 20))


def _growth(report: Report, scale: float) -> None:
    """The exponent of the fit of time against credits, from 10^4 to 10^7."""
    compiled = plan(MARGINAL)
    sizes = list(_sizes(10_000, int(10_000_000 * scale)))
    points = []
    for size in sizes:
        batch = marginal(size, max(size // 4000, 10), compiled)
        calculate(batch)
        best = min(seconds(lambda batch=batch: calculate(batch))[0] for _ in range(3 if size < 5e6 else 2))  # type: ignore[misc]
        points.append((math.log(size), math.log(best)))
        report.details.setdefault("kernel_growth_s", {})[str(size)] = round(best, 4)
        del batch
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(points, points[1:], strict=False)]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    fit = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    figure = typical("kernel_growth_exponent", "", slopes, f"fit over {sizes[0]:,} to {sizes[-1]:,} credits")
    report.add(replace(figure, value=fit, goal="<= 1.1", ok=fit <= 1.1))


def _sizes(first: int, last: int) -> Iterator[int]:
    size = first
    while size <= max(last, 40_000):
        yield size
        size = size * 10 if last > 1_000_000 else size * 2
