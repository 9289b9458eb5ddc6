"""A file's rows become facts as if a system had sent them: checked before, once, in parts, the bad ones set aside."""

from __future__ import annotations

import io
import tempfile
from typing import Any

import pytest
import xlsxwriter

from comp.core.errors import ProblemsError
from crediting.models import Account, DataIssue, Deal, DealRevision, Fact, RawDelivery, Upload, UploadPart
from crediting.services import uploads
from crediting.services.endpoints import endpoint_create
from crediting.services.mailbox import mailbox_drain
from tests.factories import Company, company
from tests.intake.sending import catalogue

HEADER = "Deal,Sales agent,Product,Account,Close value,Engage date,Close date\n"
GOOD = "D1,ann,gtx-pro,acme,1054.10,2026-01-10,2026-03-01\n"
FORMS = {"date_form": "YYYY-MM-DD", "decimal_form": "1234.5"}


class Files:
    """An endpoint for files of a company, and what happens to one."""

    def __init__(self, of: Company) -> None:
        self.company = of
        with of.scope():
            self.endpoint, _ = endpoint_create(key="files", name="Files", adapter="file")

    def add(self, content: str | bytes, event: str = "deal.won") -> Upload:
        with tempfile.TemporaryFile() as file, self.company.scope():
            file.write(content.encode() if isinstance(content, str) else content)
            return uploads.upload_add(endpoint=self.endpoint, event=event, name="f.csv", file=file, made_by=None)

    def checked(self, content: str | bytes, event: str = "deal.won", **forms: str) -> Upload:
        upload = self.add(content, event)
        with self.company.scope():
            uploads.upload_match(upload=upload, columns=upload.columns, **{**FORMS, **forms})
        return self.drained(upload)

    def take(self, upload: Upload) -> Upload:
        with self.company.scope():
            uploads.upload_take(upload=upload, taken_by=None)
        return self.drained(upload)

    def taken(self, content: str | bytes, event: str = "deal.won", **forms: str) -> Upload:
        return self.take(self.checked(content, event, **forms))

    def drained(self, upload: Upload) -> Upload:
        while mailbox_drain(self.company.tenant.pk):
            pass
        with self.company.scope():
            return Upload.objects.get(pk=upload.pk)

    def bad(self, upload: Upload) -> list[Any]:
        with self.company.scope():
            rows = UploadPart.objects.filter(upload=upload).order_by("place").values_list("bad", flat=True)
            return [row for part in rows for row in part]

    def amounts(self) -> dict[str, int | None]:
        with self.company.scope():
            return dict(Deal.objects.values_list("external_id", "amount_minor"))


@pytest.fixture
def files(db: None) -> Files:
    acme = company("acme")
    with acme.scope():
        catalogue(acme)
    return Files(acme)


def test_columns_are_matched_by_their_names(files: Files) -> None:
    upload = files.add(HEADER + GOOD)
    assert upload.columns == {
        "Deal": "deal", "Sales agent": "owner", "Product": "product", "Account": "account", "Close value": "amount",
        "Engage date": "engage_date", "Close date": "close_date",
    }  # fmt: skip
    assert (upload.state, upload.rows, upload.form["delimiter"]) == ("new", 1, "comma")


def test_nothing_is_stored_before_it_is_taken_in(files: Files) -> None:
    upload = files.checked(HEADER + GOOD + "D2,nobody,gtx-pro,acme,1,2026-01-10,2026-03-01\nD3,ann,gtx-pro,acme,x,,\n")
    assert upload.state == "checked"
    assert {key: upload.counts[key] for key in ("good", "bad", "same", "new", "changed")} == {
        "good": 2, "bad": 1, "same": 0, "new": 2, "changed": 0,
    }  # fmt: skip
    assert len(upload.counts["people"]) == 1
    assert [q[:2] + q[3:] for q in upload.questions] == [["owner", "nobody", 1]]
    assert files.bad(upload) == [[4, 'amount: found "x" in Close value, allowed is a decimal number like 1234.5']]
    with files.company.scope():
        assert not RawDelivery.objects.exists() and not Deal.objects.exists() and not DataIssue.objects.exists()


def test_good_rows_come_in_and_the_bad_ones_hold_none(files: Files) -> None:
    upload = files.taken(HEADER + GOOD + "D2,nobody,gtx-pro,acme,1,2026-01-10,2026-03-01\nD3,ann,gtx-pro,acme,x,,\n")
    assert (upload.state, upload.counts["delivered"]) == ("taken", 2)
    assert files.amounts() == {"D1": 105410}
    with files.company.scope():
        rows = RawDelivery.objects.filter(parent=upload.delivery_id).order_by("place")
        assert [(row.place, row.state) for row in rows] == [(2, "done"), (3, "waiting")]
        assert DataIssue.objects.get().value == "nobody"
        assert UploadPart.objects.get(upload=upload).rows[0][0] == 4  # kept, to be downloaded and fixed


def test_the_same_file_again_changes_nothing(files: Files) -> None:
    files.taken(HEADER + GOOD)
    again = files.checked(HEADER + GOOD)
    assert (again.counts["same"], again.counts["new"], again.counts["changed"]) == (1, 0, 0)
    assert files.take(again).counts["delivered"] == 0
    with files.company.scope():
        assert DealRevision.objects.count() == 1


def test_what_was_corrected_and_corrected_back_stands(files: Files) -> None:
    other = GOOD.replace("1054.10", "99.00")
    for content, cents in ((GOOD, 105410), (other, 9900), (GOOD, 105410), (GOOD, 105410), (other, 9900)):
        files.taken(HEADER + content)
        assert files.amounts() == {"D1": cents}
    with files.company.scope():
        assert DealRevision.objects.count() == 4


