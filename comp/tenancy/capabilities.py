"""What each role may do. One table in code: a permission is read here or nowhere."""

from __future__ import annotations

from django.db import models


class Role(models.TextChoices):
    REPRESENTATIVE = "representative", "Representative"
    MANAGER = "manager", "Manager"
    SALES_OPS = "sales_ops", "Sales Ops"
    FINANCE = "finance", "Finance"
    REVENUE_LEADER = "revenue_leader", "Revenue leader"
    ADMINISTRATOR = "administrator", "Administrator"
    INTEGRATION = "integration", "Integration"


class Can(models.TextChoices):
    """Capabilities. `pay.own` and `pay.team` show pay behind the narrow wall, `pay.all` by pay group."""

    PAY_OWN = "pay.own"
    PAY_TEAM = "pay.team"
    PAY_ALL = "pay.all"
    PLAN_READ = "plan.read"
    PLAN_EDIT = "plan.edit"
    PLAN_PUBLISH = "plan.publish"
    PEOPLE_READ = "people.read"
    PEOPLE_EDIT = "people.edit"
    DATA_FIX = "data.fix"
    BATCH_READ = "batch.read"
    BATCH_SUBMIT = "batch.submit"
    BATCH_APPROVE = "batch.approve"
    BATCH_PAY = "batch.pay"
    LEDGER_READ = "ledger.read"
    DISPUTE_HANDLE = "dispute.handle"
    AUDIT_READ = "audit.read"
    MEMBER_EDIT = "member.edit"
    ENDPOINT_EDIT = "endpoint.edit"
    KEY_EDIT = "key.edit"


CAPABILITIES: dict[Role, frozenset[Can]] = {
    Role.REPRESENTATIVE: frozenset({Can.PAY_OWN}),
    Role.MANAGER: frozenset({Can.PAY_OWN, Can.PAY_TEAM}),
    Role.SALES_OPS: frozenset(
        {
            Can.PAY_ALL,
            Can.PLAN_READ,
            Can.PLAN_EDIT,
            Can.PLAN_PUBLISH,
            Can.PEOPLE_READ,
            Can.PEOPLE_EDIT,
            Can.DATA_FIX,
            Can.ENDPOINT_EDIT,
            Can.AUDIT_READ,
            Can.KEY_EDIT,
            Can.DISPUTE_HANDLE,
        }
    ),
    Role.FINANCE: frozenset(
        {
            Can.PAY_ALL,
            Can.PLAN_READ,
            Can.PEOPLE_READ,
            Can.BATCH_READ,
            Can.BATCH_SUBMIT,
            Can.BATCH_APPROVE,
            Can.BATCH_PAY,
            Can.LEDGER_READ,
            Can.AUDIT_READ,
            Can.KEY_EDIT,
            Can.DISPUTE_HANDLE,
        }
    ),
    Role.REVENUE_LEADER: frozenset({Can.PAY_ALL, Can.PLAN_READ, Can.PEOPLE_READ, Can.BATCH_READ}),
    # Administrators set up access; they see no pay by that alone.
    Role.ADMINISTRATOR: frozenset(
        {Can.PLAN_READ, Can.PEOPLE_READ, Can.AUDIT_READ, Can.MEMBER_EDIT, Can.ENDPOINT_EDIT, Can.KEY_EDIT}
    ),
    # Machines: they post to hooks with their secret and open no page.
    Role.INTEGRATION: frozenset(),
}


def capabilities(roles: list[str]) -> frozenset[Can]:
    """The union over the roles of one person in one tenant."""
    return frozenset().union(*(CAPABILITIES[Role(role)] for role in roles))
