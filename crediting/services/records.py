"""A source's records: changes are folded into them, and what they are by the field mapping becomes events.

A record is made again when a change of it or of one of its lines or members is folded, when the delivery that carries
it is taken again, and when the mapping is another one. What it becomes is a function of the records alone, and its
version grows with each change, so the arrival order of changes cannot matter. Callers hold the intake lock.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet

from comp.core.errors import Problem
from comp.tenancy.selectors import own_time_zone
from crediting.intake.facts import Event, OtherFact, fact_key
from crediting.intake.folding import EMPTY, fold, from_json, record_of, to_json
from crediting.intake.mapping import Record, apply, owners_of, parts_of
from crediting.intake.source import Change
from crediting.intake.sources import default_mapping
from crediting.models import FieldMapping, HookEndpoint, RawDelivery, SourceLink, SourceRecord
from crediting.services.issues import Question

State = RawDelivery.State
#: A record: its endpoint, the source's name of the object, the source's id.
Key = tuple[int, str, str]
#: A mapping's number counts above all changes that a record can have: what a later one makes stands.
BY_MAPPING = 10**10


@dataclass(frozen=True, slots=True)
class InForce:
    """The mapping that an endpoint's records are read by; `number` 0: its source's default."""

    number: int
    document: Mapping[str, Any]


@dataclass(slots=True)
class Making:
    """What records become. `events` and `questions` are by the delivery that carries the record; `made` are the events
    with their records, to be remembered by `records_remember` once they are stored."""

    events: list[tuple[RawDelivery, Event]] = field(default_factory=list)
    questions: list[tuple[RawDelivery, Question]] = field(default_factory=list)
    made: list[tuple[SourceRecord, Event, str]] = field(default_factory=list)


def mapping_in_force(endpoint: HookEndpoint) -> InForce:
    """The greatest number of the endpoint's own mappings, or the default of its source."""
    own = FieldMapping.objects.filter(endpoint=endpoint).order_by("-number").first()
    if own:
        return InForce(own.number, own.document)
    return InForce(0, default_mapping(endpoint.adapter) or {"records": []})


def records_fold(said: Sequence[tuple[RawDelivery, Sequence[Change]]]) -> dict[Key, RawDelivery]:
    """Folds the changes of deliveries into their records, each once. Returns what is to be made again, each with the
    delivery to carry it: the records that changed and those that they belong to, or did."""
    changes: dict[Key, list[tuple[RawDelivery, Change]]] = defaultdict(list)
    for delivery, stated in said:
        for change in stated:
            changes[delivery.endpoint_id, change.object, change.id].append((delivery, change))
    if not changes:
        return {}
    known = records_known(changes)
    folded: dict[Key, SourceRecord] = {}
    for key, stated_of in changes.items():
        record = known.get(key) or SourceRecord(endpoint_id=key[0], object=key[1], external_id=key[2])
        state = from_json(record.state) if record.state else EMPTY
        for delivery, change in stated_of:
            state = fold(state, change, delivery.sender_id)
        record.state, record.events = to_json(state), state.count
        if key not in known:
            record.carrier = stated_of[-1][0]
        folded[key] = record
    SourceRecord.objects.bulk_create(
        folded.values(),
        update_conflicts=True,
        unique_fields=["tenant", "endpoint", "object", "external_id"],
        update_fields=["state", "events"],
    )
    RawDelivery.objects.filter(id__in=[delivery.pk for delivery, _ in said]).update(folded=True)
    carriers = {key: stated_of[-1][0] for key, stated_of in changes.items()}
    for record, owner in records_link(folded.values()):
        carriers.setdefault(owner, carriers[key_of(record)])
    return carriers


