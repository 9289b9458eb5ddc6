"""What stands is what the kernel says of the facts; only what moved is written, and it says why."""

from __future__ import annotations

import random
from datetime import date

import pytest

from comp.people import services as people
from payouts.models import ChangedScope, Earning, FigureChange, Payable, Tranche
from payouts.services import replay, scopes
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.payouts.house import House, house, plan_text

KICKER = "{boundary: above, bands: [{from: 0.00, times: 1}, {from: 30000.00, times: 1.5}, {from: 30000.01, times: 1}]}"


def full_agrees(of: House) -> None:
    with of.acme.scope():
        assert replay.differences_found() == []


def changes(of: House) -> list[tuple[str, int, int, str]]:
    with of.acme.scope():
        rows = FigureChange.objects.order_by("id")
        return list(rows.values_list("deal__external_id", "before_minor", "after_minor", "cause__label"))


@pytest.mark.django_db
def test_lines_earn_by_their_place_in_the_period() -> None:
    acme = house()
    acme.won("B", "50000.00", "2026-01-12")
    acme.won("C", "30000.00", "2026-01-13")
    acme.work()
    assert acme.earned() == {"B": 500000, "C": 300000}
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    assert acme.earned() == {"A": 600000, "B": 550000, "C": 550000}
    full_agrees(acme)
    late = [row[:3] for row in changes(acme)[2:]]
    assert sorted(late) == [("A", 0, 600000), ("B", 500000, 550000), ("C", 300000, 550000)]
    # Lines that a late deal moved name it, not themselves.
    assert all("A" in label for _, _, _, label in changes(acme)[2:])


@pytest.mark.django_db
def test_nothing_is_written_where_nothing_moved() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-12")
    acme.work()
    with acme.acme.scope():
        before = list(Earning.objects.order_by("id").values()), FigureChange.objects.count()
        revision = acme.statement(date(2026, 1, 1)).revision
        scopes.scopes_everything(label="Asked for by hand")
    acme.work()
    with acme.acme.scope():
        assert (list(Earning.objects.order_by("id").values()), FigureChange.objects.count()) == before
        assert acme.statement(date(2026, 1, 1)).revision == revision
        assert not ChangedScope.objects.exists()


@pytest.mark.django_db
def test_a_deal_that_changes_hands_or_quarter_or_is_lost_leaves_nothing_behind() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-12")
    acme.work()
    acme.won("A", "60000.00", "2025-12-30", at="2026-01-20T10:00:00Z")  # before the assignment starts
    acme.work()
    assert acme.earned() == {"B": 500000}
    acme.won("A", "60000.00", "2026-01-11", at="2026-01-21T10:00:00Z")
    acme.work()
    assert acme.earned() == {"A": 600000, "B": 550000}
    stood, said = acme.statement(date(2026, 1, 1)), figures_of(acme)
    acme.crm.send({"type": "deal.lost", "timestamp": "2026-01-22T10:00:00Z", "data": {
        "deal": "A", "owner": "ann", "product": "gtx-pro", "account": "acme", "amount": "0.00", "currency": "USD",
        "engage_date": "2026-01-02", "close_date": "2026-01-11"}})  # fmt: skip
    acme.work()
    assert acme.earned() == {"B": 500000}
    full_agrees(acme)
    with acme.acme.scope():
        assert not Tranche.objects.filter(deal__external_id="A").exists()
        assert not Payable.objects.filter(deal__external_id="A").exists()
    # Sent again as it was, before anything is posted: the old figures, to the statement's digest.
    acme.won("A", "60000.00", "2026-01-11", at="2026-01-23T10:00:00Z")
    acme.work()
    again = acme.statement(date(2026, 1, 1))
    assert (figures_of(acme), again.digest, again.payout_minor) == (said, stood.digest, stood.payout_minor)


def figures_of(of: House) -> list[tuple[object, ...]]:
    """Every line with its place in the order, and every tranche."""
    line = ("deal__external_id", "component", "credit_date", "position", "before_minor", "after_minor", "earned_minor")
    part = ("deal__external_id", "component", "index", "part", "release_day", "state", "amount_minor")
    with of.acme.scope():
        return [
            *Earning.objects.order_by(*line).values_list(*line),
            *Tranche.objects.order_by(*part).values_list(*part),
        ]


