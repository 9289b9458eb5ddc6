"""Deals whose source names nobody get their people by the alignment in force; whatever comes first, the same stands."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.outbox.services import messages_drain
from comp.people.dated import attribute_set
from comp.people.models import Participant
from comp.people.services import participant_change
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from crediting.kernel.alignment import Place, Rule, Rules, ties
from crediting.models import Alignment, AlignmentRule, DataIssue, Deal, DealRevision, DealTeam, RawDelivery
from crediting.services.alignments import alignment_apply, alignment_preview, alignment_store
from crediting.services.endpoints import endpoint_update
from tests.factories import company, member, person
from tests.intake.sending import Sender, catalogue, deal, event, sender
from tests.intake.test_the_mailbox_makes_facts import news

HEAD = ("role", "account", "country", "state", "postal", "product", "family", "participant", "position", "from")
US, GERMANY = "United States", "Germany"


def given(*rows: dict[str, str]) -> list[tuple[int, dict[str, str]]]:
    return [(line, {"role": "ae", "from": "2026-01-01", **row}) for line, row in enumerate(rows, start=2)]


def by_territory(crm: Sender, *roles: str) -> None:
    with crm.company.scope():
        row = crm.endpoint
        endpoint_update(
            endpoint=row, name=row.name, active=True, rate_limit=row.rate_limit, deals_from=None, aligned_roles=roles
        )


def olga(crm: Sender) -> User:
    return User.objects.filter(full_name="Olga").first() or member(crm.company, Role.SALES_OPS, "Olga")


def applied(crm: Sender, *rows: dict[str, str]) -> Alignment:
    ops = olga(crm)
    with crm.company.scope(ops):
        alignment, wrong = alignment_store(name="rules.csv", rows=given(*rows), by=ops)
        assert alignment is not None, wrong
        return alignment_apply(alignment=alignment, by=ops)


def work(crm: Sender) -> None:
    while crm.drain() + messages_drain(crm.company.tenant.pk):
        pass


def owners() -> list[Any]:
    rows = DealTeam.objects.order_by("deal__external_id", "place").values_list(
        "deal__external_id", "role", "participant__key", "close_date"
    )
    return list(rows)


@pytest.fixture
def crm(db: None) -> Sender:
    """A company whose CRM leaves the AE to the alignment."""
    acme = company("acme")
    with acme.scope():
        catalogue(acme)
    made = sender(acme)
    by_territory(made, "ae")
    return made


def rule(line: int = 1, **more: Any) -> Rule:
    values: dict[str, Any] = dict.fromkeys(("country", "state", "postal", "family", "position"), "")
    values |= {"account": None, "product": None, "participant": 7, "role": "ae"}
    return Rule(line=line, **{**values, "starts_on": date(2026, 1, 1), "ends_on": None, **more})


def test_the_most_specific_rule_counts_and_only_equals_tie() -> None:
    """From the least specific to the most: each beats all before it."""
    steps: list[dict[str, Any]] = [
        {}, {"family": "gtx"}, {"product": 5}, {"country": "us"}, {"country": "us", "family": "gtx"},
        {"country": "us", "product": 5}, {"country": "us", "state": "ca"}, {"country": "us", "postal": "9"},
        {"country": "us", "state": "ca", "postal": "9"}, {"country": "us", "postal": "941"},
        {"country": "us", "postal": "94105", "product": 5}, {"account": 3}, {"account": 3, "product": 5},
        {"account": 3, "country": "us"},
    ]  # fmt: skip
    rules = [rule(line, **step) for line, step in enumerate(steps)]
    assert ties(rules) == []
    place = Place(3, "us", "ca", "94105", 5, "gtx")
    random.Random(1).shuffle(rules)
    for most in range(len(steps), 0, -1):
        found = Rules(one for one in rules if one.line < most).most_specific("ae", place, date(2026, 5, 1))
        assert found is not None and found.line == most - 1
    assert Rules(rules).most_specific("se", place, date(2026, 5, 1)) is None
    assert Rules(rules).most_specific("ae", place, date(2025, 5, 1)) is None
    elsewhere = Place(None, "fr", "", "", None, "")
    assert Rules(rules).most_specific("ae", elsewhere, date(2026, 5, 1)) == rule(0)
    one, other = rule(1, ends_on=date(2026, 7, 1)), rule(2, starts_on=date(2026, 7, 1))
    assert ties([one, other]) == []
    assert ties([rule(1), other]) == [(rule(1), other)]


def test_a_deal_gets_its_owner_by_account_place_and_product(crm: Sender) -> None:
    alignment = applied(
        crm, {"country": "united states ", "participant": "ann"}, {"account": "isdom", "participant": "bob"}
    )
    crm.send(deal(owner=None))
    crm.send(deal(deal="D2", owner="", account="isdom"))
    crm.send(deal(deal="D3", owner="ann", account="isdom"))
    work(crm)
    with crm.company.scope():
        assert [(name, role, key) for name, role, key, _ in owners()] == [
            ("D1", "ae", "ann"), ("D2", "ae", "bob"), ("D3", "ae", "ann"),
        ]  # fmt: skip
        said = DealRevision.objects.get(external_id="D1").aligned
        assert said == {
            "alignment": alignment.number, "owners": {"ae": Participant.objects.get(key="ann").pk}, "why": {},
            "keys": [f"participant:{Participant.objects.get(key='ann').pk}"],
        }  # fmt: skip
        assert DealRevision.objects.get(external_id="D3").aligned is None, "its source says whose it is"


def test_a_new_alignment_corrects_only_what_it_moves(crm: Sender) -> None:
    applied(crm, {"country": US, "participant": "ann"}, {"account": "isdom", "participant": "bob"})
    for name, account in (("D1", "acme"), ("D2", "isdom")):
        crm.send(deal(deal=name, owner=None, account=account))
    work(crm)
    with crm.company.scope():
        before = len(news())
    second = applied(crm, {"country": US, "participant": "bob"}, {"account": "isdom", "participant": "bob"})
    with crm.company.scope():
        assert second.number == 2 and second.counts == {"deals": 1, "vacant": 0}
        told = news()[before:]
        assert [(one["label"], len(one["participants"])) for one in told] == [
            ("Deal D1 won, 4,514.00 USD: by alignment 2", 2)
        ]
        deals = {one.external_id: one for one in Deal.objects.all()}
        assert (deals["D1"].revisions, deals["D2"].revisions) == (2, 1)
        was, now = DealRevision.objects.filter(external_id="D1").order_by("id")
        assert (was.derived, now.derived, now.delivery_id) == (0, 1, was.delivery_id)
        assert deals["D1"].revision_id == now.pk and now.recorded_at > was.recorded_at
        assert [key for _, _, key, _ in owners()] == ["bob", "bob"]
        entry = AuditEntry.objects.filter(code="alignment.apply").latest("number")
        assert entry.before["number"] == 1 and entry.after["number"] == 2
    crm.send(
        deal("updated", stage="won", owner=None, at="2026-03-04T00:00:00Z", amount="5000.00", close_date="2026-03-01")
    )
    work(crm)
    with crm.company.scope():
        assert Deal.objects.get(external_id="D1").amount_minor == 500_000
        assert [key for _, _, key, _ in owners()] == ["bob", "bob"]


def test_a_preview_tells_before_and_after_and_writes_nothing(crm: Sender) -> None:
    applied(crm, {"country": US, "participant": "ann"})
    crm.send(deal(owner=None))
    work(crm)
    ops = olga(crm)
    with crm.company.scope(ops):
        counted = (DealRevision.objects.count(), len(news()))
        for rows, after, vacant in (
            ([{"participant": "bob"}], "bob", 0),
            ([{"account": "isdom", "participant": "bob"}], None, 1),
        ):
            alignment, _ = alignment_store(name="x", rows=given(*rows), by=ops)
            assert alignment is not None
            preview = alignment_preview(alignment=alignment)
            (one,) = preview.changes
            ids = dict(Participant.objects.values_list("id", "key"))
            assert (one.deal.external_id, one.role, ids[one.before or 0], ids.get(one.after or 0)) == (
                "D1",
                "ae",
                "ann",
                after,
            )
            assert (preview.deals, preview.vacant) == (1, vacant)
            ann = next(row for row in preview.people if ids[row.participant] == "ann")
            assert (ann.gains, ann.loses, ann.since) == (0, 1, date(2026, 3, 1))
        assert (DealRevision.objects.count(), len(news())) == counted


def test_a_position_is_whoever_holds_it_on_the_day_and_a_vacancy_is_told(crm: Sender) -> None:
    with crm.company.scope():
        ann, bob = (Participant.objects.get(key=key) for key in ("ann", "bob"))
        attribute_set(participant=ann, name="position", value="West-1", starts_on=date(2026, 1, 1))
    applied(crm, {"country": US, "position": "West-1"})
    for name, day in (("D1", "2026-03-01"), ("D2", "2026-06-01")):
        crm.send(deal(deal=name, owner=None, close_date=day))
    work(crm)
    with crm.company.scope():
        assert [key for _, _, key, _ in owners()] == ["ann", "ann"]
        attribute_set(participant=ann, name="position", value="", starts_on=date(2026, 5, 1))
    work(crm)
    with crm.company.scope():
        assert [(name, key) for name, _, key, _ in owners()] == [("D1", "ann")]
        issue = DataIssue.objects.get(state="open")
        assert (issue.kind, issue.value, issue.waiting) == ("alignment", "D2", 0)
        assert issue.message == "Deal D2 has nobody by alignment: ae: position West-1 is vacant on 1 June 2026."
        assert not RawDelivery.objects.exclude(state="done").exists()
        attribute_set(participant=bob, name="position", value="West-1", starts_on=date(2026, 5, 15))
    work(crm)
    with crm.company.scope():
        assert [(name, key) for name, _, key, _ in owners()] == [("D1", "ann"), ("D2", "bob")]
        assert not DataIssue.objects.filter(state="open").exists()
        attribute_set(participant=ann, name="position", value="West-1", starts_on=date(2026, 5, 20))
    work(crm)
    with crm.company.scope():
        assert "is held by 2 people" in DataIssue.objects.get(state="open").message
        participant_change(participant=ann, ends_on=date(2026, 6, 1))
    work(crm)
    with crm.company.scope():
        assert [(name, key) for name, _, key, _ in owners()] == [("D1", "ann"), ("D2", "bob")], "who left holds nothing"


def test_nobody_by_any_rule_is_told_and_the_deal_stands(crm: Sender) -> None:
    crm.send(deal(owner=None))
    crm.send(deal("lost", deal="D2", owner=None))
    crm.send(deal("engaged", deal="D3", owner=None))
    work(crm)
    with crm.company.scope():
        assert Deal.objects.count() == 3 and owners() == []
        assert "no alignment is in force" in DataIssue.objects.get().message
    applied(crm, {"country": US, "participant": "ann"})
    work(crm)
    with crm.company.scope():
        assert [(name, key) for name, _, key, _ in owners()] == [("D1", "ann"), ("D2", "ann")]
        assert not DataIssue.objects.filter(state="open").exists()


def test_a_customer_that_moves_takes_its_deals_along(crm: Sender) -> None:
    applied(
        crm,
        {"country": US, "participant": "ann"},
        {"country": US, "state": "CA", "postal": "941", "participant": "bob"},
    )
    crm.send(deal(owner=None))
    work(crm)
    moved = {"account": "acme", "name": "Acme", "sector": "technology", "country": US}
    crm.send(event("account.updated", "2026-04-01T00:00:00Z", **moved, state="ca", postal="94 105"))
    work(crm)
    with crm.company.scope():
        assert [key for _, _, key, _ in owners()] == ["bob"]
        assert any("where its customer is" in one["label"] for one in news())


def test_what_is_wrong_with_rules_is_told_by_line_and_nothing_is_kept(crm: Sender) -> None:
    ops = olga(crm)
    rows = [
        {"country": US, "participant": "ann"},
        {"country": "UNITED  states", "participant": "bob"},
        {"role": "king", "participant": "ann"},
        {"participant": "ann", "position": "West-1"},
        {"state": "CA", "participant": "nobody"},
        {"account": "nowhere", "participant": "ann", "from": "1.1.2026"},
        {"product": "mg", "family": "GTX", "participant": "ann", "until": "2025-01-01"},
    ]
    with crm.company.scope(ops):
        alignment, wrong = alignment_store(name="x", rows=given(*rows), by=ops)
        assert alignment is None and not AlignmentRule.objects.exists()
        assert [(line, one.path) for line, one in wrong] == [
            (3, "from"), (4, "role"), (5, "participant"), (6, "participant"), (6, "country"), (7, "account"),
            (7, "from"), (8, "until"), (8, "family"),
        ]  # fmt: skip
        assert "names exactly the same for ae" in wrong[0][1].message
        with pytest.raises(ProblemsError, match="1 to 20,000 rules"):
            alignment_store(name="x", rows=[], by=ops)
    first = applied(crm, {"participant": "ann"})
    with crm.company.scope(ops), pytest.raises(ProblemsError, match="put in force already"):
        alignment_apply(alignment=first, by=ops)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_any_order_of_alignments_positions_and_deals_the_same_stands(db: None, seed: int) -> None:
    """The alignments come in their own order, as do a person's moves; deals and customers come anywhere between."""
    chance = random.Random(seed)
    found = []
    for turn in range(3):
        acme = company(f"acme-{turn}")
        with acme.scope():
            catalogue(acme)
            person(acme, "Cleo")
        crm = sender(acme)
        by_territory(crm, "ae", "manager")
        steps = threads(crm)
        while steps:
            one = steps[0] if turn == 0 else chance.choice(steps)
            one.pop(0)()
            if not one:
                steps.remove(one)
            if turn and chance.random() < 0.4:
                work(crm)
        work(crm)
        with acme.scope():
            issues = DataIssue.objects.filter(state="open").order_by("value").values_list("kind", "value", "message")
            found.append((owners(), list(issues)))
            for one_deal in Deal.objects.all():
                members = DealTeam.objects.filter(deal=one_deal).order_by("place")
                revision = DealRevision.objects.get(pk=one_deal.revision_id)
                assert revision.team == [[m.role, m.participant_id, m.weight] for m in members]
    assert found[0] == found[1] == found[2]
    assert found[0][0] and found[0][1]


