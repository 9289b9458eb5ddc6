"""The new deals of a large file are told once, when all of it is in: what they earn is the same, and nothing is closed
before they do."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from typing import Any

import pytest
from django.db import InterfaceError

from comp.outbox.models import Message
from comp.outbox.selectors import messages_waiting
from comp.outbox.services import messages_drain, news_hold
from comp.people.services import reporting_line_set
from crediting.models import Deal, DealRevision, RawDelivery, Upload
from crediting.services import loads, mailbox, uploads
from crediting.services.bulk import api_endpoint, bulk_receive
from crediting.services.mailbox import mailbox_drain
from payouts.models import Cause, Earning, FigureChange, RecomputeJob
from payouts.services.batch_steps import BatchError
from payouts.services.claims import scopes_recompute
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.intake.sending import deal
from tests.intake.test_files_become_facts import GOOD, HEADER, Files
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_one_bad_row_stops_nobody_else import also_bob

pytestmark = pytest.mark.django_db
ROWS = "".join(
    GOOD.replace("D1,ann", f"D{number},{('ann', 'bob')[number % 2]}").replace(
        "2026-03-01", f"2026-0{1 + number % 3}-1{number % 7}"
    )
    for number in range(12)
)


def rising(slug: str) -> House:
    """Ann and Bob sell; Max earns on what Ann sells."""
    text = plan_text().replace("roll_up: []", "roll_up: [{from: [ae], to: manager, levels: 1, limit: 100%}]")
    found = house(text.replace("roles: [ae]", "roles: [ae, manager]"), slug=slug)
    also_bob(found)
    with found.acme.scope():
        top = person(found.acme, "Max")
        reporting_line_set(participant=found.ann, manager=top, starts_on=date(2026, 1, 1))
        plans.assignment_set(participant=top, plan=Plan.objects.get(), starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=top, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    found.work()
    return found


def asked_to_take(of: House) -> Upload:
    """A file that is checked, and asked to be taken in."""
    place = Files(of.acme)
    upload = place.checked(HEADER + ROWS)
    with of.acme.scope():
        uploads.upload_take(upload=upload, taken_by=None)
    return upload


def figures(of: House) -> list[str]:
    with of.acme.scope():
        rows = Earning.objects.values_list(
            "deal__external_id", "participant__key", "period", "earned_minor", "before_minor"
        )
        return sorted(map(repr, rows))


def test_it_earns_what_its_rows_earn_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART", 5)
    one_by_one = rising("one-by-one")
    asked_to_take(one_by_one)
    one_by_one.work()
    with one_by_one.acme.scope():
        assert Cause.objects.exclude(deal=None).count() == 12

    monkeypatch.setattr(uploads, "TOLD_EACH", 5)
    acme = rising("acme")
    upload, tenant = asked_to_take(acme), acme.acme.tenant.pk
    assert mailbox_drain(tenant) == 5, "one part"
    assert messages_drain(tenant) == scopes_recompute(tenant) == 0
    # Some of it is in, and no figure is redone for it yet; no period can be closed meanwhile.
    with acme.acme.scope():
        assert Deal.objects.count() == 5 and not Earning.objects.exists() and not RecomputeJob.objects.exists()
        assert messages_waiting() == 1
    with pytest.raises(BatchError, match="not today's"):
        acme.close(date(2026, 1, 1))
    acme.work()
    with acme.acme.scope():
        assert Upload.objects.get(pk=upload.pk).state == "taken" and messages_waiting() == 0
        cause = Cause.objects.get(delivery=Upload.objects.get(pk=upload.pk).delivery)
        assert cause.label == "f.csv taken in: 12 rows" and cause.deal is None
        job = RecomputeJob.objects.get(cause=cause)
        assert job.ended_at and job.people == 3
        assert FigureChange.objects.filter(cause=cause).exists()
        assert Message.objects.filter(topic="facts.loaded").count() == 1
    assert figures(acme) == figures(one_by_one) and len(figures(acme)) == 18


def test_a_file_that_stops_tells_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART", 5)
    monkeypatch.setattr(uploads, "TOLD_EACH", 5)
    acme = rising("acme")
    upload = asked_to_take(acme)
    assert mailbox_drain(acme.acme.tenant.pk) == 5
    with monkeypatch.context() as broken:
        broken.setattr(uploads, "_ids", lambda *_: 1 / 0)
        acme.work()
    with acme.acme.scope():
        assert Upload.objects.get(pk=upload.pk).state == "failed" and messages_waiting() == 0
        assert {key for (key,) in Earning.objects.values_list("deal__external_id")} == {f"D{n}" for n in range(5)}
    # Uploaded again, what is missing is taken.
    again = Files.__new__(Files)
    again.company, again.endpoint = acme.acme, upload.endpoint
    assert again.taken(HEADER + ROWS).counts["delivered"] == 7
    acme.work()
    with acme.acme.scope():
        assert Earning.objects.values("deal").distinct().count() == 12


def test_where_deliveries_never_end_a_file_goes_on_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART", 5)
    monkeypatch.setattr(mailbox, "LIMIT", 1)
    monkeypatch.setattr(mailbox, "SELDOM", 3)
    monkeypatch.setattr(mailbox, "_passed", Counter())
    acme = rising("acme")
    upload = asked_to_take(acme)
    steps = []
    for number in range(7):
        acme.won(f"E{number}", "1000.00", "2026-01-11")
        assert mailbox_drain(acme.acme.tenant.pk) == 1, "what came last is taken too"
        with acme.acme.scope():
            steps.append(Upload.objects.get(pk=upload.pk).step)
    assert steps == [0, 0, 1, 1, 1, 2, 2]


def test_a_part_that_was_broken_off_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes away in the middle of any part leaves nothing of it, and the next look goes on there."""
    monkeypatch.setattr(uploads, "PART", 5)
    monkeypatch.setattr(uploads, "TOLD_EACH", 5)
    acme = rising("acme")
    upload, tenant = asked_to_take(acme), acme.acme.tenant.pk

    def gone(*_: object) -> None:
        raise InterfaceError("connection already closed")

    for part in range(3):
        with monkeypatch.context() as broken:
            broken.setattr(mailbox, "changes_tell", gone)
            with pytest.raises(InterfaceError):
                mailbox_drain(tenant)
        with acme.acme.scope():
            assert Upload.objects.get(pk=upload.pk).step == part and Deal.objects.count() == 5 * part
        assert mailbox_drain(tenant) == (5, 5, 2)[part]
    acme.work()
    with acme.acme.scope():
        rows = RawDelivery.objects.filter(parent__isnull=False)
        assert rows.count() == Deal.objects.count() == DealRevision.objects.count() == 12
        assert {row.state for row in rows} == {"done"} and Earning.objects.values("deal").distinct().count() == 12


