"""Side letters and quota relief: lists, new ones, one with its decision."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.money import plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import anyone, needs
from comp.web.csv import csv_response
from comp.web.parts import Event, Fact, Link
from comp.web.sizes import takes_file
from comp.web.templatetags.comp import badge, day, money
from payouts.models import Adjustment, QuotaRelief, SideLetter
from payouts.models.manual import State
from payouts.pages.by_hand import parts
from payouts.pages.by_hand.adjustments import download
from payouts.pages.by_hand.forms import LetterForm, ReliefForm
from payouts.pages.links import link
from payouts.services import letters, relief
from payouts.services.attachments import BYTES

READ = (Can.BATCH_READ,)


# ------------------------------------------------------------------ side letters


@needs(*READ)
@require_GET
def letter_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All side letters of people whose pay one may see, newest first."""
    rows = SideLetter.objects.select_related("participant", "plan", "plan_version", "prepared_by").order_by("-id")
    if "csv" in request.GET:
        header = ("letter", "employee", "name", "plan", "from", "until", "a month", "currency", "state", "reason")
        cells = (
            (str(row), row.participant.key, row.participant.name, row.plan.name, row.starts_on, row.ends_on,
             None if row.monthly_minor is None else Decimal(plain_money(row.monthly_minor, row.currency)), row.currency,
             row.get_state_display(), row.reason)
            for row in rows
        )  # fmt: skip
        return csv_response("side-letters", header, cells)
    listing = parts.Listing(
        title="Side letters",
        lead="A person's own terms for some time, with what was agreed and by whom.",
        columns=(
            parts.Column("Letter"), parts.Column("Person"), parts.Column("From", "aside"),
            parts.Column("Until", "aside"), parts.Column("Changes", "row"), parts.Column("State"),
        ),
        cells=lambda row: (
            str(row), link(request, "letter", pk=row.pk),
            (row.participant.name, day(row.starts_on), day(row.ends_on), _changes(row), parts.state_mark(row)),
        ),
        empty=("No side letter", "A guarantee for the first months, other rates for one person: it is kept here."),
        actions=[Link("New side letter", link(request, "letter_add"))] if _may(request) else [],
        csv="?csv=1",
    )  # fmt: skip
    return parts.page_list(request, "letter_list", listing, rows)


def _may(request: HttpRequest) -> bool:
    return Can.BATCH_SUBMIT in request.can  # type: ignore[attr-defined]


def _changes(row: SideLetter) -> Any:
    return money(row.monthly_minor, row.currency) if row.monthly_minor is not None else f"terms of {row.plan_version}"


@takes_file(BYTES)
@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def letter_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Writes a side letter down; a second person agrees."""
    form = LetterForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        version, by = form.plan_version(), request.user
        if not form.errors:
            made = parts.tried(form, lambda: _letter(form, version, by))
            if made is not None:
                return redirect("letter", tenant=tenant, pk=made.pk)
    note = "An amount a month is paid by an adjustment each month, on the first day of it that the letter holds."
    return parts.page_form(request, "letter_list", "New side letter", form, "Write it down", note)


def _letter(form: LetterForm, version: Any, by: Any) -> SideLetter:
    said = form.cleaned_data
    return letters.letter_prepare(
        participant=said["participant"], plan=said["plan"], starts_on=said["starts_on"], ends_on=said["ends_on"],
        text=said["text"], attachment=said["attachment"], reason=said["reason"], prepared_by=by,
        monthly_minor=form.minor("monthly", said["participant"].currency), plan_version=version,
    )  # fmt: skip


@anyone
@require_GET
def letter(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One letter, for those whom the pay wall shows it: the person too, once it holds. `file` downloads the letter."""
    row = get_object_or_404(
        SideLetter.objects.select_related(
            "participant", "plan", "plan_version", "prepared_by", "decided_by", "attachment"
        ),
        pk=pk,
    )
    if row.state != State.APPROVED and Can.BATCH_READ not in request.can:  # type: ignore[attr-defined]
        raise Http404("nobody decided about it yet")
    if "file" in request.GET:
        return download(row.attachment)
    facts = [
        Fact("Person", row.participant.name), Fact("Plan", row.plan.name), Fact("State", parts.state_mark(row)),
        Fact("From", day(row.starts_on, long=True)), Fact("Until", day(row.ends_on, long=True)),
        Fact("A month" if row.monthly_minor is not None else "Changes", _changes(row)),
        Fact("Attachment", row.attachment.name, f"SHA-256 {row.attachment.digest[:12]}…", "?file=1"),
    ]  # fmt: skip
    for paid in Adjustment.objects.filter(letter=row).order_by("day"):
        url = link(request, "adjustment", pk=paid.pk)
        facts.append(Fact(f"Paid on {paid.day:%-d %b %Y}", money(paid.amount_minor, paid.currency), paid.name, url))
    reads = Can.BATCH_READ in request.can  # type: ignore[attr-defined]
    back = Link("Side letters", link(request, "letter_list")) if reads else Link("Home", link(request, "home"))
    shown = parts.Shown(
        title=f"Side letter {row}, {row.participant.name}", lead=row.reason, back=back, facts=facts, text=row.text,
        events=parts.decided_events(row), acts=parts.decision(request, row, link(request, "letter_decide", pk=pk)),
    )  # fmt: skip
    return parts.page_shown(request, shown)


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def letter_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A second person approves or refuses."""
    row = get_object_or_404(SideLetter, pk=pk)
    state, reason = parts.asked(request)
    by: Any = request.user
    parts.answered(
        request, lambda: letters.letter_decide(letter=row, state=state, decided_by=by, reason=reason),
        f"{row}: {State(state).label.lower()}.",
    )  # fmt: skip
    return redirect("letter", tenant=tenant, pk=pk)


# ------------------------------------------------------------------ quota relief


@needs(*READ)
@require_GET
def relief_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All relief of people whose pay one may see, newest first."""
    rows = QuotaRelief.objects.filter(parts.of_visible()).select_related("participant", "prepared_by").order_by("-id")
    if "csv" in request.GET:
        header = ("employee", "name", "quota", "percent", "from", "until", "state", "revoked", "reason")
        cells = (
            (row.participant.key, row.participant.name, row.key, row.percent, row.starts_on, row.ends_on,
             row.get_state_display(), row.revoked_at, row.reason)
            for row in rows
        )  # fmt: skip
        return csv_response("quota-relief", header, cells)
    listing = parts.Listing(
        title="Quota relief",
        lead="A share of somebody's quota taken off for some days: a leave, a territory that changes hands.",
        columns=(
            parts.Column("Relief"), parts.Column("From", "aside"), parts.Column("Until", "aside"),
            parts.Column("Reason", "row"), parts.Column("State"),
        ),
        cells=lambda row: (
            str(row), link(request, "relief", pk=row.pk),
            (day(row.starts_on), day(row.ends_on), row.reason, _relief_mark(row)),
        ),
        empty=("No relief", "Quotas count as they were set, until a second person agrees to take a share of one off."),
        actions=[Link("Relieve somebody", link(request, "relief_add"))] if _may(request) else [],
        csv="?csv=1",
    )  # fmt: skip
    return parts.page_list(request, "relief_list", listing, rows)


