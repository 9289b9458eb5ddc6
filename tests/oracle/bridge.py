"""A case as columns for `payouts.kernel.calculate`, and its result as the oracle's facts.

Rows, plans and vocabularies are shuffled by a seed, because the order of the input means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

import numpy as np

from payouts.kernel import calculate
from payouts.kernel.batch import (
    FAR_DAY,
    MISSING_DAY,
    MISSING_MONEY,
    Adjustments,
    Assignments,
    Attributes,
    Balances,
    Batch,
    Employment,
    Exchange,
    Ints,
    Kept,
    Milestones,
    Openings,
    OpeningTranches,
    Quotas,
    Relief,
    Reporting,
    Result,
    Teams,
    Text,
    Transfers,
    Usage,
)
from payouts.kernel.batch import Facts as Columns
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan, Every, OwnPeriods
from tests.oracle.book import unit_of_measure, year_long
from tests.oracle.case import (
    Case,
    CreditFact,
    DrawFact,
    Facts,
    GroupFact,
    GroupKey,
    LineFact,
    Opening,
    Posted,
    ScheduleFact,
    SettlementFact,
    TrancheFact,
    WaitFact,
)
from tests.oracle.fields import FIELD_TYPES
from tests.oracle.own_periods import length_name

EPOCH = date(1970, 1, 1)
CREDIT_KINDS = ("direct", "rolled", "transferred")
LINE_KINDS = ("credit", "period", "reversal", "carry", "by hand", "opening")
#: Steps of a trace after rounding: the last of them is what a line earns.
LEAVES = {"floating", "rounded", "counterpart", "minimum", "withheld", "cap", "gate_cap", "carried", "plan_cap"}
LEAVES |= {"budget", "clawback", "opening"}
STATES = ("dated", "waiting", "held", "withheld", "lost", "no rate")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Shuffled:
    """A batch and the ways back: which version and which rate stands at each place."""

    batch: Batch
    versions: list[int]
    rates: list[Any]


def kernel_facts(case: Case, *, seed: int = 0, only: Iterable[int] | None = None) -> Facts:
    """What the kernel says about the case, in the oracle's terms."""
    shuffled = batch_of(case, seed=seed, only=only)
    return facts_of(case, shuffled, calculate(shuffled.batch, traced=True))


#: What was compiled last, by how and from what: many tests ask for the same case several times.
_COMPILED: dict[tuple[Callable[[Any], CompiledPlan], str], CompiledPlan] = {}


def compiled_once(document: dict[str, Any]) -> CompiledPlan:
    key = (compile_plan, repr(document))
    if key not in _COMPILED:
        if len(_COMPILED) >= 100:
            _COMPILED.clear()
        _COMPILED[key] = compile_plan(document)
    return _COMPILED[key]


