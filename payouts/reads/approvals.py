"""Reading a batch's chain: whose turn it is, who may not decide and why, what waits for whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from comp.audit.models import AuditEntry
from comp.people.selectors import in_force, today
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, Tenant, User
from comp.tenancy.scope import current_tenant_id
from payouts.models import Adjustment, ApprovalStage, Batch, BatchLine, BatchSettlement, Deputy
from payouts.models.figures import LineNamed
from payouts.reads.approval_rules import listed, user_names
from payouts.selectors_batches import batches_visible
from plans.models import PlanVersion

#: An approver's role that was given so recently is an exception to look at.
NEW_ROLE = timedelta(days=30)
#: Roles given with the company itself are not news.
SET_UP = timedelta(days=1)


@dataclass(frozen=True)
class Turn:
    """Whether somebody may decide on a batch now: the seat that they would take, for whom, or why not."""

    stage: ApprovalStage | None = None
    as_deputy_of: User | None = None
    why_not: str = ""


def stages_of(batch: Batch) -> QuerySet[ApprovalStage]:
    """The batch's signatures in their order."""
    found = ApprovalStage.objects.filter(batch=batch).order_by("place", "seat")
    return found.select_related("decided_by", "as_deputy_of", "rule")


def why_not(batch: Batch, user: User) -> str:
    """Why the user may not approve the batch now, as the rest of a sentence that begins with the batch; nothing where
    they may."""
    return turn_of(batch, user).why_not


def turn_of(batch: Batch, user: User) -> Turn:
    """The signature that the user would give: in their own right before in another's."""
    if ground := _ground(batch, user):
        return Turn(why_not=f"{ground.you}, so somebody else has to approve it.")
    stages = list(stages_of(batch))
    if spent := _spent(stages, user):
        return Turn(why_not=f"{spent.you}; nobody approves twice in one chain.")
    seat = next((stage for stage in stages if stage.state == ApprovalStage.State.OPEN), None)
    if seat is None:
        return Turn(why_not="none of its approval stages is open.")
    if may_decide(seat, user):
        return Turn(seat)
    refusal = f"its stage {seat.name} is decided by {who_decides(seat)}."
    for deputy in deputies_for(seat).filter(deputy=user):
        person = deputy.person
        if not may_decide(seat, person):
            continue
        barred = _ground(batch, person) or _spent(stages, person)
        if barred is None:
            return Turn(seat, person)
        refusal = f"{barred.they}, so no deputy may approve it for them."
    return Turn(why_not=refusal)


@dataclass(frozen=True)
class _Bar:
    """Why somebody may not decide, said to them and said of them."""

    you: str
    they: str


def _ground(batch: Batch, user: User) -> _Bar | None:
    """Own preparation, own pay, own plan: what nobody may sign, whatever they may do otherwise. The database refuses
    the same (comp_stage_moves)."""
    if batch.submitted_by_id == user.pk:
        return _Bar("you submitted it", f"{user} submitted it")
    if batch.locked_by_id == user.pk:
        return _Bar("you locked it", f"{user} locked it")
    lines = BatchLine.objects.filter(batch=batch)
    settled = BatchSettlement.objects.filter(batch=batch)
    if any(rows.filter(participant__user_id=user.pk).exists() for rows in (lines, settled)):
        return _Bar("your own pay is in it", f"{user}'s own pay is in it")
    if number := _own_adjustment(lines, user):
        return _Bar(f"you prepared the adjustment {number} in it", f"{user} prepared the adjustment {number} in it")
    own = PlanVersion.objects.filter(Q(prepared_by=user) | Q(published_by=user)).select_related("plan")
    version = own.filter(Exists(lines.filter(plan_version_id=OuterRef("pk")))).order_by("id").first()
    if version is not None:
        what = f"{version}, which rates lines in it"
        did = "prepared" if version.prepared_by_id == user.pk else "published"
        return _Bar(f"you {did} {what}", f"{user} {did} {what}")
    return None


def _own_adjustment(lines: QuerySet[BatchLine], user: User) -> str:
    """The number of an adjustment by hand among the lines that the user prepared, or nothing."""
    own = {str(row): row.participant_id for row in Adjustment.objects.filter(prepared_by=user).order_by("number")}
    if not own:
        return ""
    taken = lines.filter(line_kind=LineNamed.Kind.MANUAL, participant_id__in=set(own.values()), rule__in=own)
    return taken.order_by("rule").values_list("rule", flat=True).first() or ""


