"""A statement: what a pay period pays one person, and all that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet, Sum

from comp.core.days import day_date, day_number
from comp.people.selectors import today
from comp.web.parts import percent
from crediting.models import Deal
from payouts.kernel.clawback import free_from
from payouts.models import Adjustment as ByHand
from payouts.models import Attainment, Cause, Earning, Payable, Statement
from payouts.models.figures import LineNamed
from payouts.reads.labels import customer, line_label
from payouts.reads.lines import KEY, Totals, lines
from payouts.reads.payout import statement_rows
from payouts.reads.periods import Span
from payouts.reads.plans import Version, measured_words, rate_words, release_words, releases, tier_words, versions
from plans.rules.compiled import Component

#: What a line stood on, named alike in an earning's columns and in a batch line's trace.
TRACE = ("credit_minor", "before_minor", "after_minor", "quota_minor", "band", "earned_minor")


@dataclass(frozen=True)
class Part:
    """What a component adds to the release: the plan's sentence, the credit behind it, the tier, the sum."""

    name: str
    version: Version
    clause: str
    lines: int
    credit_minor: int
    tier: str
    minor: int


@dataclass(frozen=True)
class Released:
    """A line in a statement: what it stood on, and how much of it this period pays."""

    label: str
    deal: Deal | None
    component: str
    version: Version
    credited_on: date
    credit_minor: int | None
    earned_minor: int | None
    rate: str
    minor: int
    earning_id: int | None
    taken_back_until: date | None = None  # the last day on which a cancellation would take some of it back

    @property
    def customer(self) -> str:
        return customer(self.deal)


@dataclass(frozen=True)
class Adjustment:
    """A difference to a period that was closed already."""

    label: str
    deal: Deal | None
    component: str
    origin: str
    minor: int
    posted_minor: int | None
    cause: Cause | None
    earning_id: int | None
    by_hand: int | None = None  # the adjustment that people made

    @property
    def customer(self) -> str:
        return customer(self.deal)


def released(statement: Statement) -> QuerySet[Any]:
    """The released lines, one row a line, newest credit first: its key, credit date, plan version and sum."""
    rows = statement_rows(statement).filter(kind=Payable.Kind.RELEASE).order_by().values(*KEY)
    return rows.annotate(
        credited_on=Max("credit_date"), version=Max("plan_version_id"), minor=Sum("amount_minor"), deal=Max("deal_id")
    ).order_by("-credited_on", "-fact", *KEY)


def released_lines(statement: Statement, rows: Iterable[Mapping[str, Any]]) -> list[Released]:
    """Rows of `released` in words. An open statement's stand on the standing figures, a closed one's on its batch's."""
    rows = list(rows)
    facts = {row["fact"] for row in rows}
    standing = _earnings(statement.participant_id, facts)
    known = versions(row["version"] for row in rows)
    named = Deal.objects.select_related("account", "product").in_bulk({row["deal"] for row in rows if row["deal"]})
    stood = _stood(statement, facts, standing)
    starts = {earning.period_starts_on for earning in standing.values()}
    totals = Totals(Attainment.objects.filter(participant_id=statement.participant_id, starts_on__in=starts))
    found = []
    for row in rows:
        key = tuple(row[name] for name in KEY)
        earning, on, version = standing.get(key), stood.get(key, {}), known[row["version"]]
        component = version.component(row["component"])
        total = totals.of(earning) if earning else None
        final = total if total is not None else on.get("after_minor") or 0
        found.append(
            Released(
                label=line_label(SimpleNamespace(**row), named.get(row["deal"])),
                deal=named.get(row["deal"]),
                component=component.name,
                version=version,
                credited_on=row["credited_on"],
                credit_minor=on.get("credit_minor"),
                earned_minor=on.get("earned_minor"),
                rate=rate_words(version.says, component, on, final) if on else "",
                minor=int(row["minor"]),
                earning_id=earning.pk if earning else None,
                taken_back_until=_until(component, row["credited_on"]),
            )
        )
    return found


def _until(component: Component, credited_on: date) -> date | None:
    """The last day on which something of a line may be taken back, while that day has not passed."""
    free = free_from(component.clawback, day_number(credited_on)) if component.clawback is not None else None
    return day_date(free - 1) if free is not None and day_date(free) > today() else None


