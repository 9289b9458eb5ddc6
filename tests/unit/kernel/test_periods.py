"""Lines of periods by every value, window and way to share, with numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from crediting.kernel.credit import credit
from crediting.kernel.fields import World
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import MISSING_MONEY, Batch, Groups, Lines, Tranches
from payouts.kernel.order import reading_order
from payouts.kernel.periods import PeriodSeries, looks_at_others, period_lines
from payouts.kernel.quotas import QuotaBook
from payouts.kernel.reads import Ledger
from payouts.kernel.shared import results
from payouts.kernel.values import value_of
from payouts.kernel.windows import Cells
from plans.rules.compiled import (
    CompiledPlan,
    Component,
    Leaf,
    Measure,
    Part,
    PayCurve,
    Point,
    Pool,
    Rank,
    Reads,
    Scorecard,
)
from tests.unit.kernel.world import Deal, attributes, bonus, commission, day, ints, plan, world

NUMBERS = {"quantity": "number", "due_date": "date", "paid_date": "date", "product": "text"}


def measured(value: Any = "sum", every: Any = "month", **changes: Any) -> Component:
    """A component that measures by period."""
    measure = Measure(every, value=value, by="period", **changes)
    return commission(every=every, measure=measure, quota=None, missing_quota=None, zero_quota=None)


def scene(batch: Batch, key: str = "commission", *ledger: Any) -> PeriodSeries | None:
    """The period lines of a component; `ledger` are finished ones, as (key, groups, lines, tranches, line days)."""
    facts = World(batch.facts, batch.attributes, batch.employment)
    credited = credit(batch.plans, facts, batch.teams, batch.reporting, batch.assignments, None)
    families = {step.family[1]: step.versions for step in reading_order(batch.plans)}
    book = Ledger(batch.plans, batch.periods, credited.people)
    for name, groups, lines, tranches, days in ledger:
        book.add(families[name], groups, lines, tranches, day=days, when=None)
    quotas = QuotaBook(batch, credited.people)
    return period_lines(batch, credited, book, quotas, families[key])


def told(batch: Batch, *args: Any) -> list[tuple[int, int, Any]]:
    """Person, period (from 0) and value of each line; `waits` where it waits."""
    series = scene(batch, *args)
    if series is None:
        return []
    values = ["waits" if waits else value for waits, value in zip(series.waits, series.value.fractions(), strict=True)]
    return list(zip((series.person + 1).tolist(), series.period.tolist(), values, strict=True))


def earned(batch: Batch, *args: Any) -> dict[int, int]:
    """What each person's line earns, for one period."""
    series = scene(batch, *args)
    assert series is not None and series.fixed_earning is not None
    amounts = [int(each) for each in series.fixed_earning.fractions()]
    return dict(zip((series.person + 1).tolist(), amounts, strict=True))


def finished(people: list[int], amounts: list[int], days: list[str], **columns: Any) -> Any:
    """A component of which each person has one line in January, released as earned."""
    rows = len(people)
    zero, places = ints([0] * rows), ints(range(rows))
    groups = Groups(ints(people), zero, zero, zero, zero, ints([MISSING_MONEY] * rows), zero, zero + 1, **columns)
    none = zero - 1
    lines = Lines(
        none, places, zero, zero + 1, zero, ints(amounts), none, none, none, ints(amounts), ints(amounts), zero
    )
    when = ints(day(each) for each in days)
    tranches = Tranches(places, zero, ints(amounts), when, when, zero)
    return groups, lines, tranches, when


# ------------------------------------------------------------------ values


DEALS = [
    Deal(100, close="2026-01-10", extra={"quantity": Fraction(2), "product": "a"}),
    Deal(300, close="2026-01-20", extra={"quantity": Fraction(1, 2), "product": "b"}),
    Deal(-50, close="2026-01-25", extra={"product": "a"}),
]


def test_a_sum_is_of_the_period():
    assert told(world(plan(measured()), DEALS)) == [(1, 0, 35_000)]


def test_a_count_takes_back_what_is_negative_and_leaves_out_nothing():
    nothing = Deal(0, close="2026-01-26")
    assert told(world(plan(measured("count", unit="units")), [*DEALS, nothing])) == [(1, 0, 1)]