def _spent(stages: Iterable[ApprovalStage], user: User) -> _Bar | None:
    """Whether the user's word was given in this chain already, by themself or by a deputy."""
    for stage in stages:
        if stage.state != ApprovalStage.State.APPROVED:
            continue
        if stage.decided_by_id == user.pk:
            return _Bar(f"you approved its stage {stage.name} already", f"{user} approved its stage {stage.name}")
        if stage.as_deputy_of_id == user.pk:
            by = f"{stage.decided_by} approved its stage {stage.name}"
            return _Bar(f"{by} for you already", f"{by} for {user}")
    return None


# ------------------------------------------------------------------ who may decide


def may_decide(stage: ApprovalStage, user: User) -> bool:
    """Whether the stage was given to the user: by name, or by a role that shows them the batch's pay group."""
    return any(row.user_id == user.pk for row in _members(stage))


def deciders(stage: ApprovalStage) -> list[User]:
    """Everybody who may decide the stage by name or role today, and their deputies, whatever bars them from this
    batch; by name."""
    own = {row.user_id: row.user for row in _members(stage)}
    deputies = {row.deputy_id: row.deputy for row in deputies_for(stage) if row.person_id in own}
    return sorted({**deputies, **own}.values(), key=lambda user: (str(user), user.pk))


def _members(stage: ApprovalStage) -> list[Membership]:
    rows = Membership.objects.filter(tenant_id=current_tenant_id()).select_related("user")
    rows = rows.filter(Q(role__in=stage.roles) | Q(user_id__in=stage.people)).order_by("id")
    group = stage.batch.pay_group.key
    return [row for row in rows if not row.pay_groups or group in row.pay_groups]


def deputies_for(stage: ApprovalStage) -> QuerySet[Deputy]:
    """The deputies of today who may act at this stage: for everything, or for this stage of this batch."""
    rows = Deputy.objects.filter(in_force(today()), revoked_at=None).select_related("person", "deputy")
    here = Q(stage__batch=stage.batch_id, stage__place=stage.place)
    return rows.filter(Q(stage=None) | here).order_by("id")


def deputies_known() -> QuerySet[Deputy]:
    """All deputies that were ever named, the latest first."""
    rows = Deputy.objects.select_related("person", "deputy", "stage__batch", "revoked_by")
    return rows.order_by("-starts_on", "-id")


def who_decides(stage: ApprovalStage) -> str:
    """In words: names, or roles."""
    if stage.people:
        names = user_names(stage.people)
        return listed([names[who] for who in stage.people if who in names], "or")
    return listed([Role(role).label for role in stage.roles], "or")


# ------------------------------------------------------------------ what waits, what to look at


@dataclass(frozen=True)
class Waiting:
    """A batch that waits for somebody's decision, since when, and in whose place."""

    batch: Batch
    stage: ApprovalStage
    as_deputy_of: User | None

    @property
    def days(self) -> int:
        """Whole days since the stage opened."""
        opened = self.stage.opened_at
        return (timezone.now() - opened).days if opened else 0


def waiting_for(user: User) -> list[Waiting]:
    """The submitted batches in view on which the user may decide now, the longest waiting first."""
    found = []
    for batch in batches_visible().filter(state=Batch.State.SUBMITTED):
        turn = turn_of(batch, user)
        if turn.stage is not None:
            found.append(Waiting(batch, turn.stage, turn.as_deputy_of))
    return sorted(found, key=lambda one: (one.stage.opened_at or timezone.now(), one.batch.pk))


@dataclass(frozen=True)
class NewApprover:
    """Somebody in the chain whose role is recent: who gave it to them, and when."""

    user: User
    role: str
    since: datetime
    given_by: str


def new_approvers(batch: Batch) -> list[NewApprover]:
    """Those who decided, and those who may decide what is open, whose role was given within NEW_ROLE."""
    stages = list(stages_of(batch))
    acted = {who for s in stages for who in (s.decided_by_id, s.as_deputy_of_id) if who}
    seat = next((stage for stage in stages if stage.state == ApprovalStage.State.OPEN), None)
    people = acted | ({user.pk for user in deciders(seat)} if seat else set())
    rows = Membership.objects.filter(tenant_id=current_tenant_id(), user_id__in=people)
    set_up = Tenant.objects.values_list("created_at", flat=True).get(pk=current_tenant_id()) + SET_UP
    roles = {role for stage in stages for role in stage.roles}
    recent = rows.filter(created_at__gte=max(timezone.now() - NEW_ROLE, set_up)).select_related("user")
    found = [row for row in recent.order_by("user__full_name", "id") if row.role in roles or row.user_id in acted]
    entries = AuditEntry.objects.filter(
        code="membership.add", subject_kind="tenancy.membership", subject_id__in=[str(row.pk) for row in found]
    )
    by = dict(entries.values_list("subject_id", "actor_label"))
    return [
        NewApprover(row.user, str(Role(row.role).label), row.created_at, by.get(str(row.pk), "unknown"))
        for row in found
    ]
