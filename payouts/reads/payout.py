"""The next payout, this quarter's money by state, and the payouts of the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum

from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from crediting.selectors_waiting import waiting_of_person
from payouts.models import Attainment, Batch, BatchLine, Earning, FigureChange, Payable, Statement, Tranche
from payouts.models.figures import LineNamed
from payouts.reads.labels import customer
from payouts.reads.lines import BATCH_STATES, EARNED, EARNED_IN, KEY, LATER, listed, not_due, wait_words, waits_for
from payouts.reads.periods import Span, span_holding
from payouts.selectors import TAKEN

#: A statement's state in the vocabulary of money.
MONEY_STATE = {
    Statement.State.OPEN: "payable",
    Statement.State.IN_BATCH: "in_batch",
    Statement.State.APPROVED: "approved",
    Statement.State.PAID: "paid",
}


@dataclass(frozen=True)
class Payout:
    """What comes next: the statement (None while the open period has no figures), its period and when it is paid."""

    statement: Statement | None
    period: Span
    pay_on: date
    minor: int
    currency: str
    state: str
    say: str
    open_minor: int | None  # what the open period holds by now, where another payout comes before it

    @property
    def over(self) -> str:
        return f"Next payout · {self.period.name} · {self.pay_on:%-d %B}"


def next_payout(participant: Participant, group: PayGroup, open_period: Span) -> Payout:
    """The oldest payout that is not paid yet: one that a batch holds, else the open period's."""
    waiting = Statement.objects.filter(participant=participant).exclude(state=Statement.State.PAID)
    statements = list(waiting.order_by("period_starts_on", "-run"))
    standing = next((s for s in statements if not s.run and s.period_starts_on == open_period.starts_on), None)
    first = next((s for s in statements if s.state != Statement.State.OPEN), standing)
    period = open_period if first is None or first is standing else span_holding(group, first.period_starts_on)
    return Payout(
        statement=first,
        period=period,
        pay_on=pay_day(group, period, first.run if first else 0),
        minor=first.payout_minor if first else 0,
        currency=first.currency if first else participant.currency,
        state=MONEY_STATE[Statement.State(first.state)] if first else "payable",
        say=_say(participant, period, open_period, first),
        open_minor=standing.payout_minor if standing and first is not standing else None,
    )


def pay_day(group: PayGroup, period: Span, run: int = 0) -> date:
    """The day that the period's batch names (`run`: which of its batches); until there is one the period's last day."""
    batch = Batch.objects.filter(pay_group=group, starts_on=period.starts_on, run=run, state__in=TAKEN).first()
    return batch.pay_on if batch else period.last_day


def statement_rows(statement: Statement) -> QuerySet[Any]:
    """What a statement pays, by tranche: payables while it is open, else the lines that its batch took."""
    if statement.state == Statement.State.OPEN:
        return Payable.objects.filter(
            participant_id=statement.participant_id, period_starts_on=statement.period_starts_on, hold=None
        )
    return BatchLine.objects.filter(statement=statement, batch__state__in=TAKEN)


def _say(participant: Participant, period: Span, open_period: Span, statement: Statement | None) -> str:
    """Which of the period's deals are in the payout, and what the others wait for."""
    credited = Earning.objects.filter(
        participant=participant, credit_date__gte=period.starts_on, credit_date__lt=period.ends_on
    ).exclude(deal=None)
    if statement is None:
        included, missing = 0, credited
    else:
        same = {name: OuterRef(name) for name in ("participant_id", "deal_id")}
        marked = credited.annotate(paid=Exists(statement_rows(statement).filter(**same)))
        included = marked.filter(paid=True).order_by().values("deal_id").distinct().count()
        missing = marked.filter(paid=False)
    held = {name: OuterRef(name) for name in KEY}
    tranches = Tranche.objects.filter(not_due(open_period.ends_on), **held).exclude(amount_minor=0)
    waiting = missing.annotate(held=Exists(tranches)).filter(Q(held=True) | Q(waiting__gt=0))
    late = waiting.order_by().values("deal_id").distinct().count()
    if not included and not late and statement is not None and statement.lines:
        return f"It has {statement.lines:,} line{'' if statement.lines == 1 else 's'}, and no deal of {period.name}."
    if not included and not late:
        return f"No deal of {period.name} is credited yet."
    if not late:
        which = {1: "Your deal", 2: "Both deals"}.get(included, f"All {included} deals")
        text = f"{which} of {period.name} {'is' if included == 1 else 'are'} in this payout"
        rest = Tranche.objects.filter(
            not_due(open_period.ends_on),
            participant=participant,
            credit_date__gte=period.starts_on,
            credit_date__lt=period.ends_on,
        ).aggregate(minor=Sum(EARNED), currency=Max(EARNED_IN))
        if not rest["minor"]:
            return f"{text}."
        whom, left = "it" if included == 1 else "they", format_money(int(rest["minor"]), rest["currency"])
        return f"{text}; {left} of what {whom} earned still waits."
    first = waiting.select_related("deal__account").order_by("-earned_minor", "fact", "id")[0]
    triggers = next(iter(waits_for([first], open_period.ends_on).values()), ["quota"])
    what = "a later period" if triggers[0] == LATER else f"its {triggers[0]}"
    others = {1: "", 2: ", and so does another"}.get(late, f", and so do {late - 1} more")
    in_all = f"{included} of {included + late} deals of {period.name} are in this payout"
    return f"{in_all}; {customer(first.deal)} waits for {what}{others}."


