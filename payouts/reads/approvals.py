"""Reading a batch's chain: whose turn it is, who may not decide and why, what waits for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
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
    return _turns([batch], user)[batch.pk]


def _turns(batches: Sequence[Batch], user: User) -> dict[int, Turn]:
    """By batch id, with so many questions whatever the number of batches."""
    stages: dict[int, list[ApprovalStage]] = defaultdict(list)
    rows = ApprovalStage.objects.filter(batch__in=batches).order_by("place", "seat")
    for stage in rows.select_related("decided_by", "as_deputy_of", "batch__pay_group"):
        stages[stage.batch_id].append(stage)
    deputies = [*_deputies().filter(deputy=user)]
    known = [*Membership.objects.filter(tenant_id=current_tenant_id()).order_by("id").select_related("user")]
    names = user_names({who for some in stages.values() for stage in some for who in stage.people})
    around = _Around(deputies, known, names, _grounds(batches, [user, *(deputy.person for deputy in deputies)]))
    return {batch.pk: _turn(batch.pk, user, stages[batch.pk], around) for batch in batches}


@dataclass(frozen=True)
class _Around:
    """What a turn is read from beside the chain: the user's deputyships of today, the company's members, the names of
    the people that stages name, and who is barred from which batch."""

    deputies: Sequence[Deputy]
    members: Sequence[Membership]
    names: Mapping[int, str]
    bars: Mapping[tuple[int, int], _Bar]


def _turn(batch: int, user: User, stages: Sequence[ApprovalStage], around: _Around) -> Turn:
    bars = around.bars
    if ground := bars.get((batch, user.pk)):
        return Turn(why_not=f"{ground.you}, so somebody else has to approve it.")
    if spent := _spent(stages, user):
        return Turn(why_not=f"{spent.you}; nobody approves twice in one chain.")
    seat = next((stage for stage in stages if stage.state == ApprovalStage.State.OPEN), None)
    if seat is None:
        return Turn(why_not="none of its approval stages is open.")
    own = {row.user_id for row in _members(seat, around.members)}
    if user.pk in own:
        return Turn(seat)
    refusal = ""
    for deputy in around.deputies:
        person = deputy.person
        if person.pk not in own or not _acts_at(deputy, seat):
            continue
        barred = bars.get((batch, person.pk)) or _spent(stages, person)
        if barred is None:
            return Turn(seat, person)
        refusal = f"{barred.they}, so no deputy may approve it for them."
    return Turn(why_not=refusal or f"its stage {seat.name} is decided by {who_decides(seat, around.names)}.")


@dataclass(frozen=True)
class _Bar:
    """Why somebody may not decide, said to them and said of them."""

    you: str
    they: str


def _grounds(batches: Sequence[Batch], users: Iterable[User]) -> dict[tuple[int, int], _Bar]:
    """By batch and user id: own preparation, own pay, own plan; what nobody may sign, whatever they may do otherwise.
    The database refuses the same (comp_stage_moves)."""
    whom = {user.pk: user for user in users}
    found: dict[tuple[int, int], _Bar] = {}

    def bar(batch: int, user: int | None, you: str, they: str) -> None:
        if user in whom:
            found.setdefault((batch, user), _Bar(f"you {you}", f"{whom[user]} {they}"))

    for batch in batches:
        bar(batch.pk, batch.submitted_by_id, "submitted it", "submitted it")
        bar(batch.pk, batch.locked_by_id, "locked it", "locked it")
    lines = BatchLine.objects.filter(batch__in=batches).order_by()
    settled = BatchSettlement.objects.filter(batch__in=batches).order_by()
    mine = {"participant__user_id__in": whom}
    for rows in (lines, settled):
        for at, user in rows.filter(**mine).values_list("batch_id", "participant__user_id").distinct():
            found.setdefault((at, user), _Bar("your own pay is in it", f"{whom[user]}'s own pay is in it"))
    for at, who, number in _own_adjustments(lines, whom):
        bar(at, who, f"prepared the adjustment {number} in it", f"prepared the adjustment {number} in it")
    own = PlanVersion.objects.filter(Q(prepared_by__in=whom) | Q(published_by__in=whom)).select_related("plan")
    versions = {version.pk: version for version in own.order_by("id")}
    rated = {
        pair
        for rows in (lines, settled)
        for pair in rows.filter(plan_version_id__in=versions).values_list("batch_id", "plan_version_id").distinct()
    }
    for at, pk in sorted(rated):
        version = versions[pk]
        prepared, published = f"prepared {version}", f"published {version}"
        for whose, did in ((version.prepared_by_id, prepared), (version.published_by_id, published)):
            bar(at, whose, f"{did}, which rates lines in it", f"{did}, which rates lines in it")
    return found


def _own_adjustments(lines: QuerySet[BatchLine], whom: Collection[int]) -> list[tuple[int, int, str]]:
    """Adjustments by hand among the lines that one of these users prepared: batch, user, number."""
    made = Adjustment.objects.filter(prepared_by__in=whom)
    own = {(row.participant_id, str(row)): row.prepared_by_id for row in made}
    if not own:
        return []
    hands = lines.filter(line_kind=LineNamed.Kind.MANUAL, participant_id__in={person for person, _ in own})
    rows = hands.filter(rule__in={number for _, number in own}).values_list("batch_id", "participant_id", "rule")
    return [(at, own[person, number], number) for at, person, number in sorted(rows) if (person, number) in own]


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


def _members(stage: ApprovalStage, known: Iterable[Membership] | None = None) -> list[Membership]:
    if known is None:
        known = Membership.objects.filter(tenant_id=current_tenant_id()).order_by("id").select_related("user")
    group = stage.batch.pay_group.key
    given = [row for row in known if row.role in stage.roles or row.user_id in stage.people]
    return [row for row in given if not row.pay_groups or group in row.pay_groups]


def deputies_for(stage: ApprovalStage) -> list[Deputy]:
    """The deputies of today who may act at this stage: for everything, or for this stage of this batch."""
    return [deputy for deputy in _deputies() if _acts_at(deputy, stage)]


def _deputies() -> QuerySet[Deputy]:
    rows = Deputy.objects.filter(in_force(today()), revoked_at=None).order_by("id")
    return rows.select_related("person", "deputy", "stage")


def _acts_at(deputy: Deputy, stage: ApprovalStage) -> bool:
    return deputy.stage is None or (deputy.stage.batch_id, deputy.stage.place) == (stage.batch_id, stage.place)


def deputies_known() -> QuerySet[Deputy]:
    """All deputies that were ever named, the latest first."""
    rows = Deputy.objects.select_related("person", "deputy", "stage__batch", "revoked_by")
    return rows.order_by("-starts_on", "-id")


def who_decides(stage: ApprovalStage, names: Mapping[int, str] | None = None) -> str:
    """In words: names (which may be known), or roles."""
    if stage.people:
        names = user_names(stage.people) if names is None else names
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
    batches = list(batches_visible().filter(state=Batch.State.SUBMITTED))
    turns = _turns(batches, user)
    found = [Waiting(one, turn.stage, turn.as_deputy_of) for one in batches if (turn := turns[one.pk]).stage]
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
