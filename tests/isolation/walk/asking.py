"""What a visitor is answered, and what of it tells too much."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.test import Client


def answer(client: Client, method: str, url: str) -> Any:
    """What a request is answered; what it wrote is taken back."""
    if method == "GET":
        return client.get(url)
    with transaction.atomic():
        said = client.generic(method, url, content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    return said


def leaks(said: Any, forbidden: set[str]) -> set[str]:
    text = said.content.decode(errors="replace") + str(said.headers)
    return {secret for secret in forbidden if secret in text}
