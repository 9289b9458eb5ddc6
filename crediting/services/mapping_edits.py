"""Small changes of a field mapping, as people make them one by one: a word's meaning, a field of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from comp.core.errors import refused


def mapping_text(document: Mapping[str, Any]) -> str:
    """A mapping as people edit it."""
    return str(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=110))


def value_add(document: dict[str, Any], *, object: str, name: str, word: str, meaning: str) -> None:
    """What a word of the source's means in one of our fields. Raises ProblemsError where no such field is mapped."""
    for rules in _of(document, object):
        rule = rules["event"] if name == "event" else rules["fields"].get(name)
        if isinstance(rule, dict) and "from" in rule:
            rule["values"] = {**rule.get("values", {}), word: meaning}
            return
    raise refused("name", name, "a field that is read from the source", f"{object} has no field {name} that is read.")


def field_add(document: dict[str, Any], *, object: str, name: str, source: str, reading: str) -> None:
    """A company's own field, read from one of the source's; empty where the source has none."""
    for rules in _of(document, object):
        rules["fields"][f"custom.{name}"] = {"from": source, "as": reading, "missing": "empty"}


def _of(document: dict[str, Any], object: str) -> list[dict[str, Any]]:
    found = [rules for rules in document["records"] if rules["object"] == object]
    if not found:
        allowed = ", ".join(dict.fromkeys(rules["object"] for rules in document["records"]))
        raise refused("object", object, allowed, f"The mapping has no object {object}; it has {allowed}.")
    return found
