"""Taking a leaver's name and address out of everything that is kept: asked for by one person, approved by another, and
then done by a worker.

Every text of the tenant is searched, not a list of places that somebody kept up to date. Where a text is only ever
added to (audit entries, deliveries, history), the database replaces it through `comp_redact` and keeps the digests of
what it was and is. What digests of pay are made of are the employee number, amounts and keys: none is touched.
docs/privacy.md
"""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import re
import zipfile
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from allauth.account.models import EmailAddress
from axes.models import AccessAttempt, AccessLog
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, connection, models, transaction
from django.db.models.functions import Cast
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.audit.services import payload, record
from comp.core.canonical import digest
from comp.core.errors import refused
from comp.outbox.services import JOBS, ring
from comp.people.models import BulkPayModel, Erasure, Participant, Redaction
from comp.people.naming import Names
from comp.people.selectors import today
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, Tenant, User
from comp.tenancy.scope import Actor, Pay, as_user, current_tenant_id, tenant_scope
from comp.tenancy.selectors import memberships
from comp.tenancy.services import membership_remove

log = logging.getLogger(__name__)

#: What stays as it is, each with the reason: digests of pay and of plans are made of these, or they are no words.
KEPT = {
    "key": "keys name rows to other systems and in digests",
    "document": "a plan version is bound by its digest",
    "external_id": "names a fact in the digests of batches",
    "token": "no words",
    "secret": "no words",
    "password": "no words",
}
#: What a file becomes that cannot be rewritten (a spreadsheet).
TOMBSTONE = b"[erased]"
#: Rooms above that keep what no text search finds (attached files): called with the participant, return how much.
_also: list[Callable[[Participant], int]] = []


def erase_also(eraser: Callable[[Participant], int]) -> None:
    """Called by comp/wiring.py only."""
    if eraser not in _also:
        _also.append(eraser)


@dataclass
class Found:
    """What holds a person: how many texts by table, and what stays although it does."""

    texts: Counter[str] = field(default_factory=Counter)
    stays: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Text:
    """A text of one row, and what it becomes."""

    table: str
    row: int
    column: str
    clean: bytes


# ------------------------------------------------------------------ ask, approve


def erasure_ask(*, participant: Participant, asked_by: User, reason: str) -> Erasure:
    """Asks for it. Refused for somebody who has not left, and where the employee number is itself a name or address:
    digests of what was paid are made of it."""
    if not reason.strip():
        raise refused("reason", reason, "a reason", "Say why: a request of the person's, or the retention rule.")
    if participant.ends_on is None or participant.ends_on > today():
        message = f"{participant.name} has not left; set the first day after the employment before."
        raise refused("participant", participant.key, "somebody who has left", message)
    if Erasure.objects.filter(participant=participant).exists():
        message = f"{participant.name}: it was asked for already."
        raise refused("participant", participant.key, "somebody for whom nobody asked", message)
    names = names_of(participant)
    if "@" in participant.key or names.within(participant.key) or _spells(participant.key, names):
        message = f"The employee number {participant.key} is a name, and digests of what was paid are made of it."
        raise refused("participant", participant.key, "a number that names nobody", message)
    others = Membership.objects.filter(tenant_id=current_tenant_id(), role=Role.ADMINISTRATOR)
    if participant.user and others and not others.exclude(user=participant.user).exists():
        message = f"{participant.name} is the last administrator here; make somebody else one first."
        raise refused("participant", participant.key, "somebody who is not the last administrator", message)
    with transaction.atomic():
        erasure = Erasure.objects.create(
            participant=participant, pseudonym=pseudonym(participant), reason=reason.strip(), asked_by=asked_by
        )
        record(code="participant.erase.ask", subject=_subject(erasure), after={"state": "asked"}, reason=reason.strip())
    return erasure


