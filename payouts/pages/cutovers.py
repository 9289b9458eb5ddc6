"""Switches from another system: all of them, one with its steps and what it brings forward, its files, and the page on
which a second person signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError, told
from comp.core.money import format_money
from comp.people.models import PayGroup
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.forms import DateInput, add_problems, table_as_csv
from comp.web.paging import paginate
from comp.web.parts import ChainStep, Fact, Link
from comp.web.sizes import takes_file
from crediting.models import DataIssue
from crediting.services.issues import OPENED
from payouts.models import CutOver, Opening, OpeningBalance, OpeningFile, OpeningTranche
from payouts.pages.batch_steps import attempt
from payouts.pages.links import link
from payouts.reads.covered import PaidBefore, paid_before
from payouts.reads.plans import Version, measured_words, version_of
from payouts.selectors_batches import pay_groups_visible
from payouts.services import cutover_file, cutovers
from payouts.services.adjustments_file import Wrong
from payouts.services.cutovers import Named
from payouts.services.opening_batch import opening_is_stale
from payouts.services.parallel import parallel_open, was_run
from plans.selectors import version_in_force

READ, WRITE, SIGN = (Can.BATCH_READ,), (Can.BATCH_READ, Can.BATCH_SUBMIT), (Can.BATCH_READ, Can.BATCH_APPROVE)
FILE_BYTES, ROWS = 8 * 2**20, cutover_file.ROWS
SHOWN, PER_PAGE = 50, 50
_TABLE = forms.FileInput(attrs={"data-most": FILE_BYTES})


class CutOverForm(forms.Form):
    """Which group leaves which system, and when."""

    pay_group = forms.ModelChoiceField(PayGroup.objects.none(), label="Pay group")
    source = forms.CharField(label="System before", max_length=60, help_text="People read it on their statements.")
    day = forms.DateField(
        label="Comp pays from", widget=DateInput, help_text="The first day of one of the group's pay periods."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pay_group"].queryset = pay_groups_visible()  # type: ignore[attr-defined]


class OpeningsForm(forms.Form):
    """Openings, and what of them is not released; the cleaned values are plain CSV."""

    file = forms.FileField(label="Openings, CSV or XLSX", widget=_TABLE)
    tranches = forms.FileField(
        label="Unreleased tranches, CSV or XLSX", widget=_TABLE, required=False,
        help_text="Where more was earned than paid: what is still to be released, and when.",
    )  # fmt: skip

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=ROWS)

    def clean_tranches(self) -> str:
        file = self.cleaned_data["tranches"]
        return table_as_csv(file, rows=ROWS) if file else ""


class BalancesForm(forms.Form):
    """Balances; the cleaned value is plain CSV."""

    file = forms.FileField(label="Balances, CSV or XLSX", widget=_TABLE)

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=ROWS)


def cutover_or_404(pk: int) -> CutOver:
    """One of a pay group whose pay the visitor may see."""
    rows = CutOver.objects.select_related("pay_group__calendar", "batch", "prepared_by", "signed_by")
    return get_object_or_404(rows, pk=pk, pay_group__in=pay_groups_visible())


def trail(request: HttpRequest, *more: CutOver) -> list[Link]:
    own = [Link(str(one), link(request, "cutover", pk=one.pk)) for one in more]
    return [Link("Switches", link(request, "cutover_list")), *own]


@needs(*READ)
@require_GET
def cutover_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All switches of the groups that one sees."""
    rows = CutOver.objects.filter(pay_group__in=pay_groups_visible()).select_related("pay_group", "prepared_by")
    may = Can.BATCH_SUBMIT in request.can  # type: ignore[attr-defined]
    page = paginate(request, rows.order_by("-day", "-id"), 50)
    return render(request, "payouts/cutover/list.html", {"page_obj": page, "may": may})


