"""What a case comes to: a statement in words, every intermediate as JSON, and where it differs from `expect`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from fractions import Fraction
from typing import Any

from comp.core.days import day_date
from comp.core.money import format_money, plain_money
from payouts.case import Case
from payouts.case_expect import WAITING, Expectation
from payouts.case_figures import Figures
from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY, Result
from payouts.kernel.explain import LineFacts, Step, TrancheFacts, explain_line, percent_text, trigger_text
from plans.rules.compiled import Component


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit, by places in the case's people and deals."""

    person: int
    deal: int
    rule: str
    role: str
    credit_class: str
    day: int
    amount: int


@dataclass(frozen=True, slots=True)
class Line:
    """A credit in one component. `period` is the key of its measure period. `payables` say of each tranche its pay
    period, or that it is waiting, and its trigger."""

    person: int
    deal: int
    component: Component
    period: str
    facts: LineFacts
    steps: tuple[Step, ...]
    payables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold. `trace` tells how the figure came about."""

    path: str
    expected: str
    found: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        told = "".join(f"\n    {sentence}" for sentence in self.trace)
        return f"{self.path}: expected {self.expected}, found {self.found}{told}"


class Report:
    """A case and its result, with names and the story of each line."""

    def __init__(self, case: Case, result: Result) -> None:
        self.case = case
        self.result = result
        self.figures = Figures(case, result)
        self.credits = list(self._credits())
        self.lines = list(self._lines())

    # ------------------------------------------------------------------ expectations

    def failures(self) -> list[Failure]:
        """The expectations that do not hold."""
        return [failure for each in self.case.expectations if (failure := self._failure(each)) is not None]

    def _failure(self, expected: Expectation) -> Failure | None:
        found = self.figures.of(expected)
        lines = [line for line in self.lines if self._concerns(expected, line)]
        trace = tuple(f"{self._where(line)}: {step.sentence}" for line in lines for step in line.steps)
        for name, value in expected.figures.items():
            if found.get(name) != value:
                path = expected.path if name == "amount" else f"{expected.path}.{name}"
                return Failure(path, self.figures.told(name, value), self.figures.told(name, found.get(name)), trace)
        return None

    def _concerns(self, expected: Expectation, line: Line) -> bool:
        """Whether a line is one that the expectation is about."""
        return (
            expected.person in (None, line.person)
            and expected.fact in (None, line.deal)
            and expected.role in (None, line.facts.role)
            and expected.component in (None, line.component.key)
            and (expected.section not in ("attainment", "results", "earnings") or expected.period == line.period)
        )

    # ------------------------------------------------------------------ in words

    def statement(self) -> str:
        """For each person: credits, attainment and lines with their story, and what is payable when."""
        case = self.case
        plans = ", ".join(dict.fromkeys(plan.name for plan in case.batch.plans))
        out = [f"{case.name or 'Case'}: {plans} ({case.currency})"]
        for person, name in enumerate(case.people):
            credits = [credit for credit in self.credits if credit.person == person]
            if not credits:
                continue
            out += ["", name, "  Credits"]
            out += [
                f"    {day_date(credit.day)}  {case.facts[credit.deal]}  as {credit.role}  {self.money(credit.amount)}"
                for credit in credits
            ]
            mine = [line for line in self.lines if line.person == person]
            for lines in _grouped(mine):
                out += self._component(lines)
            out += ["  Payable", *(f"    {period}: {self.money(sum_)}" for period, sum_ in self._payable(mine).items())]
        return "\n".join(out) + "\n"

    def _component(self, lines: list[Line]) -> Iterator[str]:
        first = lines[0]
        quota, total = first.facts.quota, first.facts.total
        measured = f"{self.money(total)} credited"
        if quota:
            measured += f", {percent_text(Fraction(total, quota))} of the quota of {self.money(quota)}"
        yield f"  {first.component.name}, {first.period}: {measured}"
        for line in lines:
            yield f"    {line.facts.position}. {self.case.facts[line.deal]}: {self.money(line.facts.earned)}"
            for step in line.steps:
                yield f"         {step.sentence}"
        yield f"    Earned: {self.money(sum(line.facts.earned for line in lines))}"

    def _payable(self, lines: Iterable[Line]) -> dict[str, int]:
        """Sums by pay period in order of time, then what waits by what it waits for."""
        sums: dict[str, int] = {}
        for line in lines:
            for part, (period, trigger) in zip(line.facts.tranches, line.payables, strict=True):
                what = f"waiting for {trigger}" if period == WAITING else period
                sums[what] = sums.get(what, 0) + part.amount
        order = [period.key for period in self.case.pay_periods]
        return dict(sorted(sums.items(), key=lambda item: (item[0] not in order, _place(order, item[0]), item[0])))

    # ------------------------------------------------------------------ as data

    def as_json(self) -> dict[str, Any]:
        """Every intermediate: money as text in the currency, ratios as exact fractions, dates as ISO text."""
        case = self.case
        return {
            "case": case.name,
            "currency": case.currency,
            "plans": [{"key": plan.key, "name": plan.name, "digest": plan.digest} for plan in case.batch.plans],
            "credits": [
                {
                    "person": case.people[credit.person],
                    "deal": case.facts[credit.deal],
                    "rule": credit.rule,
                    "role": credit.role,
                    "class": credit.credit_class,
                    "day": day_date(credit.day).isoformat(),
                    "amount": self.plain(credit.amount),
                }
                for credit in self.credits
            ],
            "lines": [self._line_json(line) for line in self.lines],
            "failures": [asdict(failure) for failure in self.failures()],
        }

    def _line_json(self, line: Line) -> dict[str, Any]:
        facts = line.facts
        names = ("pot", "amount", "before", "after", "total", "rounded", "earned")
        return {
            "person": self.case.people[line.person],
            "deal": self.case.facts[line.deal],
            "component": line.component.key,
            "period": line.period,
            "role": facts.role,
            "split": facts.split,
            "position": facts.position,
            **{name: self.plain(getattr(facts, name)) for name in names},
            "quota": None if facts.quota is None else self.plain(facts.quota),
            "attainment": str(Fraction(facts.total, facts.quota)) if facts.quota else None,
            "waiting_for_quota": facts.waiting,
            "tranches": [
                {
                    "amount": self.plain(part.amount),
                    "trigger": trigger,
                    "trigger_day": _iso(part.trigger_day),
                    "release_day": _iso(part.release_day),
                    "pay_period": period,
                }
                for part, (period, trigger) in zip(facts.tranches, line.payables, strict=True)
            ],
            "steps": [
                {
                    "label": step.label_code,
                    "sentence": step.sentence,
                    "value": _plain(step.value),
                    "unit": step.unit,
                    "detail": _plain(step.detail),
                }
                for step in line.steps
            ],
        }

    def money(self, minor: int) -> str:
        return format_money(minor, self.case.currency)

    def plain(self, minor: int) -> str:
        return plain_money(minor, self.case.currency)

    # ------------------------------------------------------------------ from columns to rows

    def _credits(self) -> Iterator[Credit]:
        columns, plans = self.result.credits, self.case.batch.plans
        for row in range(columns.fact.size):
            rule = plans[columns.plan[row]].credit_rules[columns.rule[row]]
            role = columns.role.vocabulary[columns.role.codes[row]]
            yield Credit(
                int(columns.participant[row]),
                int(columns.fact[row]),
                rule.key,
                role,
                rule.credit_class,
                int(columns.day[row]),
                int(columns.amount[row]),
            )

    def _lines(self) -> Iterator[Line]:
        batch, result = self.case.batch, self.result
        credits, lines, groups, tranches = result.credits, result.lines, result.groups, result.tranches
        parts: dict[int, list[int]] = {}
        for part, line in enumerate(tranches.line.tolist()):
            parts.setdefault(line, []).append(part)
        for row in range(lines.credit.size):
            credit, group = int(lines.credit[row]), int(lines.group[row])
            plan = batch.plans[credits.plan[credit]]
            component = plan.components[lines.component[row]]
            rule = plan.credit_rules[credits.rule[credit]]
            deal, quota = int(credits.fact[credit]), int(groups.quota[group])
            mine = parts.get(row, [])
            facts = LineFacts(
                whole=int(batch.facts.money[rule.amount][deal]),
                rule=int(credits.rule[credit]),
                role=self.credits[credit].role,
                split=int(credits.split[credit]),
                pot=int(credits.pot[credit]),
                amount=int(credits.amount[credit]),
                position=int(lines.position[row]),
                before=int(lines.before[row]),
                after=int(lines.after[row]),
                quota=None if quota == MISSING_MONEY else quota,
                total=int(groups.total[group]),
                band=int(lines.band[row]),
                rounded=int(lines.rounded[row]),
                earned=int(lines.earned[row]),
                waiting=bool(lines.waiting[row]),
                tranches=tuple(
                    TrancheFacts(int(tranches.amount[p]), int(tranches.trigger_day[p]), int(tranches.release_day[p]))
                    for p in mine
                ),
            )
            yield Line(
                person=self.credits[credit].person,
                deal=deal,
                component=component,
                period=self.case.periods[component.every][int(groups.period[group])].key,
                facts=facts,
                steps=tuple(explain_line(plan, component, facts)),
                payables=tuple(
                    (self._pay_period(int(tranches.pay_period[p])), trigger_text(entry))
                    for p, entry in zip(mine, component.release, strict=True)
                ),
            )

    def _pay_period(self, place: int) -> str:
        return WAITING if place < 0 else self.case.pay_periods[place].key

    def _where(self, line: Line) -> str:
        return f"{self.case.facts[line.deal]}, {line.component.key} {line.period}"


def _grouped(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines of one component and period together."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.component.key, line.period), []).append(line)
    return list(groups.values())


def _place(order: list[str], key: str) -> int:
    return order.index(key) if key in order else len(order)


def _iso(day: int) -> str | None:
    return None if day == MISSING_DAY else day_date(day).isoformat()


def _plain(value: Any) -> Any:
    """Ready for JSON: exact ratios as text."""
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
