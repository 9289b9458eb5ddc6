"""The opening batch of a cut-over: what another system paid, taken as if a batch of ours had, so that none of it is
owed again; and the balances that the first pay period starts from. docs/cutover.md

It stands in the pay period before the switch, is built anew whenever files, the day or the figures move, and is posted
when the switch is signed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Q, Sum
from django.utils import timezone

from comp.core.days import day_date
from comp.people.calendars import period_holding
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.scope import current_scope
from comp.tenancy.selectors import own_currency
from payouts.frames.sql import quoted
from payouts.frames.tables import LINE
from payouts.models import (
    Batch,
    BatchDraw,
    BatchLine,
    BatchSettlement,
    Cause,
    CutOver,
    OpeningBalance,
    OpeningTranche,
    Payable,
    Statement,
)
from payouts.models.figures import LineNamed
from payouts.models.settlements import Waterfall
from payouts.reads.digests import batch_digests_of
from payouts.reads.plans import version_of
from payouts.selectors import TAKEN
from payouts.selectors_batches import subject_totals
from payouts.services.batch_steps import BatchError, State, audit, batch_facts, lines_of, one_writer, statements_open
from payouts.services.given_up import given_up_note
from payouts.services.payables import payables_refresh
from payouts.services.periods import CONVERTED, sums_write
from payouts.services.scopes import scopes_kept
from plans.models import PlanVersion
from plans.rules.compiled import CompiledPlan
from plans.selectors import version_in_force

Kind = OpeningBalance.Kind
#: As off-cycle batches have runs above zero.
RUN = -1
#: The key of an opening's lines, beside participant, plan, component and the day it stands for (payouts.frames).
RULE = "opening"

_KEY = ", ".join(quoted(column) for column in (*LINE, "index", "part"))
_OF_PAYABLE = ", ".join(f"p.{column}" for column in _KEY.split(", "))
_SAME_LINE = " AND ".join(f"e.{quoted(column)} = p.{quoted(column)}" for column in LINE)
#: Free payables that belong before the switch: the system before paid those too, in another currency at our rate of
#: today, which is kept: nobody tells us theirs. What their lines earned is what they keep of a budget.
_PAID_BEFORE = f"""
INSERT INTO payouts_batchline (tenant_id, batch_id, statement_id, {_KEY}, deal_id, pay_group_id, period_starts_on,
    origin_starts_on, kind, plan_version_id, credit_date, amount_minor, currency, cause_id, trace)
SELECT p.tenant_id, %(batch)s, s.id, {_OF_PAYABLE}, p.deal_id, p.pay_group_id, %(starts_on)s,
    p.origin_starts_on, 'release', p.plan_version_id, p.credit_date, p.amount_minor, p.currency, p.cause_id,
    jsonb_build_object('earned_minor', e.earned_minor, 'posted_minor', 0, 'plan_version', v.digest) || {CONVERTED}
FROM payouts_payable p
JOIN payouts_statement s ON (s.tenant_id, s.participant_id, s.period_starts_on, s.run) =
    (p.tenant_id, p.participant_id, %(starts_on)s, {RUN})
JOIN plans_planversion v ON v.tenant_id = p.tenant_id AND v.id = p.plan_version_id
LEFT JOIN payouts_earning e ON e.tenant_id = p.tenant_id AND {_SAME_LINE}
WHERE p.pay_group_id = %(group)s AND p.origin_starts_on < %(day)s AND p.hold_id IS NULL
    AND p.line_kind NOT IN ({LineNamed.Kind.MANUAL.value}, {LineNamed.Kind.OPENING.value})
"""
_PEOPLE_BEFORE = f"""
SELECT DISTINCT participant_id FROM payouts_payable
WHERE pay_group_id = %s AND origin_starts_on < %s AND hold_id IS NULL
    AND line_kind NOT IN ({LineNamed.Kind.MANUAL.value}, {LineNamed.Kind.OPENING.value})
