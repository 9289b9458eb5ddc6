"""Disputes and what stands around them: the walls, a person who moves to another pay group, a person who becomes the
user that looks after it, figures that cannot be worked out, and what the audit keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.outbox.models import Message
from comp.people import services as people
from comp.people.models import PayGroup
from comp.tenancy.models import Membership
from comp.tenancy.scope import Pay
from crediting.models import Deal
from payouts.models import Cause, ChangedScope, Dispute, DisputeEntry, Statement
from payouts.services import disputes
from plans.models import PlanVersion
from tests.finance.test_disputes import _copy, adjusted, client, decide, line, question, say, taken
from tests.pages.rep.world import NOVEMBER, OCTOBER, World, selling

State = Dispute.State


@pytest.fixture
def world(db: None) -> World:
    return selling()


def moved(world: World, who: str = "Ann") -> PayGroup:
    """Somebody is paid with other people from now on."""
    with world.company.scope():
        other = people.pay_group_create(
            key="abroad", name="Abroad", calendar=world.company.pay_group.calendar, opens_on=OCTOBER
        )
        world.people[who].refresh_from_db()
        people.participant_change(participant=world.people[who], pay_group=other)
    return other


def only(world: World, **groups: str) -> None:
    """Of whose pay groups each of these sees the pay."""
    with world.company.scope():
        for name, key in groups.items():
            Membership.objects.filter(user=world.users[name]).update(pay_groups=[key])


# ------------------------------------------------------------------ the pay wall


def test_a_colleague_changes_and_adds_nothing(world: World) -> None:
    """As a representative's session runs: whatever is asked of the database."""
    dispute = question(world)
    entry = say(world, dispute)
    bob, now = world.users["Bob"], timezone.now()
    with world.company.scope(bob, Pay.of([world.people["Bob"].pk])):
        seen = Dispute.objects.filter(pk=dispute.pk)
        assert seen.update(state="in_review", owner=bob, taken_at=now, promised_on=now.date()) == 0
        for table in ("payouts_dispute", "payouts_disputeentry"):
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {table} SET pay_group_id = pay_group_id")  # noqa: S608
                assert cursor.rowcount == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Dispute.objects.create(**{**_copy(dispute), "component": "other"}, number=9)
        added = DisputeEntry(
            dispute_id=entry.dispute_id, participant_id=entry.participant_id, pay_group_id=entry.pay_group_id
        )
        added.words, added.said_by = "Me", bob
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            added.save()
        # Under his own name it is not of the dispute's person.
        added.participant_id = world.people["Bob"].pk
        with pytest.raises(DatabaseError, match="of its own person"), transaction.atomic():
            added.save()
    with world.company.scope():
        assert (Dispute.objects.get().state, DisputeEntry.objects.count()) == (State.OPEN, 1)


def test_who_handles_another_pay_group_finds_nothing(world: World) -> None:
    dispute, base = question(world, line(world, "D4")), world.base
    batch = world.submit(NOVEMBER)
    fay = client(world, "Fay")
    only(world, Fay="sales")
    assert "D-1<" in fay.get(f"{base}/disputes/").content.decode()
    assert "Disputed: D-1" in fay.get(f"{base}/payouts/{batch.pk}/").content.decode()
    moved(world, "Bob")
    world.work()
    only(world, Fay="abroad")
    queue = fay.get(f"{base}/disputes/").content.decode()
    assert "D-1<" not in queue and "Ann" not in queue
    file = fay.get(f"{base}/disputes/?csv=1")
    text = b"".join(file.streaming_content if file.streaming else [file.content]).decode()
    assert "D-1" not in text and "Ann" not in text
    assert fay.get(f"{base}/disputes/{dispute.pk}/").status_code == 404
    assert fay.get(f"{base}/payouts/{batch.pk}/").status_code == 404
    assert "D-1" not in fay.get(f"{base}/payouts/open/abroad/").content.decode()
    for act in ("say", "take", "decide", "withdraw"):
        assert fay.post(f"{base}/disputes/{dispute.pk}/{act}/", {"words": "Me"}).status_code == 404


# ------------------------------------------------------------------ who moves


