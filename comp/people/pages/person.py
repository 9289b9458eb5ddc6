"""One participant by date: position, line, region and the like, leave and time not employed; and who changed what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.people.dated import attribute_set, gap_set
from comp.people.models import Attribute, Gap, Leave, Participant, Position, ReportingLine
from comp.people.selectors import today
from comp.people.services import leave_remove, leave_set, row_end
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.forms import DateInput, add_problems
from comp.web.paging import paginate
from comp.web.parts import Event, Fact, Link
from comp.web.templatetags.comp import day

#: What is kept of a participant by date.
DATED = (Position, ReportingLine, Attribute, Leave, Gap)
#: A kind of absence that is chosen in the form.
LEAVE, GAP = "leave", "gap"


class AttributeForm(forms.Form):
    """What somebody is from a day on."""

    name = forms.ChoiceField(label="What", choices=Attribute.Name.choices)
    value = forms.CharField(label="Value", max_length=120, required=False, help_text="Empty: none from that day on.")
    starts_on = forms.DateField(label="From", widget=DateInput)


class AwayForm(forms.Form):
    """Days on which somebody is away, or was not employed."""

    kind = forms.ChoiceField(
        label="What", choices=[(LEAVE, "On leave"), (GAP, "Not employed, between two employments")]
    )
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(
        label="Until", widget=DateInput, required=False, help_text="The first day back. Empty: leave without an end."
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("kind") == GAP and not said.get("ends_on"):
            self.add_error("ends_on", "Say the day on which they were hired again.")
        return said


@needs(Can.PEOPLE_READ)
@require_GET
def person(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Everything that is known of somebody by date."""
    return _draw(request, get_object_or_404(Participant.objects.select_related("pay_group"), pk=pk))


@needs(Can.PEOPLE_EDIT)
@require_POST
def person_attribute(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Sets region, position or pool from a day on."""
    row = get_object_or_404(Participant, pk=pk)
    form = AttributeForm(request.POST)
    if form.is_valid():
        try:
            attribute_set(participant=row, **form.cleaned_data)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            said = form.cleaned_data
            messages.success(
                request, f"{said['name'].capitalize()} {said['value'] or 'none'} from {said['starts_on']}."
            )
            return redirect("person", tenant=tenant, pk=pk)
    return _draw(request, row, attribute=form)


@needs(Can.PEOPLE_EDIT)
@require_POST
def person_away(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Sets leave, or days between two employments."""
    row = get_object_or_404(Participant, pk=pk)
    form = AwayForm(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        service = leave_set if said.pop("kind") == LEAVE else gap_set
        try:
            service(participant=row, **said)
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{row.name} is away from {said['starts_on']}.")
            return redirect("person", tenant=tenant, pk=pk)
    return _draw(request, row, away=form)


@needs(Can.PEOPLE_EDIT)
@require_POST
def person_back(request: HttpRequest, tenant: str, pk: int, leave: int) -> HttpResponse:
    """Ends leave on a day (`ends_on`), or takes it back where it was set by mistake."""
    row = get_object_or_404(Leave.objects.select_related("participant"), pk=leave, participant=pk)
    try:
        if request.POST.get("act") == "remove":
            leave_remove(leave=row)
        else:
            row_end(row=row, ends_on=forms.DateField().clean(request.POST.get("ends_on", "")))
    except (ProblemsError, forms.ValidationError) as error:
        messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
    else:
        messages.success(request, f"{row.participant.name}: leave is changed.")
    return redirect("person", tenant=tenant, pk=pk)


def _draw(
    request: HttpRequest, row: Participant, attribute: AttributeForm | None = None, away: AwayForm | None = None
) -> HttpResponse:
    tenant, can = request.tenant.slug, request.can  # type: ignore[attr-defined]
    start = {"starts_on": today(request.tenant)}  # type: ignore[attr-defined]
    entries = paginate(request, _changes(row), 25) if Can.AUDIT_READ in can else None
    context = {
        "person": row,
        "facts": list(_facts(row)),
        "positions": _latest(Position, row).select_related("credit_role", "team", "territory"),
        "lines": _latest(ReportingLine, row).select_related("manager"),
        "attributes": _latest(Attribute, row),
        "leaves": _latest(Leave, row),
        "gaps": _latest(Gap, row),
        "entries": entries,
        "events": [_event(entry, row) for entry in entries or ()],
        "may_edit": Can.PEOPLE_EDIT in can,
        "attribute_form": attribute or AttributeForm(initial=start),
        "away_form": away or AwayForm(initial=start),
        "crumbs": [Link("People", reverse("assignment_list", kwargs={"tenant": tenant}))],
    }
    return render(request, "people/person.html", context, status=422 if attribute or away else 200)


def _event(entry: AuditEntry, row: Participant) -> Event:
    what = entry.subject_label.removeprefix(f"{row.name}, ")
    return Event(entry.at, what[:1].upper() + what[1:], entry.actor_label, entry.code)


def _latest(model: Any, row: Participant) -> Any:
    return model.objects.filter(participant=row).order_by("-starts_on", "-id")


def _facts(row: Participant) -> list[Fact]:
    return [
        Fact("Employee number", row.key),
        Fact("Email", row.email or "none"),
        Fact("Pay group", row.pay_group.name),
        Fact("Currency", row.currency),
        Fact("Hired", day(row.starts_on)),
        Fact("Left", day(row.ends_on) if row.ends_on else "no day known"),
    ]


def _changes(row: Participant) -> Any:
    """The audit trail of this person and of all that was ever kept of them by date, the newest first."""
    found = AuditEntry.objects.filter(subject_kind="people.participant", subject_id=str(row.pk))
    for model in DATED:
        ids = model.history.filter(participant_id=row.pk).values_list("id", flat=True).distinct()
        found |= AuditEntry.objects.filter(subject_kind=model._meta.label_lower, subject_id__in=[str(pk) for pk in ids])
    return found.order_by("-number")
