"""Every source that an endpoint may be for, by the name that endpoints hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from comp.core.errors import Problem
from crediting.intake import bulk, hubspot, salesforce, segment, standard, stripe
from crediting.intake.facts import Event
from crediting.intake.mapping import read_mapping
from crediting.intake.proving import prove_standard
from crediting.intake.salesforce import soap
from crediting.intake.salesforce.adapter import is_soap
from crediting.intake.signatures import Refused
from crediting.intake.source import Answer, Call, Change, Item, Proven, Source


class Standard:
    """Comp's own events over Standard Webhooks: each call is one event, and needs no mapping."""

    name = "standard"

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        return prove_standard(call, secrets, now=now, window=window)

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        return None

    def read(self, body: bytes) -> Event | Sequence[Change] | list[Problem]:
        return standard.adapt(body)

    def answer(self, call: Call) -> Answer | None:
        return None


class Api(Standard):
    """Comp's own events, many in one call of the API, which its key proves: `/api/v1/facts/bulk`."""

    name = bulk.NAME

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        return Refused(401, "facts of this endpoint come over the API, with a key")

    def items(self, body: bytes) -> Sequence[Item] | Problem | None:
        return bulk.items(body)

    def read(self, body: bytes) -> Event | Sequence[Change] | list[Problem]:
        return bulk.read(body)


class File(Standard):
    """Files that people upload. Nothing is posted to its address: each row comes in as an event of Comp's own
    (crediting.services.uploads)."""

    name = "file"

    def prove(self, call: Call, secrets: Iterable[str], *, now: float, window: int) -> Proven | Refused:
        return Refused(401, "facts of this endpoint come in files that people upload")


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (Standard(), Api(), File(), hubspot.SOURCE, salesforce.SOURCE, stripe.SOURCE, segment.SOURCE)
}

#: Bytes that a call of a source may have, where that is more than HOOK_BODY_LIMIT: they send batches.
BODY_LIMITS: Mapping[str, int] = dict.fromkeys(("hubspot", "salesforce", "stripe", "segment"), 1024 * 1024)


def refusal(body: bytes, reason: str) -> tuple[str, bytes] | None:
    """Why a call is not taken, as content type and body, for a sender that speaks no JSON; None for all others."""
    return ("text/xml; charset=utf-8", soap.fault(reason)) if is_soap(body) else None


@cache
def default_mapping(name: str) -> Mapping[str, Any] | None:
    """The field mapping that an endpoint of this source has until it is given its own; None for a source that speaks
    Comp's own events."""
    path = Path(__file__).parent / name / "mapping.yaml"
    return read_mapping(path.read_text(encoding="utf-8")) if name in SOURCES and path.exists() else None
