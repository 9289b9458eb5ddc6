"""The forms of plans. The editor lets people change tiers, rates, bands, bonuses and caps without touching text; what
they type goes through plans.rules.edit, and plans.rules.checks judges the whole document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory

from comp.core.errors import Problem, ProblemsError
from comp.people.models import Participant
from plans.models import Plan, PlanVersion
from plans.rules import edit
from plans.rules.checks import check, errors
from plans.rules.load import to_yaml
from plans.rules.values import SLUG, Document
from plans.selectors import document

#: What the tiers' one choice means: how a rate applies, and to whom the difference of a retroactive tier goes.
MODES = {
    "marginal": ("marginal", None),
    "running": ("retroactive", "running"),
    "proportional": ("retroactive", "proportional"),
}
MODE_WORDS = [
    ("marginal", "Each rate to its own slice"),
    ("running", "The rate reached to everything; the deal that crosses brings the difference"),
    ("proportional", "The rate reached in the end to every deal"),
]
BOUNDARY_WORDS = [("above", "the tier above"), ("below", "the tier below")]


class DateInput(forms.DateInput):
    """The browser's own date field; ISO text whatever the language."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def add_problems(form: forms.Form, error: ProblemsError) -> None:
    """Puts each problem at the field that it names, else at the top of the form."""
    for problem in error.problems:
        form.add_error(problem.path if problem.path in form.fields else None, str(problem.message))


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


TierRows = formset_factory(TierRow, extra=1, max_num=50)
BandRows = formset_factory(BandRow, extra=1, max_num=50)


class PartEditor:
    """The forms of one component. `key` and `name` as in the document; those that the component lacks are None."""

    def __init__(self, component: Document, currency: str, data: Mapping[str, Any] | None) -> None:
        self.key, self.name, self.kind = component["key"], component["name"], component["kind"]
        self.currency = currency
        tiers, bonus = component.get("tiers"), component.get("bonus")
        cap = component.get("cap") or {"amount": "", "per": "measure_period"}
        self.tiers = self.tier_rows = self.bands = self.bonus = None
        prefix = f"part-{self.key}"
        if tiers:
            mode = tiers.get("attribution") or "marginal"
            initial = {"mode": mode, "boundary": tiers["boundary"]}
            self.tiers = TiersForm(data, prefix=f"{prefix}-tiers", initial=initial)
            rows = [{"start": row["from"], "rate": row["rate"]} for row in tiers["rates"]]
            self.tier_rows = TierRows(data, prefix=f"{prefix}-rates", initial=rows)
        if "accelerator" in component:
            accelerator = component["accelerator"] or {"boundary": "above", "bands": []}
            self.band_side = accelerator["boundary"]
            rows = [{"start": row["from"], "rate": row["times"]} for row in accelerator["bands"]]
            self.bands = BandRows(data, prefix=f"{prefix}-bands", initial=rows)
        if bonus:
            self.bonus = BonusForm(bonus["per"], data, prefix=f"{prefix}-bonus", initial=bonus)
        self.cap = CapForm(data, prefix=f"{prefix}-cap", initial=cap)

    @property
    def forms(self) -> Iterable[forms.Form | BaseFormSet[Any]]:
        return [form for form in (self.tiers, self.tier_rows, self.bands, self.bonus, self.cap) if form is not None]

    def apply(self, found: Document) -> Document:
        """The document with this component as typed. All forms are valid."""
        if self.tiers is not None and self.tier_rows is not None:
            mode, attribution = MODES[self.tiers.cleaned_data["mode"]]
            found = edit.set_mode(found, self.key, mode, attribution)
            found = edit.set_tiers(found, self.key, _rows(self.tier_rows), boundary=self.tiers.cleaned_data["boundary"])
        if self.bands is not None:
            found = edit.set_bands(found, self.key, _rows(self.bands), boundary=self.band_side)
        if self.bonus is not None:
            more = {name: self.bonus.cleaned_data[name] or None for name in self.bonus.fields if name != "amount"}
            found = edit.set_bonus(found, self.key, self.bonus.cleaned_data["amount"], **more)
        cap = self.cap.cleaned_data
        return edit.set_cap(found, self.key, cap["amount"] or None, per=cap["per"])


class VersionEditor:
    """All forms of a version, bound to what was typed or filled with what stands.

    `more` in the data names the rows that get another blank one. `problems` (after `is_valid` or `typed`) are the
    errors of the document as typed.
    """

    def __init__(self, version: PlanVersion, data: Mapping[str, Any] | None = None, **initial: Any) -> None:
        self.version = version
        self.before = document(version)
        if data is not None and data.get("more"):
            data = _one_more(data, str(data["more"]))
        dates = {"starts_on": version.starts_on, "ends_on": version.ends_on, "note": version.note, **initial}
        self.dates = DatesForm(data, initial=dates)
        self.parts = [PartEditor(part, self.before["currency"], data) for part in self.before["components"]]
        self.problems: list[Problem] = []

    def is_valid(self) -> bool:
        return self.dates.is_valid() and bool(self.typed) and not self.problems

    @cached_property
    def typed(self) -> Document:
        """The document as typed, whatever is wrong with it; fills `problems`."""
        found = self.before
        for part in self.parts:
            if all(form.is_valid() for form in part.forms):
                found = part.apply(found)
            else:
                message = f"{part.name}: a choice or a text is not one of the form's; load the page again."
                self.problems.append(Problem(f"components[{part.key}]", "another value", "the form's values", message))
        self.problems += errors(check(found))
        return found

    def text(self) -> str:
        """The document as typed, as YAML for the services."""
        return to_yaml(self.typed)


def _rows(rows: BaseFormSet[Any]) -> list[edit.Row]:
    typed = [(row["start"], row["rate"]) for row in rows.cleaned_data if row]
    return [(start, rate) for start, rate in typed if start or rate]


def _one_more(data: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
    copied = data.copy()  # type: ignore[attr-defined]
    name = f"{prefix}-TOTAL_FORMS"
    if str(copied.get(name, "")).isdigit():
        copied[name] = str(int(copied[name]) + 1)
    return copied


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

    def __init__(self, library: Iterable[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["participant"].queryset = Participant.objects.order_by("name")  # type: ignore[attr-defined]
