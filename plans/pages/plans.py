"""The list of plans, and one plan from its sentences to its history."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.paging import paginate
from comp.web.parts import Event, Link
from plans import rules, selectors, services
from plans.curves import draw
from plans.forms import PlanForm, add_problems
from plans.grids import grids
from plans.models import Plan, PlanVersion
from plans.rules.compiled import CompiledPlan, Component
from plans.rules.load import read_yaml, to_yaml
from plans.rules.templates import template, templates
from plans.rules.words import in_words
from plans.rules.words_rates import accelerator_sentence, table_sentences, tier_sentences

LIBRARY = Path(rules.__file__).parent / "library"
STATES = (("", "All"), ("in_force", "In force"), ("coming", "Coming"), ("draft", "With a draft"), ("ended", "Ended"))
TABS = (
    ("words", "In words"),
    ("components", "Rates and tiers"),
    ("people", "People"),
    ("versions", "Versions"),
    ("history", "History"),
)
#: How the audit trail's codes read in a plan's history.
ACTS = {
    "plan.create": "Plan created",
    "plan.rename": "Plan renamed",
    "plan.version.draft": "Draft made",
    "plan.version.update": "Draft changed",
    "plan.version.publish": "Published",
}


@needs(Can.PLAN_READ)
@require_GET
def plan_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All plans with what is in force, who is on them and when they changed last."""
    state = request.GET.get("state", "")
    rows = selectors.plan_rows(today(), state=state if state in dict(STATES) else "")
    here = reverse("plan_list", kwargs={"tenant": tenant})
    context = {
        "page_obj": paginate(request, rows),
        "people": sum(row.people for row in rows),
        "state": state,
        "may_administer": admin.site.has_permission(request),
        "tabs": [Link(label, f"{here}?state={key}" if key else here, key == state) for key, label in STATES],
    }
    return render(request, "plans/plan_list.html", context)


@needs(Can.PLAN_EDIT)
@require_http_methods(["GET", "POST"])
def plan_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """A new plan with a first draft, copied from one of the library or from the template that the address names."""
    library = {path.stem: path.read_text() for path in sorted(LIBRARY.glob("*.yaml"))}
    choices: list[tuple[str, Any]] = [("Plans", [(key, read_yaml(text)["name"]) for key, text in library.items()])]
    for group, members in groupby(templates(), key=lambda each: each.group):
        choices.append((group, [(f"template:{each.key}", each.title) for each in members]))
    library |= {f"template:{each.key}": each.text for each in templates()}
    form = PlanForm(choices, request.POST or None, initial={"starts_on": today(), **_started(request)})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        copied = {**read_yaml(library[values["start"]]), "key": values["key"], "name": values["name"]}
        try:
            plan = services.plan_create(key=values["key"], name=values["name"])
            version = services.version_draft(
                plan=plan,
                text=to_yaml(copied),
                starts_on=values["starts_on"],
                note=f"Copied from the library's {_origin(values['start'])}.",
                prepared_by=request.user,  # type: ignore[arg-type]
            )
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(
                request, f"{plan.name} has a first draft. Change its rates, then somebody else publishes it."
            )
            # A template is read first: it may hold more than the form of rates shows.
            page = "version" if values["start"].startswith("template:") else "version_edit"
            return redirect(page, tenant=tenant, key=plan.key, number=version.number)
    return render(request, "plans/plan_add.html", {"form": form})


def _origin(start: str) -> str:
    """What a choice of the library is called."""
    return start.replace("template:", "template ") if start.startswith("template:") else f"plan {start}"


def _started(request: HttpRequest) -> dict[str, str]:
    """What the form of a new plan starts with, where a template is to be used."""
    found = template(request.GET.get("template", ""))
    if found is None:
        return {}
    return {"name": found.title, "key": found.plan_key, "start": f"template:{found.key}"}


