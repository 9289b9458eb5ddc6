"""Rates of exchange on their pages: found, entered, corrected, taken back; many from a file, whole or not at all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from comp.audit.models import AuditEntry
from comp.outbox.models import Message
from comp.people.models import ExchangeRate
from comp.people.selectors import rates_on, rates_standing
from comp.tenancy.capabilities import Role
from tests.factories import Company, company, member

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


@pytest.fixture
def acme() -> Company:
    return company("acme")


def client(acme: Company, role: Role = Role.SALES_OPS) -> Client:
    found = Client()
    found.force_login(member(acme, role), backend="django.contrib.auth.backends.ModelBackend")
    return found


def standing(acme: Company) -> list[tuple[str, date, str]]:
    with acme.scope():
        return [(str(row), row.starts_on, f"{row.rate.normalize():f}") for row in rates_standing()]


def enter(ops: Client, rate: str, day: date, **more: str) -> int:
    said = {"source": "gbp", "target": "USD", "kind": "spot", "rate": rate, "starts_on": day.isoformat(), **more}
    return ops.post("/t/acme/rates/new/", said).status_code


def upload(ops: Client, text: str, status: int = 200) -> str:
    answer = ops.post("/t/acme/rates/upload/", {"file": SimpleUploadedFile("rates.csv", text.encode())})
    assert answer.status_code == status
    return answer.content.decode()


def test_a_rate_is_entered_found_corrected_and_taken_back(acme: Company) -> None:
    ops = client(acme)
    assert "No rates yet" in ops.get("/t/acme/rates/").content.decode()
    assert enter(ops, "1.25", JANUARY) == 302
    assert enter(ops, "1.30", MARCH) == 302
    assert enter(ops, "1.10", JANUARY, source="EUR", ends_on="2026-02-01") == 302
    for wrong in (
        {"rate": "0"},
        {"rate": "1_1"},
        {"rate": "1e1"},
        {"source": "XXZ"},
        {"source": "USD"},
        {"ends_on": "2026-01-01"},
    ):
        assert enter(ops, **{"rate": "1", "day": JANUARY, **wrong}) == 422
    assert standing(acme) == [
        ("GBP to USD (spot)", MARCH, "1.3"),
        ("EUR to USD (spot)", JANUARY, "1.1"),
        ("GBP to USD (spot)", JANUARY, "1.25"),
    ]
    with acme.scope():
        assert [row.source for row in rates_on(date(2026, 1, 31))] == ["EUR", "GBP"]
        assert [(row.source, row.starts_on) for row in rates_on(date(2026, 2, 1))] == [("GBP", JANUARY)]
        pk = ExchangeRate.objects.get(source="GBP", starts_on=JANUARY).pk
    shown = ops.get("/t/acme/rates/?on=2026-02-01").content.decode()
    assert "1.25" in shown and "EUR to USD" not in shown
    assert "No rate holds" in ops.get("/t/acme/rates/?on=2025-02-01").content.decode()
    assert "1.1000000000" in ops.get("/t/acme/rates/?pair=EUR/USD&format=csv").content.decode()
    # A correction is a revision, with who said it; so is what is taken back.
    ops.post(f"/t/acme/rates/{pk}/change/", {"rate": "1.26", "act": "say"})
    ops.post(f"/t/acme/rates/{pk}/change/", {"act": "back"})
    shown = ops.get(f"/t/acme/rates/{pk}/").content.decode()
    assert "taken back" in shown and "1.26" in shown and shown.count("Sales Ops") >= 3
    assert [row[1] for row in standing(acme)] == [MARCH, JANUARY]
    with acme.scope():
        assert AuditEntry.objects.filter(code="rate.set").count() == 5


def test_a_file_counts_whole_or_not_at_all(acme: Company) -> None:
    ops = client(acme)
    assert "Unknown column" in upload(ops, "source,from,rate,colour\nGBP,2026-01-01,1.25,red\n", 422)
    assert "is missing" in upload(ops, "source,from\nGBP,2026-01-01\n", 422)
    text = "source,from,rate,until\nGBP,2026-01-01,1.25,\n\nGBP,2026-02-01,1.27,\nEUR,2026-01-01,1.10,2026-02-01\n"
    shown = upload(ops, text.replace("1.27", "none").replace("2026-02-01,1", "01.02.2026,1"))
    assert "1 row cannot be read" in shown and "Line </span>4</th>" in shown and standing(acme) == []
    shown = upload(ops, text)
    assert "Enter 3 rates" in shown and standing(acme) == []
    assert "2 rates" not in shown
    assert ops.post("/t/acme/rates/upload/", {"checked": text}).status_code == 302
    assert [row[1] for row in standing(acme)] == [FEBRUARY, JANUARY, JANUARY]
    # Of each pair the rooms above hear once.
    with acme.scope():
        news = {m.payload["source"]: m.payload for m in Message.objects.filter(topic="rates.changed")}
    assert (news["GBP"]["from"], news["GBP"]["to"]) == ("2026-01-01", None)
    assert news["GBP"]["label"] == "GBP to USD (spot) 2 rates from 1 January 2026"
    assert news["EUR"]["label"] == "EUR to USD (spot) 1.1 from 1 January 2026"
    # The same again is nothing new; what is wrong in what comes back is said again, and nothing counts.
    ops.post("/t/acme/rates/upload/", {"checked": text})
    assert ops.post("/t/acme/rates/upload/", {"checked": text.replace("1.25", "-1")}).status_code == 200
    assert len(standing(acme)) == 3
    # What comes back is held to what an upload is: nothing crafted is more, or anything else.
    more = text + "".join(f"GBP,{date(2000, 1, 1) + timedelta(days=n)},1.25,\n" for n in range(5_001))
    for crafted, said in (
        (more, "The file has 5,004 rows; allowed are 5,000 rows."),
        ("source,rate\n", "The column &#x27;from&#x27; is missing"),
        ("source,from,rate,rate\n", "stands there twice"),
        ("source,from,rate\nGBP,2026-01-01,1.25,GBP\n", "Line 2 has 4 cells; the first line names 3 columns."),
        ('source,from,rate\n"' + "1" * 140_000 + '"\n', "cannot be read as a table"),
    ):
        back = ops.post("/t/acme/rates/upload/", {"checked": crafted})
        assert back.status_code == 422 and said in back.content.decode(), said
    with acme.scope():
        assert ExchangeRate.objects.count() == 3


def test_others_read_and_do_not_say(acme: Company) -> None:
    enter(client(acme), "1.25", JANUARY)
    fay = client(acme, Role.FINANCE)
    shown = fay.get("/t/acme/rates/").content.decode()
    assert "1.25" in shown and "Enter a rate" not in shown
    assert enter(fay, "1.5", MARCH) == 403
    assert client(acme, Role.REPRESENTATIVE).get("/t/acme/rates/").status_code == 403
