"""Files of facts: read to parts, matched, checked part by part, and taken in part by part.

The mailbox does a part each time it looks (`upload_step`), so a large file never holds up what else comes in. Its rows
become deliveries of their own below one that keeps the file. A row that stands already, as it is, is not delivered
again; one that stood, and was followed by another, is.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import ProblemsError, refused
from comp.core.sheets import Refused, Row, Sheet, open_sheet
from comp.outbox.failures import PASSING
from comp.outbox.models import Message
from comp.outbox.services import news_hold, news_release, ring
from comp.tenancy.models import User
from comp.tenancy.rows import rows_read, rows_store
from comp.tenancy.scope import current_tenant_id
from comp.tenancy.selectors import own_currency, own_time_zone
from comp.web.csv import Cell, safe_cell
from crediting.intake import files
from crediting.intake.files import Said
from crediting.intake.mapping import check
from crediting.intake.mapping.readings import DATE_FORMS, DECIMAL_FORMS
from crediting.intake.rows import rows_of
from crediting.models import HookEndpoint, RawDelivery, Upload, UploadPart
from crediting.services.first_deals import First, firsts_changes, firsts_of, firsts_spans, firsts_store
from crediting.services.issues import Question, deals_answered
from crediting.services.loads import LOADED, TOLD_EACH
from crediting.services.news import Change

log = logging.getLogger(__name__)

State = Upload.State
#: Rows of a part. Parts whose rows are tried, to say whom they concern and what would have to be asked.
PART, TRIED = 2_000, 3
#: Rows to correct that one download holds.
BAD_MOST = 100_000
#: Stored with a file's delivery, as its content type.
_TYPES = {"CSV": "text/csv", "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
#: The columns added to rows that are given back.
ADDED = ("Line", "What is wrong")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")
#: What trying some deliveries would change and ask.
Attempt = Callable[[Sequence[RawDelivery]], tuple[list[Change], Iterable[Question]]]


def upload_add(*, endpoint: HookEndpoint, event: str, name: str, file: BinaryIO, made_by: User | None) -> Upload:
    """Reads a file and keeps its rows, with a first guess of what its columns are: as the last file with the same
    columns was matched, else by their names. ProblemsError where it is no table."""
    if endpoint.adapter != "file":
        raise refused("endpoint", endpoint.key, "an endpoint for files", f"{endpoint.name} takes no files.")
    if event not in files.KINDS:
        raise refused("event", event, ", ".join(files.KINDS), f"A file of {event!r} is not taken.")
    size, sha, packed = _packed(file)
    upload = Upload(
        endpoint=endpoint, event=event, name=name[:200], size=size, sha256=sha, body=packed, made_by=made_by, rows=0,
        parts=0,
    )  # fmt: skip
    try:
        with transaction.atomic():
            sheet = open_sheet(file)
            found, upload.header = _without_added(sheet)
            upload.form = dict(sheet.form)
            upload.save()
            while rows := list(islice(found, PART)):
                if not upload.parts:
                    first = rows
                UploadPart.objects.create(upload=upload, place=upload.parts, rows=rows)
                upload.parts, upload.rows = upload.parts + 1, upload.rows + len(rows)
            if not upload.rows:
                raise Refused("The file has no rows below the names of its columns.")
            _match_first(upload, first)
            upload.save()
            record(code="upload.add", subject=upload, after={"sha256": sha, "event": event, "rows": upload.rows})
    except Refused as error:
        raise refused("file", name[:200], "a table as CSV or XLSX", str(error)) from error
    return upload


def upload_match(*, upload: Upload, columns: dict[str, str], date_form: str, decimal_form: str) -> None:
    """Says what the columns are, and has every row checked by it. ProblemsError where fields that the event has to
    state have no column."""
    upload = _held(upload, State.NEW, State.CHECKING, State.CHECKED)
    fields = files.fields_of(upload.event)
    for column, name in columns.items():
        if column not in upload.header or not (name in fields or name.startswith("custom.")):
            raise refused(column, name, ", ".join(fields), f"The column “{column}” cannot be {name!r}.")
    twice = [name for name, number in Counter(columns.values()).items() if number > 1]
    if twice:
        raise refused(twice[0], "two columns", "one column", f"Two columns are matched to {twice[0]}.")
    missing = files.unmatched(upload.event, columns)
    if missing:
        message = f"No column is matched to {', '.join(missing)}."
        raise refused(missing[0], "no column", f"one of {', '.join(upload.header)}", message)
    upload.mapping = files.document(
        upload.event,
        columns,
        date_form=date_form if date_form in DATE_FORMS else next(iter(DATE_FORMS)),
        decimal_form=decimal_form if decimal_form in DECIMAL_FORMS else next(iter(DECIMAL_FORMS)),
        currency=own_currency(),
        stages=_stages(upload, columns),
    )
    if problems := check(upload.mapping):
        raise ProblemsError(problems)
    upload.form |= {"days": date_form, "numbers": decimal_form}
    upload.columns, upload.state, upload.step = columns, State.CHECKING, 0
    upload.counts, upload.questions = {}, []
    upload.save()
    record(code="upload.match", subject=upload, after={"columns": dict(columns), "form": dict(upload.form)})
    ring(tenant_id=current_tenant_id())


def upload_take(*, upload: Upload, taken_by: User | None) -> None:
    """Takes in all rows that can be: the file is stored as one delivery, and its rows follow part by part."""
    upload = _held(upload, State.CHECKED)
    if not upload.counts.get("good"):
        raise refused("rows", "none that can be taken", "at least one", "No row of the file can be taken in.")
    now = timezone.now()
    upload.delivery = RawDelivery.objects.create(
        endpoint_id=upload.endpoint_id,
        sender_id=f"upload:{upload.pk}",
        sent_at=upload.made_at,
        received_at=now,
        body=upload.body,
        body_sha256=hashlib.sha256(bytes(upload.body)).hexdigest(),
        headers={
            "content-type": _TYPES[upload.form["kind"]],
            "content-encoding": "gzip",
            "file": upload.name,
            "file-sha256": upload.sha256,
        },
        state=RawDelivery.State.SPLIT,
        processed_at=now,
    )
    upload.body, upload.taken_at, upload.state, upload.step = b"", now, State.TAKING, 0
    upload.counts |= {"delivered": 0}
    upload.save()
    after = {"file": upload.name, "sha256": upload.sha256, "event": upload.event, "rows": upload.rows}
    subject = ("crediting.upload", str(upload.pk), upload.name)
    record(code="upload.take", subject=subject, after=after | {"bad": upload.counts.get("bad", 0)})
    ring(tenant_id=current_tenant_id())


def upload_discard(*, upload: Upload) -> None:
    """Forgets a file that was not taken in, but that it was there."""
    upload = _held(upload, State.NEW, State.CHECKING, State.CHECKED)
    UploadPart.objects.filter(upload=upload).delete()
    upload.body, upload.state = b"", State.DISCARDED
    upload.save()
    record(code="upload.discard", subject=upload, before={"sha256": upload.sha256, "rows": upload.rows})


# ------------------------------------------------------------------ the mailbox's part


def upload_step(*, attempt: Attempt) -> tuple[int, list[Change]]:
    """Checks or takes the next part of the file that waits longest; returns its rows, 0 where none waits, and what
    changed. Callers hold the intake lock, and take what is pending then."""
    waiting = Upload.objects.filter(state__in=[State.CHECKING, State.TAKING]).defer("body").order_by("id")
    upload = waiting.select_for_update().first()
    if upload is None:
        return 0, []
    try:
        with transaction.atomic():
            return _step(upload, attempt)
    except PASSING:
        raise
    except Exception as error:
        # It alone stops, and says so; everything else goes on.
        log.exception("upload %s failed at part %s", upload.pk, upload.step)
        Upload.objects.filter(pk=upload.pk).update(
            state=State.FAILED, counts={**upload.counts, "error": type(error).__name__}
        )
        _tell(upload)
        return 1, []


def _step(upload: Upload, attempt: Attempt) -> tuple[int, list[Change]]:
    part = UploadPart.objects.get(upload=upload, place=upload.step)
    number = len(part.rows)
    upload.step += 1
    checking = upload.state == State.CHECKING
    changes: list[Change] = []
    if checking:
        _check(upload, part, attempt)
    else:
        changes = _deliver(upload, part)
    if upload.step == upload.parts:
        upload.state = State.CHECKED if checking else State.TAKEN
        _tell(upload)
    upload.save(update_fields=["state", "step", "counts", "questions"])
    return number, changes


class _Undone(Exception):
    """Leaves a transaction that was only to be tried."""


def _check(upload: Upload, part: UploadPart, attempt: Attempt) -> None:
    part.good, part.bad = _read(upload, part)
    part.save(update_fields=["good", "bad"])
    counts = Counter(upload.counts)
    rows = [Said(*row) for row in part.good]
    ids, standing = _ids(upload, rows)
    fresh = [row for row in rows if row.line in ids]
    counts["good"] += len(rows)
    counts["bad"] += len(part.bad)
    counts["same"] += len(rows) - len(fresh)
    counts["changed"] += sum(1 for row in fresh if (row.kind, row.key) in standing)
    counts["new"] += sum(1 for row in fresh if (row.kind, row.key) not in standing)
    upload.counts = dict(counts)
    if part.place < TRIED and fresh:
        people = set(upload.counts.get("people", ()))
        asked = {(q[0], q[1]): q for q in upload.questions}
        firsts = _firsts(upload, fresh, standing)
        people |= {one.person for one in firsts if one.is_dated}
        rest = _without(fresh, firsts)
        try:
            with transaction.atomic():
                stored = _deliveries(upload, None, rest, ids)
                tried = RawDelivery.objects.filter(id__in=stored).select_related("endpoint").order_by("id")
                changes, questions = attempt(list(tried))
                raise _Undone
        except _Undone:
            people |= {person for change in changes for person in change["participants"]}
            for one in questions:
                before = asked.get((one.kind, one.value), [one.kind, one.value, one.message, 0])
                asked[one.kind, one.value] = [*before[:3], before[3] + 1]
        upload.counts |= {"people": sorted(people), "tried": upload.counts.get("tried", 0) + len(fresh)}
        upload.questions = list(asked.values())[:1000]


def _deliver(upload: Upload, part: UploadPart) -> list[Change]:
    """Stores what a part says that is new: deals that nothing stands of as they come, all else as deliveries that the
    mailbox takes. Returns what changed."""
    rows = [Said(*row) for row in part.good]
    ids, standing = _ids(upload, rows)
    fresh = [row for row in rows if row.line in ids]
    firsts, changes = _firsts(upload, fresh, standing), list[Change]()
    try:
        with transaction.atomic():
            changes = _firsts_taken(upload, firsts, ids)
    except PASSING:
        raise
    except Exception:
        log.exception("%s rows of upload %s could not be stored together", len(firsts), upload.pk)
        firsts = []
    _deliveries(upload, upload.delivery_id, _without(fresh, firsts), ids)
    upload.counts["delivered"] = upload.counts.get("delivered", 0) + len(ids)
    bad = {line for line, _ in part.bad}
    # What became deliveries stands there; what could not is kept to be downloaded.
    part.rows, part.good = [row for row in part.rows if row[0] in bad], []
    part.save(update_fields=["rows", "good"])
    return changes


def _firsts(upload: Upload, rows: Sequence[Said], standing: Mapping[tuple[str, str], str]) -> list[First]:
    """The rows about deals that nothing stands of, that leave no doubt."""
    return firsts_of(upload.endpoint, [row for row in rows if (row.kind, row.key) not in standing])


def _firsts_taken(upload: Upload, firsts: Sequence[First], ids: Mapping[int, str]) -> list[Change]:
    """Stores them. A large file is news as a whole, once it is through: nobody's figures are redone for each part."""
    if not firsts:
        return []
    assert upload.delivery_id is not None
    at = _event_time(upload)
    stored = firsts_store(firsts, endpoint=upload.endpoint_id, parent=upload.delivery_id, ids=ids, at=at)
    deals_answered((upload.endpoint_id, one.fact.deal) for one in firsts)
    if upload.rows <= TOLD_EACH:
        return firsts_changes(firsts, stored)
    news = Message.objects.get(pk=upload.counts["news"]).payload if "news" in upload.counts else _news(upload)
    if firsts_spans(firsts, news["people"]) or "news" not in upload.counts:
        upload.counts["news"] = news_hold(topic=LOADED, payload=news, message=upload.counts.get("news"))
    return []