@pytest.mark.django_db
def test_a_raised_tier_moves_figures_and_is_named() -> None:
    acme = house()
    for key, amount, day in [("A", "60000.00", "10"), ("B", "50000.00", "12"), ("C", "30000.00", "13")]:
        acme.won(key, amount, f"2026-01-{day}")
    acme.work()
    acme.publish(plan_text(top="25%"), note="The top tier rises")
    assert acme.earned() == {"A": 600000, "B": 550000, "C": 650000}
    assert changes(acme)[-1] == ("C", 550000, 650000, "Worked, version 2 published: The top tier rises")
    assert len(changes(acme)) == 4
    full_agrees(acme)


@pytest.mark.django_db
def test_a_missing_quota_waits_and_a_quota_answers() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-05-10")
    acme.work()
    assert acme.earned() == {"A": 0}
    with acme.acme.scope(acme.ops):
        plans.quota_set(
            participant=acme.ann, key="sales", starts_on=date(2026, 4, 1), ends_on=date(2026, 7, 1),
            amount_minor=5_000_000, currency="USD",
        )  # fmt: skip
    acme.work()
    assert acme.earned() == {"A": 500000 + 150000}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_late_deal_in_a_posted_period_becomes_an_adjustment_in_the_open_one() -> None:
    # The domain's own numbers: posted 60 and 50; a late 30 dated first, with a kicker on its earning: 4,500 + 0 +
    # 2,500.
    acme = house(plan_text(accelerator=KICKER))
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-12")
    acme.work()
    batch = acme.close(date(2026, 1, 1))
    assert batch.totals == {"USD": 600000 + 550000}
    acme.won("C", "30000.00", "2026-01-05")
    acme.work()
    with acme.acme.scope():
        owed = Payable.objects.order_by("deal__external_id")
        assert list(owed.values_list("deal__external_id", "amount_minor", "kind", "origin_starts_on")) == [
            ("B", 250000, "adjustment", date(2026, 1, 1)),
            ("C", 450000, "adjustment", date(2026, 1, 1)),
        ]
        assert all("C" in payable.cause.label for payable in owed.select_related("cause"))
    open_one = acme.statement(date(2026, 2, 1))
    assert (open_one.released_minor, open_one.adjustments_minor, open_one.payout_minor) == (0, 700000, 700000)
    posted = acme.statement(date(2026, 1, 1))
    assert (posted.state, posted.payout_minor) == ("paid", 1150000)
    full_agrees(acme)


@pytest.mark.django_db
def test_a_milestone_taken_back_after_payment_is_owed_back() -> None:
    acme = house(plan_text(release="[{share: 40%, on: signature}, {share: 60%, on: go-live}]"))
    acme.won("A", "60000.00", "2026-01-10")
    acme.milestone("A", "signature", "2026-01-10")
    acme.work()
    acme.close(date(2026, 1, 1))
    acme.milestone("A", "go-live", "2026-02-03")
    acme.work()
    assert acme.statement(date(2026, 2, 1)).payout_minor == 360000
    acme.close(date(2026, 2, 1))
    acme.milestone("A", "go-live", "2026-02-03", reached=False, at="2026-03-01T10:00:00Z")
    acme.work()
    third = acme.statement(date(2026, 3, 1))
    assert (third.released_minor, third.adjustments_minor) == (0, -360000)
    with acme.acme.scope():
        assert Payable.objects.get().origin_starts_on == date(2026, 2, 1)
    full_agrees(acme)


@pytest.mark.django_db
def test_a_posted_period_is_reproduced_as_it_was_known() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-12")
    acme.work()
    acme.close(date(2026, 1, 1))
    # Since then: a late deal, a correction, a better plan, another quota, another manager.
    acme.won("C", "30000.00", "2026-01-05")
    acme.won("A", "65000.00", "2026-01-10", at="2026-02-02T10:00:00Z")
    acme.publish(plan_text(top="30%"))
    with acme.acme.scope(acme.ops):
        mia = person(acme.acme, "Mia")
        people.reporting_line_set(participant=acme.ann, manager=mia, starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=acme.ann, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=5_000_000, currency="USD",
        )  # fmt: skip
    acme.work()
    assert acme.earned() != {"A": 600000, "B": 550000}
    with acme.acme.scope():
        result = replay.replay_period(acme.acme.pay_group, date(2026, 1, 1))
        assert (result.found, result.lines, result.total_minor) == ([], 2, 1150000)
        assert replay.replay_open(acme.acme.pay_group).found == []


