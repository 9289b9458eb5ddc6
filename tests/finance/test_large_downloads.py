"""Downloads of large batches: made by workers part by part, kept as they are, for who may have them now."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.outbox import services as outbox
from comp.people.models import PayGroup
from comp.tenancy.models import Membership
from payouts.models import Download, DownloadPart
from payouts.services import downloads
from payouts.services.holds import hold_place
from payouts.tasks import days_come
from tests.finance.cast import FEBRUARY, World
from tests.finance.test_finance_pages import text
from tests.finance.test_payroll import batch_of, exported


def made(world: World) -> Download:
    """All that waits is made; the newest of it."""
    while downloads.downloads_drain(world.tenant.pk):
        pass
    with world.scope():
        return Download.objects.latest("id")


def table(body: bytes) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The rows of the file in a ZIP, and what its control says."""
    pack = zipfile.ZipFile(io.BytesIO(body))
    name, control = pack.namelist()
    assert control == "control.csv"
    rows, says = (list(csv.DictReader(io.StringIO(pack.read(one).decode()))) for one in (name, control))
    return rows, says[0]


def test_large_downloads_are_made_by_workers(paying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five lines of four people, written two at a time."""
    with paying.scope():
        batch = batch_of(paying)
    fiona, list_url = paying.client("fiona"), paying.url("downloads/")
    lines = paying.url(f"payouts/{batch.pk}/?view=lines&csv=1")
    small = fiona.get(lines).content.decode()
    assert "No download" in text(fiona.get(list_url))
    monkeypatch.setattr(downloads, "LINES", 4)
    monkeypatch.setattr(downloads, "PART", 2)
    monkeypatch.setattr(downloads, "BEGINS", timedelta(0))
    assert "is large: workers make the file" in text(fiona.get(lines, follow=True))
    assert "0 of 4" in text(fiona.get(list_url)) and fiona.get(lines).status_code == 302
    assert downloads.downloads_drain(paying.tenant.pk) == 1
    assert "1 of 4" in text(fiona.get(paying.url("downloads/progress/")))
    # A worker that is killed in a part leaves the parts before it, and the next one goes on behind them.
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(downloads.DownloadPart.objects, "create", _killed)
        downloads.downloads_drain(paying.tenant.pk)
    done = made(paying)
    assert (done.state, done.rows, done.totals) == ("done", batch.lines, batch.totals)
    url = paying.url(f"downloads/{done.pk}/")
    got = fiona.get(url)
    rows, control = table(got.content)
    assert sorted(map(str, rows)) == sorted(map(str, csv.DictReader(io.StringIO(small)))), "each line once"
    assert (control["rows"], control["total"], control["digest of the batch"]) == ("5", "163.15", batch.digest)
    assert "1 file" in text(fiona.get(list_url)) and "$163.15" in text(fiona.get(list_url))
    # Asked for again it is the same file, whatever people are called meanwhile.
    with paying.scope():
        paying.people["R1"].name = "Rita Married"
        paying.people["R1"].save()
    assert fiona.get(lines).status_code == 302 and made(paying) == done
    assert fiona.get(url).content == got.content and got["Content-Type"] == "application/zip"
    with paying.scope():
        assert not DownloadPart.objects.exists()
        told = AuditEntry.objects.filter(code="download.fetch")
        assert told.count() == 2 and told[0].after["sha256"] == done.sha256
    for view in ("people", "deals"):
        assert fiona.get(paying.url(f"payouts/{batch.pk}/?view={view}&csv=1")).status_code == 302
        rows, control = table(bytes(made(paying).body))
        assert control["total"] == "163.15" and control["rows"] == str(len(rows))
    assert fiona.get(paying.url(f"payouts/{batch.pk}/?view=lines&csv=1&person=R1"))["Content-Type"].startswith("text/")

    # Of the open period it is what stands when it is made, and only while it is open.
    for place in range(5):
        paying.earn("S1", f"E-{place}", 1_00, date(2026, 2, 3))
    opened = paying.url("payouts/open/sales/?view=lines&csv=1")
    fiona.get(opened)
    assert table(bytes(made(paying).body))[1]["total"] == "5.00"
    fiona.get(opened)
    paying.submit(FEBRUARY)
    assert made(paying).error == "Its period was locked meanwhile: ask of its batch."

    # After its days it is dropped, whether anybody asks for another or not.
    with paying.scope():
        Download.objects.filter(kind="people").update(asked_at=timezone.now() - timedelta(days=8))
    assert days_come() == 1
    with paying.scope():
        assert not Download.objects.filter(kind="people").exists() and Download.objects.filter(pk=done.pk).exists()

    _payroll(paying, batch.pk)
    _who(paying, url)
    with paying.scope():
        assert downloads.downloads_erase(paying.people["R1"]) and not Download.objects.exists()
    assert fiona.get(url).status_code == 404


def test_what_no_worker_gets_through_is_given_up(paying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while a part is made nothing is written down any more but that it was tried."""
    with paying.scope():
        batch = batch_of(paying)
    monkeypatch.setattr(downloads, "LINES", 4)
    monkeypatch.setattr(downloads, "PART", 2)
    monkeypatch.setattr(downloads, "BEGINS", timedelta(0))
    fiona, lines = paying.client("fiona"), paying.url(f"payouts/{batch.pk}/?view=lines&csv=1")
    fiona.get(lines)
    assert downloads.downloads_drain(paying.tenant.pk) == 1, "its first part"

    def tried() -> list[tuple[str, str, int, int]]:
        with paying.scope():
            return list(Download.objects.order_by("id").values_list("kind", "state", "step", "attempts"))

    def stopped(error: type[BaseException]) -> None:
        def raised(**said: Any) -> None:
            raise error

        with monkeypatch.context() as patch, pytest.raises(error):
            patch.setattr(downloads.DownloadPart.objects, "create", raised)
            downloads.downloads_drain(paying.tenant.pk)

    stopped(KeyboardInterrupt)
    assert tried() == [("lines", "building", 1, 1)]
    # What comes meanwhile does not wait for it.
    fiona.get(paying.url(f"payouts/{batch.pk}/?view=people&csv=1"))
    assert downloads.downloads_drain(paying.tenant.pk) == downloads.downloads_drain(paying.tenant.pk) == 1
    assert tried() == [("lines", "building", 1, 1), ("people", "done", 2, 1)]
    for _ in range(downloads.ATTEMPTS - 1):
        stopped(KeyboardInterrupt)
    assert tried()[0] == ("lines", "building", 1, downloads.ATTEMPTS)
    fiona.get(paying.url(f"payouts/{batch.pk}/?view=deals&csv=1"))
    assert made(paying).state == "done", "nobody dies of it any more"
    assert [row[:2] for row in tried()] == [("lines", "failed"), ("people", "done"), ("deals", "done")]
    page = text(fiona.get(paying.url("downloads/")))
    assert "It could not be made. The workers that tried were stopped." in page

    # Asked for again it is tried again, each part as often as it takes within the limit.
    monkeypatch.setattr(downloads, "OWN_SECONDS", 0)
    fiona.get(lines)
    stopped(SoftTimeLimitExceeded)
    assert tried()[-1] == ("lines", "building", 0, 1)
    assert downloads.downloads_drain(paying.tenant.pk) == 1 and tried()[-1] == ("lines", "building", 1, 0)
    for _ in range(downloads.ATTEMPTS):
        stopped(SoftTimeLimitExceeded)
    assert made(paying).error == "It could not be made. It took longer than a worker may take."
    fiona.get(lines)
    assert (made(paying).state, made(paying).rows, made(paying).error) == ("done", 5, "")


def asked(world: World, monkeypatch: pytest.MonkeyPatch, **row: Any) -> Download:
    """A large download that waits for workers."""
    with world.scope():
        batch = batch_of(world)
    monkeypatch.setattr(downloads, "LINES", 4)
    world.client("fiona").get(world.url(f"payouts/{batch.pk}/?view=lines&csv=1"))
    with world.scope():
        Download.objects.update(**row)
        return Download.objects.get()


def now(world: World) -> tuple[str, int, int]:
    with world.scope():
        return Download.objects.values_list("state", "step", "attempts").get()


def test_who_took_the_last_try_is_let_begin_it(paying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker comes between the count of the last try and the part: it gives nothing up, and takes nothing."""
    asked(paying, monkeypatch, attempts=downloads.ATTEMPTS - 1)
    making, others = downloads._made, []

    def made_late(tenant_id: int, pk: int) -> int:
        monkeypatch.setattr(downloads, "_made", making)
        others.append(downloads.downloads_drain(tenant_id))
        return making(tenant_id, pk)

    monkeypatch.setattr(downloads, "_made", made_late)
    assert downloads.downloads_drain(paying.tenant.pk) == 1
    assert others == [0] and now(paying) == ("building", 1, 0)
    # Who is not heard of after that was killed.
    long_ago = timezone.now() - 2 * downloads.BEGINS
    with paying.scope():
        Download.objects.update(attempts=downloads.ATTEMPTS, tried_at=long_ago)
    assert made(paying).error == "It could not be made. The workers that tried were stopped."


def test_what_is_not_the_parts_fault_is_not_counted(paying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(paying, monkeypatch)

    def says(code: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$BEGIN RAISE EXCEPTION 'relation 4711' USING ERRCODE = '{code}'; END$$")

    def late() -> None:
        raise SoftTimeLimitExceeded

    def struck(by: Callable[[], None]) -> None:
        with monkeypatch.context() as patch, pytest.raises((OperationalError, SoftTimeLimitExceeded)):
            patch.setattr(downloads.DownloadPart.objects, "create", lambda **said: by())
            downloads.downloads_drain(paying.tenant.pk)

    for code in downloads._OTHERS:
        struck(partial(says, code))
        assert now(paying) == ("building", 0, 0), code
    struck(late)
    assert now(paying) == ("building", 0, 0), "it began behind a large step"
    full = "53100"
    for tries in range(1, downloads.ATTEMPTS + 1):
        struck(partial(says, full))
        assert now(paying) == ("building", 0, tries), "the same part will fill the disk again"
    assert made(paying).error == "It could not be made. The database did not answer."
    assert "4711" not in text(paying.client("fiona").get(paying.url("downloads/")))


def test_what_breaks_a_file_off_is_told_in_the_log(
    paying: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked(paying, monkeypatch)

    def breaks(**said: Any) -> None:
        raise KeyError("column_17")

    monkeypatch.setattr(downloads.DownloadPart.objects, "create", breaks)
    assert made(paying).error == "It broke off. The log of the workers says why."
    assert "column_17" in caplog.text


def test_a_file_that_is_stopped_keeps_no_erasure_waiting() -> None:
    """A drain that raises ends the task of its queue."""
    order = list(outbox._drains)
    assert order.index("erasures") < min(order.index("downloads"), order.index("evidence"))


def _killed(**said: Any) -> None:
    raise KeyboardInterrupt


def _payroll(world: World, pk: int) -> None:
    """Payroll's file, once more: as it went out, and not while somebody in it is held."""
    fiona = world.client("fiona")
    run = exported(world)
    assert "is large" in text(fiona.post(world.url(f"payouts/{pk}/export/"), follow=True))
    done = made(world)
    assert (done.kind, done.rows, done.totals) == ("payroll", run.payments, run.totals)
    url = world.url(f"downloads/{done.pk}/")
    assert fiona.get(url).content == bytes(done.body) and b"Rita" in bytes(done.body)
    assert world.client("lena").get(url).status_code == 404, "it is payroll's"
    with world.scope():
        hold_place(participant=world.people["R1"], reason="Account is checked", by=world.users["fiona"])
    assert "is held since it was exported" in text(fiona.get(url, follow=True))


def _who(world: World, url: str) -> None:
    """Whoever sees the pay group's pay, at the moment of the download."""
    lena = world.client("lena")
    assert lena.get(url).status_code == 200 and world.client("ops").get(url).status_code == 403
    with world.scope():
        PayGroup.objects.create(key="west", name="West", calendar=world.group.calendar, opens_on=FEBRUARY)
        Membership.objects.filter(user=world.users["lena"]).update(pay_groups=["west"])
    assert lena.get(url).status_code == 404
