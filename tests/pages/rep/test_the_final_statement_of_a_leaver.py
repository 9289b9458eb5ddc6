"""Whoever leaves reads on their last statement that it is the final one, and what may still come behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.db.models import Sum
from django.test import Client

from comp.core.money import format_money
from comp.people import services as people
from comp.people.models import Participant
from payouts.models import Earning, Statement, Tranche
from payouts.reads.leaving import final_statements
from payouts.services import periods
from payouts.services.holds import hold_place
from tests.intake.sending import event
from tests.pages.rep.reading import text
from tests.pages.rep.world import NOVEMBER, OCTOBER, World
from tests.payouts.house import House, house, plan_text

As = Callable[[str], Client]
JANUARY, FEBRUARY, MARCH = (date(2026, month, 1) for month in (1, 2, 3))
RELEASE = "[{share: 50%, on: credit_date}, {share: 50%, on: go-live}]"

HOLDBACK = """settlement:
  order: [releases, adjustments, clawbacks, carried, holdback]
  holdback: {share: 10%, periods: 2}
  negative: carried
"""


def finance(acme: House) -> Client:
    found = Client()
    found.force_login(acme.preparer, "django.contrib.auth.backends.ModelBackend")
    return found


def leaves(acme: House, ends_on: date | None) -> None:
    """Ann's first day that she is not employed."""
    with acme.acme.scope(acme.ops):
        people.participant_change(participant=Participant.objects.get(key="ann"), ends_on=ends_on)
    acme.work()


def page(acme: House, starts_on: date, run: int = 0) -> str:
    return text(finance(acme).get(f"/t/acme/statements/{starts_on}/{acme.ann.pk}/?run={run}"))


def final(acme: House) -> tuple[date, int] | None:
    with acme.acme.scope():
        found = final_statements(Participant.objects.filter(key="ann")).get(acme.ann.pk)
        return (found.period_starts_on, found.run) if found else None


#: In a plan that loses what is released after leaving.
LOST = "employment: {credits_after: none, credits_on_leave: count, release_after: lost}\n"


def losing(text: str) -> str:
    return text.replace("credit_rules:", f"{LOST}credit_rules:", 1)


