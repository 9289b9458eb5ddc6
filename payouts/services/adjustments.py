"""Credits and debits by hand: prepared by one person, agreed to by another where they pass what one may do alone. An
approved one is a payable line of its own number and is never edited; the opposite is a new one that names it.

docs/algorithms/manual.md tells the rules and works them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Sum
from django.db.models.functions import Abs
from django.utils import timezone

from comp.audit.services import record
from comp.core.days import day_date
from comp.core.errors import refused
from comp.core.money import LARGEST, format_money
from comp.people.calendars import period_holding
from comp.people.models import Participant
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Adjustment, AdjustmentFile, AdjustmentPolicy
from payouts.models.manual import State
from payouts.reads.debts import owed
from payouts.reads.plans import version_of
from payouts.selectors import open_period
from payouts.services import ledger
from payouts.services.attachments import File, attachment_add, file_checked
from payouts.services.holds import one_writer, people_follow
from payouts.services.written_off import written_off
from plans.models import Plan, PlanAssignment, PlanVersion

#: First key of the advisory lock under which a tenant's adjustments are numbered and counted against limits.
LOCK = 7015
#: Over how long what one preparer adjusted alone is added up.
ROLLING = timedelta(days=30)
#: No day of an adjustment lies outside.
YEARS = range(2000, 2100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An adjustment as somebody asks for it: `amount_minor` signed, in the person's currency; `origin` a day of the
    pay period where it belongs (the day's own where left out)."""

    participant: Participant
    plan: Plan
    amount_minor: int
    currency: str
    day: date
    reason: str
    component: str = ""
    origin: date | None = None
    answers: Adjustment | None = None


def wanted_checked(wanted: Wanted, prepared_by: User) -> PlanVersion:
    """The plan version that an adjustment stands under; ProblemsError for one that cannot be."""
    person, plan = wanted.participant, wanted.plan
    if not wanted.reason.strip():
        raise refused("reason", "nothing", "a sentence", "An adjustment needs a reason: the person reads it.")
    if person.user_id is not None and person.user_id == prepared_by.pk:
        raise refused("participant", person, "somebody else's pay", "Nobody adjusts their own pay.")
    if not 0 < abs(wanted.amount_minor) <= LARGEST:
        raise refused("amount", wanted.amount_minor, "an amount that is not 0", "An adjustment of 0 adjusts nothing.")
    if wanted.currency != person.currency:
        text = f"{person} is paid in {person.currency}, not in {wanted.currency}."
        raise refused("currency", wanted.currency, person.currency, text)
    if wanted.day.year not in YEARS or (wanted.origin is not None and wanted.origin.year not in YEARS):
        raise refused("day", wanted.day, f"{YEARS[0]} to {YEARS[-1]}", f"No pay period holds {wanted.day:%-d %B %Y}.")
    if not PlanAssignment.objects.filter(participant=person, plan=plan).exists():
        raise refused("plan", plan, "a plan that they are or were on", f"{person} was never on {plan}.")
    versions = PlanVersion.objects.filter(plan=plan).exclude(state=PlanVersion.State.DRAFT)
    if wanted.component:
        known = {each.key for version in versions for each in version_of(version).says.components}
        if wanted.component not in known:
            text = f"{plan} has no component {wanted.component}; it has {', '.join(sorted(known))}."
            raise refused("component", wanted.component, ", ".join(sorted(known)), text)
    answers = wanted.answers
    if answers is not None and (answers.state != State.APPROVED or answers.participant_id != person.pk):
        raise refused(
            "answers", answers, "an approved one of theirs", f"{answers} is no adjustment of {person} to take back."
        )
    if answers is not None:
        _left_to_take_back(answers, wanted)
    return _version(versions, wanted.day)