@pytest.mark.django_db
def test_replay_and_full_recomputation_see_a_figure_changed_behind_their_back() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    with acme.acme.scope():
        Earning.objects.update(earned_minor=1)
        Payable.objects.update(amount_minor=2)
        found = replay.differences_found()
        assert found[0].startswith("payouts_earning: 1 rows different")
        assert found[1] == "Ann, deal A, commission: recomputed $6,000.00, stood $0.02"


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_order_what_stands_is_what_a_full_recomputation_gives(seed: int) -> None:
    acme = house(plan_text(accelerator=KICKER, release="[{share: 40%, on: signature}, {share: 60%, on: go-live}]"))
    dice = random.Random(seed)  # noqa: S311 (an order of events, not a secret)
    month = 1
    for step in range(14):
        key = f"D{dice.randrange(5)}"
        act = dice.choice(["won", "won", "won", "milestone", "close", "plan", "quota"])
        at = f"2026-06-01T10:{step:02}:00Z"
        if act == "won":
            amount = dice.choice(["30000.00", "-12000.00", "80000.01", "0.00", "99999.99"])
            acme.won(key, amount, f"2026-0{dice.randint(1, 3)}-{dice.randint(1, 28):02}", at=at)
        elif act == "milestone":
            day = f"2026-0{dice.randint(1, 4)}-15"
            acme.milestone(key, dice.choice(["signature", "go-live"]), day, reached=dice.random() < 0.8, at=at)
        elif act == "close" and month < 3:
            acme.close(date(2026, month, 1))
            month += 1
        elif act == "plan":
            acme.publish(
                plan_text(
                    accelerator=KICKER,
                    top=f"{dice.randint(21, 40)}.{step:02}%",
                    release="[{share: 40%, on: signature}, {share: 60%, on: go-live}]",
                ),
                starts_on=date(2026, dice.randint(1, 3), 1),
            )
        elif act == "quota":
            with acme.acme.scope(acme.ops):
                plans.quota_set(
                    participant=acme.ann, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
                    amount_minor=dice.choice([0, 5_000_000, 12_345_678]), currency="USD",
                )  # fmt: skip
        acme.work()
        full_agrees(acme)
    with acme.acme.scope():
        assert Plan.objects.count() == 1
        for earlier in range(1, month):
            assert replay.replay_period(acme.acme.pay_group, date(2026, earlier, 1)).found == []


@pytest.mark.django_db
def test_a_custom_date_may_be_the_credit_date_and_nonsense_in_it_is_missing() -> None:
    text = plan_text().replace("credit_date: close_date", "credit_date: custom.go_live")
    text = text.replace("credit_rules:", "fields: {custom.go_live: date}\ncredit_rules:")
    acme = house(text)
    acme.won("A", "60000.00", "2026-01-10", custom={"go_live": "2026-02-10"})
    acme.won("B", "50000.00", "2026-01-12", custom={"go_live": "2026-02-31"})
    acme.won("C", "50000.00", "2026-01-12")
    acme.work()
    assert acme.earned() == {"A": 600000}
    acme.won("A", "60000.00", "2026-01-10", custom={"go_live": "2025-02-10"}, at="2026-03-01T10:00:00Z")
    acme.work()
    assert acme.earned() == {}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_component_that_a_new_version_names_otherwise_ends_and_begins() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    acme.publish(plan_text().replace("- key: commission", "- key: renamed"))
    with acme.acme.scope():
        assert list(Earning.objects.values_list("component", "earned_minor")) == [("renamed", 600000)]
        told = FigureChange.objects.order_by("id").values_list("component", "before_minor", "after_minor")
        assert sorted(told) == [("commission", 0, 600000), ("commission", 600000, 0), ("renamed", 0, 600000)]
        assert set(Tranche.objects.values_list("component", flat=True)) == {"renamed"}
    full_agrees(acme)
