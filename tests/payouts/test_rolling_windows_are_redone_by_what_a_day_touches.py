"""A day lies in the rolling windows of some periods: only their figures are redone, by what lies in their windows; and
what stands is what everything worked out anew gives."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest

from comp.core.calendars import PayCalendar
from comp.core.days import day_date, day_number
from payouts.frames.read import Read, read_versions
from payouts.frames.span import Reach, reach
from payouts.models import Earning
from payouts.services import recompute, replay
from tests.payouts import test_whatever_happens_the_figures_agree as steps
from tests.payouts.house import house, plan_text
from tests.payouts.test_what_others_do_is_paid import join, with_component

ROLLING = """  - key: KEY
    name: KEY
    clause: You earn 1% of what the window comes to.
    kind: commission
    credits: {classes: [bookings], roles: [ae]}
    measure: {every: EVERY, value: VALUE, window: rolling, of: OF, by: period, periods: PERIODS}
    quota: null
    below_zero: lowest_tier
    tiers: {mode: marginal, axis: amount, boundary: above, rates: [{from: 0.00, rate: 1%}, {from: 50000.00, rate: 2%}]}
    accelerator: null
    cap: nullMORE
    release: [{share: 100%, on: credit_date}]
"""
GATED = """
    gates: [{key: first, reads: {component: first, value: earning}, at_least: 200.00, read_at: final,
      until_known: provisional, effect: withhold}]"""
YEARLY = "\n    caps: [{amount: 1500.00, per: year, excess: lost}]"


def rolling(every: str, periods: int, key: str = "first", value: str = "sum", of: str = "own", more: str = "") -> str:
    text = ROLLING.replace("KEY", key).replace("VALUE", value).replace("PERIODS", str(periods))
    return text.replace("EVERY", every).replace("OF", of).replace("MORE", more)


#: What plans state, and how far that reaches.
PLANS = {
    "two months": ([rolling("month", 2)], Reach("quarter", (("month", 1),))),
    "a year of months": ([rolling("month", 12)], Reach("quarter", (("month", 11),))),
    "quarters beside months": (
        [rolling("month", 3), rolling("quarter", 4, "second", "high_water")],
        Reach("quarter", (("month", 2), ("quarter", 3))),
    ),
    "the company's, capped by the year": (
        [rolling("month", 5, of="company", more=YEARLY)],
        Reach("year", (("month", 4),)),
    ),
    "one behind the other": (
        [rolling("month", 3), rolling("month", 4, "second", more=GATED)],
        Reach("quarter", (("month", 2), ("month", 3))),
    ),
}


def text_of(components: list[str]) -> str:
    text = plan_text()
    for each in components:
        text = with_component(text, each)
    return text


@pytest.mark.django_db
@pytest.mark.parametrize("name", PLANS)
def test_incremental_is_full(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deals of two years come, move, change hands and go, a version is published, somebody leaves; after each what
    stands is right, and what never lies in a window with a deal is not read for it."""
    components, reaches = PLANS[name]
    text = text_of(components)
    acme, draw = house(text), random.Random(name)
    join(acme, "Bob")
    acme.work()
    read: list[tuple[int, int]] = []
    inner = recompute.read_batch

    def watched(**asked: Any) -> Read:
        read.append((asked["start"], asked["end"]))
        return inner(**asked)

    monkeypatch.setattr(recompute, "read_batch", watched)
    with acme.acme.scope():
        assert reach(read_versions().compiled) == reaches
    for step in range(12):
        day = date(2026, 1, 1) + timedelta(days=draw.randrange(700))
        owner, amount = draw.choice(("ann", "bob")), draw.randrange(-20, 90) * 1000
        key = draw.choice("ABCDE")
        if step == 7:  # another version of the same windows, from the middle of a period on
            acme.publish(text.replace("rate: 1%", "rate: 3%"), starts_on=date(2026, 8, 15))
        if step == 9:
            steps._leaves(acme, step, owner, day)
        acme.won(key, f"{amount}.00", day.isoformat(), owner=owner, version=step, at="2028-01-01T10:00:00Z")
        if draw.random() < 0.3:
            acme.milestone(key, "signature", day.isoformat(), at=f"2028-01-01T10:{step:02}:00Z")
        read.clear()
        acme.work()
        if step not in (7, 9):
            assert read and all(end - start < 366 * 5 for start, end in read)
        with acme.acme.scope():
            assert replay.differences_found() == [], f"after step {step}"
    with acme.acme.scope():
        assert Earning.objects.exclude(component="commission").exists()


def test_the_periods_that_a_day_touches() -> None:
    """Months of three: May is in the windows of May, June and July, which read March on. Where quarters count that is
    April to September, read from January on."""
    calendar = PayCalendar("monthly")

    def told(of: Reach, start: date, end: date) -> list[tuple[date, date, date]]:
        found = recompute.pieces(calendar, of, start, end)
        return [(day_date(each.since), *map(day_date, each.span)) for each in found]

    months, quarters = Reach("month", (("month", 2),)), Reach("quarter", (("month", 2),))
    may = (date(2026, 5, 10), date(2026, 5, 11))
    assert told(months, *may) == [(date(2026, 3, 1), date(2026, 5, 1), date(2026, 8, 1))]
    assert told(quarters, *may) == [(date(2026, 1, 1), date(2026, 4, 1), date(2026, 10, 1))]
    assert told(Reach("month"), *may) == [(date(2026, 5, 1), date(2026, 5, 1), date(2026, 6, 1))]
    behind = Reach("month", (("month", 2), ("quarter", 1)))
    assert told(behind, *may) == [(date(2025, 10, 1), date(2026, 5, 1), date(2027, 1, 1))]
    # Pieces of one person that touch are one.
    pieces = [recompute.pieces(calendar, months, day, day + timedelta(days=1))[0] for day in
              (date(2026, 1, 5), date(2026, 4, 1), date(2027, 1, 1))]  # fmt: skip
    joined = recompute._joined((piece, recompute.Reason(number, "fact", None)) for number, piece in enumerate(pieces))
    assert [(day_date(piece.since), *map(day_date, piece.span), len(causes)) for piece, causes in joined] == [
        (date(2025, 11, 1), date(2026, 1, 1), date(2026, 7, 1), 2),
        (date(2026, 11, 1), date(2027, 1, 1), date(2027, 4, 1), 1),
    ]
    assert day_number(date(2026, 1, 1)) == pieces[0].span[0]
