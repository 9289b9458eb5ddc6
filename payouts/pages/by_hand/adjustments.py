"""Adjustments by hand: all of them, a new one, many from a file, one with its decision, and what one may do alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.core.money import format_money, plain_money
from comp.tenancy.capabilities import Can
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from comp.web.access import anyone, needs
from comp.web.csv import csv_response
from comp.web.forms import add_problems
from comp.web.parts import Fact, Link
from comp.web.sizes import takes_file
from comp.web.templatetags.comp import day, money
from payouts.models import Adjustment, AdjustmentFile, AdjustmentPolicy, Attachment, NegativePolicy, ReachPolicy
from payouts.models.manual import State
from payouts.pages.by_hand import parts
from payouts.pages.by_hand.forms import (
    FILE_BYTES,
    AdjustmentForm,
    BelowZeroRuleForm,
    FileForm,
    LimitsForm,
    ListForm,
    ReachForm,
)
from payouts.pages.links import link
from payouts.reads.covered import PaidBefore, paid_before
from payouts.reads.periods import pay_group_of, span_holding
from payouts.services import adjustments, adjustments_file, differences, negatives
from payouts.services.adjustments import Wanted
from payouts.services.attachments import BYTES

READ = (Can.BATCH_READ,)
SHOWN = 50
CSV_HEADER = (
    "number", "employee", "name", "kind", "plan", "component", "day", "belongs to", "amount", "currency", "state",
    "reason", "prepared by", "decided by",
)  # fmt: skip
_COLUMNS = (
    parts.Column("Adjustment"), parts.Column("Person"), parts.Column("Amount", "num key"), parts.Column("Due", "aside"),
    parts.Column("Reason", "row"), parts.Column("State"),
)  # fmt: skip


@needs(*READ)
@require_GET
def adjustment_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All adjustments whose people's pay one may see, newest first; `csv` downloads them."""
    form = ListForm(request.GET or None)
    rows = _narrowed(form).select_related("participant", "plan", "prepared_by", "decided_by").order_by("-number")
    if "csv" in request.GET:
        return csv_response("adjustments", CSV_HEADER, map(_cells, rows))
    may = Can.BATCH_SUBMIT in request.can  # type: ignore[attr-defined]
    query = request.GET.copy()
    query["csv"] = "1"
    sums = rows.filter(state=State.APPROVED).order_by().values("currency").annotate(minor=Sum("amount_minor"))
    waits = AdjustmentFile.objects.filter(
        pk__in=Adjustment.objects.filter(state=State.WAITING, file__isnull=False).values("file")
    )
    listing = parts.Listing(
        title="Adjustments",
        lead="Credits and debits by hand. Each is a line of its own number, agreed to by two people above a limit.",
        columns=_COLUMNS,
        cells=lambda row: (
            format_html('<span class="nowrap">{}</span>', row.name),
            link(request, "adjustment", pk=row.pk),
            (
                row.participant.name, money(row.amount_minor, row.currency, sign=True), day(row.day), row.reason,
                parts.state_mark(row),
            ),
        ),
        empty=("No adjustment", "A bonus that was promised, a mistake of payroll: what no plan pays is entered here."),
        totals=", ".join(f"{format_money(int(row['minor']), row['currency'])} approved" for row in sums),
        actions=[
            Link("New adjustment", link(request, "adjustment_add")), Link("Upload", link(request, "adjustment_upload"))
        ] if may else [],
        filters=form,
        csv=f"?{query.urlencode()}",
        files=[(file, link(request, "adjustment_file", file=file.pk)) for file in waits],
    )  # fmt: skip
    return parts.page_list(request, "adjustment_list", listing, rows)


