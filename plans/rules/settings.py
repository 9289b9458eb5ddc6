"""What overrides set: paths into the components of a document, and the document with their values in place.

A path is `components.KEY` and then keys, by dots; a row of a list is named by its `key` where it has one, else by its
number from 0: `components.commission.tiers.rates.0.rate`.
"""

from __future__ import annotations

import copy
from difflib import get_close_matches
from typing import Any

from plans.rules.about import about
from plans.rules.forms import table_of, tables_of
from plans.rules.language import COMPONENT
from plans.rules.look import listed, shown
from plans.rules.values import Document

#: What every version of a component has in common: it is the same component, counting the same.
FIXED = ("key", "kind", "credits", "reads", "measure", "order")


class PathError(Exception):
    """A path leads nowhere; the message is a sentence that says where it ends and what stands there."""


def apply(document: Document, settings: Document) -> Document:
    """A copy of the document with every value set. Raises `PathError`."""
    patched: Document = copy.deepcopy(document)
    for path, value in settings.items():
        holder, key = _find(patched, path)
        holder[key] = copy.deepcopy(value)
    return patched


def with_settings(document: Document, settings: Document) -> Document:
    """The document, without its overrides and examples, as it stands with some settings, its components in normal form.
    Raises `PathError`."""
    patched = apply({key: item for key, item in document.items() if key not in ("overrides", "examples")}, settings)
    known = about(patched)
    patched["components"] = [COMPONENT.normal(row, known) for row in patched["components"]]
    return patched


def normal_settings(document: Document) -> None:
    """Bring the values of all overrides into the normal form that they have where they are set."""
    for override in tables_of(document.get("overrides")):
        settings = override.get("set")
        if not isinstance(settings, dict) or not settings:
            continue
        try:
            patched = with_settings(document, settings)
            for path in settings:
                holder, key = _find(patched, path)
                # An optional key that is set to nothing goes where it stands; here the null is what takes it away.
                settings[path] = holder[key] if isinstance(holder, list) else holder.get(key)
        except PathError:
            continue  # told by check


def _find(document: Document, path: str) -> tuple[Any, Any]:
    """The table or list that holds what a path names, and its key or number there. The last key may be new."""
    parts = path.split(".")
    if parts[0] != "components" or len(parts) < 3:
        raise PathError("A path begins with components, the key of one, and what it changes there.")
    if parts[2] in FIXED:
        raise PathError(f"`{parts[2]}` is the same for everybody: an override leaves {listed(FIXED)} as they are.")
    value: Any = document.get("components")
    place: Any = None
    for depth, part in enumerate(parts):
        if depth == 0:
            continue
        if depth > 1:
            value = value[place]
        if isinstance(value, list):
            place = _row(value, part, ".".join(parts[:depth]))
        elif isinstance(value, dict):
            if part not in value and depth < len(parts) - 1:
                raise PathError(_nowhere(part, [str(key) for key in value], ".".join(parts[:depth])))
            place = part
        else:
            raise PathError(f"{'.'.join(parts[:depth])} is {shown(value)}; nothing stands below it.")
    return value, place


def _row(rows: list[Any], part: str, path: str) -> int:
    keys = [table_of(row).get("key") for row in rows]
    if part in keys:
        return keys.index(part)
    if part.isdigit() and part.isascii() and len(part) < 4 and int(part) < len(rows):
        return int(part)
    names = [str(key) for key in keys if key is not None] or [str(number) for number in range(len(rows))]
    raise PathError(_nowhere(part, names, path))


def _nowhere(part: str, names: list[str], path: str) -> str:
    near = get_close_matches(part, names, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}." if names else ""
    return f"There is no {part} in {path}. {hint}".rstrip()