def test_a_weighted_sum_is_rounded_row_by_row_and_misses_count_nothing():
    """100.00 × 2 + 300.00 × 0.5; the third has no quantity."""
    batch = world(plan(measured("weighted", weight="quantity")), DEALS, types=NUMBERS)
    assert told(batch) == [(1, 0, 35_000)]
    third = [Deal(minor=5, extra={"quantity": Fraction(1, 2)}), Deal(minor=15, extra={"quantity": Fraction(1, 2)})]
    assert told(replace(world(plan(measured("weighted", weight="quantity")), third, types=NUMBERS))) == [(1, 0, 10)]


def test_a_share_is_of_all_rows_and_stays_exact():
    """50 of 350 in product a; the sum of nothing waits or is 0."""
    part = Leaf("product", "text", "is", "a")
    share = measured("share", part=part, empty="wait", unit="share")
    assert told(world(plan(share), DEALS, types=NUMBERS)) == [(1, 0, Fraction(1, 7))]
    even = [Deal(50, extra={"product": "a"}), Deal(-50, extra={"product": "b"})]
    assert told(world(plan(share), even, types=NUMBERS)) == [(1, 0, "waits")]
    zero = measured("share", part=part, empty="zero", unit="share")
    assert told(world(plan(zero), even, types=NUMBERS)) == [(1, 0, 0)]
    below = [Deal(-30, extra={"product": "a"}), Deal(-10, extra={"product": "b"})]
    assert told(world(plan(share), below, types=NUMBERS)) == [(1, 0, Fraction(3, 4))]


def test_an_average_is_weighted_and_leaves_out_what_misses_its_weight():
    """(100.00 × 2 + 300.00 × 0.5) / 2.5 = 140.00."""
    average = measured("average", weight="quantity", empty="wait")
    assert told(world(plan(average), DEALS, types=NUMBERS)) == [(1, 0, 14_000)]
    plain = measured("average", empty="wait")
    assert told(world(plan(plain), DEALS, types=NUMBERS)) == [(1, 0, Fraction(35_000, 3))]
    assert told(world(plan(average), DEALS[2:], types=NUMBERS)) == [(1, 0, "waits")]


def test_an_average_of_units_is_in_whole_units():
    """3 and 4 units, kept in millionths."""
    cells = Cells(ints([7_000_000]), ints([2]))
    found, _ = value_of(measured("average", empty="wait", unit="units"), cells)
    assert found.fractions() == [Fraction(7, 2)]


def test_days_are_counted_between_dates_by_weight():
    """From 1 to 11 January: 10 days, of 100.00; from 1 to 31: 30 days, of 300.00; the third has no date of payment."""
    deals = [
        Deal(100, extra={"due_date": "2026-01-01", "paid_date": "2026-01-11"}),
        Deal(300, extra={"due_date": "2026-01-01", "paid_date": "2026-01-31"}),
        Deal(900, extra={"due_date": "2026-01-01"}),
    ]
    fields = {"from_field": "due_date", "to_field": "paid_date", "empty": "wait", "unit": "days"}
    days = measured("days", first_day="out", last_day="in", weight="amount", **fields)
    assert told(world(plan(days), deals, types=NUMBERS)) == [(1, 0, 25)]
    plain = measured("days", first_day="in", last_day="in", **fields)
    assert told(world(plan(plain), deals, types=NUMBERS)) == [(1, 0, 21)]
    out = measured("days", first_day="out", last_day="out", **fields)
    assert told(world(plan(out), deals, types=NUMBERS)) == [(1, 0, 19)]


def test_the_last_and_the_largest():
    assert told(world(plan(measured("last")), DEALS)) == [(1, 0, -5_000)]
    assert told(world(plan(measured("high_water")), DEALS)) == [(1, 0, 30_000)]
    # On one day the event that came later is the last.
    same = [Deal(10, event=2), Deal(20, event=1)]
    assert told(world(plan(measured("last")), same)) == [(1, 0, 1_000)]


# ------------------------------------------------------------------ windows


MONTHLY = [Deal(100, close="2026-01-10"), Deal(200, close="2026-02-10"), Deal(400, close="2026-04-10")]


def test_windows_are_the_period_the_year_so_far_or_the_last_periods():
    assert told(world(plan(measured()), MONTHLY)) == [(1, 0, 10_000), (1, 1, 20_000), (1, 3, 40_000)]
    to_date = told(world(plan(measured(window="year_to_date")), MONTHLY))
    assert [value for _, _, value in to_date] == [10_000, 30_000, 30_000, *[70_000] * 9]
    rolling = told(world(plan(measured(window="rolling", periods=3)), MONTHLY))
    assert rolling == [
        (1, 0, 10_000),
        (1, 1, 30_000),
        (1, 2, 30_000),
        (1, 3, 60_000),
        (1, 4, 40_000),
        (1, 5, 40_000),
    ]