@needs(*WRITE)
@require_http_methods(["GET", "POST"])
def cutover_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Begins a switch."""
    form = CutOverForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found = attempt(request, lambda: cutovers.cutover_prepare(**form.cleaned_data, by=_by(request)))
        if found is not None:
            return redirect("cutover", tenant=tenant, pk=found.pk)
    context = {
        "title": "Begin a switch", "form": form, "button": "Begin it", "cancel": link(request, "cutover_list"),
        "crumbs": trail(request), "note": "Nothing of the group is paid until a second person signs the switch.",
    }  # fmt: skip
    return render(request, "payouts/manual/form.html", context, status=422 if form.errors else 200)


@needs(*READ)
@require_GET
def cutover(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One switch: its steps, files, totals, and each person's openings and balances."""
    found = cutover_or_404(pk)
    can = request.can  # type: ignore[attr-defined]
    standing = {"cut_over": found, "taken_back_at": None}
    openings = Opening.objects.filter(**standing).select_related("participant", "plan")
    page = paginate(request, openings.order_by("participant__name", "plan__key", "component", "day"), PER_PAGE)
    balances = OpeningBalance.objects.filter(**standing).select_related("participant", "plan")
    refusals = _refusals(request, found)
    context = {
        "found": found, "crumbs": trail(request), "chain": _chain(request, found),
        "files": OpeningFile.objects.filter(cut_over=found).select_related("uploaded_by", "taken_back_by", "beside"),
        "page_obj": page, "rows": _told(page.object_list), "opened": page.paginator.count,
        "balances": paginate(request, balances.order_by("participant__name", "kind", "id"), PER_PAGE, "balances"),
        "facts": _facts(found, openings, balances), "parallel": link(request, "parallel", pk=found.pk),
        "digest": found.digest or cutovers.sign_digest(found),
        "stale": found.is_open and opening_is_stale(found), "refusals": refusals,
        "changed": _changed(found),
        "may": {
            "adjust": Can.BATCH_SUBMIT in can,
            "write": found.is_open and Can.BATCH_SUBMIT in can,
            "sign": found.is_open and Can.BATCH_APPROVE in can,
        },
    }  # fmt: skip
    return render(request, "payouts/cutover/cutover.html", context)


def _changed(found: CutOver) -> list[tuple[DataIssue, list[PaidBefore]]]:
    """Deals that a signed switch stands for and that changed since, with who was paid for them."""
    if found.state != CutOver.State.SIGNED:
        return []
    open_now = DataIssue.objects.filter(kind=OPENED, state=DataIssue.State.OPEN).order_by("id")[:SHOWN]
    rows = ((one, [each for each in paid_before(one.value) if each.covered.opening.cut_over_id == found.pk])
            for one in open_now)  # fmt: skip
    return [(one, people) for one, people in rows if people]


def _chain(request: HttpRequest, found: CutOver) -> list[ChainStep]:
    files = set(OpeningFile.objects.filter(cut_over=found, taken_back_at=None).values_list("kind", flat=True))
    if found.state == CutOver.State.ABANDONED:
        return [ChainStep("People and plans", "done"), ChainStep("Given up", "refused")]
    signed = found.state == CutOver.State.SIGNED
    parallel = "current" if found.state == CutOver.State.PARALLEL else "todo"
    parallel = "done" if signed and not found.no_run else parallel
    return [
        ChainStep("People and plans", "done", found.pay_group.name),
        ChainStep("Openings", "done" if "openings" in files else "todo" if signed else "current"),
        ChainStep("Balances", "done" if "balances" in files else "todo"),
        ChainStep("Parallel run", parallel, "none was made" if found.no_run else ""),
        ChainStep("Signed", "done" if signed else "todo", str(found.signed_by) if signed else "by a second person"),
    ]


