"""The door for webhooks. A plain view: no session, no cookie, nothing but the signature says who calls."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from crediting.services.intake import DeliveryRefused, delivery_receive

log = logging.getLogger(__name__)

HEADERS = {
    "webhook-id": "HTTP_WEBHOOK_ID",
    "webhook-timestamp": "HTTP_WEBHOOK_TIMESTAMP",
    "webhook-signature": "HTTP_WEBHOOK_SIGNATURE",
    "content-type": "CONTENT_TYPE",
    "user-agent": "HTTP_USER_AGENT",
}


@csrf_exempt
@require_POST
def hook(request: HttpRequest, token: str) -> JsonResponse:
    """202 once the delivery is stored for good (or was already); 4xx when it is not taken; 503 when it could not be."""
    try:
        body = request.read(settings.HOOK_BODY_LIMIT + 1)  # one more than allowed tells that there is more
    except UnreadablePostError:
        return JsonResponse({"error": "the body broke off"}, status=400)
    headers = {name: request.META[key] for name, key in HEADERS.items() if key in request.META}
    try:
        receipt = delivery_receive(token, headers, body)
    except DeliveryRefused as refused:
        return JsonResponse({"error": str(refused)}, status=refused.status)
    except (OperationalError, InterfaceError):
        log.exception("a delivery could not be stored")
        answer = JsonResponse({"error": "not stored: the database does not answer. Please send it again."}, status=503)
        answer["Retry-After"] = "10"
        return answer
    return JsonResponse({"delivery": receipt.delivery, "status": receipt.status}, status=202)