def _tell(upload: Upload) -> None:
    """What is known of a large file is handed on, as no more of it comes."""
    if "news" in upload.counts:
        news_release(message=upload.counts["news"])


def _news(upload: Upload) -> dict[str, Any]:
    label = f"{upload.name[:200]} taken in: {upload.counts.get('good', 0):,} rows"
    return {"label": label, "delivery": upload.delivery_id, "people": {}}


def _without(rows: Sequence[Said], firsts: Sequence[First]) -> list[Said]:
    taken = {one.said.line for one in firsts}
    return [row for row in rows if row.line not in taken]


def _read(upload: Upload, part: UploadPart) -> tuple[list[Any], list[Any]]:
    """The good rows of a part and the bad. Of two rows about one thing the later counts, and the former is bad."""
    reader = rows_of(json.dumps(upload.mapping), tuple(upload.header), own_time_zone())
    good, bad = dict[tuple[str, str], Said](), []
    for line, cells, error in part.rows:
        found = error or reader.said(line, cells)
        if isinstance(found, str):
            bad.append([line, found])
            continue
        key = found.kind, found.key
        if key in good:
            bad.append([good[key].line, f"line {line} says it again, and counts"])
        good[key] = found
    rows = sorted(good.values(), key=lambda row: row.line)
    return [[row.line, row.kind, row.key, row.id, row.message] for row in rows], sorted(bad)


