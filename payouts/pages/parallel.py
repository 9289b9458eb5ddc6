"""The parallel run of a cut-over: both systems side by side, person by person, until every difference has its cause."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.canonical import digest
from comp.core.errors import CompError, ProblemsError, told
from comp.core.money import format_money, plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import Cell, csv_response
from comp.web.forms import add_problems, table_as_csv
from comp.web.paging import paginate
from comp.web.parts import Event, Link
from comp.web.sizes import takes_file
from payouts.models import CutOver, Earning, Explanation, LegacyFile, OpeningBalance
from payouts.pages.batch_steps import step_shown
from payouts.pages.cutovers import trail
from payouts.pages.links import link
from payouts.reads import parallel as reads
from payouts.reads.large import step_of
from payouts.selectors_batches import pay_groups_visible
from payouts.services import parallel as services
from payouts.services import parallel_file

READ = (Can.BATCH_READ,)
ACT = (Can.BATCH_READ, Can.BATCH_SUBMIT)
PER_PAGE = 50
#: How large a file may be, and how many of its rows are shown before it is taken.
FILE_BYTES, SHOWN = 10 * 2**20, 50
#: The views of the list, and which rows each shows.
VIEWS = {
    "unexplained": ("Unexplained", Q(open__gt=0)),
    "differs": ("Differs", ~Q(causes={})),
    "all": ("All", Q()),
}
HEADER = (
    "employee", "name", "period", "currency", "theirs", "ours", "difference", "unexplained", "state", "causes",
    "explained by", "explanation",
)  # fmt: skip
_TONES = {
    "alike": ("good", "check-circle"), "evidence": ("info", "check"), "explained": ("good", "check"),
    "stale": ("wait", "exclamation-triangle"), "open": ("stop", "x-circle"),
}  # fmt: skip


class UploadForm(forms.Form):
    """A file of statements, with their words for the kinds of its lines."""

    file = forms.FileField(
        label="Statements, CSV or XLSX", widget=forms.FileInput(attrs={"data-most": FILE_BYTES}),
        help_text="Of one pay period or several. You see what they hold before they count.",
    )  # fmt: skip
    kinds = forms.CharField(
        label="Their words for kinds of lines", required=False, max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line, such as “Quarterly kicker = commission”. A line without a kind is a total.",
    )  # fmt: skip

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=parallel_file.ROWS)


class ExplainForm(forms.Form):
    amount_minor = forms.IntegerField(widget=forms.HiddenInput)
    cause = forms.ChoiceField(label="Cause", choices=Explanation.Cause.choices)
    note = forms.CharField(
        label="Note", max_length=services.NOTE, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What an auditor needs to follow it.",
    )  # fmt: skip


class FindForm(forms.Form):
    person = forms.CharField(label="Person", required=False, max_length=60)
    view = forms.CharField(widget=forms.HiddenInput, required=False)


# ------------------------------------------------------------------ the run


@needs(*READ)
@require_GET
def parallel(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Both sides, the largest unexplained difference first; `csv` downloads every row of the view."""
    cut_over = _cut_over(pk)
    view = request.GET.get("view", "")
    view = view if view in VIEWS else "all" if not reads.ties(cut_over).filter(open__gt=0).exists() else "unexplained"
    form = FindForm({"person": request.GET.get("person", ""), "view": view})
    rows = _narrowed(reads.ties(cut_over).filter(VIEWS[view][1]), form)
    if "csv" in request.GET:
        return csv_response(f"parallel-run-{cut_over.pay_group.key}", HEADER, _cells(cut_over, rows))
    page = paginate(request, rows, PER_PAGE)
    page.object_list = list(page.object_list)
    for row in page.object_list:
        row.badge = _badge(row)
        row.words = _causes(row)
    query = request.GET.copy()
    query.pop("page", None)
    query["csv"], query["view"] = "1", view
    every = reads.ties(cut_over).order_by()
    run = reads.run_of(cut_over)
    context = {
        "run": run,
        "rounding": run.rounding_minor if run else 0,
        "most_rounding": services.MOST_ROUNDING,
        "units": _units(every),
        "cut_over": cut_over,
        "progress": reads.progress(cut_over),
        "totals": _totals(cut_over),
        "balances": OpeningBalance.objects.filter(cut_over=cut_over, taken_back_at=None).exists(),
        "files": LegacyFile.objects.filter(cut_over=cut_over).select_related("uploaded_by", "taken_back_by"),
        "views": [
            Link(word, f"?view={name}#rows", name == view, every.filter(where).count())
            for name, (word, where) in VIEWS.items()
        ],
        "form": form,
        "page": page,
        "csv": f"?{query.urlencode()}",
        "reasons": services.parallel_open(cut_over, exact=False) if cut_over.is_open else [],
        "changed": cut_over.is_open and run is not None and run.last_cause < reads.last_cause(),
        "may_act": Can.BATCH_SUBMIT in request.can and cut_over.is_open,  # type: ignore[attr-defined]
        "crumbs": crumbs(request, cut_over),
        **step_shown(request, step_of(cut_over.pay_group)),
    }
    return render(request, "payouts/parallel/run.html", context)


