"""The payments of a batch: what goes to payroll, in which form, what became of each, and its being voided."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.canonical import digest
from comp.core.money import plain_money
from comp.people.models import Participant
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Link
from payouts import selectors_batches as batches_read
from payouts.exports.files import File
from payouts.models import Batch, Download, LargeStep, Payment, PayrollFile, PayrollRun
from payouts.pages.batch_parts import POSTED, crumbs, csv_link
from payouts.pages.batch_steps import attempt, batch_or_404, take
from payouts.reads import going_out
from payouts.reads import payments as reads
from payouts.services import downloads, payment_voids, payroll_files
from payouts.services.large import is_large
from payouts.services.payments import reissues_run

PER_PAGE = 50
TONES = {
    Payment.State.DUE: ("wait", "clock"),
    Payment.State.EXPORTED: ("info", "arrow-right-circle"),
    Payment.State.PAID: ("done", "banknotes"),
    Payment.State.REJECTED: ("stop", "x-circle"),
    Payment.State.VOID: ("plain", "no-symbol"),
}
_HEADER = (
    "payment", "employee", "name", "currency", "amount", "state", "paid", "paid on", "reference", "reason",
    "in place of",
)  # fmt: skip


def trail(request: HttpRequest, batch: Batch, *more: Link) -> list[Link]:
    """The way back to the batch."""
    own = reverse("batch", args=[request.tenant.slug, batch.pk])  # type: ignore[attr-defined]
    return [*crumbs(request, batch.pay_group), Link(batch.name, own), *more]


def download(file: File) -> HttpResponse:
    answer = HttpResponse(file.body, content_type=file.content_type)
    base, _, kind = file.name.rpartition(".")
    answer["Content-Disposition"] = f'attachment; filename="{get_valid_filename(base)}.{kind}"'
    answer["Cache-Control"] = "no-store"
    return answer


# ------------------------------------------------------------------ export, pay


@needs(Can.BATCH_READ, Can.BATCH_PAY)
@require_http_methods(["GET", "POST"])
def batch_export(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """What goes to payroll and in which form; figures that moved since are shown before. Posting it is the download."""
    found = batch_or_404(pk)
    moved = batches_read.moved_since(found)
    seen = digest(sorted([who, currency, minor] for (who, currency), minor in moved.items())) if moved else ""
    if request.method == "POST":
        if request.POST.get("seen", "") != seen:
            messages.warning(request, "Figures moved since they were approved. Look at the differences, then export.")
            return redirect("batch_export", tenant=tenant, pk=pk)
        provider = reads.providers().filter(key=request.POST.get("provider", "")).first()
        if is_large(found.people, found.lines) and not PayrollRun.objects.filter(batch=found).exists():
            if take(request, LargeStep.Step.EXPORT, found, provider=provider.pk if provider else None):
                messages.success(request, "The file is made. Export it again to download it.")
            return redirect("batch", tenant=tenant, pk=pk)
        if downloads.is_large_of(found):
            mapping = digest({"shape": provider.shape, "settings": provider.settings} if provider else {})
            return _by_workers(request, found, {"provider": provider.pk if provider else None, "mapping": mapping})
        file = attempt(
            request,
            lambda: payroll_files.batch_file(batch=found, provider=provider, by=request.user),  # type: ignore[arg-type]
        )
        return redirect("batch", tenant=tenant, pk=pk) if file is None else download(file)
    if found.state not in POSTED:
        messages.info(request, f"{found} is {found.get_state_display().lower()}: there is nothing to export.")
        return redirect("batch", tenant=tenant, pk=pk)
    names = Participant.objects.in_bulk({who for who, _ in moved})
    asked = {(one.participant_id, one.currency): one.minor for one in reads.owed(found)}
    owed = [minor for minor in asked.values() if minor > 0]
    context = {
        "batch": found,
        "crumbs": trail(request, found),
        "moved": [
            {"name": names[who].name, "currency": currency, "approved": asked.get((who, currency), 0), "minor": minor}
            for (who, currency), minor in sorted(moved.items(), key=lambda one: names[one[0][0]].name)
        ],
        "seen": seen,
        "payments": len(owed),
        "totals": _paid_totals(asked),
        "owed_back": reads.owed_back(found),
        "next": going_out.goes_next(found),
        "providers": reads.providers(),
    }
    return render(request, "payouts/payments/export.html", context)


def _by_workers(request: HttpRequest, found: Batch, said: dict[str, Any]) -> HttpResponse:
    """A file of a large batch, which workers make: to its place in the list of downloads."""
    by: Any = request.user
    name = f"Payroll of {found.name}"
    made = attempt(
        request,
        lambda: downloads.download_ask(of=found, kind=Download.Kind.PAYROLL, name=name, said=said, by=by),
    )
    if made is None:
        return redirect("batch", tenant=request.tenant.slug, pk=found.pk)  # type: ignore[attr-defined]
    messages.info(request, f"{name} is large: workers make the file. It is listed here as soon as it is done.")
    return redirect("download_list", tenant=request.tenant.slug)  # type: ignore[attr-defined]


def _paid_totals(asked: dict[tuple[int, str], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, currency), minor in sorted(asked.items(), key=lambda one: one[0][1]):
        if minor > 0:
            found[currency] = found.get(currency, 0) + minor
    return found


@needs(Can.BATCH_READ, Can.BATCH_PAY)
@require_POST
def batch_paid(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Records that payroll paid the exported file."""
    found = batch_or_404(pk)
    done = take(request, LargeStep.Step.PAY, found, sent=reads.with_payroll(found))
    if done is not None and done.state == Batch.State.POSTED:
        left = reads.open_count(done)
        messages.info(request, f"What was with payroll is paid. {done} is when its {left} open payments are.")
    elif done is not None:
        messages.success(request, f"{done} is marked paid. Its people read Paid now.")
    return redirect("batch", tenant=tenant, pk=pk)


