"""The forms of decisions by hand."""

from __future__ import annotations

from typing import Any

from django import forms

from comp.core.money import MoneyError, parse_money
from comp.people.models import Participant, PayGroup
from comp.tenancy.capabilities import Role
from comp.web.forms import DateInput, table_as_csv
from payouts.models import Adjustment, NegativeDecision, NegativePolicy
from payouts.models.manual import State
from payouts.selectors_batches import pay_groups_visible
from payouts.services.adjustments_file import ROWS
from payouts.services.attachments import BYTES, KINDS, File
from plans.models import Plan, PlanVersion

#: A file of adjustments may be so large: ROWS of them are less.
FILE_BYTES = 4 * 2**20
_LINES = forms.Textarea(attrs={"rows": 2})
_ATTACHED = f"{', '.join(sorted(KINDS))}, up to {BYTES // 2**20} MB."


class PersonField(forms.CharField):
    """An employee number; its value is the participant, of those whose pay the visitor may see."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label="Employee number", max_length=60, **kwargs)
        self.widget.attrs["autocomplete"] = "off"

    def clean(self, value: Any) -> Any:
        key = str(super().clean(value) or "").strip()
        if not key:
            return None
        people = Participant.objects.select_related("pay_group__calendar").filter(pay_group__in=pay_groups_visible())
        found = people.filter(key=key).first()
        if found is None:
            raise forms.ValidationError(f"Nobody whose pay you see has the number {key!r}.")
        return found


class PlanField(forms.ModelChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Plan.objects.none(), label="Plan", **kwargs)


class AttachmentField(forms.FileField):
    """A small file; its value is a File."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.FileInput(attrs={"data-most": BYTES})
        super().__init__(label="Attachment", help_text=_ATTACHED, widget=widget, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        found = super().clean(data, initial)
        return File(found.name, found.read(BYTES + 1)) if found else None


class WithPlans(forms.Form):
    """Plans are of the request's company: they are asked for with the form, not with its class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(found := self.fields.get("plan"), PlanField):
            found.queryset = Plan.objects.order_by("name")

    def minor(self, name: str, currency: str) -> int | None:
        """An amount of the form in minor units; MoneyError where it is none of the currency."""
        text = str(self.cleaned_data.get(name) or "").strip()
        return parse_money(text, currency) if text else None


class AdjustmentForm(WithPlans):
    participant = PersonField()
    plan = PlanField(help_text="Whose pay it is of: one that the person is or was on.")
    component = forms.CharField(label="Component", max_length=50, required=False)
    amount = forms.CharField(label="Amount", max_length=30, help_text="In the person's currency; a debit with a minus.")
    day = forms.DateField(
        label="Due on", widget=DateInput, required=False, help_text="Empty: with the period that is open."
    )
    origin = forms.DateField(
        label="Belongs to the period of", widget=DateInput, required=False, help_text="Empty: that of the day above."
    )
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES, help_text="The person reads it.")
    attachment = AttachmentField()


class FileForm(forms.Form):
    """A table, CSV or XLSX; its cleaned value is the same as plain CSV."""

    file = forms.FileField(
        label="Adjustments, CSV or XLSX",
        help_text="You see them before they count.",
        widget=forms.FileInput(attrs={"data-most": FILE_BYTES}),
    )

    def clean_file(self) -> str:
        return table_as_csv(self.cleaned_data["file"], rows=ROWS)


class HoldForm(WithPlans):
    participant = PersonField(required=False)
    deal = forms.CharField(label="Deal", max_length=100, required=False, help_text="Its number in the source.")
    plan = PlanField(required=False)
    component = forms.CharField(label="Component of the plan", max_length=50, required=False)
    expires_on = forms.DateField(label="Until", widget=DateInput, required=False, help_text="Empty: until released.")
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES, help_text="Whoever is held up reads it.")


class LetterForm(WithPlans):
    participant = PersonField()
    plan = PlanField()
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(label="Until", widget=DateInput, help_text="The first day after it.")
    monthly = forms.CharField(label="Amount a month", max_length=30, required=False)
    version = forms.IntegerField(
        label="Or the plan version that states its terms", required=False, min_value=1,
        help_text="Other rates for one person are overrides of the plan: name the version that has them.",
    )  # fmt: skip
    text = forms.CharField(label="What was agreed", widget=forms.Textarea(attrs={"rows": 5}), max_length=10_000)
    attachment = AttachmentField()
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES)

    def plan_version(self) -> PlanVersion | None:
        """The version that the form names, None where it names none; a problem of the form where there is none."""
        number = self.cleaned_data.get("version")
        if number is None:
            return None
        found = PlanVersion.objects.filter(plan=self.cleaned_data["plan"], number=number).first()
        if found is None:
            self.add_error("version", f"The plan has no version {number}.")
        return found


class ReliefForm(forms.Form):
    participant = PersonField()
    key = forms.SlugField(label="Quota", help_text="Its key, such as sales.")
    percent = forms.DecimalField(label="Percent taken off", max_digits=7, decimal_places=4)
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(label="Until", widget=DateInput, help_text="The first day after it.")
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES)


class ReviewForm(forms.Form):
    accept = forms.ChoiceField(
        label="The excess is", choices=[("yes", "paid"), ("no", "not paid")], widget=forms.RadioSelect
    )
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES)


class CapReviewForm(forms.Form):
    pay = forms.CharField(label="Amount paid of it", max_length=30, help_text="0 pays nothing.")
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES)


class BelowZeroForm(forms.Form):
    way = forms.ChoiceField(label="It is", choices=NegativeDecision.Way.choices, widget=forms.RadioSelect)
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES)


_OF_RULE = ("pay_group", "currency", "way", "share", "keep_minor", "carried_stays")


class BelowZeroRuleForm(forms.Form):
    """What becomes of pay below zero of a pay group, in a currency."""

    pay_group = forms.ModelChoiceField(PayGroup.objects.none(), label="Pay group")
    of_currency = forms.CharField(label="Currency", max_length=3)
    way = forms.ChoiceField(label="Pay below zero is", choices=NegativePolicy.Way.choices, widget=forms.RadioSelect)
    share = forms.DecimalField(
        label="Percent of later pay that is set off at most", max_digits=7, decimal_places=4, initial=100, min_value=0
    )
    keep = forms.CharField(label="Left of each period's pay at least", max_length=30, initial="0")
    carried_stays = forms.BooleanField(
        label="What is carried already stays under Debts", required=False,
        help_text="Where it is collected from now on: no later pay is set against it, until it is let go.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pay_group"].queryset = pay_groups_visible()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        said["currency"] = str(said.get("of_currency", "")).strip().upper()
        try:
            said["keep_minor"] = parse_money(str(said.get("keep") or "0").strip(), said["currency"])
        except MoneyError as error:
            self.add_error("keep", str(error))
        return said

    def rule(self) -> dict[str, Any]:
        """As the service takes it."""
        return {name: self.cleaned_data[name] for name in _OF_RULE}


class WriteOffForm(forms.Form):
    amount = forms.CharField(label="Amount let go", max_length=30)
    reason = forms.CharField(label="Reason", max_length=500, widget=_LINES)


class LimitsForm(forms.Form):
    """What one person may do alone, and what is too small to be paid alone, of one currency; in its units."""

    currency = forms.CharField(label="Currency", max_length=3)
    alone = forms.CharField(
        label="One person alone in 30 days", max_length=30, required=False,
        help_text="All that one preparer adjusts, credits and debits added up. Empty: always a second person.",
    )  # fmt: skip
    small = forms.CharField(
        label="Differences are kept below", max_length=30, required=False,
        help_text="Until a person's differences add up to it, the year ends or they leave. Empty: all are paid.",
    )  # fmt: skip

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).strip().upper()

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for name in ("alone", "small"):
            text = str(said.get(name) or "").strip()
            try:
                said[name] = parse_money(text, said.get("currency", "")) if text else None
            except MoneyError as error:
                self.add_error(name, str(error))
        return said


class ReachForm(forms.Form):
    periods_back = forms.IntegerField(
        label="Pay periods back", min_value=0, max_value=200, required=False, help_text="Empty: any number."
    )
    approver = forms.ChoiceField(label="Further back needs", choices=Role.choices)


class ListForm(forms.Form):
    """Filters of the list of adjustments."""

    state = forms.ChoiceField(label="State", required=False)
    kind = forms.ChoiceField(label="Kind", required=False)
    group = forms.ModelChoiceField(PayGroup.objects.none(), label="Pay group", required=False, empty_label="All")
    person = forms.CharField(label="Person", max_length=60, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        state, kind, group = (self.fields[name] for name in ("state", "kind", "group"))
        state.choices = [("", "All"), *State.choices]  # type: ignore[attr-defined]
        kind.choices = [("", "All"), *Adjustment.Kind.choices]  # type: ignore[attr-defined]
        group.queryset = pay_groups_visible()  # type: ignore[attr-defined]