def parts(statement: Statement) -> list[Part]:
    """The components whose releases sum to the statement's released amount."""
    rows = statement_rows(statement).filter(kind=Payable.Kind.RELEASE)
    groups = list(
        rows.order_by()
        .values("plan_id", "component")
        .annotate(minor=Sum("amount_minor"), version=Max("plan_version_id"), first=Min("credit_date"))
        .order_by("plan_id", "component")
    )
    known = versions(group["version"] for group in groups)
    behind = _credit_behind(statement, rows)
    reached = _reached(statement, rows)
    found = []
    for group in groups:
        version = known[group["version"]]
        component = version.component(group["component"])
        key = (group["plan_id"], group["component"])
        count, credit = behind.get(key, (0, 0))
        total, quota = reached.get(key, (None, None))
        tier = tier_words(version.says, component, total, quota)
        if total is not None and quota:
            reads = f"{percent(total, quota)} of {measured_words(component, quota, version.says.currency)}"
            tier = f"{tier}, at {reads}" if component.tiers is not None else f"{tier}; {reads}"
        found.append(Part(component.name, version, component.clause, count, credit, tier, int(group["minor"])))
    return sorted(found, key=lambda part: (part.version.name, -part.minor))


def adjustments(statement: Statement) -> QuerySet[Any]:
    """The tranches whose period was closed already, and what people adjusted by hand, oldest origin first."""
    rows = statement_rows(statement).exclude(kind=Payable.Kind.RELEASE)
    return rows.select_related("deal__account", "deal__product", "cause").order_by(
        "origin_starts_on", "fact", "component", "index", "id"
    )


#: Lines that are released by no entry of their component's release.
_WHOLE = (LineNamed.Kind.REVERSAL, LineNamed.Kind.CARRIED, LineNamed.Kind.OPENING)


def adjustment_lines(statement: Statement, rows: Iterable[Any], names: Mapping[date, str]) -> list[Adjustment]:
    """Rows of `adjustments` in words; `names` gives origin periods their names."""
    rows = list(rows)
    known = versions(row.plan_version_id for row in rows)
    standing = _earnings(statement.participant_id, {row.fact for row in rows})
    made = made_by_hand(row.rule for row in rows if row.line_kind == LineNamed.Kind.MANUAL)
    found = []
    for row in rows:
        if row.line_kind == LineNamed.Kind.MANUAL:
            found.append(_by_hand(row, known[row.plan_version_id], names[row.origin_starts_on], made.get(row.rule)))
            continue
        component = known[row.plan_version_id].component(row.component)
        stated = releases(known[row.plan_version_id].says, component.key)
        alone = row.line_kind in _WHOLE or all(len(r) == 1 for r in stated)
        words = {release_words(release[row.index]) for release in stated if row.index < len(release)}
        part = words.pop() if len(words) == 1 else f"part {row.index + 1}"
        name = component.name if alone else f"{component.name}, {part}"
        earning = standing.get(tuple(getattr(row, column) for column in KEY))
        found.append(
            Adjustment(
                line_label(row, row.deal),
                row.deal,
                name,
                names[row.origin_starts_on],
                row.amount_minor,
                row.posted_minor if isinstance(row, Payable) else row.trace.get("posted_minor"),
                row.cause,
                earning.pk if earning else None,
            )
        )
    return found


def _by_hand(row: Any, version: Version, origin: str, made: int | None) -> Adjustment:
    what = version.component(row.component).name if row.component else "By hand"
    return Adjustment(row.rule, None, what, origin, row.amount_minor, None, row.cause, None, made)


def made_by_hand(rules: Iterable[str]) -> dict[str, int]:
    """Rule of a line by hand (ADJ-000012) to the adjustment, of those whose pay the scope sees."""
    rows = ByHand.objects.filter(number__in=[int(rule.removeprefix("ADJ-")) for rule in rules])
    return {row.name: row.pk for row in rows}


