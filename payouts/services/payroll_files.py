"""Payroll's files: providers and how they want theirs, and a run in one of these forms, the same at every making."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Count, Sum

from comp.audit.services import record
from comp.core.canonical import digest
from comp.core.errors import refused
from comp.people.models import Participant
from comp.tenancy.models import User
from payouts.exports.files import ExportError, File, Head, Pay, own_file, provider_file
from payouts.exports.mapping import Form, form_of
from payouts.models import Batch, BatchLine, Payment, PayrollFile, PayrollProvider, PayrollRun
from payouts.reads.held import held_inside
from payouts.reads.lines import hold_words
from payouts.reads.payments import owed
from payouts.services.batch_steps import BatchError, everyone, not_held, statements_of
from payouts.services.payments import run_make

# ------------------------------------------------------------------ providers


def provider_set(
    *,
    provider: PayrollProvider | None = None,
    key: str,
    name: str,
    shape: str,
    settings: Mapping[str, Any],
    active: bool = True,
    by: User,
) -> PayrollProvider:
    """A new provider, or another mapping of one. Files that went out stay as they were. Raises ProblemsError with
    everything that is wrong."""
    form_of(shape, settings)
    others = PayrollProvider.objects.filter(key=key)
    if (others.exclude(pk=provider.pk) if provider else others).exists():
        raise refused("key", key, "a key of its own", f"There is a provider {key} already.")
    before = _facts(provider) if provider else None
    provider = provider or PayrollProvider()
    provider.key, provider.name, provider.shape = key, name, shape
    provider.settings, provider.active = dict(settings), active
    provider.save()
    record(code="payroll.provider", subject=provider, before=before, after={**_facts(provider), "by": str(by)})
    return provider


def _facts(provider: PayrollProvider) -> dict[str, Any]:
    return {
        "key": provider.key,
        "name": provider.name,
        "shape": provider.shape,
        "settings": provider.settings,
        "active": provider.active,
    }


# ------------------------------------------------------------------ files


def batch_file(*, batch: Batch, provider: PayrollProvider | None, by: User) -> File:
    """The file of a batch's run, which is made first where there is none."""
    with everyone():
        return run_file(run=run_make(batch=batch, by=by), provider=provider, by=by)


def run_file(*, run: PayrollRun, provider: PayrollProvider | None, by: User) -> File:
    """A run as a provider wants it (None: in Comp's own form). Made again it is the same file, byte for byte: people
    are named as they were when the run was made, and another mapping is another file."""
    frozen = {"shape": provider.shape, "settings": provider.settings} if provider else {}
    with everyone():
        may_go_out(run)
        file = _file(run, form_of(provider.shape, provider.settings) if provider else None)
        kept, first = PayrollFile.objects.get_or_create(
            run=run,
            provider=provider,
            mapping_digest=digest(frozen),
            defaults={
                "mapping": frozen,
                "name": file.name,
                "rows": file.rows,
                "totals": file.totals,
                "digest": file.digest,
                "made_by": by,
            },
        )
        if kept.digest != file.digest:
            raise BatchError(
                f"{kept.name}: made again it would not be the file that went out. Run `manage.py verify` before "
                "anything else."
            )
        said = {"run": run.number, "rows": file.rows, "file": file.digest, "again": not first, "by": str(by)}
        record(
            code="batch.export",
            subject=run.batch,
            after={**said, "digest": run.batch.digest, "form": provider.key if provider else ""},
        )
    return file


def file_again(*, kept: PayrollFile, by: User) -> File:
    """A file that went out, as it was, whatever its provider's mapping is today."""
    with everyone():
        may_go_out(kept.run)
        form = form_of(kept.mapping["shape"], kept.mapping["settings"]) if kept.mapping else None
        file = _file(kept.run, form)
        said = {"run": kept.run.number, "rows": file.rows, "file": file.digest, "again": True, "by": str(by)}
        record(code="batch.export", subject=kept.run.batch, after={**said, "digest": kept.run.batch.digest})
    return file


def preview(*, batch: Batch, shape: str, settings: Mapping[str, Any]) -> File:
    """What a mapping would make of a batch, whether it went out or not. Nothing is kept."""
    form = form_of(shape, settings)
    with everyone():
        payments = [
            Payment(
                number=place,
                batch=batch,
                participant_id=one.participant_id,
                pay_group_id=batch.pay_group_id,
                currency=one.currency,
                amount_minor=one.minor,
            )
            for place, one in enumerate((one for one in owed(batch) if one.minor > 0), 1)
        ]
        people = Participant.objects.in_bulk({payment.participant_id for payment in payments})
        return provider_file(form, _head(batch, 0), _pays(payments, people, form.grouping))