def _left_to_take_back(answers: Adjustment, wanted: Wanted) -> None:
    """An adjustment is taken back by amounts of the other sign, and no further than itself."""
    ended = (State.REFUSED, State.WITHDRAWN)
    rows = Adjustment.objects.filter(answers=answers).exclude(state__in=ended)
    left = answers.amount_minor + (rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
    if left * wanted.amount_minor >= 0 or abs(wanted.amount_minor) > abs(left):
        most = format_money(-left, answers.currency)
        text = f"Of {answers} there is {most} to take back, no more." if left else f"{answers} was taken back already."
        raise refused("amount", wanted.amount_minor, most, text)


def adjustment_prepare(
    *,
    wanted: Wanted,
    attachment: File | None,
    prepared_by: User,
    kind: Adjustment.Kind = Adjustment.Kind.MANUAL,
    balance: str = "",
    **named: Any,
) -> Adjustment:
    """Writes an adjustment down as a draft with the next number. A manual one needs its attachment. `named` are the
    file, letter or line that it follows from."""
    if kind == Adjustment.Kind.MANUAL and attachment is None:
        raise refused("attachment", "none", "a file", "A manual adjustment needs an attachment that proves it.")
    if attachment is not None:
        file_checked(attachment)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_writer()  # before the audit's lock: it may count at once, in the same transaction
        version = wanted_checked(wanted, prepared_by)
        one_counter()
        person = wanted.participant
        last = Adjustment.objects.aggregate(last=Max("number"))["last"] or 0
        belongs = period_holding(person.pay_group.calendar, wanted.origin or wanted.day)
        kept = attachment and attachment_add(participant=person, file=attachment, added_by=prepared_by)
        found = Adjustment.objects.create(
            number=last + 1, kind=kind, participant=person, pay_group_id=person.pay_group_id, plan=wanted.plan,
            plan_version=version, component=wanted.component, day=wanted.day,
            origin_starts_on=day_date(belongs.start), amount_minor=wanted.amount_minor, currency=wanted.currency,
            balance=balance, reason=wanted.reason.strip(), attachment=kept, answers=wanted.answers,
            state=State.DRAFT, prepared_by=prepared_by, **named,
        )  # fmt: skip
        record(code="adjustment.prepare", subject=found, after=_facts(found), reason=found.reason)
    return found


def adjustment_submit(*, adjustment: Adjustment, by: User) -> Adjustment:
    """A draft counts at once where its preparer may do so much alone, else it waits for a second person."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        return adjustments_submit([adjustment], by)[0]


def adjustment_approve(*, adjustment: Adjustment, approved_by: User, reason: str = "") -> Adjustment:
    """A second person agrees: it is payable from its day on."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        return adjustments_decide([adjustment], State.APPROVED, approved_by, reason)[0]


def adjustment_refuse(*, adjustment: Adjustment, refused_by: User, reason: str) -> Adjustment:
    """A second person does not agree, and says why: it counts for nothing and keeps its number."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        return adjustments_decide([adjustment], State.REFUSED, refused_by, reason)[0]


def adjustment_withdraw(*, adjustment: Adjustment, by: User) -> Adjustment:
    """Its preparer takes a draft, or one that waits, back."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        (found,) = _locked([adjustment])
        if found.state not in (State.DRAFT, State.WAITING) or found.prepared_by_id != by.pk:
            raise _not(found, "only its preparer withdraws it, and only before somebody decided")
        before, found.state = _facts(found), State.WITHDRAWN
        found.save(update_fields=["state"])
        record(code="adjustment.withdraw", subject=found, before=before, after=_facts(found))
    return found


def file_take(*, rows: Iterable[tuple[Wanted, File]], name: str, digest: str, by: User) -> AdjustmentFile:
    """All adjustments of a file or none, each with its own row as attachment. Together they count at once where `by`
    may do so much alone, else the file waits for one decision."""
    rows = list(rows)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_writer()
        one_counter()
        if AdjustmentFile.objects.filter(digest=digest).exists():
            raise refused("file", name, "another file", f"The same file as “{name}” was taken before.")
        sums: dict[str, int] = {}
        for wanted, _ in rows:
            sums[wanted.currency] = sums.get(wanted.currency, 0) + wanted.amount_minor
        file = AdjustmentFile.objects.create(
            name=name[:200], digest=digest, rows=len(rows), totals=sums, uploaded_by=by
        )
        drafts = [
            adjustment_prepare(wanted=wanted, attachment=proof, prepared_by=by, file=file) for wanted, proof in rows
        ]
        record(code="adjustment.file", subject=file, after={"rows": len(rows), "digest": digest})
        adjustments_submit(drafts, by)
    return file


def file_decide(*, file: AdjustmentFile, state: State, decided_by: User, reason: str) -> int:
    """One decision for all of a file that waits; returns how many."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        rows = list(Adjustment.objects.filter(file=file, state=State.WAITING).order_by("number"))
        if not rows:
            raise refused("file", file, "a file that waits", f"Nothing of “{file}” waits for a decision.")
        return len(adjustments_decide(rows, state, decided_by, reason))


def due_now(participant: Participant) -> date:
    """The day by which something is paid with the person's open period: today, or its last day where that is past."""
    return min(today(), day_date(open_period(participant.pay_group).end - 1))


def left_alone(prepared_by: User, currency: str) -> int | None:
    """How much more somebody may adjust alone now; None where no limit is set and a second person always decides.
    Inside a scope that sees everybody's pay."""
    most = AdjustmentPolicy.objects.filter(currency=currency).values_list("alone_minor", flat=True).first()
    if most is None:
        return None
    done = Adjustment.objects.filter(
        prepared_by=prepared_by, currency=currency, alone=True, state=State.APPROVED,
        decided_at__gt=timezone.now() - ROLLING,
    ).aggregate(minor=Sum(Abs("amount_minor")))["minor"]  # fmt: skip
    return max(0, most - int(done or 0))


# ------------------------------------------------------------------ shared with files, letters and reviews


def adjustments_submit(drafts: Iterable[Adjustment], by: User) -> list[Adjustment]:
    """Drafts of one preparer, judged together: all count at once or all wait. Inside a scope of everybody's pay."""
    one_writer()
    one_counter()
    rows = _locked(drafts)
    asked: dict[str, int] = {}
    for row in rows:
        if row.state != State.DRAFT or row.prepared_by_id != by.pk:
            raise _not(row, "only its preparer submits it, and only once")
        asked[row.currency] = asked.get(row.currency, 0) + abs(row.amount_minor)
    alone = all(row.kind == Adjustment.Kind.MANUAL for row in rows) and all(
        (left := left_alone(by, currency)) is not None and minor <= left for currency, minor in asked.items()
    )
    for row in rows:
        before = _facts(row)
        row.state = State.APPROVED if alone else State.WAITING
        row.alone, row.decided_at = alone, timezone.now() if alone else None
        row.save(update_fields=["state", "alone", "decided_at"])
        record(code="adjustment.submit", subject=row, before=before, after=_facts(row), reason=row.reason)
    if alone:
        _pay(rows)
    return rows


def adjustments_decide(found: Iterable[Adjustment], state: State, decided_by: User, reason: str) -> list[Adjustment]:
    """A second person's decision on what waits. Inside a scope of everybody's pay."""
    if state == State.APPROVED:
        one_writer()  # what is owed stands still, and two who let it go are judged one after the other
    rows, reason = _locked(found), reason.strip()
    if state == State.REFUSED and not reason:
        raise refused("reason", "nothing", "a sentence", "Say why, so that the preparer knows what to do.")
    for row in rows:
        if row.state != State.WAITING:
            raise _not(row, "only one that waits is decided")
        if row.prepared_by_id == decided_by.pk:
            raise _not(row, "you prepared it, so somebody else has to decide")
        if row.participant.user_id == decided_by.pk:
            raise _not(row, "it is your own pay, so somebody else has to decide")
        if row.kind == Adjustment.Kind.WRITE_OFF and state == State.APPROVED:
            check_owed(row.participant, row.plan, row.balance, row.amount_minor, but=row)
        before = _facts(row)
        row.state, row.decided_by, row.decided_at, row.decision = state, decided_by, timezone.now(), reason
        row.save(update_fields=["state", "decided_by", "decided_at", "decision"])
        if state == State.APPROVED and row.kind == Adjustment.Kind.WRITE_OFF:
            written_off(row)
        if state == State.APPROVED and row.balance:
            ledger.write_off(row)  # of the open period it is a line, which its batch posts
        code = "adjustment.approve" if state == State.APPROVED else "adjustment.refuse"
        record(code=code, subject=row, before=before, after=_facts(row), reason=reason)
    if state == State.APPROVED:
        _pay(rows)
    return rows


def check_owed(
    participant: Participant, plan: Plan, balance: str, amount_minor: int, *, but: Adjustment | None = None
) -> None:
    """ProblemsError where somebody owes less than is to be let go (`but` the write-off that says so)."""
    most = owed(participant, plan, balance, but=but)
    if not 0 < amount_minor <= most:
        words = format_money(most, participant.currency)
        text = f"{participant} owes {words} by {plan}: no more is let go."
        raise refused("amount", amount_minor, f"up to {words}", text)


def _pay(rows: list[Adjustment]) -> None:
    """Payables of the people follow, in whose figures nobody else writes."""
    people = sorted({row.participant_id for row in rows})
    label = (
        f"{rows[0]}: {rows[0].reason}" if len(rows) == 1 else f"{rows[0]} to {rows[-1]}: {rows[0].file or 'adjusted'}"
    )
    people_follow(people, label, [0])


def _locked(rows: Iterable[Adjustment]) -> list[Adjustment]:
    ids = [row.pk for row in rows]
    found = Adjustment.objects.select_for_update(of=("self",)).select_related("participant", "plan", "file")
    return list(found.filter(pk__in=ids).order_by("number"))


def one_counter() -> None:
    """Nobody else numbers adjustments, or counts what is left to decide about, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, current_tenant_id()])


def _version(versions: Any, day: date) -> PlanVersion:
    """The version in force on the day, else the last before it, else the first."""
    rows = sorted(versions, key=lambda row: (row.starts_on, row.number))
    before = [row for row in rows if row.starts_on <= day]
    published = [row for row in before if row.state == PlanVersion.State.PUBLISHED]
    if not rows:
        raise refused("plan", "no version", "a published plan", "The plan was never in force.")
    return (published or before or rows[:1])[-1]


def _not(row: Adjustment, why: str) -> Exception:
    return refused("adjustment", row.get_state_display(), why, f"{row} ({row.get_state_display().lower()}): {why}.")


def _facts(row: Adjustment) -> dict[str, Any]:
    """What the audit keeps: who reads it may not be allowed to see amounts, so it tells none but the row's number."""
    return {
        "state": str(row.state),
        "kind": str(row.kind),
        "participant": row.participant.key,
        "day": row.day.isoformat(),
        "alone": row.alone,
    }


def amount_text(row: Adjustment) -> str:
    """`+1,250.00 USD` or `−80.00 USD`, in words of the page."""
    return ("+" if row.amount_minor > 0 else "") + format_money(row.amount_minor, row.currency)
