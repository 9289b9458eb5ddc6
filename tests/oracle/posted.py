"""Generated lines that batches took of budgets: of those that the case comes to without them, some, by what they would
earn, and by what they would not."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.book import component_in
from tests.oracle.case import Case, LineFact, Posted
from tests.oracle.meaning import meaning
from tests.oracle.pick import Pick
from tests.oracle.reading import OutsideCalendar


def with_posted(pick: Pick, case: Case) -> Case:
    """The case with some lines posted; as it is where no budget keeps anything, or nothing is posted."""
    if not any(keeps(case, place, row["key"]) for place, row in components(case)) or not pick.has("posted", 2):
        return case
    try:
        lines = [line for line in meaning(case).lines if keeps(case, line.version, line.group.component)]
    except OutsideCalendar:
        return case
    found: dict[Posted, Posted] = {}
    for line in lines:
        if line.kind in ("credit", "period", "carry") and pick.one((True, False)):
            row = posted(pick, line)
            found.setdefault(replace(row, version=0, earned=0), row)
    return replace(case, posted=tuple(found.values()))


def components(case: Case) -> list[tuple[int, dict[str, str]]]:
    return [(place, row) for place, version in enumerate(case.versions) for row in version.document["components"]]


def keeps(case: Case, version: int, key: str) -> bool:
    component = component_in(case.versions[version].document, key)
    return component is not None and component.get("budget", {}).get("after_posting") == "keep"


def posted(pick: Pick, line: LineFact) -> Posted:
    earned = pick.one((line.earned, line.rounded, line.earned // 2, line.rounded + 1, 0, -line.rounded, 10**12, 1))
    whose = (line.group.person, line.version, line.group.component, line.kind)
    if line.credit is None:
        return Posted(*whose, None, 0, line.day, line.group.every.split()[0], "", earned)
    credit = line.credit
    return Posted(*whose, credit.fact, credit.split, None, credit.rule, credit.role, earned)