@needs(Can.BATCH_READ, Can.BATCH_PAY)
@require_POST
def payments_again(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The batch's payments that are due again, as a file of their own."""
    found = batch_or_404(pk)
    provider = reads.providers().filter(key=request.POST.get("provider", "")).first()

    def step() -> File:
        run = reissues_run(batch=found, by=request.user)  # type: ignore[arg-type]
        return payroll_files.run_file(run=run, provider=provider, by=request.user)  # type: ignore[arg-type]

    file = attempt(request, step)
    return redirect("payment_list", tenant=tenant, pk=pk) if file is None else download(file)


@needs(Can.BATCH_READ, Can.BATCH_PAY)
@require_POST
def payroll_file(request: HttpRequest, tenant: str, kept: int) -> HttpResponse:
    """A file that went out, once more."""
    rows = PayrollFile.objects.filter(run__batch__pay_group__in=batches_read.pay_groups_visible())
    found = get_object_or_404(rows.select_related("run__batch__pay_group", "provider"), pk=kept)
    if downloads.is_large_of(found.run.batch):
        return _by_workers(request, found.run.batch, {"file": found.pk})
    again = attempt(request, lambda: payroll_files.file_again(kept=found, by=request.user))  # type: ignore[arg-type]
    return redirect("payment_list", tenant=tenant, pk=found.run.batch_id) if again is None else download(again)


# ------------------------------------------------------------------ the list, and one of it


@needs(Can.BATCH_READ)
@require_GET
def payment_list(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """What each person was to be paid and what became of it, by state; `csv` downloads all of it."""
    found = batch_or_404(pk)
    every = reads.payments_of(found)
    state, who = request.GET.get("state", ""), request.GET.get("person", "")
    rows = every.filter(state=state) if state else every
    rows = rows.filter(participant__key=who) if who else rows
    if "csv" in request.GET:
        return csv_response(f"payments {found.name}", _HEADER, [_cells(payment) for payment in rows])
    page = paginate(request, rows, PER_PAGE)
    page.object_list = [(payment, *TONES[Payment.State(payment.state)]) for payment in page.object_list]
    counts = {one.value: every.filter(state=one).count() for one in Payment.State}
    context = {
        "batch": found,
        "crumbs": trail(request, found),
        "page": page,
        "sum": reads.totals(rows),
        "csv": csv_link(request),
        "tabs": [
            Link("All", "?", not state, sum(counts.values())),
            *(Link(s.label, f"?state={s}", state == s, counts[s]) for s in Payment.State if counts[s] or state == s),
        ],
        "person": who,
        "due": reads.totals(reads.due_of(found)),
        "owed_back": reads.owed_back(found),
        "runs": reads.runs_of(found),
        "files": PayrollFile.objects.filter(run__batch=found).select_related("provider", "made_by", "run"),
        "differences": reads.differences_open().filter(answer__run__batch=found).count(),
        "providers": reads.providers(),
        "may": Can.BATCH_PAY in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "payouts/payments/list.html", context)


def _cells(payment: Payment) -> tuple[Any, ...]:
    return (
        str(payment),
        payment.participant.key,
        payment.participant.name,
        payment.currency,
        amount(payment.amount_minor, payment.currency),
        payment.get_state_display(),
        amount(payment.paid_minor, payment.currency),
        payment.paid_on,
        payment.reference,
        payment.reason or payment.void_reason,
        str(payment.reissue_of or ""),
    )


def amount(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else Decimal(plain_money(minor, currency))


@needs(Can.BATCH_READ)
@require_GET
def payment(request: HttpRequest, tenant: str, payment: int) -> HttpResponse:
    """One payment: what was asked, what became of it, and what replaced it."""
    found = get_object_or_404(reads.payments_visible(), pk=payment)
    tone, icon = TONES[Payment.State(found.state)]
    can = Can.BATCH_PAY in request.can  # type: ignore[attr-defined]
    asked = found.void_asked_by_id is not None and found.state != Payment.State.VOID
    replaced = Payment.objects.filter(reissue_of=found).exists()
    owed_again = not replaced and found.state == Payment.State.VOID and found.outcome == Payment.Outcome.OWED
    context = {
        "payment": found,
        "tone": tone,
        "icon": icon,
        "crumbs": trail(request, found.batch, Link("Payments", reverse("payment_list", args=[tenant, found.batch_id]))),
        "again": Payment.objects.filter(reissue_of=found).order_by("number"),
        "asked": asked,
        "may_ask": can and not asked and found.state in (Payment.State.EXPORTED, Payment.State.PAID),
        "may_confirm": can and asked and found.void_asked_by_id != request.user.pk,
        "may_withdraw": can and asked,
        "may_again": can and not asked and not replaced and found.state == Payment.State.REJECTED,
        "may_off_cycle": can,
        "waits": going_out.told([found])[0] if owed_again else None,
        "outcomes": [one for one in Payment.Outcome if one],
    }
    return render(request, "payouts/payments/payment.html", context)


@needs(Can.BATCH_READ, Can.BATCH_PAY)
@require_POST
def payment_step(request: HttpRequest, tenant: str, payment: int) -> HttpResponse:
    """Asks for a payment to be voided or let go, confirms or withdraws that, or issues a rejected one again."""
    found = get_object_or_404(reads.payments_visible(), pk=payment)
    by: Any = request.user
    reason = request.POST.get("reason", "")[:2000]
    outcome = request.POST.get("outcome", "")
    steps: dict[str, tuple[Callable[[], Payment | None], str]] = {
        "ask": (
            lambda: payment_voids.void_ask(payment=found, reason=reason, by=by),
            "Somebody else has to confirm that {found} is voided.",
        ),
        "let_go": (
            lambda: payment_voids.let_go_ask(payment=found, outcome=outcome, reason=reason, by=by),
            "Somebody else has to confirm what becomes of {found}.",
        ),
        "let_go_confirm": (
            lambda: payment_voids.let_go_confirm(payment=found, outcome=outcome, by=by),
            "{found} is void, and nothing of it is open.",
        ),
        "confirm": (
            lambda: payment_voids.void_confirm(payment=found, by=by),
            "{found} is void. {done} is due in its place.",
        ),
        "withdraw": (lambda: payment_voids.void_withdraw(payment=found, by=by), "{found} stands."),
        "again": (lambda: payment_voids.payment_again(payment=found, by=by), "{done} is due in place of {found}."),
        "off_cycle": (
            lambda: payment_voids.payment_off_cycle(payment=found, by=by),
            "{done} is due in place of {found}. Export it now, in a file of its own.",
        ),
    }
    step, words = steps.get(request.POST.get("step", ""), (None, ""))
    if step is not None and (done := attempt(request, step)) is not None:
        messages.success(request, words.format(found=found, done=done))
        if request.POST.get("step") == "off_cycle":
            return redirect("payment_list", tenant=tenant, pk=found.batch_id)
    return redirect("payment", tenant=tenant, payment=payment)


@needs(Can.BATCH_READ)
@require_GET
def payments_waiting(request: HttpRequest, tenant: str) -> HttpResponse:
    """What waits to go out, of all pay groups that one may see: due, or owed again; who, why, since when, and what
    takes it, or that nothing does."""
    rows = going_out.waiting_out()
    if "csv" in request.GET:
        return csv_response("payments that wait to go out", _WAITING, map(_waiting_cells, going_out.told(rows)))
    page = paginate(request, rows, PER_PAGE)
    page.object_list = [
        (one, _takes_words(one), why_waiting(one.payment), reason_waiting(one.payment))
        for one in going_out.told(page.object_list)
    ]
    context = {
        "crumbs": crumbs(request),
        "page": page,
        "sum": reads.totals(rows),
        "csv": csv_link(request),
        "stuck": len(going_out.without_payout()),
        "may": Can.BATCH_PAY in request.can,  # type: ignore[attr-defined]
    }
    return render(request, "payouts/payments/waiting.html", context)


_WAITING = ("payment", "employee", "name", "batch", "currency", "amount", "why", "reason", "since", "goes out with")


def _waiting_cells(one: going_out.Waiting) -> tuple[Any, ...]:
    payment = one.payment
    return (
        str(payment),
        payment.participant.key,
        payment.participant.name,
        payment.batch.name,
        payment.currency,
        amount(payment.amount_minor, payment.currency),
        why_waiting(payment),
        reason_waiting(payment),
        timezone.localdate(payment.voided_at or payment.made_at),
        _takes_words(one),
    )


def why_waiting(payment: Payment) -> str:
    """Owed again by two people, or due: for the first time, or issued again and why."""
    if payment.state == Payment.State.VOID:
        return "Owed again"
    return str(payment.get_why_display()) if payment.why else "Held back when its batch went out"


def reason_waiting(payment: Payment) -> str:
    before = payment.reissue_of
    return payment.void_reason or (before.reason or before.void_reason if before is not None else "")


def _takes_words(one: going_out.Waiting) -> str:
    """What it goes out with, or what somebody has to do."""
    if one.held:
        why = f"held: {one.hold.reason}" if one.hold else f"{one.payment.batch.name} is held as a whole"
        return f"Nothing yet, {why}"
    if (batch := one.takes.batch) is not None:
        return f"{batch.name} ({batch.get_state_display().lower()})"
    if one.takes.period:
        return f"The payout of {one.takes.period}, which is open"
    return "No further payout is planned: pay it off-cycle"


payment_urls = [
    path("payments/waiting/", payments_waiting, name="payments_waiting"),
    path("payouts/<int:pk>/export/", batch_export, name="batch_export"),
    path("payouts/<int:pk>/paid/", batch_paid, name="batch_paid"),
    path("payouts/<int:pk>/payments/", payment_list, name="payment_list"),
    path("payouts/<int:pk>/payments/again/", payments_again, name="payments_again"),
    path("payments/<int:payment>/", payment, name="payment"),
    path("payments/<int:payment>/step/", payment_step, name="payment_step"),
    path("payroll/files/<int:kept>/", payroll_file, name="payroll_file"),
]
