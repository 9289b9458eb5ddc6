"""What a dispute is about as it stands, what of it is copied at the opening, and which disputes somebody has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet, Sum

from comp.people.models import Participant, PayGroup
from comp.tenancy.capabilities import Can, capabilities
from comp.tenancy.models import Membership, User
from comp.tenancy.scope import current_tenant_id
from crediting.models import Credit, Deal, DealTeam, Fact, FactTeam
from payouts.models import Adjustment, Batch, BatchLine, Dispute, Earning, Payable, Statement
from payouts.models.figures import LINE_KEY, STATEMENT_PARTS, LineNamed
from payouts.reads.changes import of_line
from payouts.reads.labels import line_label
from payouts.reads.lines import lines, told
from payouts.reads.periods import Span, open_span, pay_group_of, span_holding
from payouts.selectors import TAKEN
from plans.models import PlanAssignment, PlanVersion

#: The states in which somebody still has to do something.
STANDING = (Dispute.State.OPEN, Dispute.State.IN_REVIEW)


def standing(rows: QuerySet[Dispute] | None = None) -> QuerySet[Dispute]:
    """Disputes that are neither decided nor withdrawn."""
    return (Dispute.objects.all() if rows is None else rows).filter(state__in=STANDING)


def line_key(row: Any) -> dict[str, Any]:
    """What names a line of a person, of an earning or a dispute."""
    key = {name: getattr(row, name) for name in LINE_KEY if name not in ("participant", "plan")}
    return {**key, "participant_id": row.participant_id, "plan_id": row.plan_id}


def of_line_standing(earning: Earning) -> Dispute | None:
    """The dispute that stands about a line; there is one at most."""
    return standing().filter(about=Dispute.About.LINE, **line_key(earning)).first()


def of_period(participant_id: int, row: Statement) -> QuerySet[Dispute]:
    """The standing disputes of somebody's pay period: of its statement, and of the lines whose day lies in it."""
    return standing().filter(participant_id=participant_id, pay_period=row.period_starts_on, run=row.run)


def marked(rows: QuerySet[Statement]) -> QuerySet[Statement]:
    """Statements, each `disputed` or not, so that nobody asks for the disputes of one without any."""
    named = {"participant": OuterRef("participant"), "pay_period": OuterRef("period_starts_on"), "run": OuterRef("run")}
    return rows.annotate(disputed=Exists(standing().filter(**named)))


def line_of(dispute: Dispute) -> Earning | None:
    """The line as it stands; None of a statement, or where the line is no more."""
    if dispute.about != Dispute.About.LINE:
        return None
    return Earning.objects.filter(**line_key(dispute)).first()


def statement_of(dispute: Dispute) -> Statement | None:
    """The statement of the pay period as it stands."""
    rows = Statement.objects.filter(participant_id=dispute.participant_id, run=dispute.run)
    return rows.filter(period_starts_on=dispute.pay_period).first()


def standing_minor(dispute: Dispute) -> int:
    """What the line earns, or the statement pays, now; nothing where it is no more."""
    if dispute.about == Dispute.About.LINE:
        line = line_of(dispute)
        return 0 if line is None else line.earned_minor
    row = statement_of(dispute)
    return 0 if row is None else row.payout_minor


def after_it(dispute: Dispute) -> Span | None:
    """The pay period that was open at the decision about a statement that a batch had taken by then: what changed is
    paid with it. None where the statement still followed the figures."""
    if dispute.about != Dispute.About.STATEMENT or dispute.decided_at is None:
        return None
    group = pay_group_of(dispute.participant)
    taken = Batch.objects.filter(pay_group=group, run=0, state__in=TAKEN, starts_on__gte=dispute.pay_period)
    later = taken.filter(locked_at__gt=dispute.decided_at).order_by("starts_on").first()
    span = open_span(group) if later is None else span_holding(group, later.starts_on)
    return span if dispute.run or span.starts_on > dispute.pay_period else None


def paid_with(adjustment: Adjustment) -> Span | None:
    """The pay period with which an adjustment by hand is paid; None where its day has not come."""
    named = {"participant": adjustment.participant_id, "rule": adjustment.name, "line_kind": LineNamed.Kind.MANUAL}
    taken = BatchLine.objects.filter(batch__state__in=TAKEN, **named)
    starts = [
        day
        for rows in (taken, Payable.objects.filter(**named))
        for day in rows.values_list("period_starts_on", flat=True)
    ]
    return span_holding(pay_group_of(adjustment.participant), min(starts)) if starts else None


def copied_line(earning: Earning) -> dict[str, Any]:
    """A line as it stands, in plain values: numbers are minor units."""
    person = Participant.objects.get(pk=earning.participant_id)
    group = pay_group_of(person)
    open_ends = open_span(group).ends_on
    (line,) = told(lines(person.pk, open_ends).filter(pk=earning.pk), open_ends=open_ends)
    changes = of_line(earning)
    span = span_holding(group, earning.credit_date)
    statement = Statement.objects.filter(participant=person, period_starts_on=span.starts_on, run=0).first()
    return {
        "label": line_label(earning, earning.deal),
        "deal": earning.deal.external_id if earning.deal is not None else "",
        "component": line.component,
        "plan": str(PlanVersion.objects.select_related("plan").get(pk=earning.plan_version_id)),
        "credited_on": earning.credit_date.isoformat(),
        "credited_minor": earning.credit_minor,
        "rate": line.rate,
        "earned_minor": earning.earned_minor,
        "currency": earning.currency,
        "state": line.state,
        "waits_for": line.cause,
        "cause": changes[0].cause.label if changes else "",
        "period": span.name,
        "statement_revision": statement.revision if statement is not None else None,
    }