def _cut_over(pk: int) -> CutOver:
    """One of a pay group whose pay one may see."""
    rows = CutOver.objects.select_related("pay_group__calendar", "tenant")
    return get_object_or_404(rows, pk=pk, pay_group__in=pay_groups_visible())


def crumbs(request: HttpRequest, cut_over: CutOver, *more: Link) -> list[Link]:
    return [*trail(request, cut_over), *more]


def _narrowed(rows: QuerySet[Any], form: FindForm) -> QuerySet[Any]:
    rows = rows.select_related("participant").defer("parts").order_by("-open", "person", "period_starts_on", "currency")
    if form.is_valid() and (who := form.cleaned_data["person"]):
        rows = rows.filter(Q(person=who) | Q(participant__name__icontains=who))
    return rows


def _units(rows: QuerySet[Any]) -> str:
    """What ten of the smallest units are in each currency of these rows."""
    codes = rows.order_by("currency").values_list("currency", flat=True).distinct()
    return ", ".join(f"{plain_money(10, code)} {code}" for code in codes)


def _badge(row: Any) -> tuple[str, str, str]:
    state = reads.state_of(row)
    return (reads.STATES[state], *_TONES[state])


def _causes(row: Any) -> list[tuple[str, int]]:
    """The causes of a row in words, the largest first."""
    found = sorted(row.causes.items(), key=lambda one: -abs(one[1]))
    return [(reads.CAUSES[cause], minor) for cause, minor in found]


def _totals(cut_over: CutOver) -> list[dict[str, Any]]:
    rows = reads.totals(cut_over)
    for row in rows:
        causes = sorted(row["causes"].items(), key=lambda one: -abs(one[1]))
        row["words"] = [(reads.CAUSES[cause], minor) for cause, minor in causes]
        row["difference"] = row["ours"] - row["theirs"]
    return rows


def _cells(cut_over: CutOver, rows: QuerySet[Any]) -> list[list[Cell]]:
    """The rows, and below them how many they are and a digest of them."""
    said = {
        (one.person, one.period_starts_on, one.currency): one
        for one in Explanation.objects.filter(cut_over=cut_over, taken_back_at=None).select_related("explained_by")
    }
    found: list[list[Cell]] = []
    for row in rows:
        words = "; ".join(f"{word} {plain_money(minor, row.currency)}" for word, minor in _causes(row))
        one = said.get((row.person, row.period_starts_on, row.currency))
        sums = (row.theirs_minor, row.ours_minor, row.difference_minor, row.open and row.rest_minor)
        found.append(
            [
                row.person, row.participant.name if row.participant else "", row.period_starts_on, row.currency,
                *(Decimal(plain_money(minor, row.currency)) for minor in sums), reads.STATES[reads.state_of(row)],
                words, str(one.explained_by) if one else "", f"{one.get_cause_display()}: {one.note}" if one else "",
            ]
        )  # fmt: skip
    sealed = digest([[str(cell) for cell in row] for row in found])
    return [*found, [f"{len(found)} rows, SHA-256 {sealed}", *[""] * (len(HEADER) - 1)]]


# ------------------------------------------------------------------ one row


