"""The way of a file through the pages: uploaded, matched, looked at, taken in, and its bad rows back again."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from comp.tenancy.capabilities import Role
from crediting.models import Deal, HookEndpoint, Upload
from crediting.services import uploads
from crediting.services.mailbox import mailbox_drain
from tests.factories import Company, company, member
from tests.intake.sending import catalogue

HEADER = "Deal,Sales agent,Product,Account,Close value,Close date,Note\n"
ROWS = "D1,ann,gtx-pro,acme,1054.10,2026-03-01,fine\nD2,ann,gtx-pro,acme,-5.50,1 March,=cmd()\n"


class Desk:
    """Someone of Sales Ops at the pages."""

    def __init__(self, of: Company) -> None:
        self.company, self.client = of, Client()
        self.client.force_login(member(of, Role.SALES_OPS, "Olga"), "django.contrib.auth.backends.ModelBackend")
        self.client.get("/t/acme/")

    def post(self, page: str, **data: Any) -> Any:
        return self.client.post(f"/t/acme/uploads/{page}", data, follow=True)

    def add(self, content: str | bytes, **data: Any) -> Any:
        raw = content.encode() if isinstance(content, str) else content
        given = {"event": "deal.won", "endpoint": "new", "name": "Old CRM", **data}
        return self.post("", file=SimpleUploadedFile("deals.csv", raw), **given)

    def matched(self, upload: Upload, **other: str) -> Any:
        columns = {f"column-{place}": upload.columns.get(name, "") for place, name in enumerate(upload.header)}
        forms = {"days": "YYYY-MM-DD", "numbers": "1234.5"}
        said = self.post(f"{upload.pk}/match/", **{**columns, **forms, **other})
        self.work()
        return said

    def work(self) -> None:
        while mailbox_drain(self.company.tenant.pk):
            pass

    def last(self) -> Upload:
        with self.company.scope():
            return Upload.objects.latest("id")

    def page(self, upload: Upload, more: str = "") -> str:
        return self.client.get(f"/t/acme/uploads/{upload.pk}/{more}").content.decode()


@pytest.fixture
def desk(db: None) -> Desk:
    acme = company("acme")
    with acme.scope():
        catalogue(acme)
    return Desk(acme)


def test_a_file_goes_its_way_and_its_bad_rows_come_back(desk: Desk) -> None:
    said = desk.add(HEADER + ROWS).content.decode()
    upload = desk.last()
    assert "What its columns are" in said and "1054.10" in said and "Old CRM" in said
    with desk.company.scope():
        assert HookEndpoint.objects.get(key="old-crm").adapter == "file"

    assert "Checking" in desk.matched(upload, **{"column-6": "custom"}).content.decode()
    page = desk.page(upload)
    assert "Take in 1 row" in page and "It concerns Ann" in page and "1 of 1 rows" in page
    assert "Still needed" not in page

    answer = desk.client.get(f"/t/acme/uploads/{upload.pk}/progress/?v=x")
    assert answer["HX-Refresh"] == "true"

    desk.post(f"{upload.pk}/take/", act="take")
    desk.work()
    page = desk.page(upload)
    assert "What became of it" in page and "1 done" in page
    with desk.company.scope():
        deal = Deal.objects.get()
        assert (deal.amount_minor, deal.custom) == (105410, {"note": "fine"})

    delivery = desk.client.get(f"/t/acme/deliveries/{desk.last().delivery_id}/").content.decode()
    assert "The file deals.csv, packed to" in delivery and "1 done" in delivery

    download = desk.client.get(f"/t/acme/uploads/{upload.pk}/to-correct/").content.decode()
    [header, bad] = csv.reader(io.StringIO(download))
    assert header[-2:] == ["Line", "What is wrong"] and bad[:2] == ["D2", "ann"]
    assert bad[4] == "-5.50" and bad[6] == "'=cmd()" and "close_date" in bad[8]

    desk.add(download.replace("1 March", "2026-03-02"), endpoint=str(upload.endpoint_id), name="")
    again = desk.last()
    assert again.header == upload.header and again.columns["Note"] == "custom.note"
    desk.matched(again, **{"column-6": "custom"})
    desk.post(f"{again.pk}/take/", act="take")
    desk.work()
    with desk.company.scope():
        deal = Deal.objects.get(external_id="D2")
        assert (deal.amount_minor, deal.custom) == (-550, {"note": "=cmd()"})
    assert desk.client.get("/t/acme/uploads/").content.decode().count("Taken in") == 2


def test_what_is_wrong_is_told_and_nothing_kept(desk: Desk) -> None:
    said = desk.add("a,a\n1,2\n")
    assert said.status_code == 422 and "Two columns are called" in said.content.decode()
    assert desk.add(HEADER + ROWS, name="").status_code == 422
    with desk.company.scope():
        assert not Upload.objects.exists()


def test_a_match_that_lacks_a_field_is_told(desk: Desk) -> None:
    desk.add(HEADER + ROWS)
    said = desk.matched(desk.last(), **{"column-0": ""})
    assert said.status_code == 422 and "No column is matched to deal" in said.content.decode()


def test_a_file_can_be_discarded(desk: Desk) -> None:
    desk.add(HEADER + ROWS)
    assert "is discarded" in desk.post(f"{desk.last().pk}/take/", act="discard").content.decode()
    assert "Discarded" in desk.page(desk.last())


def test_a_page_does_not_grow_with_its_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crediting.services.uploads.PART", 5)
    sizes, queries = [], []
    for rows in (25, 500):
        lines = [f"D{number},ann,gtx-pro,acme,many,2026-03-01,fine\n" for number in range(rows)]
        desk.add(HEADER + "".join(lines), name=f"Old {rows}")
        upload = desk.last()
        desk.matched(upload)
        with CaptureQueriesContext(connection) as asked:
            sizes.append(len(desk.page(upload)))
        queries.append(len(asked))
        assert desk.page(upload, "to-correct/").count("\n") == rows + 1
    monkeypatch.setattr(uploads, "BAD_MOST", 100)
    assert desk.page(upload, "to-correct/").count("\n") == 101
    assert "It holds the first 100" in desk.page(upload)
    assert queries[0] == queries[1] and abs(sizes[0] - sizes[1]) < 500


def test_a_worker_that_dies_in_the_middle_of_a_check_loses_and_doubles_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crediting.services.uploads.PART", 5)
    desk.add(HEADER + "".join(f"D{number},ann,gtx-pro,acme,5.00,2026-03-01,fine\n" for number in range(30)))
    check, calls = uploads._check, []

    def dies(upload: Upload, *args: Any) -> int:
        found = check(upload, *args)
        calls.append(upload.step)
        if len(calls) == 3:
            raise SystemExit("killed")  # as a signal ends a worker: no handler of ours catches it
        return found

    monkeypatch.setattr(uploads, "_check", dies)
    with pytest.raises(SystemExit):
        desk.matched(desk.last())
    assert desk.last().step == 2 and desk.last().counts["good"] == 10
    desk.work()
    assert (desk.last().state, desk.last().counts["good"]) == ("checked", 30)
