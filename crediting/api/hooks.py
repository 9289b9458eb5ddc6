"""The door for webhooks. A plain view: no session, no cookie, nothing but the signature says who calls."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from comp.people.middleware import caller_named
from crediting.intake.source import Call
from crediting.intake.sources import refusal
from crediting.services.intake import DeliveryRefused, Receipt, body_limit, delivery_receive

log = logging.getLogger(__name__)


#: Where in a request's environment the answer stands that was found before Django was asked (crediting.api.door); or
#: the error that came of it.
SAID = "comp.hook_said"
#: A body's length as a number that can be read: Python reads no longer ones.
_LENGTH = re.compile(r"[0-9]{1,4000}")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to a delivery; `retry_after`: in how many seconds it may be sent again."""

    status: int
    content_type: str
    body: bytes
    retry_after: int | None = None


@csrf_exempt
@require_POST
def hook(request: HttpRequest, token: str, rest: str = "") -> HttpResponse:
    """202 once the delivery is stored for good (or was already), or what its source wants to hear; 4xx when it is not
    taken; 503 when it could not be. `rest`: what a source's own clients add to the address that they are given."""
    said = request.META.get(SAID)
    if isinstance(said, Exception):
        raise said
    if said is None:
        said = _read_and_answered(request, token)
    answer = HttpResponse(said.body, status=said.status, content_type=said.content_type)
    if said.retry_after is not None:
        answer["Retry-After"] = str(said.retry_after)
    return answer


def _read_and_answered(request: HttpRequest, token: str) -> Said:
    length = to_read(request.META)
    if length is None:
        return NO_LENGTH
    try:
        body = request.read(length)
    except UnreadablePostError:
        return BROKE_OFF
    if len(body) < length:
        return BROKE_OFF
    # As it was called: gunicorn keeps the path undecoded.
    path = request.META.get("RAW_URI") or request.get_full_path()
    return answer_to(token, f"{request.scheme}://{request.get_host()}{path}", request.META, body)


def to_read(meta: Mapping[str, Any]) -> int | None:
    """How much of the body is read: one more than allowed tells that there is more. None where its length is not said,
    as of one sent in chunks. Where less comes, the body broke off: where its source signs nothing, only this tells."""
    length = meta.get("CONTENT_LENGTH")
    if not length:  # then there is no body, unless it is told in another way where it ends
        return None if "HTTP_TRANSFER_ENCODING" in meta else 0
    return min(int(length), body_limit() + 1) if _LENGTH.fullmatch(length) else None


def answer_to(token: str, url: str, meta: Mapping[str, Any], body: bytes) -> Said:
    """What is said to a delivery posted to the token's address, which was called as `url`."""
    try:
        receipt = _received(token, Call("POST", url, _headers(meta), body), caller_named(meta))
    except DeliveryRefused as refused:
        return _refused(body, str(refused), refused.status, refused.retry_after)
    except InvalidToken:
        log.error("the secret of a hook was encrypted with another SECRET_KEY: set SECRET_KEY_FALLBACKS")
        return _refused(body, "not stored: what proves it cannot be read here. Please send it again.", 503, 600)
    except (DatabaseError, InterfaceError):  # a server that crashes may answer with the plainest of its errors
        log.exception("a delivery could not be stored")
        return _refused(body, "not stored: the database does not answer. Please send it again.", 503, 10)
    if receipt.answer is not None:
        said = receipt.answer
        return Said(said.status, said.content_type, said.body)
    return _json({"delivery": receipt.delivery, "status": receipt.status}, 202)


def _headers(meta: Mapping[str, Any]) -> dict[str, str]:
    """The call's headers by lower-case name, as `request.headers` has them, without making those for one look."""
    found = {_lower(name[5:]): value for name, value in meta.items() if name.startswith("HTTP_")}
    return found | {_lower(name): meta[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in meta}


@lru_cache(maxsize=256)
def _lower(name: str) -> str:
    return name.replace("_", "-").lower()


def _json(what: Mapping[str, Any], status: int, retry_after: int | None = None) -> Said:
    return Said(status, "application/json", json.dumps(what).encode(), retry_after)


BROKE_OFF = _json({"error": "the body broke off"}, 400)
NO_LENGTH = _json({"error": "say how long the body is: Content-Length"}, 411)


def _received(token: str, call: Call, caller: str) -> Receipt:
    """Whether the kept connection still works is seen by using it: to ask before each delivery, as pages do, would be
    another trip to the server. Where it does not, another one is tried, once; a delivery that was stored after all is
    then answered as seen."""
    connection.health_check_done = True  # type: ignore[attr-defined]  # not in the stubs
    try:
        return delivery_receive(token, call, caller)
    except (DatabaseError, InterfaceError):
        if connection.in_atomic_block or connection.connection is None or connection.is_usable():
            raise
        connection.close()
        return delivery_receive(token, call, caller)


def _refused(body: bytes, reason: str, status: int, retry_after: int | None = None) -> Said:
    """Why a delivery is not taken, as its sender reads it."""
    said = refusal(body, reason)
    return Said(status, *said, retry_after) if said else _json({"error": reason}, status, retry_after)