def erasure_approve(*, erasure: Erasure, approved_by: User) -> Erasure:
    """A second person agrees; a worker does it. The database refuses whoever asked."""
    with transaction.atomic():
        erasure = Erasure.objects.select_for_update().get(pk=erasure.pk)
        if erasure.approved_by_id is not None:
            raise refused("erasure", str(erasure), "one that waits", f"{erasure} was approved already.")
        if erasure.asked_by_id == approved_by.pk:
            message = "You asked for it, so somebody else has to agree."
            raise refused("approved_by", str(approved_by), "a second person", message)
        if erasure.participant.user_id == approved_by.pk:
            raise refused("approved_by", str(approved_by), "a second person", "It is about yourself.")
        erasure.approved_by, erasure.approved_at = approved_by, timezone.now()
        erasure.save(update_fields=["approved_by", "approved_at"])
        record(
            code="participant.erase.approve",
            subject=_subject(erasure),
            before={"state": "asked"},
            after={"state": "approved"},
        )
        ring(tenant_id=current_tenant_id(), queue=JOBS)
    return erasure


def participant_erase(*, participant: Participant, by: User, approved_by: User, reason: str) -> Erasure:
    """All of it at once: asked for by one, approved by another, done."""
    erasure = erasure_ask(participant=participant, asked_by=by, reason=reason)
    return erasure_do(erasure=erasure_approve(erasure=erasure, approved_by=approved_by))


def erasures_drain(tenant_id: int) -> int:
    """Does one approved erasure; 0 where none waits. All of it or nothing: a worker killed at any line leaves it
    waiting."""
    with tenant_scope(tenant_id, actor=Actor.task("erasure"), pay=Pay.everyone()):
        waiting = Erasure.objects.select_for_update(skip_locked=True).exclude(approved_by=None).filter(done_at=None)
        erasure = waiting.order_by("id").first()
        if erasure is None:
            return 0
        erasure_do(erasure=erasure)
        return 1


# ------------------------------------------------------------------ do


def erasure_do(*, erasure: Erasure) -> Erasure:
    """Replaces the person everywhere, log-in included, and seals what was replaced by a digest in the audit trail."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        participant = erasure.participant
        names = names_of(participant)
        counts: Counter[str] = Counter()
        _user_forget(participant.user, erasure.pseudonym, names.email)
        Participant.objects.filter(pk=participant.pk).update(user=None)
        counts["files"] = sum(eraser(participant) for eraser in _also)
        entries: set[int] = set()
        stays: list[str] = []
        for text in texts_of(participant, names):
            if not _redact(erasure, text):
                stays.append(f"{text.table}.{text.column} {text.row}")
                continue
            counts[text.table] += 1
            if text.table == AuditEntry._meta.db_table:
                entries.add(text.row)
        _log_forget(names)
        for entry in AuditEntry.objects.filter(pk__in=entries).order_by("number"):
            # What the entry says from now on, bound by the digest below: `verify` holds it against this.
            Redaction.objects.create(
                erasure=erasure, table=AuditEntry._meta.db_table, row=entry.pk, column="payload",
                before_sha256=entry.digest, after_sha256=entry_sha256(entry),
            )  # fmt: skip
        erasure.counts = {name: count for name, count in sorted(counts.items()) if count}
        erasure.digest, erasure.done_at = redactions_digest(erasure), timezone.now()
        erasure.save(update_fields=["counts", "digest", "done_at"])
        record(
            code="participant.erase",
            subject=_subject(erasure),
            before={"state": "approved"},
            after={"state": "done", "digest": erasure.digest, "texts": erasure.counts, "stays": stays},
            reason=names.cleaned(erasure.reason),
        )
    return erasure


def redactions_digest(erasure: Erasure) -> str:
    """The digest of all that an erasure replaced, in its order."""
    rows = Redaction.objects.filter(erasure=erasure).order_by("id")
    return digest([list(row) for row in rows.values_list("table", "row", "column", "before_sha256", "after_sha256")])


def entry_sha256(entry: AuditEntry) -> str:
    return hashlib.sha256(payload(entry).encode()).hexdigest()


def _redact(erasure: Erasure, text: Text) -> bool:
    """Whether the text could be replaced; the database refuses what may not change for another reason."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT comp_redact(%s, %s, %s, %s, %s)", [erasure.pk, text.table, text.row, text.column, text.clean]
            )
    except DatabaseError:
        log.warning("erasure %s: %s.%s of row %s stays", erasure.pk, text.table, text.column, text.row)
        return False
    return True