def batch_of(case: Case, *, seed: int = 0, only: Iterable[int] | None = None) -> Shuffled:
    random = Random(seed)

    def shuffle(rows: Iterable[Row]) -> list[Row]:
        rows = list(rows)
        random.shuffle(rows)
        return rows

    def text(values: Sequence[Any], spare: str = "a word that no row has") -> Text:
        vocabulary = shuffle(sorted({value for value in values if value is not None} | {spare}))
        codes = [-1 if value is None else vocabulary.index(value) for value in values]
        return Text(np.array(codes, dtype=np.int32), tuple(vocabulary))

    versions = shuffle(range(len(case.versions)))
    plans = tuple(compiled_once(case.versions[version].document) for version in versions)
    facts = shuffle(case.facts)
    row_of = {fact.id: row for row, fact in enumerate(facts)}
    names = sorted((fact.source, fact.external_id) for fact in case.facts)

    kinds = dict(FIELD_TYPES)
    for version in case.versions:
        kinds |= version.document.get("fields", {})

    def columns(kind: str, column: Callable[[list[Any]], Any]) -> dict[str, Any]:
        return {
            name: column([fact.fields.get(name) for fact in facts]) for name, found in kinds.items() if found == kind
        }

    members = shuffle((row_of[fact.id], place, member) for fact in facts for place, member in enumerate(fact.team))
    reports, quotas = shuffle(case.reports), shuffle(case.quotas)
    milestones, readings = shuffle(case.milestones), shuffle(case.readings)
    transfers, attributes, spans = shuffle(case.transfers), shuffle(case.attributes), shuffle(case.spans)
    rates, relief = shuffle(case.rates), shuffle(case.relief)
    adjustments, balances = shuffle(case.adjustments), shuffle(case.balances)
    openings = shuffle(case.openings)
    given = shuffle(
        (row, place, amount, day)
        for row, opening in enumerate(openings)
        for place, (amount, day) in enumerate(opening.tranches)
    )
    assigned = shuffle(
        (held.person, place, max(held.start, version.start), min(day_number(held.end), day_number(version.end)))
        for held in case.assignments
        for place, version in ((place, case.versions[index]) for place, index in enumerate(versions))
        if version.document["key"] == held.plan
    )
    assigned = [row for row in assigned if day_number(row[2]) < row[3]]

    batch = Batch(
        plans=plans,
        in_force=tuple(
            (day_number(case.versions[place].start), day_number(case.versions[place].end)) for place in versions
        ),
        periods={every: ints(map(day_number, starts)) for every, starts in case.periods.items()},
        pay_periods=ints(map(day_number, case.pay_periods)),
        facts=Columns(
            id=ints(fact.id for fact in facts),
            rank=ints(7 + 3 * names.index((fact.source, fact.external_id)) for fact in facts),
            event_time=ints(microseconds(fact.event_time) for fact in facts),
            text=columns("text", text),
            money=columns("money", lambda values: ints(MISSING_MONEY if v is None else v for v in values)),
            dates=columns("date", lambda values: ints(MISSING_DAY if v is None else day_number(v) for v in values)),
            numbers=columns("number", objects),
            booleans=columns(
                "boolean", lambda values: np.array([-1 if v is None else v for v in values], dtype=np.int8)
            ),
            kind=text([fact.kind for fact in facts]) if any(fact.kind != "deal" for fact in facts) else None,
            deal=ints(-1 if fact.belongs_to is None else row_of[fact.belongs_to] for fact in facts)
            if any(fact.kind != "deal" for fact in facts)
            else None,
            currency=text([fact.currency for fact in facts], "CHF") if any(fact.currency for fact in facts) else None,
        ),
        teams=Teams(
            fact=ints(row for row, _, _ in members),
            role=text([member.role for _, _, member in members]),
            participant=ints(member.person for _, _, member in members),
            weight=ints(member.weight for _, _, member in members),
            place=ints(place for _, place, _ in members),
        ),
        reporting=Reporting(
            participant=ints(line.person for line in reports),
            manager=ints(line.manager for line in reports),
            start=ints(day_number(line.start) for line in reports),
            end=ints(day_number(line.end) for line in reports),
        ),
        assignments=Assignments(
            participant=ints(row[0] for row in assigned),
            plan=ints(row[1] for row in assigned),
            start=ints(day_number(row[2]) for row in assigned),
            end=ints(row[3] for row in assigned),
        ),
        quotas=Quotas(
            participant=ints(quota.person for quota in quotas),
            key=text([quota.key for quota in quotas]),
            start=ints(day_number(quota.start) for quota in quotas),
            end=ints(day_number(quota.end) for quota in quotas),
            amount=ints(quota.amount for quota in quotas),
        ),
        milestones=Milestones(
            deal=ints(row_of[reached.deal] for reached in milestones),
            kind=text([reached.kind for reached in milestones]),
            day=ints(day_number(reached.day) for reached in milestones),
        ),
        usage=Usage(
            deal=ints(row_of[reading.deal] for reading in readings),
            day=ints(day_number(reading.day) for reading in readings),
            used=ints(reading.used for reading in readings),
            contracted=ints(reading.contracted for reading in readings),
        ),
        only=None if only is None else ints(only),
        transfers=Transfers(
            deal=ints(row_of[row.deal] for row in transfers),
            role=text([row.role for row in transfers]),
            giver=ints(row.giver for row in transfers),
            receiver=ints(row.receiver for row in transfers),
            day=ints(day_number(row.day) for row in transfers),
        )
        if transfers
        else None,
        attributes=Attributes(
            participant=ints(row.person for row in attributes),
            name=text([row.name for row in attributes]),
            value=text([row.value for row in attributes]),
            start=ints(day_number(row.start) for row in attributes),
            end=ints(day_number(row.end) for row in attributes),
        )
        if attributes
        else None,
        employment=Employment(
            participant=ints(row.person for row in spans),
            leave=np.array([row.leave for row in spans], dtype=np.int8),
            start=ints(day_number(row.start) for row in spans),
            end=ints(day_number(row.end) for row in spans),
        )
        if spans
        else None,
        exchange=Exchange(
            source=text([row.source for row in rates], "CHF"),
            target=text([row.target for row in rates], "CHF"),
            kind=text([row.kind for row in rates]),
            start=ints(day_number(row.start) for row in rates),
            end=ints(day_number(row.end) for row in rates),
            top=ints(row.rate.numerator for row in rates),
            bottom=ints(row.rate.denominator for row in rates),
        )
        if rates
        else None,
        holidays=ints(map(day_number, sorted(case.holidays))) if case.holidays else None,
        relief=Relief(
            participant=ints(row.person for row in relief),
            key=text([row.key for row in relief]),
            start=ints(day_number(row.start) for row in relief),
            end=ints(day_number(row.end) for row in relief),
            top=ints(row.share.numerator for row in relief),
            bottom=ints(row.share.denominator for row in relief),
        )
        if relief
        else None,
        pay_currency=dict(case.pay_currency) if case.pay_currency else None,
        adjustments=Adjustments(
            participant=ints(row.person for row in adjustments),
            day=ints(day_number(row.day) for row in adjustments),
            amount=ints(row.amount for row in adjustments),
            origin=ints(MISSING_DAY if row.origin is None else day_number(row.origin) for row in adjustments),
        )
        if adjustments
        else None,
        balances=Balances(
            participant=ints(row.person for row in balances),
            kind=text([row.kind for row in balances]),
            amount=ints(row.amount for row in balances),
        )
        if balances
        else None,
        openings=openings_of(openings, versions, plans) if openings else None,
        opening_tranches=OpeningTranches(
            opening=ints(row for row, _, _, _ in given),
            index=ints(place for _, place, _, _ in given),
            amount=ints(amount for _, _, amount, _ in given),
            release_day=ints(MISSING_DAY if day is None else day_number(day) for _, _, _, day in given),
        )
        if openings
        else None,
        kept=kept_of(shuffle(case.posted), versions, row_of) if case.posted else None,
    )
    return Shuffled(batch, versions, rates)


