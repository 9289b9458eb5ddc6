"""The data-quality inbox: what has to be answered before a delivery can count."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from comp.core.errors import ProblemsError
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Link
from crediting import selectors
from crediting.forms import SectorForm, TargetForm
from crediting.models import DataIssue, SourceMapping
from crediting.selectors_waiting import waiting_for, waiting_told
from crediting.services.issues import (
    OF_CREDITS,
    OPENED,
    PAY_RATE,
    REASON,
    gap_cover,
    issue_close,
    issue_replay,
    mapping_set,
)

State, Kind = DataIssue.State, SourceMapping.Kind
PER_PAGE = 50
#: The kinds of question: in a word, and what a person does about it.
KINDS = {
    "owner": ("Person", "Say who it is. Everything that waits for it is then taken again."),
    "product": ("Product", "Say which product it is. Everything that waits for it is then taken again."),
    "account": ("Customer", "Say which customer it is. Everything that waits for it is then taken again."),
    "sector": ("Sector", "Say which sector it is. Everything that waits for it is then taken again."),
    "role": ("Credit role", "Say which credit role it is. Everything that waits for it is then taken again."),
    "deal": ("Unknown deal", "Nothing to do: when the deal itself comes, what waits is taken by itself."),
    "amount": ("No amount", "Enter the amount in the source system. Its next event of the deal answers this."),
    "currency": ("Currency", "Correct the currency in the source system. Its next event of the deal answers this."),
    "field": (
        "Field mapping",
        "Say it in the endpoint's field mapping, or correct it at the source. All that waits is then taken again.",
    ),
    "people": ("People", "If this system is meant to say who works here, allow it in the endpoint's settings."),
    "manager": (
        "Manager",
        "Nothing to do: what waits is taken when the manager comes, or their own line moves.",
    ),
    "person": ("Person's data", "Enter what is missing here, or correct it at the source; then take it again."),
    "alignment": ("Territory", "Nothing waits. Say whose it is in the alignment, or fill the position."),
    "adapter": ("Not readable", "Have the sender corrected, then take the deliveries again."),
    "rate": ("Rate of exchange", "Enter the rate. What waits for it is credited by itself, and the question closes."),
    "pay_rate": ("Rate of pay", "Enter the rate. What waits for it is paid by itself, and the question closes."),
    "convert": (
        "Plan and currency",
        "Publish a version of the plan that says how it converts other currencies. What waits is credited by itself.",
    ),
    "opened": (
        "Paid before the switch",
        "Nothing waits, and no pay moves. Finance enters an adjustment if more or less is due; then close this.",
    ),
    "gap": (
        "Record to send again",
        "Send the record again as it stands: what waits is then done by itself. If that cannot be, say why not.",
    ),
    "conflict": ("Same id twice", "Compare the two bodies. If the second one is right, have it sent with a new id."),
}


@needs(Can.DATA_FIX)
@require_GET
def issue_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Open questions, those that hold up most deliveries first; or the resolved ones."""
    state = State.RESOLVED if request.GET.get("state") == State.RESOLVED else State.OPEN
    kind = request.GET.get("kind", "")
    rows = selectors.issues(state=state, kind=kind if kind in KINDS else "")
    if request.GET.get("format") == "csv":
        return _csv(state, rows)
    counts = selectors.issue_counts()
    here = reverse("issue_list", kwargs={"tenant": tenant})
    page = paginate(request, rows)
    context = {
        "page_obj": page,
        "rows": [(issue, KINDS[issue.kind][0]) for issue in page],
        "state": state,
        "kind": kind,
        "kinds": [(key, words[0]) for key, words in KINDS.items()],
        "waiting": sum(issue.waiting for issue in page),
        "tabs": [
            Link("Open", here, state == State.OPEN, counts[State.OPEN]),
            Link("Resolved", f"{here}?state=resolved", state == State.RESOLVED, counts[State.RESOLVED]),
        ],
        "csv": f"?state={state}&kind={kind if kind in KINDS else ''}&format=csv",
    }
    return render(request, "crediting/issue_list.html", context)


@needs(Can.DATA_FIX)
@require_GET
def issue(request: HttpRequest, tenant: str, issue: int) -> HttpResponse:
    """One question with the delivery that first asked it, and the form that answers it."""
    row = get_object_or_404(DataIssue.objects.select_related("endpoint", "first_delivery", "resolved_by"), pk=issue)
    return _draw(request, row, _form(row, request.GET.get("q", "").strip()))


