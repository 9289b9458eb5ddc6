"""The forms of plans, their people and quotas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from comp.people.models import Participant
from comp.web.forms import DateInput as DateInput
from comp.web.forms import add_problems as add_problems
from plans.models import Plan, Quota
from plans.rules.values import SLUG

MODE_WORDS = [
    ("marginal", "Each rate to its own slice"),
    ("running", "The rate reached to everything; the deal that crosses brings the difference"),
    ("proportional", "The rate reached in the end to every deal"),
]
BOUNDARY_WORDS = [("above", "the tier above"), ("below", "the tier below")]


class TextField(forms.CharField):
    """A short text as typed, optional; the document's check says what is wrong with it."""

    def __init__(self, label: str, help_text: str = "", percent: bool = False) -> None:
        super().__init__(label=label, help_text=help_text, required=False, max_length=40)
        self.percent = percent
        self.widget.attrs["autocomplete"] = "off"

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "").strip()
        # 12 in a field for percent means 12%.
        plain = text.removeprefix("-").replace(".", "", 1)
        return f"{text}%" if self.percent and plain.isascii() and plain.isdigit() else text


class DatesForm(forms.Form):
    """From when to when a version holds, and why it is."""

    starts_on = forms.DateField(label="In force from", widget=DateInput)
    ends_on = forms.DateField(
        label="Until",
        widget=DateInput,
        required=False,
        help_text="The first day after it. Empty: until it is replaced.",
    )
    note = forms.CharField(label="Why, in a sentence", widget=forms.Textarea(attrs={"rows": 2}), max_length=500)


class TiersForm(forms.Form):
    mode = forms.ChoiceField(label="How the rates apply", choices=MODE_WORDS)
    boundary = forms.ChoiceField(label="Exactly on a bound belongs to", choices=BOUNDARY_WORDS)


class TierRow(forms.Form):
    start = TextField("From this share of quota", percent=True)
    rate = TextField("Rate", percent=True)


class BandRow(forms.Form):
    start = TextField("Deals from")
    rate = TextField("Times")


class BonusForm(forms.Form):
    amount = TextField("Bonus")
    min_deal = TextField("For deals of at least")
    at = TextField("Once this share of quota is reached", percent=True)

    def __init__(self, per: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["at" if per == "credit" else "min_deal"]


class CapForm(forms.Form):
    amount = TextField("At most", "Empty: no cap.")
    per = forms.ChoiceField(label="in each", choices=[("measure_period", "measure period"), ("deal", "deal")])


class ImportForm(DatesForm):
    """YAML pasted or uploaded."""

    text = forms.CharField(
        label="Plan text",
        required=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "code"}),
    )
    file = forms.FileField(label="Or a file", required=False, help_text="YAML, at most 256 KiB. It is read instead.")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("file"):
            try:
                values["text"] = values["file"].read(1_000_000).decode()
            except UnicodeDecodeError:
                self.add_error("file", "This file is not text in UTF-8.")
        elif not values.get("text"):
            self.add_error("text", "Paste the plan's text, or choose a file.")
        return values


class PlanForm(forms.Form):
    """A new plan, from one of the library's."""

    name = forms.CharField(label="Name", max_length=120, help_text="As representatives will read it.")
    key = forms.CharField(
        label="Key", max_length=50, help_text="For texts and files, for good: small letters, digits, dashes."
    )
    start = forms.ChoiceField(label="Start from", help_text="A plan of the library, to be changed as you like.")
    starts_on = forms.DateField(label="In force from", widget=DateInput)

    def __init__(self, library: Iterable[tuple[str, Any]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start"].choices = list(library)  # type: ignore[attr-defined]

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not SLUG.fullmatch(key):
            raise forms.ValidationError("Small letters and digits, joined by dashes or underscores.")
        return key


class AssignmentForm(forms.Form):
    """Puts a participant on a plan."""

    participant = forms.ModelChoiceField(Participant.objects.none(), label="Person")
    plan = forms.ModelChoiceField(Plan.objects.none(), label="Plan")
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(
        label="Until", widget=DateInput, required=False, help_text="The first day that is not on the plan any more."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["participant"].queryset = Participant.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["plan"].queryset = Plan.objects.order_by("name")  # type: ignore[attr-defined]


class EndForm(forms.Form):
    """When an assignment ends."""

    ends_on = forms.DateField(
        label="Ends on", widget=DateInput, required=False, help_text="The first day not on the plan. Empty: open again."
    )


class QuotaForm(forms.Form):
    """A person's quota for one measure period."""

    participant = forms.ModelChoiceField(Participant.objects.none(), label="Person")
    key = forms.CharField(label="Quota", max_length=50, help_text="As the plan names it, like new-business.")
    starts_on = forms.DateField(label="From", widget=DateInput)
    ends_on = forms.DateField(label="Until", widget=DateInput, help_text="The first day after the period.")
    amount = forms.CharField(label="Amount", max_length=24, help_text="Plain digits with a point, like 120000.00.")
    unit = forms.ChoiceField(
        label="In", choices=Quota.Unit.choices, initial=Quota.Unit.MONEY,
        help_text="What the plan measures: money, or a number of units, days or whatever else it counts.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["participant"].queryset = Participant.objects.order_by("name")  # type: ignore[attr-defined]
