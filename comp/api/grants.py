"""What a key may be given to do, and what whoever makes it has to be able to do himself: a key reaches no further than
its maker does at the moment of the call."""

from __future__ import annotations

from django.db import models

from comp.tenancy.capabilities import Can


class Grant(models.TextChoices):
    """One thing that a key may do."""

    PEOPLE_READ = "people:read", "Read people, positions and reporting lines"
    PEOPLE_WRITE = "people:write", "Change people, positions and reporting lines"
    PLANS_READ = "plans:read", "Read plans, their versions and who is on them"
    PLANS_WRITE = "plans:write", "Draft plans and put people on them"
    PLANS_PUBLISH = "plans:publish", "Publish versions that somebody else prepared"
    QUOTAS_READ = "quotas:read", "Read quotas"
    QUOTAS_WRITE = "quotas:write", "Set quotas"
    FACTS_READ = "facts:read", "Read deals, other facts and deliveries"
    FACTS_WRITE = "facts:write", "Send facts in bulk"
    FIGURES_READ = "figures:read", "Read credits and earnings"
    STATEMENTS_READ = "statements:read", "Read statements"
    BATCHES_READ = "batches:read", "Read payout batches"
    DISPUTES_READ = "disputes:read", "Read disputes"
    DISPUTES_WRITE = "disputes:write", "Open, take, answer and decide disputes"


NEEDS: dict[str, Can] = {
    Grant.PEOPLE_READ: Can.PEOPLE_READ,
    Grant.PEOPLE_WRITE: Can.PEOPLE_EDIT,
    Grant.PLANS_READ: Can.PLAN_READ,
    Grant.PLANS_WRITE: Can.PLAN_EDIT,
    Grant.PLANS_PUBLISH: Can.PLAN_PUBLISH,
    Grant.QUOTAS_READ: Can.PLAN_READ,
    Grant.QUOTAS_WRITE: Can.PLAN_EDIT,
    Grant.FACTS_READ: Can.DATA_FIX,
    Grant.FACTS_WRITE: Can.DATA_FIX,
    Grant.FIGURES_READ: Can.PAY_ALL,
    Grant.STATEMENTS_READ: Can.PAY_ALL,
    Grant.BATCHES_READ: Can.BATCH_READ,
    Grant.DISPUTES_READ: Can.DISPUTE_HANDLE,
    Grant.DISPUTES_WRITE: Can.DISPUTE_HANDLE,
}
#: Grants that show pay; keys without one see nobody's.
SHOW_PAY = frozenset(
    {Grant.FIGURES_READ, Grant.STATEMENTS_READ, Grant.BATCHES_READ, Grant.DISPUTES_READ, Grant.DISPUTES_WRITE}
)


def within(can: frozenset[Can]) -> list[Grant]:
    """What somebody with these capabilities may give to a key."""
    return [grant for grant in Grant if NEEDS[grant] in can]
