"""What the demo shows: nothing moves when all is posted again; late deals; questions; a rival that leaks nothing."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from comp.local.demo import story
from comp.local.demo.companies import COMPANIES, MAIN, PASSWORD, RIVAL
from comp.local.demo.events import chosen, deliveries, is_late
from comp.local.demo.setup import address
from comp.local.demo.transport import Inline
from comp.outbox import bells
from comp.people.models import Participant
from comp.tenancy.models import Tenant, User
from comp.tenancy.scope import Pay, tenant_scope
from crediting.models import DataIssue, RawDelivery, SourceMapping
from payouts.models import Batch, BatchLine, Dispute, Earning, Payable, Statement
from tests.demo.conftest import Demo

pytestmark = pytest.mark.django_db


def inside(slug: str) -> Any:
    return tenant_scope(Tenant.objects.get(slug=slug).pk, pay=Pay.everyone())


def figures(slug: str) -> tuple[list[Any], list[Any], list[Any]]:
    """Everything that pay is read from."""
    with inside(slug):
        return (
            list(Earning.objects.order_by("id").values_list()),
            list(Statement.objects.order_by("id").values_list("id", "digest", "state", "revision", "payout_minor")),
            list(Payable.objects.order_by("id").values_list()),
        )


def test_the_whole_story_stands(demo: Demo) -> None:
    posted = deliveries(MAIN, demo.today, demo.limit)
    assert demo.told.statuses == Counter(stored=len(posted))
    assert story.is_built("meridian") and story.is_built("rival")
    with inside("meridian"):
        months = list(Batch.objects.order_by("starts_on").values_list("state", flat=True))
        assert months[-1] == Batch.State.SUBMITTED  # somebody has to approve it
        assert set(months[:-1]) == {Batch.State.PAID} and len(months) > 8
        people = [batch.decided_by_id != batch.submitted_by_id for batch in Batch.objects.all()]
        assert all(people)


def test_one_line_of_pay_is_questioned(demo: Demo) -> None:
    with inside("meridian"):
        dispute = Dispute.objects.get()
        assert (dispute.state, dispute.participant.name, dispute.about) == ("open", "Anna Snelling", "line")
    with inside("rival"):
        assert not Dispute.objects.exists()


def test_posting_everything_again_shuffled_and_twice_changes_no_figure(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "is_first", lambda tenant_id, queue: False)
    before = figures("meridian")
    again = deliveries(MAIN, demo.today, demo.limit) * 2
    random.Random(7).shuffle(again)
    to, transport = address(Tenant.objects.get(slug="meridian")), Inline()

    statuses = transport.post([(to, one) for one in again], lambda count: None)
    transport.drained([to.tenant_id], lambda count: None)

    assert statuses == Counter(seen=len(again))
    assert figures("meridian") == before


def test_the_story_told_again_touches_no_batch(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "is_first", lambda tenant_id, queue: False)
    before = figures("rival")
    told = story.tell([RIVAL], Inline(), today=demo.today, limit=demo.limit // 4)
    assert set(told.statuses) == {"seen"} and told.batches == 0
    assert figures("rival") == before


def test_a_deal_that_came_late_is_an_adjustment_in_the_next_month(demo: Demo) -> None:
    rows = chosen(MAIN, demo.today, demo.limit)
    late = [row for row in rows if is_late(MAIN, row, demo.today.replace(day=1))]
    assert late
    with inside("meridian"):
        for row in late:
            assert row.closed is not None
            month = row.closed.replace(day=1)
            following = (month + timedelta(days=32)).replace(day=1)
            found = {"deal__external_id": row.id, "kind": Payable.Kind.ADJUSTMENT, "origin_starts_on": month}
            lines = [*BatchLine.objects.filter(**found), *Payable.objects.filter(**found)]
            assert lines
            assert {line.period_starts_on for line in lines} == {following}
            assert not BatchLine.objects.filter(deal__external_id=row.id, period_starts_on=month).exists()


def test_the_inbox_asked_once_and_two_questions_stay(demo: Demo) -> None:
    with inside("meridian"):
        answered = DataIssue.objects.filter(state=DataIssue.State.RESOLVED)
        by = {(issue.kind, issue.value): str(issue.resolved_by) for issue in answered if issue.resolved_by}
        assert by == dict.fromkeys(story.ANSWERS, "Theo Castellanos")
        assert SourceMapping.objects.filter(kind="product", value="GTXPro", target="gtx-pro").count() == 1
        still = DataIssue.objects.filter(state=DataIssue.State.OPEN).values_list("kind", "value")
        assert set(still) == {("owner", "Robin Castellane"), ("amount", "QSTAMNT0")}
        states = set(RawDelivery.objects.values_list("state", flat=True))
        assert states == {RawDelivery.State.DONE, RawDelivery.State.WAITING}


def test_the_rival_has_the_same_names_and_no_figure_in_common(demo: Demo) -> None:
    found = {}
    for slug, prefix in (("meridian", "E"), ("rival", "R")):
        with inside(slug):
            assert {key[0] for key in Participant.objects.values_list("key", flat=True)} == {prefix}
            assert {key[0] for key in Statement.objects.values_list("participant__key", flat=True)} == {prefix}
            sums = Earning.objects.values_list("participant__name").annotate(Sum("earned_minor"))
            found[slug] = {name: minor for name, minor in sums if minor}
    shared = found["meridian"].keys() & found["rival"].keys()
    assert len(shared) > 20
    assert not {name for name in shared if found["meridian"][name] == found["rival"][name]}


def test_everybody_named_can_log_in_and_enters_only_their_company(demo: Demo) -> None:
    for company in COMPANIES.values():
        for login in company.logins:
            assert User.objects.get(email=login.email).check_password(PASSWORD)
    stranger = Client()
    stranger.force_login(User.objects.get(email="darcel.schlecht@rival.example"))
    assert stranger.get("/t/meridian/").status_code == 404