def records_carry(
    carriers: Mapping[Key, RawDelivery], again: Sequence[RawDelivery], others: Sequence[SourceRecord] = ()
) -> tuple[list[SourceRecord], list[RawDelivery]]:
    """The records to be made again: those of `carriers`, which these deliveries carry from now on, those that the
    deliveries taken `again` carry still, and `others`. Also the deliveries that waited because of one of them: they
    wait no more, or anew."""
    records = {record.pk: record for record in [*others, *records_known(carriers).values()]}
    overtaken = {one.carrier_id: one.carrier for one in records.values() if one.carrier.state == State.WAITING}
    for record in records_carried_by([*again, *overtaken.values()]):
        records.setdefault(record.pk, record)
    moved = []
    for record in records.values():
        carrier = carriers.get(key_of(record))
        if carrier is not None and carrier.pk != record.carrier_id:
            record.carrier = carrier
            moved.append(record)
    SourceRecord.objects.bulk_update(moved, ["carrier"], batch_size=500)
    return list(records.values()), list(overtaken.values())


def records_link(records: Iterable[SourceRecord]) -> list[tuple[SourceRecord, Key]]:
    """Remembers which records these belong to, by the mapping in force; returns each with all those that it belongs to
    or did."""
    found = {record.pk: record for record in records}
    documents = _documents(found.values())
    links = [
        SourceLink(record=record, object=object, external_id=owner[:200])
        for record in found.values()
        for object, owner in owners_of(documents[record.endpoint_id].document, plain(record))
    ]
    SourceLink.objects.bulk_create(links, ignore_conflicts=True)
    kept = (
        SourceLink.objects.filter(record_id__in=found).order_by("id").values_list("record_id", "object", "external_id")
    )
    return [(found[record], (found[record].endpoint_id, object, owner)) for record, object, owner in kept]


def records_known(keys: Iterable[Key]) -> dict[Key, SourceRecord]:
    """The records of these keys that have come, each with the delivery that carries it."""
    return {key_of(one): one for one in _by_keys(_with_carriers(), keys)}


def records_whole(keys: Iterable[Key]) -> dict[Key, datetime]:
    """When these records were last told whole or gone, of those that ever were."""
    found = {}
    for one in _by_keys(SourceRecord.objects.all(), keys):
        state = from_json(one.state)
        told = max(state.whole, state.gone[1] if state.gone[0] else state.whole)
        if told[1]:
            found[key_of(one)] = datetime.fromisoformat(told[1])
    return found


def records_carried_by(deliveries: Iterable[RawDelivery]) -> list[SourceRecord]:
    """The records whose events these deliveries carry."""
    wanted = [delivery.pk for delivery in deliveries]
    return list(_with_carriers().filter(carrier_id__in=wanted)) if wanted else []


def records_read(
    records: Iterable[SourceRecord], by: InForce
) -> list[tuple[SourceRecord, Event | list[Problem] | None]]:
    """What records of one endpoint are by a mapping; nothing is kept."""
    found, zone = list(records), own_time_zone()
    parts = _parts(found, {one.endpoint_id: by for one in found})
    return [(one, _event(one, by, parts.get(key_of(one), []), zone)) for one in found]


def records_make(records: Iterable[SourceRecord]) -> Making:
    """What these records are now: events where they differ from what is stored, and questions."""
    found = sorted(records, key=lambda one: one.pk)
    by = _documents(found)
    zone, making = own_time_zone(), Making()
    parts = _parts(found, by)
    for record in found:
        _make(record, by[record.endpoint_id], parts.get(key_of(record), []), zone, making)
    return making


def records_remember(made: Iterable[tuple[SourceRecord, Event, str]]) -> None:
    """What these records became, now that it is stored; without a digest: no longer anything."""
    rows = []
    for record, event, digest in made:
        record.made_kind, record.made_id = fact_key(event.fact) if digest else ("", "")
        record.made_digest = digest
        rows.append(record)
    SourceRecord.objects.bulk_update(rows, ["made_kind", "made_id", "made_digest"], batch_size=500)


def key_of(record: SourceRecord) -> Key:
    return record.endpoint_id, record.object, record.external_id


def plain(record: SourceRecord) -> Record:
    """A record as mappings read it."""
    return record_of(record.object, record.external_id, from_json(record.state))


# ------------------------------------------------------------------ pieces