def test_large_calls_of_the_api_are_news_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls, taken one after the other in parts: their new deals are told when nothing waits any more, what was
    known is told at once; and it earns what they earn one by one."""
    found = []
    for slug, each in (("one-by-one", 5_000), ("together", 5)):
        monkeypatch.setattr(loads, "TOLD_EACH", each)
        monkeypatch.setattr(mailbox, "LIMIT", 4)
        monkeypatch.setattr(mailbox, "BYTES", 1_500)
        acme = rising(slug)
        with acme.acme.scope():
            endpoint = api_endpoint()
        for call in ("one", "two"):
            events = [
                deal("won", deal=f"D{n}", owner=("ann", "bob")[n % 2], amount="1000.00", close_date="2026-02-03")
                | {"id": f"{call}-{n}"}
                for n in range(8 if call == "one" else 10)
            ]
            with acme.acme.scope():
                bulk_receive(
                    endpoint=endpoint, key=call, body=json.dumps(events).encode(), items=len(events), sender="k"
                )
        tenant = acme.acme.tenant.pk
        taken = [mailbox_drain(tenant) for _ in range(4)]
        assert taken == [1, 1, 4, 4], "one body at a time, then parts of what it holds"
        with acme.acme.scope():
            topics = set(Message.objects.filter(done_at=None).values_list("topic", flat=True))
            assert topics == {"facts.loaded" if slug == "together" else "facts.changed"}
        if slug == "together":
            assert messages_drain(tenant) == 0
        acme.work()
        with acme.acme.scope():
            assert messages_waiting() == 0 and Deal.objects.count() == 10
            assert Cause.objects.filter(deal=None, label="API: facts in bulk").count() == (slug == "together")
        found.append(figures(acme))
    assert found[0] == found[1] and len(found[0]) == 15


@pytest.mark.django_db(transaction=True)
def test_held_news_is_handed_on_by_who_has_the_intake_lock(
    owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever adds to held news has the lock: nobody else writes its row meanwhile and keeps them waiting."""
    acme = house()
    tenant = acme.acme.tenant.pk
    with acme.acme.scope():
        payload = {"label": "API", "delivery": None, "endpoint": 1, "people": {}}
        held = news_hold(topic=loads.LOADED, payload=payload, message=None)
    released: list[int] = []
    monkeypatch.setattr(loads, "news_release", lambda message: released.append(message))
    with owner_connection.cursor() as other:
        other.execute("SELECT pg_advisory_lock(7002, %s)", [tenant])
        assert mailbox_drain(tenant) == 0 and released == []
        other.execute("SELECT pg_advisory_unlock(7002, %s)", [tenant])
    assert mailbox_drain(tenant) == 0 and released == [held]
