"""Side letters: a person's own terms for some time. One that guarantees an amount a month is paid by approved
adjustments, one a month, as long as it runs; one that changes rates names the plan version that states them as
overrides for the person: the plan language stays the only place where rates are."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection

from comp.audit.services import record
from comp.core.days import day_date
from comp.core.errors import refused
from comp.core.money import LARGEST
from comp.people.calendars import measure_periods
from comp.people.models import Participant
from comp.people.selectors import today
from comp.people.timeline import check_dates
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Adjustment, SideLetter
from payouts.models.manual import State
from payouts.services.adjustments import Wanted, adjustment_prepare, adjustments_decide, adjustments_submit
from payouts.services.attachments import File, attachment_add
from payouts.services.decisions import decide, not_own, prepared, reasoned
from payouts.services.holds import one_writer
from plans.models import Plan, PlanAssignment, PlanVersion


def letter_prepare(
    *,
    participant: Participant,
    plan: Plan,
    starts_on: date,
    ends_on: date,
    text: str,
    attachment: File,
    reason: str,
    prepared_by: User,
    monthly_minor: int | None = None,
    plan_version: PlanVersion | None = None,
) -> SideLetter:
    """Writes a letter down for [starts_on, ends_on): either an amount a month, in the person's currency, or the version
    of the plan that carries its terms."""
    reason = reasoned(reason, "A side letter")
    not_own(participant, prepared_by, "terms")
    check_dates(starts_on, ends_on)
    if not text.strip():
        raise refused("text", "nothing", "what was agreed", "A side letter needs its text.")
    if (monthly_minor is None) == (plan_version is None):
        text = "A side letter says an amount a month, or which plan version carries its terms: one of the two."
        raise refused("monthly", "both or neither", "one of the two", text)
    if monthly_minor is not None and not 0 < monthly_minor <= LARGEST:
        raise refused("monthly", monthly_minor, "more than 0", "An amount a month has to be more than 0.")
    if plan_version is not None and (plan_version.plan_id != plan.pk or plan_version.state == PlanVersion.State.DRAFT):
        text = f"{plan_version} is no published version of {plan}."
        raise refused("plan_version", plan_version, f"a published version of {plan}", text)
    if not PlanAssignment.objects.filter(participant=participant, plan=plan).exists():
        raise refused("plan", plan, "a plan that they are or were on", f"{participant} was never on {plan}.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        letter = SideLetter.objects.create(
            participant=participant, pay_group_id=participant.pay_group_id, plan=plan, starts_on=starts_on,
            ends_on=ends_on, text=text.strip(), monthly_minor=monthly_minor, currency=participant.currency,
            attachment=attachment_add(participant=participant, file=attachment, added_by=prepared_by),
            plan_version=plan_version, reason=reason, prepared_by=prepared_by,
        )  # fmt: skip
        prepared(letter, "letter.prepare")
    return letter


def letter_decide(*, letter: SideLetter, state: State, decided_by: User, reason: str = "") -> SideLetter:
    """A second person agrees: its months up to today are paid at once, later ones as they begin."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        if state == State.APPROVED:
            one_writer()
        found = decide(letter, state, decided_by, reason, "letter")
        if state == State.APPROVED:
            _pay(found)
    return found


def letters_pay() -> int:
    """Pays the months of approved letters that have begun and are not paid yet; the same again pays nothing. Inside a
    tenant's scope; returns how many."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        rows = SideLetter.objects.filter(state=State.APPROVED, monthly_minor__isnull=False, starts_on__lte=today())
        return sum(_pay(letter) for letter in rows.select_related("participant__pay_group__calendar"))


def _pay(letter: SideLetter) -> int:
    """One adjustment for each month that begins within the letter's dates, dated on its first day of them."""
    if letter.monthly_minor is None or letter.decided_by is None:
        return 0
    # Two at once would both find the month unpaid: the second waits here, and then finds it paid.
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM payouts_sideletter WHERE id = %s FOR UPDATE", [letter.pk])
    last = min(letter.ends_on - timedelta(days=1), today())
    done = set(Adjustment.objects.filter(letter=letter).values_list("day", flat=True))
    made = 0
    for month in measure_periods(
        letter.participant.pay_group.calendar, "month", letter.starts_on, max(last, letter.starts_on)
    ):
        day = max(day_date(month.start), letter.starts_on)
        if day in done or day > last:
            continue
        wanted = Wanted(
            letter.participant, letter.plan, letter.monthly_minor, letter.currency, day,
            f"Side letter {letter} for {month.name}: {letter.reason}",
        )  # fmt: skip
        draft = adjustment_prepare(
            wanted=wanted, attachment=None, prepared_by=letter.prepared_by, kind=Adjustment.Kind.LETTER, letter=letter
        )
        adjustments_submit([draft], letter.prepared_by)
        adjustments_decide([draft], State.APPROVED, letter.decided_by, f"{letter}, approved for its dates")
        made += 1
    if made:
        record(code="letter.pay", subject=letter, after={"months": made})
    return made