def _ids(upload: Upload, rows: Sequence[Said]) -> tuple[dict[int, str], dict[tuple[str, str], str]]:
    """The delivery's id of each row that says something new, by its line; and by which delivery's id each thing that
    is known stands."""
    standing = _standing(upload.endpoint_id, rows)
    known = {sender for (sender,) in rows_read(_DELIVERED, [upload.endpoint_id, [row.id for row in rows]])}
    found: dict[int, str] = {}
    for row in rows:
        stands = standing.get((row.kind, row.key), "")
        if row.id not in known:
            found[row.line] = row.id
        elif stands and not stands.startswith(row.id):
            found[row.line] = f"{row.id}:{upload.pk}"  # it was said before, and something else since
    return found, standing


def _standing(endpoint: int, rows: Sequence[Said]) -> dict[tuple[str, str], str]:
    """By which delivery's id each thing stands that the rows are about."""
    found: dict[tuple[str, str], str] = {}
    keys: dict[str, list[str]] = {}
    for row in rows:
        keys.setdefault(row.kind, []).append(row.key)
    for kind, wanted in keys.items():
        asked = {"endpoint": endpoint, "kind": kind, "keys": wanted}
        found |= {(kind, key): sender for key, sender in rows_read(_STANDS.get(kind, _STANDS["fact"]), asked)}
    return found


