"""The files of an evidence export: each reads one thing and gives its bytes. Employees stand in them by their number;
of people with a log-in the name is told, because who acted is what is to be proven."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now

from comp.api.models import ApiKey
from comp.audit.models import AuditEntry
from comp.audit.services import payload
from comp.core.canonical import canonical_json
from comp.core.money import format_money
from comp.people.erasure import entry_sha256
from comp.people.models import Erasure, ExchangeRate, Participant, Redaction
from comp.tenancy.models import Membership, RoleTable, User
from comp.tenancy.scope import current_tenant_id
from comp.web.csv import csv_text
from crediting.models import DealRevision, FactRevision, RawDelivery
from payouts import verify
from payouts.models import (
    ApprovalStage,
    Batch,
    BatchLine,
    EvidenceExport,
    LedgerEntry,
    LedgerTransaction,
    Payment,
)
from payouts.selectors_batches import line_facts, lines_digest, subject_sums, subject_totals
from payouts.selectors_settlements import all_facts, of_batch, settlement_facts
from payouts.services.batch_steps import statements_of
from plans.models import PlanAssignment, PlanVersion, Quota
from plans.rules.diff import diff

LINES = (
    "number", "employee", "plan", "component", "kind", "line", "endpoint", "deal", "rule", "role", "split", "tranche",
    "origin", "credit date", "amount minor", "currency", "plan version", "cause",
)  # fmt: skip


def _json(value: Any) -> bytes:
    return canonical_json(value).encode()


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    return csv_text(header, rows).encode()


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def lines_of(export: EvidenceExport) -> QuerySet[BatchLine]:
    """The batch's lines in an order that anybody can repeat."""
    return BatchLine.objects.filter(batch_id=export.batch_id).order_by(
        "participant__key", "plan__key", "component", "rule", "role", "split", "fact", "origin", "index", "part", "id"
    )


def _since(batch: Batch) -> datetime:
    """The moment of the group's batch before: changes after it are this period's."""
    before = Batch.objects.filter(pay_group=batch.pay_group_id, locked_at__lt=batch.locked_at)
    last = before.order_by("-locked_at").first()
    return last.locked_at if last else datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _names() -> dict[int, str]:
    return {user.pk: str(user) for user in User.objects.all()}


# ------------------------------------------------------------------ the batch and its population


def batch_json(export: EvidenceExport) -> bytes:
    """What was approved: states, moments, people, totals and the digest."""
    batch, names = export.batch, _names()
    return _json(
        {
            "name": batch.name, "pay_group": batch.pay_group.key, "starts_on": batch.starts_on.isoformat(),
            "ends_on": batch.ends_on.isoformat(), "state": str(batch.state), "people": batch.people,
            "lines": batch.lines, "totals": batch.totals, "digest": batch.digest,
            "approved_digest": batch.approved_digest, "ledger_head": batch.ledger_head,
            "locked_by": names.get(batch.locked_by_id or 0, ""), "locked_at": _text(batch.locked_at),
            "submitted_by": names.get(batch.submitted_by_id or 0, ""), "submitted_at": _text(batch.submitted_at),
            "decided_by": names.get(batch.decided_by_id or 0, ""), "decided_at": _text(batch.decided_at),
            "exported_at": _text(batch.exported_at), "paid_by": names.get(batch.paid_by_id or 0, ""),
            "paid_at": _text(batch.paid_at), "reason": batch.reason, "seed": export.seed,
            "samples": export.samples, "asked_by": names.get(export.asked_by_id, ""),
            "asked_at": _text(export.asked_at),
        }
    )  # fmt: skip


def sealed(export: EvidenceExport) -> bytes:
    """What the batch's digest is made of: its lines; where plans settle, their digest and what the settlements say."""
    found = line_facts(lines_of(export).order_by())
    said = all_facts(settlement_facts(*of_batch(export.batch_id)))
    return _json([lines_digest(found), said] if said else found)


def sealed_lines(export: EvidenceExport) -> bytes:
    """The lines as the digest of lines is made of them."""
    return _json(line_facts(lines_of(export).order_by()))


def lines(export: EvidenceExport) -> bytes:
    rows = lines_of(export).values_list(
        "id", "participant__key", "plan__key", "component", "kind", "line_kind", "deal__endpoint__key",
        "deal__external_id", "rule", "role", "split", "index", "origin_starts_on", "credit_date", "amount_minor",
        "currency", "plan_version__number", "cause__kind",
    )  # fmt: skip
    return _csv(LINES, rows)


