"""Downloads of large batches and open periods: asked for within a request, made by workers, kept and fetched as they
are. docs/algorithms/batches.md

The lines of a batch are taken in the order of people and lines, so that a worker that is killed loses one part and
writes no line twice. What is of a moment (an open period, sums by person or deal) is read by one statement.
That a part is tried is counted before, so one that no worker gets through is given up, and keeps no other job waiting.
What is not the part's fault is not counted against it.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import logging
import time
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import get_valid_filename

from comp.audit.services import record
from comp.core.errors import CompError, refused, told
from comp.core.money import parse_money, plain_money
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring
from comp.outbox.tasks import JOB_SECONDS
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.scope import Actor, Pay, Scope, current_tenant_id, tenant_scope
from comp.web.csv import safe_cell
from payouts.exports.files import File
from payouts.models import Batch, Download, DownloadPart, PayrollFile, PayrollProvider, PayrollRun
from payouts.reads import batch_tables as tables
from payouts.selectors_batches import Subject, open_of
from payouts.services import payroll_files
from payouts.services.large import LINES

log = logging.getLogger(__name__)

Kind, State = Download.Kind, Download.State
#: More people than these make a download large, as more lines than LINES do.
PEOPLE = 5_000
#: How many lines a worker writes at a time, and how many days a file is kept.
PART, KEPT_DAYS = 50_000, 7
#: A part that its workers do not survive, or not within their time, is tried so often.
ATTEMPTS = 5
#: Between counting a try and holding the row its worker is let begin for so long; later it is taken for killed.
BEGINS = timedelta(seconds=10)
#: A part that is stopped before it had so much of a task's time began late, behind other jobs, and is not to blame.
OWN_SECONDS = JOB_SECONDS / 2
#: What PostgreSQL says where another transaction or an administrator ended this one: serialization failure, deadlock,
#: lock not available, shutdown, not up yet. A connection that is lost without a word is counted: the part may have
#: taken the server's memory, and would do so for ever.
_OTHERS = ("40001", "40P01", "55P03", "57P01", "57P03")
#: Of each table its header, and which of its columns are the currency and the amount that are added up.
_HEADERS: dict[str, tuple[Sequence[str], int, int]] = {
    Kind.PEOPLE: (tables.PEOPLE, 2, 6),
    Kind.DEALS: (tables.DEALS, 5, 6),
    Kind.LINES: (tables.LINES, 9, 10),
}
#: The time that every entry of a ZIP says, so that equal files make an equal ZIP.
_MOMENT = (2000, 1, 1, 0, 0, 0)


def is_large_of(subject: Subject) -> bool:
    """Whether a download of it is a job."""
    if isinstance(subject, Batch):
        return subject.lines > LINES or subject.people > PEOPLE
    return subject.lines[LINES : LINES + 1].exists()


def download_ask(*, of: Subject, kind: Download.Kind, name: str, said: dict[str, Any], by: User) -> Download:
    """Asks for a file; of a batch whose file is made or kept already it is that one, byte for byte."""
    batch = of if isinstance(of, Batch) else None
    if kind == Kind.PAYROLL and not PayrollRun.objects.filter(batch=batch).exists():
        raise refused("batch", of, "one that was exported", f"{of}: nothing of it went to payroll yet.")
    downloads_expire()
    said = said if batch is not None else {**said, "starts_on": of.starts_on.isoformat()}
    same = Download.objects.filter(pay_group=of.pay_group, batch=batch, kind=kind, said=said).defer("body")
    if found := same.filter(state__in=[State.BUILDING, State.DONE] if batch else [State.BUILDING]).first():
        return found
    by_parts = batch is not None and kind == Kind.LINES
    made = Download.objects.create(
        kind=kind,
        batch=batch,
        pay_group=of.pay_group,
        said=said,
        name=name[:200],
        asked_by=by,
        steps=1 + (-(-batch.lines // PART) if by_parts and batch is not None else 1),
    )
    record(code="download.ask", subject=batch or of.pay_group, after={"download": made.pk, "kind": str(kind)})
    ring(tenant_id=current_tenant_id(), queue=JOBS)
    return made


def downloads_drain(tenant_id: int) -> int:
    """Makes the next part of a file, or packs it; 0 where none is being made. What was never tried goes first.

    The attempt is counted in a transaction before that of the part: a worker that is killed can count nothing."""
    with _of_workers(tenant_id):
        begun = Q(tried_at__gt=timezone.now() - BEGINS)  # by a worker that may be about to hold it
        download = _next(Download.objects.exclude(begun).order_by("attempts", "id"))
        if download is None:
            return 0
        if download.attempts >= ATTEMPTS:
            _failed(download, f"It could not be made. {download.error or 'The workers that tried were stopped.'}")
            return 1
        download.attempts, download.tried_at = download.attempts + 1, timezone.now()
        download.save(update_fields=["attempts", "tried_at"])
    began = time.monotonic()
    try:
        return _made(tenant_id, download.pk)
    except PASSING as error:
        # The server or the clock, not the file. Yet what takes too long does so again: it is told when it is given up.
        log.warning("download %s (%s) is stopped at step %s", download.pk, download, download.step, exc_info=True)
        with suppress(*PASSING), _of_workers(tenant_id):  # with the server gone the row waits as it is
            if still := _next(Download.objects.filter(pk=download.pk, tried_at=download.tried_at)):
                _stopped(still, error, time.monotonic() - began)
        raise


def _stopped(download: Download, error: Exception, seconds: float) -> None:
    """It is free at once, with the reason, or uncounted where the reason lies with others."""
    if isinstance(error, SoftTimeLimitExceeded):
        to_blame, words = seconds >= OWN_SECONDS, "It took longer than a worker may take."
    else:
        to_blame, words = getattr(error.__cause__, "pgcode", None) not in _OTHERS, "The database did not answer."
    if to_blame:
        download.error = words
    else:
        download.attempts -= 1
    download.tried_at = None
    download.save(update_fields=["attempts", "tried_at", "error"])


def _made(tenant_id: int, pk: int) -> int:
    """The part and how far the file is, in one transaction. 0 where another worker has it."""
    with _of_workers(tenant_id):
        download = _next(Download.objects.filter(pk=pk))
        if download is None:
            return 0
        try:
            with tenant_scope(tenant_id):
                _step(download)
        except PASSING:
            raise
        except Exception as error:
            if isinstance(error, CompError):
                _failed(download, told(error))
            else:
                log.exception("download %s (%s) breaks off", download.pk, download)
                _failed(download, "It broke off. The log of the workers says why.")
        return 1


def _of_workers(tenant_id: int) -> AbstractContextManager[Scope]:
    return tenant_scope(tenant_id, actor=Actor.task("downloads"), pay=Pay.everyone())


def _next(downloads: QuerySet[Download]) -> Download | None:
    """The first of these that is being made and that no worker holds; nobody else takes it until the transaction
    ends."""
    free = downloads.select_for_update(of=("self",), skip_locked=True).defer("body")
    return free.filter(state=State.BUILDING).first()


def _failed(download: Download, error: str) -> None:
    """It is given up: asked for again it is another one."""
    download.state, download.error = State.FAILED, error[:2000]
    download.save(update_fields=["state", "error"])


def _step(download: Download) -> None:
    if download.kind == Kind.PAYROLL:
        file = _payroll(download)
        download.rows, download.totals = file.rows, file.totals
        download.name = file.name
        return _done(download, file.body, file.content_type)
    if download.step + 1 == download.steps:
        return _packed(download)
    subject = _subject(download)
    if isinstance(subject, Batch) and download.kind == Kind.LINES:
        who, line = download.after or (0, 0)
        behind = tables.narrowed(subject).filter(Q(participant_id=who, id__gt=line) | Q(participant_id__gt=who))
        lines = list(behind.order_by("participant_id", "id")[:PART])
        download.after = [lines[-1].participant_id, lines[-1].pk] if lines else download.after
        _write(download, tables.line_rows(lines))
    elif download.kind == Kind.LINES:
        _write(download, tables.line_rows(tables.narrowed(subject).iterator(chunk_size=5_000)))
    else:
        _write(download, (tables.people_rows if download.kind == Kind.PEOPLE else tables.deal_rows)(subject))
    download.step += 1
    download.attempts, download.tried_at, download.error = 0, None, ""  # the next part is tried as often
    download.save(update_fields=["step", "after", "rows", "totals", "attempts", "tried_at", "error"])
    return None


def _subject(download: Download) -> Subject:
    """The batch, or the period while it is open still."""
    if download.batch is not None:
        return download.batch
    period = open_of(download.pay_group)
    if period.starts_on.isoformat() != download.said["starts_on"]:
        raise refused("period", download.name, "an open period", "Its period was locked meanwhile: ask of its batch.")
    return period


def _payroll(download: Download) -> File:
    batch = download.batch
    assert batch is not None, "payroll's file is of a batch"
    if "file" in download.said:
        kept = PayrollFile.objects.get(pk=download.said["file"], run__batch=batch)
        return payroll_files.file_again(kept=kept, by=download.asked_by)
    provider = PayrollProvider.objects.filter(pk=download.said["provider"]).first()
    return payroll_files.batch_file(batch=batch, provider=provider, by=download.asked_by)


def _write(download: Download, rows: Iterable[Sequence[Any]]) -> None:
    """One part more, counted and added up."""
    header, of_currency, of_amount = _HEADERS[download.kind]
    body = io.BytesIO()
    with gzip.GzipFile(fileobj=body, mode="wb", mtime=0) as packed, io.TextIOWrapper(packed, newline="") as text:
        writer = csv.writer(text)
        if download.step == 0:
            writer.writerow(header)
        for row in rows:
            writer.writerow([safe_cell(cell) for cell in row])
            download.rows += 1
            currency, value = row[of_currency], row[of_amount]
            if currency:
                minor = parse_money(format(value, "f"), currency)
                download.totals[currency] = download.totals.get(currency, 0) + minor
    DownloadPart.objects.create(
        download=download, pay_group_id=download.pay_group_id, number=download.step, body=body.getvalue()
    )


def _packed(download: Download) -> None:
    """The parts as one file in a ZIP, with its count, totals and digest beside it."""
    if download.kind == Kind.LINES and download.batch is not None and download.rows != download.batch.lines:
        raise refused(
            "lines",
            download.rows,
            f"{download.batch.lines:,}",
            f"{download.rows:,} lines were found, and not all of it.",
        )
    parts = DownloadPart.objects.filter(download=download)
    out, whole = io.BytesIO(), hashlib.sha256()
    name = f"{get_valid_filename(download.name)}.csv"
    with zipfile.ZipFile(out, "w") as pack:
        with pack.open(_entry(name), "w", force_zip64=True) as file:
            for part in parts.order_by("number").iterator(chunk_size=1):
                body = gzip.decompress(bytes(part.body))
                whole.update(body)
                file.write(body)
        control = io.StringIO()
        writer = csv.writer(control)
        writer.writerow(("file", "rows", "currency", "total", "sha256", "digest of the batch"))
        digest = download.batch.digest if download.batch is not None else ""
        for currency, minor in sorted(download.totals.items()) or [("", 0)]:
            total = plain_money(minor, currency) if currency else ""
            writer.writerow((name, download.rows, currency, total, whole.hexdigest(), digest))
        pack.writestr(_entry("control.csv"), control.getvalue().encode())
    parts.delete()
    _done(download, out.getvalue(), "application/zip")


def _entry(name: str) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name, _MOMENT)
    found.compress_type = zipfile.ZIP_DEFLATED
    return found


def _done(download: Download, body: bytes, content_type: str) -> None:
    download.body, download.content_type = body, content_type
    download.sha256, download.done_at = hashlib.sha256(body).hexdigest(), timezone.now()
    download.state, download.step, download.error = State.DONE, download.steps, ""
    download.save()


# ------------------------------------------------------------------ fetched, dropped


def download_read(*, download: Download) -> bytes:
    """The file, for somebody who may have it now; each time is told in the audit trail. Of payroll's nothing goes out
    that is held by now."""
    if download.state != State.DONE:
        raise refused("download", download.state, "one that is done", f"{download} is not done yet.")
    batch = download.batch
    if download.kind == Kind.PAYROLL:
        kept = PayrollFile.objects.filter(pk=download.said.get("file", 0)).select_related("run__batch").first()
        payroll_files.may_go_out(kept.run if kept else PayrollRun.objects.get(batch=batch, number=0))
    said = {"download": download.pk, "kind": download.kind, "sha256": download.sha256}
    record(code="download.fetch", subject=batch or download.pay_group, after={**said, "rows": download.rows})
    return bytes(download.body)


def downloads_erase(participant: Participant) -> int:
    """Drops all files that are kept, for they may name a leaver; whoever needs one has it made again. Returns how
    many."""
    return _drop(Q())


def downloads_expire() -> int:
    """Drops what was kept for its days; returns how many."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        return _drop(Q(asked_at__lt=timezone.now() - timedelta(days=KEPT_DAYS)))


def _drop(which: Q) -> int:
    gone = list(Download.objects.filter(which).values_list("pk", flat=True))
    DownloadPart.objects.filter(download__in=gone).delete()
    Download.objects.filter(pk__in=gone).delete()
    return len(gone)
