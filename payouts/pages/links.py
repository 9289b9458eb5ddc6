"""Addresses below the request's tenant."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from comp.people.models import Participant
from comp.tenancy.capabilities import Can


def link(request: HttpRequest, name: str, **parts: Any) -> str:
    """The address of a page of the same company."""
    return reverse(name, kwargs={"tenant": request.tenant.slug, **parts})  # type: ignore[attr-defined]


def may_question(request: HttpRequest, person: Participant) -> bool:
    """Whether the visitor may open a dispute about this pay: one's own, or as somebody who handles disputes."""
    can: frozenset[Can] = request.can  # type: ignore[attr-defined]
    return Can.DISPUTE_HANDLE in can or (Can.PAY_OWN in can and person == request.participant)  # type: ignore[attr-defined]
