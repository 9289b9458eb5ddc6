"""The rules of approval: told as sentences, added, ended, and tried on a batch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.errors import ProblemsError
from comp.core.money import MoneyError, parse_money
from comp.people.models import PayGroup
from comp.tenancy.capabilities import Can, Role
from comp.web.access import needs
from comp.web.forms import DateInput, add_problems
from comp.web.parts import Link
from payouts.models import ApprovalRule
from payouts.reads.approval_rules import (
    CAPABLE,
    EXCEPTIONS,
    holders,
    payout_readers,
    rule_for,
    rule_told,
    rules_known,
)
from payouts.selectors_batches import batches_visible
from payouts.services.approval_rules import rule_add, rule_end

#: The form has so many stages.
STAGES = 3
#: So many batches can be chosen to try the rules on.
TRIED = 50


class AmountsField(forms.CharField):
    """Amounts by currency: `100000 USD, 90000 EUR`. Its value is minor units by currency."""

    def __init__(self, label: str, help_text: str) -> None:
        super().__init__(label=label, required=False, max_length=200, help_text=help_text)

    def clean(self, value: Any) -> Any:
        found: dict[str, int] = {}
        for part in str(super().clean(value)).split(","):
            words = part.split()
            if not words:
                continue
            if len(words) != 2:
                raise forms.ValidationError(f"{part.strip()!r}: write an amount and its currency, like 100000 USD.")
            code = words[1].upper()
            try:
                found[code] = parse_money(words[0], code)
            except MoneyError as error:
                raise forms.ValidationError(str(error)) from None
        return found


class RuleForm(forms.Form):
    """A rule: for which batches, from when, and its stages."""

    name = forms.CharField(label="Name", max_length=120, help_text="Such as Large payouts.")
    place = forms.IntegerField(
        label="Looked at as number", min_value=1, max_value=999, required=False, help_text="Empty: last."
    )
    starts_on = forms.DateField(label="For batches submitted from", widget=DateInput)
    ends_on = forms.DateField(label="Until", widget=DateInput, required=False)
    pay_group = forms.ModelChoiceField(
        PayGroup.objects.none(), label="Pay group", required=False, empty_label="Any pay group"
    )
    total_from = AmountsField("Total of at least", "Such as 100000 USD, 90000 EUR: one of them is enough.")
    change_percent = forms.IntegerField(
        label="Change of at least, in percent", min_value=1, max_value=1000, required=False
    )
    change_from = AmountsField("and of at least", "Against the batch before.")
    exceptions = forms.MultipleChoiceField(
        label="One of these is in it",
        choices=[(kind, words[0].upper() + words[1:]) for kind, words in EXCEPTIONS.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pay_group"].queryset = PayGroup.objects.order_by("name")  # type: ignore[attr-defined]
        who = [
            *((f"capability:{can}", words[0].upper() + words[1:]) for can, words in CAPABLE.items()),
            *((f"role:{role}", f"Anybody in {Role(role).label}") for role in holders(Can.BATCH_READ)),
            ("people", "The people chosen below"),
        ]
        people = [(user.pk, str(user)) for user in payout_readers()]
        for at in range(1, STAGES + 1):
            first = at == 1
            empty = [] if first else [("", "No further stage")]
            self.fields[f"stage{at}_name"] = forms.CharField(
                label=f"Stage {at}", max_length=120, required=first, help_text="Such as Finance."
            )
            self.fields[f"stage{at}_who"] = forms.ChoiceField(
                label="Decided by", choices=[*empty, *who], required=first
            )
            self.fields[f"stage{at}_people"] = forms.TypedMultipleChoiceField(
                label="People", choices=people, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
            )
            self.fields[f"stage{at}_needed"] = forms.IntegerField(
                label="How many of them", initial=1, min_value=1, max_value=5, required=first
            )

    def stages(self) -> list[dict[str, Any]]:
        """The stages that are filled in, as the service takes them."""
        found = []
        for at in range(1, STAGES + 1):
            said = {key: self.cleaned_data[f"stage{at}_{key}"] for key in ("name", "who", "people", "needed")}
            if not said["name"] and not said["who"]:
                continue
            kind, _, value = str(said["who"]).partition(":")
            stage = {"name": said["name"].strip(), "needed": said["needed"] or 1}
            found.append({**stage, **({"people": said["people"]} if kind == "people" else {kind: value})})
        return found


@needs(Can.AUDIT_READ)
@require_GET
def rule_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The rules in the order in which they are looked at; `batch` asks which chain it would get today."""
    day = timezone.localdate()
    sees = Can.BATCH_READ in request.can  # type: ignore[attr-defined]
    batches = list(batches_visible()[:TRIED]) if sees else []
    asked = request.GET.get("batch", "")
    tried = next((batch for batch in batches if str(batch.pk) == asked), None)
    rules = list(rules_known())
    context = {
        "rules": [(rule, rule_told(rule)) for rule in rules if rule.ends_on is None or rule.ends_on > day],
        "ended": [(rule, rule_told(rule)) for rule in rules if rule.ends_on is not None and rule.ends_on <= day],
        "otherwise": rule_told(None),
        "today": day,
        "batches": batches,
        "tried": tried,
        "sees": sees,
        "may_edit": Can.MEMBER_EDIT in request.can,  # type: ignore[attr-defined]
    }
    if tried is not None:
        found = rule_for(tried)
        context |= {"found": found, "found_told": rule_told(found)}
    return render(request, "payouts/approvals/rules.html", context)


@needs(Can.MEMBER_EDIT)
@require_http_methods(["GET", "POST"])
def rule_new(request: HttpRequest, tenant: str) -> HttpResponse:
    """Adds a rule."""
    form = RuleForm(request.POST or None, initial={"starts_on": timezone.localdate()})
    if request.method == "POST" and form.is_valid():
        said = {key: value for key, value in form.cleaned_data.items() if not key.startswith("stage")}
        try:
            rule = rule_add(**said, stages=form.stages(), made_by=request.user)  # type: ignore[arg-type]
        except ProblemsError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{rule}: {rule_told(rule)}")
            return redirect("rule_list", tenant=tenant)
    crumbs = [Link("Approval rules", reverse("rule_list", args=[tenant]))]
    context = {"form": form, "crumbs": crumbs}
    return render(request, "payouts/approvals/rule_new.html", context, status=422 if form.errors else 200)


@needs(Can.MEMBER_EDIT)
@require_POST
def rule_stop(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """The rule holds for no batch that is submitted from tomorrow on."""
    rule = get_object_or_404(ApprovalRule, pk=pk)
    try:
        ended = rule_end(
            rule=rule,
            ends_on=max(timezone.localdate() + timedelta(days=1), rule.starts_on),
            ended_by=request.user,  # type: ignore[arg-type]
        )
    except ProblemsError as error:
        messages.error(request, str(error.problems[0].message))
    else:
        messages.success(request, f"{ended} holds for no batch submitted from {ended.ends_on:%-d %B %Y} on.")
    return redirect("rule_list", tenant=tenant)


rule_urls: list[URLPattern] = [
    path("approval-rules/", rule_list, name="rule_list"),
    path("approval-rules/new/", rule_new, name="rule_new"),
    path("approval-rules/<int:pk>/end/", rule_stop, name="rule_stop"),
]