@needs(Can.DATA_FIX)
@require_POST
def issue_resolve(request: HttpRequest, tenant: str, issue: int) -> HttpResponse:
    """Answers a question: by a meaning, by taking the deliveries again, or by closing what nothing waits for."""
    row = get_object_or_404(DataIssue.objects.select_related("endpoint", "first_delivery", "resolved_by"), pk=issue)
    user: Any = request.user
    act = request.POST.get("act", "map")
    form = None
    try:
        if act == "replay":
            count = issue_replay(issue=row, user=user)
            said = f"{_deliveries(count)} taken again."
        elif act == "cover":
            count = gap_cover(issue=row, reason=request.POST.get("reason", ""), user=user)
            said = f"Closed. {_deliveries(count)} done."
        elif act == "close":
            issue_close(issue=row, user=user)
            said = "Closed."
        else:
            form = _form(row, "", request.POST)
            if form is None or not form.is_valid():
                return _draw(request, row, form, status=422)
            target = form.cleaned_data["target"]
            count = row.waiting
            mapping_set(endpoint=row.endpoint, kind=row.kind, value=row.value, target=target, user=user)
            said = f"{row.value or 'An empty field'} means {target} from now on. {_deliveries(count)} waited for it."
    except ProblemsError as error:
        if form is not None:
            form.add_error(None, str(error))
            return _draw(request, row, form, status=422)
        messages.error(request, str(error))
        return redirect("issue", tenant=tenant, issue=row.pk)
    messages.success(request, said)
    return redirect("issue_list", tenant=tenant)


def _form(row: DataIssue, search: str, data: Any = None) -> Form | None:
    """The form of a question that a meaning answers; None for the others."""
    if row.kind not in Kind.values:
        return None
    found = selectors.candidates(kind=row.kind, search=search)
    near = selectors.closest(row.value, found)
    if row.kind == Kind.SECTOR:
        return SectorForm(data, initial={"target": near[0].key if near else row.value})
    # What was posted is checked against all, not only against those that were offered.
    return TargetForm(data, found=found if data is not None else found[: selectors.OFFERED], near=near)


def _draw(request: HttpRequest, row: DataIssue, form: Form | None, status: int = 200) -> HttpResponse:
    word, advice = KINDS[row.kind]
    tenant = request.tenant.slug  # type: ignore[attr-defined]
    page = None
    if row.kind in OF_CREDITS:
        rows = waiting_for(row).select_related("participant", "plan_version__plan")
        page = paginate(request, rows, PER_PAGE)
    context = {
        "issue": row,
        "word": word,
        "advice": advice,
        "form": form if row.state == State.OPEN else None,
        "search": request.GET.get("q", ""),
        "waiting": page,
        "waiting_rows": waiting_told(page.object_list) if page else [],
        "currency": row.value.partition("/")[0],
        "wanted": _rate_wanted(row.value) if row.kind == PAY_RATE else "",
        "plan": row.value.partition("/")[2] if row.kind == "convert" else "",
        "adjusts": row.kind == OPENED and Can.BATCH_SUBMIT in request.can,  # type: ignore[attr-defined]
        "sectors": selectors.candidates(kind=Kind.SECTOR) if row.kind == Kind.SECTOR else [],
        "reason_most": REASON.stop - 1,
        "may_search": form is not None and row.kind != Kind.SECTOR,
        "body": bytes(row.first_delivery.body),
        "standing": selectors.standing_delivery(row.first_delivery) if row.kind == "conflict" else None,
        "crumbs": [Link("Data quality", reverse("issue_list", kwargs={"tenant": tenant}))],
    }
    return render(request, "crediting/issue.html", context, status=status)


def _rate_wanted(value: str) -> str:
    """Of `EUR/USD average`, the query of a page to enter that rate."""
    pair, _, kind = value.partition(" ")
    source, _, target = pair.partition("/")
    return urlencode({"source": source, "target": target, "kind": kind})


def _deliveries(count: int) -> str:
    return f"{count} {'delivery' if count == 1 else 'deliveries'}"


def _csv(state: str, rows: Any) -> HttpResponse:
    header = ("Kind", "Value", "Endpoint", "Waiting", "Since", "Question", "Answer")
    cells = (
        (KINDS[i.kind][0], i.value, i.endpoint.name, i.waiting, i.opened_at, i.message, i.resolution) for i in rows
    )
    return csv_response(f"data-quality-{state}", header, cells)