_DELIVERED = "SELECT sender_id FROM crediting_rawdelivery WHERE endpoint_id = %s AND sender_id = ANY(%s::text[])"
_STANDS = {
    "account": "SELECT key, sender_id FROM crediting_account WHERE key = ANY(%(keys)s::text[])",
    "deal": """
SELECT external_id, sender_id FROM crediting_deal
WHERE endpoint_id = %(endpoint)s AND external_id = ANY(%(keys)s::text[])
""",
    "fact": """
SELECT external_id, sender_id FROM crediting_fact
WHERE endpoint_id = %(endpoint)s AND kind = %(kind)s AND external_id = ANY(%(keys)s::text[])
""",
}


def _deliveries(upload: Upload, parent: int | None, rows: Sequence[Said], ids: dict[int, str]) -> list[int]:
    """Stores rows as pending deliveries; gives their ids. A later part's are later: its event time is."""
    at = _event_time(upload)
    alike = {
        "endpoint_id": upload.endpoint_id,
        "sent_at": at,
        "received_at": timezone.now(),
        "parent_id": parent or upload.delivery_id,
        "state": RawDelivery.State.PENDING.value,
        "headers": {},
        "waits_for": [],
        "attempts": 0,
        "error": "",
    }
    made = []
    for row in rows:
        body = files.body(row.message, at)
        told = {"body": f"\\x{body.hex()}", "body_sha256": hashlib.sha256(body).hexdigest()}
        made.append({"sender_id": ids[row.line], "place": row.line} | told | alike)
    return rows_store(RawDelivery, made)


