"""Files that prove why pay was changed by hand: small, of a few kinds, kept with their digest."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import NamedTuple

from comp.core.errors import refused
from comp.people.models import Participant
from comp.tenancy.models import User
from payouts.models import Attachment

#: How large one may be.
BYTES = 5 * 2**20
#: What may be attached: the media type of each ending, and how such a file begins (nothing: it is text).
KINDS = {
    "pdf": ("application/pdf", b"%PDF-"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04"),
    "csv": ("text/csv", b""),
    "txt": ("text/plain", b""),
    "eml": ("message/rfc822", b""),
}


class File(NamedTuple):
    """A file as somebody gave it."""

    name: str
    content: bytes


def file_checked(file: File) -> File:
    """ProblemsError for what cannot be attached: its size, its kind, or content that is not what its name says."""
    name = PurePath(file.name).name.strip()[:200]
    allowed = f"{', '.join(sorted(KINDS))}, up to {BYTES // 2**20} MB"
    ending = name.rpartition(".")[2].lower()
    if ending not in KINDS or not name.isprintable():
        raise refused(
            "attachment", name, allowed, f"“{name}” is of no kind that can be attached; allowed are {allowed}."
        )
    if not 0 < len(file.content) <= BYTES:
        size = f"{len(file.content):,} bytes"
        raise refused("attachment", size, allowed, f"“{name}” has {size}; allowed are 1 to {BYTES:,}.")
    begins = KINDS[ending][1]
    if not file.content.startswith(begins) or (not begins and b"\0" in file.content):
        raise refused("attachment", name, allowed, f"“{name}” does not hold what its name says.")
    return File(name, file.content)


def attachment_add(*, participant: Participant, file: File, added_by: User) -> Attachment:
    """Keeps a file about a person's pay."""
    name, content = file_checked(file)
    return Attachment.objects.create(
        participant=participant,
        pay_group_id=participant.pay_group_id,
        name=name,
        media=KINDS[name.rpartition(".")[2].lower()][0],
        content=content,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        added_by=added_by,
    )