def _user_forget(user: User | None, name: str, email: str) -> None:
    """The log-in is nobody's any more, unless another company's members need it: then it only leaves this one."""
    if user is None:
        return
    with as_user(user.pk):
        elsewhere = [one for one, _, _ in memberships(user.pk).values() if one.pk != current_tenant_id()]
    with tenant_scope(current_tenant_id()):
        if not elsewhere:
            User.objects.filter(pk=user.pk).update(
                username=email, email=email, full_name=name, first_name="", last_name="", is_active=False, password="!"
            )
            EmailAddress.objects.filter(user_id=user.pk).delete()
            for attempt in (AccessAttempt, AccessLog):
                attempt.objects.filter(username__in=[user.username, user.email]).delete()
        for membership in Membership.objects.filter(tenant_id=current_tenant_id(), user=user):
            membership_remove(membership=membership)


def _log_forget(names: Names) -> None:
    """The administration's own log, which no tenant owns."""
    for entry in LogEntry.objects.filter(_like(("object_repr", "change_message"), names)):
        entry.object_repr, entry.change_message = names.cleaned(entry.object_repr), names.cleaned(entry.change_message)
        entry.save(update_fields=["object_repr", "change_message"])


# ------------------------------------------------------------------ find


def erasure_preview(participant: Participant) -> Found:
    """What would go, by table, and what would stay. Changes nothing."""
    found = Found()
    names = names_of(participant)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        for text in texts_of(participant, names):
            found.texts[text.table] += 1
        found.stays = list(_staying(names))
    return found


def erasures_due() -> list[tuple[Participant, date]]:
    """Who left so long ago that the tenant's rule asks for it, with the day since when, and nobody asked yet."""
    tenant = Tenant.objects.get(pk=current_tenant_id())
    if tenant.retention_months is None:
        return []
    gone = Participant.objects.filter(ends_on__isnull=False).exclude(
        pk__in=Erasure.objects.values_list("participant_id", flat=True)
    )
    due = [(person, _months_after(person.ends_on, tenant.retention_months)) for person in gone if person.ends_on]
    return sorted(((person, day) for person, day in due if day <= today(tenant)), key=lambda row: row[1])


def retention_set(*, months: int | None) -> Tenant:
    """How many months after leaving a name is due to be erased; None: no rule."""
    if months is not None and not 0 <= months <= 600:
        raise refused("months", months, "0 to 600, or nothing", f"{months} months is no time to keep names for.")
    tenant = Tenant.objects.get(pk=current_tenant_id())
    before, tenant.retention_months = tenant.retention_months, months
    tenant.save(update_fields=["retention_months"])
    record(code="retention.set", subject=tenant, before={"months": before}, after={"months": months})
    return tenant


def pseudonym(participant: Participant) -> str:
    return f"Person {participant.key}"


def names_of(participant: Participant) -> Names:
    """Every name and address that the participant, or their log-in, has or had."""
    rows = [*Participant.history.filter(id=participant.pk).values_list("name", "email")]
    rows.append((participant.name, participant.email))
    if participant.user is not None:
        rows += [(str(participant.user), participant.user.email), (participant.user.full_name, "")]
    email = f"person-{participant.pk}@erased.invalid"
    return Names.of([row[0] for row in rows], [row[1] for row in rows], name=pseudonym(participant), email=email)


def texts_of(participant: Participant, names: Names) -> Iterator[Text]:
    """Each text of the tenant that holds the person, with what it becomes."""
    for model in _searched():
        plain, packed = _columns(model)
        key = model._meta.pk.attname
        if plain:
            rows = model._base_manager.filter(_like(plain, names))
            if model in (Participant, Participant.history.model):
                rows = rows.filter(id=participant.pk)  # another one of the same name keeps it
            texts = {f"{name}_text": Cast(name, models.TextField()) for name in plain}
            for row in rows.annotate(**texts).order_by(key).values(key, *texts):
                for name in plain:
                    was = row[f"{name}_text"]
                    if was and (clean := names.cleaned(was)) != was:
                        yield Text(model._meta.db_table, row[key], name, clean.encode())
        for name in packed:
            for number in _packed_rows(model._meta.db_table, key, name, names):
                was = bytes(model._base_manager.values_list(name, flat=True).get(pk=number) or b"")
                if (clean_bytes := _bytes_cleaned(was, names)) != was:
                    yield Text(model._meta.db_table, number, name, clean_bytes)