def statements(export: EvidenceExport) -> bytes:
    batch = export.batch
    found = statements_of(batch).select_related("participant").order_by("participant__key")
    header = ("employee", "state", "released minor", "adjustments minor", "payout minor", "currency", "lines", "digest")
    return _csv(
        header,
        (
            (s.participant.key, s.state, s.released_minor, s.adjustments_minor, s.payout_minor, s.currency, s.lines,
             s.digest)
            for s in found
        ),
    )  # fmt: skip


# ------------------------------------------------------------------ samples


def samples(export: EvidenceExport) -> bytes:
    """Lines drawn by the seed, each down to the digest of the delivery that it came by. The draw: the lines whose
    SHA-256 of `seed:number` are smallest, where the number is that of lines.csv."""
    numbers = list(lines_of(export).values_list("id", flat=True))

    def place(number: int) -> str:
        return hashlib.sha256(f"{export.seed}:{number}".encode()).hexdigest()

    drawn = sorted(numbers, key=place)[: export.samples]
    rows = BatchLine.objects.filter(pk__in=drawn).select_related("participant", "plan", "plan_version", "cause", "deal")
    by_number = {row.pk: row for row in rows}
    return _json([_sample(by_number[number]) for number in drawn])


def _sample(line: BatchLine) -> dict[str, Any]:
    revision = _revision(line)
    delivery = RawDelivery.objects.filter(pk=revision.delivery_id).first() if revision is not None else None
    return {
        "number": line.pk,
        "employee": line.participant.key,
        "plan": line.plan.key,
        "plan_version": {"number": line.plan_version.number, "digest": line.plan_version.digest},
        "component": line.component,
        "kind": str(line.kind),
        "amount_minor": line.amount_minor,
        "currency": line.currency,
        "credit_date": line.credit_date.isoformat(),
        "origin": line.origin_starts_on.isoformat(),
        "steps": line.trace,
        "cause": {"kind": str(line.cause.kind), "at": _text(line.cause.at)} if line.cause else None,
        "fact": _fact(revision),
        "delivery": _delivery(delivery) if delivery else None,
    }


def _revision(line: BatchLine) -> Any:
    """What was said of the line's fact by then, last."""
    known = {"recorded_at__lte": line.batch.locked_at}
    deal = line.deal
    if deal is not None and line.fact == line.deal_id:
        said = DealRevision.objects.filter(endpoint=deal.endpoint_id, external_id=deal.external_id, **known)
        found = said.filter(pk=line.trace.get("deal_revision") or 0).first()
        return found or said.order_by("version", "event_time", "sender_id", "derived").last()
    if not line.fact:
        return None
    said_of = FactRevision.objects.filter(pk=line.trace.get("deal_revision") or 0)
    return said_of.first()


def _fact(revision: Any) -> dict[str, Any] | None:
    if revision is None:
        return None
    return {
        "external_id": revision.external_id, "version": revision.version, "event_time": _text(revision.event_time),
        "recorded_at": _text(revision.recorded_at), "amount_minor": revision.amount_minor,
        "currency": revision.currency,
    }  # fmt: skip


def _delivery(delivery: RawDelivery) -> dict[str, Any]:
    is_now = hashlib.sha256(bytes(delivery.body)).hexdigest()
    redacted = Redaction.objects.filter(table="crediting_rawdelivery", row=delivery.pk, column="body").exists()
    return {
        "sender_id": delivery.sender_id, "received_at": _text(delivery.received_at),
        "body_sha256": delivery.body_sha256, "whole": is_now == delivery.body_sha256, "redacted": redacted,
    }  # fmt: skip


# ------------------------------------------------------------------ who agreed


