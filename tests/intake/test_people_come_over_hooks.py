"""HR says over a hook who works here: joiners, movers, leavers, who comes back, leave, managers, targets.

What stands is a function of all that was said; what cannot stand waits whole; no other endpoint moves anybody.
"""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.outbox.models import Message
from comp.outbox.services import messages_drain
from comp.people.models import Attribute, Gap, Leave, Participant, Position, ReportingLine
from comp.people.services import team_create
from crediting.models import DataIssue, Deal, PersonRevision, RawDelivery
from crediting.services.endpoints import endpoint_create, endpoint_update
from plans.models import Quota
from tests.factories import company, person
from tests.intake.sending import Sender, catalogue, deal, event, sender

State = RawDelivery.State
TARGET = {"key": "sales", "from": "2026-01-01", "until": "2026-04-01", "amount": "100000.00", "currency": "USD"}


def may_carry(hr: Sender, yes: bool = True) -> None:
    with hr.company.scope():
        endpoint = hr.endpoint
        endpoint_update(
            endpoint=endpoint, name=endpoint.name, active=True, rate_limit=endpoint.rate_limit, deals_from=None,
            carries_people=yes,
        )  # fmt: skip


@pytest.fixture
def hr(db: None) -> Sender:
    """The HR system of a company with a catalogue, Ann and Bob."""
    acme = company("acme")
    with acme.scope():
        catalogue(acme)
    made = sender(acme, "hr")
    may_carry(made)
    return made


def said(key: str = "e1", as_of: str = "2026-01-01", at: str = "2026-01-01T08:00:00Z", **data: Any) -> dict[str, Any]:
    """Everything about Rita, with what the test says instead."""
    whole = {
        **{"person": key, "as_of": as_of, "name": f"Rita {key}", "hired": "2026-01-01", "left": None},
        **{"pay_group": "sales", "title": "AE", "role": "ae"},
    }
    return event("person.updated", at, **{**whole, **data})


def work(hr: Sender) -> None:
    """All that is waiting, news of people too, until nothing moves."""
    while hr.drain() + messages_drain(hr.company.tenant.pk):
        pass


def standing(*keys: str) -> list[Any]:
    """All that stands of some people, in words."""
    of = {"participant__key__in": keys}
    days = ("participant__key", "starts_on", "ends_on")
    people = Participant.objects.filter(key__in=keys).order_by("key")
    return [
        list(people.values_list("key", "name", "email", "pay_group__key", "starts_on", "ends_on")),
        sorted(Position.objects.filter(**of).values_list(*days, "title", "credit_role__key", "team__key"), key=str),
        sorted(ReportingLine.objects.filter(**of).values_list(*days, "manager__key"), key=str),
        sorted(Attribute.objects.filter(**of).values_list(*days, "name", "value"), key=str),
        sorted(Leave.objects.filter(**of).values_list(*days), key=str),
        sorted(Gap.objects.filter(**of).values_list(*days), key=str),
        sorted(Quota.objects.filter(**of).values_list(*days, "key", "amount_minor"), key=str),
    ]


def test_a_joiner_with_all_that_can_be_said(hr: Sender) -> None:
    with hr.company.scope():
        team_create(key="north", name="North")
    hr.send(
        said(
            email="rita@acme.test", team="north", manager="ann", region="EMEA", position="AE-7", pool="east",
            leave=[{"from": "2026-02-01", "until": "2026-02-08"}, {"from": "2026-05-01", "until": None}],
            targets=[TARGET],
        )
    )  # fmt: skip
    work(hr)
    with hr.company.scope():
        new_year, ever = date(2026, 1, 1), None
        assert standing("e1") == [
            [("e1", "Rita e1", "rita@acme.test", "sales", new_year, None)],
            [("e1", new_year, ever, "AE", "ae", "north")],
            [("e1", new_year, ever, "ann")],
            [("e1", new_year, ever, "pool", "east"), ("e1", new_year, ever, "position", "AE-7"),
             ("e1", new_year, ever, "region", "EMEA")],
            [("e1", date(2026, 2, 1), date(2026, 2, 8)), ("e1", date(2026, 5, 1), None)],
            [],
            [("e1", new_year, date(2026, 4, 1), "sales", 10_000_000)],
        ]  # fmt: skip
        told = Message.objects.filter(topic="people.changed").values_list("payload", flat=True)
        assert any(Participant.objects.get(key="ann").pk in payload["participants"] for payload in told)
    before = Message.objects.count()
    hr.send(said(
        email="rita@acme.test", team="north", manager="ann", region="EMEA", position="AE-7", pool="east", version=9
    ))  # fmt: skip
    work(hr)
    with hr.company.scope():
        assert Message.objects.count() == before, "what is said again is no news"


