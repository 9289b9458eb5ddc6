"""What a source says of its records is folded and mapped: in any order, any number of times, the same facts stand."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import DataError

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from crediting import intake
from crediting.models import (
    DataIssue,
    Deal,
    DealRevision,
    DealTeam,
    Fact,
    FactTeam,
    RawDelivery,
    Rereading,
    SourceRecord,
)
from crediting.services import mappings
from crediting.services.endpoints import endpoint_create
from crediting.services.issues import gap_cover, mapping_set
from crediting.services.mailbox import Take, mailbox_drain
from crediting.services.mappings import field_mapping_set, mapping_read, mapping_try, records_reread
from crediting.services.news import Change
from tests.factories import Company, company
from tests.intake.sending import catalogue
from tests.unit.intake.calls import sample

pytestmark = pytest.mark.django_db

State = RawDelivery.State
DEAL, LINE, FIRM = 19043876521, 7720114908, 8812457006


class Crm:
    """An endpoint of a source. Its deliveries are stored as if they had been proven."""

    def __init__(self, acme: Company, adapter: str = "hubspot") -> None:
        self.company, self.sent = acme, 0
        with acme.scope():
            self.endpoint, _ = endpoint_create(key=adapter, name=adapter, adapter=adapter)

    def store(self, *bodies: Any) -> None:
        for body in bodies:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.sent += 1
            with self.company.scope():
                RawDelivery.objects.create(
                    endpoint=self.endpoint,
                    sender_id=f"call-{self.sent}",
                    sent_at=datetime.now(UTC),
                    body=raw,
                    body_sha256=hashlib.sha256(raw).hexdigest(),
                )

    def take(self, *bodies: Any) -> None:
        self.store(*bodies)
        while mailbox_drain(self.company.tenant.pk):
            pass

    def standing(self) -> list[Any]:
        """Everything that figures can come of."""
        with self.company.scope():
            deals = Deal.objects.order_by("external_id").values_list(
                *("external_id", "stage", "amount_minor", "currency", "close_date", "engage_date", "event_time"),
                *("product__key", "account__key", "values", "custom"),
            )
            facts = (
                Fact.objects.filter(stands=True)
                .order_by("kind", "external_id")
                .values_list(
                    *("kind", "external_id", "deal__external_id", "amount_minor", "currency", "day", "type", "values"),
                    *("event_time", "product__key"),
                )
            )
            people = DealTeam.objects.order_by("deal__external_id", "place")
            others = FactTeam.objects.order_by("fact__external_id", "place")
            return [
                *deals,
                *facts,
                *people.values_list("deal__external_id", "role", "participant__key", "weight"),
                *others.values_list("fact__external_id", "role", "participant__key", "weight"),
            ]

    def questions(self) -> dict[tuple[str, str], int]:
        with self.company.scope():
            rows = DataIssue.objects.filter(state="open").values_list("kind", "value", "waiting")
            return {(kind, value): waiting for kind, value, waiting in rows}

    def states(self) -> set[str]:
        with self.company.scope():
            return set(RawDelivery.objects.values_list("state", flat=True))


def crm(slug: str = "acme", adapter: str = "hubspot") -> Crm:
    acme = company(slug)
    with acme.scope():
        catalogue(acme)
    return Crm(acme, adapter)


def change(at: int, kind: str = "deal", record: int = DEAL, **said: Any) -> dict[str, Any]:
    """A notification of HubSpot's, `at` milliseconds after the first."""
    verb = "propertyChange" if "propertyName" in said else "creation"
    return {
        **{"eventId": at, "subscriptionId": 1, "occurredAt": 1772359200000 + at, "subscriptionType": f"{kind}.{verb}"},
        **({} if "fromObjectId" in said else {"objectId": record}),
        **said,
    }


def prop(at: int, name: str, value: str, kind: str = "deal", record: int = DEAL) -> dict[str, Any]:
    return change(at, kind, record, propertyName=name, propertyValue=value)


def joined(at: int, kind: str, one: int, other: int, removed: bool = False) -> dict[str, Any]:
    said = {"associationType": kind, "fromObjectId": one, "toObjectId": other, "associationRemoved": removed}
    return change(at, "x", **said, isPrimaryAssociation=True) | {"subscriptionType": "deal.associationChange"}


HISTORY = [
    change(1),
    prop(2, "amount", "1054.00"),
    prop(3, "deal_currency_code", "USD"),
    prop(4, "hubspot_owner_id", "Ann"),
    prop(5, "product", "gtx-pro"),
    change(6, "company", FIRM),
    prop(7, "name", "Acme Two", "company", FIRM),
    prop(8, "industry", "technology", "company", FIRM),
    joined(9, "DEAL_TO_COMPANY", DEAL, FIRM),
    prop(10, "dealstage", "contractsent"),
    change(11, "line_item", LINE),
    prop(12, "hs_sku", "mg", "line_item", LINE),
    prop(13, "amount", "55.00", "line_item", LINE),
    joined(14, "LINE_ITEM_TO_DEAL", LINE, DEAL),
    prop(15, "closedate", "1772359260431"),
    prop(16, "dealstage", "closedwon"),
    prop(17, "amount", "1100.50"),
    prop(18, "amount", "60.00", "line_item", LINE),
    prop(19, "hubspot_owner_id", "Bob"),
]