def copied_statement(statement: Statement) -> dict[str, Any]:
    """A statement as it stands, in plain values."""
    person = Participant.objects.get(pk=statement.participant_id)
    span = span_holding(pay_group_of(person), statement.period_starts_on)
    return {
        "label": f"Statement {span.name}",
        "period": span.name,
        "lines": statement.lines,
        **{name: getattr(statement, name) for name in STATEMENT_PARTS},
        "payout_minor": statement.payout_minor,
        "currency": statement.currency,
        "state": statement.state,
        "statement_revision": statement.revision,
    }


# ------------------------------------------------------------------ whether a change concerns somebody


def deal_concerns(dispute: Dispute, deal: Deal) -> bool:
    """Whether it is the disputed line's deal, or one that the person stands on or is credited for."""
    person = dispute.participant_id
    return (
        dispute.deal_id == deal.pk
        or DealTeam.objects.filter(deal=deal, participant_id=person).exists()
        or Credit.objects.filter(deal=deal, participant_id=person).exists()
    )


def fact_concerns(dispute: Dispute, fact: Fact) -> bool:
    """The same of what happened beside deals, or to one of them."""
    person = dispute.participant_id
    return (
        dispute.fact == fact.pk
        or FactTeam.objects.filter(fact=fact, participant_id=person).exists()
        or Credit.objects.filter(fact=fact.pk, participant_id=person).exists()
        or (fact.deal is not None and deal_concerns(dispute, fact.deal))
    )


def version_concerns(dispute: Dispute, version: PlanVersion) -> bool:
    """Whether the version was published, of a plan that the person is or was on."""
    on = PlanAssignment.objects.filter(participant_id=dispute.participant_id, plan_id=version.plan_id).exists()
    return on and version.state != PlanVersion.State.DRAFT


def changes_named(dispute: Dispute, number: str) -> list[Deal | Fact]:
    """The deals and other facts that a decision may mean by a number. Sources may give the same one: the dispute's own
    deal or fact is meant before those that concern the person, a deal before another fact; where none concerns them,
    one of them, whose refusal says so. What `named_in_full` gives is taken for a number too."""
    rows = _numbered(number)
    if not rows and OF in number:
        rows = [row for row in _numbered(number.partition(OF)[2]) if named_in_full(row) == number]
    near = [row for row in rows if row.pk in (dispute.deal_id, dispute.fact)]
    near = near or [row for row in rows if _concerns(dispute, row)]
    return [row for row in near if isinstance(row, Deal)] or near or rows[:1]


def number_of(fact: int) -> str:
    """The number of another fact; nothing where there is none."""
    return Fact.objects.filter(pk=fact).values_list("external_id", flat=True).first() or ""


#: What stands between a source and a number of it.
OF = ": "


def named_in_full(row: Deal | Fact) -> str:
    """The number with its source, and with its kind where it is no deal's: `crm: D3`, `crm usage: D3`."""
    kind = f" {row.kind}" if isinstance(row, Fact) else ""
    return f"{row.endpoint.key}{kind}{OF}{row.external_id}"


def _numbered(number: str) -> list[Deal | Fact]:
    """All that have the number: one of each source, or of each kind of a source."""
    deals = Deal.objects.filter(external_id=number).select_related("endpoint").order_by("id")
    return [*deals, *Fact.objects.filter(external_id=number).select_related("endpoint", "deal").order_by("id")]


def _concerns(dispute: Dispute, row: Deal | Fact) -> bool:
    return deal_concerns(dispute, row) if isinstance(row, Deal) else fact_concerns(dispute, row)


def adjustment_named(name: str) -> Adjustment | None:
    """The adjustment of a number as people write it: ADJ-000012, adj-12, 12."""
    number = name.upper().removeprefix("ADJ-").lstrip("0")
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        return None
    return Adjustment.objects.select_related("participant").filter(number=int(number)).first()


# ------------------------------------------------------------------ who


def handlers(group: PayGroup, *, but: int | None = None) -> list[User]:
    """Who handles disputes of a pay group: by role, by whose pay they may see, and not closed out. `but`: not this
    user."""
    able = able_in([group])[group.pk] - {but}
    return sorted(User.objects.filter(pk__in=able), key=lambda user: (str(user), user.pk))


def able_in(groups: Iterable[PayGroup]) -> dict[int, set[int]]:
    """Pay group to the users who handle its disputes."""
    roles: dict[int, list[str]] = defaultdict(list)
    seen: dict[int, set[str]] = defaultdict(set)
    for row in Membership.objects.filter(tenant_id=current_tenant_id(), user__is_active=True):
        roles[row.user_id].append(row.role)
        seen[row.user_id].update(row.pay_groups)
    able = {user for user, held in roles.items() if Can.DISPUTE_HANDLE in capabilities(held)}
    return {group.pk: {user for user in able if not seen[user] or group.key in seen[user]} for group in groups}


# ------------------------------------------------------------------ lists


def stakes(rows: QuerySet[Dispute]) -> list[tuple[int, str]]:
    """What is at stake in these, by currency."""
    found = rows.exclude(stake_minor=None).order_by("currency").values_list("currency").annotate(Sum("stake_minor"))
    return [(int(minor), currency) for currency, minor in found]


def standing_by_person(people: Iterable[int]) -> dict[int, list[int]]:
    """The numbers of the standing disputes of each of these."""
    found: dict[int, list[int]] = {}
    rows = standing().filter(participant_id__in=set(people)).order_by("number")
    for person, number in rows.values_list("participant_id", "number"):
        found.setdefault(person, []).append(number)
    return found


#: The queue: the oldest first, or what moves most, each currency for itself: amounts of two are not compared.
ORDERS = {
    "age": ("opened_at", "number"),
    "money": ("currency", F("stake_minor").desc(nulls_last=True), "number"),
}
