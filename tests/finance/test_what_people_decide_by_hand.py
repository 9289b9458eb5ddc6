"""Holds and adjustments: who may, what is paid when, and what the database refuses whoever asks."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import InternalError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from comp.core.errors import ProblemsError
from payouts.models import AccrualVariance, Adjustment, Batch, BatchHeld, BatchLine, Hold, Payable, Statement
from payouts.reads.balance import unbalanced
from payouts.services import adjustments, batches, differences, holds
from payouts.services.accruals import accrue, policy_set
from payouts.services.adjustments import Wanted
from payouts.services.attachments import File
from payouts.tasks import days_come
from plans.models import PlanAssignment, PlanVersion
from plans.rules.load import read_yaml
from tests.finance.cast import FEBRUARY, JANUARY, World
from tests.payouts.house import plan_text

PROOF = File("letter.txt", b"Agreed on the phone.")


@pytest.fixture
def assigned(world: World) -> World:
    with world.scope():
        PlanVersion.objects.update(document=json.dumps(read_yaml(plan_text())))
        for person in world.people.values():
            PlanAssignment.objects.create(participant=person, plan=world.plan, starts_on=JANUARY)
    return world


def wanted(world: World, who: str, minor: int, **more: Any) -> Wanted:
    given = {"day": date(2026, 1, 15), "reason": "A bonus that was promised", "currency": "USD", **more}
    return Wanted(world.people[who], world.plan, minor, **given)


def made(world: World, who: str, minor: int, by: str = "fiona", **more: Any) -> Adjustment:
    draft = adjustments.adjustment_prepare(
        wanted=wanted(world, who, minor, **more), attachment=PROOF, prepared_by=world.users[by]
    )
    return adjustments.adjustment_submit(adjustment=draft, by=world.users[by])


def pays(world: World, who: str, period: date = JANUARY) -> tuple[int, int]:
    row = Statement.objects.get(participant=world.people[who], period_starts_on=period)
    return row.payout_minor, row.lines


def test_an_adjustment_is_accrued_by_its_day(assigned: World) -> None:
    world = assigned
    fiona, frank = world.users["fiona"], world.users["frank"]
    with world.scope():
        adjustments.adjustment_approve(adjustment=made(world, "S1", 500_00), approved_by=frank)
        made(world, "S1", 77_00)  # nobody agreed to it yet
        policy_set(trigger="credit_date", share=0, reason="What waits seldom comes")
        january = accrue(month=JANUARY, made_by=fiona)
        assert january.totals == {"USD": 165_50 + 500_00}
        adjustments.adjustment_approve(adjustment=made(world, "R1", -20_00), approved_by=frank)
        assert accrue(month=FEBRUARY, made_by=fiona).totals == {"USD": 165_50 + 480_00}
        missed = AccrualVariance.objects.filter(accrual=january)
        assert [*missed.values_list("participant__key", "cause", "amount_minor")] == [("R1", "manual", -20_00)]


def test_an_adjustment_needs_two_people_and_pays_like_any_line(assigned: World) -> None:
    world = assigned
    fiona, frank = world.users["fiona"], world.users["frank"]
    with world.scope():
        first = made(world, "S1", 500_00)
        assert (first.name, first.state, first.alone) == ("ADJ-000001", "waiting", False)
        assert pays(world, "S1") == (40_00, 1)
        with pytest.raises(ProblemsError, match="you prepared it"):
            adjustments.adjustment_approve(adjustment=first, approved_by=fiona)
        first = adjustments.adjustment_approve(adjustment=first, approved_by=frank)
        assert pays(world, "S1") == (540_00, 2) and unbalanced()[1] == []
        line = Payable.objects.get(line_kind=4)
        assert (line.kind, line.rule, line.amount_minor, line.credit_date) == (
            "manual", "ADJ-000001", 500_00, date(2026, 1, 15),
        )  # fmt: skip
        with pytest.raises(ProblemsError, match="only one that waits"):
            adjustments.adjustment_refuse(adjustment=first, refused_by=frank, reason="Too late")
        for asked, words in (
            (wanted(world, "R1", 1), "Nobody adjusts their own pay"),
            (wanted(world, "S1", 0), "adjusts nothing"),
            (wanted(world, "S1", 1, currency="EUR"), "paid in USD"),
            (wanted(world, "S1", 1, reason=" "), "needs a reason"),
        ):
            by = world.users["rita"] if asked.participant == world.people["R1"] else fiona
            with pytest.raises(ProblemsError, match=words):
                adjustments.adjustment_prepare(wanted=asked, attachment=PROOF, prepared_by=by)
        with pytest.raises(ProblemsError, match="needs an attachment"):
            adjustments.adjustment_prepare(wanted=wanted(world, "S1", 1), attachment=None, prepared_by=fiona)
        with pytest.raises(ProblemsError, match="does not hold what its name says"):
            adjustments.adjustment_prepare(
                wanted=wanted(world, "S1", 1), attachment=File("a.pdf", b"MZ"), prepared_by=fiona
            )
        later = made(world, "S1", -10_00, day=date(2026, 2, 3))
        adjustments.adjustment_approve(adjustment=later, approved_by=frank)
        assert pays(world, "S1") == (540_00, 2) and unbalanced()[1] == []
    batch = world.submit()
    shown = world.client("frank").get(world.url(f"payouts/{batch.pk}/?view=lines")).content.decode()
    assert f'href="{world.url(f"adjustments/{first.pk}/")}">Why?' in shown
    world.approve(batch)
    with world.scope():
        assert BatchLine.objects.get(rule="ADJ-000001").amount_minor == 500_00
        assert unbalanced()[1] == []
        assert pays(world, "S1", FEBRUARY) == (-10_00, 1)
        opposite = made(world, "S1", -500_00, answers=first, reason="It was paid twice")
        adjustments.adjustment_approve(adjustment=opposite, approved_by=frank)
        assert pays(world, "S1", FEBRUARY) == (-510_00, 2) and unbalanced()[1] == []
        assert Payable.objects.get(rule=opposite.name).origin_starts_on == JANUARY
        assert list(Adjustment.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
        with pytest.raises(ProblemsError, match="was taken back already"):
            made(world, "S1", -1, answers=first, reason="And once more")
        with pytest.raises(ProblemsError, match="there is"):
            made(world, "S1", -10_00, answers=Adjustment.objects.get(number=2), reason="The wrong sign")


def test_one_person_alone_up_to_a_limit_that_adds_up(assigned: World) -> None:
    world = assigned
    with world.scope():
        differences.limits_set(currency="USD", alone_minor=300_00, small_minor=None)
        assert made(world, "S1", 200_00).state == "approved"
        assert pays(world, "S1") == (240_00, 2)
        over = made(world, "R1", -150_00)
        assert (over.state, over.alone) == ("waiting", False)
        assert made(world, "S1", -100_00).state == "approved"  # the other 100.00 of the 300.00
        assert made(world, "S1", 300_00, by="frank").state == "approved"  # each preparer has the limit
        for change in (
            {"state": "approved", "alone": True, "decided_at": timezone.now()},
            {"state": "approved", "alone": True, "decided_at": timezone.now() + timedelta(days=31)},
            {"state": "approved", "decided_at": timezone.now()},
            {"state": "approved", "decided_by": world.users["fiona"], "decided_at": timezone.now()},
            {"state": "approved", "decided_by": world.users["rita"], "decided_at": timezone.now()},
            {"state": "draft"},
        ):
            with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
                Adjustment.objects.filter(pk=over.pk).update(**change)
        first = Adjustment.objects.order_by("number")[0]
        said = {name: getattr(first, name) for name in ("participant", "pay_group", "plan", "plan_version", "day")}
        said |= {"origin_starts_on": JANUARY, "amount_minor": 1, "currency": "USD", "reason": "Mine", "number": 99}
        for wrong, words in (
            ({"participant": world.people["R1"], "prepared_by": world.users["rita"]}, "their own pay"),
            ({"prepared_by": world.users["fiona"], "state": "approved"}, "begins as a draft or waiting"),
            ({"prepared_by": world.users["fiona"], "number": first.number}, "adjustment_number"),
        ):
            with pytest.raises(IntegrityError, match=words), transaction.atomic():
                Adjustment.objects.create(**said | wrong)
        for change in ({"amount_minor": 1}, {"reason": "Another"}, {"number": 9}):
            with pytest.raises(Exception, match="permission denied"), transaction.atomic():
                Adjustment.objects.filter(pk=first.pk).update(**change)
        rows = [(wanted(world, "S1", 1_00, reason="Row"), PROOF), (wanted(world, "R1", 2_00, reason="Row"), PROOF)]
        file = adjustments.file_take(rows=rows, name="june.csv", digest="f" * 64, by=world.users["fiona"])
        assert set(Adjustment.objects.filter(file=file).values_list("state", flat=True)) == {"waiting"}
        with pytest.raises(ProblemsError, match="was taken before"):
            adjustments.file_take(rows=rows, name="june.csv", digest="f" * 64, by=world.users["fiona"])
        # Rita's own pay is in it, and she is nobody's second person; Frank decides for all of it.
        assert adjustments.file_decide(file=file, state="approved", decided_by=world.users["frank"], reason="") == 2
        assert unbalanced()[1] == []


def test_figures_stand_still_before_the_trail_is_written(assigned: World) -> None:
    """Whoever locks a period has the figures and then waits for the audit: nobody may hold these the other way."""
    with assigned.scope(), CaptureQueriesContext(connection) as asked:
        waits = made(assigned, "S1", 500_00)
    with assigned.scope(), CaptureQueriesContext(connection) as decided:
        adjustments.adjustment_approve(adjustment=waits, approved_by=assigned.users["frank"])
    for queries in (asked, decided):
        locks = [query["sql"] for query in queries if "advisory_xact_lock(" in query["sql"]]
        order = [next(place for place, sql in enumerate(locks) if f"({key}," in sql) for key in (7003, 7001)]
        assert order == sorted(order) and order[0] == 0


def test_what_is_held_stays_until_it_is_released_or_its_day_comes(assigned: World) -> None:
    world = assigned
    fiona, frank = world.users["fiona"], world.users["frank"]
    with world.scope():
        deal = Payable.objects.get(deal__external_id="D-1").deal
        hold = holds.hold_place(reason="The contract is disputed", by=fiona, deal=deal)
        assert pays(world, "R1") == (25_50, 1) and unbalanced()[1] == []
        person = holds.hold_place(
            reason="On leave", by=fiona, participant=world.people["S1"],
            expires_on=timezone.localdate() + timedelta(days=1),
        )  # fmt: skip
        assert pays(world, "S1") == (0, 0)
        world_wide = holds.hold_place(reason="Rates are looked at", by=frank, plan=world.plan, component="commission")
        assert pays(world, "R1") == (0, 0)
        own = holds.hold_place(reason="Ask them", by=frank, participant=world.people["R1"])
        with pytest.raises(ProblemsError, match="your own pay"):
            holds.hold_release(hold=own, by=world.users["rita"], reason="It is fine")
        holds.hold_release(hold=own, by=frank, reason="They said so")
        holds.hold_release(hold=world_wide, by=fiona, reason="They are right")
        assert (pays(world, "R1"), pays(world, "S1")) == ((25_50, 1), (0, 0))
        with pytest.raises(ProblemsError, match="Say what is held"):
            holds.hold_place(reason="Nothing", by=fiona)
    batch = world.submit()
    assert batch.totals == {"USD": 25_50}
    with world.scope():
        assert sorted(BatchHeld.objects.values_list("amount_minor", flat=True)) == [40_00, 100_00]
        assert unbalanced()[1] == []
        whole = holds.hold_place(reason="The bank is closed", by=frank, batch=batch)
        with pytest.raises(batches.BatchError, match="it is held by Frank: The bank is closed"):
            batches.batch_approve(batch=batch, approved_by=frank, digest=batch.digest)
        with pytest.raises(IntegrityError, match="is held: release the hold first"), transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(state="approved")
        holds.hold_release(hold=whole, by=frank, reason="It is open")
    world.approve(batch)
    with world.scope():
        assert pays(world, "R1", FEBRUARY) == (0, 0)
        holds.hold_release(hold=hold, by=frank, reason="Settled")
        assert pays(world, "R1", FEBRUARY) == (100_00, 1)
        assert holds.holds_expire() == 0
        Hold.objects.filter(pk=person.pk).update(expires_on=timezone.localdate())
        assert (holds.holds_expire(), holds.holds_expire()) == (1, 0)
        assert pays(world, "S1", FEBRUARY) == (40_00, 1) and unbalanced()[1] == []
        with pytest.raises(ProblemsError, match="It was released on"):
            holds.hold_release(hold=hold, by=frank, reason="Again")
    assert days_come() == 0  # as beat asks, in every company