def may_go_out(run: PayrollRun) -> None:
    """A run goes out, and again, while nothing of it is held that payroll has not paid: its batch, those of payments
    that are issued again with it, or pay of somebody since the run was made."""
    not_held(run.batch)
    sent = Payment.objects.filter(run=run, state=Payment.State.EXPORTED)
    for batch in Batch.objects.filter(pk__in=sent.order_by().values("batch")).order_by("pk"):
        not_held(batch)
        held = held_inside(batch)
        mine = sent.filter(batch=batch, participant__in=held).select_related("participant").order_by("number")
        if payment := mine.first():
            more = f" and {mine.count() - 1} more" if mine.count() > 1 else ""
            raise BatchError(
                f"{batch}: {payment} of {payment.participant.name}{more} is held since it was exported, "
                f"{hold_words(held[payment.participant_id])}. Release the hold first."
            )


def _file(run: PayrollRun, form: Form | None) -> File:
    payments = list(Payment.objects.filter(run=run).order_by("number"))
    unpaid = [one for one in owed(run.batch) if one.minor < 0] if run.number == 0 else []
    ids = {payment.participant_id for payment in payments} | {one.participant_id for one in unpaid}
    people = {one.pk: one for one in Participant.history.as_of(run.made_at).filter(id__in=ids)}
    back = [Pay(people[o.participant_id].key, people[o.participant_id].name, o.currency, o.minor, "") for o in unpaid]
    head = _head(run.batch, run.number)
    if form is None:
        return own_file(head, _pays(payments, people, "person"), back)
    try:
        return provider_file(form, head, _pays(payments, people, form.grouping), back)
    except ExportError as error:
        raise BatchError(str(error)) from error


def _head(batch: Batch, number: int) -> Head:
    runs = "".join(f"-{part}" for part in (batch.run and f"O{batch.run}", number and f"R{number}") if part)
    return Head(
        batch=f"{batch.name}{f', issued again {number}' if number else ''}",
        batch_id=f"{batch.starts_on:%y%m%d}{runs}",
        pay_group=batch.pay_group.name,
        starts_on=batch.starts_on,
        ends_on=batch.ends_on - timedelta(days=1),
        pay_on=batch.pay_on,
        digest=batch.digest,
        people=batch.people,
        lines=batch.lines,
    )


def _pays(payments: list[Payment], people: Mapping[int, Participant], grouping: str) -> list[Pay]:
    """The rows of payments. By component, what the waterfall makes of a person's lines is a row of its own, and what is
    issued again is one."""
    batches = {payment.batch_id for payment in payments if payment.reissue_of_id is None}
    behind = _behind(batches)
    digests = {
        (batch.pk, statement.participant_id): statement.digest
        for batch in Batch.objects.filter(pk__in=batches)
        for statement in statements_of(batch)
    }
    found = []
    for payment in payments:
        who = people[payment.participant_id]
        parts = behind.get((payment.batch_id, payment.participant_id, payment.currency), [])
        parts = parts if payment.reissue_of_id is None else []
        if grouping == "person":
            count = sum(lines for _, _, _, lines in parts)
            own = digests.get((payment.batch_id, payment.participant_id), "") if parts else ""
            found.append(
                Pay(who.key, who.name, payment.currency, payment.amount_minor, str(payment), lines=count, digest=own)
            )
            continue
        rest = payment.amount_minor - sum(minor for _, _, minor, _ in parts)
        if rest:
            parts = [*parts, ("", "", rest, 0)]
        found += [
            Pay(who.key, who.name, payment.currency, minor, str(payment), plan, component, lines)
            for plan, component, minor, lines in parts
            if minor
        ]
    return found


def _behind(batches: set[int]) -> dict[tuple[int, int, str], list[tuple[str, str, int, int]]]:
    """By batch, person and currency: plan, component, the sum of its lines and how many they are."""
    rows = BatchLine.objects.filter(batch__in=batches).order_by()
    names = ("batch_id", "participant_id", "currency", "plan__key", "component")
    found: dict[tuple[int, int, str], list[tuple[str, str, int, int]]] = {}
    for row in rows.values(*names).annotate(minor=Sum("amount_minor"), lines=Count("id")).order_by(*names):
        at = row["batch_id"], row["participant_id"], row["currency"]
        found.setdefault(at, []).append((row["plan__key"], row["component"], int(row["minor"]), row["lines"]))
    return found
