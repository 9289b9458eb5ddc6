"""Lines (what a credit, period or reversal earns in one component) with the state of their money.

A line's money lies in tranches. Each amount is in one state: it waits (its trigger is missing, or its day lies behind
the open period), it is payable in the open period or held there, or a batch took it (submitted, approved, paid). These
sum to what the line earned, less what is lost: a payable is what is released less what batches took. Of who is paid in
another currency than the plan's, what waits is told in the plan's, and all else in the one that it is paid in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import BigIntegerField, Case, F, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce

from comp.people.models import Participant
from crediting.models import Deal
from payouts.models import Attainment, Batch, BatchLine, Earning, Hold, Payable, Tranche
from payouts.reads.labels import line_label
from payouts.reads.plans import Version, rate_words, trigger_words, versions
from payouts.selectors import TAKEN

#: A line's natural key; a tranche's adds its index.
KEY = (
    "participant_id", "fact", "plan_id", "origin", "period", "line_kind", "component", "split", "rule", "role",
)  # fmt: skip

#: State to the annotation that holds its amount, least advanced first: the first that holds some names the line.
STATES = {
    "waiting": "waiting_minor",
    "held": "held_minor",
    "payable": "payable_minor",
    "in_batch": "in_batch_minor",
    "approved": "approved_minor",
    "paid": "paid_minor",
}
#: What a tranche waits for whose trigger is met on a day behind the open period.
LATER = "a later period"
#: What a line waits for that is not rated yet, as earnings store it.
WAITS_FOR = {1: "its quota", 2: "its target pay", 3: "what it measures"}
#: A batch that is approved and not yet posted holds its lines in batch, as their statements say.
BATCH_STATES = {
    "in_batch": (Batch.State.IN_REVIEW, Batch.State.SUBMITTED, Batch.State.APPROVED),
    "approved": (Batch.State.POSTED,),
    "paid": (Batch.State.PAID, Batch.State.CLOSED),
}


#: A tranche's amount in the plan's currency, as its line's earning; and that currency.
EARNED, EARNED_IN = (
    Coalesce("plan_minor", "amount_minor"),
    Case(When(plan_minor=None, then=F("currency")), default=F("rate__source")),
)


def not_due(open_ends: date) -> Q:
    """Tranches that the open period does not release, and that somebody may still release."""
    return (Q(release_day=None) | Q(release_day__gte=open_ends)) & ~Q(state=Tranche.State.LOST)


def lines(participant_id: int, open_ends: date) -> QuerySet[Any]:
    """A participant's lines, newest first, each annotated with its money by state (`STATES`)."""
    sums = {
        "waiting_minor": _sum(Tranche.objects.filter(not_due(open_ends)), EARNED),
        "held_minor": _sum(Payable.objects.filter(hold__isnull=False)),
        "payable_minor": _sum(Payable.objects.filter(hold=None)),
        **{
            # By their statement: of a batch that is paid, payroll may have rejected somebody's payment.
            STATES[state]: _sum(BatchLine.objects.filter(batch__state__in=TAKEN, statement__state=state))
            for state in BATCH_STATES
        },
    }
    return (
        Earning.objects.filter(participant_id=participant_id)
        .annotate(**sums)
        .select_related("deal__account", "deal__product")
        .order_by("-credit_date", "-fact", "component", "rule", "role", "split", "id")
    )