def test_notifications_of_one_property_each_become_the_deal() -> None:
    here = crm()
    here.take(HISTORY)
    assert here.questions() == {} and here.states() == {State.DONE, State.SPLIT}
    with here.company.scope():
        deal = Deal.objects.get()
        assert (deal.stage, deal.amount_minor, deal.account.name) == ("won", 110050, "Acme Two")  # type: ignore[union-attr]
        assert DealTeam.objects.get().participant.name == "Bob"
        assert (Fact.objects.get(kind="line").amount_minor, SourceRecord.objects.count()) == (6000, 3)
        assert DealRevision.objects.count() == 1, "the whole drain is folded first"


@pytest.mark.parametrize("seed", range(8))
def test_order_repetition_and_batches_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    straight, shuffled = crm("straight"), crm("shuffled")
    straight.take(HISTORY)
    sent = [dict(one, attemptNumber=attempt) for one in HISTORY for attempt in range(3)]
    chance.shuffle(sent)
    while sent:
        size = chance.choice([1, 1, 2, 5, 30])
        shuffled.store(sent[:size])
        sent = sent[size:]
        if chance.random() < 0.4:
            shuffled.take()
    shuffled.take()
    assert shuffled.standing() == straight.standing() != []
    assert shuffled.questions() == {} and shuffled.states() == {State.DONE, State.SPLIT}


def test_a_question_waits_for_its_answer_and_folds_nothing_twice() -> None:
    here = crm()
    here.take([one for one in HISTORY if one["eventId"] != 19], prop(20, "hubspot_owner_id", "61204418"))
    assert here.questions() == {("owner", "61204418"): 1}
    with here.company.scope():
        events = SourceRecord.objects.get(object="deal").events
        mapping_set(endpoint=here.endpoint, kind="owner", value="61204418", target="ann", user=None)
    here.take()
    assert here.questions() == {} and State.WAITING not in here.states()
    with here.company.scope():
        assert SourceRecord.objects.get(object="deal").events == events
        assert DealTeam.objects.get().participant.name == "Ann"


def test_what_the_mapping_does_not_know_is_one_question_for_all_and_a_later_change_answers_it() -> None:
    here = crm()
    here.take(HISTORY)
    before = here.standing()
    here.take(prop(30, "dealstage", "poc"))
    assert list(here.questions().values()) == [1] and next(iter(here.questions()))[0] == "field"
    assert here.standing() == before
    here.take(prop(31, "dealstage", "still-odd"))
    assert list(here.questions().values()) == [1], "the first is overtaken"
    here.take(prop(32, "dealstage", "closedlost"))
    assert here.questions() == {} and here.states() == {State.DONE, State.SPLIT}
    with here.company.scope():
        assert Deal.objects.get().stage == "lost"


def test_a_line_that_moves_to_another_deal_leaves_the_first() -> None:
    here = crm()
    other = DEAL + 1
    second = [
        dict(one, objectId=other, eventId=100 + one["eventId"])
        for one in HISTORY
        if one.get("objectId") == DEAL
    ]  # fmt: skip
    here.take([*HISTORY, *second, joined(130, "DEAL_TO_COMPANY", other, FIRM)])
    here.take([joined(140, "LINE_ITEM_TO_DEAL", LINE, DEAL, removed=True)])
    with here.company.scope():
        assert not Fact.objects.filter(kind="line", stands=True).exists()
    here.take([joined(141, "LINE_ITEM_TO_DEAL", LINE, other)])
    with here.company.scope():
        assert Fact.objects.get(kind="line", stands=True).deal.external_id == str(other)  # type: ignore[union-attr]
    assert here.questions() == {}


def test_gaps_ask_for_each_record_by_its_name() -> None:
    here = crm(adapter="salesforce")
    here.take(sample("salesforce/gap-event.json"))
    ids = json.loads(sample("salesforce/gap-event.json"))["payload"]["ChangeEventHeader"]["recordIds"]
    assert {value.split()[-1] for _, value in here.questions()} == set(ids)


GAPS = ("0065e00000LtQXyAAN", "0065e00000LtQXzAAN")


def flow(record: str, at: str, **fields: Any) -> dict[str, Any]:
    """A record as a flow sends it, whole."""
    return {"attributes": {"type": "Opportunity"}, "Id": record, "SystemModstamp": f"{at}.000+0000", **fields}


def gaps_open(here: Crm) -> list[str]:
    return sorted(value for kind, value in here.questions() if kind == "gap")


def gap_states(here: Crm) -> set[tuple[str, str]]:
    """States of the deliveries that told of a gap."""
    with here.company.scope():
        rows = RawDelivery.objects.filter(sender_id__startswith="call-1").exclude(state="split")
        return set(rows.values_list("state", "error"))


