"""Changing tiers, rates, bands, bonuses and caps without touching text. What is typed goes through plans.rules.edit,
and plans.rules.checks judges the whole document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory

from comp.core.errors import Problem
from plans import services
from plans.forms import BandRow, BonusForm, CapForm, DatesForm, TierRow, TiersForm
from plans.models import PlanVersion
from plans.rules import edit
from plans.rules.checks import check, errors
from plans.rules.load import to_yaml
from plans.rules.phrases import both, named
from plans.rules.values import Document
from plans.selectors import document

#: What the tiers' one choice means: how a rate applies, and to whom the difference of a retroactive tier goes.
MODES = {
    "marginal": ("marginal", None),
    "running": ("retroactive", "running"),
    "proportional": ("retroactive", "proportional"),
}
#: What a component may have that is edited as text, in the order of the document.
AS_TEXT = (
    "ramp", "table", "curve", "scorecard", "pool", "rank", "modifiers", "kickers", "limits", "minimum", "caps",
    "budget", "gates", "clawback", "amortise",
)  # fmt: skip
TierRows = formset_factory(TierRow, extra=1, max_num=50)
BandRows = formset_factory(BandRow, extra=1, max_num=50)


class PartEditor:
    """The forms of one component. `key` and `name` as in the document; those that the component lacks are None."""

    def __init__(self, component: Document, currency: str, data: Mapping[str, Any] | None) -> None:
        self.key, self.name, self.kind = component["key"], component["name"], component["kind"]
        self.currency = currency
        tiers, bonus = component.get("tiers"), component.get("bonus")
        cap = component.get("cap") or {"amount": "", "per": "measure_period"}
        self.tiers = self.tier_rows = self.bands = self.bonus = self.cap = None
        self.as_text = [named(key) for key in AS_TEXT if component.get(key)]
        if tiers and not _plain(tiers):
            self.as_text.insert(0, "tiers")
            tiers = None
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
        if "cap" in component:
            self.cap = CapForm(data, prefix=f"{prefix}-cap", initial=cap)

    @property
    def pieces(self) -> Iterable[forms.Form | BaseFormSet[Any]]:
        return [form for form in (self.tiers, self.tier_rows, self.bands, self.bonus, self.cap) if form is not None]

    @property
    def all_forms(self) -> list[forms.Form]:
        """The single forms, those of the rows too."""
        single: list[forms.Form] = []
        for form in self.pieces:
            single += list(form) if isinstance(form, BaseFormSet) else [form]
        return single

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
        if self.cap is not None:
            cap = self.cap.cleaned_data
            found = edit.set_cap(found, self.key, cap["amount"] or None, per=cap["per"])
        return found

    @property
    def told_as_text(self) -> str:
        """`Tiers, gates and caps`: what no form here changes; empty where there is none."""
        words = both(self.as_text) if self.as_text else ""
        return words[:1].upper() + words[1:]


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
            if all(form.is_valid() for form in part.pieces):
                found = part.apply(found)
            else:
                message = f"{part.name}: a choice or a text is not one of the form's; load the page again."
                self.problems.append(Problem(f"components[{part.key}]", "another value", "the form's values", message))
        self.problems += errors(check(found))
        return found

    @property
    def told(self) -> list[str]:
        """The problems in words, each with the name of its component."""
        names = {f"components[{place}]": part.name for place, part in enumerate(self.parts)}
        return [f"{names.get(row.path.split('.')[0], row.path)}: {row.message}" for row in self.problems]

    def text(self) -> str:
        """The document as typed, as YAML for the services."""
        return to_yaml(self.typed)


def _plain(tiers: Document) -> bool:
    """Whether the form's rows hold all that these tiers say: a percentage from each share of quota on."""
    by_quota = tiers.get("axis", "attainment") == "attainment" and tiers.get("pays", "rate") == "rate"
    return by_quota and tiers["mode"] in ("marginal", "retroactive") and "columns" not in tiers


def _rows(rows: BaseFormSet[Any]) -> list[edit.Row]:
    typed = [(row["start"], row["rate"]) for row in rows.cleaned_data if row]
    return [(start, rate) for start, rate in typed if start or rate]


def _one_more(data: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
    copied = data.copy()  # type: ignore[attr-defined]
    name = f"{prefix}-TOTAL_FORMS"
    if str(copied.get(name, "")).isdigit():
        copied[name] = str(int(copied[name]) + 1)
    return copied


def save_edited(editor: VersionEditor, user: Any) -> PlanVersion:
    """Keeps what a valid editor holds, as prepared by a user: in the draft itself, else in a new one."""
    dates = editor.dates.cleaned_data
    if editor.version.state == PlanVersion.State.DRAFT:
        return services.version_update(version=editor.version, text=editor.text(), prepared_by=user, **dates)
    return services.version_draft(plan=editor.version.plan, text=editor.text(), prepared_by=user, **dates)
