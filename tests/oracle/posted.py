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
    keys = [
        (place, row["key"]) for place, version in enumerate(case.versions) for row in version.document["components"]
    ]
    if not any(has_keeping(case, *each) for each in keys) or not pick.has("posted", 2):
        return case
    try:
        lines = meaning(case).lines
    except OutsideCalendar:
        return case
    found: dict[Posted, Posted] = {}
    for line in lines:
        if keeps(case, line) and pick.one((True, False)):
            amounts = (line.earned, line.rounded, line.earned // 2, line.rounded + 1, 0, -line.rounded, 10**12, 1)
            row = named(line, pick.one(amounts))
            found.setdefault(replace(row, version=0, earned=0), row)
    return replace(case, posted=tuple(found.values()))


def keeps(case: Case, line: LineFact) -> bool:
    """May the line keep what was posted of it?"""
    return line.kind in ("credit", "period", "carry") and has_keeping(case, line.version, line.group.component)


def has_keeping(case: Case, version: int, key: str) -> bool:
    component = component_in(case.versions[version].document, key)
    return component is not None and component.get("budget", {}).get("after_posting") == "keep"


def named(line: LineFact, earned: int) -> Posted:
    """The line as a batch names it, with what it earned."""
    whose = (line.group.person, line.version, line.group.component, line.kind)
    if line.credit is None:
        return Posted(*whose, None, 0, line.day, line.group.every.split()[0], "", earned)
    credit = line.credit
    return Posted(*whose, credit.fact, credit.split, None, credit.rule, credit.role, earned)