@needs(Can.PLAN_READ)
@require_GET
def plan(request: HttpRequest, tenant: str, key: str) -> HttpResponse:
    """One plan, by the version in force (or the next to be), in tabs."""
    found = get_object_or_404(Plan, key=key)
    versions = list(PlanVersion.objects.filter(plan=found).select_related("prepared_by", "published_by"))
    versions.sort(key=lambda row: (row.starts_on, row.number))
    shown, state = selectors.shown_version(versions, today())
    tab = request.GET.get("tab", TABS[0][0])
    if tab not in dict(TABS):
        raise Http404(f"a plan has no tab {tab}")
    people = selectors.plan_people(found, today())
    here = reverse("plan", kwargs={"tenant": tenant, "key": key})
    counts = {"people": people.count(), "versions": len(versions)}
    context: dict[str, Any] = {
        "plan": found,
        "shown": shown,
        "state": state,
        "tab": tab,
        "tabs": [Link(label, f"{here}?tab={name}", name == tab, counts.get(name)) for name, label in TABS],
        "drafts": [row for row in versions if row.state == PlanVersion.State.DRAFT],
        "crumbs": crumbs(tenant),
    }
    compiled = selectors.compiled(shown) if shown else None
    if tab == "words" and compiled:
        context["sections"] = spoken(compiled)
    elif tab == "components" and compiled:
        context["parts"] = [part(component, compiled) for component in compiled.components]
    elif tab == "people":
        page = paginate(request, people)
        titles = selectors.titles([row.participant_id for row in page], today())
        context |= {"page_obj": page, "rows": [(row, titles.get(row.participant_id, "")) for row in page]}
    elif tab == "versions":
        context["versions"] = sorted(versions, key=lambda row: -row.number)
    elif tab == "history":
        page = paginate(request, selectors.plan_history(found))
        context |= {"page_obj": page, "events": [_event(entry) for entry in page]}
    return render(request, "plans/plan.html", context)


def crumbs(tenant: str, found: Plan | None = None) -> list[Link]:
    """The way back to the list, and to the plan."""
    links = [Link("Plans", reverse("plan_list", kwargs={"tenant": tenant}))]
    if found is not None:
        links.append(Link(found.name, reverse("plan", kwargs={"tenant": tenant, "key": found.key})))
    return links


def spoken(compiled: CompiledPlan) -> list[dict[str, Any]]:
    """The plan in sentences, beside each component its kind and its curve."""
    parts = {component.key: component for component in compiled.components}
    return [
        {
            "section": section,
            "kind": parts[section.key].kind if section.key in parts else "",
            "curve": draw(parts[section.key]) if section.key in parts else None,
        }
        for section in in_words(compiled)
    ]


def part(component: Component, compiled: CompiledPlan, before: Component | None = None) -> dict[str, Any]:
    """A component set out for the page: its rates as tables, the rest in sentences, and its curve."""
    words = next(section.sentences for section in in_words(compiled) if section.key == component.key)
    return {
        "component": component,
        "grids": list(grids(component, compiled)),
        "sentences": [sentence for sentence in words[1:] if sentence not in _tabled(component, compiled)],
        "words": words,
        "curve": draw(component, before),
    }


def _tabled(component: Component, plan: CompiledPlan) -> set[str]:
    """The sentences that say what a table beside them says."""
    said: set[str] = set()
    currency = plan.currency
    if component.tiers is not None:
        said.add(tier_sentences(component.tiers, plan)[0])
    if component.accelerator is not None:
        said.add(accelerator_sentence(component.accelerator, component, currency))
    if component.table is not None:
        said.update(table_sentences(component.table, currency)[1:])
    for modifier in component.modifiers.each if component.modifiers is not None else ():
        if modifier.table is not None:
            said.update(table_sentences(modifier.table, currency)[1:])
    return said


def _event(entry: AuditEntry) -> Event:
    what = ACTS.get(entry.code, entry.code)
    number = (entry.after or {}).get("number")
    label = f"{what}: version {number}" if number else what
    return Event(
        entry.at, label, entry.actor_label, entry.reason, tone="good" if entry.code == "plan.version.publish" else ""
    )
