"""Plans that a case file names: one of the library, or another file, in place of the document itself."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from comp.core.errors import Problem, ProblemsError
from plans import rules
from plans.rules.load import read_yaml

#: The plans that come with Comp, one a file.
LIBRARY = Path(rules.__file__).parent / "library"


def with_named_plans(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The case with each `{library: KEY}` and `{file: PATH}` (from the case's folder) replaced by the plan. Raises
    `ProblemsError` where there is no such plan."""
    found = dict(document)
    if _is_named(found.get("plan")):
        found["plan"] = _named(found["plan"], "plan", folder)
    if isinstance(found.get("plans"), list):
        found["plans"] = [
            {**row, "document": _named(row["document"], f"plans[{place}].document", folder)}
            if isinstance(row, dict) and _is_named(row.get("document"))
            else row
            for place, row in enumerate(found["plans"])
        ]
    return found


def _is_named(plan: Any) -> bool:
    return isinstance(plan, dict) and len(plan) == 1 and next(iter(plan)) in ("library", "file")


def _named(plan: dict[str, Any], path: str, folder: Path) -> dict[str, Any]:
    ((how, name),) = plan.items()
    kept = {each.stem: each for each in sorted(LIBRARY.glob("*.yaml"))}
    file = kept.get(str(name)) if how == "library" else folder / str(name)
    try:
        if file is None:
            raise FileNotFoundError
        return read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        allowed = ", ".join(kept) if how == "library" else "a file with a plan, from the folder of the case"
        near = get_close_matches(str(name), kept, 1) if how == "library" else []
        hint = f" Did you mean {near[0]}?" if near else ""
        message = f"There is no plan {name!r} to read; allowed: {allowed}.{hint}"
        raise ProblemsError([Problem(f"{path}.{how}", str(name), allowed, message)]) from None
    except ProblemsError as error:
        inside = [
            Problem(f"{path}.{how}", each.found, each.allowed, f"{name}: {each}", each.severity)
            for each in error.problems
        ]
        raise ProblemsError(inside) from None
