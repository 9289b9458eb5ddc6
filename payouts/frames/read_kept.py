"""What batches took of lines under a budget that keeps it, out of the database: docs/algorithms/shaping.md."""

from __future__ import annotations

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

_KEY = ", ".join(f"l.{quoted(name)}" for name in LINE)
#: Of each line the last row that a batch took, and on which day of the company's: what the line earned then stands in
#: its trace.
_KEPT = f"""
SELECT DISTINCT ON ({_KEY}) l.participant_id AS participant, l.plan_id AS plan, l.component,
    l.line_kind::bigint AS kind, l.fact, l.split::bigint AS split, {day("l.credit_date")} AS line_day, l.rule, l.role,
    coalesce((l.trace ->> 'earned_minor')::bigint, 0) AS earned,
    {day("(b.locked_at AT TIME ZONE %(zone)s)::date")} AS day
FROM payouts_batchline l JOIN payouts_batch b ON b.id = l.batch_id
WHERE l.participant_id = ANY(%(whose)s) AND l.line_kind = ANY(%(kinds)s)
    AND (l.plan_id, l.component) IN (SELECT * FROM unnest(%(plans)s::bigint[], %(components)s::text[]))
    AND {{taken}}
ORDER BY {_KEY}, b.locked_at DESC, l.id DESC
"""
_NOW = _KEPT.format(taken="b.state = ANY(%(taken)s)")
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


def read_kept(versions: Versions, people: Ints, facts: Ints, as_of: datetime | None) -> Kept | None:
    """What lines of these people keep of budgets, by the ids of the facts of a batch; None where no plan has such a
    budget, or nothing was posted. What others keep says what is left for anybody: it is read whoever asks."""
    pairs = {
        (plan_id, key)
        for plan_id, plan in zip(versions.plan_id, versions.compiled, strict=True)
        for key in components_keeping(plan)
    }
    if not pairs:
        return None
    params: dict[str, Any] = {
        "whose": np.unique(people).tolist(),
        "kinds": [OF_CREDIT, OF_PERIOD, OF_CARRY],
        "plans": [plan for plan, _ in sorted(pairs)],
        "components": [key for _, key in sorted(pairs)],
        "taken": [state.value for state in TAKEN],
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
    )
