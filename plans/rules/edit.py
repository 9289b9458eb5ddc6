"""Edits of a plan document as a form makes them. Each takes the values as they were typed and returns a new document in
normal form; `check` says what is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from comp.core.errors import Problem, ProblemsError
from plans.rules.normal import normalise
from plans.rules.values import Document

#: (lower bound, rate) or (lower bound, factor), as typed.
Row = tuple[str, str]


def set_tiers(document: Document, component_key: str, rates: Sequence[Row], *, boundary: str | None = None) -> Document:
    """New tiers for a commission, with its mode kept."""
    edited, component = _component(document, component_key, "tiers")
    tiers = component["tiers"]
    tiers["rates"] = [{"from": start, "rate": rate} for start, rate in rates]
    if boundary is not None:
        tiers["boundary"] = boundary
    return _normal(edited)


def set_mode(document: Document, component_key: str, mode: str, attribution: str | None = None) -> Document:
    """Marginal or retroactive tiers; `attribution` belongs to retroactive ones."""
    edited, component = _component(document, component_key, "tiers")
    component["tiers"]["mode"] = mode
    component["tiers"]["attribution"] = attribution
    return _normal(edited)


def set_bands(document: Document, component_key: str, bands: Sequence[Row], *, boundary: str = "above") -> Document:
    """New bands for the accelerator; without any there is none."""
    edited, component = _component(document, component_key, "accelerator")
    rows = [{"from": start, "times": times} for start, times in bands]
    component["accelerator"] = {"boundary": boundary, "bands": rows} if rows else None
    return _normal(edited)


def set_bonus(document: Document, component_key: str, amount: str, **more: str | None) -> Document:
    """A new amount for a bonus; `more` may set or clear `min_deal`, `at` and `boundary`."""
    edited, component = _component(document, component_key, "bonus")
    component["bonus"].update({"amount": amount, **more})
    return _normal(edited)


def set_cap(document: Document, component_key: str, amount: str | None, *, per: str = "measure_period") -> Document:
    """A cap of `amount`, or none."""
    edited, component = _component(document, component_key, "cap")
    component["cap"] = None if amount is None else {"amount": amount, "per": per, "excess": "lost"}
    return _normal(edited)


def _component(document: Document, key: str, part: str) -> tuple[Document, Document]:
    """A copy of the document, and in it the component, which has to have the part."""
    edited: Document = copy.deepcopy(document)
    components = [row for row in edited.get("components") or [] if isinstance(row, dict)]
    having = [row for row in components if part in row and (row[part] is None or isinstance(row[part], dict))]
    for component in having:
        if component.get("key") == key:
            if part in ("tiers", "bonus") and component[part] is None:
                break
            return edited, component
    names = ", ".join(str(row.get("key")) for row in having) or "none"
    message = f"There is no component {key} with {part}; components with {part}: {names}."
    raise ProblemsError([Problem("components", key, names, message)])


def _normal(document: Document) -> Document:
    result: Document = normalise(document)
    return result