def _narrowed(form: ListForm) -> QuerySet[Adjustment]:
    rows = Adjustment.objects.all()
    if not form.is_bound or not form.is_valid():
        return rows
    said = form.cleaned_data
    for name in ("state", "kind"):
        rows = rows.filter(**{name: said[name]}) if said[name] else rows
    if said["group"]:
        rows = rows.filter(pay_group=said["group"])
    if said["person"]:
        rows = rows.filter(Q(participant__key=said["person"]) | Q(participant__name__icontains=said["person"]))
    return rows


def _cells(row: Adjustment) -> list[Any]:
    return [
        row.name, row.participant.key, row.participant.name, row.get_kind_display(), row.plan.name, row.component,
        row.day, row.origin_starts_on, Decimal(plain_money(row.amount_minor, row.currency)), row.currency,
        row.get_state_display(), row.reason, str(row.prepared_by), str(row.decided_by or ""),
    ]  # fmt: skip


@takes_file(BYTES)
@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def adjustment_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Enters an adjustment; `answers` names the one that it takes back, whose opposite the form then shows, `deal` one
    that another system paid before the switch, and `opening` whose: what of it may be due to them."""
    answers = _answered(request)
    deal = request.GET.get("deal", "")
    before = paid_before(deal) if deal and answers is None else []
    one = _asked_of(request, before)
    initial = _of_deal(deal, one) if one else _opposite(answers)
    form = AdjustmentForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        found = parts.tried(form, lambda: _made(request, form, answers))
        if found is not None:
            return redirect("adjustment", tenant=tenant, pk=found.pk)
    note = "It counts at once within what you may adjust alone; else it waits for a second person."
    if answers is not None:
        note = f"It takes {answers} back, which stays as it is. {note}"
    if before:
        told = "; ".join(map(_told_before, before))
        note = f"Paid for deal {deal} before the switch: {told}. Each person's is an adjustment of its own. {note}"
    views = _each(request, deal, before, one)
    return parts.page_form(request, "adjustment_list", "New adjustment", form, "Enter it", note, views=views)


def _asked_of(request: HttpRequest, before: list[PaidBefore]) -> PaidBefore | None:
    """The one of these whose opening is asked for, else the first."""
    asked = request.GET.get("opening", "")
    first = before[0] if before else None
    return next((one for one in before if str(one.covered.opening.pk) == asked), first)


def _each(request: HttpRequest, deal: str, before: list[PaidBefore], shown: PaidBefore | None) -> list[Link]:
    """The form of each of these, where there are several."""
    found: dict[int, Link] = {}
    for one in before:
        pk, address = one.covered.opening.pk, link(request, "adjustment_add")
        query = urlencode({"deal": deal, "opening": pk})
        current = shown is not None and pk == shown.covered.opening.pk
        found.setdefault(pk, Link(_told_before(one), f"{address}?{query}", current))
    return list(found.values()) if len(found) > 1 else []


def _of_deal(deal: str, one: PaidBefore) -> dict[str, Any]:
    """What a changed deal may take back of somebody: all that was paid, where it is lost and their statements say."""
    opening, own = one.covered.opening, dict(one.paid).get(one.participant.currency)
    amount = plain_money(-own, one.participant.currency) if one.lost and own else ""
    return {
        "participant": one.participant.key, "plan": opening.plan_id, "component": opening.component, "amount": amount,
        "origin": opening.day, "reason": f"Deal {deal}, which {opening.cut_over.source} paid: ",
    }  # fmt: skip


def _told_before(one: PaidBefore) -> str:
    """`Ann 1,000.00 USD, commission`; without an amount where no statement of theirs names the deal."""
    paid = " and ".join(format_money(minor, currency) for currency, minor in one.paid)
    return f"{one.participant.name}{f' {paid}' if paid else ''}, {one.covered.component.name}"


def _made(request: HttpRequest, form: AdjustmentForm, answers: Adjustment | None) -> Adjustment:
    said = form.cleaned_data
    person = said["participant"]
    wanted = Wanted(
        person, said["plan"], form.minor("amount", person.currency) or 0, person.currency,
        said["day"] or adjustments.due_now(person), said["reason"],
        said["component"], said["origin"], answers,
    )  # fmt: skip
    by: Any = request.user
    draft = adjustments.adjustment_prepare(wanted=wanted, attachment=said["attachment"], prepared_by=by)
    return adjustments.adjustment_submit(adjustment=draft, by=by)


def _answered(request: HttpRequest) -> Adjustment | None:
    asked = request.GET.get("answers", "")
    return Adjustment.objects.filter(pk=asked, state=State.APPROVED).first() if asked.isdecimal() else None


def _opposite(answers: Adjustment | None) -> dict[str, Any]:
    if answers is None:
        return {}
    return {
        "participant": answers.participant.key, "plan": answers.plan_id, "component": answers.component,
        "amount": plain_money(-answers.amount_minor, answers.currency), "day": adjustments.due_now(answers.participant),
        "origin": answers.origin_starts_on, "reason": f"Takes {answers} back: ",
    }  # fmt: skip


@takes_file(FILE_BYTES)
@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def adjustment_upload(request: HttpRequest, tenant: str) -> HttpResponse:
    """Many from a file: first checked and shown, then all or none, decided on together."""
    checked = request.POST.get("checked", "")
    form = FileForm(None if checked else request.POST or None, request.FILES or None)
    context: dict[str, Any] = {}
    by: Any = request.user
    if request.method == "POST" and (checked or form.is_valid()):
        text = checked or form.cleaned_data["file"]
        try:
            rows, wrong = adjustments_file.adjustments_read(text, by=by, groups=parts.pay_groups_visible())
            if checked and rows and not wrong:
                name = request.POST.get("name") or "adjustments.csv"
                adjustments.file_take(rows=rows, name=name, digest=adjustments_file.digest_of(text), by=by)
                return redirect("adjustment_list", tenant=tenant)
        except ProblemsError as error:
            if checked:
                messages.error(request, str(error))
                return redirect("adjustment_upload", tenant=tenant)
            add_problems(form, error)
        else:
            name = getattr(request.FILES.get("file"), "name", "") or request.POST.get("name", "")
            context = {
                "text": text,
                "file_name": name,
                "taken": rows[:SHOWN],
                "count": len(rows),
                "wrong": wrong[:SHOWN],
            }
            context["wrong_count"] = len(wrong)
    needed = f"Columns: {', '.join(adjustments_file.COLUMNS)}. Needed are {', '.join(adjustments_file.NEEDED)}."
    return parts.page_form(request, "adjustment_list", "Upload adjustments", form, "Check it", needed, **context)


@anyone
@require_GET
def adjustment(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One adjustment, for those whom the pay wall shows it: the person too, once it counts."""
    row = get_object_or_404(
        Adjustment.objects.select_related("participant", "plan", "prepared_by", "decided_by", "attachment", "file"),
        pk=pk,
    )
    reads = Can.BATCH_READ in request.can  # type: ignore[attr-defined]
    if not reads and row.state != State.APPROVED:
        raise Http404("nobody decided about it yet")
    belongs = span_holding(pay_group_of(row.participant), row.origin_starts_on)
    facts = [
        Fact("Person", row.participant.name),
        Fact("Amount", money(row.amount_minor, row.currency, sign=True)),
        Fact("State", parts.state_mark(row)),
        Fact("Kind", row.get_kind_display()),
        Fact("Plan", f"{row.plan.name}{', ' + row.component if row.component else ''}"),
        Fact("Due on", day(row.day, long=True)),
        Fact("Belongs to", belongs.name),
    ]
    if row.attachment is not None:
        url = link(request, "adjustment_attachment", pk=row.pk) if row.attachment.erased_at is None else ""
        facts.append(Fact("Attachment", row.attachment.name or "erased", f"SHA-256 {row.attachment.digest[:12]}…", url))
    if row.letter_id:
        facts.append(Fact("Follows from", "the side letter", url=link(request, "letter", pk=row.letter_id)))
    if row.answers_id:
        facts.append(Fact("Takes back", "the adjustment", url=link(request, "adjustment", pk=row.answers_id)))
    back = Link("Adjustments", link(request, "adjustment_list")) if reads else Link(
        "Statements", link(request, "statement_list"))  # fmt: skip
    shown = parts.Shown(
        title=row.name, lead=_sentence(row), back=back, facts=facts, events=parts.decided_events(row),
        acts=_acts(request, row),
        links=[Link("Take it back with its opposite", f"{link(request, 'adjustment_add')}?answers={row.pk}")]
        if row.state == State.APPROVED and Can.BATCH_SUBMIT in request.can else [],  # type: ignore[attr-defined]
    )  # fmt: skip
    return parts.page_shown(request, shown)