def _facts(found: CutOver, openings: Any, balances: Any) -> list[Fact]:
    """Counts and totals by kind and currency."""
    paid = OpeningTranche.objects.filter(opening__in=openings, release_day__lt=found.day)
    rest = OpeningTranche.objects.filter(opening__in=openings).exclude(release_day__lt=found.day)
    sums = paid.exclude(paid_in="").values("paid_in").annotate(minor=Sum("paid_minor")).order_by("paid_in")
    abroad = ", ".join(format_money(int(row["minor"]), row["paid_in"]) for row in sums)
    people = (rows.values_list("participant", flat=True) for rows in (openings, balances))
    said = [
        Fact("People", len(set().union(*people))),
        Fact("Earned before", _sum(openings, "earned_minor")),
        Fact("Paid before", _sum(paid)),
        *([Fact("Paid out in other currencies", abroad)] if abroad else []),
        Fact("Still to be released", _sum(rest)),
    ]
    for kind in OpeningBalance.Kind:
        own = balances.filter(kind=kind)
        if own.exists():
            said.append(Fact(kind.label, _sum(own)))
    return said


def _sum(rows: Any, column: str = "amount_minor") -> str:
    sums = rows.order_by().values("currency").annotate(minor=Sum(column)).order_by("currency")
    return ", ".join(format_money(int(row["minor"]), row["currency"]) for row in sums) or "nothing"


def _told(rows: Iterable[Opening]) -> list[dict[str, Any]]:
    """Openings with their measure in its unit, and what they pay when."""
    rows, versions = list(rows), dict[tuple[int, Any], Version]()
    tranches: dict[int, list[OpeningTranche]] = {}
    abroad: dict[int, OpeningTranche] = {}
    every = OpeningTranche.objects.filter(opening__in=rows).select_related("deal")
    for tranche in every.order_by("opening_id", "index"):
        if tranche.index:
            tranches.setdefault(tranche.opening_id, []).append(tranche)
        elif tranche.paid_in:
            abroad[tranche.opening_id] = tranche
    found = []
    for row in rows:
        at = (row.plan_id, row.day)
        if at not in versions and (stored := version_in_force(plan_id=row.plan_id, day=row.day)) is not None:
            versions[at] = version_of(stored)
        version = versions.get(at)
        part = next((p for p in version.says.components if p.key == row.component), None) if version else None
        later = tranches.get(row.pk, [])
        found.append(
            {
                "row": row, "component": part.name if part else row.component, "later": later,
                "measured": measured_words(part, row.measured_minor, row.currency) if part else "",
                "abroad": abroad.get(row.pk),
                "paid": row.earned_minor - sum(tranche.amount_minor for tranche in later),
            }
        )  # fmt: skip
    return found


def _refusals(request: HttpRequest, found: CutOver) -> list[str]:
    """Why the visitor may not sign the switch as it stands."""
    left = parallel_open(found, exact=False) if found.is_open else []
    return [*cutovers.sign_refusals(found, _by(request)), *left]


# ------------------------------------------------------------------ files


