"""Forms whose answer cannot be asked for twice: what they made is shown this once, and a reload would make another."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.http import HttpRequest

#: The hidden field of such a form, and where the session keeps those that were posted.
FIELD = "once"
_KEPT = 20


def once_token() -> str:
    return secrets.token_urlsafe(12)


def repeated(request: HttpRequest) -> bool:
    """Whether this very form was posted before in the session, and says so; a form without the field never was."""
    token = request.POST.get(FIELD, "")
    if not token:
        return False
    done = request.session.get(FIELD, [])
    if token in done:
        messages.info(request, "This was done already; a reload does not do it again.")
        return True
    request.session[FIELD] = [*done, token][-_KEPT:]
    return False