@needs(*READ)
@require_GET
def parallel_row(request: HttpRequest, tenant: str, pk: int, row: int) -> HttpResponse:
    """One person's pay period: every thing that either side pays, and why they differ."""
    return _row_page(request, _row(pk, row), None)


def _row(pk: int, row: int) -> Any:
    return get_object_or_404(reads.ties(_cut_over(pk)).select_related("participant", "cut_over__pay_group"), pk=row)


def _row_page(request: HttpRequest, found: Any, form: ExplainForm | None) -> HttpResponse:
    cut_over = found.cut_over
    may = Can.BATCH_SUBMIT in request.can and cut_over.is_open  # type: ignore[attr-defined]
    parts = [part | {"words": reads.CAUSES.get(part["cause"], "")} for part in found.parts]
    _link_why(request, found, [line for part in parts for line in (part, *part.get("within", ()))])
    same = {name: getattr(found, name) for name in ("cut_over", "person", "period_starts_on", "currency")}
    said = list(Explanation.objects.filter(**same).select_related("explained_by", "taken_back_by"))
    own = found.participant is not None and found.participant.user_id == request.user.pk
    if form is None:
        form = ExplainForm(initial={"amount_minor": found.rest_minor})
    context = {
        "row": found,
        "badge": _badge(found),
        "parts": parts,
        "events": [event for one in said for event in _events(one)],
        "form": form if may and found.rest_minor and not own else None,
        "stands": any(one.taken_back_at is None for one in said) and may,
        "crumbs": crumbs(request, cut_over, Link("Parallel run", link(request, "parallel", pk=cut_over.pk))),
    }
    return render(request, "payouts/parallel/row.html", context, status=422 if form.errors else 200)


def _link_why(request: HttpRequest, found: Any, lines: list[dict[str, Any]]) -> None:
    """Gives each line of a deal of ours the address of how it was worked out."""
    deals = {line["deal_id"] for line in lines if line["deal_id"]}
    rows = Earning.objects.filter(participant=found.participant_id, deal__in=deals)
    pks = {(row.deal_id, row.component): row.pk for row in rows.order_by("id")}
    of_deal = {deal: pk for (deal, _), pk in pks.items()}
    for line in lines:
        pk = pks.get((line["deal_id"], line["component"])) or of_deal.get(line["deal_id"])
        line["url"] = link(request, "why", pk=pk) if pk else ""


def _events(one: Explanation) -> list[Event]:
    amount = format_money(one.amount_minor, one.currency)
    event = Event(
        one.explained_at, f"{amount}: {one.get_cause_display()}", str(one.explained_by), one.note,
        tone="" if one.taken_back_at else "good",
    )  # fmt: skip
    if one.taken_back_at is None:
        return [event]
    return [Event(one.taken_back_at, "Taken back", str(one.taken_back_by or "")), event]


