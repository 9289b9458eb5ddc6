"""Each word that a plan may say has a worked example: the words of docs/plan.schema.json against tests/plans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plans.rules.load import read_yaml
from plans.rules.schema import plan_schema

CASES = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
#: A place in a document, without the numbers of rows, and a word that stands there.
Setting = tuple[str, str]


def allowed(form: dict[str, Any], defs: dict[str, Any], path: str = "") -> Iterator[Setting]:
    """All words and flags of a form; conditions have tests of their own."""
    reference = str(form.get("$ref", ""))
    if reference.endswith("/condition"):
        return
    if reference:
        yield from allowed(defs[reference.rpartition("/")[2]], defs, path)
    yield from ((path, str(word)) for word in form.get("enum", ()))
    if form.get("type") == "boolean":
        yield from ((path, str(flag)) for flag in (True, False))
    for each in (*form.get("anyOf", ()), *form.get("allOf", ()), *([form["items"]] if "items" in form else ())):
        yield from allowed(each, defs, path)
    for key, each in form.get("properties", {}).items():
        if isinstance(each, dict):
            yield from allowed(each, defs, f"{path}.{key}".lstrip("."))


def said(value: Any, path: str = "") -> Iterator[Setting]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from said(each, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for each in value:
            yield from said(each, path)
    else:
        yield path, str(value)


def plans_of(path: Path) -> Iterator[Any]:
    document = read_yaml(path.read_text(encoding="utf-8"))
    yield from [document["plan"]] if "plan" in document else [row["document"] for row in document["plans"]]


def test_every_setting_has_a_worked_example() -> None:
    form = plan_schema()
    wanted = set(allowed(form, form["$defs"]))
    found = {setting for path in CASES for plan in plans_of(path) for setting in said(plan)}
    assert len(wanted) > 200
    assert sorted(wanted - found) == []