def test_the_last_of_a_window_is_that_of_its_latest_period():
    found = told(world(plan(measured("last", window="rolling", periods=2)), MONTHLY))
    assert [(period, value) for _, period, value in found] == [
        (0, 10_000),
        (1, 20_000),
        (2, 20_000),
        (3, 40_000),
        (4, 40_000),
    ]


def test_a_line_belongs_to_the_version_of_the_last_day_assigned():
    first, second = plan(measured()), plan(measured("count", unit="units"), digest="1" * 64)
    batch = world([(first, "2026-01-01", "2026-02-10"), (second, "2026-02-10", "2026-04-01")], MONTHLY)
    series = scene(batch)
    assert series is not None
    assert series.version.tolist() == [0, 1]
    assert [int(value) for value in series.value.fractions()] == [10_000, 1]
    # In January the last day assigned is the month's; nobody is assigned in April.
    assert series.person_day.tolist() == [day("2026-01-31"), day("2026-02-28")]
    assert series.day.tolist() == [day("2026-01-31"), day("2026-02-28")]


def test_who_leaves_in_mid_period_is_himself_as_of_the_last_day_assigned():
    batch = world([(plan(measured()), "2026-01-01", "2026-01-15")], MONTHLY)
    series = scene(batch)
    assert series is not None
    assert (series.person_day.tolist(), series.day.tolist()) == ([day("2026-01-14")], [day("2026-01-31")])


def test_people_who_are_not_eligible_have_no_line():
    asked = replace(measured(of="company"), eligible=Leaf("person.title", "text", "is", "AE"))
    batch = world(plan(asked), MONTHLY[:1])
    batch = replace(batch, attributes=attributes((2, "title", "AE", "2026-01-01", "2027-01-01")))
    assert told(batch) == [(2, 0, 10_000)]


# ------------------------------------------------------------------ scopes


TEAMS = attributes(
    (1, "team", "north", "2026-01-01", "2027-01-01"),
    (2, "team", "north", "2026-01-01", "2026-02-01"),
    (2, "team", "south", "2026-02-01", "2027-01-01"),
    (3, "team", "south", "2026-01-01", "2027-01-01"),
)
THREE = [
    Deal(100, close="2026-01-10", team=[("ae", 1)]),
    Deal(200, close="2026-01-20", team=[("ae", 2)]),
    Deal(400, close="2026-02-20", team=[("ae", 2)]),
    Deal(800, close="2026-02-25", team=[("ae", 4)]),
]


def test_a_team_is_who_is_in_it_on_the_credit_date():
    batch = replace(world(plan(measured(of="team")), THREE), attributes=TEAMS)
    assert told(batch) == [(1, 0, 30_000), (2, 0, 30_000), (2, 1, 40_000), (3, 1, 40_000)]
    quarterly = replace(world(plan(measured(of="team", every="quarter")), THREE), attributes=TEAMS)
    # By the end of March person 2 is in the south, which January's 200.00 was not for.
    assert told(quarterly) == [(1, 0, 30_000), (2, 0, 40_000), (3, 0, 40_000)]


def test_the_company_is_everybody_whatever_their_plan():
    other = plan(bonus(10), key="other")
    both = [(plan(measured(of="company")), "2026-01-01", "2027-01-01"), (other, "2026-01-01", "2027-01-01")]
    batch = world(both, THREE, people=(1, 2))
    batch = replace(batch, assignments=replace(batch.assignments, participant=ints([1, 3, 2, 4])))
    assert told(batch) == [(1, 0, 30_000), (1, 1, 120_000), (3, 0, 30_000), (3, 1, 120_000)]


def test_own_rows_are_those_of_the_plan():
    other = plan(bonus(10), key="other")
    both = [(plan(measured()), "2026-01-01", "2027-01-01"), (other, "2026-01-01", "2027-01-01")]
    assert told(world(both, THREE)) == [(1, 0, 10_000), (2, 0, 20_000), (2, 1, 40_000), (4, 1, 80_000)]


