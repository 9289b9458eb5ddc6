"""Secrets that have to be read again (those that sign): encrypted in the database by keys derived from SECRET_KEY, one
for each purpose. SECRET_KEY_FALLBACKS still decrypt."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.utils.encoding import force_bytes


def seal(text: str, *, purpose: str) -> str:
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(kept: str, *, purpose: str) -> str:
    return _box(purpose).decrypt(kept.encode()).decode()


def _box(purpose: str) -> MultiFernet:
    words = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [hashlib.sha256(f"comp {purpose}\0".encode() + force_bytes(word)).digest() for word in words]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
