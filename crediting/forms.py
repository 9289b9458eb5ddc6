"""The forms that answer a question of the inbox, and that a file is uploaded by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.text import slugify

from crediting.intake.files import KINDS
from crediting.models import HookEndpoint
from crediting.selectors import Candidate


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
        label="File", help_text="CSV of at most 100 MB and 1,000,000 rows, or XLSX of at most 32 MB."
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
