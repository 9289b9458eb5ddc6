"""Digests of files, by which work that was done already is known: equal digest, equal outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# Migrations take the walls' SQL from comp/tenancy, other packages' migrations come with the pins, and what the owner
# grants by default comes from the roles.
MIGRATIONS = (
    "*/migrations/**/*",
    "comp/*/migrations/**/*",
    "comp/tenancy/**/*",
    "comp/local/roles.py",
    "requirements.txt",
)


def migrations_digest() -> str:
    """Of every file that shapes the schema."""
    return files_digest(MIGRATIONS)


def files_digest(patterns: Iterable[str]) -> str:
    """A short hexadecimal digest of the names and contents of the checkout's files that match."""
    digest = hashlib.sha256()
    for name in sorted({path.relative_to(CHECKOUT) for pattern in patterns for path in CHECKOUT.glob(pattern)}):
        path = CHECKOUT / name
        # Hidden folders hold what was built from the checkout, not what it is made of.
        if path.is_file() and path.suffix != ".pyc" and not name.parts[0].startswith("."):
            content = path.read_bytes()
            digest.update(f"{name.as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:16]