def test_disputes_move_with_their_person(world: World) -> None:
    """Who pays somebody now sees and handles their disputes, those that are over too; who paid them does not."""
    over = decide(world, taken(world, question(world)))
    stands = question(world, line(world, "D2"))
    say(world, stands)
    bobs = question(world, line(world, "B1", "Bob"), by="Bob")
    only(world, Olga="abroad", Fay="sales")
    olga, fay = client(world, "Olga"), client(world, "Fay")
    one = f"{world.base}/disputes/{stands.pk}/"
    assert (olga.get(one).status_code, fay.get(one).status_code) == (404, 200)
    other = moved(world)
    # Handled by who pays the person now, from the move on.
    with pytest.raises(ProblemsError, match="Fay handles no disputes of Abroad"):
        taken(world, stands)
    world.work()
    assert (olga.get(one).status_code, fay.get(one).status_code) == (200, 404)
    for who, group, seen in (("Olga", other, [stands, over]), ("Fay", world.company.pay_group, [bobs])):
        with world.company.scope(world.users[who], Pay.in_groups([group.pk])):
            assert [*Dispute.objects.order_by("-number")] == seen
    queue = olga.get(f"{world.base}/disputes/").content.decode()
    assert f"{stands}<" in queue and f"{bobs}<" not in queue
    with world.company.scope(world.users["Olga"], Pay.in_groups([other.pk])):
        assert DisputeEntry.objects.count() == 2, "that it was taken, and what was said"
    with world.company.scope(world.users["Olga"]):
        mine = {"by": world.users["Olga"], "owner": world.users["Olga"]}
        disputes.dispute_take(dispute=stands, promised_on=timezone.now().date(), **mine)
    assert decide(world, stands, by="Olga").pay_group_id == other.pk