def test_a_gap_is_closed_by_the_whole_records_of_then_or_later() -> None:
    here = crm(adapter="salesforce")
    here.take(sample("salesforce/gap-event.json"), flow(GAPS[0], "2026-03-01T10:01:29"))
    assert gaps_open(here) == [f"Opportunity {one}" for one in GAPS], "an older record says nothing of it"
    here.take(flow(GAPS[0], "2026-03-01T10:01:30"))
    assert gaps_open(here) == [f"Opportunity {GAPS[1]}"]
    here.take(flow(GAPS[1], "2026-03-02T08:00:00"))
    assert gaps_open(here) == []
    assert gap_states(here) == {("done", "")}


def test_a_gap_that_arrives_behind_the_whole_records_asks_nothing() -> None:
    here = crm(adapter="salesforce")
    here.take(*(flow(record, "2026-03-01T10:02:00") for record in GAPS))
    here.take(sample("salesforce/gap-event.json"))
    assert gaps_open(here) == []


def test_a_record_that_cannot_be_sent_again_is_closed_with_a_reason() -> None:
    here = crm(adapter="salesforce")
    here.take(sample("salesforce/gap-event.json"))
    with here.company.scope():
        first, second = DataIssue.objects.filter(kind="gap").order_by("id")
        with pytest.raises(ProblemsError, match="why the record"):
            gap_cover(issue=first, reason="  no ", user=None)
        assert gap_cover(issue=first, reason="Deleted in March", user=None) == 0, "the other is still asked for"
        assert gap_cover(issue=second, reason="Deleted in March", user=None) == 1
        assert DataIssue.objects.filter(state="open").count() == 0
        assert AuditEntry.objects.filter(code="issue.cover").count() == 2
    assert gap_states(here) == {("done", "")}


def test_a_new_mapping_is_a_correction_of_what_differs_alone() -> None:
    here = crm()
    odd = [dict(one, objectId=DEAL + 7, eventId=700 + one["eventId"]) for one in HISTORY if one.get("objectId") == DEAL]
    here.take([*HISTORY, *odd, joined(730, "DEAL_TO_COMPANY", DEAL + 7, FIRM)])
    here.take([prop(740, "dealstage", "poc", record=DEAL + 7)])
    assert len(here.questions()) == 1
    text = (Path(intake.__file__).parent / "hubspot" / "mapping.yaml").read_text()
    text = text.replace("closedlost: lost", "closedlost: lost\n          poc: engaged")
    with here.company.scope():
        before = DealRevision.objects.count()
        tried = {one.record.external_id: one.outcome for one in mapping_try(
            endpoint=here.endpoint, document=mapping_read(text)
        )}  # fmt: skip
        assert tried[str(DEAL + 7)] == "new" and tried[str(DEAL)] == "same"
        field_mapping_set(endpoint=here.endpoint, text=text, note="Proofs of concept", user=None)
        with pytest.raises(ProblemsError, match="records"):
            field_mapping_set(endpoint=here.endpoint, text="format: comp/mapping/1", user=None)
    here.take()
    while records_reread(here.company.tenant.pk):
        pass
    assert here.questions() == {}
    with here.company.scope():
        assert DealRevision.objects.count() == before + 1
        assert Deal.objects.get(external_id=str(DEAL + 7)).stage == "engaged"
        work = Rereading.objects.get()
        assert work.finished_at and (work.done, work.total) == (4, 4)
    here.take([prop(750, "amount", "1.00", record=DEAL + 7)])
    with here.company.scope():
        assert Deal.objects.get(external_id=str(DEAL + 7)).amount_minor == 100


def test_a_record_that_the_database_refuses_is_left_as_it_was_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    here = crm()
    odd = [dict(one, objectId=DEAL + 7, eventId=700 + one["eventId"]) for one in HISTORY if one.get("objectId") == DEAL]
    here.take([*HISTORY, *odd, joined(730, "DEAL_TO_COMPANY", DEAL + 7, FIRM)])
    text = (Path(intake.__file__).parent / "hubspot" / "mapping.yaml").read_text()
    renamed = text.replace("closedwon: won", "closedwon: lost")
    assert renamed != text
    with here.company.scope():
        before = dict(Deal.objects.values_list("external_id", "stage"))
        field_mapping_set(endpoint=here.endpoint, text=renamed, note="Lost, they say", user=None)

    class Refusing(Take):
        def done(self) -> list[Change]:
            changes = super().done()
            if any(one.external_id == str(DEAL + 7) for one in self.records):
                raise DataError("no room for it")
            return changes

    monkeypatch.setattr(mappings, "Take", Refusing)
    while records_reread(here.company.tenant.pk):
        pass
    with here.company.scope():
        after = dict(Deal.objects.values_list("external_id", "stage"))
        assert (before[str(DEAL)], after[str(DEAL)]) == ("won", "lost")
        assert after[str(DEAL + 7)] == before[str(DEAL + 7)]
        work = Rereading.objects.get()
        assert work.finished_at and (work.done, work.failed) == (work.total, 1)
        assert work.error == f"deal {DEAL + 7}: DataError: no room for it"