def _make(record: SourceRecord, by: InForce, parts: Sequence[SourceRecord], zone: str, making: Making) -> None:
    """Adds what one record is to `making`, where that is not what is stored of it already."""
    made = _event(record, by, parts, zone)
    if isinstance(made, list):
        making.questions += [(record.carrier, _question(record, problem)) for problem in made]
        return
    former = record.made_kind, record.made_id
    if any(former) and (made is None or fact_key(made.fact) != former):
        _former(record, former, by, parts, making)
        if former[0] in ("deal", "account"):
            return
    if made is None:
        return
    digest = hashlib.sha256(repr((made.at, made.fact)).encode()).hexdigest()
    if digest != record.made_digest:
        making.events.append((record.carrier, made))
        making.made.append((record, made, digest))


def _whole(record: SourceRecord, by: InForce, parts: Sequence[SourceRecord]) -> tuple[Record, list[Record]]:
    """A record and what belongs to it. Its version counts its changes and those of all that ever belonged to it; its
    time is that of the last change of it or of what belongs to it now."""
    own, related = plain(record), [plain(one) for one in parts]
    version = by.number * BY_MAPPING + record.events + sum(one.events for one in parts)
    joined = [one.at for one in related if (own.object, own.id) in owners_of(by.document, one)]
    return replace(own, version=version, at=max([own.at, *joined])), related


def _event(record: SourceRecord, by: InForce, parts: Sequence[SourceRecord], zone: str) -> Event | list[Problem] | None:
    whole, related = _whole(record, by, parts)
    return apply(by.document, whole, zone=zone, related=related)


def _former(
    record: SourceRecord, former: tuple[str, str], by: InForce, parts: Sequence[SourceRecord], making: Making
) -> None:
    """The record was another fact before, or is none any more. What it was is taken back; a deal cannot be, so that has
    to be asked."""
    kind, id = former
    if kind == "account":
        return
    if kind == "deal":
        message = f"{record} is the deal {id}. By the field mapping it would be none, or another: say what it becomes."
        making.questions.append((record.carrier, Question("field", f"{record}: deal {id}"[:200], message)))
        return
    now, _ = _whole(record, by, parts)
    gone = Event(f"{kind}.withdrawn", now.at, now.version, OtherFact(kind, id, stands=False))
    making.events.append((record.carrier, gone))
    making.made.append((record, gone, ""))


def _question(record: SourceRecord, problem: Problem) -> Question:
    """One for each field and value of an object: all records that it stands in the way of wait for the same answer."""
    value = f"{record.object}.{problem.path}: {problem.found}"
    return Question("field", value[:200], f"The field mapping of {record.object}, {problem.path}: {problem.message}.")


def _with_carriers() -> QuerySet[SourceRecord]:
    return SourceRecord.objects.select_related("carrier__endpoint").defer("carrier__body", "carrier__headers")


def _documents(records: Iterable[SourceRecord]) -> dict[int, InForce]:
    wanted = {record.endpoint_id for record in records}
    return {endpoint.pk: mapping_in_force(endpoint) for endpoint in HookEndpoint.objects.filter(id__in=wanted)}


def _parts(records: Sequence[SourceRecord], by: Mapping[int, InForce]) -> dict[Key, list[SourceRecord]]:
    """All records that ever belonged to each of these, in the order of their ids."""
    wanted = [key_of(one) for one in records if parts_of(by[one.endpoint_id].document, one.object)]
    found: dict[Key, list[SourceRecord]] = defaultdict(list)
    if not wanted:
        return found
    links = SourceLink.objects.filter(record__endpoint_id__in={key[0] for key in wanted})
    links = links.filter(external_id__in={key[2] for key in wanted}, object__in={key[1] for key in wanted})
    keys = set(wanted)
    for link in links.select_related("record").order_by("record_id"):
        key = (link.record.endpoint_id, link.object, link.external_id)
        if key in keys:
            found[key].append(link.record)
    return found


def _by_keys(rows: QuerySet[SourceRecord], keys: Iterable[Key]) -> list[SourceRecord]:
    wanted: dict[tuple[int, str], list[str]] = defaultdict(list)
    for endpoint, object, id in keys:
        wanted[endpoint, object].append(id)
    if not wanted:
        return []
    clauses = [Q(endpoint_id=at, object=object, external_id__in=ids) for (at, object), ids in wanted.items()]
    return list(rows.filter(reduce(or_, clauses)))
