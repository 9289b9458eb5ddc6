"""Plans in the administration. A version's form edits its tiers and rates without touching text; publishing is left to
the page that shows what changes, and takes a second person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES, TEXTAREA_CLASSES

from comp.core.errors import ProblemsError
from comp.core.money import parse_money
from comp.core.numbers import parse_number
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.admin import KeptAdmin, ServiceForm
from plans import selectors, services
from plans.editor import VersionEditor, save_edited
from plans.forms import ImportForm
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from plans.rules.words import in_words


class PlansAdmin(KeptAdmin):
    reads, writes = Can.PLAN_READ, Can.PLAN_EDIT


@admin.register(Plan)
class PlanAdmin(PlansAdmin):
    changing = ("name",)
    list_display = ("name", "key")
    search_fields = ("name", "key")

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.plan_create(**values)

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Any:
        return services.plan_rename(plan=row, name=values["name"])


class ImportVersionForm(ImportForm):
    plan = forms.ModelChoiceField(Plan.objects.none(), label="Plan")
    field_order = ("plan",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].queryset = Plan.objects.order_by("name")  # type: ignore[attr-defined]


@admin.register(PlanVersion)
class PlanVersionAdmin(PlansAdmin):
    """Adding is importing; changing is the editor of tiers and rates."""

    changing = ("document",)
    list_display = ("__str__", "state", "starts_on", "ends_on", "prepared_by", "published_by")
    list_filter = ("state", "plan")
    list_select_related = ("plan", "prepared_by", "published_by")
    search_fields = ("plan__name", "plan__key", "note")
    ordering = ("plan__name", "-number")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied("importing a version takes plan.edit")
        form = ImportVersionForm(request.POST or None, request.FILES or None, initial={"starts_on": today()})
        _dress([form])
        if request.method == "POST" and form.is_valid():
            values = {name: form.cleaned_data[name] for name in ("plan", "text", "starts_on", "ends_on", "note")}
            try:
                saved = services.version_draft(**values, prepared_by=request.user)  # type: ignore[arg-type]
            except ProblemsError as error:
                for problem in error.problems:
                    form.add_error("text", str(problem))
            else:
                messages.success(request, f"{saved} is kept as a draft.")
                return redirect("admin:plans_planversion_change", saved.pk)
        context = {**self._context(request, "Import a version"), "form": form}
        return render(request, "plans/admin/version_import.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        if version is None:
            raise Http404("no such version")
        if not self.has_view_permission(request, version):
            raise PermissionDenied("reading a version takes plan.read")
        posted = request.method == "POST"
        if posted and not self.has_change_permission(request, version):
            raise PermissionDenied("editing a version takes plan.edit")
        draft = version.state == PlanVersion.State.DRAFT
        fresh = {} if draft else {"starts_on": max(version.starts_on, today()), "note": "", "ends_on": None}
        editor = VersionEditor(version, request.POST if posted else None, **fresh)
        _dress([editor.dates, *(form for part in editor.parts for form in part.all_forms)])
        refusal: list[str] = []
        if posted and "more" not in request.POST and editor.is_valid():
            try:
                saved = save_edited(editor, request.user)
            except ProblemsError as error:
                refusal = [str(problem) for problem in error.problems]
            else:
                messages.success(request, f"{saved} is kept as a draft. Somebody else can publish it.")
                return redirect("admin:plans_planversion_change", saved.pk)
        elif posted:
            refusal = editor.told
        context = {
            **self._context(request, str(version)),
            "original": version,
            "draft": draft,
            "editor": editor,
            "refusal": refusal,
            "sections": in_words(selectors.compiled(version)),
            "links": self._links(request, version),
            "may_edit": self.has_change_permission(request, version),
        }
        return render(request, "plans/admin/version.html", context)

    def _links(self, request: HttpRequest, version: PlanVersion) -> list[tuple[str, str]]:
        """The pages that show, compare, export and publish the version."""
        place = [request.tenant.slug, version.plan.key, version.number]  # type: ignore[attr-defined]
        links = [
            ("Read in words", reverse("version", args=place)),
            ("Export YAML", reverse("version_export", args=place)),
        ]
        if version.state == PlanVersion.State.DRAFT:
            links.append(("Publish…", reverse("version_publish", args=place)))
        others = PlanVersion.objects.filter(plan=version.plan).exclude(pk=version.pk).order_by("-number")
        for number in others.values_list("number", flat=True)[:5]:
            links.append((f"Compare with version {number}", reverse("version_diff", args=[*place, number])))
        links.append(("History", reverse("admin:plans_planversion_history", args=[version.pk])))
        return links

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}


@admin.register(PlanAssignment)
class PlanAssignmentAdmin(PlansAdmin):
    changing = ("ends_on",)
    list_display = ("participant", "plan", "starts_on", "ends_on")
    list_filter = ("plan",)
    list_select_related = ("participant", "plan")
    search_fields = ("participant__name", "participant__key", "plan__name")
    ordering = ("participant__name", "-starts_on")

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.assignment_set(**values)

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Any:
        return services.assignment_end(assignment=row, ends_on=values["ends_on"])


class QuotaAdminForm(ServiceForm):
    amount = forms.CharField(max_length=24, help_text="In the person's currency: plain digits with a point, 120000.00.")

    class Meta:
        model = Quota
        fields = ("participant", "key", "starts_on", "ends_on", "unit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["amount"].initial = self.instance.amount_text


@admin.register(Quota)
class QuotaAdmin(PlansAdmin):
    form = QuotaAdminForm
    fields = ("participant", "key", "starts_on", "ends_on", "unit", "amount")
    changing = ("amount",)
    removable = True
    list_display = ("participant", "key", "starts_on", "ends_on", "amount_shown")
    list_filter = ("key", "starts_on")
    list_select_related = ("participant",)
    search_fields = ("participant__name", "participant__key", "key")
    ordering = ("-starts_on", "participant__name", "key")

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_shown(self, row: Quota) -> str:
        return row.amount_words

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        named = {name: values[name] for name in ("participant", "key", "starts_on", "ends_on", "unit")}
        return services.quota_set(**named, **self._amount(values, values["unit"], values["participant"].currency))

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Any:
        named = {name: getattr(row, name) for name in ("participant", "key", "starts_on", "ends_on", "unit")}
        return services.quota_set(**named, **self._amount(values, row.unit, row.currency))

    def remove(self, request: HttpRequest, row: Any) -> None:
        services.quota_remove(quota=row)

    @staticmethod
    def _amount(values: dict[str, Any], unit: str, currency: str) -> dict[str, Any]:
        text = values["amount"].strip()
        amount = parse_money(text, currency) if unit == Quota.Unit.MONEY else parse_number(text)
        return {"amount_minor": amount, "currency": currency}


def _dress(dressed: list[Any]) -> None:
    """Gives plain forms the admin's look."""
    for form in dressed:
        for field in form.fields.values():
            classes = INPUT_CLASSES
            if isinstance(field.widget, forms.Textarea):
                classes = TEXTAREA_CLASSES
            elif isinstance(field.widget, forms.Select):
                classes = SELECT_CLASSES
            field.widget.attrs |= {"class": " ".join(classes), "aria-label": str(field.label)}