def test_the_order_of_rows_in_changes_nothing():
    component = measured("last", of="team", window="rolling", periods=2)
    for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)):
        batch = replace(world(plan(component), THREE, order=order), attributes=TEAMS)
        assert told(batch)[:3] == [(1, 0, 20_000), (1, 1, 20_000), (2, 0, 20_000)]


def test_replicates_are_worlds_of_their_own():
    deals = [Deal(100), Deal(200, replicate=1), Deal(300, team=[("ae", 2)], replicate=1)]
    series = scene(world(plan(measured(of="company")), deals, people=(1, 2)))
    assert series is not None
    assert series.replicate.tolist() == [0, 1, 0, 1]
    assert [int(value) for value in series.value.fractions()] == [10_000, 50_000, 10_000, 50_000]


# ------------------------------------------------------------------ pools and ranks


def pooled(every: Any = "month", of: Any = "company", **terms: Any) -> CompiledPlan:
    given = {"share": None, "amount": None, "divide": "equal", "points": None, "after_posting": "keep"} | terms
    return plan(replace(measured(every=every, of=of), kind="pool", pool=Pool(**given)))


def test_a_pool_is_divided_equally_and_the_rest_goes_to_the_lower_participants():
    """10% of 100.00 between three: 3.34, 3.33, 3.33."""
    batch = world(pooled(share=Fraction(1, 10)), [Deal(100)], people=(1, 2, 3))
    assert earned(batch) == {1: 334, 2: 333, 3: 333}
    back = world(pooled(share=Fraction(1, 10)), [Deal(-100)], people=(1, 2, 3))
    assert earned(back) == {1: -334, 2: -333, 3: -333}


def test_a_pool_by_points_gives_nothing_where_no_points_are():
    january = (day("2026-01-01"), day("2026-02-01"))
    points = [(1, "points", january, 1), (2, "points", january, 3)]
    terms = {"amount": 10_001, "divide": "points", "points": "points"}
    batch = world(pooled(**terms), [Deal(1)], people=(1, 2, 3), quotas=points)
    # 100.01 by 1 and 3: 25.0025 and 75.0075; the cent left goes to the larger remainder.
    assert earned(batch) == {1: 2_500, 2: 7_501, 3: 0}
    assert earned(world(pooled(**terms), [Deal(1)], people=(1, 2))) == {1: 0, 2: 0}


def test_who_left_before_the_last_day_has_no_part_in_a_pool():
    chosen = pooled(amount=900)
    batch = world(chosen, [Deal(1)], people=(1, 2))
    assigned = replace(batch.assignments, end=ints([day("2026-01-31"), day("2027-01-01")]))
    assert earned(replace(batch, assignments=assigned)) == {2: 900}


def test_each_team_has_a_pool_of_its_own():
    batch = replace(world(pooled(of="team", share=Fraction(1, 10)), THREE[:2]), attributes=TEAMS)
    assert earned(batch) == {1: 1_500, 2: 1_500}


def test_a_pool_of_an_amount_stands_where_the_plan_gives_a_credit():
    given = pooled(amount=1_000)
    given = replace(given, components=(replace(given.components[0], classes=(), roles=()),))
    assert earned(world(given, [Deal(1, team=[("ae", 2)])], people=(1, 2))) == {1: 500, 2: 500}


def test_a_pool_of_own_rows_is_each_ones_own():
    deals = [Deal(100), Deal(300, team=[("ae", 2)])]
    assert earned(world(pooled(of="own", share=Fraction(1, 10)), deals, people=(1, 2))) == {1: 1_000, 2: 3_000}


def ranked(order: Any = "high", ties: Any = "share") -> CompiledPlan:
    return plan(replace(measured(), kind="rank", rank=Rank(order, (501, 300, 100), ties, "keep")))


CONTEST = [
    Deal(100, team=[("ae", 1)]),
    Deal(300, team=[("ae", 2)]),
    Deal(300, team=[("ae", 3)]),
    Deal(200, team=[("ae", 4)]),
    Deal(50, team=[("ae", 5)]),
]


def test_equals_divide_the_prizes_of_their_places():
    """2 and 3 share 5.01 + 3.00 = 8.01: 4.01 to the lower; 4 is third."""
    assert earned(world(ranked(), CONTEST)) == {1: 0, 2: 401, 3: 400, 4: 100, 5: 0}


def test_or_each_of_them_gets_the_best():
    assert earned(world(ranked(ties="all"), CONTEST)) == {1: 0, 2: 501, 3: 501, 4: 100, 5: 0}


