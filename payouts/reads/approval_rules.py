"""Reading approval rules: which one a batch falls under, the stages that it gives, and both in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from comp.core.money import format_money
from comp.people.selectors import in_force, today
from comp.tenancy.capabilities import CAPABILITIES, Can, Role
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import current_tenant_id
from payouts.models import ApprovalRule, Batch
from payouts.selectors_batches import batch_before, exceptions

#: The kinds of exception that a rule may ask for, in words; as payouts.selectors_batches finds them.
EXCEPTIONS = {
    "new": "a first payout",
    "large": "a large change",
    "negative": "a negative payout",
    "zero": "nothing after a payout",
    "adjusted": "prior-period adjustments",
    "manual": "manual adjustments",
}
#: What a stage may ask of a person, in words.
CAPABLE = {Can.BATCH_APPROVE: "anybody who may approve payouts", Can.BATCH_PAY: "anybody who may pay"}


@dataclass(frozen=True)
class StagePlan:
    """A stage as a rule asks for it: holders of `roles`, or these `people` (ids of users); so many are `needed`."""

    name: str
    roles: tuple[str, ...]
    people: tuple[int, ...]
    needed: int
    who: str


#: Where no rule holds there is one signature, of anybody who may approve.
NO_RULE: Mapping[str, Any] = {"name": "Approval", "capability": str(Can.BATCH_APPROVE), "needed": 1}


def holders(capability: str) -> tuple[str, ...]:
    """The roles that have a capability, sorted."""
    return tuple(sorted(str(role) for role, can in CAPABILITIES.items() if capability in can))


def stage_plans(rule: ApprovalRule | None) -> list[StagePlan]:
    """The stages that a rule asks for, in their order; without a rule the one of everybody who may approve."""
    said: Sequence[Mapping[str, Any]] = rule.stages if rule else [NO_RULE]
    names = user_names(who for stage in said for who in stage.get("people", ()))
    return [_plan(stage, names) for stage in said]


def _plan(said: Mapping[str, Any], names: Mapping[int, str]) -> StagePlan:
    name, needed = said["name"], int(said["needed"])
    if people := tuple(said.get("people", ())):
        return StagePlan(name, (), people, needed, listed([names[who] for who in people], "or"))
    if role := said.get("role"):
        return StagePlan(name, (role,), (), needed, f"anybody in {Role(role).label}")
    capability = Can(said["capability"])
    return StagePlan(name, holders(capability), (), needed, CAPABLE[capability])


def payout_readers() -> QuerySet[User]:
    """Everybody who sees payouts in this company, by name."""
    rows = Membership.objects.filter(tenant_id=current_tenant_id(), role__in=holders(Can.BATCH_READ))
    users = User.objects.filter(pk__in=rows.values("user_id"), is_active=True)
    return users.order_by("full_name", "email")


def user_names(ids: Iterable[int]) -> dict[int, str]:
    """User id to the name that people read."""
    return {user.pk: str(user) for user in User.objects.filter(pk__in=set(ids))}


def listed(words: Sequence[str], last: str) -> str:
    """`a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


# ------------------------------------------------------------------ which rule


def rules_known() -> QuerySet[ApprovalRule]:
    """All rules, those that ended too, in the order in which they are looked at."""
    return ApprovalRule.objects.select_related("pay_group", "made_by").order_by("place", "id")


def rule_for(batch: Batch, day: date | None = None) -> ApprovalRule | None:
    """The rule that gives a batch its chain on a day (today): the first in force whose conditions all hold."""
    rules = rules_known().filter(in_force(day or today())).filter(Q(pay_group=None) | Q(pay_group=batch.pay_group_id))
    about = _About(batch)
    return next((rule for rule in rules if _holds(rule, about)), None)


class _About:
    """What rules ask of a batch, each looked up when the first of them asks."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    @cached_property
    def before(self) -> dict[str, int]:
        last = batch_before(self.batch)
        return {} if last is None else last.totals

    @cached_property
    def kinds(self) -> set[str]:
        return {reason.code for person in exceptions(self.batch) for reason in person.reasons}


def _holds(rule: ApprovalRule, about: _About) -> bool:
    totals = about.batch.totals
    if rule.total_from and not any(total and abs(total) >= rule.total_from.get(c, 0) for c, total in totals.items()):
        return False  # a currency that nobody thought of is over any amount
    if _asks_of_change(rule) and not any(_changed(rule, about, code) for code in {*totals, *about.before}):
        return False
    return not rule.exceptions or not about.kinds.isdisjoint(rule.exceptions)


def _asks_of_change(rule: ApprovalRule) -> bool:
    return bool(rule.change_percent or rule.change_from)


def _changed(rule: ApprovalRule, about: _About, currency: str) -> bool:
    """Whether the change in one currency is both large enough a share and large enough an amount. Where there was no
    batch before, everything is change; a currency that the rule states no amount for is over it."""
    before = about.before.get(currency, 0)
    change = abs(about.batch.totals.get(currency, 0) - before)
    if rule.change_from and change < rule.change_from.get(currency, 0):
        return False
    return change > 0 and change * 100 >= (rule.change_percent or 0) * abs(before)


# ------------------------------------------------------------------ in words


def rule_told(rule: ApprovalRule | None) -> str:
    """A rule as one sentence: which batches, which stages."""
    stages = listed([_stage_told(plan) for plan in stage_plans(rule)], "then")
    if rule is None:
        return f"Where no rule holds, a batch needs {stages}."
    group = f"of {rule.pay_group}" if rule.pay_group else "of any pay group"
    conditions = [*_conditions(rule)]
    where = f" with {listed(conditions, 'and')}" if conditions else ""
    return f"A batch {group}{where} needs {stages}."


def _stage_told(plan: StagePlan) -> str:
    count = "" if plan.needed == 1 else f"{plan.needed} of "
    return f"{plan.name} ({count}{plan.who})"


def _conditions(rule: ApprovalRule) -> Iterable[str]:
    if rule.total_from:
        yield f"a total of at least {_amounts(rule.total_from)}"
    if _asks_of_change(rule):
        least = [f"{rule.change_percent}%"] if rule.change_percent else []
        least += [_amounts(rule.change_from)] if rule.change_from else []
        yield f"a change of at least {' and '.join(least)} against the batch before"
    if rule.exceptions:
        yield listed([EXCEPTIONS[kind] for kind in rule.exceptions], "or")


def _amounts(sums: Mapping[str, int]) -> str:
    return listed([format_money(minor, code) for code, minor in sorted(sums.items())], "or")
