"""The inbox, the deliveries and the deal, as each person sees them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from comp.people.models import Participant
from comp.people.services import participant_change, reporting_line_set
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from crediting.models import DataIssue, Deal, RawDelivery
from crediting.services.endpoints import endpoint_create
from tests.factories import company, member, person
from tests.intake.sending import Sender, deal, event
from tests.unit.intake.calls import sample


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def ops(crm: Sender) -> Client:
    return signed_in(member(crm.company, Role.SALES_OPS, "Ops"))


def text(answer: Any) -> str:
    return answer.content.decode()


def test_ops_answers_a_question_from_the_inbox(crm: Sender, ops: Client) -> None:
    crm.send(deal(product="GTXPro"))
    crm.drain()
    inbox = text(ops.get("/t/acme/issues/"))
    assert "GTXPro" in inbox
    with crm.company.scope():
        issue = DataIssue.objects.get().pk
    page = text(ops.get(f"/t/acme/issues/{issue}/"))
    assert '<option value="gtx-pro" selected>GTX Pro (gtx-pro)</option>' in page
    assert "&quot;product&quot;: &quot;GTXPro&quot;" in page
    refused = ops.post(f"/t/acme/issues/{issue}/resolve/", {"act": "map", "target": "nothing"})
    assert refused.status_code == 422
    answer = ops.post(f"/t/acme/issues/{issue}/resolve/", {"act": "map", "target": "gtx-pro"}, follow=True)
    assert "GTXPro means gtx-pro from now on. 1 delivery waited for it." in text(answer)
    crm.drain()
    with crm.company.scope():
        assert Deal.objects.count() == 1
    assert "means gtx-pro" in text(ops.get("/t/acme/issues/?state=resolved"))
    assert "GTXPro" in text(ops.get(f"/t/acme/issues/{issue}/"))


def test_a_new_sector_is_confirmed_and_a_misspelt_one_suggested(crm: Sender, ops: Client) -> None:
    crm.send(event("account.updated", account="B", sector="technolgy", country=None))
    crm.drain()
    with crm.company.scope():
        issue = DataIssue.objects.get().pk
    page = text(ops.get(f"/t/acme/issues/{issue}/"))
    assert 'name="target" value="technology"' in page
    assert ops.post(f"/t/acme/issues/{issue}/resolve/", {"target": "technology"}).status_code == 302


def test_parked_and_quarantined_deliveries_are_shown_and_acted_on(crm: Sender, ops: Client) -> None:
    crm.send(b'{"type": "<script>alert(1)</script>"}')
    crm.send(deal(), "twice")
    crm.send(deal(amount="1"), "twice")
    crm.drain()
    with crm.company.scope():
        states = dict(RawDelivery.objects.values_list("state", "id"))
        issues = dict(DataIssue.objects.values_list("kind", "id"))
    for state, key in states.items():
        assert state in text(ops.get(f"/t/acme/deliveries/?state={state}")).lower()
        shown = text(ops.get(f"/t/acme/deliveries/{key}/"))
        assert "<script>alert" not in shown
    assert "came before with another body" in text(ops.get(f"/t/acme/deliveries/{states['quarantined']}/"))
    for kind, act in (("adapter", "replay"), ("conflict", "close")):
        assert ops.get(f"/t/acme/issues/{issues[kind]}/").status_code == 200
        assert ops.post(f"/t/acme/issues/{issues[kind]}/resolve/", {"act": act}).status_code == 302
    with crm.company.scope():
        assert not DataIssue.objects.filter(state="open").exists()
    for path in ("deliveries", "issues"):
        assert ops.get(f"/t/acme/{path}/?format=csv")["Content-Type"].startswith("text/csv")
    assert ops.get("/t/acme/deliveries/?q=nothing&state=bogus&page=x").status_code == 200


def test_an_empty_inbox_says_so(ops: Client) -> None:
    assert "Nothing to answer" in text(ops.get("/t/acme/issues/"))
    assert "Nothing resolved yet" in text(ops.get("/t/acme/issues/?state=resolved"))
    assert "No deliveries here" in text(ops.get("/t/acme/deliveries/"))


def test_the_deal_tells_its_story_down_to_the_body(crm: Sender, ops: Client) -> None:
    first = crm.send(deal("engaged", version=1, at="2026-01-10T00:00:00Z", amount=None))["delivery"]
    crm.send(deal(version=2, owner="bob", custom={"margin": "0.31"}))
    crm.send(event("milestone.reached", deal="D1", milestone="go-live", on="2026-04-01"))
    crm.send(event("usage.reading", deal="D1", on="2026-04-30", used=5, contracted=20))
    crm.drain()
    with crm.company.scope():
        key = Deal.objects.get().pk
    page = text(ops.get(f"/t/acme/deals/{key}/"))
    for words in (
        "$4,514.00",
        "amount none → $4,514.00",
        "Ann (ae) → Bob (ae)",
        "Account executive",
        "go-live",
        "25.0%",
        "margin",
        "2 revisions",
    ):
        assert words in page, words
    assert f"/t/acme/deliveries/{first}/" in page


def test_who_may_open_a_deal_and_its_deliveries(crm: Sender) -> None:
    delivery = crm.send(deal())["delivery"]
    crm.drain()
    where = crm.company
    users = {name: member(where, Role.REPRESENTATIVE, name) for name in ("Ann", "Bob")}
    users["Chief"] = member(where, Role.MANAGER, "Chief")
    users["Finance"] = member(where, Role.FINANCE, "Finance")
    users["Admin"] = member(where, Role.ADMINISTRATOR, "Admin")
    rival = company("rival")
    users["Stranger"] = member(rival, Role.SALES_OPS, "Stranger")
    with where.scope():
        people = {p.name: p for p in Participant.objects.all()}
        for name in ("Ann", "Bob"):
            participant_change(participant=people[name], user=users[name])
        chief = person(where, "Chief", user=users["Chief"])
        reporting_line_set(participant=people["Ann"], manager=chief, starts_on=chief.starts_on)
        key = Deal.objects.get().pk
    allowed = {"Ann": 200, "Bob": 404, "Chief": 200, "Finance": 200, "Admin": 404, "Stranger": 404}
    for name, status in allowed.items():
        client = signed_in(users[name])
        assert client.get(f"/t/acme/deals/{key}/").status_code == status, name
        assert client.get(f"/t/acme/deliveries/{delivery}/").status_code == status, name
        inbox = client.get("/t/acme/issues/").status_code
        assert inbox == (404 if name == "Stranger" else 403), name
    assert signed_in(users["Stranger"]).get(f"/t/rival/deals/{key}/").status_code == 404


def test_a_record_that_cannot_be_sent_again_is_closed_with_a_reason(crm: Sender, ops: Client) -> None:
    with crm.company.scope():
        endpoint, _ = endpoint_create(key="sf", name="Salesforce", adapter="salesforce")
        body = sample("salesforce/gap-event.json")
        RawDelivery.objects.create(
            endpoint=endpoint, sender_id="gap", sent_at=timezone.now(), body=body, body_sha256="0" * 64
        )
    crm.drain()
    with crm.company.scope():
        issue = DataIssue.objects.filter(kind="gap").earliest("id").pk
    where = f"/t/acme/issues/{issue}/"
    assert "Close with this reason" in text(ops.get(where))
    refused = ops.post(f"{where}resolve/", {"act": "cover", "reason": "no"}, follow=True)
    assert "why the record need not be sent again" in text(refused)
    closed = ops.post(f"{where}resolve/", {"act": "cover", "reason": "Deleted at the source"}, follow=True)
    assert "Closed." in text(closed)
    assert "Covered: Deleted at the source" in text(ops.get(where))