def test_the_lowest_may_win():
    assert earned(world(ranked(order="low"), CONTEST)) == {1: 300, 2: 0, 3: 0, 4: 100, 5: 501}


def test_equals_on_the_edge_divide_what_is_left():
    deals = [Deal(100, team=[("ae", person)]) for person in (1, 2, 3, 4)]
    assert earned(world(ranked(), deals)) == {1: 226, 2: 225, 3: 225, 4: 225}


def test_ratios_are_ranked_exactly():
    """1/3 and 333333/1000000 differ; both of them beat none."""
    part = Leaf("product", "text", "is", "a")
    component = replace(
        measured("share", part=part, empty="wait", unit="share"),
        kind="rank",
        rank=Rank("high", (500, 300), "share", "keep"),
    )
    deals = [
        Deal(minor=333_333, team=[("ae", 1)], extra={"product": "a"}),
        Deal(minor=666_667, team=[("ae", 1)], extra={"product": "b"}),
        Deal(minor=1, team=[("ae", 2)], extra={"product": "a"}),
        Deal(minor=2, team=[("ae", 2)], extra={"product": "b"}),
        Deal(minor=0, team=[("ae", 3)], extra={"product": "b"}),
    ]
    assert earned(world(plan(component), deals, types=NUMBERS)) == {1: 300, 2: 500, 3: 0}


# ------------------------------------------------------------------ scorecards and results


def carded(**terms: Any) -> CompiledPlan:
    parts = (Part("logos", Fraction(3, 5)), Part("csat", Fraction(2, 5)))
    given = {"missing_part": "zero", "at_least": None, "at_most": None, "parts": parts} | terms
    card = replace(measured(every="quarter"), key="card", kind="scorecard", classes=(), scorecard=Scorecard(**given))
    return plan(*(replace(measured(), key=key, kind="result", curve=CURVE) for key in ("logos", "csat")), card)


CURVE = PayCurve(
    "share",
    "value",
    "steps",
    "above",
    "zero",
    None,
    None,
    (Point(Fraction(0), Fraction(1)), Point(Fraction(100), Fraction(2))),
)


def part_results(key: str, component: int, *results: tuple[int, int, int]) -> Any:
    """(person, top, bottom), of January."""
    groups, lines, tranches, when = finished(
        [each[0] for each in results],
        [0] * len(results),
        ["2026-01-31"] * len(results),
        result_top=ints(each[1] for each in results),
        result_bottom=ints(each[2] for each in results),
    )
    groups = replace(groups, component=groups.component + component)
    return key, groups, lines, tranches, when


def scores(card: CompiledPlan) -> list[tuple[int, int, Any]]:
    # Monthly results of January are not read by a quarter, whose last day is in March: so measure them in March.
    logos = part_results("logos", 0, (1, 5, 4), (2, 1, 2))
    csat = part_results("csat", 1, (1, 1, 2), (2, 0, 0), (3, 0, 0))
    tables = []
    for key, groups, lines, tranches, when in (logos, csat):
        tables.append((key, replace(groups, period=groups.period + 2), lines, tranches, when))
    return told(world(card, [], people=(1, 2, 3)), "card", *tables)


def test_a_scorecard_adds_up_weighted_results():
    """Person 1: 60% × 1.25 + 40% × 0.5 = 0.95; person 2 has only 60% × 0.5; person 3 has no result at all."""
    assert scores(carded()) == [(1, 0, Fraction(19, 20)), (2, 0, Fraction(3, 10))]
    assert scores(carded(missing_part="wait")) == [(1, 0, Fraction(19, 20)), (2, 0, "waits")]
    clipped = carded(at_least=Fraction(1, 2), at_most=Fraction(9, 10))
    assert scores(clipped) == [(1, 0, Fraction(9, 10)), (2, 0, Fraction(1, 2))]


