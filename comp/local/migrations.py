"""A digest of all that decides what `migrate` builds: equal digest, equal schema."""

from __future__ import annotations

import hashlib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# Migrations take the walls' SQL from comp/tenancy, other packages' migrations come with the pins, and what the owner
# grants by default comes from the roles.
SOURCES = (
    "*/migrations/**/*",
    "comp/*/migrations/**/*",
    "comp/tenancy/**/*",
    "comp/local/roles.py",
    "requirements.txt",
)


def migrations_digest() -> str:
    """A short hexadecimal digest of every file that shapes the schema."""
    digest = hashlib.sha256()
    paths = {path for pattern in SOURCES for path in CHECKOUT.glob(pattern) if path.suffix in {".py", ".sql", ".txt"}}
    for path in sorted(paths):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(CHECKOUT).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