def with_money(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Without the bonus lines that never came to anything: a bonus looks at every deal and pays for few."""
    empty = Q(tier_before=-1, rounded_minor=0, waiting=0, **dict.fromkeys(STATES.values(), 0))
    return rows.exclude(empty)


def in_state(rows: QuerySet[Any], state: str) -> QuerySet[Any]:
    """Of annotated lines, those with money in that state."""
    held = ~Q(**{STATES[state]: 0})
    return rows.filter(held | Q(waiting__gt=0) if state == "waiting" else held)


def _sum(rows: QuerySet[Any], amount: str | Coalesce = "amount_minor") -> Coalesce:
    same = rows.filter(**{name: OuterRef(name) for name in KEY}).order_by().values("component")
    total = same.annotate(total=Sum(amount)).values("total")
    return Coalesce(Subquery(total, output_field=BigIntegerField()), 0)


@dataclass(frozen=True)
class Line:
    """An annotated earning in words."""

    earning: Earning
    component: str
    rate: str
    state: str
    cause: str
    minor: int  # the amount that the list is about: in the state asked for, else what is earned
    currency: str  # of that amount

    @property
    def deal(self) -> Deal | None:
        return self.earning.deal

    @property
    def label(self) -> str:
        return line_label(self.earning, self.earning.deal)


def told(rows: Iterable[Any], *, open_ends: date, state: str = "") -> list[Line]:
    """Annotated lines in words: component, rate, state and what they wait for. A fixed number of queries."""
    rows = list(rows)
    known = versions(row.plan_version_id for row in rows)
    triggers = waits_for([row for row in rows if row.waiting_minor], open_ends)
    holds = holds_of([row for row in rows if row.held_minor])
    totals = final_totals(rows, known)
    paid_in = paid_in_of(rows) if in_pay_currency(state) else {}
    found = []
    for row in rows:
        version = known[row.plan_version_id]
        component = version.component(row.component)
        total = totals.of(row)
        rate = rate_words(version.says, component, vars(row), row.after_minor if total is None else total)
        now, cause = line_state(row, triggers.get(key_of(row), []))
        cause = holds.get(key_of(row), "") if now == "held" else cause
        minor = getattr(row, STATES[state]) if state in STATES else row.earned_minor
        currency = paid_in.get(row.participant_id, row.currency)
        found.append(Line(row, component.name, rate, now, cause, minor, currency))
    return found


def in_pay_currency(state: str) -> bool:
    """Whether money of the state is told in the currency that its participant is paid in."""
    return state in STATES and state != "waiting"


def paid_in_of(rows: Iterable[Earning]) -> dict[int, str]:
    """The currency that the participants of these lines are paid in."""
    people = Participant.objects.filter(id__in={row.participant_id for row in rows})
    return dict(people.values_list("id", "currency"))


def line_state(row: Earning, triggers: Sequence[str]) -> tuple[str, str]:
    """The least advanced state that holds money of the line, and its cause in words."""
    if row.waiting:
        return "waiting", WAITS_FOR[row.waiting]
    held = next((state for state, name in STATES.items() if getattr(row, name)), "earned")
    return held, listed(triggers) if held == "waiting" else ""


def listed(triggers: Sequence[str]) -> str:
    """What is waited for, the next thing first: `go-live`, `go-live and 25% usage`, `go-live and 3 more`."""
    if len(triggers) < 3:
        return " and ".join(triggers)
    return f"{triggers[0]} and {len(triggers) - 1} more"


def waits_for(rows: Sequence[Earning], open_ends: date) -> dict[tuple[Any, ...], list[str]]:
    """Key of a line to what it waits for, in the order of its release."""
    found: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    if not rows:
        return found
    tranches = Tranche.objects.filter(
        not_due(open_ends), participant_id__in={r.participant_id for r in rows}, fact__in={r.fact for r in rows}
    )
    for tranche in tranches.order_by("fact", "component", "index", "part"):
        words = wait_words(tranche.state, tranche.release_day, tranche.trigger)
        if tranche.amount_minor and words not in found[key_of(tranche)]:
            found[key_of(tranche)].append(words)
    return found


def holds_of(rows: Sequence[Earning]) -> dict[tuple[Any, ...], str]:
    """Key of a line to what holds it in the open period."""
    if not rows:
        return {}
    found = Payable.objects.filter(
        hold__isnull=False, participant_id__in={r.participant_id for r in rows}, fact__in={r.fact for r in rows}
    ).select_related("hold__placed_by")
    return {key_of(row): hold_words(row.hold) for row in found if row.hold is not None}


def hold_words(hold: Hold) -> str:
    """By whom, why, and until when."""
    by = f"by {hold.placed_by}: " if hold.placed_by else ""
    until = f", until {hold.expires_on:%-d %b %Y}" if hold.expires_on else ""
    return f"{by}{hold.reason.rstrip('.')}{until}"


def wait_words(state: int, release_day: date | None, trigger: str) -> str:
    """What a tranche that is not due yet waits for."""
    if state in _HELD_BACK:
        return _HELD_BACK[Tranche.State(state)]
    return LATER if release_day else trigger_words(trigger)


_HELD_BACK = {
    Tranche.State.HELD: "release from hold",
    Tranche.State.WITHHELD: "gate",
    Tranche.State.NO_RATE: "rate of exchange",
}


class Totals:
    """The final totals of measures. A group has the version of its last line; where a version restarts, beside that of
    another one."""

    def __init__(self, groups: Iterable[Attainment] = ()) -> None:
        self._of_version: dict[tuple[int, str, date], int] = {}
        self._of_plan: dict[tuple[int, str, date], int] = {}
        for group in groups:
            self._of_version[group.plan_version_id, group.component, group.starts_on] = group.total_minor
            self._of_plan[group.plan_id, group.component, group.starts_on] = group.total_minor

    def of(self, line: Earning) -> int | None:
        """The total of the group that a line of these people stands in."""
        place = line.component, line.period_starts_on
        found = self._of_version.get((line.plan_version_id, *place))
        return self._of_plan.get((line.plan_id, *place)) if found is None else found


def final_totals(rows: Sequence[Earning], known: dict[int, Version]) -> Totals:
    """The final totals of measures of one person that pay everything at the rate reached in the end; the others do not
    ask."""
    asked = {
        (row.participant_id, row.period_starts_on)
        for row in rows
        if (tiers := known[row.plan_version_id].component(row.component).tiers) and tiers.attribution == "proportional"
    }
    if not asked:
        return Totals()
    people, starts = {who for who, _ in asked}, {start for _, start in asked}
    return Totals(Attainment.objects.filter(participant_id__in=people, starts_on__in=starts))


def key_of(row: Any) -> tuple[Any, ...]:
    """The line's key of an earning, tranche, payable or batch line."""
    return tuple(getattr(row, name) for name in KEY)


def sums(rows: QuerySet[Any], names: Sequence[str]) -> dict[str, int]:
    """Totals of these columns over all rows of a list, not only its page."""
    found = rows.order_by().aggregate(**{f"sum_{name}": Sum(F(name)) for name in names})
    return {name: int(found[f"sum_{name}"] or 0) for name in names}
