"""An evidence export is one ZIP that a small script checks; whatever is changed in it is named."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from comp.audit.models import AuditEntry
from comp.outbox.services import work_once
from payouts.models import EvidenceExport, EvidenceFile
from payouts.services.evidence import evidence_ask, evidence_drain, evidence_read
from tests.payouts.house import house

CHECK = Path(__file__).parents[2] / "comp" / "evidence_check.py"
Files = dict[str, bytes]


def checked(path: Path) -> tuple[int, str]:
    """As an auditor runs it: no package, no settings, nothing on the path."""
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-I", str(CHECK), str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def packed(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as pack:
        for name, body in files.items():
            pack.writestr(name, body)
    return path


def again(files: Files, name: str, change: Callable[[Any], Any]) -> Files:
    """A cleverer forger: the changed file's digest and the manifest's own are made to fit."""
    import hashlib

    body = json.dumps(change(json.loads(files[name])), sort_keys=True, separators=(",", ":")).encode()
    manifest = json.loads(files["manifest.json"])
    for row in manifest["files"]:
        if row["name"] == name:
            row.update(sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    manifest.pop("self")
    told = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    manifest["self"] = hashlib.sha256(told).hexdigest()
    return {**files, name: body, "manifest.json": json.dumps(manifest).encode()}


@pytest.mark.django_db(transaction=True)
def test_the_export_is_checked_without_us(tmp_path: Path) -> None:
    acme = house()
    acme.won("A-1", "60000.00", "2026-01-10")
    acme.won("A-2", "50000.00", "2026-01-12")
    acme.work()
    batch = acme.close(date(2026, 1, 1))
    with acme.acme.scope(acme.preparer):
        asked = evidence_ask(batch=batch, asked_by=acme.preparer, samples=1, seed="spring")
    while evidence_drain(acme.acme.tenant.pk):
        pass
    with acme.acme.scope(acme.preparer):
        export = EvidenceExport.objects.get(pk=asked.pk)
        assert (export.state, export.error, export.step) == ("done", "", export.steps)
        assert not EvidenceFile.objects.exists()
        body = evidence_read(export=export)
        codes = AuditEntry.objects.filter(code__startswith="evidence.").order_by("number")
        assert list(codes.values_list("code", flat=True)) == ["evidence.ask", "evidence.export", "evidence.download"]
    whole = tmp_path / "evidence.zip"
    whole.write_bytes(body)
    status, said = checked(whole)
    assert status == 0, said
    with zipfile.ZipFile(io.BytesIO(body)) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    sample = json.loads(files["samples/samples.json"])[0]
    assert sample["delivery"]["whole"] and sample["fact"]["external_id"] in ("A-1", "A-2")
    assert b"Ann" not in b"".join(body for name, body in files.items() if not name.startswith("audit/"))

    tampered = {
        "added": {**files, "more.txt": b"x"},
        "missing": {name: body for name, body in files.items() if name != "population/lines.csv"},
        "changed": {**files, "population/lines.csv": files["population/lines.csv"] + b" "},
        "own digest": {**files, "manifest.json": files["manifest.json"].replace(b"Evidence of", b"Evidence on")},
        "sealed.json": again(files, "population/sealed.json", lambda rows: rows[1:]),
        "add up": again(files, "reconciliation.json", lambda told: {**told, "statements": {"USD": 1}}),
        "approved": again(files, "batch.json", lambda told: {**told, "approved_digest": "0" * 64}),
        "entry": again(files, "audit/entries.json", lambda rows: [*rows[:3], {**rows[3], "text": "{}"}, *rows[4:]]),
        "follow": again(files, "audit/entries.json", lambda rows: [*rows[:3], *rows[4:]]),
    }
    for number, (word, forged) in enumerate(tampered.items()):
        status, said = checked(packed(tmp_path / f"{number}.zip", forged))
        assert status == 1 and word in said, (word, said)
    (tmp_path / "no.zip").write_bytes(b"no zip")
    assert checked(tmp_path / "no.zip")[0] == 2
    assert work_once(acme.acme.tenant.pk) == 0
