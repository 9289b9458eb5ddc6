"""The docs keep their word: examples come to what they say, fragments stand in an example, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from payouts.case import read_case
from payouts.case_report import Report
from payouts.kernel import calculate
from plans.rules.load import read_yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDE = DOCS / "plan-language-by-example.md"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "algorithms").glob("*.md"))]
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))
#: One construct a section: from its heading to the next.
SECTIONS = re.split(r"^### ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_comes_to_what_it_says(path: Path) -> None:
    case = read_case(read_yaml(path.read_text(encoding="utf-8")))
    assert case.expectations
    failures = Report(case, calculate(case.batch, traced=True)).failures()
    assert not failures, "\n".join(map(str, failures))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_what_a_construct_shows_stands_in_the_case_it_names(section: str) -> None:
    fragments = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    linked = [(GUIDE.parent / link).resolve() for link in re.findall(r"\]\(([^)]+\.yaml)\)", section)]
    assert fragments, "a construct shows how it is written"
    assert linked, "a construct names a case"
    cases = [read_yaml(path.read_text(encoding="utf-8")) for path in linked]
    for fragment in fragments:
        assert any(_holds(case, read_yaml(fragment)) for case in cases), fragment


def _holds(node: Any, part: dict[str, Any]) -> bool:
    """Whether some table within `node` has every key of `part` with an equal value."""
    if isinstance(node, dict):
        return all(key in node and node[key] == value for key, value in part.items()) or any(
            _holds(value, part) for value in node.values()
        )
    return isinstance(node, list) and any(_holds(value, part) for value in node)


def test_every_example_and_every_meaning_is_named() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert not [path.name for path in EXAMPLES if f"examples/{path.name}" not in text]
    named = {int(number) for numbers in re.findall(r"\[meaning\s+([\d,\s]+)\]", text) for number in numbers.split(",")}
    meanings = re.findall(r"^(\d+)\. \*\*", (DOCS / "plan-language.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert named == set(map(int, meanings))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        assert to.exists(), target
        if anchor:
            assert anchor in _anchors(to), target


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


COVERAGE = (DOCS / "algorithms" / "coverage.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", re.findall(r"^\| (.*\.yaml\).*) \|$", COVERAGE, flags=re.MULTILINE))
def test_the_cases_that_show_a_construct_say_its_word(row: str) -> None:
    _, words, cases = row.split(" | ")
    said = [word.rpartition(".")[2] for word in re.findall(r"`([^`]+)`", words)]
    for link in re.findall(r"\]\(([^)]+)\)", cases):
        text = (DOCS / "algorithms" / link).read_text(encoding="utf-8")
        assert any(word in text for word in said), link