def approvals(export: EvidenceExport) -> bytes:
    """The chain's stages with who decided, when, in whose place, and on which digest; and all acts on the batch."""
    names = _names()
    stages = ApprovalStage.objects.filter(batch_id=export.batch_id).order_by("id")
    acts = AuditEntry.objects.filter(subject_kind="payouts.batch", subject_id=str(export.batch_id)).order_by("number")
    return _json(
        {
            "stages": [
                {
                    "place": stage.place, "seat": stage.seat, "name": stage.name, "state": str(stage.state),
                    "roles": stage.roles, "decided_by": names.get(stage.decided_by_id or 0, ""),
                    "as_deputy_of": names.get(stage.as_deputy_of_id or 0, ""), "decided_at": _text(stage.decided_at),
                    "digest": stage.digest, "reason": stage.reason,
                }
                for stage in stages
            ],
            "acts": [
                {"entry": act.number, "at": _text(act.at), "who": act.actor_label, "code": act.code,
                 "reason": act.reason}
                for act in acts
            ],
        }
    )  # fmt: skip


# ------------------------------------------------------------------ what was promised, and changed


def plan_versions(export: EvidenceExport) -> bytes:
    """The versions that the lines were rated by, with their digests, and what each changed, in words."""
    names, batch = _names(), export.batch
    rated = BatchLine.objects.filter(batch=batch).values("plan_version_id")
    published = Q(published_at__gt=_since(batch), published_at__lte=batch.locked_at)
    found = PlanVersion.objects.filter(Q(pk__in=rated) | published).select_related("plan").order_by("plan__key", "id")
    return _json([_version(version, names) for version in found])


def _version(version: PlanVersion, names: dict[int, str]) -> dict[str, Any]:
    before = PlanVersion.objects.filter(plan=version.plan_id, number__lt=version.number).exclude(state="draft")
    last = before.order_by("-number").first()
    changes = diff(json.loads(last.document), json.loads(version.document)) if last else []
    return {
        "plan": version.plan.key, "number": version.number, "state": str(version.state),
        "starts_on": version.starts_on.isoformat(), "ends_on": version.ends_on.isoformat() if version.ends_on else "",
        "digest": version.digest, "note": version.note, "prepared_by": names.get(version.prepared_by_id, ""),
        "published_by": names.get(version.published_by_id or 0, ""), "published_at": _text(version.published_at),
        "against": last.number if last else 0, "changes": [change.sentence for change in changes],
        "document": json.loads(version.document, parse_float=str),
    }  # fmt: skip


def quotas(export: EvidenceExport) -> bytes:
    rows = Quota.history.as_of(export.batch.locked_at).filter(starts_on__lt=export.batch.ends_on)
    keys = _keys(export)
    return _csv(
        ("employee", "key", "from", "until", "amount minor", "unit", "currency"),
        sorted(
            (keys[row.participant_id], row.key, row.starts_on, row.ends_on, row.amount_minor, row.unit, row.currency)
            for row in rows
            if row.participant_id in keys
        ),
    )


def assignments(export: EvidenceExport) -> bytes:
    rows = PlanAssignment.history.as_of(export.batch.locked_at).filter(starts_on__lt=export.batch.ends_on)
    keys = _keys(export)
    found = ((keys[r.participant_id], r.plan.key, r.starts_on, r.ends_on) for r in rows if r.participant_id in keys)
    return _csv(("employee", "plan", "from", "until"), sorted(found, key=lambda row: tuple(map(str, row))))


def _keys(export: EvidenceExport) -> dict[int, str]:
    """The people of the batch's group as of its moment, and all whom it pays."""
    paid = BatchLine.objects.filter(batch_id=export.batch_id).values_list("participant_id", flat=True)
    of_group = Participant.history.as_of(export.batch.locked_at).filter(pay_group_id=export.pay_group_id)
    return dict(Participant.objects.filter(pk__in={*paid, *(row.pk for row in of_group)}).values_list("pk", "key"))


def rates(export: EvidenceExport) -> bytes:
    rows = ExchangeRate.objects.filter(recorded_at__lte=export.batch.locked_at).order_by(
        "source", "target", "kind", "starts_on", "revision"
    )
    header = ("from", "to", "kind", "from day", "until", "rate", "revision", "recorded at")
    fields = ("source", "target", "kind", "starts_on", "ends_on", "rate", "revision", "recorded_at")
    return _csv(header, rows.values_list(*fields))


# ------------------------------------------------------------------ who could