def test_a_mover_retro_and_future_dated_changes_only_the_days_until_the_next_state(hr: Sender) -> None:
    hr.send(said(as_of="2026-07-01", title="Lead", at="2026-02-01T00:00:00Z"))
    hr.send(said(title="AE"))
    hr.send(said(as_of="2026-03-01", title="Senior AE", region="APAC", at="2026-05-01T00:00:00Z"))
    work(hr)
    with hr.company.scope():
        titles = Position.objects.order_by("starts_on").values_list("title", "starts_on", "ends_on")
        assert list(titles) == [
            ("AE", date(2026, 1, 1), date(2026, 3, 1)),
            ("Senior AE", date(2026, 3, 1), date(2026, 7, 1)),
            ("Lead", date(2026, 7, 1), None),
        ]
        region = Attribute.objects.get()
        assert (region.value, region.starts_on, region.ends_on) == ("APAC", date(2026, 3, 1), date(2026, 7, 1))


def test_a_leaver_who_comes_back_and_a_first_day_put_right(hr: Sender) -> None:
    hr.send(said(hired="2026-01-05", version=1))
    hr.send(said(hired="2026-01-12", version=2))
    hr.send(said(hired="2026-01-12", left="2026-04-01", as_of="2026-03-15", version=3))
    hr.send(said(hired="2026-06-01", as_of="2026-06-01", version=4))
    work(hr)
    with hr.company.scope():
        rita = Participant.objects.get(key="e1")
        assert (rita.starts_on, rita.ends_on) == (date(2026, 1, 12), None)
        gap = Gap.objects.get()
        assert (gap.starts_on, gap.ends_on) == (date(2026, 4, 1), date(2026, 6, 1))
    hr.send(said(hired="2026-06-01", left="2026-09-01", as_of="2026-06-01", version=5))
    work(hr)
    with hr.company.scope():
        assert Participant.objects.get(key="e1").ends_on == date(2026, 9, 1)
        assert Gap.objects.count() == 1


def test_somebody_known_before_keeps_the_days_that_nobody_speaks_of(hr: Sender) -> None:
    hr.send(said("bob", as_of="2026-05-01", hired="2026-01-01", name="Bob", title="Lead", region="EMEA"))
    work(hr)
    with hr.company.scope():
        bob = Participant.objects.get(key="bob")
        assert bob.starts_on == date(2026, 1, 1)
        assert Position.objects.get(participant=bob).starts_on == date(2026, 5, 1)


def test_an_endpoint_carries_people_only_where_it_may(hr: Sender) -> None:
    crm = sender(hr.company, "crm")
    crm.send(said(targets=[]))
    work(crm)
    with hr.company.scope():
        assert not Participant.objects.filter(key="e1").exists()
        issue = DataIssue.objects.get()
        assert (issue.kind, issue.waiting, issue.endpoint) == ("people", 1, crm.endpoint)
        with pytest.raises(ProblemsError, match="not by hubspot"):
            hub, _ = endpoint_create(key="hub", name="Hub", adapter="hubspot", secret="0123456789abcdef")
            endpoint_update(endpoint=hub, name="Hub", active=True, rate_limit=10, deals_from=None, carries_people=True)
    may_carry(crm)
    with hr.company.scope():
        told = AuditEntry.objects.filter(code="endpoint.update").latest("id")
        assert (told.before["carries_people"], told.after["carries_people"]) == (False, True)
    work(crm)
    with hr.company.scope():
        assert Participant.objects.filter(key="e1").exists()


def test_a_manager_who_is_not_known_yet_is_waited_for(hr: Sender) -> None:
    hr.send(said("e1", manager="e2"))
    work(hr)
    with hr.company.scope():
        assert not Participant.objects.filter(key="e1").exists(), "nothing is half written"
        issue = DataIssue.objects.get()
        assert (issue.kind, issue.value) == ("manager", "e2")
        assert "allowed" not in issue.message and "There is no manager e2 here." in issue.message
    hr.send(said("e2", manager="e3"))
    hr.send(said("e3"))
    work(hr)
    with hr.company.scope():
        lines = ReportingLine.objects.order_by("participant__key").values_list("participant__key", "manager__key")
        assert list(lines) == [("e1", "e2"), ("e2", "e3")]
        assert not DataIssue.objects.filter(state="open").exists()


