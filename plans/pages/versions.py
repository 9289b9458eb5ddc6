"""One version: read, edited by form, previewed, imported, exported, compared, published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import Problem, ProblemsError
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.parts import Fact, Link
from plans import selectors, services
from plans.editor import VersionEditor, save_edited
from plans.forms import ImportForm
from plans.grids import grids
from plans.models import Plan, PlanVersion
from plans.pages.plans import crumbs, part, spoken
from plans.rules.compile import compile_plan
from plans.rules.compiled import Component
from plans.rules.diff import diff
from plans.rules.load import to_yaml
from plans.rules.templates import template

Draft = PlanVersion.State.DRAFT


@needs(Can.PLAN_READ)
@require_GET
def version(request: HttpRequest, tenant: str, key: str, number: int) -> HttpResponse:
    """One version: its dates and people, its warnings, the sentences, the text."""
    found = _version(key, number)
    before = _before(found)
    document, compiled = selectors.document(found), selectors.compiled(found)
    obstacles = services.obstacles(document) if found.state == Draft else []
    context = {
        **_about(request, tenant, found),
        "before": before,
        "obstacles": obstacles,
        "examples": _examples(document, obstacles),
        "tables": [
            replace(grid, title=f"{component.name}: {grid.title}")
            for component in compiled.components
            for grid in grids(component, compiled)
            if len(grid.head) > 2
        ],
        "others": PlanVersion.objects.filter(plan=found.plan).exclude(pk=found.pk).order_by("-number"),
        "warnings": selectors.warnings(found),
        "sections": spoken(compiled),
        "text": to_yaml(document),
        "facts": [
            Fact("In force", _span(found)),
            Fact("Prepared", str(found.prepared_by), note=f"{found.prepared_at:%Y-%m-%d}"),
            *(
                [Fact("Published", str(found.published_by), note=f"{found.published_at:%Y-%m-%d}")]
                if found.published_at
                else []
            ),
            Fact("Digest", found.digest[:12]),
        ],
    }
    return render(request, "plans/version.html", context)


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def version_edit(request: HttpRequest, tenant: str, key: str, number: int) -> HttpResponse:
    """Tiers, rates, bands, bonuses and caps by form. A draft is changed; from any other version a new draft is made."""
    found = _version(key, number)
    # A new draft says why and from when by itself.
    fresh = {} if found.state == Draft else {"starts_on": max(found.starts_on, today()), "note": "", "ends_on": None}
    editor = VersionEditor(found, request.POST if request.method == "POST" else None, **fresh)
    refusal: list[str] = []
    if request.method == "POST" and "more" not in request.POST and editor.is_valid():
        try:
            saved = save_edited(editor, request.user)
        except ProblemsError as error:
            refusal = [str(problem) for problem in error.problems]
        else:
            messages.success(request, f"Version {saved.number} is kept as a draft. Somebody else can publish it now.")
            return redirect("version", tenant=tenant, key=key, number=saved.number)
    context = {**_about(request, tenant, found), "editor": editor, "refusal": refusal, **_preview(editor)}
    return render(request, "plans/version_edit.html", context)


@needs(Can.PLAN_EDIT)
@require_POST
def version_preview(request: HttpRequest, tenant: str, key: str, number: int) -> HttpResponse:
    """The sentences and curves of what is typed, for the page beside the form. Saves nothing."""
    editor = VersionEditor(_version(key, number), request.POST)
    return render(request, "plans/parts/preview.html", _preview(editor))


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def version_import(request: HttpRequest, tenant: str, key: str) -> HttpResponse:
    """A new draft from YAML, pasted or uploaded, or of the template that the address names."""
    plan = get_object_or_404(Plan, key=key)
    initial: dict[str, Any] = {"starts_on": today()}
    if request.GET.get("from", "").isdigit():
        initial["text"] = to_yaml(selectors.document(_version(key, int(request.GET["from"]))))
    elif (chosen := template(request.GET.get("template", ""))) is not None:
        initial |= {"text": chosen.text, "note": f"From the template {chosen.title}."}
    form = ImportForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            saved = services.version_draft(
                plan=plan,
                text=values["text"],
                starts_on=values["starts_on"],
                ends_on=values["ends_on"],
                note=values["note"],
                prepared_by=request.user,  # type: ignore[arg-type]
            )
        except ProblemsError as error:
            for problem in error.problems:
                form.add_error("ends_on" if problem.path == "ends_on" else "text", str(problem))
        else:
            messages.success(request, f"Version {saved.number} is kept as a draft.")
            return redirect("version", tenant=tenant, key=key, number=saved.number)
    return render(request, "plans/version_import.html", {"plan": plan, "form": form, "crumbs": crumbs(tenant, plan)})


@needs(Can.PLAN_READ)
@require_GET
def version_export(request: HttpRequest, tenant: str, key: str, number: int) -> HttpResponse:
    """The document as YAML; importing it again gives the same digest."""
    return yaml_response(_version(key, number))


@needs(Can.PLAN_READ)
@require_GET
def version_diff(request: HttpRequest, tenant: str, key: str, number: int, other: int) -> HttpResponse:
    """What version `number` says that version `other` did not: in words, then line by line."""
    new, old = _version(key, number), _version(key, other)
    context = {
        **_about(request, tenant, new),
        "old": old,
        "changes": diff(selectors.document(old), selectors.document(new)),
        "old_text": to_yaml(selectors.document(old)),
        "new_text": to_yaml(selectors.document(new)),
        "others": PlanVersion.objects.filter(plan=new.plan).exclude(pk=new.pk).order_by("-number"),
    }
    return render(request, "plans/version_diff.html", context)


@needs(Can.PLAN_PUBLISH)
@require_http_methods(["GET", "POST"])
def version_publish(request: HttpRequest, tenant: str, key: str, number: int) -> HttpResponse:
    """Shows what would change for how many people; publishes on POST."""
    found = _version(key, number)
    if request.method == "POST":
        try:
            services.version_publish(version=found, published_by=request.user)  # type: ignore[arg-type]
        except ProblemsError as error:
            for problem in error.problems:
                messages.error(request, str(problem))
            return redirect("version_publish", tenant=tenant, key=key, number=number)
        messages.success(
            request, f"{found} is in force {_span(found)}. Figures from that day on are being recalculated."
        )
        return redirect("version", tenant=tenant, key=key, number=number)
    before = _before(found)
    context = {
        **_about(request, tenant, found),
        "before": before,
        "changes": diff(selectors.document(before), selectors.document(found)) if before else [],
        "people": selectors.plan_people(found.plan, found.starts_on).count(),
        "own": request.user.pk in services.preparers(version=found),
        "warnings": selectors.warnings(found),
        "obstacles": services.obstacles(selectors.document(found)) if found.state == Draft else [],
    }
    return render(request, "plans/version_publish.html", context)


def yaml_response(found: PlanVersion) -> HttpResponse:
    """A version's document as a file."""
    answer = HttpResponse(to_yaml(selectors.document(found)), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{found.plan.key}-version-{found.number}.yaml"'
    return answer


def _version(key: str, number: int) -> PlanVersion:
    rows = PlanVersion.objects.select_related("plan", "prepared_by", "published_by")
    return get_object_or_404(rows, plan__key=key, number=number)


def _before(found: PlanVersion) -> PlanVersion | None:
    """What stands on the first day of a version, or stood before it was published: what to compare it with."""
    standing = selectors.version_in_force(plan_id=found.plan_id, day=found.starts_on)
    if standing is not None and standing.pk != found.pk:
        return standing
    rows = PlanVersion.objects.filter(plan=found.plan, number__lt=found.number).exclude(state=Draft)
    return rows.select_related("plan").order_by("-number").first()


def _about(request: HttpRequest, tenant: str, found: PlanVersion) -> dict[str, Any]:
    own = Link(f"Version {found.number}", reverse("version", args=[tenant, found.plan.key, found.number]))
    can = request.can  # type: ignore[attr-defined]
    return {
        "plan": found.plan,
        "version": found,
        "span": _span(found),
        "crumbs": crumbs(tenant, found.plan),
        "crumbs_deep": [*crumbs(tenant, found.plan), own],
        "may_edit": Can.PLAN_EDIT in can,
        "may_publish": Can.PLAN_PUBLISH in can and found.state == Draft,
    }


def _examples(document: dict[str, Any], obstacles: list[Problem]) -> list[tuple[str, bool]]:
    """The document's worked examples by name, and whether one of the obstacles lies in each."""
    return [
        (
            str(row.get("name") or f"Example {place + 1}"),
            any(o.path.startswith(f"examples[{place}]") for o in obstacles),
        )
        for place, row in enumerate(document.get("examples", []))
    ]


def _preview(editor: VersionEditor) -> dict[str, Any]:
    """What the form says now, in words and curves, with the curve as it was beside it."""
    document = editor.typed if editor.dates.is_bound else editor.before
    if editor.problems:
        return {"problems": editor.told, "parts": []}
    compiled = compile_plan(document)
    before: dict[str, Component] = {row.key: row for row in selectors.compiled(editor.version).components}
    changes = diff(editor.before, document)
    parts = [part(component, compiled, before.get(component.key)) for component in compiled.components]
    return {"problems": [], "parts": parts, "changes": changes}


def _span(found: PlanVersion) -> str:
    return f"from {found.starts_on:%-d %b %Y}" + (f" until {found.ends_on:%-d %b %Y}" if found.ends_on else "")
