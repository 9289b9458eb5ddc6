"""Evidence of a batch: everything that it stands on as one ZIP, for an auditor who need not believe us.

A job that builds file after file and keeps each, so that it goes on where it stood; then packs them with a manifest of
their digests. `comp/evidence_check.py` checks the ZIP with nothing but Python. docs/evidence.md tells what is in it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import secrets
import zipfile
from typing import Any

from django.utils import timezone

from comp.audit.services import record
from comp.core.canonical import canonical_json, digest
from comp.core.errors import refused
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring
from comp.tenancy.models import User
from comp.tenancy.scope import Actor, Pay, current_tenant_id, tenant_scope
from payouts.models import Batch, EvidenceExport, EvidenceFile
from payouts.services.evidence_files import FILES, index_html

MANIFEST, FORMAT = "manifest.json", "comp/evidence/1"
#: How many lines are shown with all that they stand on, where nobody asks for another number.
SAMPLES, SAMPLES_AT_MOST = 25, 500
#: The time that every entry of the ZIP says, so that equal files make an equal ZIP.
_MOMENT = (2000, 1, 1, 0, 0, 0)


def evidence_ask(*, batch: Batch, asked_by: User, samples: int = SAMPLES, seed: str = "") -> EvidenceExport:
    """Asks for an export of a batch. `seed` draws the sample; the same seed draws the same lines again."""
    if not 0 <= samples <= SAMPLES_AT_MOST:
        raise refused("samples", samples, f"0 to {SAMPLES_AT_MOST}", f"A sample has at most {SAMPLES_AT_MOST} lines.")
    export = EvidenceExport.objects.create(
        batch=batch,
        pay_group_id=batch.pay_group_id,
        seed=seed.strip()[:60] or secrets.token_hex(8),
        samples=samples,
        asked_by=asked_by,
        steps=len(FILES) + 1,
    )
    record(code="evidence.ask", subject=batch, after={"export": export.pk, "seed": export.seed, "samples": samples})
    ring(tenant_id=current_tenant_id(), queue=JOBS)
    return export


def evidence_drain(tenant_id: int) -> int:
    """Builds the next file of an export, or packs it; 0 where none is under way."""
    with tenant_scope(tenant_id, actor=Actor.task("evidence"), pay=Pay.everyone()):
        building = EvidenceExport.objects.select_for_update(skip_locked=True).defer("body")
        export = building.filter(state=EvidenceExport.State.BUILDING).order_by("id").first()
        if export is None:
            return 0
        try:
            with tenant_scope(tenant_id):
                _step(export)
        except PASSING:
            raise  # the server, not the export
        except Exception as error:
            export.state, export.error = EvidenceExport.State.FAILED, f"{type(error).__name__}: {error}"[:2000]
            export.save(update_fields=["state", "error"])
        return 1


def _step(export: EvidenceExport) -> None:
    names = list(FILES)
    if export.step < len(names):
        name = names[export.step]
        body = FILES[name](export)
        EvidenceFile.objects.create(
            export=export, pay_group_id=export.pay_group_id, name=name, body=gzip.compress(body, mtime=0)
        )
        export.step += 1
        export.save(update_fields=["step"])
        return
    kept = EvidenceFile.objects.filter(export=export)
    files = {row.name: gzip.decompress(bytes(row.body)) for row in kept.order_by("name")}
    export.body, export.manifest_sha256 = packed(export, files)
    export.sha256, export.done_at = hashlib.sha256(export.body).hexdigest(), timezone.now()
    export.state, export.step = EvidenceExport.State.DONE, export.steps
    export.save(update_fields=["body", "manifest_sha256", "sha256", "done_at", "state", "step"])
    kept.delete()
    record(
        code="evidence.export",
        subject=export.batch,
        after={"export": export.pk, "sha256": export.sha256, "manifest": export.manifest_sha256},
    )


def packed(export: EvidenceExport, files: dict[str, bytes]) -> tuple[bytes, str]:
    """The ZIP of the files, their index and their manifest; and the manifest's own digest."""
    files = {**files, "index.html": index_html(export, files)}
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "what": str(export),
        "asked_at": export.asked_at.isoformat(),
        "rule": "self is the SHA-256 of this file's canonical JSON without self",
        "files": [
            {"name": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            for name, body in sorted(files.items())
        ],
    }
    manifest["self"] = digest(manifest)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, body in [*sorted(files.items()), (MANIFEST, canonical_json(manifest).encode())]:
            pack.writestr(zipfile.ZipInfo(name, _MOMENT), body, zipfile.ZIP_DEFLATED)
    return out.getvalue(), str(manifest["self"])


def evidence_read(*, export: EvidenceExport) -> bytes:
    """The ZIP, for somebody who downloads it; each time is told in the audit trail."""
    if export.state != EvidenceExport.State.DONE:
        raise refused("export", export.state, "one that is done", f"{export} is not done yet.")
    record(code="evidence.download", subject=export.batch, after={"export": export.pk, "sha256": export.sha256})
    return bytes(export.body)
