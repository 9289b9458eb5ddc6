"""The whole story of one line that scalars beside it cannot tell: worked out again, traced, for its person alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from comp.core.days import day_number
from payouts.frames.read import calendars, enclosing, read_batch, read_versions
from payouts.kernel import calculate
from payouts.kernel.explain import Names, Step, explain
from payouts.models import Earning


def line_story(earning: Earning, role_names: Mapping[str, str]) -> list[Step] | None:
    """The steps to a line, None where it no longer stands as it is stored: it is being worked in."""
    versions = read_versions()
    calendar = calendars()[earning.participant.pay_group_id]
    start, end = enclosing(calendar, versions.every(), day_number(earning.credit_date))
    people = [earning.participant_id]
    batch = read_batch(calendar=calendar, versions=versions, start=start, end=end, participants=people).batch
    result = calculate(batch, traced=True)
    credits, lines = result.credits, result.lines
    place = versions.id.index(earning.plan_version_id) if earning.plan_version_id in versions.id else -1
    mine = (
        (lines.credit >= 0)
        & (batch.facts.id[credits.fact[lines.credit]] == earning.deal_id)
        & (credits.participant[lines.credit] == earning.participant_id)
        & (credits.plan[lines.credit] == place)
        & (credits.split[lines.credit] == earning.split)
        & (lines.earned == earning.earned_minor)
    )
    for row in np.flatnonzero(mine).tolist():
        credit, plan = int(lines.credit[row]), batch.plans[place]
        rule = plan.credit_rules[int(credits.rule[credit])].key
        role = credits.role.vocabulary[int(credits.role.codes[credit])]
        component = plan.components[int(lines.component[row])].key
        if (rule, role, component) == (earning.rule, earning.role, earning.component):
            names = Names(
                lambda _: earning.participant.name, lambda _: "The deal", lambda key: role_names.get(key, key)
            )
            return explain(batch, result, row, names)
    return None
