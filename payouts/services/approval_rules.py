"""Rules of approval and standing deputies: added and ended, never edited, so that what held on a day can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Max
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import Problem, ProblemsError, refused
from comp.core.money import CURRENCIES
from comp.people.models import PayGroup
from comp.people.selectors import today
from comp.people.timeline import check_dates, span
from comp.tenancy.capabilities import Can, Role
from comp.tenancy.models import User
from payouts.models import ApprovalRule, Deputy
from payouts.reads.approval_rules import CAPABLE, EXCEPTIONS, holders, payout_readers, rule_told

#: A chain has at most so many stages, and a stage so many signatures.
STAGES, NEEDED = 5, 5


# ------------------------------------------------------------------ rules


def rule_add(
    *,
    name: str,
    starts_on: date,
    stages: Sequence[Mapping[str, Any]],
    made_by: User,
    place: int | None = None,
    ends_on: date | None = None,
    pay_group: PayGroup | None = None,
    total_from: Mapping[str, int] | None = None,
    change_percent: int | None = None,
    change_from: Mapping[str, int] | None = None,
    exceptions: Sequence[str] = (),
) -> ApprovalRule:
    """A rule for batches submitted from a day on. `place` says when it is looked at (last, unless given); amounts are
    minor units by currency; each stage has a `name`, how many are `needed`, and one of `capability`, `role`, `people`
    (ids of users). ProblemsError says all that is wrong."""
    check_dates(starts_on, ends_on)
    amounts = {**(total_from or {}), **(change_from or {})}
    problems = [*_of_rule(name, change_percent, exceptions, amounts), *_of_stages(stages)]
    if problems:
        raise ProblemsError(problems)
    last = ApprovalRule.objects.aggregate(last=Max("place"))["last"] or 0
    rule = ApprovalRule.objects.create(
        place=place if place is not None else last + 1,
        name=name.strip(),
        starts_on=starts_on,
        ends_on=ends_on,
        pay_group=pay_group,
        total_from=dict(total_from or {}),
        change_percent=change_percent,
        change_from=dict(change_from or {}),
        exceptions=list(exceptions),
        stages=[dict(stage) for stage in stages],
        made_by=made_by,
    )
    record(code="approval.rule.add", subject=rule, after=_state(rule))
    return rule


def rule_end(*, rule: ApprovalRule, ends_on: date, ended_by: User) -> ApprovalRule:
    """The rule holds for no batch submitted on that day or later. Chains that stand keep it."""
    rule = ApprovalRule.objects.select_for_update().get(pk=rule.pk)
    if rule.ends_on is not None and rule.ends_on <= today():
        message = f"{rule} ended on {rule.ends_on:%-d %B %Y} already."
        raise refused("ends_on", ends_on, "a rule that still holds", message)
    if ends_on < max(rule.starts_on, today()):
        allowed = f"a day from {max(rule.starts_on, today()):%-d %B %Y} on"
        raise refused("ends_on", ends_on, allowed, f"{rule} cannot end on {ends_on:%-d %B %Y}; give {allowed}.")
    before = _state(rule)
    rule.ends_on = ends_on
    rule.save(update_fields=["ends_on"])
    record(code="approval.rule.end", subject=rule, before=before, after={**_state(rule), "by": str(ended_by)})
    return rule


def _of_rule(name: str, percent: int | None, exceptions: Sequence[str], amounts: Mapping[str, int]) -> list[Problem]:
    found = []
    if not name.strip():
        found.append(Problem("name", name, "a name", "A rule needs a name, such as Large payouts."))
    if percent is not None and not 1 <= percent <= 1000:
        found.append(Problem("change_percent", str(percent), "1 to 1,000", "A change is from 1% to 1,000%."))
    for kind in exceptions:
        if kind not in EXCEPTIONS:
            allowed = ", ".join(EXCEPTIONS)
            found.append(Problem("exceptions", kind, allowed, f"There is no exception {kind!r}; there are {allowed}."))
    for code, minor in amounts.items():
        if code not in CURRENCIES:
            found.append(Problem("amounts", code, "a code of ISO 4217", f"Unknown currency {code!r}."))
        elif minor <= 0:
            found.append(
                Problem("amounts", str(minor), "more than zero", f"The amount in {code} has to be above zero.")
            )
    return found


def _of_stages(stages: Sequence[Mapping[str, Any]]) -> list[Problem]:
    if not 1 <= len(stages) <= STAGES:
        return [Problem("stages", str(len(stages)), f"1 to {STAGES}", f"A chain has 1 to {STAGES} stages.")]
    return [problem for at, stage in enumerate(stages, start=1) for problem in _of_stage(f"stage {at}", stage)]


def _of_stage(path: str, stage: Mapping[str, Any]) -> list[Problem]:
    found = []
    if not str(stage.get("name", "")).strip():
        found.append(Problem(path, "", "a name", "A stage needs a name, such as Finance."))
    who = [key for key in ("capability", "role", "people") if stage.get(key)]
    if len(who) != 1:
        allowed = "a capability, a role, or people"
        return [*found, Problem(path, ", ".join(who), allowed, f"A stage is decided by one of {allowed}.")]
    needed = int(stage.get("needed", 0))
    if not 1 <= needed <= NEEDED:
        found.append(Problem(path, str(needed), f"1 to {NEEDED}", f"A stage needs 1 to {NEEDED} signatures."))
    if capability := stage.get("capability"):
        if capability not in CAPABLE:
            found.append(Problem(path, capability, ", ".join(CAPABLE), f"No stage asks for {capability!r}."))
    elif role := stage.get("role"):
        if role not in holders(Can.BATCH_READ):
            allowed = ", ".join(Role(one).label for one in holders(Can.BATCH_READ))
            found.append(Problem(path, role, allowed, f"Only these roles see payouts: {allowed}."))
    else:
        people = list(stage["people"])
        known = User.objects.in_bulk(people)
        for one in people:
            if one not in known:
                found.append(Problem(path, str(one), "people who see payouts", f"There is no user {one}."))
        for user in User.objects.filter(pk__in=known).exclude(pk__in=payout_readers().values("pk")):
            found.append(Problem(path, str(user), "people who see payouts", f"{user} does not see payouts here."))
        if len(set(people)) < needed:
            found.append(
                Problem(path, str(len(people)), f"at least {needed}", f"{needed} signatures need {needed} people.")
            )
    return found


def _state(rule: ApprovalRule) -> dict[str, Any]:
    return {"place": rule.place, "dates": span(rule.starts_on, rule.ends_on), "rule": rule_told(rule)}


# ------------------------------------------------------------------ deputies


def deputy_add(*, person: User, deputy: User, starts_on: date, ends_on: date | None, reason: str) -> Deputy:
    """Somebody who may decide in the person's place from one day until another. Only the person says so."""
    check_dates(starts_on, ends_on)
    if starts_on < today():
        message = f"A deputy cannot be named for {starts_on:%-d %B %Y}: what was decided then is decided."
        raise refused("starts_on", starts_on, f"a day from {today()} on", message)
    deputy_check(person=person, deputy=deputy, reason=reason)
    made = Deputy.objects.create(
        person=person, deputy=deputy, starts_on=starts_on, ends_on=ends_on, reason=reason.strip(), made_by=person
    )
    after = {"person": str(person), "deputy": str(deputy), "dates": span(starts_on, ends_on)}
    record(code="approval.deputy.add", subject=made, after=after, reason=made.reason)
    return made


