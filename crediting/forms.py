"""Forms: the answer to a question of the inbox, a file that is uploaded, endpoints and their field mappings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.text import slugify

from comp.core.sheets import CSV_BYTES
from comp.people.models import CreditRole, Participant
from comp.web.forms import DateInput
from crediting.intake.files import KINDS
from crediting.models import HookEndpoint
from crediting.selectors import Candidate
from crediting.services.endpoints import PEOPLE_BY


class TargetForm(forms.Form):
    """What a word means: one of the candidates, the closest in spelling first and chosen already."""

    target = forms.ChoiceField(label="It means")

    def __init__(self, *args: Any, found: Sequence[Candidate], near: Sequence[Candidate], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [(one.key, one.label) for one in found if one not in near]
        choices: list[Any] = [("", "Choose…")]
        if near:
            choices.append(("Closest in spelling", [(one.key, one.label) for one in near]))
            self.initial["target"] = near[0].key
        choices.append(("All others" if near else "All", others))
        field = self.fields["target"]
        field.choices = choices  # type: ignore[attr-defined]


class SectorForm(forms.Form):
    """What a sector means: a known one, or itself where it is new."""

    target = forms.CharField(
        label="It means",
        max_length=80,
        widget=forms.TextInput(attrs={"list": "sectors", "autocomplete": "off"}),
        help_text="A sector that is known, or this one as it is written if it is right and new.",
    )


#: Chosen where files shall come in under a name of their own.
NEW_ENDPOINT = "new"


class UploadForm(forms.Form):
    """A file of facts: what it holds and whose it is."""

    file = forms.FileField(
        label="File",
        help_text="CSV of at most 100 MB and 1,000,000 rows, or XLSX of at most 32 MB.",
        widget=forms.FileInput(attrs={"data-most": CSV_BYTES}),
    )
    event = forms.ChoiceField(label="It holds", choices=list(KINDS.items()))
    endpoint = forms.ChoiceField(
        label="It belongs to",
        help_text="Rows with the same id under the same name are about the same thing, and replace what stands.",
    )
    name = forms.CharField(label="Name, where it is new", max_length=50, required=False)
    deals_from = forms.ModelChoiceField(
        HookEndpoint.objects.none(),
        label="Its deals come from",
        required=False,
        empty_label="Files of this name",
        help_text="Where it is new: whose deals its invoices, receipts or milestones are about.",
    )

    def __init__(self, *args: Any, endpoints: QuerySet[HookEndpoint], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(one.pk), one.name) for one in endpoints]
        self.fields["endpoint"].choices = [*choices, (NEW_ENDPOINT, "A new name")]  # type: ignore[attr-defined]
        self.fields["deals_from"].queryset = HookEndpoint.objects.order_by("name")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("endpoint") == NEW_ENDPOINT and not slugify(data.get("name", "")):
            self.add_error("name", "Say what its facts are called here, such as Billing or Old CRM.")
        return data


class EndpointForm(forms.Form):
    """A new address for a system."""

    name = forms.CharField(label="Name", max_length=120, help_text="As people call the system: Sales CRM, Billing.")
    key = forms.SlugField(label="Short name", max_length=50, help_text="Lower case, for reports: crm, billing.")
    adapter = forms.ChoiceField(label="Source")
    deals_from = forms.ModelChoiceField(
        HookEndpoint.objects.none(),
        label="Its facts belong to the deals of",
        required=False,
        empty_label="its own deals",
    )
    secret = forms.CharField(
        label="The source's own secret",
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Where the source gives one (HubSpot, Stripe, Segment; Salesforce: the organization's id). It is "
        "kept encrypted. Left empty, Comp makes one and shows it once.",
    )

    def __init__(self, *args: Any, sources: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["adapter"].choices = sources  # type: ignore[attr-defined]
        self.fields["deals_from"].queryset = HookEndpoint.objects.order_by("name")  # type: ignore[attr-defined]


class EndpointSettingsForm(forms.Form):
    """What may be changed of an endpoint."""

    name = forms.CharField(label="Name", max_length=120)
    rate_limit = forms.IntegerField(
        label="Calls a minute, at most", min_value=1, help_text="More are answered 429, with when to try again."
    )
    deals_from = forms.ModelChoiceField(
        HookEndpoint.objects.none(),
        label="Its facts belong to the deals of",
        required=False,
        empty_label="its own deals",
    )
    active = forms.BooleanField(label="Takes deliveries", required=False)
    carries_people = forms.BooleanField(
        label="May say who works here",
        required=False,
        help_text="Joiners, movers, leavers, managers and targets. Whoever has its secret can then move pay.",
    )

    aligned_roles = forms.MultipleChoiceField(
        label="By territory",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Where a deal names nobody for these roles, the alignment says whose it is. From the next events on.",
    )

    def __init__(self, *args: Any, endpoint: HookEndpoint, may_people: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = list(CreditRole.objects.order_by("name").values_list("key", "name"))
        self.fields["aligned_roles"].choices = roles  # type: ignore[attr-defined]
        # Both say whose deals are whose, and so move pay.
        if not may_people or endpoint.adapter != PEOPLE_BY:
            del self.fields["carries_people"]
        if not may_people:
            del self.fields["aligned_roles"]
        others = HookEndpoint.objects.exclude(pk=endpoint.pk).order_by("name")
        self.fields["deals_from"].queryset = others  # type: ignore[attr-defined]


class TransferForm(forms.Form):
    """A deal handed on: what one has of it in a role, from a day on another's."""

    held = forms.ChoiceField(label="What goes over")
    receiver = forms.ModelChoiceField(Participant.objects.none(), label="To")
    day = forms.DateField(label="On", widget=DateInput, help_text="Of several, the earlier one acts first.")
    reason = forms.CharField(label="Why", max_length=200)

    def __init__(self, *args: Any, held: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["held"].choices = held  # type: ignore[attr-defined]
        self.fields["receiver"].queryset = Participant.objects.order_by("name")  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why something is taken back."""

    reason = forms.CharField(label="Why", max_length=200)


class ValueForm(forms.Form):
    """What a word of the source's means in one of our fields."""

    object = forms.CharField(label="Object", max_length=200)
    name = forms.CharField(label="Our field", max_length=80, initial="stage")
    word = forms.CharField(label="Their word", max_length=200)
    meaning = forms.CharField(label="Means", max_length=200)


class CustomFieldForm(forms.Form):
    """A field of the company's own, from one of the source's."""

    object = forms.CharField(label="Object", max_length=200)
    name = forms.RegexField(
        r"^[a-z][a-z0-9_]{0,62}$", label="Name here", help_text="Lower case; plans call it custom.name."
    )
    source = forms.CharField(label="Their field", max_length=200)
    reading = forms.ChoiceField(
        label="Written as", choices=[(one, one) for one in ("text", "decimal", "number", "boolean", "date")]
    )