def memberships(export: EvidenceExport) -> bytes:
    """Who was in as what at the batch's moment, and what changed since the batch before."""
    names, history = _names(), Membership.history.model.objects
    at = export.batch.locked_at
    rows = history.filter(history_date__lte=at).order_by("id", "-history_date", "-history_id").distinct("id")
    held = [("held", row) for row in rows if row.history_type != "-"]
    moved = history.filter(history_date__gt=_since(export.batch), history_date__lte=at).order_by("history_id")
    words = {"+": "added", "~": "changed", "-": "removed"}
    return _csv(
        ("what", "when", "who", "role", "pay groups", "by"),
        (
            (what, row.history_date, names.get(row.user_id, ""), row.role, ", ".join(row.pay_groups) or "all",
             row.history_change_reason or "")
            for what, row in [*held, *((words[row.history_type], row) for row in moved)]
        ),
    )  # fmt: skip


def roles(export: EvidenceExport) -> bytes:
    """What each role could do, at the batch's moment."""
    found = RoleTable.objects.filter(since__lte=export.batch.locked_at).last() or RoleTable.objects.first()
    return _json({"since": _text(found.since), "roles": found.roles} if found else {})


def keys(export: EvidenceExport) -> bytes:
    at, names = export.batch.locked_at, _names()
    found = ApiKey.objects.filter(made_at__lte=at, expires_at__gt=_since(export.batch)).exclude(
        ended_at__lt=_since(export.batch)
    )
    return _csv(
        ("name", "prefix", "grants", "made by", "made at", "expires at", "ended at"),
        (
            (key.name, key.prefix, ", ".join(key.grants), names.get(key.made_by_id, ""), key.made_at, key.expires_at,
             key.ended_at)
            for key in found.order_by("id")
        ),
    )  # fmt: skip


# ------------------------------------------------------------------ reconciliation, audit, verify


def _by_currency(rows: QuerySet[Any], field: str) -> dict[str, int]:
    sums = rows.values("currency").annotate(minor=Sum(field)).order_by("currency")
    return {row["currency"]: int(row["minor"]) for row in sums}


def reconciliation(export: EvidenceExport) -> bytes:
    """Lines = statements = ledger = payments, by currency. None: not posted yet, or nothing goes to payroll yet."""
    batch = export.batch
    posted = LedgerEntry.objects.filter(transaction__batch=batch, transaction__kind=LedgerTransaction.Kind.APPROVAL)
    payable = posted.filter(account=LedgerEntry.Account.PAYABLE)
    first = Payment.objects.filter(batch=batch, reissue_of=None)
    sums = {
        "lines": subject_totals(batch),
        "statements": _by_currency(statements_of(batch), "payout_minor"),
        "ledger": {k: -v for k, v in _by_currency(payable, "amount_minor").items()} if posted.exists() else None,
        "payments": None,
        "check": {},
    }
    issued = _by_currency(first, "amount_minor")
    for (_, currency), minor in subject_sums(batch).items():
        if minor < 0:  # who owes is paid nothing: the rest is what goes to payroll
            issued[currency] = issued.get(currency, 0) + minor
    if first.exists():
        sums["payments"] = issued
    return _json(sums)


def _entries(export: EvidenceExport) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(at__gt=_since(export.batch), at__lte=export.asked_at).order_by("number")


def audit_entries(export: EvidenceExport) -> bytes:
    """Every entry from the batch before until the export was asked for, as the text that its link covers."""
    redacted = set(
        Redaction.objects.filter(table=AuditEntry._meta.db_table, column="payload").values_list("row", flat=True)
    )
    return _json(
        [
            {"number": entry.number, "previous": entry.previous_digest, "digest": entry.digest, "text": payload(entry)}
            | ({"redacted": entry_sha256(entry)} if entry.pk in redacted else {})
            for entry in _entries(export)
        ]
    )


def audit_csv(export: EvidenceExport) -> bytes:
    header = ("number", "at", "who", "for", "from", "request", "code", "subject", "reason", "before", "after")
    return _csv(
        header,
        (
            (e.number, e.at, e.actor_label, e.on_behalf, e.address, e.trace, e.code, e.subject_label, e.reason,
             canonical_json(e.before) if e.before else "", canonical_json(e.after) if e.after else "")
            for e in _entries(export)
        ),
    )  # fmt: skip


def audit_head(export: EvidenceExport) -> bytes:
    last = _entries(export).last()
    erasures = list(Erasure.objects.exclude(done_at=None).order_by("id").values_list("digest", flat=True))
    return _json({"number": last.number if last else 0, "digest": last.digest if last else "", "erasures": erasures})