def _searched() -> Iterator[type[models.Model]]:
    """The tenant's tables, but bulk results: they hold numbers and keys of plans. History comes last: a change of what
    stands leaves a row there that still holds the rest."""
    for model in sorted(apps.get_models(), key=lambda model: hasattr(model, "history_id")):
        meta = model._meta
        bulk = issubclass(model, BulkPayModel) or model in (Redaction, Membership)
        if meta.managed and not meta.proxy and not bulk and any(f.column == "tenant_id" for f in meta.concrete_fields):
            yield model


def _columns(model: type[models.Model]) -> tuple[list[str], list[str]]:
    """The columns that may hold words: of text and JSON, and of bytes."""
    plain, packed = [], []
    for each in model._meta.concrete_fields:
        words = each.attname.split("_")
        if any(word in words for word in ("digest", "sha256")) or each.choices or _keeps(model, each.attname):
            continue
        if isinstance(each, models.CharField | models.TextField | models.JSONField):
            plain.append(each.attname)
        elif isinstance(each, models.BinaryField):
            packed.append(each.attname)
    return plain, packed


def _keeps(model: type[models.Model], column: str) -> bool:
    return column in KEPT and model is not Participant


def _like(columns: Any, names: Names) -> models.Q:
    """SQL: any of the columns holds one of the words."""
    asked = models.Q()
    for column in columns:
        for word in names.words():
            asked |= models.Q(**{f"{column}__icontains": word})
    return asked


def _packed_rows(table: str, key: str, column: str, names: Names) -> list[int]:
    """Rows whose bytes hold one of the words, or are packed and have to be looked into."""
    words = sorted({word.encode() for word in names.words()})
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "{key}" FROM "{table}" WHERE substring("{column}" FROM 1 FOR 2) = ANY(%s) OR EXISTS (SELECT 1 '
            f"FROM unnest(%s::bytea[]) w WHERE strpos(lower(encode(\"{column}\", 'escape')), "
            "lower(encode(w, 'escape'))) > 0) ORDER BY 1",
            [[b"\x1f\x8b", b"PK"], words],
        )
        return [row[0] for row in cursor.fetchall()]


def _bytes_cleaned(body: bytes, names: Names) -> bytes:
    if body[:2] == b"\x1f\x8b":
        inner = gzip.decompress(body)
        clean = _bytes_cleaned(inner, names)
        return body if clean == inner else gzip.compress(clean, mtime=0)
    if body[:2] == b"PK":
        return TOMBSTONE if _zip_holds(body, names) else body
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
        clean_text = names.cleaned(text)
        return body if clean_text == text else clean_text.encode("latin-1", "replace")
    return names.cleaned(text).encode()


def _zip_holds(body: bytes, names: Names) -> bool:
    """Whether a packed file (a spreadsheet) holds the person in any of its parts; one that cannot be read might."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            return any(names.within(packed.read(name).decode("utf-8", "replace")) for name in packed.namelist())
    except zipfile.BadZipFile:
        return True


def _staying(names: Names) -> Iterator[str]:
    """Where the person stands in what may not change, so that people can put it right at its source."""
    for model in _searched():
        kept = [each.attname for each in model._meta.concrete_fields if _keeps(model, each.attname)]
        if not kept:
            continue
        for values in model._base_manager.filter(_like(kept, names)).values(*kept)[:20]:
            for column, value in values.items():
                if names.within(str(value)):
                    yield f"{model._meta.verbose_name} {column}: {KEPT[column]}"


def _spells(key: str, names: Names) -> bool:
    """Whether a key is made of a name's words: ann-smith, smith.ann."""
    words = sorted(re.findall(r"[^\W\d_]+", key.lower()))
    return any(words == sorted(re.findall(r"[^\W\d_]+", name.lower())) for name in names.known)


def _months_after(day: date, months: int) -> date:
    place = day.year * 12 + day.month - 1 + months
    year, month = place // 12, place % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _subject(erasure: Erasure) -> tuple[str, str, str]:
    return "people.participant", str(erasure.participant_id), erasure.pseudonym