def _sentence(row: Adjustment) -> str:
    """The whole of it in one sentence, as the person reads it."""
    what = "credits" if row.amount_minor > 0 else "debits"
    amount = format_money(abs(row.amount_minor), row.currency)
    who = f"{row.prepared_by} and {row.decided_by}" if row.decided_by else str(row.prepared_by)
    word = f"{row.get_kind_display()}: it {what} {row.participant.name} {amount}"
    return f"{word}, decided by {who}." if row.state == State.APPROVED else f"{word} if a second person agrees."


def _acts(request: HttpRequest, row: Adjustment) -> list[parts.Act]:
    url = link(request, "adjustment_decide", pk=row.pk)
    if row.file_id is not None:
        return []  # its file is decided on as a whole
    if row.prepared_by_id == request.user.pk and row.state in (State.DRAFT, State.WAITING):
        back = link(request, "adjustment_withdraw", pk=row.pk)
        return [parts.Act("Yours", back, parts.forms.Form(), (("withdraw", "Withdraw it", "plain"),),
                          "It waits for a second person. You may withdraw it until then.")]  # fmt: skip
    return parts.decision(request, row, url, "Approved, it is paid with the open period from its day on.")


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def adjustment_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A second person approves or refuses."""
    row = get_object_or_404(Adjustment, pk=pk)
    if row.file_id is not None:
        messages.error(request, f"{row} came with a file, and is decided on with all of it.")
        return redirect("adjustment", tenant=tenant, pk=pk)
    state, reason = parts.asked(request)
    by: Any = request.user
    if state == State.APPROVED:
        parts.answered(
            request, lambda: adjustments.adjustment_approve(adjustment=row, approved_by=by, reason=reason),
            f"{row} is approved.",
        )  # fmt: skip
    else:
        parts.answered(
            request, lambda: adjustments.adjustment_refuse(adjustment=row, refused_by=by, reason=reason),
            f"{row} is refused.",
        )  # fmt: skip
    return redirect("adjustment", tenant=tenant, pk=pk)


@needs(*READ, Can.BATCH_SUBMIT)
@require_POST
def adjustment_withdraw(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Its preparer takes it back before somebody decides."""
    row = get_object_or_404(Adjustment, pk=pk)
    by: Any = request.user
    parts.answered(
        request, lambda: adjustments.adjustment_withdraw(adjustment=row, by=by), f"{row} is withdrawn."
    )  # fmt: skip
    return redirect("adjustment", tenant=tenant, pk=pk)


