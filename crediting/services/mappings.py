"""Field mappings: put in force, tried on what is stored, and every record made again under a new one, in pieces."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import Problem, ProblemsError
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring
from comp.tenancy.models import User
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from crediting.intake.facts import Event
from crediting.intake.mapping import check, read_mapping
from crediting.intake.sources import default_mapping
from crediting.models import DataIssue, FieldMapping, HookEndpoint, Rereading, SourceRecord
from crediting.services.issues import questions_answer
from crediting.services.locks import intake_hold
from crediting.services.mailbox import Take
from crediting.services.news import Change, changes_tell
from crediting.services.records import InForce, key_of, mapping_in_force, records_known, records_link, records_read

log = logging.getLogger(__name__)

#: Records made again by one drain; records that a mapping is tried on at most.
PIECE, TRIED = 200, 50


def mapping_read(text: str) -> dict[str, Any]:
    """The document of a mapping's text, without a fault. Raises ProblemsError with everything that is wrong."""
    document = read_mapping(text)
    problems = check(document)
    if problems:
        raise ProblemsError(problems)
    return document


def field_mapping_set(*, endpoint: HookEndpoint, text: str, note: str = "", user: User | None) -> FieldMapping:
    """Puts a mapping in force. What comes from now on is read by it, and all records that have come are read again:
    whatever differs is a correction. Raises ProblemsError, also for a source that needs no mapping."""
    if default_mapping(endpoint.adapter) is None:
        found = f"endpoints of {endpoint.adapter}"
        raise ProblemsError([Problem("endpoint", found, "a source with records", f"{found} have no field mapping")])
    document = mapping_read(text)
    intake_hold()
    number = mapping_in_force(endpoint).number + 1
    made = FieldMapping.objects.create(endpoint=endpoint, number=number, document=document, note=note, made_by=user)
    total = SourceRecord.objects.filter(endpoint=endpoint).count()
    Rereading.objects.filter(mapping__endpoint=endpoint, finished_at=None).update(finished_at=timezone.now())
    Rereading.objects.create(mapping=made, total=total, finished_at=None if total else timezone.now())
    asked = DataIssue.objects.filter(endpoint=endpoint, kind="field", state=DataIssue.State.OPEN)
    questions_answer(
        endpoint_id=endpoint.pk,
        kinds=["field"],
        values=list(asked.values_list("value", flat=True)),
        answer=f"field mapping {number}",
        user=user,
    )
    subject = ("crediting.fieldmapping", str(made.pk), f"{endpoint.key}: field mapping {number}")
    record(code="fieldmapping.set", subject=subject, after={"number": number, "note": note, "records": total})
    ring(tenant_id=current_tenant_id(), queue=JOBS)
    return made


def records_reread(tenant_id: int) -> int:
    """Makes the next piece of records again under a new mapping, in one transaction. Returns how many; 0 where no work
    is left, or somebody else is at it."""
    with tenant_scope(tenant_id, actor=Actor.task("mapping"), pay=Pay.nobody()):
        work = Rereading.objects.select_for_update(skip_locked=True, of=("self",)).filter(finished_at=None)
        first = work.select_related("mapping__endpoint").order_by("id").first()
        if first is None:
            return 0
        intake_hold()
        rows = SourceRecord.objects.filter(endpoint_id=first.mapping.endpoint_id, pk__gt=first.position).order_by("pk")
        piece = list(rows[:PIECE])
        errors = _make_again(piece, f"Field mapping {first.mapping.number} of {first.mapping.endpoint.name}")
        if errors:
            first.failed, first.error = first.failed + len(errors), errors[-1]
        first.done += len(piece)
        first.position = piece[-1].pk if piece else first.position
        if len(piece) < PIECE:
            first.finished_at, first.total = timezone.now(), first.done
        first.save(update_fields=["done", "failed", "error", "position", "finished_at", "total"])
        return len(piece) or 1


def _make_again(piece: Sequence[SourceRecord], cause: str) -> list[str]:
    """All at once; if the database refuses something, one by one, so that only what it refuses is left as it was:
    returns why, a text each. What changes is told as the mapping's doing."""
    errors: list[str] = []
    owners = {owner for _, owner in records_link(piece)}
    keys = {*map(key_of, piece), *owners}
    changes: list[Change] = []
    try:
        with transaction.atomic():
            changes = Take([], list(records_known(keys).values())).done()
    except PASSING:
        raise
    except Exception:
        log.exception("a piece of %s records failed; making them again one by one", len(keys))
        # Read anew: what was tried and rolled back had already marked the records as made.
        for one in sorted(records_known(keys).values(), key=lambda record: record.pk):
            try:
                with transaction.atomic():
                    changes += Take([], [one]).done()
            except PASSING:
                raise
            except Exception as error:
                log.exception("%s of endpoint %s could not be made again", one, one.endpoint_id)
                errors.append(f"{one.object} {one.external_id}: {type(error).__name__}: {error}"[:500])
    for change in changes:
        change.update(kind="mapping", label=f"{cause}: {change['label']}")
    changes_tell(changes)
    return errors


@dataclass(frozen=True, slots=True)
class Tried:
    """What a record is by the mapping in force, and by the one that is tried: its event, problems, or no fact."""

    record: SourceRecord
    before: Event | list[Problem] | None
    after: Event | list[Problem] | None

    @property
    def outcome(self) -> str:
        """same, changed, new, asks or none, of what it would become."""
        if isinstance(self.after, list):
            return "asks"
        if self.after is None:
            return "none"
        if not isinstance(self.before, Event):
            return "new"
        return "same" if (self.before.at, self.before.fact) == (self.after.at, self.after.fact) else "changed"


def mapping_try(*, endpoint: HookEndpoint, document: Mapping[str, Any], limit: int = TRIED) -> list[Tried]:
    """What a mapping would make of the records that came last, beside what the one in force does; nothing is stored."""
    records = list(SourceRecord.objects.filter(endpoint=endpoint).order_by("-carrier_id", "-id")[:limit])
    now = mapping_in_force(endpoint)
    before = records_read(records, now)
    after = records_read(records, InForce(now.number + 1, document))
    return [Tried(record, was, becomes) for (record, was), (_, becomes) in zip(before, after, strict=True)]