@needs(*ACT)
@require_POST
def parallel_explain(request: HttpRequest, tenant: str, pk: int, row: int) -> HttpResponse:
    """Says why a rest is what it is; `back` takes that back."""
    found: Any = _row(pk, row)
    by: Any = request.user
    if "back" in request.POST:
        _answered(request, lambda: services.explanation_take_back(row=found, by=by), "The explanation is taken back.")
        return redirect("parallel_row", tenant=tenant, pk=pk, row=row)
    form = ExplainForm(request.POST)
    if form.is_valid():
        try:
            services.explain(row=found, by=by, **form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        except CompError as error:
            form.add_error(None, told(error))
        else:
            messages.success(request, f"{found.person} is explained.")
            return redirect("parallel_row", tenant=tenant, pk=pk, row=row)
    return _row_page(request, found, form)


def _answered(request: HttpRequest, act: Callable[[], Any], done: str, ties: CutOver | None = None) -> None:
    """Does it; says what was done, and of what `ties` a run out whether it is."""
    try:
        act()
    except CompError as error:
        messages.error(request, told(error))
    else:
        messages.success(request, done + (_tied(ties) if ties else ""))


def _tied(cut_over: CutOver) -> str:
    found = step_of(cut_over.pay_group)
    if found is None or found.step.ended_at is not None:
        return "and the run is tied out."
    return "and the run is tied out by workers, for it is large. This page follows it."


# ------------------------------------------------------------------ files, and tying out


@takes_file(FILE_BYTES)
@needs(*ACT)
@require_http_methods(["GET", "POST"])
def parallel_upload(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Statements from a file: checked and shown, then taken, all or none; `errors` downloads what is wrong."""
    cut_over = _cut_over(pk)
    by: Any = request.user
    checked = request.POST.get("checked", "")
    form = UploadForm(None if checked else request.POST or None, request.FILES or None)
    context: dict[str, Any] = {}
    if request.method == "POST" and (checked or form.is_valid()):
        text = checked or form.cleaned_data["file"]
        words = request.POST.get("kinds", "")
        name = getattr(request.FILES.get("file"), "name", "") or request.POST.get("name", "") or "statements.csv"
        try:
            kinds = parallel_file.kinds_read(words)
            found = parallel_file.statements_read(text, cut_over=cut_over, kinds=kinds)
            if "errors" in request.POST:
                wrong = [(one.line, one.message) for one in found.wrong]
                return csv_response("what-is-wrong", ("line", "what is wrong"), wrong)
            if checked and found.lines and not found.wrong:
                sealed = parallel_file.digest_of(text, kinds)
                services.file_take(
                    cut_over=cut_over, name=name, digest=sealed, lines=found.lines, kinds=kinds, by=by
                )  # fmt: skip
                messages.success(request, f"{name} is taken, {_tied(cut_over)}")
                return redirect("parallel", tenant=tenant, pk=pk)
        except CompError as error:
            if checked:
                messages.error(request, told(error))
                return redirect("parallel_upload", tenant=tenant, pk=pk)
            if isinstance(error, ProblemsError):
                add_problems(form, error)
            else:
                form.add_error(None, told(error))
        else:
            context = {"text": text, "kinds": words, "file_name": name, "found": found}
            context["wrong"] = found.wrong[:SHOWN]
            context["totals"] = [(day, currency, minor) for (day, currency), minor in found.totals.items()]
    context |= {
        "cut_over": cut_over,
        "form": form,
        "columns": ", ".join(parallel_file.COLUMNS),
        "needed": ", ".join(parallel_file.NEEDED),
        "crumbs": crumbs(request, cut_over, Link("Parallel run", link(request, "parallel", pk=pk))),
    }
    return render(request, "payouts/parallel/upload.html", context, status=422 if form.errors else 200)


@needs(*ACT)
@require_POST
def parallel_step(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Ties the run out again; takes a file back (`file`); or says what is rounding (`rounding`)."""
    cut_over = _cut_over(pk)
    by: Any = request.user
    if number := request.POST.get("file", ""):
        rows = LegacyFile.objects.filter(cut_over=cut_over)
        file = get_object_or_404(rows, pk=int(number) if number.isdecimal() else 0)
        _answered(request, lambda: services.file_take_back(file=file, by=by), f"{file} is taken back, ", cut_over)
    elif "rounding" in request.POST:
        said = request.POST["rounding"].strip() or "0"
        if not (said.isascii() and said.isdecimal() and len(said) < 10):
            messages.error(request, f"“{said[:20]}” is no whole number from 0 to {services.MOST_ROUNDING:,}.")
            return redirect("parallel", tenant=tenant, pk=pk)
        minor = int(said)
        _answered(
            request,
            lambda: services.rounding_set(cut_over=cut_over, minor=minor, by=by),
            "What is rounding is changed, ",
            cut_over,
        )
    else:
        _answered(request, lambda: services.tie_out(cut_over=cut_over, by=by), "Both sides are compared, ", cut_over)
    return redirect("parallel", tenant=tenant, pk=pk)


parallel_urls = [
    path("cut-overs/<int:pk>/parallel/", parallel, name="parallel"),
    path("cut-overs/<int:pk>/parallel/upload/", parallel_upload, name="parallel_upload"),
    path("cut-overs/<int:pk>/parallel/step/", parallel_step, name="parallel_step"),
    path("cut-overs/<int:pk>/parallel/<int:row>/", parallel_row, name="parallel_row"),
    path("cut-overs/<int:pk>/parallel/<int:row>/explain/", parallel_explain, name="parallel_explain"),
]
