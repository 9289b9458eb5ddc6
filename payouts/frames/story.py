"""The whole story of one line that scalars beside it cannot tell: worked out again, traced, for its person alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from comp.core.days import day_number
from comp.people.models import Participant
from crediting.kernel.conditions import Mask
from crediting.selectors import KIND_WORDS
from payouts.frames.figures import figures
from payouts.frames.read import calendars, enclosing, read_batch, read_versions
from payouts.frames.sql import Words
from payouts.frames.tables import LINE
from payouts.kernel import calculate
from payouts.kernel.batch import Facts
from payouts.kernel.explain import Names, Step, explain
from payouts.models import Earning


def line_story(earning: Earning, role_names: Mapping[str, str]) -> list[Step] | None:
    """The steps to a line, None where it no longer stands as it is stored: it is being worked in."""
    versions = read_versions()
    calendar = calendars()[earning.participant.pay_group_id]
    start, end = enclosing(calendar, versions.every(), day_number(earning.credit_date))
    people = [earning.participant_id]
    source = read_batch(calendar=calendar, versions=versions, start=start, end=end, participants=people)
    result = calculate(source.batch, traced=True)
    stands = figures(result, source, {earning.participant_id: earning.participant.pay_group_id}).earnings
    mine = np.ones(result.lines.group.size, dtype=bool)
    for name in (*LINE, "plan_version_id", "earned_minor"):
        mine &= _is(stands[name], getattr(earning, name))
    if not mine.any():
        return None
    names = Names(
        lambda person: Participant.objects.get(pk=person).name,
        lambda row: _called(source.batch.facts, row),
        lambda key: role_names.get(key, key),
    )
    return explain(source.batch, result, int(np.flatnonzero(mine)[0]), names)


def _called(facts: Facts, row: int) -> str:
    """`The deal`, `The unpaid invoice`."""
    kind = facts.kind.vocabulary[facts.kind.codes[row]] if facts.kind is not None else "deal"
    return f"The {KIND_WORDS.get(kind, kind)}"


def _is(column: Any, value: Any) -> Mask:
    """Which rows of a column hold a value of the table."""
    if isinstance(column, Words):
        found: Mask = column.codes == (column.words.index(value) if value in column.words else -1)
        return found
    number = day_number(value) if isinstance(value, date) else value
    found = column == number
    return found
