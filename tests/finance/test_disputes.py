"""A dispute from its opening to its decision: who may do what, what stands for good, and who sees it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.people.selectors import today
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership
from comp.tenancy.scope import Pay
from crediting.models import Deal
from payouts.models import Batch, BatchLine, Cause, ChangedScope, Dispute, DisputeEntry, Earning, Statement
from payouts.models.manual import State as ByHand
from payouts.reads.disputes import standing_minor
from payouts.services import disputes
from payouts.services.adjustments import Wanted, adjustment_approve, adjustment_prepare, adjustment_submit
from payouts.services.attachments import File
from plans.models import Plan, PlanVersion
from tests.factories import member, person
from tests.pages.rep.world import NOVEMBER, OCTOBER, World, selling

State = Dispute.State


@pytest.fixture
def world(db: None) -> World:
    return selling()


def line(world: World, deal: str = "D3", who: str = "Ann") -> Earning:
    with world.company.scope():
        rows = Earning.objects.filter(participant=world.people[who], deal__external_id=deal)
        return rows.order_by("-earned_minor")[0]


def question(world: World, earning: Earning | None = None, by: str = "Ann", **said: Any) -> Dispute:
    asked = {"category": "amount", "expectation": "The rate should be 12%.", **said}
    if "statement" not in said:
        asked["earning"] = earning or line(world)
    with world.company.scope(world.users[by]):
        return disputes.dispute_open(by=world.users[by], **asked)


def taken(world: World, dispute: Dispute, owner: str = "Fay") -> Dispute:
    with world.company.scope(world.users["Fay"]):
        promised = today() + timedelta(days=7)
        return disputes.dispute_take(
            dispute=dispute, by=world.users["Fay"], owner=world.users[owner], promised_on=promised
        )


def decide(world: World, dispute: Dispute, decision: str = "no_change", by: str = "Fay", **said: Any) -> Dispute:
    with world.company.scope(world.users[by]):
        return disputes.dispute_decide(
            dispute=dispute, by=world.users[by], decision=decision, words="As the plan says.", **said
        )


def say(world: World, dispute: Dispute, words: str = "Any news?", by: str = "Ann") -> DisputeEntry:
    with world.company.scope(world.users[by]):
        return disputes.dispute_say(dispute=dispute, by=world.users[by], words=words)


def adjusted(world: World, who: str = "Ann", approve: bool = True) -> Any:
    """An adjustment by hand of 50.00."""
    with world.company.scope(world.users["Fay"]):
        person_ = world.people[who]
        plan = Plan.objects.get(key="account-executive")
        wanted = Wanted(person_, plan, 50_00, "USD", today(), "Their dispute")
        made = adjustment_prepare(wanted=wanted, attachment=File("a.txt", b"Agreed."), prepared_by=world.users["Fay"])
        made = adjustment_submit(adjustment=made, by=world.users["Fay"])
    if approve:
        with world.company.scope(world.users["Finn"]):
            made = adjustment_approve(adjustment=made, approved_by=world.users["Finn"])
    return made


# ------------------------------------------------------------------ the way of one


def test_a_line_is_questioned_taken_answered_and_decided(world: World) -> None:
    earning = line(world)
    dispute = question(world, earning, expected_minor=earning.earned_minor + 240_00)
    assert (dispute.name, dispute.state, dispute.about) == ("D-1", State.OPEN, "line")
    assert dispute.before_minor == earning.earned_minor and dispute.stake_minor == 240_00
    copied = dispute.copied
    assert (copied["earned_minor"], copied["deal"], copied["currency"]) == (earning.earned_minor, "D3", "USD")
    assert copied["credited_minor"] == earning.credit_minor and copied["rate"] and copied["cause"]
    with world.company.scope():
        statement = Statement.objects.get(participant=world.people["Ann"], period_starts_on=NOVEMBER)
    assert copied["statement_revision"] == statement.revision and dispute.pay_period == NOVEMBER
    say(world, dispute)
    taken(world, dispute)
    say(world, dispute, "I look into it.", by="Fay")
    with world.company.scope():
        entries = [(one.kind, one.words, str(one.said_by)) for one in DisputeEntry.objects.all()]
    assert entries == [("said", "Any news?", "Ann"), ("taken", "", "Fay"), ("said", "I look into it.", "Fay")]
    # The deal is put right, and what stands then is read.
    world.won("D3", "2026-11-11", "13000.00", account="konex", at="2026-11-19T09:00:00Z")
    world.work()
    with world.company.scope():
        deal = Deal.objects.get(external_id="D3")
    done = decide(world, dispute, "data_fix", deal=deal)
    now = line(world)
    assert (done.before_minor, done.after_minor) == (earning.earned_minor, now.earned_minor)
    assert now.earned_minor > earning.earned_minor and done.by_revision == deal.revision_id
    with world.company.scope():
        codes = [
            *AuditEntry.objects.filter(code__startswith="dispute.").order_by("number").values_list("code", flat=True)
        ]
        said = str([*AuditEntry.objects.filter(code__startswith="dispute.").values("before", "after", "reason")])
    assert codes == [f"dispute.{act}" for act in ("open", "say", "take", "say", "decide")]
    assert "12%" not in said and "news" not in said and str(earning.earned_minor) not in said


def test_a_statement_is_questioned_as_a_whole(world: World) -> None:
    with world.company.scope():
        row = Statement.objects.get(participant=world.people["Ann"], period_starts_on=OCTOBER)
    asked = {"statement": row, "category": "missing_deal"}
    dispute = question(world, **asked, expectation="D9 is missing.", expected_minor=100_00)
    assert (dispute.about, dispute.before_minor, dispute.stake_minor) == ("statement", row.payout_minor, 100_00)
    assert (
        dispute.pay_period == OCTOBER and dispute.plan_id is None and dispute.copied["payout_minor"] == row.payout_minor
    )
    with pytest.raises(ProblemsError, match="said already: D-1"):
        question(world, **asked, expectation="D9 is missing. ")
    assert question(world, **asked, expectation="D10 is missing too.").name == "D-2"


def test_the_same_line_is_questioned_once_at_a_time(world: World) -> None:
    earning = line(world)
    dispute = question(world, earning)
    with pytest.raises(ProblemsError, match="questioned already: D-1"):
        question(world, earning)
    assert question(world, line(world, "D2")).name == "D-2"
    with world.company.scope(world.users["Ann"]):
        disputes.dispute_withdraw(dispute=dispute, by=world.users["Ann"])
    assert question(world, earning).name == "D-3"


def test_it_is_known_again_when_its_line_was_written_anew(world: World) -> None:
    earning = line(world)
    dispute = question(world, earning)
    world.won("D3", "2026-11-11", "99.00", account="konex", at="2026-11-19T09:00:00Z")
    world.work()
    with world.company.scope():
        assert standing_minor(dispute) == line(world).earned_minor != dispute.before_minor
    with world.company.scope():
        Earning.objects.all().delete()
        assert standing_minor(dispute) == 0
    with pytest.raises(ProblemsError, match="no more"):
        question(world, earning)


def test_the_same_again_changes_nothing(world: World) -> None:
    dispute = question(world)
    first, again = say(world, dispute), say(world, dispute, " Any news? ")
    assert first == again
    taken(world, dispute), taken(world, dispute)
    with world.company.scope():
        assert DisputeEntry.objects.count() == 2
    assert taken(world, dispute, "Olga").owner == world.users["Olga"], "handed on"
    decide(world, dispute)
    with pytest.raises(ProblemsError, match="D-1 is decided"):
        decide(world, dispute)
    for act in (lambda: say(world, dispute), lambda: taken(world, dispute)):
        with pytest.raises(ProblemsError, match="D-1 is decided"):
            act()


# ------------------------------------------------------------------ what is refused


def test_words_and_days_are_checked(world: World) -> None:
    for wrong, why in (
        ({"expectation": " "}, "what you expected"),
        ({"expectation": "x" * 2001}, "too many"),
        ({"category": "colour"}, "no category"),
        ({"earning": None}, "one line or one statement"),
        ({"expected_minor": 10**15 + 1}, "as much"),
    ):
        with pytest.raises(ProblemsError, match=why), world.company.scope(world.users["Ann"]):
            said = {"category": "amount", "expectation": "More.", "earning": line(world), **wrong}
            disputes.dispute_open(by=world.users["Ann"], **said)
    dispute = question(world)
    fay = world.users["Fay"]
    for days in (-1, 400):
        with pytest.raises(ProblemsError, match="within a year"), world.company.scope(fay):
            promised = today() + timedelta(days=days)
            disputes.dispute_take(dispute=dispute, by=fay, owner=fay, promised_on=promised)
    with pytest.raises(ProblemsError, match="Say something"):
        say(world, dispute, " ")
    with pytest.raises(ProblemsError, match="takes it before"):
        decide(world, dispute)


def test_who_may_open_say_own_decide_and_withdraw(world: World) -> None:
    with pytest.raises(ProblemsError, match="Bob cannot question the pay of Ann"):
        question(world, by="Bob")
    with pytest.raises(ProblemsError, match="Mia cannot question"):
        question(world, by="Mia")
    dispute = question(world, by="Olga")  # in her place
    for name in ("Bob", "Mia"):
        with pytest.raises(ProblemsError, match="has no say"):
            say(world, dispute, by=name)
        with pytest.raises(ProblemsError, match="handles no disputes"):
            taken(world, dispute, owner=name)
    taken(world, dispute)
    with pytest.raises(ProblemsError, match="Mia handles no disputes"):
        decide(world, dispute, by="Mia")
    for name in ("Ann", "Fay"):
        with pytest.raises(ProblemsError, match="only who opened it"), world.company.scope(world.users[name]):
            disputes.dispute_withdraw(dispute=dispute, by=world.users[name])
    with world.company.scope(world.users["Olga"]):
        assert disputes.dispute_withdraw(dispute=dispute, by=world.users["Olga"]).state == State.WITHDRAWN


def test_who_may_not_see_the_pay_does_not_look_after_it(world: World) -> None:
    dispute = question(world)
    with world.company.scope():
        Membership.objects.filter(user=world.users["Olga"]).update(pay_groups=["another"])
    with pytest.raises(ProblemsError, match="Olga handles no disputes of Sales"):
        taken(world, dispute, owner="Olga")
    with pytest.raises(ProblemsError, match="Olga has no say"):
        say(world, dispute, by="Olga")
    with pytest.raises(ProblemsError, match="Olga cannot question"):
        question(world, line(world, "D2"), by="Olga")


def test_nobody_looks_after_or_decides_about_their_own_pay(world: World) -> None:
    """In the service, and in the database whatever is asked of it."""
    member(world.company, Role.FINANCE, "Ann")
    dispute = question(world)
    ann, fay = world.users["Ann"], world.users["Fay"]
    with pytest.raises(ProblemsError, match="of their own"):
        taken(world, dispute, owner="Ann")
    taken(world, dispute)
    with pytest.raises(ProblemsError, match="of their own"):
        decide(world, dispute, by="Ann")
    with world.company.scope():
        row, now = Dispute.objects.filter(pk=dispute.pk), timezone.now()
        with pytest.raises(DatabaseError, match="own pay"), transaction.atomic():
            row.update(owner=ann)
        said = {"decision": "no_change", "decision_words": "So", "after_minor": 0, "decided_at": now}
        with pytest.raises(DatabaseError, match="own pay"), transaction.atomic():
            row.update(state="decided", decided_by=ann, **said)
        row.update(state="decided", decided_by=fay, **said)


def test_a_decision_names_a_change_that_concerns_the_person(world: World) -> None:
    dispute = taken(world, question(world))
    theirs, bobs, waits = adjusted(world), adjusted(world, "Bob"), adjusted(world, approve=False)
    with world.company.scope():
        ours, foreign = Deal.objects.get(external_id="D2"), Deal.objects.get(external_id="B1")
        version = PlanVersion.objects.get(plan__key="account-executive")
        leads = PlanVersion.objects.get(plan__key="manager")
    for decision, change, why in (
        ("adjustment", {}, "names adjustment"),
        ("data_fix", {}, "names deal or fact"),
        ("plan_fix", {"deal": ours}, "names version"),
        ("no_change", {"deal": ours}, "names no change"),
        ("data_fix", {"deal": ours, "version": version}, "names deal or fact"),
        ("adjustment", {"adjustment": bobs}, "no approved adjustment of Ann"),
        ("adjustment", {"adjustment": waits}, "no approved adjustment of Ann"),
        ("split", {"deal": foreign}, "does not stand on deal B1"),
        ("plan_fix", {"version": leads}, "no published version of a plan of Ann"),
        ("magic", {}, "no decision"),
    ):
        with pytest.raises(ProblemsError, match=why):
            decide(world, dispute, decision, **change)
    earned = line(world).earned_minor
    done = decide(world, dispute, "adjustment", adjustment=theirs)
    assert (done.by_adjustment, done.after_minor) == (theirs, earned), "the line is what it was"
    other = decide(world, taken(world, question(world)), "plan_fix", version=version)
    assert other.by_version == version
    assert theirs.state == ByHand.APPROVED


def test_nothing_is_decided_while_the_figures_move(world: World) -> None:
    dispute = taken(world, question(world))
    world.won("D3", "2026-11-11", "13000.00", account="konex", at="2026-11-19T09:00:00Z")
    with world.company.scope():
        cause = Cause.objects.create(kind=Cause.Kind.JOB, label="Anew")
        said = {"from_day": NOVEMBER, "to_day": today(), "cause": cause}
        ChangedScope.objects.create(participant=world.people["Ann"], **said)
    with pytest.raises(ProblemsError, match="worked out anew"):
        decide(world, dispute)
    world.work()
    assert decide(world, dispute).after_minor == line(world).earned_minor


def test_the_database_keeps_the_order_and_what_was_said(world: World) -> None:
    dispute = question(world)
    say(world, dispute)
    ann, fay = world.users["Ann"], world.users["Fay"]
    now = timezone.now()
    whole = {"owner": fay, "taken_at": now, "promised_on": now.date()}
    decided = {"decision": "no_change", "decision_words": "So", "after_minor": 0, "decided_at": now, "decided_by": fay}
    with world.company.scope():
        rows = Dispute.objects.filter(pk=dispute.pk)

        def refused(why: str, **said: Any) -> None:
            with pytest.raises(DatabaseError, match=why), transaction.atomic():
                rows.update(**said)

        refused("permission denied", expectation="Less")
        refused("permission denied", participant=world.people["Bob"])
        refused("dispute_has_an_owner|dispute_owner", state="in_review")
        refused("cannot go from open to decided", state="decided", **whole, **decided)
        refused("dispute_withdrawn", state="withdrawn", withdrawn_at=now, withdrawn_by=fay)
        rows.update(state="in_review", **whole)
        refused("cannot go from in_review to open", state="open", owner=None, taken_at=None, promised_on=None)
        for missing in ("decided_by", "decided_at", "after_minor"):
            refused("dispute_decided", state="decided", **{**decided, missing: None})
        for missing in ("decision", "decision_words"):
            refused("dispute_decided", state="decided", **{**decided, missing: ""})
        refused("dispute_names_its_change", state="decided", **{**decided, "decision": "data_fix"})
        rows.update(state="decided", **decided)
        refused("that stands", state="withdrawn", withdrawn_at=now, withdrawn_by=ann)
        refused("that stands", decision_words="Otherwise")
        for statement in ("UPDATE payouts_disputeentry SET words = 'x'", "DELETE FROM payouts_disputeentry"):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                connection.cursor().execute(statement)
        entry = DisputeEntry(dispute=dispute, participant=world.people["Ann"], words="More", said_by=ann)
        entry.pay_group_id = world.company.pay_group.pk
        with pytest.raises(DatabaseError, match="nothing is said in it any more"), transaction.atomic():
            entry.save()
        entry.participant = world.people["Bob"]
        with pytest.raises(DatabaseError, match="of its own person"), transaction.atomic():
            entry.save()
        with pytest.raises(DatabaseError, match="begins open"), transaction.atomic():
            Dispute.objects.create(**_copy(dispute), number=9, state="in_review", **whole)
        first = Dispute.objects.create(**_copy(dispute), number=9)
        with pytest.raises(DatabaseError, match="dispute_line_once"), transaction.atomic():
            Dispute.objects.create(**_copy(dispute), number=10)
        with pytest.raises(DatabaseError, match="dispute_number"), transaction.atomic():
            Dispute.objects.create(**{**_copy(dispute), "component": "other"}, number=first.number)


def _copy(row: Dispute) -> dict[str, Any]:
    names = (
        "participant", "pay_group", "about", "plan", "deal", "fact", "origin", "split", "period", "line_kind",
        "component", "rule", "role", "pay_period", "category", "expectation", "copied", "before_minor", "currency",
        "opened_by",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names}


# ------------------------------------------------------------------ who sees it


def test_a_colleague_sees_none_of_it(world: World) -> None:
    dispute = question(world)
    say(world, dispute)
    ann, bob, mia = (world.people[name].pk for name in ("Ann", "Bob", "Mia"))
    counts = []
    for pay in (Pay.of([bob]), Pay.of([ann]), Pay.of([mia, ann, bob]), Pay.nobody(), Pay.in_groups([])):
        with world.company.scope(world.users["Bob"], pay):
            counts.append((Dispute.objects.count(), DisputeEntry.objects.count()))
    assert counts == [(0, 0), (1, 1), (1, 1), (0, 0), (0, 0)]


def test_numbers_are_each_companys_own(world: World, db: None) -> None:
    dispute = question(world)
    rival = selling("rival")
    assert question(rival).name == dispute.name == "D-1"
    with rival.company.scope():
        assert not Dispute.objects.filter(pk=dispute.pk).exists() and Dispute.objects.count() == 1


# ------------------------------------------------------------------ two at once


def at_once(*steps: Callable[[], object]) -> list[str]:
    start = Barrier(len(steps))

    def run(step: Callable[[], object]) -> str:
        try:
            start.wait(timeout=10)
            step()
            return "done"
        except ProblemsError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(steps)) as threads:
        return sorted(threads.map(run, steps))


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_of_each() -> None:
    world = selling()
    earning, other = line(world), line(world, "D2")
    said = at_once(lambda: question(world, earning), lambda: question(world, earning), lambda: question(world, other))
    assert sum(text == "done" for text in said) == 2
    assert any("questioned already" in text for text in said)
    with world.company.scope():
        assert sorted(Dispute.objects.values_list("number", flat=True)) == [1, 2]
        dispute = Dispute.objects.get(deal__external_id="D3")
    taken(world, dispute)

    def withdraw() -> None:
        with world.company.scope(world.users["Ann"]):
            disputes.dispute_withdraw(dispute=dispute, by=world.users["Ann"])

    said = at_once(lambda: decide(world, dispute), lambda: decide(world, dispute, by="Olga"), withdraw)
    assert said.count("done") == 1 and all("D-" in text for text in said if text != "done")
    with world.company.scope():
        assert AuditEntry.objects.filter(code__in=["dispute.decide", "dispute.withdraw"]).count() == 1


# ------------------------------------------------------------------ pages


def client(world: World, who: str) -> Client:
    found = Client()
    found.force_login(world.users[who], "django.contrib.auth.backends.ModelBackend")
    return found


def test_a_representative_questions_a_line_on_its_page(world: World) -> None:
    earning, ann = line(world), client(world, "Ann")
    base = world.base
    page = ann.get(f"{base}/why/{earning.pk}/").content.decode()
    assert f"{base}/disputes/new/{earning.pk}/" in page and "Disputed" not in page
    assert "Your questions" not in ann.get(f"{base}/statements/").content.decode(), "absent when empty"
    form = ann.get(f"{base}/disputes/new/{earning.pk}/").content.decode()
    assert "What you expected" in form and "What the line should earn, in USD" in form
    said = {"category": "rate", "expectation": "It is 12% <b>here</b>.", "expected": "x"}
    wrong = ann.post(f"{base}/disputes/new/{earning.pk}/", said)
    assert wrong.status_code == 422 and "no amount" in wrong.content.decode()
    made = ann.post(f"{base}/disputes/new/{earning.pk}/", {**said, "expected": "1500.00"})
    assert made.status_code == 302
    page = ann.get(made["Location"]).content.decode()
    assert "D-1" in page and "&lt;b&gt;" in page and "1,500.00" in page and "nobody has taken it yet" in page
    assert "Withdraw it" in page and "Decide it" not in page and "Take it" not in page
    why = ann.get(f"{base}/why/{earning.pk}/").content.decode()
    assert "Disputed" in why and "D-1" in why and "Question this" not in why
    again = ann.get(f"{base}/disputes/new/{earning.pk}/")
    assert again["Location"] == made["Location"]
    mine = ann.get(f"{base}/my-disputes/").content.decode()
    assert "D-1" in mine and "1 in all" in mine
    assert "Your questions" in ann.get(f"{base}/statements/").content.decode()
    assert "D-1" in ann.get(f"{base}/statements/2026-11-01/").content.decode()
    assert ann.get(f"{base}/disputes/").status_code == 403


def test_operators_take_and_decide_from_the_queue(world: World) -> None:
    with world.company.scope():
        row = Statement.objects.get(participant=world.people["Ann"], period_starts_on=OCTOBER)
    dispute, base = question(world), world.base
    question(world, statement=row, category="missing_deal", expectation="D9", expected_minor=9_999_00)
    olga = client(world, "Olga")
    queue = olga.get(f"{base}/disputes/").content.decode()
    assert queue.index("D-1<") < queue.index("D-2<") and "2 in all" in queue and "nobody yet" in queue
    money = olga.get(f"{base}/disputes/?by=money").content.decode()
    assert money.index("D-2<") < money.index("D-1<")
    assert "D-1<" not in olga.get(f"{base}/disputes/?state=decided").content.decode()
    assert "No dispute waits" in olga.get(f"{base}/disputes/?person=bob").content.decode()
    file = olga.get(f"{base}/disputes/?csv=1")
    assert b"".join(file.streaming_content if file.streaming else [file.content]).decode().count("\n") == 3
    one = f"{base}/disputes/{dispute.pk}/"
    page = olga.get(one).content.decode()
    assert "Take it" in page and "Decide it" not in page and "The rate should be 12%." in page
    promised = (today(world.company.tenant) + timedelta(days=3)).isoformat()
    wrong = olga.post(f"{one}take/", {"owner": world.users["Olga"].pk, "promised_on": "2020-01-01"})
    assert wrong.status_code == 422 and "within a year" in wrong.content.decode()
    assert olga.post(f"{one}take/", {"owner": world.users["Olga"].pk, "promised_on": promised}).status_code == 302
    olga.post(f"{one}say/", {"words": "I ask the CRM team."})
    assert "I ask the CRM team." in client(world, "Ann").get(one).content.decode()
    wrong = olga.post(f"{one}decide/", {"decision": "data_fix", "deal": "D77", "words": "So"})
    assert wrong.status_code == 422 and "No deal or other fact" in wrong.content.decode()
    # The line's deal stands in its field; where nothing changes it is left out.
    assert olga.post(f"{one}decide/", {"decision": "no_change", "deal": "D3", "words": "As agreed."}).status_code == 302
    page = client(world, "Ann").get(one).content.decode()
    assert "Nothing changes" in page and "As agreed." in page and "Say it" not in page
    with world.company.scope():
        assert Dispute.objects.get(pk=dispute.pk).state == State.DECIDED


def test_a_decision_shows_its_change_and_both_amounts(world: World) -> None:
    made = adjusted(world)
    dispute, base = taken(world, question(world)), world.base
    fay = client(world, "Fay")
    one = f"{base}/disputes/{dispute.pk}/"
    said = {"decision": "adjustment", "adjustment": made.name.lower(), "words": "We pay it by hand."}
    assert fay.post(f"{one}decide/", said).status_code == 302
    page = client(world, "Ann").get(one).content.decode()
    assert f"{base}/adjustments/{made.pk}/" in page and f"Beside that, {made.name} is $50.00" in page
    assert "Earned when questioned" in page and "Earned when decided" in page


def test_who_may_not_see_the_pay_finds_no_page(world: World) -> None:
    with world.company.scope():
        world.users["Cleo"] = member(world.company, Role.REPRESENTATIVE, "Cleo")
        person(world.company, "Cleo", user=world.users["Cleo"])
    earning, base = line(world), world.base
    dispute = question(world, earning)
    for who, seen in (("Bob", 404), ("Cleo", 404), ("Mia", 200), ("Finn", 200)):
        assert client(world, who).get(f"{base}/disputes/{dispute.pk}/").status_code == seen, who
    for who in ("Bob", "Cleo", "Mia"):
        assert client(world, who).get(f"{base}/disputes/new/{earning.pk}/").status_code == 404
        assert client(world, who).post(f"{base}/disputes/{dispute.pk}/say/", {"words": "Me"}).status_code == 404
        assert client(world, who).post(f"{base}/disputes/{dispute.pk}/withdraw/").status_code == 404
    assert "Say it" not in client(world, "Mia").get(f"{base}/disputes/{dispute.pk}/").content.decode()
    assert client(world, "Ann").post(f"{base}/disputes/{dispute.pk}/withdraw/").status_code == 302
    assert "It was withdrawn." in client(world, "Ann").get(f"{base}/disputes/{dispute.pk}/").content.decode()


def test_finance_reads_of_open_disputes_before_it_signs(world: World) -> None:
    dispute, base = question(world, line(world, "D4")), world.base
    fay = client(world, "Fay")
    assert "Disputed: D-1" in fay.get(f"{base}/payouts/open/sales/").content.decode()
    batch = world.submit(NOVEMBER)
    page = fay.get(f"{base}/payouts/{batch.pk}/").content.decode()
    assert page.count("Disputed: D-1") == 1
    with world.company.scope():
        paid = Batch.objects.get(starts_on=OCTOBER)
        assert BatchLine.objects.filter(batch=batch, deal__external_id="D4").exists(), "it holds no pay back"
    assert "Disputed" not in fay.get(f"{base}/payouts/{paid.pk}/").content.decode()
    with world.company.scope(world.users["Ann"]):
        disputes.dispute_withdraw(dispute=dispute, by=world.users["Ann"])
    assert "Disputed" not in fay.get(f"{base}/payouts/{batch.pk}/").content.decode()