def test_somebody_who_changes_place_with_their_manager_whatever_comes_first(hr: Sender) -> None:
    for key, manager in (("e1", "e2"), ("e2", "")):
        hr.send(said(key, manager=manager))
    work(hr)
    hr.send(said("e2", as_of="2026-05-01", manager="e1", at="2026-05-01T00:00:00Z"))
    work(hr)
    with hr.company.scope():
        issue = DataIssue.objects.get(state="open")
        assert (issue.kind, issue.value) == ("manager", "circle")
    hr.send(said("e1", as_of="2026-05-01", at="2026-05-01T00:00:00Z"))
    work(hr)
    with hr.company.scope():
        assert not DataIssue.objects.filter(state="open").exists()
        now = ReportingLine.objects.get(starts_on=date(2026, 5, 1))
        assert (now.participant.key, now.manager.key) == ("e2", "e1")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"team": "south"}, "There is no team south here. Field team: found south, allowed: north"),
        ({"pay_group": "nobody"}, "allowed: sales"),
        ({"targets": [TARGET | {"until": "2026-01-20"}]}, "is for no month, quarter"),
        ({"targets": [TARGET | {"currency": "EUR"}]}, "Field currency: found EUR, allowed: USD"),
    ],
)
def test_what_cannot_stand_waits_whole_and_says_why(hr: Sender, wrong: dict[str, Any], told: str) -> None:
    with hr.company.scope():
        team_create(key="north", name="North")
    hr.send(said(version=1, **wrong))
    work(hr)
    with hr.company.scope():
        issue = DataIssue.objects.get()
        assert (issue.kind, issue.value, issue.waiting) == ("person", "e1", 1)
        assert told in issue.message and issue.message.startswith("Rita e1 (e1), as of 2026-01-01")
        assert not Participant.objects.filter(key="e1").exists() and not PersonRevision.objects.exists()
    hr.send(said(version=2, targets=[]))
    work(hr)
    with hr.company.scope():
        assert Participant.objects.filter(key="e1").exists()
        assert not DataIssue.objects.filter(state="open").exists(), "taken together with what corrects it"
        assert not RawDelivery.objects.exclude(state=State.DONE).exists()


def test_a_role_is_asked_for_as_with_deals(hr: Sender) -> None:
    hr.send(said(role="account exec"))
    work(hr)
    with hr.company.scope():
        assert list(DataIssue.objects.values_list("kind", "value")) == [("role", "account exec")]


def test_deals_that_waited_for_somebody_are_taken_when_they_come(hr: Sender) -> None:
    crm = sender(hr.company, "crm")
    crm.send(deal(owner="e1"))
    work(crm)
    hr.send(said())
    work(hr)
    with hr.company.scope():
        assert Deal.objects.count() == 1


def test_another_company_is_not_touched(hr: Sender) -> None:
    other = company("globex")
    with other.scope():
        person(other, "Ann")
    hr.send(said("ann", name="Somebody else", title="Chief"))
    work(hr)
    with other.scope():
        assert Participant.objects.get(key="ann").name == "Ann"
        assert not PersonRevision.objects.exists()


def history(chance: random.Random) -> list[dict[str, Any]]:
    """What HR says of three people over a year, in no good order of its own."""
    found: list[dict[str, Any]] = []
    months = [f"2026-{month:02d}-01" for month in range(1, 13)]
    spans = [("2026-01-01", None), ("2026-01-01", "2026-05-01"), ("2026-02-01", None), ("2026-08-01", None)]
    spans += [("2026-08-01", "2026-11-01")]
    for number in range(1, 13):
        key = chance.choice(["e1", "e2", "e3"])
        hired, left = chance.choice(spans)
        more: dict[str, Any] = {}
        if chance.random() < 0.5:
            start = chance.choice(months[:-1])
            more["leave"] = [{"from": start, "until": f"{start[:8]}15"}]
        if chance.random() < 0.5:
            month = chance.randrange(11)
            more["targets"] = [
                {"key": "sales", "from": months[month], "until": months[month + 1], "currency": "USD",
                 "amount": f"{chance.randrange(1, 9)}000.00"}
            ]  # fmt: skip
        found.append(
            said(
                key, chance.choice(months), f"2026-01-{chance.randrange(1, 4):02d}T00:00:00Z",
                version=chance.choice([0, number]), name=f"{key} {number}", hired=hired, left=left,
                title=chance.choice(["AE", "Lead"]), region=chance.choice(["EMEA", "APAC", None]),
                manager={"e1": chance.choice([None, "e2", "e3"]), "e2": chance.choice([None, "e3"])}.get(key), **more,
            )
        )  # fmt: skip
    # One of each at least, so that nobody waits for ever.
    return found + [said(key, "2026-01-01", name=key, version=0) for key in ("e1", "e2", "e3")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arrival_order_never_matters(db: None, seed: int) -> None:
    """The same events, each three times, in one order and drain or in others and many: the same people stand."""
    chance = random.Random(seed)
    events = list(enumerate(history(chance)))
    found = []
    for turn in range(3):
        acme = company(f"acme-{turn}")
        hr = sender(acme, "hr")
        may_carry(hr)
        sent = events * (1 if turn == 0 else 3)
        if turn:
            chance.shuffle(sent)
        for number, one in sent:
            hr.send(one, f"id-{number}")
            if turn and chance.random() < 0.2:
                work(hr)
        work(hr)
        with acme.scope():
            assert not DataIssue.objects.filter(state="open").exists(), DataIssue.objects.values_list("message")
            found.append(standing("e1", "e2", "e3"))
    assert found[0] == found[1] == found[2]
