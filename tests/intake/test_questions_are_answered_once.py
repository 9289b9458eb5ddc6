"""The data-quality inbox: each kind of question, its answer, and what waited for it."""

from __future__ import annotations

from typing import Any

import pytest

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from crediting.models import Account, DataIssue, Deal, DealTeam, RawDelivery
from crediting.services.catalogue import account_create, product_create
from crediting.services.issues import issue_replay, mapping_set
from tests.factories import person
from tests.intake.sending import Sender, deal, event


def asked() -> list[tuple[str, str, int]]:
    return list(DataIssue.objects.filter(state="open").order_by("kind").values_list("kind", "value", "waiting"))


@pytest.mark.parametrize(
    ("said", "kind", "value", "target"),
    [
        ({"owner": "Anne"}, "owner", "Anne", "ann"),
        ({"owner": None}, "owner", "", "ann"),
        ({"product": "GTXPro"}, "product", "GTXPro", "gtx-pro"),
        ({"account": ""}, "account", "", "isdom"),
        ({"account": "Acme Inc"}, "account", "Acme Inc", "acme"),
        ({"team": [{"role": "boss", "person": "bob"}]}, "role", "boss", "manager"),
    ],
)
def test_a_word_is_mapped_once_and_what_waited_comes_in(
    crm: Sender, said: dict[str, Any], kind: str, value: str, target: str
) -> None:
    crm.send(deal(**said))
    crm.send(deal(deal="D2", **said))
    crm.drain()
    with crm.company.scope():
        assert asked() == [(kind, value, 2)]
        assert set(RawDelivery.objects.values_list("state", flat=True)) == {"waiting"}
        mapping_set(endpoint=crm.endpoint, kind=kind, value=value, target=target, user=None)
        assert AuditEntry.objects.filter(code="mapping.set").count() == 1
    assert crm.drain() == 2
    crm.send(deal(deal="D3", **said))
    crm.drain()
    with crm.company.scope():
        assert asked() == []
        assert Deal.objects.count() == 3


def test_a_misspelt_sector_is_asked_and_mapped(crm: Sender) -> None:
    crm.send(event("account.updated", account="Betasoft", sector="technolgy", country="Kenya"))
    crm.drain()
    with crm.company.scope():
        assert asked() == [("sector", "technolgy", 1)]
        mapping_set(endpoint=crm.endpoint, kind="sector", value="technolgy", target="technology", user=None)
    crm.drain()
    with crm.company.scope():
        assert Account.objects.get(key="Betasoft").sector == "technology"


def test_a_delivery_comes_in_when_its_last_question_is_answered(crm: Sender) -> None:
    crm.send(deal(owner="Anne", product="GTXPro"))
    crm.drain()
    with crm.company.scope():
        assert asked() == [("owner", "Anne", 1), ("product", "GTXPro", 1)]
        mapping_set(endpoint=crm.endpoint, kind="owner", value="Anne", target="ann", user=None)
        assert RawDelivery.objects.get().waits_for == [["product", "GTXPro"]]
    assert crm.drain() == 0
    with crm.company.scope():
        product_create(key="GTXPro", name="GTX Pro, old")
    assert crm.drain() == 1
    with crm.company.scope():
        assert asked() == []
        assert Deal.objects.get().product.key == "GTXPro"


def test_an_account_that_comes_later_answers_by_itself(crm: Sender) -> None:
    crm.send(deal(account="Newco"))
    crm.send(deal(deal="D2", account="Otherco"))
    crm.drain()
    crm.send(event("account.updated", account="Newco", sector="", country=""))
    crm.drain()
    with crm.company.scope():
        account_create(key="other", name="Otherco")
    crm.drain()
    with crm.company.scope():
        assert asked() == []
        assert Deal.objects.count() == 2


@pytest.mark.parametrize(
    ("said", "kind"),
    [({"amount": None}, "amount"), ({"currency": "EUR"}, "currency"), ({"currency": "JPY", "amount": "5"}, "currency")],
)
def test_what_only_the_source_can_answer_waits_for_its_next_event(crm: Sender, said: dict[str, Any], kind: str) -> None:
    crm.send(deal("engaged", version=1))
    crm.send(deal(version=2, **said))
    crm.drain()
    with crm.company.scope():
        assert asked() == [(kind, "D1", 1)]
        assert Deal.objects.get().stage == "engaged"
    crm.send(deal(version=3))
    crm.drain()
    with crm.company.scope():
        assert asked() == []
        found = Deal.objects.get()
        assert (found.stage, found.version, found.revisions) == ("won", 3, 3)
        assert set(RawDelivery.objects.values_list("state", flat=True)) == {"done"}


def test_what_is_not_as_documented_is_parked_and_replayed(crm: Sender) -> None:
    crm.send(deal(amount="1e3"))
    crm.send(b"not json")
    crm.drain()
    with crm.company.scope():
        assert set(asked()) == {("adapter", "data.amount", 1), ("adapter", "body", 1)}
        assert set(RawDelivery.objects.values_list("state", flat=True)) == {"parked"}
        issue = DataIssue.objects.get(value="data.amount")
        assert issue_replay(issue=issue, user=None) == 1
    assert crm.drain() == 1
    with crm.company.scope():
        issue.refresh_from_db()
        assert (issue.state, issue.waiting) == ("open", 1)  # asked again: nothing about it has changed


def test_a_replay_finds_what_has_been_entered_since(crm: Sender) -> None:
    crm.send(deal(owner="carol"))
    crm.drain()
    with crm.company.scope():
        carol = person(crm.company, "Carol")
        issue_replay(issue=DataIssue.objects.get(), user=None)
    crm.drain()
    with crm.company.scope():
        assert DealTeam.objects.get().participant_id == carol.pk


@pytest.mark.parametrize(
    ("kind", "target"),
    [("owner", "nobody"), ("product", ""), ("account", "x"), ("role", "x"), ("sector", " "), ("deal", "D1")],
)
def test_a_meaning_that_does_not_exist_is_refused(crm: Sender, kind: str, target: str) -> None:
    with crm.company.scope(), pytest.raises(ProblemsError):
        mapping_set(endpoint=crm.endpoint, kind=kind, value="v", target=target, user=None)


def test_a_meaning_is_not_changed(crm: Sender) -> None:
    with crm.company.scope():
        for _ in range(2):
            mapping_set(endpoint=crm.endpoint, kind="owner", value="A.", target="ann", user=None)
        with pytest.raises(ProblemsError, match="already means 'ann'"):
            mapping_set(endpoint=crm.endpoint, kind="owner", value="A.", target="bob", user=None)