@takes_file(2 * FILE_BYTES)
@needs(*WRITE)
@require_http_methods(["GET", "POST"])
def cutover_openings(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Openings from a file, with their unreleased tranches: first checked and shown, then all or none."""
    found = cutover_or_404(pk)

    def read(text: str, beside: str) -> cutover_file.Openings:
        return cutover_file.openings_read(text, beside, cut_over=found)

    def take(text: str, beside: str) -> OpeningFile:
        other = Named(request.POST.get("beside_name") or "tranches.csv", beside) if beside else None
        file = Named(request.POST.get("name") or "openings.csv", text)
        return cutovers.openings_take(cut_over=found, file=file, beside=other, by=_by(request))

    columns = {"Openings": cutover_file.OPENINGS, "Unreleased tranches": cutover_file.TRANCHES}
    return _upload(request, found, OpeningsForm, read, take, "Openings", columns)


@takes_file(FILE_BYTES)
@needs(*WRITE)
@require_http_methods(["GET", "POST"])
def cutover_balances(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Balances from a file: first checked and shown, then all or none."""
    found = cutover_or_404(pk)

    def read(text: str, beside: str) -> cutover_file.Balances:
        return cutover_file.balances_read(text, cut_over=found)

    def take(text: str, beside: str) -> OpeningFile:
        file = Named(request.POST.get("name") or "balances.csv", text)
        return cutovers.balances_take(cut_over=found, file=file, by=_by(request))

    columns = {"Balances": cutover_file.BALANCES}
    return _upload(request, found, BalancesForm, read, take, "Balances", columns)


def _upload(
    request: HttpRequest, found: CutOver, shape: type[forms.Form], read: Callable[[str, str], Any],
    take: Callable[[str, str], OpeningFile], title: str, columns: Mapping[str, tuple[str, ...]],
) -> HttpResponse:  # fmt: skip
    checked = request.POST.get("checked", "")
    form = shape(None if checked else request.POST or None, request.FILES or None)
    context: dict[str, Any] = {}
    if request.method == "POST" and (checked or form.is_valid()):
        text = checked or form.cleaned_data["file"]
        beside = request.POST.get("beside", "") if checked else form.cleaned_data.get("tranches", "")
        try:
            rows = read(text, beside)
        except ProblemsError as error:
            add_problems(form, error) if form.is_bound else messages.error(request, told(error))
        else:
            wrong = _wrong(rows, title)
            if "wrong" in request.POST:
                return csv_response("to-correct", ("file", "line", "what is wrong"), wrong)
            if checked and rows.rows and not wrong and attempt(request, lambda: take(text, beside)):
                messages.success(request, f"{title} are brought forward: {len(rows.rows):,} rows.")
                return redirect("cutover", tenant=found.tenant.slug, pk=found.pk)
            name, other = (getattr(request.FILES.get(each), "name", "") for each in ("file", "tranches"))
            context = {
                "text": text, "beside": beside, "name": name or request.POST.get("name", ""), "wrong": wrong[:SHOWN],
                "beside_name": other or request.POST.get("beside_name", ""), "wrong_count": len(wrong),
                "count": len(rows.rows), "totals": _totals(rows.totals()),
            }  # fmt: skip
    context |= {
        "title": f"{title}, {found}", "what": title.lower(), "form": form, "crumbs": trail(request, found),
        "columns": [(name, ", ".join(each), ", ".join(cutover_file.NEEDED[each])) for name, each in columns.items()],
        "cancel": link(request, "cutover", pk=found.pk),
    }  # fmt: skip
    return render(request, "payouts/cutover/upload.html", context, status=422 if form.errors else 200)


def _wrong(rows: Any, title: str) -> list[tuple[str, int, str]]:
    """File, line and message of all that is wrong."""
    beside: list[Wrong] = getattr(rows, "wrong_tranches", [])
    parts = ((title, rows.wrong), ("Unreleased tranches", beside))
    return [(name, each.line, each.message) for name, some in parts for each in some]


def _totals(sums: dict[str, dict[str, int]]) -> list[tuple[str, str]]:
    words = dict(OpeningBalance.Kind.choices)
    return [
        (words.get(what, what.capitalize()), ", ".join(format_money(minor, code) for code, minor in by.items()))
        for what, by in sums.items()
    ]


@needs(*WRITE)
@require_POST
def cutover_file_back(request: HttpRequest, tenant: str, brought: int) -> HttpResponse:
    """Takes a file back as a whole."""
    file = get_object_or_404(OpeningFile.objects.select_related("cut_over"), pk=brought)
    found = cutover_or_404(file.cut_over_id)
    if attempt(request, lambda: cutovers.file_take_back(file=file, by=_by(request))) is not None:
        messages.success(request, f"{file} is taken back.")
    return redirect("cutover", tenant=tenant, pk=found.pk)


# ------------------------------------------------------------------ steps


class MoveForm(forms.Form):
    day = forms.DateField(widget=DateInput)


@needs(*WRITE)
@require_POST
def cutover_step(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Brings the batch up to date, moves the day, begins or ends the parallel run, or gives the switch up."""
    found, by = cutover_or_404(pk), _by(request)
    form = MoveForm(request.POST)
    acts: dict[str, Callable[[], CutOver]] = {
        "refresh": lambda: cutovers.cutover_refresh(cut_over=found, by=by),
        "parallel": lambda: cutovers.cutover_phase(cut_over=found, state=CutOver.State.PARALLEL, by=by),
        "preparing": lambda: cutovers.cutover_phase(cut_over=found, state=CutOver.State.PREPARING, by=by),
        "abandon": lambda: cutovers.cutover_abandon(cut_over=found, by=by, reason=request.POST.get("reason", "")),
    }
    if form.is_valid():
        acts["move"] = lambda: cutovers.cutover_move(cut_over=found, day=form.cleaned_data["day"], by=by)
    act = acts.get(request.POST.get("act", ""))
    if act is None:
        messages.error(request, "Choose what to do, and a day where one is asked for.")
    elif attempt(request, act) is not None:
        messages.success(request, "It is done.")
    return redirect("cutover", tenant=tenant, pk=pk)


@needs(*SIGN)
@require_http_methods(["GET", "POST"])
def cutover_sign(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """States counts, totals and digest once more, and asks who is there again; posting signs what was shown."""
    found = cutover_or_404(pk)
    try:
        _is_still_you(request)
    except ReauthenticationRequired:
        if request.method == "GET":
            raise
        return redirect("cutover_sign", tenant=tenant, pk=pk)
    if request.method == "POST":
        digest, no_run = request.POST.get("digest", ""), request.POST.get("no_run", "")
        done = attempt(
            request,
            lambda: cutovers.cutover_sign(cut_over=found, signed_by=_by(request), digest=digest, no_run=no_run),
        )
        if done is not None:
            messages.success(request, f"{done} is signed. From {done.day:%-d %B %Y} on Comp pays {done.pay_group}.")
        return redirect("cutover", tenant=tenant, pk=pk)
    refusals = _refusals(request, found)
    if refusals or found.batch is None:
        why = refusals[0] if refusals else "nothing is brought forward yet. Bring it up to date first."
        messages.error(request, f"{found}: {why}")
        return redirect("cutover", tenant=tenant, pk=pk)
    standing = {"cut_over": found, "taken_back_at": None}
    facts = _facts(found, Opening.objects.filter(**standing), OpeningBalance.objects.filter(**standing))
    context = {
        "found": found, "crumbs": trail(request, found), "facts": facts, "before": found.day - timedelta(days=1),
        "was_run": was_run(found), "no_run": cutovers.NO_RUN,
        "digest": cutovers.sign_digest(found),
    }  # fmt: skip
    return render(request, "payouts/cutover/sign.html", context)


@reauthentication_required
def _is_still_you(request: HttpRequest) -> None:
    """Raises ReauthenticationRequired unless the password (or second factor) was given again within five minutes."""


def _by(request: HttpRequest) -> Any:
    return request.user


cutover_urls = [
    path("cut-overs/", cutover_list, name="cutover_list"),
    path("cut-overs/new/", cutover_add, name="cutover_add"),
    path("cut-overs/<int:pk>/", cutover, name="cutover"),
    path("cut-overs/<int:pk>/openings/", cutover_openings, name="cutover_openings"),
    path("cut-overs/<int:pk>/balances/", cutover_balances, name="cutover_balances"),
    path("cut-overs/<int:pk>/step/", cutover_step, name="cutover_step"),
    path("cut-overs/<int:pk>/sign/", cutover_sign, name="cutover_sign"),
    path("cut-overs/files/<int:brought>/back/", cutover_file_back, name="cutover_file_back"),
]
