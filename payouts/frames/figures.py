"""From a kernel result to the columns of the standing tables, and the standing rows as the same columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import CompError
from payouts.frames.read import Read
from payouts.frames.sql import NONE, Columns, Table, Words, day, number, quoted, read, read_numbers
from payouts.kernel.batch import MISSING_MONEY, Ints, Result, Text
from payouts.kernel.reads import cadence
from plans.rules.compiled import CompiledPlan, Component, Tranche

_LINE = ("participant_id", "deal_id", "plan_id", "rule", "role", "split")
_WORDS = frozenset({"rule", "role", "credit_class", "component", "trigger", "currency"})

CREDITS = Table(
    name="crediting_credit",
    key=_LINE,
    values=(
        "pay_group_id",
        "revision",
        "plan_version_id",
        "credit_class",
        "kind",
        "credit_date",
        "pot_minor",
        "amount_minor",
        "currency",
    ),
    days=frozenset({"credit_date"}),
    words=_WORDS,
)
EARNINGS = Table(
    name="payouts_earning",
    key=(*_LINE, "component"),
    values=(
        "pay_group_id",
        "plan_version_id",
        "credit_date",
        "period_starts_on",
        "credit_minor",
        "position",
        "before_minor",
        "after_minor",
        "quota_minor",
        "tier_before",
        "tier_after",
        "band",
        "rounded_minor",
        "earned_minor",
        "waiting",
        "currency",
    ),
    days=frozenset({"credit_date", "period_starts_on"}),
    words=_WORDS,
    nullable=frozenset({"quota_minor"}),
)
TRANCHES = Table(
    name="payouts_tranche",
    key=(*_LINE, "component", "index"),
    values=(
        "pay_group_id",
        "plan_version_id",
        "credit_date",
        "amount_minor",
        "trigger",
        "trigger_day",
        "release_day",
        "period_starts_on",
        "currency",
    ),
    days=frozenset({"credit_date", "trigger_day", "release_day", "period_starts_on"}),
    words=_WORDS,
    nullable=frozenset({"trigger_day", "release_day", "period_starts_on"}),
)
ATTAINMENTS = Table(
    name="payouts_attainment",
    # A version that measures by longer periods begins beside another one.
    key=("participant_id", "plan_id", "component", "starts_on", "plan_version_id"),
    values=(
        "pay_group_id",
        "ends_on",
        "quota_minor",
        "total_minor",
        "lines",
        "earned_minor",
        "currency",
    ),
    days=frozenset({"starts_on", "ends_on"}),
    words=_WORDS,
    nullable=frozenset({"quota_minor"}),
)
TABLES = (CREDITS, EARNINGS, TRANCHES, ATTAINMENTS)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is right, as columns of the four tables."""

    credits: Columns
    earnings: Columns
    tranches: Columns
    attainments: Columns

    def of(self, table: Table) -> Columns:
        return dict(zip(TABLES, (self.credits, self.earnings, self.tranches, self.attainments), strict=True))[table]

    def within(self, start: int, end: int) -> Figures:
        """Only the rows whose credit date (for attainments: period start) lies in [start, end)."""
        return Figures(*(_within(self.of(table), start, end) for table in TABLES))


