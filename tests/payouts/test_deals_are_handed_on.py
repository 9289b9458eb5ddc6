"""Deals that are handed on: told by a system or entered by hand, taken back, and what becomes of pay."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.people.models import Participant
from crediting.models import Credit, Deal, Fact
from crediting.services import transfers
from payouts.frames.story import line_story
from payouts.models import Cause, Earning, FigureChange
from payouts.reads.why import why_of
from payouts.services import replay
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.intake.sending import event
from tests.payouts.house import House, house, plan_text


@pytest.fixture
def acme() -> House:
    """Ann and Bo on a plan by which transfers move credit, with quotas; among so many others that a person's facts are
    looked for."""
    built = house(plan_text().replace("    roll_up: []\n", "    roll_up: []\n    on_transfer: {rolled: stays}\n", 1))
    with built.acme.scope(built.ops):
        bo = person(built.acme, "Bo")
        for number in range(12):
            person(built.acme, f"Extra {number}")
        plans.assignment_set(participant=bo, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=bo, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=5_000_000, currency="USD",
        )  # fmt: skip
    built.work()
    return built


def earned(of: House) -> dict[str, dict[str, int]]:
    """What each deal earns each person; checked against a recomputation of everything, now and as of now."""
    with of.acme.scope():
        assert replay.differences_found() == []
        found: dict[str, dict[str, int]] = {}
        for line in Earning.objects.select_related("deal", "participant"):
            found.setdefault(line.deal.external_id, {})[line.participant.name] = line.earned_minor
    return found


@pytest.mark.django_db
def test_a_transfer_that_a_system_tells_of(acme: House) -> None:
    """Ann hands A on to Bo: 60,000 are 5,000 + 10,000 beyond his quota of 50,000 at 15%; taken back, they are Ann's."""
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "10000.00", "2026-01-11")
    acme.work()
    assert earned(acme) == {"A": {"Ann": 600_000}, "B": {"Ann": 100_000}}
    handed = {"deal": "A", "role": "ae", "from": "ann", "to": "bo", "on": "2026-02-01"}
    acme.crm.send(event("deal.transferred", "2026-02-01T10:00:00Z", id="T1", **handed))
    acme.work()
    assert earned(acme) == {"A": {"Bo": 650_000}, "B": {"Ann": 100_000}}
    with acme.acme.scope():
        cause = Cause.objects.latest("pk")
        assert (cause.kind, cause.label) == ("transfer", "Deal A handed on on 1 Feb 2026")
        assert set(FigureChange.objects.filter(cause=cause).values_list("after_minor", flat=True)) == {0, 650_000}
    acme.crm.send(event("transfer.withdrawn", "2026-02-02T10:00:00Z", id="T1"))
    acme.work()
    assert earned(acme) == {"A": {"Ann": 600_000}, "B": {"Ann": 100_000}}


@pytest.mark.django_db
def test_a_later_word_of_the_deal_reaches_who_has_it_now(acme: House) -> None:
    acme.won("A", "60000.00", "2026-01-10")
    handed = {"deal": "A", "role": "ae", "from": "ann", "to": "bo", "on": "2026-02-01"}
    acme.crm.send(event("deal.transferred", "2026-02-01T10:00:00Z", id="T1", **handed))
    acme.work()
    acme.won("A", "40000.00", "2026-01-10", version=2, at="2026-02-03T10:00:00Z")
    acme.work()
    assert earned(acme) == {"A": {"Bo": 400_000}}


@pytest.mark.django_db
def test_what_a_batch_took_is_settled_between_the_two(acme: House) -> None:
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    acme.close(date(2026, 1, 1))
    with acme.acme.scope(acme.ops):
        bo = Participant.objects.get(name="Bo")
        transfers.deal_transfer(
            deal=Deal.objects.get(), role="ae", giver=acme.ann, receiver=bo, day=date(2026, 2, 5), reason="Ann left",
            by=acme.ops,
        )  # fmt: skip
    acme.work()
    assert earned(acme) == {"A": {"Bo": 650_000}}
    assert acme.statement(date(2026, 2, 1)).payout_minor == -600_000


@pytest.mark.django_db
def test_operations_hand_a_deal_on_from_its_page(acme: House) -> None:
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    with acme.acme.scope():
        deal, bo = Deal.objects.get(), Participant.objects.get(name="Bo")
    client = Client()
    client.force_login(acme.ops, backend="django.contrib.auth.backends.ModelBackend")
    url = f"/t/acme/deals/{deal.pk}/"
    asked = {"held": f"ae/{acme.ann.pk}", "receiver": str(bo.pk), "day": "2026-02-01", "reason": "Ann moved on"}
    assert "Ann as Account executive" in client.get(f"{url}transfer/").content.decode()
    assert client.post(f"{url}transfer/", {**asked, "receiver": str(acme.ann.pk)}).status_code == 422
    assert client.post(f"{url}transfer/", {**asked, "reason": ""}).status_code == 422
    page = client.post(f"{url}transfer/", asked, follow=True).content.decode()
    assert "Handed on to Bo" in page and "Ann moved on" in page
    acme.work()
    assert earned(acme) == {"A": {"Bo": 650_000}}
    page = client.get(url).content.decode()
    assert "handed on" in page and "60,000.00" in page
    with acme.acme.scope():
        line = Earning.objects.select_related("participant").get()
        story = line_story(line, {})
        assert story and any("it was handed on by Ann" in step.sentence for step in story)
        assert why_of(line).credit == Credit.objects.get(kind=2)
        transfer = Fact.objects.get(kind="transfer")
    taken = client.post(f"{url}transfers/{transfer.pk}/", {"reason": "A mistake"}, follow=True).content.decode()
    assert "Taken back: Ann has it again." in taken
    acme.work()
    assert earned(acme) == {"A": {"Ann": 600_000}}
    with acme.acme.scope(acme.ops):
        codes = AuditEntry.objects.filter(code__startswith="deal.transfer").order_by("number")
        assert list(codes.values_list("code", "reason")) == [
            ("deal.transfer", "Ann moved on"),
            ("deal.transfer.withdraw", "A mistake"),
        ]
    gone = client.post(f"{url}transfers/{transfer.pk}/", {"reason": "Again"}, follow=True).content.decode()
    assert "does not stand any more" in gone


@pytest.mark.django_db
def test_nobody_hands_on_what_they_never_had(acme: House) -> None:
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    with acme.acme.scope(acme.ops):
        bo = Participant.objects.get(name="Bo")
        said = {"deal": Deal.objects.get(), "receiver": acme.ann, "reason": "x", "by": acme.ops}
        with pytest.raises(ProblemsError, match="Bo has nothing of deal A as ae; found on it: no role"):
            transfers.deal_transfer(role="ae", giver=bo, day=date(2026, 2, 1), **said)
        with pytest.raises(ProblemsError, match="A transfer on 1 February 1900 cannot be"):
            transfers.deal_transfer(role="ae", giver=acme.ann, day=date(1900, 2, 1), **{**said, "receiver": bo})
