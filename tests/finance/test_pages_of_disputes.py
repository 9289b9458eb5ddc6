"""What the pages of disputes say: the copy, what was decided, what a decision may name, the queue and its file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

import payouts.urls  # noqa: F401  # knows how addresses spell days
from comp.core.errors import ProblemsError
from comp.people.models import Participant
from crediting.models import Deal
from payouts.models import Dispute, Earning, Statement
from payouts.models.figures import STATEMENT_PARTS, LineNamed
from payouts.pages import disputes as pages
from payouts.reads.disputes import changes_named, handlers
from payouts.selectors_batches import disputed
from payouts.services import disputes
from tests.finance.test_disputes import adjusted, client, decide, line, question, say, taken
from tests.intake.sending import deal, sender
from tests.pages.rep.world import NOVEMBER, OCTOBER, World, selling


@pytest.fixture
def world(db: None) -> World:
    return selling()


def shown(world: World, dispute: Dispute, who: str = "Ann") -> str:
    return client(world, who).get(f"{world.base}/disputes/{dispute.pk}/").content.decode()


def statement(world: World, starts_on: date, who: str = "Ann") -> Statement:
    with world.company.scope():
        return Statement.objects.get(participant=world.people[who], period_starts_on=starts_on, run=0)


def of_statement(world: World, starts_on: date, words: str = "D9 is missing.", **said: Any) -> Dispute:
    row = statement(world, starts_on)
    return question(world, statement=row, category="missing_deal", expectation=words, **said)


# ------------------------------------------------------------------ the copy


def test_the_copy_of_a_statement_adds_up(world: World) -> None:
    with world.company.scope():
        rows = Statement.objects.filter(participant=world.people["Ann"], period_starts_on=NOVEMBER)
        rows.update(
            withheld_minor=-30_00, topped_up_minor=10_00, payout_minor=F("payout_minor") - F("withheld_minor")
            - F("topped_up_minor") - 20_00,
        )  # fmt: skip
    dispute = of_statement(world, NOVEMBER)
    assert sum(dispute.copied[name] for name in STATEMENT_PARTS) == dispute.copied["payout_minor"]
    page = shown(world, dispute)
    for there in ("Released", "Topped up", "$10.00", "Withheld", "($30.00)", "Payout"):
        assert there in page, there
    for nothing in ("Recovered", "Forgiven", "Carried"):
        assert nothing not in page, nothing


def test_only_a_credit_of_a_deal_has_a_credit(world: World) -> None:
    said = {"credited_minor": 0, "earned_minor": 5_00, "state": "waiting", "waits_for": "go-live"}
    of_period = Dispute(tenant_id=1, copied=said, currency="USD", line_kind=LineNamed.Kind.PERIOD)
    facts = {fact.name: str(fact.value) for fact in pages._copied(of_period)}
    assert "Credit" not in facts and "Waiting: go-live" in facts["State"]
    page = shown(world, question(world))
    assert ">Credit<" in page and ">State<" in page


# ------------------------------------------------------------------ what came of it


def test_what_changed_after_a_closed_statement_is_paid_with_the_next(world: World) -> None:
    dispute = taken(world, of_statement(world, OCTOBER))
    with world.company.scope():
        first = Deal.objects.get(external_id="D1")
    decide(world, dispute, "data_fix", deal=first)
    stays = "The statement stays as it was, at"
    page = shown(world, dispute)
    assert stays in page and "; what changed is paid with November 2026." in page and "the same after it" not in page
    # It is said of the period that was open then, whatever is taken later.
    world.submit(NOVEMBER)
    assert "; what changed is paid with November 2026." in shown(world, dispute)
    nothing = decide(world, taken(world, of_statement(world, OCTOBER, "D10")))
    page = shown(world, nothing)
    assert stays in page and "what changed" not in page


def test_an_open_statement_was_this_before_and_that_after(world: World) -> None:
    dispute = taken(world, of_statement(world, NOVEMBER))
    made = adjusted(world)
    world.work()
    done = decide(world, dispute, "adjustment", adjustment=made)
    assert done.after_minor == done.before_minor + 50_00
    page = shown(world, dispute)
    assert "The payout was" in page and f"Beside that, {made.name} is $50.00, paid with November 2026." in page


def test_the_page_says_who_questioned_it_for_whom(world: World) -> None:
    hers = question(world)
    assert "You questioned it; nobody" in shown(world, hers)
    assert "Ann questioned it; nobody" in shown(world, hers, "Fay")
    for_her = question(world, line(world, "D2"), by="Olga")
    assert "Olga questioned it for you; nobody" in shown(world, for_her)
    assert "Olga questioned it for Ann; nobody" in shown(world, for_her, "Fay")
    with world.company.scope(world.users["Olga"]):
        disputes.dispute_withdraw(dispute=for_her, by=world.users["Olga"])
    with pytest.raises(ProblemsError, match="D-2 is withdrawn: nothing is added to it any more. Question the line"):
        say(world, for_her)
    missing = decide(world, taken(world, of_statement(world, OCTOBER)))
    with pytest.raises(ProblemsError, match="is decided: .* Question the statement again"):
        say(world, missing)


# ------------------------------------------------------------------ what a decision names


def test_a_deal_is_looked_up_only_where_it_is_named(world: World) -> None:
    dispute = taken(world, question(world))
    one = f"{world.base}/disputes/{dispute.pk}/"
    fay = client(world, "Fay")
    long = fay.post(f"{one}decide/", {"decision": "split", "deal": "D" * 420, "words": "So"}).content.decode()
    assert "No deal or other fact has the number" in long, "as long as the number of a fact"
    said = {"decision": "no_change", "deal": "gone", "adjustment": "none", "words": "As agreed."}
    assert fay.post(f"{one}decide/", said).status_code == 302


def test_the_same_number_of_two_systems_blocks_nothing(world: World) -> None:
    other = sender(world.company, "old-crm")
    for name, owner in (("D3", "bob"), ("X1", "ann")):
        other.send(deal("won", "2026-11-11T10:00:00Z", deal=name, owner=owner, amount="10.00", close_date="2026-11-11"))
    world.won("X1", "2026-11-12", "20.00")
    world.work()
    with world.company.scope():
        hers = Deal.objects.get(external_id="D3", endpoint__key="crm")
    own, of_another = question(world, line(world, "D3")), question(world, line(world, "D2"))
    with world.company.scope():
        for dispute in (own, of_another):
            assert changes_named(dispute, "D3") == [hers]
        assert len(changes_named(own, "X1")) == 2 and changes_named(own, "D99") == []
        (foreign,) = changes_named(own, "B1")
        assert foreign.external_id == "B1", "refused as nothing of hers, rather than as nothing"
    taken(world, own)
    one, fay = f"{world.base}/disputes/{own.pk}/", client(world, "Fay")
    said = {"decision": "data_fix", "words": "Put right."}
    page = fay.post(f"{one}decide/", {**said, "deal": "X1"}).content.decode()
    assert "crm: X1" in page and "old-crm: X1" in page
    assert fay.post(f"{one}decide/", {**said, "deal": "old-crm: X1"}).status_code == 302
    with world.company.scope():
        changed = Dispute.objects.select_related("by_deal__endpoint").get(pk=own.pk).by_deal
        assert changed is not None and changed.endpoint.key == "old-crm"


# ------------------------------------------------------------------ the queue


def test_who_is_closed_out_handles_nothing_and_the_queue_says_so(world: World) -> None:
    dispute = taken(world, question(world), "Olga")
    fay, queue = client(world, "Fay"), f"{world.base}/disputes/"
    assert "needs an owner" not in fay.get(queue).content.decode()
    olga = world.users["Olga"]
    olga.is_active = False
    olga.save()
    with world.company.scope():
        assert olga not in handlers(world.company.pay_group)
    assert "needs an owner" in fay.get(queue).content.decode()
    page = shown(world, dispute, "Fay")
    assert "Olga, who handles it no more" in page and "somebody else has to take it" in page
    decide(world, dispute)
    assert "needs an owner" not in fay.get(f"{queue}?state=all").content.decode()


def test_a_filter_that_cannot_be_is_said_and_lists_nothing(world: World) -> None:
    question(world)
    fay = client(world, "Fay")
    for wrong in ("state=colour", "by=x&csv=1", f"person={'x' * 61}"):
        answer = fay.get(f"{world.base}/disputes/?{wrong}")
        page = answer.content.decode()
        assert answer.status_code == 422 and 'class="errors"' in page, wrong
        assert "D-1<" not in page and "Nothing is listed" in page, wrong


def test_the_most_money_is_the_most_of_its_currency(world: World) -> None:
    """100 yen are no more than 50.00 dollars, though they are the larger number of units."""
    first, second, third = line(world, "D2"), line(world, "D3"), line(world, "D4")
    with world.company.scope():
        Earning.objects.filter(pk=second.pk).update(currency="JPY", earned_minor=0)
        Earning.objects.filter(pk=third.pk).update(earned_minor=0)
    question(world, first, expected_minor=first.earned_minor + 1_00)
    question(world, second, expected_minor=9_999_999)
    question(world, third, expected_minor=50_00)
    fay = client(world, "Fay")
    page = fay.get(f"{world.base}/disputes/?by=money").content.decode()
    assert "¥9,999,999" in page
    places = [page.index(f"D-{number}<") for number in (2, 3, 1)]
    assert places == sorted(places), "yen, then dollars, the most first"


def test_nothing_is_at_stake_where_nothing_was_earned_or_expected(world: World) -> None:
    row = line(world)
    with world.company.scope():
        Earning.objects.filter(pk=row.pk).update(earned_minor=0)
    assert question(world, row).stake_minor is None
    assert "not said" in client(world, "Fay").get(f"{world.base}/disputes/").content.decode()


def test_age_is_of_the_companys_days() -> None:
    with timezone.override("Europe/Berlin"):
        row = Dispute(tenant_id=1, opened_at=datetime(2026, 11, 18, 23, 30, tzinfo=UTC))  # the 19th in Berlin
        assert pages._age(row, date(2026, 11, 19)) == "today"
        assert pages._age(row, date(2026, 11, 20)) == "1 day"


def test_the_file_says_amounts_as_numbers_and_holds_no_formula(world: World) -> None:
    with world.company.scope():
        Participant.objects.filter(pk=world.people["Ann"].pk).update(name="=cmd|'/c calc'!A1")
    row = line(world)
    question(world, row, expected_minor=row.earned_minor + 240_00)
    yen = line(world, "D2")
    with world.company.scope():
        Earning.objects.filter(pk=yen.pk).update(currency="JPY", earned_minor=1_500)
    said = {"category": "rate", "expectation": "More.", "expected": "1500.5"}
    ann = client(world, "Ann")
    assert ann.post(f"{world.base}/disputes/new/{yen.pk}/", said).status_code == 422, "there is no half a yen"
    made = ann.post(f"{world.base}/disputes/new/{yen.pk}/", {**said, "expected": "2500"})
    assert made.status_code == 302
    assert "¥1,500" in ann.get(made["Location"]).content.decode()
    text = client(world, "Fay").get(f"{world.base}/disputes/?csv=1").content.decode()
    first, second = csv.DictReader(io.StringIO(text))
    earned = f"{row.earned_minor // 100}.{row.earned_minor % 100:02}"
    assert (first["before"], first["at stake"], first["currency"]) == (earned, "240.00", "USD")
    assert first["after"] == "" and first["deal"] == "D3" and first["state"] == "Open"
    assert first["name"] == "'=cmd|'/c calc'!A1"
    assert (second["before"], second["expected"], second["at stake"]) == ("1500", "2500", "1000")
    assert second["currency"] == "JPY"


# ------------------------------------------------------------------ how many


def test_so_many_stand_of_a_person_and_period(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disputes, "MOST", 3)
    made = [of_statement(world, OCTOBER, f"D{number}") for number in range(3)]
    with pytest.raises(ProblemsError, match="3 disputes of Ann stand for this period"):
        of_statement(world, OCTOBER, "D99")
    question(world)  # of November
    with world.company.scope(world.users["Ann"]):
        disputes.dispute_withdraw(dispute=made[0], by=world.users["Ann"])
    of_statement(world, OCTOBER, "D99")


def test_a_long_thread_stands_on_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SAID", 2)
    dispute = question(world)
    for number in range(3):
        say(world, dispute, f"Word {number}.")
    page = shown(world, dispute)
    assert "Word 2." in page and "Word 0." not in page and "The rate should be 12%." not in page
    assert page.index("Word 1.") < page.index("Word 2.") and "?thread=2" in page
    older = client(world, "Ann").get(f"{world.base}/disputes/{dispute.pk}/?thread=2").content.decode()
    assert "Word 0." in older and "The rate should be 12%." in older and "Word 2." not in older


def test_exceptions_ask_for_the_disputes_of_their_own_people(world: World) -> None:
    question(world)
    batch = world.submit(NOVEMBER)
    with world.company.scope():
        ann, bob = world.people["Ann"].pk, world.people["Bob"].pk
        assert disputed(batch, [ann, bob]) == {ann: ["D-1"]}
        assert disputed(batch, [bob]) == {}
