"""The form that answers a question of the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

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