def test_a_dispute_that_opens_while_its_person_moves_is_not_left_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person was read before they moved, and the news of that was heard before the dispute was there."""
    other, once = moved(world), disputes._has_a_say
    world.work()
    before = world.company.pay_group.pk

    def as_read_before(person: Any, user: Any) -> bool:
        person.pay_group_id = before
        return once(person, user)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(disputes, "_has_a_say", as_read_before)
        dispute = question(world)
    assert dispute.pay_group_id == before
    world.work()
    with world.company.scope():
        assert Dispute.objects.get().pay_group_id == other.pk


def test_only_the_move_changes_the_pay_group(world: World) -> None:
    dispute = question(world)
    entry = say(world, dispute)
    with world.company.scope():
        other = people.pay_group_create(
            key="abroad", name="Abroad", calendar=world.company.pay_group.calendar, opens_on=OCTOBER
        )
        with pytest.raises(DatabaseError, match="the one of its person"), transaction.atomic():
            Dispute.objects.filter(pk=dispute.pk).update(pay_group=other)
        with pytest.raises(DatabaseError, match="of its own person"), transaction.atomic():
            DisputeEntry.objects.filter(pk=entry.pk).update(pay_group=other)


@pytest.mark.django_db(transaction=True)
def test_a_move_gives_way_to_who_is_at_a_dispute() -> None:
    """It waits for nobody who may wait for what its transaction holds, and comes after them."""
    world = selling()
    dispute = question(world)
    other = moved(world)

    def work() -> None:
        try:
            world.work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with world.company.scope(world.users["Ann"]):
            disputes.dispute_say(dispute=dispute, by=world.users["Ann"], words="And?")
            threads.submit(work).result(timeout=30)
        with world.company.scope():
            assert Dispute.objects.get().pay_group_id == world.company.pay_group.pk
    world.work()
    with world.company.scope():
        assert Dispute.objects.get().pay_group_id == DisputeEntry.objects.get().pay_group_id == other.pk
        assert not Message.objects.filter(parked=True).exists() and not Message.objects.exclude(error="").exists()


# ------------------------------------------------------------------ whose own it becomes


def test_who_turns_out_to_look_after_their_own_hands_it_on(world: World) -> None:
    dispute = taken(world, question(world))
    with world.company.scope():
        world.people["Ann"].refresh_from_db()
        people.participant_change(participant=world.people["Ann"], user=world.users["Fay"])
    with pytest.raises(ProblemsError, match="about their own pay by now: hand it on first"):
        decide(world, dispute, by="Olga")
    with world.company.scope(world.users["Olga"]):
        given = {"by": world.users["Olga"], "owner": world.users["Olga"], "promised_on": timezone.now().date()}
        disputes.dispute_take(dispute=dispute, **given)
    assert decide(world, dispute, by="Olga").state == State.DECIDED


def test_whose_owner_becomes_the_person_is_withdrawn_still(world: World) -> None:
    dispute = taken(world, question(world, by="Olga"))
    with world.company.scope():
        world.people["Ann"].refresh_from_db()
        people.participant_change(participant=world.people["Ann"], user=world.users["Fay"])
    with world.company.scope(world.users["Olga"]):
        assert disputes.dispute_withdraw(dispute=dispute, by=world.users["Olga"]).state == State.WITHDRAWN


def test_the_database_keeps_it_to_the_person(world: World) -> None:
    """An adjustment of somebody else answers nothing, and nobody is said to look after their own."""
    theirs, bobs = adjusted(world), adjusted(world, "Bob")
    dispute = taken(world, question(world))
    now = timezone.now()
    said = {"state": "decided", "decision": "adjustment", "decision_words": "So", "after_minor": 0}
    said |= {"decided_by": world.users["Fay"], "decided_at": now}
    with world.company.scope():
        rows = Dispute.objects.filter(pk=dispute.pk)
        with pytest.raises(DatabaseError, match="of its own person"), transaction.atomic():
            rows.update(**said, by_adjustment=bobs)
        entry: dict[str, Any] = {"dispute": dispute, "participant": dispute.participant, "kind": "taken"}
        entry |= {"pay_group_id": dispute.pay_group_id, "promised_on": now.date(), "said_by": world.users["Fay"]}
        with pytest.raises(DatabaseError, match="of their own pay"), transaction.atomic():
            DisputeEntry.objects.create(**entry, owner=world.users["Ann"])
        rows.update(**said, by_adjustment=theirs)
    # Who sees her own pay alone, and no adjustment of Bob's, names none of his.
    other = taken(world, question(world, line(world, "D2")))
    own = world.company.scope(world.users["Ann"], Pay.of([world.people["Ann"].pk]))
    with own, pytest.raises(DatabaseError, match="of its own person"), transaction.atomic():
        Dispute.objects.filter(pk=other.pk).update(**said, by_adjustment=bobs)


# ------------------------------------------------------------------ decisions


def test_figures_that_cannot_be_worked_out_hold_back_only_what_needs_them(world: World) -> None:
    theirs = adjusted(world)
    dispute, other = taken(world, question(world)), taken(world, question(world, line(world, "D2")))
    with world.company.scope():
        deal, version = Deal.objects.get(external_id="D3"), PlanVersion.objects.get(plan__key="account-executive")
        cause = Cause.objects.create(kind=Cause.Kind.JOB, label="Anew")
        of = {"participant": world.people["Ann"], "from_day": NOVEMBER, "to_day": NOVEMBER, "cause": cause}
        ChangedScope.objects.create(**of, error="Plan: no quota for Ann")
    for named in ({"decision": "data_fix", "deal": deal}, {"decision": "plan_fix", "version": version}):
        with pytest.raises(ProblemsError, match="cannot be worked out anew: Plan: no quota for Ann"):
            decide(world, dispute, **named)
    assert decide(world, dispute, "adjustment", adjustment=theirs).state == State.DECIDED
    with world.company.scope():
        waits = ChangedScope.objects.create(**of)
    with pytest.raises(ProblemsError, match="being worked out anew"):
        decide(world, other)
    with world.company.scope():
        waits.delete()
    assert decide(world, other).state == State.DECIDED


def test_a_change_is_named_as_it_stands_at_the_decision(world: World) -> None:
    """Not as the page had read it before."""
    dispute = taken(world, question(world))
    with world.company.scope():
        read = Deal.objects.get(external_id="D3")
    world.won("D3", "2026-11-11", "13000.00", account="konex", at="2026-11-19T09:00:00Z")
    world.work()
    with world.company.scope():
        now = Deal.objects.get(external_id="D3")
    done = decide(world, dispute, "data_fix", deal=read)
    assert done.by_revision == now.revision_id != read.revision_id


def test_a_statement_that_is_no_more_is_refused_in_words(world: World) -> None:
    with world.company.scope():
        row = Statement.objects.get(participant=world.people["Ann"], period_starts_on=NOVEMBER)
        Statement.objects.filter(pk=row.pk).delete()
    with pytest.raises(ProblemsError, match="This statement is no more"):
        question(world, statement=row, category="missing_deal")


def test_what_a_statement_lacks_is_above_zero(world: World) -> None:
    with world.company.scope():
        row = Statement.objects.get(participant=world.people["Ann"], period_starts_on=OCTOBER)
    for minor in (0, -100_00):
        with pytest.raises(ProblemsError, match="above 0"):
            question(world, statement=row, category="missing_deal", expected_minor=minor)
    dispute = question(world, statement=row, category="missing_deal", expected_minor=100_00)
    with world.company.scope(), pytest.raises(DatabaseError, match="dispute_missing"), transaction.atomic():
        Dispute.objects.create(**_copy(dispute), number=9, expected_minor=0)


def test_the_audit_names_period_deal_and_change(world: World) -> None:
    theirs = adjusted(world)
    with world.company.scope():
        deal, version = Deal.objects.get(external_id="D2"), PlanVersion.objects.get(plan__key="account-executive")
    decide(world, taken(world, question(world)), "split", deal=deal)
    decide(world, taken(world, question(world)), "plan_fix", version=version)
    decide(world, taken(world, question(world)), "adjustment", adjustment=theirs)
    decide(world, taken(world, question(world)))
    with world.company.scope():
        told = [*AuditEntry.objects.filter(code="dispute.decide").order_by("number").values_list("after", flat=True)]
    assert [(row["period"], row["deal"]) for row in told] == [("2026-11-01", "D3")] * 4
    named = [f"deal D2, revision {deal.revision_id}", str(version), theirs.name, ""]
    assert [row["changed"] for row in told] == named