def figures(result: Result, source: Read, pay_groups: Mapping[int, int]) -> Figures:
    """`pay_groups`: participant id to pay group id."""
    plans = source.versions.compiled
    versions = np.array(source.versions.id, dtype=np.int64)
    plan_ids = np.array(source.versions.plan_id, dtype=np.int64)
    batch, credits, lines = source.batch, result.credits, result.lines
    group_of = _lookup(pay_groups)

    rule = _numbered(plans, lambda plan: plan.credit_rules, lambda rule: rule.key)
    component = _numbered(plans, lambda plan: plan.components, lambda component: component.key)
    currency = _words([plan.currency for plan in plans])
    by_credit: Columns = {
        "participant_id": credits.participant,
        "deal_id": _taken(batch.facts.id, credits.fact),
        "plan_id": _taken(plan_ids, credits.plan),
        "rule": rule(credits.plan, credits.rule),
        "role": _as_words(credits.role),
        "split": credits.split,
        "pay_group_id": group_of(credits.participant),
        "plan_version_id": _taken(versions, credits.plan),
        "credit_date": credits.day,
        "currency": currency(credits.plan),
    }
    credit_columns: Columns = {
        **by_credit,
        "revision": _taken(source.revision, credits.fact),
        "credit_class": _as_words(credits.credit_class),
        "kind": credits.kind.astype(np.int64),
        "pot_minor": credits.pot,
        "amount_minor": credits.amount,
    }
    starts, ends = _periods(result, source)
    groups = result.groups
    line_plan = _taken(credits.plan, lines.credit)
    by_line: Columns = {
        **{name: _pick(column, lines.credit) for name, column in by_credit.items()},
        "component": component(line_plan, lines.component),
    }
    earning_columns: Columns = {
        **by_line,
        "period_starts_on": _taken(starts, lines.group),
        "credit_minor": _taken(credits.amount, lines.credit),
        "position": lines.position,
        "before_minor": lines.before,
        "after_minor": lines.after,
        "quota_minor": _taken(np.where(groups.quota == MISSING_MONEY, NONE, groups.quota), lines.group),
        "tier_before": lines.tier_before,
        "tier_after": lines.tier_after,
        "band": lines.band,
        "rounded_minor": lines.rounded,
        "earned_minor": lines.earned,
        "waiting": lines.waiting.astype(np.int64),
    }
    tranches = result.tranches
    trigger = _triggers(plans)
    tranche_columns: Columns = {
        **{name: _pick(column, tranches.line) for name, column in by_line.items()},
        "index": tranches.index,
        "amount_minor": tranches.amount,
        "trigger": trigger(_taken(line_plan, tranches.line), _taken(lines.component, tranches.line), tranches.index),
        "trigger_day": tranches.trigger_day,
        "release_day": tranches.release_day,
        "period_starts_on": np.where(tranches.pay_period >= 0, batch.pay_periods[tranches.pay_period], NONE),
    }
    earned = np.zeros(groups.total.size, dtype=np.int64)
    np.add.at(earned, lines.group, lines.earned)
    attainment_columns: Columns = {
        "participant_id": groups.participant,
        "plan_id": _taken(plan_ids, groups.plan),
        "component": component(groups.plan, groups.component),
        "starts_on": starts,
        "pay_group_id": group_of(groups.participant),
        "plan_version_id": _taken(versions, groups.plan),
        "ends_on": ends,
        "quota_minor": groups.quota,
        "total_minor": groups.total,
        "lines": groups.lines,
        "earned_minor": earned,
        "currency": currency(groups.plan),
    }
    return Figures(credit_columns, earning_columns, tranche_columns, attainment_columns)


def standing(table: Table, *, right: Columns, start: int, end: int, participants: Sequence[int] | None) -> Columns:
    """The rows that stand with credit dates (for attainments: period starts) in [start, end), with their ids. Texts are
    told in the words of `right`, what is compared with them; another word is code -1."""
    date = "starts_on" if table is ATTAINMENTS else "credit_date"
    params: dict[str, Any] = {"start": start, "end": end}
    picked = {"id": "id"}
    for name in table.columns:
        if name in table.words:
            params[name] = list(right[name].words)
            picked[name] = f"(coalesce(array_position(%({name})s::text[], {quoted(name)}::text), 0) - 1)::bigint"
        else:
            picked[name] = day(name) if name in table.days else number(quoted(name))
    narrow = ""
    if participants is not None:
        narrow, params["people"] = " AND participant_id = ANY(%(people)s)", list(participants)
    found = read_numbers(
        f"SELECT {', '.join(picked.values())} FROM {table.name} WHERE {date} >= '1970-01-01'::date + %(start)s::int "
        f"AND {date} < '1970-01-01'::date + %(end)s::int{narrow}",
        params,
        list(picked),
    )
    return {name: Words(found[name], right[name].words) if name in table.words else found[name] for name in picked}


def lines_standing(ids: Ints) -> Columns:
    """Lines that stand, by id, with their texts: what stood may name a component that no plan has any more."""
    return read(
        "SELECT participant_id, pay_group_id, deal_id, plan_id, component, "
        f"{day('credit_date')} AS credit_date, earned_minor, currency FROM payouts_earning WHERE id = ANY(%(ids)s)",
        {"ids": ids.tolist()},
        words=["component", "currency"],
    )


# ------------------------------------------------------------------ small columns