# ------------------------------------------------------------------ by state


@dataclass(frozen=True)
class InState:
    """How much of a quarter's money stands in a state."""

    state: str
    minor: int
    note: str
    currency: str


def by_state(participant: Participant, quarter: Span, open_period: Span, pay_on: date) -> list[InState]:
    """What the quarter earned, in all and without what is lost, then where that money is now; the others sum to the
    first, but for who is paid in another currency than the plan's: what is earned and waits is in that one."""
    mine = {
        "participant": participant,
        "credit_date__gte": quarter.starts_on,
        "credit_date__lt": quarter.ends_on,
    }
    earned = Earning.objects.filter(**mine).aggregate(
        minor=Sum("earned_minor"), deals=Count("deal_id", distinct=True), currency=Max("currency")
    )
    gone = Q(state=Tranche.State.LOST)
    held = Tranche.objects.filter(not_due(open_period.ends_on) | gone, **mine).exclude(amount_minor=0).order_by()
    rows = list(held.values("trigger", "release_day", "state").annotate(minor=Sum(EARNED)))
    waiting = [row for row in rows if row["state"] != Tranche.State.LOST]
    lost = sum(int(row["minor"]) for row in rows if row["state"] == Tranche.State.LOST)
    free = (
        Payable.objects.filter(**mine)
        .exclude(line_kind=LineNamed.Kind.MANUAL)
        .aggregate(
            payable=Sum("amount_minor", filter=Q(hold=None)), held=Sum("amount_minor", filter=Q(hold__isnull=False))
        )
    )
    taken = dict(
        BatchLine.objects.filter(batch__state__in=TAKEN, **mine)
        .exclude(line_kind=LineNamed.Kind.MANUAL)
        .order_by()
        .values_list("statement__state")
        .annotate(minor=Sum("amount_minor"))
    )
    by_amount = sorted(waiting, key=lambda row: (-row["minor"], row["trigger"]))
    waits = list(dict.fromkeys(wait_words(row["state"], row["release_day"], row["trigger"]) for row in by_amount))
    deals, paid_in = earned["deals"], participant.currency
    own = earned["currency"] or paid_in
    by = f"by {deals} deal{'' if deals == 1 else 's'} of {quarter.name}"
    return [
        InState("earned", int(earned["minor"] or 0) - lost, by if deals else f"in {quarter.name}", own),
        InState(
            "waiting", sum(int(row["minor"]) for row in waiting), f"for {listed(waits)}" if waits else "nothing", own
        ),
        *([InState("held", int(free["held"]), f"in {open_period.name}", paid_in)] if free["held"] else []),
        InState("payable", int(free["payable"] or 0), f"in {open_period.name}", paid_in),
        *(
            InState(state, int(taken.get(state, 0)), note, paid_in)
            for state, note in zip(
                BATCH_STATES,
                ("with Finance", f"to be paid on {pay_on:%-d %B}", "with earlier payouts"),
                strict=True,
            )
        ),
    ]


def paid_statements(participant: Participant, count: int = 12) -> list[Statement]:
    """The last payouts, oldest first."""
    paid = Statement.objects.filter(participant=participant, state=Statement.State.PAID)
    return list(paid.order_by("-period_starts_on")[:count])[::-1]


def figures_version(participant: Participant) -> str:
    """A short text that changes whenever this person's figures do."""
    change = FigureChange.objects.filter(participant=participant).aggregate(last=Max("id"))["last"]
    statements = Statement.objects.filter(participant=participant).aggregate(
        at=Max("calculated_at"),
        all=Count("id"),
        open=Count("id", filter=Q(state=Statement.State.OPEN)),
        batch=Count("id", filter=Q(state=Statement.State.IN_BATCH)),
        paid=Count("id", filter=Q(state=Statement.State.PAID)),
    )
    measures = Attainment.objects.filter(participant=participant).aggregate(
        total=Sum("total_minor"), quota=Sum("quota_minor"), lines=Sum("lines")
    )
    at = statements.pop("at")
    without_rate = waiting_of_person(participant.pk).aggregate(last=Max("id"), all=Count("id"))
    parts = [change, int(at.timestamp() * 1000) if at else 0]
    parts += [*statements.values(), *measures.values(), *without_rate.values()]
    return "-".join(str(part or 0) for part in parts)