@anyone
@require_GET
def adjustment_attachment(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The attachment as a download, for those who may open the adjustment."""
    row = get_object_or_404(Adjustment.objects.select_related("attachment"), pk=pk, attachment__isnull=False)
    if row.state != State.APPROVED and Can.BATCH_READ not in request.can:  # type: ignore[attr-defined]
        raise Http404("nobody decided about it yet")
    return download(row.attachment)


def download(attachment: Attachment | None) -> HttpResponse:
    """A file as it came, never shown within a page of ours."""
    if attachment is None or attachment.erased_at is not None:
        raise Http404("the file was erased")
    answer = HttpResponse(bytes(attachment.content), content_type="application/octet-stream")
    name = attachment.name.replace('"', "").encode("ascii", "replace").decode()
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


@needs(*READ, Can.BATCH_APPROVE)
@require_POST
def adjustment_file(request: HttpRequest, tenant: str, file: int) -> HttpResponse:
    """One decision for all that a file holds, for those who see all of its people's pay."""
    row = get_object_or_404(AdjustmentFile, pk=file)
    state, reason = parts.asked(request)
    by: Any = request.user
    mine = Adjustment.objects.filter(file=row).count()
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        every = Adjustment.objects.filter(file=row).count()
    if mine < every:
        raise Http404("not all of its people's pay is yours to see")
    parts.answered(
        request, lambda: adjustments.file_decide(file=row, state=state, decided_by=by, reason=reason),
        f"{row}: {State(state).label.lower()}.",
    )  # fmt: skip
    return redirect("adjustment_list", tenant=tenant)


@needs(*READ, Can.BATCH_APPROVE)
@require_http_methods(["GET", "POST"])
def adjustment_limits(request: HttpRequest, tenant: str) -> HttpResponse:
    """What one person may do alone, what is too small to be paid alone, how far back a difference may reach, and what
    becomes of pay below zero."""
    own = request.tenant.currency  # type: ignore[attr-defined]
    reach = ReachPolicy.objects.first() or ReachPolicy()
    which = request.POST.get("which", "")
    limits = LimitsForm(request.POST if which == "limits" else None, initial={"currency": own})
    far = ReachForm(
        request.POST if which == "reach" else None,
        initial={"periods_back": reach.periods_back, "approver": reach.approver},
    )
    below = BelowZeroRuleForm(request.POST if which == "below" else None, initial={"of_currency": own})
    if request.method == "POST" and which == "below" and below.is_valid():
        done = "What becomes of pay below zero holds from now on."
        parts.answered(request, lambda: negatives.negative_policy_set(**below.rule()), done)
        return redirect("adjustment_limits", tenant=tenant)
    if request.method == "POST" and which == "limits" and limits.is_valid():
        said = limits.cleaned_data
        parts.answered(
            request, lambda: differences.limits_set(
                currency=said["currency"], alone_minor=said["alone"], small_minor=said["small"]
            ), f"The limits of {said['currency']} hold from now on.",
        )  # fmt: skip
        return redirect("adjustment_limits", tenant=tenant)
    if request.method == "POST" and which == "reach" and far.is_valid():
        done = "How far back differences may reach holds from now on."
        parts.answered(request, lambda: differences.reach_set(**far.cleaned_data), done)
        return redirect("adjustment_limits", tenant=tenant)
    context = {
        "tabs": parts.tabs(request, "adjustment_limits"), "limits": limits, "reach": far,
        "policies": AdjustmentPolicy.objects.all(), "below": below,
        "rules": NegativePolicy.objects.select_related("pay_group").order_by("pay_group__name", "currency"),
    }  # fmt: skip
    status = 422 if limits.errors or far.errors or below.errors else 200
    return render(request, "payouts/manual/limits.html", context, status=status)


adjustment_urls = [
    path("adjustments/", adjustment_list, name="adjustment_list"),
    path("adjustments/new/", adjustment_add, name="adjustment_add"),
    path("adjustments/upload/", adjustment_upload, name="adjustment_upload"),
    path("adjustments/limits/", adjustment_limits, name="adjustment_limits"),
    path("adjustments/files/<int:file>/", adjustment_file, name="adjustment_file"),
    path("adjustments/<int:pk>/", adjustment, name="adjustment"),
    path("adjustments/<int:pk>/decide/", adjustment_decide, name="adjustment_decide"),
    path("adjustments/<int:pk>/withdraw/", adjustment_withdraw, name="adjustment_withdraw"),
    path("adjustments/<int:pk>/attachment/", adjustment_attachment, name="adjustment_attachment"),
]