def _taken(values: Ints, rows: Ints) -> Ints:
    return values[rows] if rows.size else np.zeros(0, dtype=np.int64)


def _pick(column: Any, rows: Ints) -> Any:
    return Words(_taken(column.codes, rows), column.words) if isinstance(column, Words) else _taken(column, rows)


def _within(columns: Columns, start: int, end: int) -> Columns:
    date = columns["credit_date"] if "credit_date" in columns else columns["starts_on"]
    inside = (date >= start) & (date < end)
    if inside.all():
        return columns
    rows = np.flatnonzero(inside)
    return {name: _pick(column, rows) for name, column in columns.items()}


def _as_words(text: Text) -> Words:
    return Words(text.codes.astype(np.int64), text.vocabulary)


def _words(by_plan: Sequence[str]) -> Callable[[Ints], Words]:
    """A text that depends on the plan alone."""
    words = tuple(sorted(set(by_plan)))
    codes = np.array([words.index(word) for word in by_plan], dtype=np.int64)
    return lambda plan: Words(_taken(codes, plan), words)


def _numbered(
    plans: Sequence[CompiledPlan], parts: Callable[[CompiledPlan], Sequence[Any]], name: Callable[[Any], str]
) -> Callable[[Ints, Ints], Words]:
    """A text that depends on the plan and a part's place in it."""
    words = tuple(sorted({name(part) for plan in plans for part in parts(plan)}))
    first = np.cumsum([0, *(len(parts(plan)) for plan in plans)], dtype=np.int64)
    codes = np.array([words.index(name(part)) for plan in plans for part in parts(plan)], dtype=np.int64)
    return lambda plan, place: Words(_taken(codes, _taken(first, plan) + place), words)


def trigger_word(tranche: Tranche) -> str:
    """How a tranche's trigger stands in the table: `go-live`, `usage 75%`, `credit_date`."""
    if tranche.on != "usage" or tranche.at is None:
        return tranche.on
    percent = tranche.at * 100
    return (
        f"usage {percent.numerator}%"
        if percent.denominator == 1
        else f"usage {percent.numerator / percent.denominator:f}".rstrip("0") + "%"
    )


def _triggers(plans: Sequence[CompiledPlan]) -> Callable[[Ints, Ints, Ints], Words]:
    components: list[Component] = [component for plan in plans for component in plan.components]
    words = tuple(sorted({trigger_word(t) for component in components for t in component.release}))
    first_component = np.cumsum([0, *(len(plan.components) for plan in plans)], dtype=np.int64)
    first_tranche = np.cumsum([0, *(len(component.release) for component in components)], dtype=np.int64)
    codes = np.array(
        [words.index(trigger_word(t)) for component in components for t in component.release], dtype=np.int64
    )

    def of(plan: Ints, component: Ints, index: Ints) -> Words:
        return Words(_taken(codes, _taken(first_tranche, _taken(first_component, plan) + component) + index), words)

    return of


def _lookup(pay_groups: Mapping[int, int]) -> Callable[[Ints], Ints]:
    """Each participant's pay group. Bulk rows carry no foreign keys: that a participant is the tenant's own is proven
    here, by having been read under the wall in this transaction (deals, plans and versions come from there anyhow)."""
    people = np.array(sorted(pay_groups), dtype=np.int64)
    groups = np.array([pay_groups[int(person)] for person in people], dtype=np.int64)

    def of(participant: Ints) -> Ints:
        if not participant.size:
            return participant
        strangers = np.setdiff1d(participant, people)
        if strangers.size:
            raise CompError(
                f"credit would go to participants that this company does not have: {strangers[:5].tolist()}"
            )
        found: Ints = groups[np.searchsorted(people, participant)]
        return found

    return of


def _periods(result: Result, source: Read) -> tuple[Ints, Ints]:
    """First day and end of each group's measure period."""
    groups = result.groups
    starts, ends = np.zeros(groups.total.size, dtype=np.int64), np.zeros(groups.total.size, dtype=np.int64)
    plans = source.versions.compiled
    for place, plan in enumerate(plans):
        for number_, component in enumerate(plan.components):
            mine = (groups.plan == place) & (groups.component == number_)
            edges = source.batch.periods[cadence(component)]
            starts[mine], ends[mine] = edges[groups.period[mine]], edges[groups.period[mine] + 1]
    return starts, ends
