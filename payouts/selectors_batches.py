"""Reading batches: what Finance looks at before it signs, always inside the caller's scope."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from comp.core.canonical import digest
from comp.core.days import day_date
from comp.core.money import format_money, minor_digits
from comp.people.models import Participant, PayGroup
from comp.tenancy.scope import current_scope
from crediting.models import DataIssue, WaitingCredit
from payouts.models import (
    Batch,
    BatchLine,
    BatchPerson,
    ChangedScope,
    Dispute,
    LedgerEntry,
    LedgerTransaction,
    Payable,
    Tranche,
)
from payouts.models.batches import DECIDED
from payouts.selectors import TAKEN, open_period
from payouts.selectors_settlements import effects, of_batch, of_open, with_effects
from plans.models import PlanAssignment, PlanVersion

#: States of a batch of which something is to come.
TO_COME = (Batch.State.IN_REVIEW, Batch.State.SUBMITTED, Batch.State.APPROVED, Batch.State.POSTED)
#: A change is large from a quarter of the amount before, and from this many whole units of the currency.
LARGE_SHARE = 4
LARGE_UNITS = 1_000

_FACTS = (
    "deal__endpoint__key",
    "deal__external_id",
    "participant__key",
    "plan__key",
    "rule",
    "role",
    "split",
    "component",
    "index",
    "kind",
    "origin_starts_on",
    "amount_minor",
    "currency",
)
#: What else names a line: nothing of most, which are a deal's own and whole.
_MORE = ("line_kind", "part", "period", "fact", "origin", "deal_id")


# ------------------------------------------------------------------ digests


def line_facts(lines: QuerySet[Any]) -> list[list[Any]]:
    """Lines (payables, or a batch's) by names that people and systems outside know, in one order: no ids, no times.

    A line that is not the whole of a deal's own says so behind all of that: its kind, part and period, and the facts
    that it is for, by number where they are no deals.
    """
    place, count = _FACTS.index("origin_starts_on"), len(_FACTS)
    found = []
    for row in lines.values_list(*_FACTS, *_MORE):
        fact: list[Any] = ["" if value is None else value for value in row[:count]]
        fact[place] = fact[place].isoformat()
        kind, part, period, own, origin, deal = row[count:]
        if kind or part or own != deal:
            fact += [kind, part, period.isoformat(), own if own != deal else 0, origin if origin != deal else 0]
        found.append(fact)
    return sorted(found)


def lines_digest(facts: list[list[Any]]) -> str:
    """The digest that an approval binds."""
    return digest(facts)


def person_digests(facts: Iterable[list[Any]]) -> dict[str, str]:
    """The digest of each person's own lines, by participant key; what a statement in a batch carries."""
    place = _FACTS.index("participant__key")
    own: dict[str, list[list[Any]]] = {}
    for fact in facts:
        own.setdefault(fact[place], []).append(fact)
    return {key: digest(rows) for key, rows in own.items()}


# ------------------------------------------------------------------ batches and open periods


@dataclass(frozen=True)
class Open:
    """A pay group's open period and what it would pay as the figures stand: everybody, or these people alone. What is
    held is not paid."""

    pay_group: PayGroup
    starts_on: date
    ends_on: date
    name: str
    people: frozenset[int] | None = None

    @property
    def lines(self) -> QuerySet[Payable]:
        rows = Payable.objects.filter(pay_group=self.pay_group, period_starts_on=self.starts_on, hold=None)
        return rows if self.people is None else rows.filter(participant_id__in=self.people)


Subject = Batch | Open


def pay_groups_visible() -> QuerySet[PayGroup]:
    """The pay groups whose pay the scope may see. Batches stand outside the pay wall: lists start here."""
    pay = current_scope().pay
    if pay.every:
        return PayGroup.objects.order_by("name")
    return PayGroup.objects.filter(pk__in=pay.groups or ()).order_by("name")


def everybody_visible() -> bool:
    """Whether the scope sees the pay of every pay group."""
    pay = current_scope().pay
    return pay.every or not PayGroup.objects.exclude(pk__in=pay.groups or ()).exists()


def batches_visible() -> QuerySet[Batch]:
    """All batches of those pay groups, newest first; what another system paid belongs to its cut-over."""
    return (
        Batch.objects.filter(pay_group__in=pay_groups_visible())
        .exclude(kind=Batch.Kind.OPENING)
        .select_related("pay_group", "locked_by", "submitted_by", "decided_by", "paid_by", "closed_by", "voided_by")
        .order_by("-starts_on", "-id")
    )


def open_of(pay_group: PayGroup) -> Open:
    period = open_period(pay_group)
    return Open(pay_group, day_date(period.start), day_date(period.end), period.name)


def subject_effects(subject: Subject) -> dict[tuple[int, str], int]:
    """By participant id and currency what settlements make of the lines: what is paid less what they add up to."""
    if isinstance(subject, Batch):
        return effects(of_batch(subject.pk)[0])
    # Some people alone are paid off cycle, and never what is settled.
    return effects(of_open(subject.pay_group.pk, subject.starts_on)[0]) if subject.people is None else {}


def subject_sums(subject: Subject) -> dict[tuple[int, str], int]:
    """What the subject pays each person, by participant id and currency."""
    found = dict(subject_effects(subject))
    rows = subject_lines(subject).order_by().values("participant_id", "currency")
    for row in rows.annotate(minor=Sum("amount_minor")):
        at = row["participant_id"], row["currency"]
        found[at] = found.get(at, 0) + int(row["minor"])
    return found


def subject_totals(subject: Subject) -> dict[str, int]:
    """What the subject pays, in minor units by currency."""
    return with_effects(totals(subject_lines(subject)), subject_effects(subject))


def subject_lines(subject: Subject) -> QuerySet[Any]:
    return BatchLine.objects.filter(batch=subject) if isinstance(subject, Batch) else subject.lines


def totals(lines: QuerySet[Any]) -> dict[str, int]:
    """Minor units by currency."""
    rows = lines.values("currency").annotate(minor=Sum("amount_minor")).order_by("currency")
    return {row["currency"]: int(row["minor"]) for row in rows}


def decided_totals(batches: Iterable[Batch]) -> dict[str, int]:
    """What the approved ones among these add up to, by currency."""
    found: dict[str, int] = {}
    for batch in batches:
        if batch.state in DECIDED:
            for currency, minor in batch.totals.items():
                found[currency] = found.get(currency, 0) + minor
    return dict(sorted(found.items()))


def batch_before(subject: Subject) -> Batch | None:
    """The same pay group's regular batch of the latest period before this one; an off-cycle batch is compared with
    none."""
    if isinstance(subject, Batch) and subject.run or isinstance(subject, Open) and subject.people is not None:
        return None
    found = Batch.objects.filter(pay_group=subject.pay_group, starts_on__lt=subject.starts_on, run=0, state__in=TAKEN)
    return found.order_by("-starts_on").first()


def scopes_pending(pay_group: PayGroup) -> int:
    """Recomputations that wait for people of the group, or who share a budget, pot or contest with some of them: until
    they are done the figures are not today's."""
    of_group = PlanAssignment.objects.filter(participant__pay_group=pay_group).values("plan_id")
    shared = PlanVersion.objects.filter(document__contains='"after_posting"', plan_id__in=of_group).values("plan_id")
    sharing = PlanAssignment.objects.filter(plan_id__in=shared).values("participant_id")
    scopes = ChangedScope.objects.filter(Q(participant__pay_group=pay_group) | Q(participant_id__in=sharing))
    return scopes.count()


def scopes_failed(pay_group: PayGroup | None = None) -> list[str]:
    """Why recomputations cannot be done, each reason once with the first participant it holds back."""
    rows = ChangedScope.objects.exclude(error="").order_by("id")
    if pay_group is not None:
        rows = rows.filter(participant__pay_group=pay_group)
    reasons: dict[str, str] = {}
    for name, error in rows.values_list("participant__name", "error"):
        reasons.setdefault(error, name)
    return [f"{name}: {error}" for error, name in reasons.items()]


def issues_open() -> int:
    """Questions of the data-quality inbox that nobody has answered."""
    return DataIssue.objects.filter(state=DataIssue.State.OPEN).count()


def unconverted(subject: Subject) -> list[WaitingCredit]:
    """The group's credits up to the period's end that no rate of exchange reaches today: in no figure of it."""
    return list(WaitingCredit.objects.filter(pay_group=subject.pay_group, credit_date__lt=subject.ends_on))


def without_rate(subject: Subject) -> int:
    """How many of the group's payables of credits up to the period's end cannot be converted today into what
    their people are paid in: nothing of them is in it."""
    waits = Tranche.objects.filter(pay_group=subject.pay_group, credit_date__lt=subject.ends_on)
    return waits.filter(state=Tranche.State.NO_RATE).exclude(amount_minor=0).count()


# ------------------------------------------------------------------ people, deals, exceptions


@dataclass(frozen=True)
class Reason:
    """Why a person stands among the exceptions. `tone` and `icon` are the badge's."""

    code: str
    text: str
    tone: str
    icon: str


@dataclass(frozen=True)
class PersonRow:
    """One participant and currency: the period before (None: there was none), this one, and what is remarkable."""

    participant_id: int
    key: str
    name: str
    currency: str
    before_minor: int | None
    released_minor: int
    adjustments_minor: int
    adjustments: int
    lines: int
    manual_minor: int = 0
    manual: int = 0
    settled_minor: int = 0
    reasons: tuple[Reason, ...] = ()

    @property
    def minor(self) -> int:
        return self.released_minor + self.adjustments_minor + self.manual_minor + self.settled_minor

    @property
    def change_minor(self) -> int | None:
        return None if self.before_minor is None else self.minor - self.before_minor


def people(subject: Subject) -> list[PersonRow]:
    """Everybody with lines now or in the batch before, or moved since, by name, with the reasons to look closer."""
    adjusted, released = Q(kind=Payable.Kind.ADJUSTMENT), Q(kind=Payable.Kind.RELEASE)
    rows = (
        subject_lines(subject)
        .values("participant_id", "currency")
        .annotate(
            released=Sum("amount_minor", filter=released, default=0),
            adjustments=Sum("amount_minor", filter=adjusted, default=0),
            adjustment_count=Count("id", filter=adjusted),
            by_hand=Sum("amount_minor", filter=~adjusted & ~released, default=0),
            hands=Count("id", filter=~adjusted & ~released),
            line_count=Count("id"),
        )
    )
    now = {(row["participant_id"], row["currency"]): row for row in rows}
    last = batch_before(subject)
    before = subject_sums(last) if last is not None else {}
    settled = subject_effects(subject)
    known = set(_earlier(subject).values_list("participant_id", flat=True).distinct())
    moved = moved_since(subject)
    names = Participant.objects.in_bulk({who for who, _ in {*now, *settled, *before, *moved}})
    asked = disputed(subject, names)
    found = []
    for at in {*now, *settled, *before, *moved}:
        row = now.get(at, {**_NOTHING})
        person = PersonRow(
            participant_id=at[0],
            key=names[at[0]].key,
            name=names[at[0]].name,
            currency=at[1],
            before_minor=before.get(at),
            released_minor=int(row["released"]),
            adjustments_minor=int(row["adjustments"]),
            adjustments=row["adjustment_count"],
            lines=row["line_count"],
            manual_minor=int(row["by_hand"]),
            manual=row["hands"],
            settled_minor=settled.get(at, 0),
        )
        first, mine = at[0] not in known, asked.get(at[0], ())
        reasons = tuple(reasons_of(person, first=first, moved=moved.get(at, 0), disputes=mine))
        found.append(PersonRow(**{**person.__dict__, "reasons": reasons}))
    return sorted(found, key=lambda p: (p.name, p.key, p.currency))


def exceptions(subject: Subject) -> list[PersonRow]:
    """The people to look at first."""
    return exceptions_among(people(subject))


def exceptions_among(rows: Iterable[PersonRow]) -> list[PersonRow]:
    """Of these, the ones with a reason: the most reasons first, then the largest change."""
    found = [person for person in rows if person.reasons]
    return sorted(found, key=lambda p: (-len(p.reasons), -abs(p.minor - (p.before_minor or 0)), p.name))


def is_large(before_minor: int, minor: int, currency: str) -> bool:
    """At least a quarter of the amount before, and at least 1,000 whole units."""
    change = abs(minor - before_minor)
    return change * LARGE_SHARE >= abs(before_minor) and change >= LARGE_UNITS * 10 ** minor_digits(currency)


_NOTHING = {"released": 0, "adjustments": 0, "adjustment_count": 0, "line_count": 0, "by_hand": 0, "hands": 0}


def reasons_of(
    person: PersonRow, *, first: bool, moved: int, held: str = "", disputes: Sequence[str] = ()
) -> Iterable[Reason]:
    """Why to look closer at somebody whom no batch paid before (`first`), whose right figure is another one by now (by
    `moved`), of whose pay something is held since (`held` says by whom and why), or who questions some of it."""
    before, now, currency = person.before_minor, person.minor, person.currency
    if held:
        yield Reason("held", f"Held since, {held}", "stop", "hand-raised")
    if moved:
        sign = "+" if moved > 0 else ""
        yield Reason(
            "recalculated", f"Recalculated since: {sign}{format_money(moved, currency)} today", "wait", "arrow-path"
        )
    if disputes:
        yield Reason("disputed", f"Disputed: {', '.join(disputes)}", "wait", "chat-bubble-left-ellipsis")
    if now < 0:
        yield Reason("negative", "Negative", "stop", "minus-circle")
    if before and not now:
        yield Reason("zero", f"Nothing after {format_money(before, currency)}", "wait", "no-symbol")
    elif before is not None and is_large(before, now, currency):
        yield Reason("large", "Large change", "wait", "arrows-up-down")
    if first and person.lines:
        yield Reason("new", "First payout", "info", "sparkles")
    if person.adjustments:
        count = "1 adjustment" if person.adjustments == 1 else f"{person.adjustments} adjustments"
        yield Reason(
            "adjusted", f"{count}, {format_money(person.adjustments_minor, currency)}", "wait", "arrow-uturn-left"
        )
    if person.manual:
        count = "1 by hand" if person.manual == 1 else f"{person.manual} by hand"
        yield Reason("manual", f"{count}, {format_money(person.manual_minor, currency)}", "wait", "pencil-square")


def _earlier(subject: Subject) -> QuerySet[BatchLine]:
    return BatchLine.objects.filter(
        pay_group=subject.pay_group, period_starts_on__lt=subject.starts_on, batch__state__in=TAKEN
    )


def disputed(subject: Subject, whose: Iterable[int] | QuerySet[Any]) -> dict[int, list[str]]:
    """By person the disputes that stand of these, while something of the subject is to come. They hold nothing back."""
    found: dict[int, list[str]] = {}
    if isinstance(subject, Batch) and subject.state not in TO_COME:
        return found
    standing = Dispute.objects.filter(participant_id__in=whose, state__in=(Dispute.State.OPEN, Dispute.State.IN_REVIEW))
    for row in standing.only("number", "participant").order_by("number"):
        found.setdefault(row.participant_id, []).append(row.name)
    return found


def moved_since(subject: Subject) -> dict[tuple[int, str], int]:
    """By person and currency, how far today's right figure of the batch's period lies from what the batch took."""
    if not isinstance(subject, Batch) or subject.state not in TAKEN:
        return {}
    rows = Payable.objects.filter(
        pay_group=subject.pay_group, kind=Payable.Kind.ADJUSTMENT, origin_starts_on=subject.starts_on
    )
    if subject.run:
        rows = rows.filter(participant_id__in=BatchPerson.objects.filter(batch=subject).values("participant_id"))
    sums = rows.values("participant_id", "currency").annotate(minor=Sum("amount_minor"))
    return {(row["participant_id"], row["currency"]): int(row["minor"]) for row in sums if row["minor"]}


def differences(subject: Subject) -> dict[str, int]:
    """By currency, how far today's figures lie from what the batch took; empty where nothing moved since."""
    found: dict[str, int] = {}
    for (_, currency), minor in moved_since(subject).items():
        found[currency] = found.get(currency, 0) + minor
    return found


def deals(subject: Subject) -> QuerySet[Any]:
    """The subject's lines added up by deal and currency."""
    return (
        subject_lines(subject)
        .exclude(deal=None)
        .values("deal_id", "deal__external_id", "deal__account__name", "deal__product__name", "currency")
        .annotate(
            people=Count("participant_id", distinct=True),
            lines=Count("id"),
            minor=Sum("amount_minor"),
            first=Min("credit_date"),
            last=Max("credit_date"),
        )
        .order_by("deal__external_id", "deal_id", "currency")
    )


def lines(subject: Subject) -> QuerySet[Any]:
    """The subject's lines, one by one."""
    return (
        subject_lines(subject)
        .select_related("participant", "deal", "deal__account", "deal__product", "plan", "plan_version", "cause")
        .order_by("participant__name", "deal__external_id", "component", "index", "part", "id")
    )


# ------------------------------------------------------------------ the ledger


def ledger_balances() -> list[dict[str, Any]]:
    """Each account's balance by currency, over the entries that the scope may see."""
    rows = LedgerEntry.objects.values("account", "currency").annotate(minor=Sum("amount_minor"), entries=Count("id"))
    order = list(LedgerEntry.Account)
    found = [{**row, "minor": int(row["minor"]), "label": LedgerEntry.Account(row["account"]).label} for row in rows]
    return sorted(found, key=lambda row: (row["currency"], order.index(row["account"])))


def ledger_state() -> tuple[int, dict[str, int]]:
    """How many entries the scope may see, and by currency what they are off from zero (empty: balanced)."""
    rows = LedgerEntry.objects.values("currency").annotate(minor=Sum("amount_minor"), entries=Count("id"))
    found = list(rows.order_by("currency"))
    return sum(row["entries"] for row in found), {row["currency"]: int(row["minor"]) for row in found if row["minor"]}


def postings() -> QuerySet[LedgerTransaction]:
    """The postings of batches that the scope may see, and who sees everybody's pay those of months, newest first."""
    seen = Q(batch__pay_group__in=pay_groups_visible())
    if everybody_visible():
        seen |= Q(batch=None)
    return LedgerTransaction.objects.filter(seen).select_related("batch", "batch__pay_group").order_by("-number")