def verified(export: EvidenceExport) -> bytes:
    """What `manage.py verify` says of the company, now."""
    found = [check() for check in verify.CHECKS]
    rows = [{"name": one.name, "looked_at": one.looked_at, "wrong": one.wrong} for one in found]
    return _json({"at": now().isoformat(), "tenant": current_tenant_id(), "checks": rows})


#: The files in the order in which they are built.
FILES: dict[str, Callable[[EvidenceExport], bytes]] = {
    "batch.json": batch_json,
    "population/sealed.json": sealed,
    "population/sealed_lines.json": sealed_lines,
    "population/lines.csv": lines,
    "population/statements.csv": statements,
    "samples/samples.json": samples,
    "approvals/approvals.json": approvals,
    "plans/versions.json": plan_versions,
    "inputs/quotas.csv": quotas,
    "inputs/assignments.csv": assignments,
    "inputs/rates.csv": rates,
    "access/memberships.csv": memberships,
    "access/roles.json": roles,
    "access/keys.csv": keys,
    "reconciliation.json": reconciliation,
    "audit/entries.json": audit_entries,
    "audit/entries.csv": audit_csv,
    "audit/head.json": audit_head,
    "verify.json": verified,
}


# ------------------------------------------------------------------ for people

_WHAT = {
    "batch.json": "What was approved: period, people, totals, digest",
    "population/sealed.json": "The lines as the batch's digest is made of them; where plans settle, the lines' own "
    "digest and what the settlements say",
    "population/sealed_lines.json": "The lines as their own digest is made of them",
    "population/lines.csv": "Every line",
    "population/statements.csv": "Every statement, with its digest",
    "samples/samples.json": "Lines drawn by the seed, each down to its delivery",
    "approvals/approvals.json": "Who agreed, when, on which digest",
    "plans/versions.json": "The plan versions in force, and what each changed",
    "inputs/quotas.csv": "Quotas as they were known",
    "inputs/assignments.csv": "Who was on which plan",
    "inputs/rates.csv": "Rates of exchange as they were known",
    "access/memberships.csv": "Who was in as what, and what changed",
    "access/roles.json": "What each role could do",
    "access/keys.csv": "Keys of programs",
    "reconciliation.json": "Lines, statements, ledger and payments, side by side",
    "audit/entries.json": "The audit trail of the period, as its chain covers it",
    "audit/entries.csv": "The same to read",
    "audit/head.json": "The head of the chain",
    "verify.json": "What verify says",
}


def index_html(export: EvidenceExport, files: dict[str, bytes]) -> bytes:
    """A page that opens without us and names what is there."""
    batch = export.batch
    totals = ", ".join(format_money(minor, currency) for currency, minor in sorted(batch.totals.items()))
    rows = format_html_join(
        "", '<tr><td><a href="{}">{}</a></td><td>{}</td><td>{}</td></tr>',
        ((name, name, _WHAT.get(name, ""), f"{len(body):,}") for name, body in sorted(files.items())),
    )  # fmt: skip
    checks = json.loads(files["verify.json"])["checks"]
    held = format_html_join(
        "", "<li>{}: {} ({})</li>",
        ((one["name"], "holds" if not one["wrong"] else "; ".join(one["wrong"]), one["looked_at"]) for one in checks),
    )  # fmt: skip
    return str(
        format_html(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{0}</title>'
            "<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}"
            "td,th{{padding:.3rem 1rem .3rem 0;text-align:left;vertical-align:top}}</style></head><body>"
            "<h1>{0}</h1><p>{1} people, {2} lines, {3}. State: {4}. Asked for by {5} on {6}.</p>"
            "<p>Check it with <code>python3 evidence_check.py</code>: it recomputes the manifest, every file, the "
            "batch's digest and the chain of the audit trail.</p>"
            "<h2>Files</h2><table><thead><tr><th>File</th><th>What</th><th>Bytes</th></tr></thead><tbody>{7}</tbody>"
            "</table><h2>Checks</h2><ul>{8}</ul><p>Digest of the batch: <code>{9}</code></p></body></html>",
            str(export), batch.people, batch.lines, totals, batch.get_state_display(), str(export.asked_by),
            export.asked_at.date().isoformat(), rows, held, batch.digest,
        )
    ).encode()  # fmt: skip