def openings_of(openings: Sequence[Opening], versions: list[int], plans: tuple[CompiledPlan, ...]) -> Openings:
    places = [versions.index(opening.version) for opening in openings]
    keys = [[component.key for component in plan.components] for plan in plans]
    return Openings(
        participant=ints(opening.person for opening in openings),
        plan=ints(places),
        component=ints(keys[place].index(opening.component) for place, opening in zip(places, openings, strict=True)),
        day=ints(day_number(opening.day) for opening in openings),
        measured=ints(opening.measured for opening in openings),
        earned=ints(opening.earned for opening in openings),
    )


def kept_of(posted: Sequence[Posted], versions: list[int], row_of: dict[int, int]) -> Kept:
    def words(values: list[str]) -> Text:
        vocabulary = sorted({*values, "a word that no row has"})
        return Text(np.array([vocabulary.index(value) for value in values], dtype=np.int32), tuple(vocabulary))

    return Kept(
        participant=ints(row.person for row in posted),
        plan=ints(versions.index(row.version) for row in posted),
        component=words([row.component for row in posted]),
        kind=ints(LINE_KINDS.index(row.kind) for row in posted),
        fact=ints(-1 if row.fact is None else row_of[row.fact] for row in posted),
        split=ints(row.split for row in posted),
        line_day=ints(0 if row.day is None else day_number(row.day) for row in posted),
        rule=words([row.rule for row in posted]),
        role=words([row.role for row in posted]),
        earned=ints(row.earned for row in posted),
        day=ints(0 for _ in posted),
        had=ints(0 for _ in posted),
    )


# ------------------------------------------------------------------ the way back


def facts_of(case: Case, shuffled: Shuffled, result: Result) -> Facts:
    """The kernel's rows by what they are about, never by where they stand."""
    return Back(case, shuffled, result).facts()