"""


def opening_is_stale(cut_over: CutOver) -> bool:
    """Whether figures that belong before the switch moved since its opening batch was built."""
    rows = Payable.objects.filter(pay_group=cut_over.pay_group, origin_starts_on__lt=cut_over.day, hold=None)
    # As what the batch takes of them: an opening's tranche may be due since before the switch, and is for us to pay.
    return rows.exclude(line_kind__in=(LineNamed.Kind.MANUAL, LineNamed.Kind.OPENING)).exists()


def opening_build(cut_over: CutOver, *, by: User) -> Batch:
    """The opening batch of an open cut-over, built anew from its files and from the payables that belong before the
    switch; the one before counts for nothing. In the caller's transaction, inside a scope of everybody's pay."""
    one_writer()
    opening_void(cut_over, by=by, reason="Built anew: what is brought forward moved.")
    period = period_holding(cut_over.pay_group.calendar, cut_over.day - timedelta(days=1))
    starts_on = day_date(period.start)
    said: dict[str, Any] = {
        "pay_group": cut_over.pay_group,
        "starts_on": starts_on,
        "ends_on": cut_over.day,
        "kind": Batch.Kind.OPENING,
        "run": RUN,
        "name": f"Brought forward from {cut_over.source}, {cut_over.pay_group.name}",
        "pay_on": cut_over.day - timedelta(days=1),
        "locked_by": by,
    }
    # What a batch says of its lines is fixed when it is made: they are made once to be added up.
    mark = transaction.savepoint()
    trial = Batch.objects.create(**said, people=0, lines=0, totals={}, digest="")
    _fill(trial, cut_over)
    found, sums = batch_digests_of(trial.pk), subject_totals(trial)
    deals = lines_of(trial).exclude(deal=None).values("deal").distinct().count()
    transaction.savepoint_rollback(mark)

    batch = Batch.objects.create(
        **said, people=len(found.people), lines=found.lines, deals=deals, totals=sums, digest=found.all
    )
    _fill(batch, cut_over)
    sums_write(batch, found)
    given_up_note(batch)
    cut_over.batch = batch
    cut_over.save(update_fields=["batch"])
    audit("batch.lock", batch, after=batch_facts(batch))
    _moved(batch, f"{batch.name}: taken as paid")
    return batch


def opening_void(cut_over: CutOver, *, by: User, reason: str) -> None:
    """The opening batch that stands counts for nothing any more."""
    batch = cut_over.batch
    if batch is None or batch.state == State.VOIDED:
        return
    if batch.state != State.IN_REVIEW:
        raise BatchError(f"{batch}: it is {batch.get_state_display().lower()}, and stays as it is.")
    batch.state, batch.voided_by, batch.voided_at, batch.void_reason = State.VOIDED, by, timezone.now(), reason
    batch.save(update_fields=["state", "voided_by", "voided_at", "void_reason"])
    statements_open(batch)
    audit("batch.void", batch, State.IN_REVIEW, batch_facts(batch), reason)
    _moved(batch, f"{batch.name}: counts for nothing")


def _moved(batch: Batch, label: str) -> None:
    cause = Cause.objects.create(kind=Cause.Kind.BATCH, label=label, actor=current_scope().actor.label)
    people = set(Participant.objects.filter(pay_group_id=batch.pay_group_id).values_list("id", flat=True))
    people.update(lines_of(batch).values_list("participant_id", flat=True))
    payables_refresh(participants=sorted(people), cause=cause)
    if batch.state not in TAKEN:
        scopes_kept(batch=batch, label=label)


# ------------------------------------------------------------------ what it takes


def _fill(batch: Batch, cut_over: CutOver) -> None:
    """Lines, settlements and statements of the batch."""
    paid = OpeningTranche.objects.filter(
        opening__cut_over=cut_over, opening__taken_back_at=None, release_day__lt=cut_over.day
    )
    balances = list(OpeningBalance.objects.filter(cut_over=cut_over, taken_back_at=None).select_related("plan"))
    people = {*paid.values_list("participant_id", flat=True), *(row.participant_id for row in balances)}
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE_BEFORE, [batch.pay_group_id, cut_over.day])
        people.update(row[0] for row in cursor.fetchall())
    statements = _statements(batch, people)
    versions = _Versions(cut_over.day - timedelta(days=1))
    BatchLine.objects.bulk_create(
        [
            BatchLine(
                batch=batch,
                statement_id=statements[row.participant_id],
                participant_id=row.participant_id,
                pay_group_id=batch.pay_group_id,
                plan_id=row.opening.plan_id,
                component=row.opening.component,
                line_kind=LineNamed.Kind.OPENING,
                rule=RULE,
                period=row.opening.day,
                index=row.index,
                period_starts_on=batch.starts_on,
                origin_starts_on=batch.starts_on,
                kind="release",
                plan_version_id=versions.of(row.opening.plan_id, row.opening.day),
                credit_date=row.opening.day,
                amount_minor=row.amount_minor if row.paid_minor is None else row.paid_minor,
                currency=row.paid_in or row.currency,
                trace={"earned_minor": row.opening.earned_minor, "measured_minor": row.opening.measured_minor}
                | _converted(row),
            )
            for row in paid.select_related("opening").order_by("opening_id", "index")
        ],
        batch_size=2000,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _PAID_BEFORE,
            {
                "batch": batch.pk,
                "starts_on": batch.starts_on,
                "group": batch.pay_group_id,
                "day": cut_over.day,
                "own": own_currency(),
            },
        )
    _balances(batch, cut_over, balances, versions)


def _converted(row: OpeningTranche) -> dict[str, Any]:
    """By which rate of the system before a line was paid."""
    if row.paid_rate is None:
        return {}
    return {"plan_minor": row.amount_minor, "rate_from": row.currency, "rate": row.rate_words}


def _statements(batch: Batch, people: Iterable[int]) -> dict[int, int]:
    """Participant id to statement id."""
    now = timezone.now()
    currencies = dict(Participant.objects.filter(id__in=people).values_list("id", "currency"))
    sums = dict.fromkeys(("released_minor", "adjustments_minor", "payout_minor", "lines"), 0)
    made = Statement.objects.bulk_create(
        [
            Statement(
                participant_id=person, pay_group_id=batch.pay_group_id, period_starts_on=batch.starts_on,
                period_ends_on=batch.ends_on, run=RUN, state=Statement.State.IN_BATCH, currency=currency, digest="",
                calculated_at=now, data_at=now, **sums,
            )
            for person, currency in sorted(currencies.items())
        ],
        batch_size=2000,
    )  # fmt: skip
    return {row.participant_id: row.pk for row in made}


#: Participant, plan and currency.
_Account = tuple[int, int, str]


@dataclass(slots=True)
class _Came:
    """What the lines of an account come to, and what of them is of the fiscal year, in minor units; the last plan
    version of them, 0 for none."""

    minor: int = 0
    of_year: int = 0
    version: int = 0


def _came(batch: Batch, cut_over: CutOver) -> dict[_Account, _Came]:
    """The lines of a batch by account. The fiscal year is that of the batch's period, as `paid_year` and caps of a year
    have it; a line is of the year of what it was paid for."""
    year = day_date(period_holding(cut_over.pay_group.calendar, batch.starts_on, "year").start)
    opened = Q(line_kind=LineNamed.Kind.OPENING)
    of_year = opened & Q(period__gte=year) | ~opened & Q(origin_starts_on__gte=year)
    lines = lines_of(batch).order_by().values_list("participant_id", "plan_id", "currency")
    sums = lines.annotate(
        minor=Sum("amount_minor"),
        of_year=Sum("amount_minor", filter=of_year, default=0),
        version=Max("plan_version_id"),
    )
    return {row[:3]: _Came(int(row[3]), int(row[4]), row[5]) for row in sums}


class _Versions:
    """The plan versions of days, where there is none that of the day before the switch."""

    def __init__(self, last_day: date) -> None:
        self._last_day = last_day
        self._found: dict[tuple[int, date], int | None] = {}
        self._says: dict[int, CompiledPlan] = {}

    def of(self, plan: int, day: date | None = None) -> int:
        found = self._at(plan, day or self._last_day)
        if found is None:
            on = day or self._last_day
            raise BatchError(f"No version of plan {plan} is in force on {on}: what was paid by it has no terms.")
        return found

    def last(self, plan: int, own: _Came) -> int:
        """That of the day before the switch; of a plan that ended before, the one of its lines."""
        return self._at(plan, self._last_day) or own.version or self.of(plan)

    def settles(self, account: _Account, own: _Came) -> bool:
        """Whether the plan of an account settles between periods, so that what it paid counts on."""
        version = self.last(account[1], own)
        if version not in self._says:
            self._says[version] = version_of(PlanVersion.objects.select_related("plan").get(pk=version)).says
        says = self._says[version]
        settled = says.settlement
        return settled is not None and (says.currency == account[2] or settled.settle_in == "pay")

    def _at(self, plan: int, day: date) -> int | None:
        if (plan, day) not in self._found:
            row = version_in_force(plan_id=plan, day=day)
            self._found[plan, day] = row.pk if row is not None else None
        return self._found[plan, day]


def _balances(batch: Batch, cut_over: CutOver, balances: Iterable[OpeningBalance], versions: _Versions) -> None:
    """The settlements that leave these balances behind, and by which a cap of the year knows what was paid. What the
    lines and balances do not say of what was paid stands as topped up (below zero: kept back), by the system before."""
    accounts: dict[_Account, list[OpeningBalance]] = defaultdict(list)
    for row in balances:
        accounts[row.participant_id, row.plan_id, row.currency].append(row)
    came = _came(batch, cut_over)
    for account, own in came.items():
        if account not in accounts and versions.settles(account, own):
            accounts[account] = []
    settlements, draws = [], []
    for account, rows in sorted(accounts.items()):
        own = came.get(account, _Came())
        minor: dict[str, int] = defaultdict(int)
        held: dict[date, int] = defaultdict(int)
        for row in rows:
            if row.kind == Kind.HELD_BACK and row.day is not None:
                held[row.day] += row.amount_minor
            else:
                minor[row.kind] += row.amount_minor
        comes_back = sorted(held)
        first = held[comes_back[0]] if comes_back else 0
        said = {
            "batch": batch,
            "participant_id": account[0],
            "pay_group_id": batch.pay_group_id,
            "plan_id": account[1],
            "currency": account[2],
        }
        settled = {**said, "plan_version_id": versions.last(account[1], own)}
        inflow = own.minor
        balance = minor[Kind.CLAWBACK] - minor[Kind.CARRIED] - minor[Kind.KEPT]
        paid_year = next((row.amount_minor for row in rows if row.kind == Kind.PAID_YEAR), None)
        paid = paid_year if paid_year is not None else own.of_year + minor[Kind.DRAW] + balance - sum(held.values())
        settlements.append(
            _settlement(
                **settled,
                period_starts_on=batch.starts_on,
                inflow_minor=inflow,
                released_minor=inflow,
                carried_forward_minor=minor[Kind.CARRIED],
                clawback_balance_minor=minor[Kind.CLAWBACK],
                kept_adjustments_minor=minor[Kind.KEPT],
                draw_balance_minor=minor[Kind.DRAW],
                held_back_minor=-first,
                returns_on=comes_back[0] if comes_back else None,
                topped_up_minor=paid - inflow - balance + first,
                payout_minor=paid,
            )
        )
        # A row says of one day that something comes back then: others stand in earlier pay periods, and pay nothing.
        starts_on = batch.starts_on
        for returns_on in comes_back[1:]:
            starts_on, amount = _before(cut_over, starts_on), held[returns_on]
            more = {"held_back_minor": -amount, "returns_on": returns_on, "topped_up_minor": amount}
            settlements.append(_settlement(**settled, period_starts_on=starts_on, **more))
        draws += [
            BatchDraw(
                **said,
                key=row.key,
                period_starts_on=row.day or batch.starts_on,
                origin_starts_on=row.day or batch.starts_on,
                recovered_minor=0,
                topped_up_minor=0,
                written_off_minor=0,
                opened_minor=0,
                balance_minor=row.amount_minor,
            )
            for row in rows
            if row.kind == Kind.DRAW
        ]
    BatchSettlement.objects.bulk_create(settlements, batch_size=2000)
    BatchDraw.objects.bulk_create(draws, batch_size=2000)


def _before(cut_over: CutOver, starts_on: date) -> date:
    """The first day of the pay period before."""
    return day_date(period_holding(cut_over.pay_group.calendar, starts_on - timedelta(days=1)).start)


_AMOUNTS = [field.name for field in Waterfall._meta.get_fields() if field.name.endswith("_minor")]


def _settlement(**said: Any) -> BatchSettlement:
    """A settlement; amounts that are not said are 0."""
    return BatchSettlement(**{**dict.fromkeys(_AMOUNTS, 0), **said})
