"""The waterfall of each pay period: draws, recoveries, caps, holdbacks, what is carried (number 34)."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from crediting.kernel.errors import AmountOutOfRange
from crediting.kernel.exact import added
from payouts.kernel import calculate
from payouts.kernel.batch import DATED, OF_REVERSAL, Adjustments, Balances, Batch, Result
from plans.rules.compiled import CompiledPlan
from plans.rules.compiled_pay import Clawback, ClawbackLimit, Draw, PaymentCap, Proration, Recovery, Settlement
from tests.unit.kernel.world import Deal, commission, day, days, employment, ints, plan, release, text, tiers, world

ORDER = ("releases", "adjustments", "clawbacks", "carried", "recovery", "cap", "holdback", "top_up")
YEAR = (day("2026-01-01"), day("2027-01-01"))
BACK = Clawback(("cancellation",), "original", lowers_measure=False, takes="all")


def settling(order: tuple[str, ...] = ORDER, **more: Any) -> Settlement:
    if "draw" in more:
        more["draws"] = (more.pop("draw"),)
    if "cap" in more:
        more["caps"] = (PaymentCap(more.pop("cap"), "pay_period", more.pop("cap_excess")),)
    return Settlement(order, more.pop("negative", "carried"), **more)


def draw(amount: int, kind: Any = "recoverable", style: Any = "top_up", **more: Any) -> Draw:
    stated: dict[str, Any] = {
        "start": YEAR[0],
        "end": day("2026-04-01"),
        "test": ("releases",),
        "recovery": Recovery(Fraction(1), 0, 0) if kind == "recoverable" else None,
        "retest": None,
        "on_leaving": "owed",
    }
    return Draw(kind, style, amount * 100, **stated | more)


def made(settlement: Settlement | None, **more: Any) -> CompiledPlan:
    entries = more.pop("entries", release((100, "credit_date")))
    part = commission(tiers((0, 100)), missing_quota="lowest_tier", clawback=BACK, release=entries)
    return plan(part, settlement=settlement, **more)


def run(stated: CompiledPlan | Any, *earned: Any, facts: Any = (), **more: Any) -> Result:
    """Earned in whole units from January on, a month each."""
    deals = [
        Deal(amount, f"2026-{month:02}-10", name=f"M{month}", extra={"day": None})
        for month, amount in enumerate(earned, start=1)
        if amount
    ]
    given = {"people": (1,), "quotas": (), "types": {"day": "date"}} | more
    return calculate(world(stated, [*deals, *facts], **given))


def columns(result: Result, *names: str) -> list[tuple[int, ...]]:
    """Whole units by pay period, one after the other."""
    assert result.settlements is not None
    return [tuple(int(getattr(result.settlements, name)[row]) // 100 for name in names) for row in range(_rows(result))]


def _rows(result: Result) -> int:
    assert result.settlements is not None
    return int(result.settlements.payout.size)


def adjusted(*rows: tuple[int, str, int, str | None]) -> Adjustments:
    """From (participant, day, whole units, day of origin)."""
    return Adjustments(
        ints(row[0] for row in rows),
        days(row[1] for row in rows),
        ints(row[2] * 100 for row in rows),
        days(row[3] for row in rows),
    )


def opening(*rows: tuple[int, str, int]) -> Balances:
    return Balances(ints(row[0] for row in rows), text([row[1] for row in rows]), ints(row[2] * 100 for row in rows))


def cancelled(deal: str, on: str, amount: int | None = None) -> Deal:
    return Deal(amount, None, (), None, kind="cancellation", of=deal, extra={"day": on})


# ------------------------------------------------------------------ draws


@pytest.mark.parametrize(
    ("order", "payout", "balance"),
    [
        (ORDER, 9_000, 0),
        # Cap, then recover.
        (("releases", "adjustments", "clawbacks", "carried", "cap", "recovery", "holdback", "top_up"), 7_000, 0),
    ],
)
def test_recovery_and_cap_by_the_plans_order(order, payout, balance):
    stated = settling(order, draw=replace(draw(1), end=YEAR[0]), cap=1_000_000, cap_excess="lost")
    result = run(made(stated), 12_000, balances=opening((1, "draw", 3_000)))
    assert columns(result, "payout", "draw_balance") == [(payout, balance)]


def test_a_recoverable_draw_lifts_pay_and_adds_to_the_balance():
    result = run(made(settling(draw=draw(2_000))), 1_200, 1_700, 600)
    # What is owed is recovered first; the test of the top-up looks at what was released.
    assert columns(result, "released", "topped_up", "payout", "draw_balance") == [
        (1_200, 800, 2_000, 800),
        (1_700, 300, 1_200, 300),
        (600, 1_400, 1_700, 1_400),
    ]


def test_a_draw_that_is_recovered_later_leaves_800_then_1100_then_2500():
    # domain.md, 9: no recovery in the first periods.
    stated = settling(draw=draw(2_000, recovery=Recovery(Fraction(1), 0, 3)))
    result = run(made(stated), 1_200, 1_700, 600, 0, 5_000)
    assert columns(result, "payout", "recovered", "draw_balance") == [
        (2_000, 0, 800),
        (2_000, 0, 1_100),
        (2_000, 0, 2_500),
        # Nothing moves in April.
        (2_500, -2_500, 0),
    ]


@pytest.mark.parametrize(
    ("recovery", "taken"),
    [
        (Recovery(Fraction(1, 2), 0, 0), [2_000, 1_000, 0]),  # half of 4,000; then the rest
        (Recovery(Fraction(1), 3_500_00, 0), [500, 500, 500]),
        (Recovery(Fraction(1), 0, 1), [0, 3_000, 0]),
    ],
)
def test_share_and_floor_and_start_of_recovery(recovery, taken):
    given = draw(3_000, style="advance", start=YEAR[0], end=day("2026-02-01"), recovery=recovery)
    result = run(made(settling(draw=given)), 0, 4_000, 4_000, 4_000)
    assert [-row[0] for row in columns(result, "recovered")] == [0, *taken]


def test_an_advance_is_paid_whatever_is_earned():
    result = run(made(settling(draw=draw(2_000, style="advance"))), 5_000)
    assert columns(result, "released", "recovered", "topped_up", "payout", "draw_balance") == [
        (5_000, 0, 2_000, 7_000, 2_000),
        (0, 0, 2_000, 2_000, 4_000),
        (0, 0, 2_000, 2_000, 6_000),
    ]


@pytest.mark.parametrize(("test", "topped"), [(("releases", "clawbacks"), 1_000), (("releases",), 0)])
def test_whether_clawbacks_count_in_the_test_of_a_top_up(test, topped):
    # Draw 2,000, earned 2,500, 1,500 clawed back.
    stated = settling(draw=draw(2_000, "non_recoverable", test=test, end=day("2026-02-01")))
    result = run(made(stated), 2_500, facts=[cancelled("M1", "2026-01-20", 1_500)])
    assert columns(result, "clawed_back", "topped_up", "payout", "draw_balance") == [
        (-1_500, topped, 1_000 + topped, 0)
    ]


@pytest.mark.parametrize(("retest", "net"), [(True, 0), (False, 500)])
def test_an_old_guarantee_is_tested_again_or_not(retest, net):
    # 1,200 topped up to 2,000 in January; a late 500 of January arrives in February.
    given = draw(2_000, "guarantee", retest=retest, end=day("2026-02-01"), test=("releases", "adjustments"))
    late = adjusted((1, "2026-02-10", 500, "2026-01-15"))
    result = run(made(settling(draw=given)), 1_200, adjustments=late)
    expected = [(0, 800, 2_000), (500, -500, 0)] if retest else [(0, 800, 2_000), (500, 0, net)]
    assert columns(result, "adjusted", "topped_up", "payout") == expected[:2]


def test_a_retest_goes_as_far_as_the_old_top_up():
    given = draw(2_000, "guarantee", retest=True, end=day("2026-02-01"))
    late = adjusted((1, "2026-02-10", 500, "2026-01-15"), (1, "2026-03-10", 700, "2026-01-20"))
    result = run(made(settling(draw=given)), 1_200, adjustments=late)
    # 800 were topped up: 500 and then 300 of them go back.
    assert columns(result, "adjusted", "topped_up", "payout") == [(0, 800, 2_000), (500, -500, 0), (700, -300, 400)]


def test_what_a_retest_takes_does_not_lower_the_top_up_of_its_own_period():
    given = draw(2_000, "guarantee", retest=True, end=day("2026-03-01"), test=("releases", "adjustments"))
    late = adjusted((1, "2026-02-10", 500, "2026-01-15"))
    result = run(made(settling(draw=given)), 1_200, 1_000, adjustments=late)
    # February stands at 1,000 and is topped up to 2,000; the 500 pay for January.
    assert columns(result, "topped_up", "payout") == [(800, 2_000), (500, 2_000)]


def test_a_draw_stands_in_pay_periods_that_begin_within_its_dates():
    given = draw(100, "non_recoverable", start=day("2026-01-02"), end=day("2026-03-02"))
    assert columns(run(made(settling(draw=given))), "pay_period", "payout") == [(0, 100), (0, 100)]
    assert run(made(settling(draw=given))).settlements.pay_period.tolist() == [1, 2]


def test_draws_are_prorated_where_the_plan_says_so():
    rules = Proration("calendar_days", "counts", "counts", "excluded", ("draw",), "minor")
    stated = made(settling(draw=draw(3_100, "non_recoverable")), proration=rules)
    career = employment((1, "2026-01-11", "2026-02-15"))
    result = run([(stated, "2026-01-01", "2027-01-01")], employment=career)
    # 21 of 31 days, then 14 of 28; from March on nobody is employed.
    assert columns(result, "topped_up") == [(2_100,), (1_550,)]


@pytest.mark.parametrize(("leaving", "balance", "written"), [("owed", 800, 0), ("written_off", 0, 800)])
def test_on_leaving(leaving, balance, written):
    given = draw(2_000, on_leaving=leaving, end=day("2026-02-01"))
    result = run(made(settling(draw=given)), 1_200, 0, 0, employment=employment((1, "2025-01-01", "2026-03-01")))
    assert columns(result, "draw_balance", "written_off")[0] == (800, 0)
    assert result.settlements.draw_balance.tolist()[-1] == balance * 100
    assert int(result.settlements.written_off.sum()) == written * 100


# ------------------------------------------------------------------ caps, holdbacks, balances


def test_a_cap_that_is_lost_reviewed_or_carried():
    for excess, expected in (
        ("lost", [(10_000, -15_000, 0, 0)]),
        ("review", [(10_000, -15_000, 0, 15_000)]),
        ("carried", [(10_000, 0, 15_000, 0), (10_000, 0, 5_000, 0), (5_000, 0, 0, 0)]),
    ):
        result = run(made(settling(cap=1_000_000, cap_excess=excess)), 25_000)
        assert columns(result, "payout", "capped", "carried_forward", "review") == expected


def test_holdbacks_come_back_as_releases():
    result = run(made(settling(holdback=Fraction(1, 10), holdback_periods=3)), 1_000)
    # What comes back is held back from again.
    assert columns(result, "released", "held_back", "payout")[:2] == [(1_000, -100, 900), (100, -10, 90)]
    assert result.settlements.pay_period.tolist() == [0, 3, 6, 9]
    assert result.settlements.payout.tolist() == [90_000, 9_000, 900, 90]


def test_what_versions_hold_back_until_one_pay_period_is_proven():
    whole = {"holdback": Fraction(1)}
    versions = [
        (made(settling(holdback_periods=3, **whole)), "2026-01-01", "2026-02-01"),
        (made(settling(holdback_periods=2, **whole)), "2026-02-01", "2027-01-01"),
    ]
    most = [(1, f"2026-{month}-15", 10**13, None) for month in ("01", "02")]
    with pytest.raises(AmountOutOfRange, match="What is held back"):
        run(versions, adjustments=adjusted(*most))


def test_a_holdback_of_a_negative_net_is_nothing():
    result = run(
        made(settling(holdback=Fraction(1, 10), holdback_periods=1, negative="collected")),
        100,
        facts=[cancelled("M1", "2026-03-10")],
    )
    # The 1.00 held back in February comes back.
    assert columns(result, "held_back", "payout")[2] == (0, -99)


def test_negative_pay_is_carried_or_collected():
    for negative, expected in (
        ("carried", [(500, 0), (0, -500), (200, 0)]),
        ("collected", [(500, 0), (-500, 0), (700, 0)]),
    ):
        result = run(made(settling(negative=negative)), 500, 0, 700, facts=[cancelled("M1", "2026-02-10")])
        assert columns(result, "payout", "carried_forward") == expected
    assert columns(result, "brought_forward") == [(0,), (0,), (0,)]


def test_small_payouts_are_carried():
    result = run(made(settling(minimum=100_00)), 60, 30, 10, 5)
    assert columns(result, "released", "brought_forward", "payout", "carried_forward") == [
        (60, 0, 0, 60),
        (30, 60, 0, 90),
        (10, 90, 100, 0),
        (5, 0, 0, 5),
    ]


def test_opening_balances_are_what_the_first_pay_period_starts_from():
    stated = made(settling(draw=replace(draw(1), end=YEAR[0])))
    result = run(stated, 500, balances=opening((1, "draw", 300), (1, "carried", -50), (2, "carried", 9)))
    assert columns(result, "brought_forward", "recovered", "payout", "draw_balance") == [(-50, -300, 150, 0)]


def test_sums_that_no_number_holds_are_refused_never_wrapped():
    # 18,447 times the largest amount would wrap 64 bits to one that passes.
    many = np.full(18_447, 10**15)
    with pytest.raises(AmountOutOfRange, match="The opening balances"):
        run(made(settling()), 500, balances=Balances(np.ones(many.size, np.int64), text(["carried"] * many.size), many))
    assert added(3, np.array([2, 0, 2]), np.array([5, 7, -1]), "x").tolist() == [7, 0, 4]
    assert added(2, many[:0], many[:0], "x").tolist() == [0, 0]


def test_a_pot_of_balances_belongs_to_the_first_plan_by_key():
    plans = [
        (
            made(settling(), key=key, components=(replace(made(None).components[0], key=key),)),
            "2026-01-01",
            "2027-01-01",
        )
        for key in ("second", "first")
    ]
    more = {"balances": opening((1, "carried", 50)), "adjustments": adjusted((1, "2026-01-05", 7, None))}
    result = run(plans, 1_000, **more)
    assert result.settlements.plan.tolist() == [1, 0]
    assert columns(result, "released", "adjusted", "brought_forward", "payout") == [
        (1_000, 7, 50, 1_057),
        (1_000, 0, 0, 1_000),
    ]


def test_a_plan_without_a_settlement_settles_nothing():
    assert run(made(None), 1_000).settlements is None


def test_the_version_at_the_end_of_the_pay_period_settles_it():
    versions = [
        (made(settling(cap=500_00, cap_excess="lost")), "2026-01-01", "2026-02-15"),
        (made(settling(cap=700_00, cap_excess="lost")), "2026-02-15", "2027-01-01"),
    ]
    result = run(versions, 1_000, 1_000)
    assert result.settlements.plan.tolist() == [0, 1]
    assert columns(result, "payout") == [(500,), (700,)]


def test_replicates_have_accounts_of_their_own():
    deals = [Deal(100 * (place + 1), "2026-01-10", name="A", replicate=place) for place in range(3)]
    given = {"quotas": (), "people": (1,), "balances": opening((1, "carried", 1))}
    result = calculate(world(made(settling(minimum=150_00)), deals, **given))
    assert result.settlements.replicate.tolist() == [0, 1, 2]
    assert columns(result, "payout", "carried_forward") == [(0, 101), (201, 0), (301, 0)]


def test_only_asked_people_are_settled():
    result = run(made(settling(draw=draw(100, "non_recoverable"))), 1_000, people=(1, 2), only=[2])
    assert set(result.settlements.participant.tolist()) == {2}


# ------------------------------------------------------------------ the identity


def identity(batch: Batch, result: Result) -> None:
    """Whatever comes in stands somewhere: in each period, from one to the next, and over all of them."""
    settled = result.settlements
    assert settled is not None
    inside = (
        settled.released
        + settled.adjusted
        + settled.clawed_back
        + settled.brought_forward
        + settled.recovered
        + settled.capped
        + settled.held_back
        + settled.topped_up
    )
    assert (inside == settled.payout + settled.carried_forward).all()
    owner = list(zip(settled.participant.tolist(), settled.plan.tolist(), settled.replicate.tolist(), strict=True))
    for each in set(owner):
        rows = [row for row, found in enumerate(owner) if found == each]
        for above, below in zip(rows, rows[1:], strict=False):
            assert settled.brought_forward[below] == settled.carried_forward[above]
        last = rows[-1]
        given = batch.balances
        start = 0 if given is None else int(given.amount[given.participant == each[0]].sum())
        held = -int(settled.held_back[rows].sum())
        parts, lines = result.tranches, result.lines
        state = parts.state if parts.state is not None else np.where(parts.pay_period >= 0, DATED, 1)
        mine = (state == DATED) & (result.groups.participant[lines.group] == each[0])[parts.line]
        arrived = int(parts.amount[mine].sum()) + int(settled.adjusted[rows].sum())
        returned = int(settled.released[rows].sum() + settled.clawed_back[rows].sum()) - int(parts.amount[mine].sum())
        topped = int(settled.topped_up[rows].sum())
        recovered, lost = int(settled.recovered[rows].sum()), int(settled.capped[rows].sum())
        assert arrived + start + topped + recovered + lost == (
            int(settled.payout[rows].sum()) + int(settled.carried_forward[last]) + held - returned
        )
        assert int(settled.draw_balance[last]) == topped + recovered - int(settled.written_off[rows].sum())


@pytest.mark.parametrize("seed", range(12))
def test_everything_stands_somewhere(seed):
    pick = random.Random(seed)
    order = list(ORDER[:4]) + pick.sample(ORDER[4:], 4)
    stated = settling(
        tuple(order),
        draw=draw(
            pick.randint(500, 2_000),
            style=pick.choice(("top_up", "advance")),
            test=("releases", "clawbacks"),
            recovery=Recovery(Fraction(1, pick.randint(1, 3)), pick.randint(0, 50_000), pick.randint(0, 2)),
            on_leaving=pick.choice(("owed", "written_off")),
        ),
        cap=pick.randint(1, 2_000) * 100,
        cap_excess=pick.choice(("lost", "carried", "review")),
        holdback=Fraction(pick.randint(1, 30), 100),
        holdback_periods=pick.randint(1, 4),
        minimum=pick.choice((None, 100_00)),
        negative=pick.choice(("carried", "collected")),
    )
    facts = [cancelled(f"M{month}", f"2026-0{month + 2}-20", pick.randint(1, 900)) for month in (1, 2, 4)]
    batch = world(
        made(stated, entries=release((60, "credit_date"), (40, "signed"))),
        [
            Deal(
                minor=pick.randint(1, 300_000),
                close=f"2026-{month:02}-{pick.randint(10, 28)}",
                name=f"M{month}",
                milestones=[("signed", f"2026-{month + 1:02}-11")] if pick.random() < 0.7 else (),
                extra={"day": None},
            )
            for month in range(1, 10)
        ]
        + facts,
        people=(1,),
        quotas=(),
        types={"day": "date"},
        adjustments=adjusted((1, "2026-03-10", pick.randint(-900, 900), None)),
        balances=opening((1, "carried", pick.randint(-300, 300))),
        employment=employment((1, "2025-01-01", "2026-11-15")),
    )
    identity(batch, calculate(batch))


@pytest.mark.parametrize("seed", range(8))
def test_limits_and_several_draws_lose_nothing(seed):
    pick = random.Random(seed)
    order = ("releases", "clawbacks", "adjustments", "carried", *pick.sample(ORDER[4:6] + ORDER[7:], 3))
    recovery = Recovery(Fraction(1, pick.randint(1, 3)), pick.randint(0, 20_000), pick.randint(0, 1))
    excess = pick.choice(("carried", "forgiven"))
    stated = settling(
        order,
        draws=(
            draw(pick.randint(100, 900), key="own", components=("commission",), recovery=recovery),
            draw(pick.randint(500, 2_000), key="all", test=("releases", "top_up"), on_leaving="written_off"),
        ),
        caps=(
            PaymentCap(pick.randint(500, 1_500) * 100, "pay_period", "carried"),
            PaymentCap(pick.randint(2_000, 9_000) * 100, "year", pick.choice(("lost", "carried", "review"))),
        ),
        clawback_limit=ClawbackLimit(
            Fraction(1, pick.randint(1, 4)),
            pick.randint(0, 30_000),
            excess,
            pick.choice(("owed", "forgiven")) if excess == "carried" else None,
        ),
    )
    deals = [
        Deal(minor=pick.randint(1, 200_000), close=f"2026-{month:02}-10", name=f"M{month}", extra={"day": None})
        for month in range(1, 10)
    ]
    facts = [cancelled(f"M{month}", f"2026-{month + 1:02}-20") for month in (1, 2, 4, 7)]
    batch = world(
        made(stated),
        deals + facts,
        people=(1,),
        quotas=(),
        types={"day": "date"},
        balances=opening((1, "clawback", 300), (1, "draw:all", 200), (1, "draw", 50)),
        employment=employment((1, "2025-01-01", "2026-10-15")),
    )
    result = calculate(batch)
    settled, draws, lines = result.settlements, result.draws, result.lines
    assert settled is not None and draws is not None and lines.kind is not None
    acted = ("released", "adjusted", "clawed_back", "brought_forward", "recovered", "capped", "held_back", "topped_up")
    assert (sum(getattr(settled, name) for name in acted) == settled.payout + settled.carried_forward).all()
    # What is owed of clawbacks goes on from row to row, and in the end all reversals have gone somewhere.
    taken_back = -int(lines.earned[lines.kind == OF_REVERSAL].sum())
    assert 300_00 + taken_back == -int(settled.clawed_back.sum()) + int(settled.forgiven.sum()) + int(
        settled.clawback_balance[-1]
    )
    assert (settled.clawback_balance >= 0).all() and (settled.forgiven >= 0).all()
    # The draws add up to their columns.
    for name, column in (("recovered", settled.recovered), ("topped_up", settled.topped_up)):
        assert int(getattr(draws, name).sum()) == int(column.sum())
    sums = np.zeros_like(settled.draw_balance)
    np.add.at(sums, draws.settlement, draws.balance)
    assert (sums == settled.draw_balance).all()
    assert int(settled.draw_balance[-1]) == 250_00 + int(
        (settled.topped_up + settled.recovered - settled.written_off).sum()
    )
    assert int(settled.payout.sum()) <= stated.caps[1].amount + int(settled.topped_up.sum())


def test_the_order_of_rows_changes_nothing():
    stated = settling(draw=draw(300), holdback=Fraction(1, 10), holdback_periods=1)
    deals = [
        Deal(
            100 + place,
            f"2026-0{1 + place % 4}-10",
            team=[("ae", 1 + place % 3)],
            name=f"D{place}",
            extra={"day": None},
        )
        for place in range(12)
    ]
    facts = [*deals, cancelled("D3", "2026-05-10"), cancelled("D7", "2026-05-10", 20)]
    late = [(1, "2026-02-10", 50, None), (2, "2026-02-11", -70, None), (1, "2026-02-12", 5, None)]
    given = {"quotas": (), "people": (1, 2, 3), "types": {"day": "date"}}
    batch = world(made(stated), facts, adjustments=adjusted(*late), **given)
    straight = calculate(batch).settlements
    order = random.Random(1).sample(range(len(facts)), len(facts))
    turned = calculate(world(made(stated), facts, adjustments=adjusted(*late[::-1]), order=order, **given)).settlements
    assert straight is not None and turned is not None
    for each in fields(straight):
        assert getattr(straight, each.name).tolist() == getattr(turned, each.name).tolist()


@pytest.mark.parametrize("excess", ["carried", "lost"])
def test_nobodys_rows_depend_on_who_else_is_there(excess):
    stated = settling(cap=50_00, cap_excess=excess, minimum=30_00, negative="carried")
    deals = [
        Deal(amount, f"2026-{month:02}-10", team=[("ae", person)], name=f"D{person}-{month}", extra={"day": None})
        for person, month, amount in ((1, 1, 260), (1, 3, -90), (2, 9, 20), (3, 2, 500), (3, 11, 1))
    ]
    given = {"quotas": (), "people": (1, 2, 3), "types": {"day": "date"}, "balances": opening((2, "carried", 40))}
    whole = calculate(world(made(stated), deals, **given)).settlements
    assert whole is not None
    for person in (1, 2, 3):
        alone = calculate(world(made(stated), deals, only=[person], **given)).settlements
        assert alone is not None
        for each in fields(whole):
            mine = getattr(whole, each.name)[whole.participant == person]
            assert getattr(alone, each.name).tolist() == mine.tolist()