def test_of_two_rows_about_one_deal_the_later_counts(files: Files) -> None:
    upload = files.taken(HEADER + GOOD + GOOD.replace("1054.10", "7.00"))
    assert files.amounts() == {"D1": 700} and files.bad(upload) == [[2, "line 3 says it again, and counts"]]


def test_a_file_of_several_parts_is_taken_part_by_part(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART", 3)
    rows = [GOOD.replace("D1", f"D{place}") for place in range(8)]
    upload = files.add(HEADER + "".join(rows) + GOOD.replace("1054.10", "7.00"))
    assert upload.parts == 3
    with files.company.scope():
        uploads.upload_match(upload=upload, columns=upload.columns, **FORMS)
    seen = []
    while mailbox_drain(files.company.tenant.pk):
        with files.company.scope():
            seen.append(Upload.objects.get().step)
    assert seen == [1, 2, 3]
    upload = files.take(upload)
    amounts = files.amounts()
    assert len(amounts) == 8 and amounts.pop("D1") == 700 and set(amounts.values()) == {105410}
    # Again: both rows of D1 are told again, and the later one counts again.
    files.taken(HEADER + "".join(rows) + GOOD.replace("1054.10", "7.00"))
    assert files.amounts()["D1"] == 700


def test_the_match_is_remembered_by_the_columns(files: Files) -> None:
    upload = files.add("A,B,C,D,E\n" + "D1,ann,gtx-pro,acme,1\n")
    assert upload.columns == {}
    columns = {"A": "deal", "B": "owner", "C": "product", "D": "account", "E": "amount"}
    with files.company.scope():
        with pytest.raises(ProblemsError, match="No column is matched to deal, owner, product, account, amount"):
            uploads.upload_match(upload=upload, columns={}, **FORMS)
        with pytest.raises(ProblemsError, match="Two columns are matched to deal"):
            uploads.upload_match(upload=upload, columns={"A": "deal", "B": "deal"}, **FORMS)
        uploads.upload_match(upload=upload, columns=columns, **FORMS)
    assert files.add("A,B,C,D,E\n" + "D2,ann,gtx-pro,acme,1\n").columns == columns


def test_stages_and_forms_of_other_countries(files: Files) -> None:
    content = (
        "Deal;Owner;Product;Account;Amount;Stage;Close date\nD1;ann;gtx-pro;acme;1.054,10;Closed Won;01.03.2026\n"
        "D2;ann;gtx-pro;acme;;Engaged;\n"
    )
    upload = files.add(content, "deal.updated")
    assert (upload.form["days"], upload.form["numbers"]) == ("DD.MM.YYYY", "1.234,5")
    files.taken(content, "deal.updated", date_form="DD.MM.YYYY", decimal_form="1.234,5")
    with files.company.scope():
        rows = Deal.objects.order_by("external_id").values_list("stage", "amount_minor", "close_date")
        assert [(stage, amount, day and day.isoformat()) for stage, amount, day in rows] == [
            ("won", 105410, "2026-03-01"), ("engaged", None, None),
        ]  # fmt: skip


def test_a_workbook_of_invoices(files: Files) -> None:
    files.taken(HEADER + GOOD)
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        page, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(0, 0, ["Invoice number", "Deal", "Amount", "Invoice date", "Region"])
        page.write_row(1, 0, ["I-1", "D1", 1054.1])
        page.write_number(1, 3, 46082, day)
        page.write_string(1, 4, "=cmd()")
    upload = files.taken(out.getvalue(), "invoice.issued")
    assert upload.counts["good"] == 1, files.bad(upload)
    with files.company.scope():
        fact = Fact.objects.get(kind="invoice")
        assert (fact.external_id, fact.amount_minor, fact.day.isoformat()) == ("I-1", 105410, "2026-03-01")
        assert fact.values["region"] == "=cmd()" and fact.deal.external_id == "D1"


def test_accounts_and_hours_of_a_person(files: Files) -> None:
    files.taken("Account,Name,Sector,Country\nnew,New Ltd,technology,France\n", "account.updated")
    files.taken("Id,Person,Hours,Date\nH1,ann,7.5,2026-03-02\n", "hours.worked")
    with files.company.scope():
        assert Account.objects.get(key="new").country == "France"
        assert Fact.objects.get(kind="hours").values["quantity"] == "7.5"


def test_a_fault_of_ours_stops_that_file_alone(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = files.add(HEADER + GOOD)
    with files.company.scope():
        uploads.upload_match(upload=upload, columns=upload.columns, **FORMS)
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "rows_of", lambda *_: 1 / 0)
        assert files.drained(upload).state == "failed"
    assert files.taken(HEADER + GOOD).state == "taken"


@pytest.mark.parametrize(("content", "reason"), [("", "empty"), ("a,b\n", "no rows"), ("a,a\n1,2\n", "Two columns")])
def test_what_is_no_table_is_refused_and_leaves_nothing(files: Files, content: str, reason: str) -> None:
    with pytest.raises(ProblemsError, match=reason):
        files.add(content)
    with files.company.scope():
        assert not Upload.objects.exists() and not UploadPart.objects.exists()


def test_only_what_was_checked_is_taken_and_what_is_discarded_is_gone(files: Files) -> None:
    upload = files.add(HEADER + GOOD)
    with files.company.scope():
        with pytest.raises(ProblemsError, match="to be matched; it has to be checked"):
            uploads.upload_take(upload=upload, taken_by=None)
        uploads.upload_discard(upload=upload)
        assert not UploadPart.objects.exists()
        with pytest.raises(ProblemsError, match="discarded"):
            uploads.upload_match(upload=upload, columns=upload.columns, **FORMS)
