#!/usr/bin/env python3
"""Checks an evidence export, with nothing but Python 3.9 or newer: `python3 evidence_check.py export.zip`.

It needs no account, no network and no part of Comp, and it trusts nothing that the export says of itself:

1. The manifest's own digest: the SHA-256 of its canonical JSON without the member `self`.
2. Every file that the manifest names is there with its size and SHA-256; nothing else is there.
3. The batch: the SHA-256 of the canonical JSON of its sealed lines is the digest that was approved.
4. The lines add up, by currency, to the batch's totals, to its statements and to what was posted.
5. The audit entries: each one's link follows the one before it, from the first of the period to its head. An entry
   that an erasure redacted is shown with what it says now; its link stays as it was.

Canonical JSON: keys sorted by code point, no spaces, UTF-8, nothing escaped that need not be. A link is the SHA-256 of
the 32 bytes of the previous one and the entry's text.

Prints one line a check; what is wrong is named. Exit status 0 when all holds, 1 when anything does not, 2 when the file
cannot be read at all.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

MANIFEST = "manifest.json"
FORMAT = "comp/evidence/1"


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def manifest_wrong(manifest: Any) -> Iterator[str]:
    if manifest.get("format") != FORMAT:
        yield f"{MANIFEST}: its format is {manifest.get('format')!r}; this program checks {FORMAT}"
    without = {name: value for name, value in manifest.items() if name != "self"}
    if manifest.get("self") != sha256(canonical(without)):
        yield f"{MANIFEST}: it was changed: its own digest is another one"


def files_wrong(packed: zipfile.ZipFile, manifest: Any) -> Iterator[str]:
    named = {row["name"]: row for row in manifest["files"]}
    held = Counter(packed.namelist())
    for name in sorted(set(held) - set(named) - {MANIFEST}):
        yield f"{name}: the manifest does not name it: it was added"
    for name in sorted(name for name, count in held.items() if count > 1):
        yield f"{name}: it is in the file {held[name]} times"
    for name, row in sorted(named.items()):
        if name not in held:
            yield f"{name}: it is missing"
            continue
        body = packed.read(name)
        if sha256(body) != row["sha256"] or len(body) != row["bytes"]:
            yield f"{name}: it was changed: its digest is another one"


def batch_wrong(packed: zipfile.ZipFile) -> Iterator[str]:
    batch = json.loads(packed.read("batch.json"))
    sealed = packed.read("population/sealed.json")
    said = json.loads(sealed)
    if sha256(canonical(said)) != batch["digest"]:
        yield "population/sealed.json: it is not what the batch's digest was made of"
    # Where plans settle, the lines stand in it by a digest of their own.
    lines = json.loads(packed.read("population/sealed_lines.json"))
    if said and isinstance(said[0], str) and said[0] != sha256(canonical(lines)):
        yield "population/sealed_lines.json: it is not what the digest of the lines was made of"
    if batch["approved_digest"] not in ("", batch["digest"]):
        yield "batch.json: what was approved is not what the batch holds"
    owed = Counter({currency: minor for currency, minor in batch["totals"].items() if minor})
    told = json.loads(packed.read("reconciliation.json"))
    for name in ("lines", "statements", "ledger", "payments"):
        side = told[name]
        if side is not None and Counter({key: minor for key, minor in side.items() if minor}) != owed:
            yield f"reconciliation.json: the {name} add up to {side}, the batch to {dict(owed)}"
    if told["check"] and any(told["check"].values()):
        yield f"reconciliation.json: differences that nobody explained: {told['check']}"


def audit_wrong(packed: zipfile.ZipFile) -> Iterator[str]:
    before, number = "", 0
    for entry in json.loads(packed.read("audit/entries.json")):
        if before and (entry["previous"] != before or entry["number"] != number + 1):
            yield f"audit/entries.json: entry {entry['number']} does not follow the one before it"
            return
        link = hashlib.sha256(bytes.fromhex(entry["previous"]) + entry["text"].encode()).hexdigest()
        if link != entry["digest"] and entry.get("redacted") != sha256(entry["text"].encode()):
            yield f"audit/entries.json: entry {entry['number']} was changed: its digest is another one"
            return
        before, number = entry["digest"], entry["number"]
    head = json.loads(packed.read("audit/head.json"))
    if before and before != head["digest"]:
        yield "audit/head.json: it is not the last entry's digest"


def check(path: str) -> int:
    """Prints what was looked at and what is wrong; the exit status."""
    try:
        packed = zipfile.ZipFile(path)
        manifest = json.loads(packed.read(MANIFEST))
        looks = [
            ("The manifest", lambda: manifest_wrong(manifest)),
            ("Every file", lambda: files_wrong(packed, manifest)),
            ("The batch and its sums", lambda: batch_wrong(packed)),
            ("The audit trail", lambda: audit_wrong(packed)),
        ]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        print(f"{path}: it cannot be read: {error}")
        return 2
    failed = False
    for name, look in looks:
        try:
            wrong = list(look())
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            wrong = [f"it cannot be read: {error}"]
        print(f"{'ok   ' if not wrong else 'WRONG'} {name}")
        for text in wrong:
            print(f"      {text}")
        failed = failed or bool(wrong)
    print(f"{path}: {'something is wrong' if failed else 'all holds'}; manifest {manifest.get('self')}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("one argument is needed: the ZIP of an evidence export")
        sys.exit(2)
    sys.exit(check(sys.argv[1]))