def deputy_revoke(*, deputy: Deputy, revoked_by: User) -> Deputy:
    """The deputy may decide nothing more; what they decided stands. For the person and the deputy themself."""
    deputy = Deputy.objects.select_for_update().get(pk=deputy.pk)
    if revoked_by.pk not in (deputy.person_id, deputy.deputy_id):
        message = f"{deputy}: only {deputy.person} and {deputy.deputy} can end it."
        raise refused("deputy", revoked_by, f"{deputy.person} or {deputy.deputy}", message)
    if deputy.revoked_at is not None:
        raise refused("deputy", deputy, "one that stands", f"{deputy} was ended by {deputy.revoked_by} already.")
    deputy.revoked_at, deputy.revoked_by = timezone.now(), revoked_by
    deputy.save(update_fields=["revoked_at", "revoked_by"])
    record(code="approval.deputy.revoke", subject=deputy, after={"by": str(revoked_by)})
    return deputy


def deputy_check(*, person: User, deputy: User, reason: str) -> None:
    """Refuses oneself, people who do not see payouts, and a missing reason."""
    if person.pk == deputy.pk:
        raise refused("deputy", deputy, "somebody else", "Nobody is their own deputy.")
    if not payout_readers().filter(pk=deputy.pk).exists():
        raise refused("deputy", deputy, "somebody who sees payouts", f"{deputy} does not see payouts here.")
    if not reason.strip():
        raise refused("reason", "", "a reason", "Say why, for whoever reads the chain later.")
