"""What batches took of lines under a budget that keeps it, out of the database: docs/algorithms/shaping.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from comp.tenancy.selectors import own_time_zone
from crediting.kernel.columns import Text
from payouts.frames.read_plans import Versions
from payouts.frames.sql import Words, day, quoted, read
from payouts.frames.tables import LINE
from payouts.kernel.batch import OF_CARRY, OF_CREDIT, OF_PERIOD, Ints, Kept
from payouts.models import Batch
from payouts.selectors import TAKEN
from plans.rules.compiled import CompiledPlan
from plans.rules.specialise import stated

_KEY = ", ".join(map(quoted, LINE))
_UNDER = """
    {table}.line_kind = ANY(%(kinds)s) AND {table}.participant_id = ANY(%(whose)s)
    AND ({table}.plan_id, {table}.component) IN (SELECT * FROM unnest(%(plans)s::bigint[], %(components)s::text[]))
    AND {{taken}}"""
#: The rows that batches took of lines, and those by which lines gave up what they kept: what a line earned when it was
#: taken stands in its trace.
_ROWS = f"""
    SELECT {", ".join(f"l.{quoted(name)}" for name in LINE)}, l.credit_date, l.pay_group_id, l.batch_id, b.locked_at,
        b.state, l.id, coalesce((l.trace ->> 'earned_minor')::bigint, 0) AS earned, 0::bigint AS had
    FROM payouts_batchline l JOIN payouts_batch b ON b.id = l.batch_id
    WHERE {_UNDER.format(table="l")}
    UNION ALL
    SELECT {", ".join(f"g.{quoted(name)}" for name in LINE)}, g.credit_date, g.pay_group_id, g.batch_id, b.locked_at,
        b.state, g.id, g.earned_minor, g.kept_minor
    FROM payouts_givenup g JOIN payouts_batch b ON b.id = g.batch_id
    WHERE {_UNDER.format(table="g")}
"""
#: Of each line the last of these rows.
_LAST = f"SELECT DISTINCT ON ({_KEY}) * FROM ({_ROWS}) taken ORDER BY {_KEY}, locked_at DESC, id DESC"
#: As the kernel knows them, with the day of the company's on which a batch took them.
_KEPT = f"""
SELECT participant_id AS participant, plan_id AS plan, component, line_kind::bigint AS kind, fact,
    split::bigint AS split, {day("credit_date")} AS line_day, rule, role, earned, had,
    {day("(locked_at AT TIME ZONE %(zone)s)::date")} AS day
FROM ({_LAST}) last
"""
_TAKEN = "b.state = ANY(%(taken)s)"
#: What is kept now, as a table of rows with the keys of their lines, for whoever adds to it.
STANDING = _LAST.format(taken=_TAKEN)
#: The same, with what each line may come to keep (`most`) when batches that are not posted yet are sent back or opened
#: again: of the last row that is posted, and of all behind it.
AT_MOST = f"""
SELECT DISTINCT ON ({_KEY}) *, max(earned) OVER (PARTITION BY {_KEY}) AS most FROM (
    SELECT *, max(locked_at) FILTER (WHERE state = ANY(%(posted)s)) OVER (PARTITION BY {_KEY}) AS posted_since
    FROM ({_ROWS.format(taken=_TAKEN)}) taken
) seen WHERE posted_since IS NULL OR locked_at >= posted_since
ORDER BY {_KEY}, locked_at DESC, id DESC
"""
_NOW = _KEPT.format(taken=_TAKEN)
#: As of the moment at which a batch was locked, what was taken before it; of a part that goes on alone also what the
#: batch that it replaces took: that one was void a moment before, and its figures are the part's.
_AS_OF = _KEPT.format(
    taken=f"""b.locked_at < %(as_of)s AND NOT (b.state = '{Batch.State.REJECTED}' AND b.decided_at <= %(as_of)s)
    AND (coalesce(b.voided_at > %(as_of)s, true)
        OR EXISTS (SELECT 1 FROM payouts_batch n WHERE n.replaces_id = b.id AND n.locked_at = %(as_of)s))"""
)


def components_keeping(plan: CompiledPlan) -> list[str]:
    """The components of a plan version, its overrides included, that have a budget that keeps what was posted."""
    found = [each.key for each in stated(plan) if each.budget is not None and each.budget.after_posting == "keep"]
    return list(dict.fromkeys(found))


def pairs_keeping(versions: Versions) -> list[tuple[int, str]]:
    """The same of all these versions: ids of plans with the keys of components."""
    plans = zip(versions.plan_id, versions.compiled, strict=True)
    return sorted({(plan_id, key) for plan_id, plan in plans for key in components_keeping(plan)})


def asked(pairs: Sequence[tuple[int, str]], whose: Sequence[int]) -> dict[str, Any]:
    """What `STANDING` and `AT_MOST` are asked: which components of which plans, and whose lines."""
    return {
        "whose": list(whose),
        "kinds": [OF_CREDIT, OF_PERIOD, OF_CARRY],
        "plans": [plan for plan, _ in pairs],
        "components": [key for _, key in pairs],
        "taken": [state.value for state in TAKEN],
        "posted": [state.value for state in (Batch.State.POSTED, Batch.State.PAID, Batch.State.CLOSED)],
    }


def read_kept(versions: Versions, people: Ints, facts: Ints, as_of: datetime | None) -> Kept | None:
    """What lines of these people keep of budgets, by the ids of the facts of a batch; None where no plan has such a
    budget, or nothing was posted. What others keep says what is left for anybody: it is read whoever asks."""
    pairs = pairs_keeping(versions)
    if not pairs:
        return None
    params: dict[str, Any] = {
        **asked(pairs, np.unique(people).tolist()),
        "as_of": as_of,
        "zone": own_time_zone(),
        "people": None,
    }
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found = read(_NOW if as_of is None else _AS_OF, params, words=["component", "rule", "role"])
    return _kept(versions, found, facts) if found["plan"].size else None


def _kept(versions: Versions, found: dict[str, Any], facts: Ints) -> Kept:
    """Without lines of facts that are not there any more: they are no lines either."""
    order = np.argsort(facts)
    place = np.minimum(np.searchsorted(facts, found["fact"], sorter=order), max(facts.size - 1, 0))
    row = order[place] if facts.size else np.full(place.size, -1, dtype=np.int64)
    known = facts[row] == found["fact"] if facts.size else np.zeros(place.size, dtype=bool)
    of_credit = found["kind"] == OF_CREDIT
    mine = np.flatnonzero(known | ~of_credit)
    first = {plan: place for place, plan in reversed(list(enumerate(versions.plan_id)))}

    def text(name: str) -> Text:
        words: Words = found[name]
        return Text(words.codes[mine].astype(np.int32), words.words)

    return Kept(
        participant=found["participant"][mine],
        plan=np.array([first[plan] for plan in found["plan"][mine].tolist()], dtype=np.int64),
        component=text("component"),
        kind=found["kind"][mine],
        fact=np.where(of_credit, row, -1)[mine],
        split=found["split"][mine],
        line_day=found["line_day"][mine],
        rule=text("rule"),
        role=text("role"),
        earned=found["earned"][mine],
        day=found["day"][mine],
        had=found["had"][mine],
    )