def test_results_are_exact_and_may_be_missing():
    curve = PayCurve(
        "share",
        "attainment",
        "interpolated",
        "above",
        "zero",
        "last",
        None,
        (Point(Fraction(1, 2), Fraction(0)), Point(Fraction(1), Fraction(1))),
    )
    component = replace(measured(), kind="result", curve=curve, missing_quota="wait", zero_quota="no_pay")
    value = Ratios(ints([5, 7, 9, 9, 9]), ints([6, 8, 1, 1, 1]))
    quota = ints([1, 1, MISSING_MONEY, 0, 9])
    waits = np.array([False, False, False, False, True])
    found, missing = results(component, value, waits, quota)
    # 5/6 of the quota is two thirds of the way from 50% to 100%.
    assert found.fractions() == [Fraction(2, 3), Fraction(3, 4), 0, 0, 0]
    assert missing.tolist() == [False, False, True, False, True]
    withheld = np.array([True, False, False, False, False])
    halved, _ = results(component, value, waits, quota, withheld, Ratios.constant(Fraction(1, 2)))
    assert halved.fractions()[:2] == [0, Fraction(3, 8)]


# ------------------------------------------------------------------ what others earned


def override(of: Any, depth: int | None = None, what: Any = "earning", every: Any = "month") -> CompiledPlan:
    reads = Reads(what, of, depth, (("plan", "commission"),))
    top = replace(measured(every=every), key="override", classes=(), roles=(), reads=reads)
    return plan(commission(every="month", measure=Measure("month")), top)


LINES = [(2, 1, "2026-01-01", "2027-01-01"), (3, 2, "2026-01-01", "2027-01-01"), (4, 2, "2026-01-01", "2026-01-31")]


def test_an_override_reads_the_earnings_of_those_below_as_of_the_persons_day():
    """1 leads 2, who leads 3; 4 left 2 on the 31st, the day that counts."""
    table = ("commission", *finished([1, 2, 3, 4], [1, 20, 300, 4_000], ["2026-01-10"] * 4))

    def read(of: Any, depth: int | None = None) -> dict[int, Any]:
        batch = world(override(of, depth), [], reporting=LINES)
        return {person: value for person, _, value in told(batch, "override", table)}

    assert read("self") == {1: 1, 2: 20, 3: 300, 4: 4_000}
    assert read("reports", 1) == {1: 20, 2: 300}
    assert read("reports", 2) == {1: 320, 2: 300}
    assert read("downline") == {1: 320, 2: 300}


def test_a_team_reads_its_own_earnings_too():
    table = ("commission", *finished([1, 2, 3, 4], [1, 20, 300, 4_000], ["2026-01-10"] * 4))
    batch = replace(world(override("team"), []), attributes=TEAMS)
    # Without a team nobody reads anything: person 4.
    assert told(batch, "override", table) == [(1, 0, 21), (2, 0, 21), (3, 0, 300)]


def test_who_leaves_early_reads_his_team_as_of_his_last_day():
    table = ("commission", *finished([1, 2, 3], [1, 20, 300], ["2026-01-10"] * 3))
    batch = replace(world(override("team", every="quarter"), [], people=(1, 2, 3)), attributes=TEAMS)
    ends = ints([day("2027-01-01"), day("2026-01-20"), day("2027-01-01")])
    batch = replace(batch, assignments=replace(batch.assignments, end=ends))
    # On 19 January 2 is in the north with 1; at the end of March 1 is there alone, and 2 is in the south.
    assert told(batch, "override", table) == [(1, 0, 1), (2, 0, 21), (3, 0, 320)]


def test_an_override_on_an_override_reads_the_first():
    reads = Reads("earning", "reports", 1, (("plan", "override"),))
    first = override("reports", 1)
    second = replace(first.components[1], key="second", reads=reads)
    both = replace(first, components=(*first.components, second))
    groups, lines, tranches, when = finished([2, 3], [20, 300], ["2026-01-31"] * 2)
    table = ("override", replace(groups, component=groups.component + 1), lines, tranches, when)
    # 2 earned 0.20 as an override, which 1 reads; 3 earned 3.00, which 2 reads.
    assert told(world(both, [], reporting=LINES), "second", table) == [(1, 0, 20), (2, 0, 300)]


def test_releases_are_read_by_the_day_they_come():
    groups, lines, tranches, when = finished([2, 3], [500, 700], ["2026-01-10"] * 2)
    tranches = replace(tranches, release_day=ints([day("2026-02-03"), np.iinfo(np.int64).min]))
    batch = world(override("reports", 2, what="released"), [], reporting=LINES)
    assert told(batch, "override", ("commission", groups, lines, tranches, when)) == [(1, 1, 500)]


def test_plans_say_whether_others_matter():
    assert not looks_at_others([plan(commission(), measured()), override("self")])
    assert looks_at_others([override("reports", 1)])
    assert looks_at_others([plan(measured(of="team"))])
    assert looks_at_others([ranked()])
