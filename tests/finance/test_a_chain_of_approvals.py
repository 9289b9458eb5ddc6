"""Rules give a batch its chain; each stage is signed by whom it was given to, once, in order; and nobody signs what is
theirs. What a service refuses in words the database refuses by itself."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.core.errors import CompError, ProblemsError
from comp.people.selectors import today
from comp.tenancy.models import Membership, Tenant
from comp.tenancy.scope import Pay
from payouts.models import ApprovalRule, ApprovalStage, Batch, BatchSettlement, LedgerTransaction, Reminder
from payouts.reads.approval_rules import rule_for, rule_told
from payouts.reads.approvals import new_approvers, turn_of, waiting_for, why_not
from payouts.services import adjustments, approval_rules, approvals, batches, periods, reminders
from payouts.services.attachments import File
from payouts.services.batches import BatchError
from plans.models import Plan, PlanAssignment, PlanVersion
from plans.rules.load import read_yaml
from tests.finance.cast import FEBRUARY, World
from tests.payouts.house import plan_text

FINANCE = {"name": "Finance", "role": "finance", "needed": 1}
LEADER = {"name": "Leader", "role": "revenue_leader", "needed": 1}


def rule(world: World, *stages: dict[str, Any], **said: Any) -> ApprovalRule:
    said = {"name": "Rule", "starts_on": date(2026, 1, 1), **said}
    with world.scope():
        return approval_rules.rule_add(**said, stages=stages or (FINANCE,), made_by=world.users["ada"])


def states(world: World, batch: Batch) -> list[str]:
    with world.scope():
        rows = ApprovalStage.objects.filter(batch=batch).order_by("place", "seat")
        return list(rows.values_list("state", flat=True))


def refusal(world: World, batch: Batch, who: str) -> str:
    with world.scope():
        return why_not(batch, world.users[who])


# ------------------------------------------------------------------ which chain


def test_the_first_rule_that_holds_gives_the_chain(world: World) -> None:
    """A worked table of batches and rules, the one of docs/algorithms/approvals.md."""
    two = {**FINANCE, "needed": 2}
    both = {"change_percent": 10, "change_from": {"USD": 20_00}}
    large = rule(world, two, LEADER, name="Large", total_from={"USD": 200_00, "EUR": 1})
    moved = rule(world, two, name="Moved", **both)
    odd = rule(world, FINANCE, LEADER, name="Odd", exceptions=["negative", "adjusted"], pay_group=world.group)
    over = rule(world, LEADER, name="Over", starts_on=date(2026, 1, 1), ends_on=date(2026, 2, 1))

    first = world.approve(world.submit(), by="frank")  # everything is change where there was nothing before
    assert first.state == "submitted" and states(world, first) == ["approved", "open"]
    first = world.approve(first, by="greta")
    assert first.state == "posted" and states(world, first) == ["approved", "approved"]

    def february(minor: int, currency: str = "USD") -> ApprovalRule | None:
        with world.scope():
            like = Batch(pay_group=world.group, starts_on=FEBRUARY, totals={currency: minor}, pk=0)
            return rule_for(like)

    # 165.50 before: the share and the amount are needed both.
    assert [february(minor) for minor in (165_50, 185_49, 185_50, 145_50, 200_00)] == [None, None, moved, moved, large]
    assert february(1, "GBP") == large  # of which the rule says nothing
    world.earn("R1", "D-1", 95_00, date(2026, 1, 10))
    world.earn("S1", "D-5", 165_00, date(2026, 2, 3))
    second = world.submit(FEBRUARY)  # 160.00, with an adjustment of −5.00 in it
    with world.scope():
        assert second.totals == {"USD": 160_00} and rule_for(second) == odd
        assert rule_for(second, over.starts_on) == odd and rule_told(None).endswith("who may approve payouts).")
        assert rule_told(large) == (
            "A batch of any pay group with a total of at least €0.01 or $200.00 needs "
            "Finance (2 of anybody in Finance) then Leader (anybody in Revenue leader)."
        )
        assert "a change of at least 10% and $20.00 against the batch before" in rule_told(moved)
        assert "of Sales with a negative payout or prior-period adjustments needs" in rule_told(odd)
        chain = AuditEntry.objects.filter(code="batch.chain").latest("number")
        assert chain.reason == "Odd" and [stage["stage"] for stage in chain.after["stages"]] == ["Finance", "Leader"]

        approval_rules.rule_end(rule=odd, ends_on=today(), ended_by=world.users["ada"])
        assert rule_for(second) is None  # and yet its chain stands
        with pytest.raises(ProblemsError, match="ended on"):
            approval_rules.rule_end(rule=odd, ends_on=today(), ended_by=world.users["ada"])
    assert states(world, second) == ["open", "waiting"]


@pytest.mark.parametrize(
    ("said", "stage", "says"),
    [
        ({"name": " "}, FINANCE, "needs a name"),
        ({"change_percent": 0}, FINANCE, "from 1% to"),
        ({"exceptions": ["odd"]}, FINANCE, "no exception 'odd'"),
        ({"total_from": {"XXQ": 1}}, FINANCE, "Unknown currency"),
        ({"total_from": {"USD": 0}}, FINANCE, "above zero"),
        ({}, {**FINANCE, "needed": 0}, "1 to 5 signatures"),
        ({}, {**FINANCE, "capability": "batch.approve"}, "decided by one of"),
        ({}, {"name": "Rep", "role": "representative", "needed": 1}, "Only these roles see payouts"),
        ({}, {"name": "Rep", "people": ["rita"], "needed": 1}, "Rita does not see payouts"),
        ({}, {"name": "Two", "people": ["lena"], "needed": 2}, "2 signatures need 2 people"),
        ({}, {"name": "Gone", "people": ["lena", 987_654_321], "needed": 1}, "There is no user 987654321"),
    ],
)
def test_a_rule_that_says_nonsense_is_refused(world: World, said: Any, stage: Any, says: str) -> None:
    if "people" in stage:
        stage = {**stage, "people": [getattr(world.users.get(name), "pk", name) for name in stage["people"]]}
    with pytest.raises(ProblemsError, match=says):
        rule(world, stage, **said)


# ------------------------------------------------------------------ who signs


def test_stages_are_signed_in_order_by_whom_they_were_given_to(world: World) -> None:
    people = {"name": "Named", "people": [world.users["lena"].pk], "needed": 1}
    rule(world, {**FINANCE, "needed": 2}, people)
    batch = world.submit()
    assert states(world, batch) == ["open", "open", "waiting"]
    assert refusal(world, batch, "fiona") == "you submitted it, so somebody else has to approve it."
    assert refusal(world, batch, "rita") == "your own pay is in it, so somebody else has to approve it."
    assert refusal(world, batch, "olaf").startswith("you published Account executive, version 1, which rates lines")
    assert refusal(world, batch, "ops").startswith("you prepared Account executive, version 1")
    assert refusal(world, batch, "lena") == refusal(world, batch, "ada") == "its stage Finance is decided by Finance."
    with pytest.raises(BatchError, match="not what would be approved"):
        world.approve(batch, digest="0" * 64)

    assert world.approve(batch, by="frank").state == "submitted"
    assert refusal(world, batch, "frank") == (
        "you approved its stage Finance already; nobody approves twice in one chain."
    )
    with pytest.raises(BatchError, match="nobody approves twice"):
        world.approve(batch, by="frank")
    assert states(world, batch) == ["approved", "open", "waiting"]
    world.approve(batch, by="greta")
    assert refusal(world, batch, "lena") == "" and states(world, batch) == ["approved", "approved", "open"]
    with world.scope():
        assert [one.stage.name for one in waiting_for(world.users["lena"])] == ["Named"]
        assert waiting_for(world.users["frank"]) == [] and not LedgerTransaction.objects.exists()
    done = world.approve(batch, by="lena")
    assert done.state == "posted" and done.decided_by == world.users["lena"]
    with world.scope():
        assert LedgerTransaction.objects.count() == 1
        signed = AuditEntry.objects.filter(code="batch.stage").order_by("number")
        assert [entry.after["digest"] for entry in signed] == [batch.digest] * 3


def test_a_chain_is_void_with_its_batch_and_begins_anew(world: World) -> None:
    rule(world, FINANCE, LEADER)
    batch = world.approve(world.submit(), by="frank")
    with world.scope():
        batches.batch_reject(batch=batch, rejected_by=world.users["lena"], reason="D-2 was refunded")
    assert states(world, batch) == ["voided", "voided"]
    again = world.approve(world.submit(), by="frank")
    with world.scope():
        periods.period_unlock_ask(batch=again, asked_by=world.users["fiona"], reason="A late deal")
        periods.period_unlock_confirm(batch=again, confirmed_by=world.users["greta"])
    assert states(world, again) == ["voided", "voided"]
    with world.scope():
        voided = ApprovalStage.objects.get(batch=again, place=1)
        assert (voided.decided_by, voided.reason) == (world.users["frank"], "A late deal")


def test_deputies_sign_for_others_and_for_nobody_who_may_not(world: World) -> None:
    frank, greta, lena, fiona = (world.users[name] for name in ("frank", "greta", "lena", "fiona"))
    rule(world, FINANCE, LEADER)
    batch = world.submit()
    with world.scope():
        day = today()

        def name(person: Any, deputy: Any, **said: Any) -> Any:
            said = {"starts_on": day, "ends_on": day + timedelta(days=7), "reason": "Away", **said}
            return approval_rules.deputy_add(person=person, deputy=deputy, **said)

        for wrong, says in (
            (lambda: name(lena, lena), "their own deputy"),
            (lambda: name(lena, world.users["rita"]), "does not see payouts"),
            (lambda: name(lena, greta, reason=" "), "Say why"),
            (lambda: name(lena, greta, starts_on=day - timedelta(days=1)), "cannot be named for"),
            (lambda: name(lena, greta, ends_on=day), "has to end later"),
        ):
            with pytest.raises(ProblemsError, match=says):
                wrong()
        # Lena may not decide at Finance; with Fiona's word she would, who submitted it.
        name(fiona, lena)
        assert why_not(batch, lena) == "Fiona submitted it, so no deputy may approve it for them."
    world.approve(batch, by="frank")
    with world.scope():
        name(lena, greta, starts_on=day + timedelta(days=1))
        assert why_not(batch, greta) == "its stage Leader is decided by Revenue leader."
        standing = name(lena, frank)
        assert "nobody approves twice" in why_not(batch, frank)
        with pytest.raises(ProblemsError, match="only Lena and Frank can end it"):
            approval_rules.deputy_revoke(deputy=standing, revoked_by=greta)
        approval_rules.deputy_revoke(deputy=standing, revoked_by=lena)
        with pytest.raises(ProblemsError, match="was ended by Lena already"):
            approval_rules.deputy_revoke(deputy=standing, revoked_by=frank)

        for to, says in ((lena, "their own deputy|may decide"), (fiona, "cannot decide on"), (frank, "cannot decide")):
            with pytest.raises(CompError, match=says), transaction.atomic():
                approvals.stage_delegate(batch=batch, delegated_by=lena, to=to, reason="On a plane")
        with pytest.raises(CompError, match="its stage Leader is decided by"):
            approvals.stage_delegate(batch=batch, delegated_by=greta, to=fiona, reason="Why not")
        approvals.stage_delegate(batch=batch, delegated_by=lena, to=greta, reason="On a plane")
        assert turn_of(batch, greta).as_deputy_of == lena and [one.as_deputy_of for one in waiting_for(greta)] == [lena]
    assert world.approve(batch, by="greta").state == "posted"
    with world.scope():
        signed = ApprovalStage.objects.get(batch=batch, place=2)
        assert (signed.decided_by, signed.as_deputy_of) == (greta, lena)
        assert AuditEntry.objects.filter(code="batch.stage").latest("number").after["as_deputy_of"] == "Lena"
        assert AuditEntry.objects.get(code="batch.delegate").reason == "On a plane"
    # What was handed on was this one decision.
    later = world.approve(world.submit(FEBRUARY), by="frank")
    assert refusal(world, later, "greta") == "its stage Leader is decided by Revenue leader."


def test_a_role_that_is_new_is_said(world: World) -> None:
    with world.scope():
        Tenant.objects.filter(pk=world.tenant.pk).update(created_at=timezone.now() - timedelta(days=400))
        old = timezone.now() - timedelta(days=40)
        Membership.objects.filter(tenant=world.tenant).exclude(user=world.users["greta"]).update(created_at=old)
    batch = world.submit()
    with world.scope():
        assert [(one.user, one.role, one.given_by) for one in new_approvers(batch)] == [
            (world.users["greta"], "Finance", "unknown")
        ]
    page = world.client("frank").get(world.url(f"payouts/{batch.pk}/")).content.decode()
    assert "New approver: Greta has had the role Finance since" in page


# ------------------------------------------------------------------ the database


def sign(world: World, stage: ApprovalStage, who: str, **said: Any) -> None:
    """A signature by a statement of its own, past the services; in the runtime role."""
    values = {"state": "approved", "decided_by": world.users[who], "decided_at": timezone.now(), **said}
    values.setdefault("digest", stage.batch.digest)
    with transaction.atomic():
        ApprovalStage.objects.filter(pk=stage.pk).update(**values)


def test_the_database_refuses_what_nobody_may_sign(world: World) -> None:
    rule(world, {"name": "All", "capability": "batch.approve", "needed": 1}, LEADER)
    world.person("F1", "Frank who sells", user="frank")
    world.earn("F1", "D-9", 5_00, date(2026, 1, 9))
    batch = world.submit()
    users = world.users
    with world.scope():
        for name in ("olaf", "rita"):
            Membership.objects.create(tenant=world.tenant, user=users[name], role="finance")
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("comp_pay",)
        first, second = ApprovalStage.objects.filter(batch=batch).select_related("batch").order_by("place")
        day = today()
        approval_rules.deputy_add(person=users["frank"], deputy=users["greta"], starts_on=day, ends_on=None, reason="x")
        for who, said, says in (
            ("fiona", {}, "cannot approve their own preparation"),
            ("frank", {}, "cannot approve their own pay"),
            ("rita", {}, "cannot approve their own pay"),
            ("olaf", {}, "cannot approve their own plan"),
            ("greta", {"as_deputy_of": users["frank"]}, "cannot approve their own pay"),
            ("greta", {"as_deputy_of": users["fiona"]}, "is no deputy of"),
            ("lena", {}, "is not decided by user"),
            ("ada", {}, "is not decided by user"),
            ("greta", {"digest": "0" * 64}, "only what was submitted is approved"),
            ("greta", {"state": "waiting"}, "cannot go from open to waiting"),
            ("greta", {"state": "voided"}, "who decided what stays as it was"),
        ):
            with pytest.raises(IntegrityError, match=says):
                sign(world, first, who, **said)
        with pytest.raises(IntegrityError, match="cannot go from waiting to approved"):
            sign(world, second, "lena")
        with pytest.raises(IntegrityError, match="a stage before it is not approved"), transaction.atomic():
            ApprovalStage.objects.filter(pk=second.pk).update(state="open")
        with pytest.raises(IntegrityError, match="approvalstage_once|begins undecided"), transaction.atomic():
            ApprovalStage.objects.create(batch=batch, place=3, seat=1, name="Mine", state="approved")
        decided = {"decided_by": users["greta"], "decided_at": timezone.now(), "approved_digest": batch.digest}
        with pytest.raises(IntegrityError, match="its stage All is open"), transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(state="approved", **decided)
    with world.scope(Pay.of([world.people["S1"].pk])), pytest.raises(IntegrityError, match="4 lines and 1 can be seen"):
        sign(world, first, "greta")

    with world.scope():
        sign(world, first, "greta")
        with pytest.raises(IntegrityError, match="its stage Leader is waiting"), transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(state="approved", **decided)
        with pytest.raises(IntegrityError, match="its chain stands as it was submitted"), transaction.atomic():
            ApprovalStage.objects.create(batch=batch, place=3, seat=1, name="More", state="waiting")
        ApprovalStage.objects.filter(pk=second.pk).update(state="open")
        Membership.objects.create(tenant=world.tenant, user=users["greta"], role="revenue_leader")
        with pytest.raises(IntegrityError, match="approved in this chain already|nobody_twice"):
            sign(world, second, "greta")
        sign(world, second, "lena")
        with pytest.raises(IntegrityError, match="did not approve its last stage"), transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(state="approved", **decided)
        with pytest.raises(IntegrityError, match="cannot go from approved to open"), transaction.atomic():
            ApprovalStage.objects.filter(pk=second.pk).update(state="open")


def test_who_prepared_an_adjustment_does_not_sign_it(world: World) -> None:
    frank, greta, sam = world.users["frank"], world.users["greta"], world.people["S1"]
    with world.scope():
        PlanVersion.objects.update(document=json.dumps(read_yaml(plan_text())))
        PlanAssignment.objects.create(participant=sam, plan=world.plan, starts_on=date(2026, 1, 1))
        asked = adjustments.Wanted(sam, world.plan, 5_00, "USD", date(2026, 1, 15), "Promised")
        proof = File("letter.txt", b"Agreed on the phone.")
        draft = adjustments.adjustment_prepare(wanted=asked, attachment=proof, prepared_by=frank)
        waiting = adjustments.adjustment_submit(adjustment=draft, by=frank)
        adjustments.adjustment_approve(adjustment=waiting, approved_by=greta)
    batch = world.submit()
    assert refusal(world, batch, "frank").startswith("you prepared the adjustment ADJ-000001 in it")
    with world.scope():
        stage = ApprovalStage.objects.select_related("batch").get(batch=batch)
        with pytest.raises(IntegrityError, match="cannot approve their own adjustment"):
            sign(world, stage, "frank")
    assert world.approve(batch, by="greta").state == "posted"


def test_a_plan_that_pays_without_a_line_is_somebodys_own(world: World) -> None:
    """What a settlement alone pays (a draw, a guarantee) is rated by a version too."""
    batch = world.submit()
    with world.scope():
        Membership.objects.create(tenant=world.tenant, user=world.users["olaf"], role="finance")
        other = PlanVersion.objects.get(pk=world.version.pk)
        other.pk, other.plan = None, Plan.objects.create(key="draw", name="Draw")
        other.published_by = world.users["greta"]
        other.save(force_insert=True)
        settle(world, batch, "R1", other, inflow=0, topped_up=50_00, payout=50_00)
        stage = ApprovalStage.objects.select_related("batch").get(batch=batch)
        with pytest.raises(IntegrityError, match="cannot approve their own plan"):
            sign(world, stage, "greta")
    assert refusal(world, batch, "greta").startswith("you published Draw, version 1")
    assert refusal(world, batch, "frank") == ""


def settle(world: World, batch: Batch, who: str, version: PlanVersion, **moved: int) -> BatchSettlement:
    """What a settlement with these amounts would be in a batch."""
    names = [f.attname for f in BatchSettlement._meta.concrete_fields if f.attname.endswith("_minor")]
    return BatchSettlement.objects.create(
        batch=batch, participant=world.people[who], pay_group=world.group, plan=world.plan, plan_version=version,
        period_starts_on=batch.starts_on, currency="USD",
        **{**dict.fromkeys(names, 0), **{f"{name}_minor": minor for name, minor in moved.items()}},
    )  # fmt: skip


def test_a_list_of_what_waits_asks_no_more_for_many_batches(world: World) -> None:
    rule(world, {"name": "Named", "people": [world.users["frank"].pk, world.users["greta"].pk], "needed": 1}, LEADER)
    counts = []
    with world.scope():
        approval_rules.deputy_add(
            person=world.users["frank"], deputy=world.users["lena"], starts_on=today(), ends_on=None, reason="Away"
        )
    for month in range(1, 7):
        world.submit(date(2026, month, 1))
        with world.scope():
            for who in ("frank", "lena", "ada"):
                with CaptureQueriesContext(connection) as asked:
                    found = waiting_for(world.users[who])
                assert len(found) == (0 if who == "ada" else month)
                counts.append(len(asked))
    assert len({*counts[0::3]}) == len({*counts[1::3]}) == 1 and max(counts) <= 14, counts


# ------------------------------------------------------------------ reminders


def test_who_may_decide_is_reminded_once_a_day(world: World, django_capture_on_commit_callbacks: Any) -> None:
    batch = world.submit()
    tenant_id = world.tenant.pk

    def remind(day: date) -> int:
        with django_capture_on_commit_callbacks(execute=True):
            return reminders.reminders_send(tenant_id=tenant_id, day=day)

    with world.scope():
        day = today()
    assert remind(day) == 0  # it was opened today
    assert [remind(day + timedelta(days=1)) for _ in range(3)] == [1, 0, 0]
    assert sorted(message.to[0] for message in mail.outbox) == ["frank@acme.test", "greta@acme.test"]
    said = mail.outbox[0]
    assert said.subject == "January 2026, Sales waits for your decision"
    assert f"/t/acme/payouts/{batch.pk}/" in said.body and "165" not in said.body
    assert remind(day + timedelta(days=2)) == 1
    world.approve(batch)
    assert remind(day + timedelta(days=3)) == 0
    with world.scope():
        assert Reminder.objects.count() == 2


# ------------------------------------------------------------------ pages


def test_the_pages_of_approval(world: World) -> None:
    ada, frank, lena, fiona = (world.client(name) for name in ("ada", "frank", "lena", "fiona"))
    form = {
        "name": "Large payouts", "starts_on": "2026-01-01", "total_from": "100 USD", "change_percent": "",
        "exceptions": ["new"], "stage1_name": "Finance", "stage1_who": "role:finance", "stage1_needed": "1",
        "stage2_name": "CRO", "stage2_who": "people", "stage2_people": [str(world.users["lena"].pk)],
    }  # fmt: skip
    new = world.url("approval-rules/new/")
    assert frank.get(new).status_code == 403 and ada.get(new).status_code == 200
    wrong = ada.post(new, {**form, "total_from": "lots"})
    assert wrong.status_code == 422 and "write an amount and its currency" in wrong.content.decode()
    told = ada.post(new, form, follow=True).content.decode()
    assert "A batch of any pay group with a total of at least $100.00 and a first payout needs Finance" in told

    batch = world.submit()
    page, approve = world.url(f"payouts/{batch.pk}/"), world.url(f"payouts/{batch.pk}/approve/")
    assert (
        "Try it" not in told
        and "CRO (Lena)" in frank.get(world.url(f"approval-rules/?batch={batch.pk}")).content.decode()
    )
    assert lena.get(approve).status_code == 404  # not her turn
    for client, mine in ((frank, True), (fiona, False), (lena, False)):
        assert ("waits on you" in client.get(world.url("payouts/")).content.decode()) == mine
        listed = client.get(world.url("decisions/")).content.decode()
        assert ("Nothing waits on you" in listed) != mine
    world.approve(batch)
    assert lena.get(approve).status_code == 302 and "/reauthenticate/" in lena.get(approve).url
    shown = lena.get(page).content.decode()
    assert "Large payouts: A batch" in shown and "Hand on this decision" in shown

    assert (
        frank.post(page + "delegate/", {"to": world.users["greta"].pk, "reason": "Away"}, follow=True).status_code
        == 200
    )
    done = lena.post(page + "delegate/", {"to": world.users["greta"].pk, "reason": "Away"}, follow=True)
    assert "Greta may decide on January 2026, Sales in your place now" in done.content.decode()
    assert "in place of Lena" in world.client("greta").get(world.url("payouts/")).content.decode()

    deputies = world.url("decisions/deputies/")
    named = {"deputy": world.users["frank"].pk, "starts_on": "2035-01-01", "ends_on": "2035-02-01", "reason": "Skiing"}
    assert "Skiing" in lena.post(deputies, named, follow=True).content.decode()
    assert "has to end later" in lena.post(deputies, {**named, "ends_on": "2034-01-01"}).content.decode()
    with world.scope():
        row = approval_rules.Deputy.objects.get(reason="Skiing")
    assert "only Lena and Frank" in fiona.post(f"{deputies}{row.pk}/end/", follow=True).content.decode()
    assert "ended by Frank" in frank.post(f"{deputies}{row.pk}/end/", follow=True).content.decode()
    with world.scope():
        made = ApprovalRule.objects.get()
    assert (
        "holds for no batch submitted from"
        in ada.post(world.url(f"approval-rules/{made.pk}/end/"), follow=True).content.decode()
    )