def held(statement: Statement) -> QuerySet[Any]:
    """What the open period would pay and something holds, largest first; nothing of a closed one."""
    rows = Payable.objects.filter(
        participant_id=statement.participant_id, period_starts_on=statement.period_starts_on, hold__isnull=False
    )
    rows = rows if statement.state == Statement.State.OPEN else rows.none()
    named = rows.select_related("hold__placed_by", "deal__account", "deal__product")
    return named.order_by("-amount_minor", "fact", "component", "id")


def earned_and_waiting(participant_id: int, period: Span, open_period: Span) -> QuerySet[Any]:
    """Lines credited in the period of which something waits (today, whatever the statement's age), largest first."""
    rows = lines(participant_id, open_period.ends_on).filter(
        credit_date__gte=period.starts_on, credit_date__lt=period.ends_on
    )
    return rows.exclude(waiting_minor=0, waiting=0).order_by(
        "-waiting_minor", "-fact", "component", "rule", "split", "id"
    )


def neighbours(statement: Statement) -> tuple[Statement | None, Statement | None]:
    """The person's statements before and after."""
    others = Statement.objects.filter(participant_id=statement.participant_id)
    day, run = statement.period_starts_on, statement.run
    before = others.filter(Q(period_starts_on__lt=day) | Q(period_starts_on=day, run__lt=run))
    after = others.filter(Q(period_starts_on__gt=day) | Q(period_starts_on=day, run__gt=run))
    return before.order_by("-period_starts_on", "-run").first(), after.order_by("period_starts_on", "run").first()


# ------------------------------------------------------------------ what figures stood on


def _earnings(participant_id: int, facts: Iterable[int]) -> dict[tuple[Any, ...], Earning]:
    rows = Earning.objects.filter(participant_id=participant_id, fact__in=set(facts))
    return {tuple(getattr(row, name) for name in KEY): row for row in rows}


def _stood(
    statement: Statement, facts: Iterable[int], standing: Mapping[tuple[Any, ...], Earning]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    if statement.state == Statement.State.OPEN:
        return {key: {name: getattr(row, name) for name in TRACE} for key, row in standing.items()}
    rows = statement_rows(statement).filter(kind=Payable.Kind.RELEASE, fact__in=set(facts))
    return {tuple(getattr(row, name) for name in KEY): {name: row.trace.get(name) for name in TRACE} for row in rows}


def _credit_behind(statement: Statement, rows: QuerySet[Any]) -> dict[tuple[int, str], tuple[int, int]]:
    """(plan, component) to the number of released lines and the credit that they stand on."""
    if statement.state == Statement.State.OPEN:
        same = rows.filter(**{name: OuterRef(name) for name in KEY})
        found = (
            Earning.objects.filter(Exists(same), participant_id=statement.participant_id)
            .order_by()
            .values_list("plan_id", "component")
            .annotate(count=Count("id"), credit=Sum("credit_minor"))
        )
        return {(plan, component): (count, int(credit)) for plan, component, count, credit in found}
    sums: dict[tuple[int, str], tuple[int, int]] = {}
    for plan, component, trace in rows.order_by(*KEY).distinct(*KEY).values_list("plan_id", "component", "trace"):
        count, credit = sums.get((plan, component), (0, 0))
        sums[plan, component] = (count + 1, credit + (trace.get("credit_minor") or 0))
    return sums


def _reached(statement: Statement, rows: QuerySet[Any]) -> dict[tuple[int, str], tuple[int | None, int | None]]:
    """(plan, component) to the running total and the quota: now, or as the closed statement's last line left it."""
    if statement.state == Statement.State.OPEN:
        groups = Attainment.objects.filter(
            participant_id=statement.participant_id,
            starts_on__lt=statement.period_ends_on,
            ends_on__gt=statement.period_starts_on,
        ).order_by("starts_on")
        return {(group.plan_id, group.component): (group.total_minor, group.quota_minor) for group in groups}
    last = rows.order_by("plan_id", "component", "-credit_date", "-trace__position").distinct("plan_id", "component")
    return {
        (plan, component): (trace.get("after_minor"), trace.get("quota_minor"))
        for plan, component, trace in last.values_list("plan_id", "component", "trace")
    }


def plans_of(found: Sequence[Part]) -> str:
    """`Account executive, version 2`; several joined."""
    return "; ".join(dict.fromkeys(str(part.version) for part in found))
