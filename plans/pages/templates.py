"""The library's templates: the list, and one with its words, its examples and whether they hold."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from comp.core.errors import Problem
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.parts import Link
from plans import services
from plans.curves import Sketch, sketch
from plans.models import Plan
from plans.pages.plans import crumbs, spoken
from plans.rules.checks import check
from plans.rules.compile import compile_plan
from plans.rules.load import read_yaml
from plans.rules.phrases import both, named
from plans.rules.reach import unsupported
from plans.rules.templates import Template, template, templates


@needs(Can.PLAN_EDIT)
@require_GET
def template_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """All templates by group, each with what it is for and a sketch of what it pays."""
    groups = [
        (group, [(each, _sketch(each)) for each in members])
        for group, members in groupby(templates(), key=lambda each: each.group)
    ]
    return render(request, "plans/template_list.html", {"groups": groups, "crumbs": crumbs(tenant)})


@needs(Can.PLAN_EDIT)
@require_GET
def template_preview(request: HttpRequest, tenant: str, template_key: str) -> HttpResponse:
    """One template in words, with its worked examples and what the database cannot deliver for it yet."""
    found = template(template_key)
    if found is None:
        raise Http404(f"the library has no template {template_key}")
    document = read_yaml(found.text)
    compiled = compile_plan(document)
    plan = Plan.objects.filter(key=found.plan_key).first()
    start = reverse("version_import", args=[tenant, plan.key]) if plan else reverse("plan_add", args=[tenant])
    context: dict[str, Any] = {
        "template": found,
        "plan": plan,
        "use": f"{start}?template={found.key}",
        "sections": spoken(compiled),
        "examples": _examples(found, services.judged(document)),
        "warnings": [problem for problem in check(document) if problem.severity == "warning"],
        "missing": _missing(unsupported(compiled)),
        "crumbs": [*crumbs(tenant), Link("Templates", reverse("template_list", args=[tenant]))],
    }
    return render(request, "plans/template.html", context)


@cache  # a template is the same as long as the process runs, and compiling all takes a second
def _sketch(found: Template) -> Sketch | None:
    """Of the component whose pay bends most, those that pay before those that are only read."""
    parts = compile_plan(read_yaml(found.text)).components
    drawn = [(part.kind != "result", one.line.count("L"), one) for part in parts if (one := sketch(part)) is not None]
    return max(drawn, key=lambda row: row[:2])[2] if drawn else None


def _examples(found: Template, problems: list[Problem]) -> list[tuple[Any, list[str]]]:
    """Each example with what does not hold in it."""
    return [
        (example, [str(problem.message) for problem in problems if problem.path.startswith(f"examples[{number}]")])
        for number, example in enumerate(found.examples)
    ]


def _missing(problems: list[Problem]) -> str:
    """What the database does not deliver yet, in a few words: constructs first, then fields of facts."""
    found = dict.fromkeys(str(problem.found) for problem in problems)
    fields = [named(name) for name in found if name == name.lower()]
    parts = [words[:1].lower() + words[1:] for words in found if words != words.lower()]
    if fields:
        parts.append(f"the field{'s' if len(fields) > 1 else ''} {both(fields)}")
    return both(parts) if parts else ""