def threads(crm: Sender) -> list[list[Callable[[], Any]]]:
    """Things that follow one another, each kind in its own order."""

    def hold(key: str, value: str, day: date) -> None:
        with crm.company.scope():
            someone = Participant.objects.get(key=key)
            attribute_set(participant=someone, name="position", value=value, starts_on=day)

    def customer(account: str, country: str, postal: str, version: int) -> None:
        said = {"account": account, "name": account, "sector": "technology", "country": country, "postal": postal}
        crm.send(event("account.updated", **said, version=version))

    months = [f"2026-{month:02d}-10" for month in range(1, 10)]
    deals = [
        lambda n=n: crm.send(
            deal(deal=f"D{n}", owner=None, close_date=months[n], account="acme" if n % 2 else "isdom",
                 product="mg" if n % 3 else "gtx-pro", version=1)
        )
        for n in range(9)
    ]  # fmt: skip
    moved = [lambda n=n: crm.send(deal(deal=f"D{n}", owner=None, close_date=months[8 - n], version=2)) for n in (1, 4)]
    rules = [
        [{"country": US, "participant": "ann"}],
        [{"country": US, "position": "P1"}, {"role": "manager", "participant": "cleo"}],
        [
            {"country": US, "position": "P1"}, {"country": US, "family": "gtx", "participant": "bob"},
            {"country": GERMANY, "postal": "80", "position": "P2", "until": "2026-08-01"},
            {"role": "manager", "account": "isdom", "participant": "cleo"},
        ],
    ]  # fmt: skip
    return [
        [lambda rows=rows: applied(crm, *rows) for rows in rules],
        [*deals[:5], *moved, *deals[5:]],
        [
            lambda: hold("ann", "P1", date(2026, 1, 1)),
            lambda: hold("ann", "", date(2026, 4, 1)),
            lambda: hold("bob", "P1", date(2026, 5, 1)),
            lambda: hold("cleo", "P2", date(2026, 2, 1)),
        ],
        [lambda: customer("isdom", GERMANY, "80331", 1), lambda: customer("acme", US, "10001", 1),
         lambda: customer("isdom", GERMANY, "10117", 2), lambda: customer("isdom", GERMANY, "80 999", 3)],
    ]  # fmt: skip