def _relief_mark(row: QuotaRelief) -> str:
    return badge("Taken back", "plain", "arrow-uturn-left") if row.revoked_at else parts.state_mark(row)


@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def relief_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Asks for a relief; a second person agrees."""
    form = ReliefForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by: Any = request.user
        made = parts.tried(form, lambda: relief.relief_prepare(**form.cleaned_data, prepared_by=by))
        if made is not None:
            return redirect("relief", tenant=tenant, pk=made.pk)
    note = "It counts by calendar days of the quota's period. Figures are worked out anew once it is approved."
    return parts.page_form(request, "relief_list", "Relieve somebody of a quota", form, "Ask for it", note)


@needs(*READ)
@require_GET
def relief_page(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One relief, its decision, and how it is taken back."""
    row = get_object_or_404(_reliefs(), pk=pk)
    facts = [
        Fact("Person", row.participant.name), Fact("Quota", row.key), Fact("State", _relief_mark(row)),
        Fact("Taken off", f"{row.percent.normalize():f}%"), Fact("From", day(row.starts_on, long=True)),
        Fact("Until", day(row.ends_on, long=True)),
    ]  # fmt: skip
    url = link(request, "relief_decide", pk=pk)
    acts = parts.decision(request, row, url)
    events = parts.decided_events(row)
    if row.revoked_at:
        events.append(Event(row.revoked_at, "Taken back", str(row.revoked_by), row.revoked_because, tone="stop"))
    elif row.state == State.APPROVED and Can.BATCH_APPROVE in request.can:  # type: ignore[attr-defined]
        note = "As if it had never been: what was paid by it is answered by adjustments."
        acts = [parts.Act("Take it back", url, parts.ReasonForm(), (("revoke", "Take it back", "plain"),), note)]
    shown = parts.Shown(
        title=str(row), lead=row.reason, back=Link("Quota relief", link(request, "relief_list")), facts=facts,
        events=events, acts=acts,
    )  # fmt: skip
    return parts.page_shown(request, shown)


def _reliefs() -> Any:
    return QuotaRelief.objects.filter(parts.of_visible()).select_related(
        "participant", "prepared_by", "decided_by", "revoked_by"
    )


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def relief_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A second person approves or refuses; what holds is taken back."""
    row = get_object_or_404(_reliefs(), pk=pk)
    state, reason = parts.asked(request)
    by: Any = request.user
    if request.POST.get("act") == "revoke":
        parts.answered(request, lambda: relief.relief_revoke(relief=row, by=by, reason=reason), "It is taken back.")
    else:
        parts.answered(
            request, lambda: relief.relief_decide(relief=row, state=state, decided_by=by, reason=reason),
            f"{row}: {State(state).label.lower()}.",
        )  # fmt: skip
    return redirect("relief", tenant=tenant, pk=pk)


letter_urls = [
    path("side-letters/", letter_list, name="letter_list"),
    path("side-letters/new/", letter_add, name="letter_add"),
    path("side-letters/<int:pk>/", letter, name="letter"),
    path("side-letters/<int:pk>/decide/", letter_decide, name="letter_decide"),
    path("relief/", relief_list, name="relief_list"),
    path("relief/new/", relief_add, name="relief_add"),
    path("relief/<int:pk>/", relief_page, name="relief"),
    path("relief/<int:pk>/decide/", relief_decide, name="relief_decide"),
]
