"""The door for webhooks. A plain view: no session, no cookie, nothing but the signature says who calls."""

from __future__ import annotations

import logging

from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from comp.people.middleware import caller_address
from crediting.intake.source import Call
from crediting.intake.sources import refusal
from crediting.services.intake import DeliveryRefused, Receipt, body_limit, delivery_receive

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def hook(request: HttpRequest, token: str, rest: str = "") -> HttpResponse:
    """202 once the delivery is stored for good (or was already), or what its source wants to hear; 4xx when it is not
    taken; 503 when it could not be. `rest`: what a source's own clients add to the address that they are given."""
    try:
        body = request.read(body_limit() + 1)  # one more than allowed tells that there is more
    except UnreadablePostError:
        return JsonResponse({"error": "the body broke off"}, status=400)
    headers = _headers(request)
    # As it was called: gunicorn keeps the path undecoded.
    path = request.META.get("RAW_URI") or request.get_full_path()
    url = f"{request.scheme}://{request.get_host()}{path}"
    try:
        receipt = _received(token, Call(request.method or "POST", url, headers, body), caller_address(request))
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
        return HttpResponse(said.body, status=said.status, content_type=said.content_type)
    return JsonResponse({"delivery": receipt.delivery, "status": receipt.status}, status=202)


def _headers(request: HttpRequest) -> dict[str, str]:
    """The call's headers by lower-case name, as `request.headers` has them, without making those for one look."""
    found = {name[5:]: value for name, value in request.META.items() if name.startswith("HTTP_")}
    found |= {name: request.META[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in request.META}
    return {name.replace("_", "-").lower(): value for name, value in found.items()}


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


def _refused(body: bytes, reason: str, status: int, retry_after: int | None = None) -> HttpResponse:
    """Why a delivery is not taken, as its sender reads it, and in how many seconds it may be sent again."""
    said = refusal(body, reason)
    answer = HttpResponse(said[1], content_type=said[0]) if said else JsonResponse({"error": reason})
    answer.status_code = status
    if retry_after is not None:
        answer["Retry-After"] = str(retry_after)
    return answer