class Back:
    def __init__(self, case: Case, shuffled: Shuffled, result: Result) -> None:
        self.case, self.batch, self.versions, self.result = case, shuffled.batch, shuffled.versions, result
        self.rates = shuffled.rates
        self.credits = [self.credit(row) for row in range(len(result.credits.fact))]
        self.keys = [self.key(row) for row in range(len(result.groups.participant))]
        self.positions = [int(position) for position in result.lines.position]

    def facts(self) -> Facts:
        result = self.result
        waits, settled, schedules = result.waits, result.settlements, result.schedules
        return Facts(
            sorted(self.credits),
            sorted((self.group(row) for row in range(len(self.keys))), key=lambda fact: fact.key),
            sorted(
                (self.line(row) for row in range(len(self.positions))), key=lambda fact: (fact.group, fact.position)
            ),
            sorted(
                (self.tranche(row) for row in range(len(result.tranches.line))),
                key=lambda fact: (fact.group, fact.position, fact.place, fact.part),
            ),
            [] if waits is None else sorted({self.wait(row) for row in range(len(waits.fact))}),
            [] if settled is None else sorted(map(self.settlement, range(len(settled.participant)))),
            [] if schedules is None else sorted(self.schedule(row) for row in range(len(schedules.line))),
            [] if result.draws is None else sorted(map(self.draw, range(len(result.draws.settlement)))),
        )

    def credit(self, row: int) -> CreditFact:
        credits = self.result.credits
        return CreditFact(
            person=int(credits.participant[row]),
            version=self.versions[credits.plan[row]],
            fact=self.fact_id(credits.fact[row]),
            rule=self.batch.plans[credits.plan[row]].credit_rules[credits.rule[row]].key,
            split=int(credits.split[row]),
            role=word(credits.role, row),
            credit_class=word(credits.credit_class, row),
            kind=CREDIT_KINDS[credits.kind[row]],
            day=day_of(credits.day[row]),
            pot=int(credits.pot[row]),
            amount=int(credits.amount[row]),
            held=credits.held is not None and bool(credits.held[row]),
        )

    def fact_id(self, row: Any) -> int:
        return int(self.batch.facts.id[row])

    def component(self, plan: Any, row: int) -> dict[str, Any]:
        """The component's document; the compiled plan keeps the order of the text."""
        document = self.case.versions[self.versions[plan]].document
        component: dict[str, Any] = document["components"][row]
        return component

    def key(self, row: int) -> GroupKey:
        groups = self.result.groups
        plan = self.batch.plans[groups.plan[row]]
        component = plan.components[groups.component[row]]
        yearly = year_long(self.component(groups.plan[row], groups.component[row]))
        every = "year" if yearly else length(component.every)
        return GroupKey(
            int(groups.participant[row]),
            plan.key,
            component.key,
            every,
            int(groups.period[row]),
            self.versions[groups.plan[row]],
        )

    def group(self, row: int) -> GroupFact:
        groups = self.result.groups
        component = self.component(groups.plan[row], groups.component[row])
        unit = unit_of_measure(self.case.versions[self.versions[groups.plan[row]]].document, component)
        value = ratio(groups.value_top, groups.value_bottom, row)
        total: int | None = int(groups.total[row])
        if unit in ("share", "days"):
            total = None
        elif value is not None:
            # A whole value may be told either way.
            whole = value if unit == "money" else value * 10**6
            total, value = (int(whole), None) if whole.denominator == 1 else (None, value)
        return GroupFact(
            key=self.keys[row],
            quota=or_none(groups.quota[row]),
            incentive=None if groups.incentive is None else or_none(groups.incentive[row]),
            total=total,
            value=value,
            result=ratio(groups.result_top, groups.result_bottom, row),
            lines=int(groups.lines[row]),
        )

    def line(self, row: int) -> LineFact:
        lines = self.result.lines
        kind = "credit" if lines.kind is None else LINE_KINDS[lines.kind[row]]
        credit = None if lines.credit[row] == -1 else self.credits[lines.credit[row]]
        version = credit.version if lines.plan is None and credit else self.versions[lines.plan[row]]  # type: ignore[index]
        fact = credit.fact if credit else None
        if lines.fact is not None:
            fact = None if lines.fact[row] == -1 else self.fact_id(lines.fact[row])
        day = credit.day if lines.day is None and credit else day_of(lines.day[row])  # type: ignore[index]
        measured = lines.measured
        assert self.result.traces is not None
        steps = self.result.traces.of(row)
        group = self.result.groups
        of = lines.group[row]
        pays = self.component(group.plan[of], group.component[of])["kind"] != "result"
        return LineFact(
            group=self.keys[lines.group[row]],
            position=self.positions[row],
            kind=kind,
            day=day,
            version=version,
            credit=credit,
            fact=fact,
            measured=(credit.amount if credit else None) if measured is None else int(measured[row]),
            before=int(lines.before[row]),
            after=int(lines.after[row]),
            tiers=(place_or_none(lines.tier_before[row]), place_or_none(lines.tier_after[row])),
            band=place_or_none(lines.band[row]),
            rounded=int(lines.rounded[row]),
            earned=int(lines.earned[row]),
            review=0 if lines.review is None else int(lines.review[row]),
            waiting=int(lines.waiting[row]),
            exact=steps.get("exact") if kind in ("credit", "period") and pays else None,
            left=next((int(steps[name]) for name in reversed(steps) if name.split(":")[0] in LEAVES), 0),
        )

    def tranche(self, row: int) -> TrancheFact:
        tranches = self.result.tranches
        line = tranches.line[row]
        release = day_or_none(tranches.release_day[row])
        if tranches.state is None:
            state = "waiting" if release is None else "dated"
        else:
            state = STATES[tranches.state[row]]
        amount = int(tranches.amount[row])
        paid = amount if tranches.paid_amount is None else int(tranches.paid_amount[row])
        rate = None if tranches.exchange is None or tranches.exchange[row] == -1 else self.rates[tranches.exchange[row]]
        return TrancheFact(
            group=self.keys[self.result.lines.group[line]],
            position=self.positions[line],
            place=int(tranches.index[row]),
            part=0 if tranches.part is None else int(tranches.part[row]),
            amount=amount,
            trigger_day=day_or_none(tranches.trigger_day[row]),
            release_day=release,
            pay_period=place_or_none(tranches.pay_period[row]),
            state=state,
            paid=paid if release is not None else None,
            rate=rate if release is not None else None,
        )

    def wait(self, row: int) -> WaitFact:
        waits = self.result.waits
        assert waits is not None
        rule = self.batch.plans[waits.plan[row]].credit_rules[waits.rule[row]].key
        return WaitFact(self.fact_id(waits.fact[row]), self.versions[waits.plan[row]], rule)

    def settlement(self, row: int) -> SettlementFact:
        settled = self.result.settlements
        assert settled is not None
        names = SettlementFact._fields[3:]
        amounts = {name: int(getattr(settled, name)[row]) for name in names}
        plan = self.batch.plans[settled.plan[row]].key
        return SettlementFact(int(settled.participant[row]), plan, int(settled.pay_period[row]), **amounts)

    def draw(self, row: int) -> DrawFact:
        draws = self.result.draws
        assert draws is not None
        of = self.settlement(int(draws.settlement[row]))
        names = DrawFact._fields[4:]
        return DrawFact(*of[:3], word(draws.key, row), *(int(getattr(draws, name)[row]) for name in names))

    def schedule(self, row: int) -> ScheduleFact:
        schedules = self.result.schedules
        assert schedules is not None
        line = schedules.line[row]
        key = self.keys[self.result.lines.group[line]]
        return ScheduleFact(key, self.positions[line], day_of(schedules.month[row]), int(schedules.amount[row]))


# ------------------------------------------------------------------ values


def ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def day_number(day: date | None) -> int:
    return FAR_DAY if day is None else (day - EPOCH).days


def day_of(number: Any) -> date:
    return EPOCH + timedelta(days=int(number))


def day_or_none(number: Any) -> date | None:
    return None if number == MISSING_DAY else day_of(number)


def or_none(amount: Any) -> int | None:
    return None if amount == MISSING_MONEY else int(amount)


def place_or_none(place: Any) -> int | None:
    return None if place == -1 else int(place)


def ratio(top: Any, bottom: Any, row: int) -> Fraction | None:
    return None if top is None or bottom is None or bottom[row] == 0 else Fraction(int(top[row]), int(bottom[row]))


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def length(every: Every) -> str:
    """Measure periods as the oracle tells them."""
    if not isinstance(every, OwnPeriods):
        return every
    return length_name(every.name, [(day_of(start), day_of(end)) for start, end in every.spans])


def word(text: Text, row: int) -> str:
    return text.vocabulary[text.codes[row]]