def _event_time(upload: Upload) -> datetime:
    return (upload.taken_at or timezone.now()) + timedelta(microseconds=upload.step)


# ------------------------------------------------------------------ pieces


def _held(upload: Upload, *states: str) -> Upload:
    """The upload as it stands, locked, where it is in one of these states."""
    found = Upload.objects.select_for_update().get(pk=upload.pk)
    if found.state not in states:
        allowed = " or ".join(State(state).label.lower() for state in states)
        message = f"The file {found.name} is {found.get_state_display().lower()}; it has to be {allowed} for this."
        raise refused("state", found.state, allowed, message)
    return found


def _packed(file: BinaryIO) -> tuple[int, str, bytes]:
    """Size and SHA-256 of a file, and the file by gzip: the same bytes for the same file."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as out:
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=3, mtime=0, filename="") as pack:
            while chunk := file.read(2**20):
                digest.update(chunk)
                size += len(chunk)
                pack.write(chunk)
        out.seek(0)
        return size, digest.hexdigest(), out.read()


def bad_rows(upload: Upload) -> tuple[list[str], Iterator[list[Cell]]]:
    """The rows of a file that cannot be taken in, the first BAD_MOST of them, each with what is wrong with it, to be
    put right and uploaded again."""

    def rows() -> Iterator[list[Cell]]:
        parts = UploadPart.objects.filter(upload=upload).exclude(bad=[]).order_by("place")
        for pk in list(parts.values_list("pk", flat=True)):  # one in memory at a time
            part = UploadPart.objects.get(pk=pk)
            texts = {line: cells for line, cells, _ in part.rows}
            for line, reason in part.bad:
                yield [*(_cell(text) for text in texts.get(line, [])), line, reason]

    return [*upload.header, *ADDED], islice(rows(), BAD_MOST)


def _cell(text: str) -> Cell:
    """Numbers are written as numbers: only other text is kept from becoming a formula."""
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _without_added(sheet: Sheet) -> tuple[Iterator[Row], list[str]]:
    """The rows and columns of a file; of one that we gave out ourselves (`bad_rows`), as they were before."""
    if sheet.header[-len(ADDED) :] != ADDED:
        return sheet.rows, list(sheet.header)
    width = len(sheet.header) - len(ADDED)

    def plain(text: str) -> str:
        return text[1:] if text[:1] == "'" and safe_cell(text[1:]) == text else text

    return (row._replace(cells=tuple(map(plain, row.cells[:width]))) for row in sheet.rows), list(sheet.header[:width])


def _match_first(upload: Upload, rows: Sequence[Row]) -> None:
    last = Upload.objects.filter(endpoint=upload.endpoint, event=upload.event, header=upload.header).exclude(
        Q(columns={}) | Q(pk=upload.pk)
    )
    before = last.order_by("-id").values_list("columns", "form").first()
    if before:
        upload.columns = before[0]
        upload.form |= {key: before[1][key] for key in ("days", "numbers") if key in before[1]}
        return
    upload.columns = files.guess(upload.event, upload.header)
    days, numbers = files.forms(row.cells for row in rows if not row.error)
    upload.form |= {"days": days, "numbers": numbers}


def _stages(upload: Upload, columns: dict[str, str]) -> set[str]:
    """The words for stages in the first rows of the file."""
    column = next((column for column, name in columns.items() if name == "stage"), None)
    if column is None:
        return set()
    place = upload.header.index(column)
    parts = UploadPart.objects.filter(upload=upload, place__lt=TRIED).values_list("rows", flat=True)
    return {row[1][place].strip() for rows in parts for row in rows if not row[2]}