def test_a_leaver_with_pay_that_waits_and_who_stays(world: World, as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.pages.statements.today", lambda tenant: date(2026, 11, 30))
    ann, own = as_("Ann"), f"{world.base}/statements/"
    assert "inal statement" not in text(ann.get(f"{own}2026-11-01/")), "she stays"
    with world.company.scope(world.users["Olga"]):
        person = Participant.objects.get(key="ann")
        people.participant_change(participant=person, ends_on=date(2026, 12, 1))
    world.work()
    with world.company.scope():
        waits = Tranche.objects.filter(participant=person, release_day=None).aggregate(minor=Sum("amount_minor"))
    told = "Final statement: employed until 30 November 2026. More may come: "
    told += f"{format_money(waits['minor'], 'USD')} waits for 75% usage and 4 more."
    assert told in text(ann.get(f"{own}2026-11-01/"))
    assert told in text(as_("Fay").get(f"{own}2026-11-01/{person.pk}/"))
    assert "inal statement" not in text(ann.get(f"{own}2026-10-01/")), "a period before"
    assert "inal statement" not in text(as_("Bob").get(f"{own}2026-11-01/"))
    listed = text(ann.get(own))
    assert listed.count("Final statement") == 1 and "November 2026 Final statement" in listed
    names = [ann.get(f"{own}{month}/?csv=1")["Content-Disposition"] for month in (NOVEMBER, OCTOBER)]
    assert "final-statement-ann-2026-11-01" in names[0] and "final" not in names[1]
    # In the batch, open and submitted: Ann's row says so, and nobody else's.
    fay = as_("Fay")
    rows = text(fay.get(f"{world.base}/payouts/open/sales/?view=people"))
    assert rows.count("Final statement") == 1 and "Ann Final statement" in rows
    batch = world.submit(NOVEMBER)
    rows = text(fay.get(f"{world.base}/payouts/{batch.pk}/?view=people"))
    assert rows.count("Final statement") == 1 and "Ann Final statement" in rows
    assert told in text(ann.get(f"{own}2026-11-01/")), "submitted it says the same"
    # Who stays after all has no final one.
    with world.company.scope(world.users["Olga"]):
        people.participant_change(participant=Participant.objects.get(key="ann"), ends_on=None)
    assert "inal statement" not in text(ann.get(f"{own}2026-11-01/"))


def test_an_end_that_is_entered_before_is_told_to_others_first(
    world: World, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann reads that she leaves from her last day on, as the company counts days; whoever sees her pay, at once."""
    with world.company.scope(world.users["Olga"]):
        person = Participant.objects.get(key="ann")
        people.participant_change(participant=person, ends_on=date(2026, 12, 1))
    world.work()
    ann, own = as_("Ann"), f"{world.base}/statements/"
    ways = [own, f"{own}2026-11-01/", f"{own}2026-11-01/{person.pk}/"]
    for day, told in ((29, False), (30, True)):
        monkeypatch.setattr("payouts.pages.statements.today", lambda tenant, day=day: date(2026, 11, day))
        assert ["Final statement" in text(ann.get(way)) for way in ways] == [told] * 3, day
        assert ("final-" in ann.get(f"{ways[1]}?csv=1")["Content-Disposition"]) == told, day
        for other in ("Fay", "Mia"):
            assert "Final statement: employed until 30 November 2026." in text(as_(other).get(ways[2])), (other, day)
        assert "final-" in as_("Fay").get(f"{ways[2]}?csv=1")["Content-Disposition"]


@pytest.mark.django_db
def test_a_leaver_of_whom_nothing_waits() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    leaves(acme, date(2026, 1, 31))
    assert "Final statement: employed until 30 January 2026. Person" in page(acme, JANUARY)
    leaves(acme, date(2026, 2, 1))
    assert "Final statement: employed until 31 January 2026. Person" in page(acme, JANUARY), "the period's last day"
    # What is held may come.
    with acme.acme.scope(acme.preparer):
        hold_place(participant=acme.ann, reason="A laptop is missing", by=acme.preparer)
    acme.work()
    assert "employed until 31 January 2026. More may come: $6,000.00 is held. Person" in page(acme, JANUARY)
    leaves(acme, date(2026, 2, 2))
    assert "inal statement" not in page(acme, JANUARY) and final(acme) is None, "it is February's, which is to come"


@pytest.mark.django_db
def test_what_comes_after_the_end_has_the_final_statement() -> None:
    acme = house(plan_text(release=RELEASE))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    leaves(acme, date(2026, 1, 16))
    more = "More may come: $3,000.00 waits for go-live."
    assert f"employed until 15 January 2026. {more}" in page(acme, JANUARY)
    acme.close(JANUARY)
    acme.work()
    # February has a statement, and says nothing in it: the final one is still January's.
    with acme.acme.scope():
        assert Statement.objects.filter(participant=acme.ann, period_starts_on=FEBRUARY, lines=0).exists()
    assert final(acme) == (JANUARY, 0) and more in page(acme, JANUARY)
    assert "Employed until 15 January 2026. The final statement is that of January 2026." in page(acme, FEBRUARY)
    acme.milestone("A", "go-live", "2026-02-05")
    acme.work()
    assert final(acme) == (FEBRUARY, 0)
    assert "Final statement: employed until 15 January 2026. Person" in page(acme, FEBRUARY)
    assert "Employed until 15 January 2026. The final statement is that of February 2026." in page(acme, JANUARY)
    acme.close(FEBRUARY)
    acme.work()
    assert final(acme) == (FEBRUARY, 0) and "Final statement:" in page(acme, FEBRUARY)


@pytest.mark.django_db
def test_an_off_cycle_payout_comes_before_the_regular_one() -> None:
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    leaves(acme, date(2026, 1, 16))
    with acme.acme.scope(acme.preparer):
        periods.off_cycle_lock(pay_group=acme.acme.pay_group, people=[acme.ann], locked_by=acme.preparer)
    acme.work()
    assert final(acme) == (JANUARY, 1) and "Final statement:" in page(acme, JANUARY, 1)
    assert "The final statement is that of January 2026, off-cycle 1." in page(acme, JANUARY)
    acme.won("B", "1000.00", "2026-01-12", at="2026-01-20T10:00:00Z")
    acme.work()
    assert final(acme) == (JANUARY, 0) and "Final statement:" in page(acme, JANUARY)


@pytest.mark.django_db
def test_what_is_lost_after_leaving_does_not_come() -> None:
    acme = house(losing(plan_text(release=RELEASE)))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    leaves(acme, date(2026, 1, 16))
    only = "and only what is released by 15 January 2026 comes"
    assert f"$3,000.00 waits for go-live, {only}. Person" in page(acme, JANUARY)
    acme.milestone("A", "go-live", "2026-02-05")
    acme.work()
    assert "employed until 15 January 2026. Person" in page(acme, JANUARY), "it is lost"


@pytest.mark.django_db
def test_what_was_reached_in_time_and_is_released_too_late_is_lost() -> None:
    """Thirty days after the go-live: what counts is the day of release, and so the page says."""
    late = "[{share: 50%, on: credit_date}, {share: 50%, on: go-live, after: {days: 30}}]"
    acme = house(losing(plan_text(release=late)))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    leaves(acme, date(2026, 1, 16))
    assert "and only what is released by 15 January 2026 comes. Person" in page(acme, JANUARY)
    acme.milestone("A", "go-live", "2026-01-12")
    acme.work()
    with acme.acme.scope():
        assert Tranche.objects.get(index=1).state == Tranche.State.LOST
    assert "employed until 15 January 2026. Person" in page(acme, JANUARY)


@pytest.mark.django_db
def test_of_what_is_held_with_its_credit_no_day_is_told() -> None:
    """It may come after the last day: its own day of release has passed."""
    text = plan_text().replace("credit_rules:", "fields: {custom.flagged: boolean}\ncredit_rules:", 1)
    hold = "    hold: {field: custom.flagged, op: is, value: true}\n    credit_date:"
    acme = house(losing(text.replace("    credit_date:", hold, 1)))
    acme.won("A", "60000.00", "2026-01-10", custom={"flagged": True})
    acme.work()
    leaves(acme, date(2026, 1, 16))
    assert "More may come: $6,000.00 waits for release from hold. Person" in page(acme, JANUARY)
    acme.won("A", "60000.00", "2026-01-10", version=2, at="2026-01-20T10:00:00Z", custom={"flagged": False})
    acme.work()
    assert acme.statement(JANUARY).payout_minor == 600_000


@pytest.mark.django_db
def test_reversals_and_carried_excess_are_never_lost() -> None:
    taken = (
        "    clawback: {on: [cancellation], formula: pro_rata, term_months: 12, failing_month: does_not_count, "
        "lowers_measure: false, takes: all}\n"
    )
    acme = house(losing(plan_text().replace("    cap: null\n", f"    cap: null\n{taken}")))
    acme.won("A", "60000.00", "2026-01-10")
    acme.crm.send(event("deal.cancelled", "2026-01-14T10:00:00Z", id="C", deal="A", on="2026-04-10", type="churn"))
    acme.work()
    leaves(acme, date(2026, 1, 16))
    assert "More may come: $4,500.00 may be taken back. Person" in page(acme, JANUARY)
    with acme.acme.scope():
        reversal = Earning.objects.get(line_kind=Earning.Kind.REVERSAL)
        kept = Tranche.objects.filter(fact=reversal.fact, line_kind=Tranche.Kind.REVERSAL)
        # As what is above a cap stands in the next quarter.
        kept.update(line_kind=Tranche.Kind.CARRIED, amount_minor=100_00)
    assert "More may come: $100.00 waits for a later period. Person" in page(acme, JANUARY)


@pytest.mark.django_db
def test_what_was_held_back_comes_back() -> None:
    acme = house(plan_text() + HOLDBACK)
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    leaves(acme, date(2026, 1, 16))
    assert "More may come: $600.00 was held back and comes back. Person" in page(acme, JANUARY)
    acme.close(JANUARY)
    acme.close(FEBRUARY)
    acme.work()
    # Of what comes back in March a tenth is held back once more.
    assert final(acme) == (MARCH, 0)
    assert "More may come: $60.00 was held back and comes back. Person" in page(acme, MARCH)
