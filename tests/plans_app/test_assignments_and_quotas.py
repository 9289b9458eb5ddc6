"""Who is on a plan from when to when, and what they are held against."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from comp.core.errors import ProblemsError
from comp.outbox.models import Message
from comp.people.models import Participant
from plans import services
from plans.models import Plan, PlanAssignment, Quota
from tests.factories import Company, company, person

pytestmark = pytest.mark.django_db

JANUARY, APRIL, JULY = (date(2026, month, 1) for month in (1, 4, 7))


@pytest.fixture
def acme() -> Company:
    return company("acme")


def pair(acme: Company) -> tuple[Participant, Plan]:
    return person(acme, "Ann"), services.plan_create(key="ae", name="Account executive")


def last(topic: str) -> dict:
    message = Message.objects.filter(topic=topic).order_by("-id").first()
    assert message is not None
    return message.payload


def test_an_assignment_is_told_with_its_days_and_ends_without_overlap(acme: Company) -> None:
    with acme.scope():
        ann, plan = pair(acme)
        first = services.assignment_set(participant=ann, plan=plan, starts_on=JANUARY)
        label = "Ann on Account executive from 1 January 2026"
        assert last("assignment.changed") == {
            "participant": ann.pk,
            "from": "2026-01-01",
            "to": None,
            "label": label,
        }
        with pytest.raises(ProblemsError, match="is on Account executive from 1 January 2026 already"):
            services.assignment_set(participant=ann, plan=plan, starts_on=APRIL)
        services.assignment_end(assignment=first, ends_on=APRIL)
        assert (last("assignment.changed")["from"], last("assignment.changed")["to"]) == ("2026-04-01", None)
        services.assignment_set(participant=ann, plan=plan, starts_on=APRIL)
        with pytest.raises(ProblemsError, match="from 1 April 2026 again"):
            services.assignment_end(assignment=first, ends_on=JULY)
        services.assignment_end(assignment=first, ends_on=date(2026, 3, 1))
        assert (last("assignment.changed")["from"], last("assignment.changed")["to"]) == ("2026-03-01", "2026-04-01")


def test_an_end_is_after_the_start(acme: Company) -> None:
    with acme.scope():
        ann, plan = pair(acme)
        with pytest.raises(ProblemsError, match="has to end later, not on 1 January 2026"):
            services.assignment_set(participant=ann, plan=plan, starts_on=JANUARY, ends_on=JANUARY)


def test_the_database_refuses_two_assignments_to_a_plan_at_once(acme: Company) -> None:
    with acme.scope():
        ann, plan = pair(acme)
        services.assignment_set(participant=ann, plan=plan, starts_on=JANUARY)
        with pytest.raises(IntegrityError, match="assignment_once"), transaction.atomic():
            PlanAssignment.objects.create(participant=ann, plan=plan, starts_on=APRIL)


def test_a_quota_said_again_replaces_its_amount_and_is_told_once(acme: Company) -> None:
    with acme.scope():
        ann, _ = pair(acme)
        days = {"participant": ann, "key": "new-business", "starts_on": JANUARY, "ends_on": APRIL, "currency": "USD"}
        first = services.quota_set(**days, amount_minor=5_000_000)
        again = services.quota_set(**days, amount_minor=6_000_000)
        services.quota_set(**days, amount_minor=6_000_000)
        assert (first.pk, Quota.objects.get().amount_minor) == (again.pk, 6_000_000)
        assert Message.objects.filter(topic="quota.changed").count() == 2
        label = "Quota new-business of Ann from 1 January 2026 until 1 April 2026: 60000.00 USD"
        assert last("quota.changed")["label"] == label
        assert [row.amount_minor for row in Quota.history.order_by("history_id")] == [5_000_000, 6_000_000]
        services.quota_remove(quota=again)
        assert not Quota.objects.exists() and last("quota.changed")["label"].endswith(": none")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ends_on": date(2026, 2, 1)}, "would overlap it"),
        ({"starts_on": date(9999, 10, 1), "ends_on": date.max}, "lies outside the years 1900 to 2199"),
        (
            {"starts_on": date(2026, 5, 1), "ends_on": JULY},
            "no month, quarter, half or year of Monthly, and for no period that a plan states itself: May 2026",
        ),
        ({"starts_on": APRIL, "ends_on": JULY, "currency": "EUR"}, "deals are in USD; a quota in EUR needs a rate"),
        ({"amount_minor": -1}, "A quota of -0.01 USD cannot be"),
        ({"key": "New business"}, "is no key for a quota"),
        ({"currency": "DOL"}, "Unknown currency 'DOL'"),
    ],
)
def test_a_quota_that_cannot_be_is_refused(acme: Company, values: dict, message: str) -> None:
    with acme.scope():
        ann, _ = pair(acme)
        days = {"participant": ann, "key": "new-business", "starts_on": JANUARY, "ends_on": APRIL, "currency": "USD"}
        services.quota_set(**days, amount_minor=5_000_000)
        with pytest.raises(ProblemsError, match=message):
            services.quota_set(**{**days, "amount_minor": 1, **values})
