"""What batches took of budgets before, in a case file: lines that keep it. See docs/algorithms/case-files.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from payouts.case_openings import version_of
from payouts.case_tables import columns, text
from payouts.kernel.batch import OF_CREDIT, OF_PERIOD, Kept, Teams
from payouts.kernel.kept import rhythm
from plans.rules.compiled import CompiledPlan, Component
from plans.rules.look import join
from plans.rules.values import Document

if TYPE_CHECKING:
    from payouts.case import Reader, Version

KEY = "posted"


def posted(reader: Reader, versions: Sequence[Version], teams: Teams) -> Kept | None:
    """`{person, component, deal, earned: 1.00, on: DATE}`: what a batch of that day took of the line of a deal (or of
    another fact); `day`, the last one, in place of `deal` for a line of a period. `plan`, `role` and `rule` where there
    are several. `had`: what it kept until a batch of that day took others of the budget, when it had come to
    `earned`."""
    rows: list[tuple[int, ...]] = []
    words: list[tuple[str, str, str]] = []
    for path, row in reader.rows(KEY, reader.document):
        optional = ("deal", "day", "plan", "role", "rule", "had")
        table = reader.look.table(row, path, ("person", "component", "earned", "on"), optional)
        person, on = reader.person(table, path), reader.day(table, path, "on")
        earned = reader.look.money(table, path, "earned", zero=True)
        had = reader.look.money(table, path, "had", zero=False) if "had" in table else 0
        place = None if on is None else version_of(reader, table, path, versions, on)
        if person is None or on is None or earned is None or had is None or place is None:
            continue
        plan = versions[place].plan
        component = next(each for each in plan.components if each.key == table["component"])
        if ("deal" in table) == ("day" in table):
            message = "A line is of a `deal`, or of the period that ends on a `day`."
            reader.look.report(path, table, "deal or day", message)
        elif "day" in table:
            day = reader.day(table, path, "day")
            rows.append((person, place, OF_PERIOD, -1, 0, day or 0, earned, on, had))
            words.append((component.key, rhythm(component), ""))
        else:
            fact, rule = reader.fact(table, path), _rule(reader, table, path, plan, component)
            found = None if fact is None else _place(reader, table, path, teams, fact, person)
            if fact is not None and rule is not None and found is not None:
                rows.append((person, place, OF_CREDIT, fact, found[1], 0, earned, on, had))
                words.append((component.key, rule, found[0]))
    if not rows:
        return None
    participant, of_plan, kind, of_fact, split, line_day, amount, day_taken, had_before = columns(rows, 9)
    component_word, rule_word, role_word = (text(list(each)) for each in zip(*words, strict=True))
    line = (participant, of_plan, component_word, kind, of_fact, split, line_day, rule_word, role_word)
    return Kept(*line, amount, day_taken, had_before)


def _rule(reader: Reader, table: Document, path: str, plan: CompiledPlan, component: Component) -> str | None:
    """The rule that gave the credit: the one of the component's classes, or named."""
    keys = [rule.key for rule in plan.credit_rules if rule.credit_class in component.classes]
    if "rule" in table:
        return reader.one_of(table, path, "rule", keys)
    if len(keys) == 1:
        return keys[0]
    reader.look.report(join(path, "rule"), "nothing", " or ".join(keys), "Several rules give such credit: say which.")
    return None


def _place(reader: Reader, table: Document, path: str, teams: Teams, fact: int, person: int) -> tuple[str, int] | None:
    """The role and the place of somebody on the team of a fact."""
    mine = np.flatnonzero((teams.fact == fact) & (teams.participant == person))
    found = [(teams.role.vocabulary[teams.role.codes[row]], int(teams.place[row])) for row in mine]
    if "role" in table:
        role = reader.one_of(table, path, "role", [name for name, _ in found])
        found = [each for each in found if each[0] == role]
    if len(found) == 1:
        return found[0]
    message = "A posted line is of somebody who stands once on the team, or in the role that is named."
    reader.look.report(join(path, "role"), ", ".join(name for name, _ in found) or "nobody", "one role", message)
    return None
