"""From a kernel result to the columns of the standing tables, and the standing rows as the same columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comp.core.errors import CompError
from crediting.kernel.conditions import Mask
from crediting.kernel.exact import Whole
from payouts.frames.read import Read
from payouts.frames.read_openings import tranche_rows
from payouts.frames.sql import NONE, Columns, Table, Words
from payouts.frames.tables import TABLES, TRANCHES, UNCONVERTED, WAITS
from payouts.kernel.batch import (
    AS_PAID,
    DATED,
    MISSING_DAY,
    OF_CARRY,
    OF_CREDIT,
    OF_OPENING,
    OF_PERIOD,
    OF_REVERSAL,
    WAITING,
    Credits,
    Facts,
    Ints,
    Result,
    Text,
    Tranches,
    Waits,
)
from payouts.kernel.kept import rhythm
from payouts.kernel.reads import cadence
from payouts.reads.plans import trigger_word
from plans.rules.compiled import CompiledPlan
from plans.rules.compiled_pay import Tranche

#: What stands for a rule in the key of a line that the system before gives.
OPENED = "opening"


@dataclass(frozen=True, slots=True)
class Figures:
    """What is right, as columns of the tables."""

    credits: Columns
    earnings: Columns
    tranches: Columns
    attainments: Columns
    schedules: Columns
    waiting: Columns
    converts: bool = field(kw_only=True)  # whether a rate of exchange was ever known
    pays: bool = field(
        default=False, kw_only=True
    )  # whether any of the people is paid in another currency than a plan's
    opened: bool = field(default=False, kw_only=True)  # whether a system before brought anything forward

    @property
    def tables(self) -> tuple[Table, ...]:
        """Those that anything can stand in: without rates of exchange nothing waits for one."""
        tables = [table for table in TABLES if table is not WAITS or self.converts]
        return tuple(UNCONVERTED if table is TRANCHES and not self.pays else table for table in tables)

    def of(self, table: Table) -> Columns:
        columns = (self.credits, self.earnings, self.tranches, self.attainments, self.schedules, self.waiting)
        names = (each.name for each in TABLES)
        return dict(zip(names, columns, strict=True))[table.name]

    def within(self, start: int, end: int) -> Figures:
        """Only the rows whose credit date (for attainments: period start) lies in [start, end)."""
        return self._changed(lambda columns: _within(columns, start, end))

    def since(self, days: Mapping[int, int]) -> Figures:
        """Of each person only the rows from that day on, and all attainments."""
        people = np.array(sorted(days), dtype=np.int64)
        first = np.array([days[person] for person in people.tolist()], dtype=np.int64)

        def later(columns: Columns) -> Columns:
            if "credit_date" not in columns:
                return columns
            return _only(columns, columns["credit_date"] >= first[np.searchsorted(people, columns["participant_id"])])

        return self._changed(later)

    def _changed(self, each: Callable[[Columns], Columns]) -> Figures:
        parts = [each(self.of(table)) for table in TABLES]
        return Figures(*parts, converts=self.converts, pays=self.pays, opened=self.opened)


def figures(result: Result, source: Read, pay_groups: Mapping[int, int]) -> Figures:
    """`pay_groups`: participant id to pay group id."""
    names = _Names(source, _lookup(pay_groups))
    by_credit = _of_credits(result.credits, source, names)
    starts, ends = _periods(result, source)
    by_line = _of_lines(result, source, names, by_credit, starts)
    credits, lines = result.credits, result.lines
    credit_columns: Columns = {
        **by_credit,
        "revision": _taken(source.revision, credits.fact),
        "credit_class": _as_words(credits.credit_class),
        "kind": credits.kind.astype(np.int64),
        "held": np.zeros(credits.fact.size, dtype=np.int64) if credits.held is None else credits.held.astype(np.int64),
        "pot_minor": credits.pot,
        "amount_minor": credits.amount,
    }
    rows = lines.group.size
    earning_columns: Columns = {
        **by_line,
        "period_starts_on": _taken(starts, lines.group),
        "credit_minor": _credited(result),
        "position": lines.position,
        "before_minor": lines.before,
        "after_minor": lines.after,
        "quota_minor": _taken(result.groups.quota, lines.group) if lines.quota is None else lines.quota,
        "tier_before": lines.tier_before,
        "tier_after": lines.tier_after,
        "band": lines.band,
        "rounded_minor": lines.rounded,
        "earned_minor": lines.earned,
        "review_minor": np.zeros(rows, dtype=np.int64) if lines.review is None else lines.review,
        "waiting": lines.waiting.astype(np.int64),
    }
    return Figures(
        credits=credit_columns,
        earnings=earning_columns,
        tranches=_of_tranches(result, source, by_line),
        attainments=_of_groups(result, names, starts, ends),
        schedules=_of_schedules(result, by_line),
        waiting=_of_waiting(result, source, names),
        converts=source.batch.exchange is not None,
        pays=source.batch.pay_currency is not None,
        opened=source.openings is not None,
    )


class _Names:
    """What stands in the tables for the places of plans and their parts."""

    def __init__(self, source: Read, group_of: Callable[[Ints], Ints]) -> None:
        plans = source.versions.compiled
        self.versions = np.array(source.versions.id, dtype=np.int64)
        self.plan_ids = np.array(source.versions.plan_id, dtype=np.int64)
        self.group_of = group_of
        self.rule = _numbered(plans, lambda plan: plan.credit_rules, lambda rule: rule.key)
        self.component = _numbered(plans, lambda plan: plan.components, lambda component: component.key)
        self.unit = _numbered(plans, lambda plan: plan.components, lambda component: component.measure.unit)
        self.every = _numbered(plans, lambda plan: plan.components, rhythm)
        self.currency = _words([plan.currency for plan in plans])


def _of_credits(credits: Credits | Waits, source: Read, names: _Names) -> Columns:
    """The columns that credits, those that wait and lines have in common."""
    facts = source.batch.facts
    return {
        "participant_id": credits.participant,
        "fact": _taken(facts.id, credits.fact),
        "deal_id": _deals(facts, credits.fact),
        "plan_id": _taken(names.plan_ids, credits.plan),
        "rule": names.rule(credits.plan, credits.rule),
        "role": _as_words(credits.role),
        "split": credits.split,
        "pay_group_id": names.group_of(credits.participant),
        "plan_version_id": _taken(names.versions, credits.plan),
        "credit_date": credits.day,
        "currency": names.currency(credits.plan),
    }


def _of_waiting(result: Result, source: Read, names: _Names) -> Columns:
    waits = result.waits
    if waits is None:
        nothing = np.zeros(0, dtype=np.int64)
        return {name: Words(nothing, ()) if name in WAITS.words else nothing for name in WAITS.columns}
    own = {"reason": _as_words(waits.reason), "currency": _as_words(waits.currency)}
    return {**_of_credits(waits, source, names), **own}


def _deals(facts: Facts, rows: Ints) -> Ints:
    """The deal that each fact belongs to, by id; NONE where to none."""
    if facts.deal is None:
        return _taken(facts.id, rows)
    deal = _taken(facts.deal, rows)
    return np.where(deal >= 0, _taken(facts.id, np.maximum(deal, 0)), NONE)


def _line_plans(result: Result) -> Ints:
    """The version that rates each line: a version that is run again rates lines whose credit another one gave."""
    lines = result.lines
    return _taken(result.credits.plan, lines.credit) if lines.plan is None else lines.plan


def _of_lines(result: Result, source: Read, names: _Names, by_credit: Columns, starts: Ints) -> Columns:
    """The columns that lines and their tranches have in common."""
    lines, plan = result.lines, _line_plans(result)
    rows = lines.group.size
    nothing = np.zeros(rows, dtype=np.int64)
    found: Columns = {
        "component": names.component(plan, lines.component),
        "origin": nothing,
        "period": nothing,
        "line_kind": nothing,
    }
    if lines.kind is None:
        found |= {name: _pick(column, lines.credit) for name, column in by_credit.items()}
        return found | {"plan_version_id": _taken(names.versions, plan)}
    assert lines.fact is not None and lines.day is not None
    facts, known = source.batch.facts, lines.credit >= 0
    credit = np.where(known, lines.credit, 0)
    own = {
        name: _pick(by_credit[name], credit) if known.any() else _missing(by_credit[name], rows)
        for name in ("fact", "split", "rule", "role")
    }
    participant = _taken(result.groups.participant, lines.group)
    of_period = (lines.kind == OF_PERIOD) | (lines.kind == OF_CARRY)
    opening = lines.kind == OF_OPENING
    reversal = lines.kind == OF_REVERSAL
    at = np.maximum(lines.fact, 0)
    return found | {
        "participant_id": participant,
        "fact": np.where(lines.fact >= 0, _taken(facts.id, at) if facts.id.size else nothing, 0),
        "deal_id": np.where(lines.fact >= 0, _deals(facts, at) if facts.id.size else nothing, NONE),
        "origin": np.where(reversal, own["fact"], 0),
        "period": np.where(of_period, _taken(starts, lines.group), np.where(opening, lines.day, 0)),
        "line_kind": lines.kind.astype(np.int64),
        "plan_id": _taken(names.plan_ids, plan),
        "rule": _either(known, own["rule"], _either(~opening, names.every(plan, lines.component), _all(rows, OPENED))),
        "role": _either(known, own["role"], Words(nothing, ("",))),
        "split": np.where(known, own["split"], 0),
        "pay_group_id": names.group_of(participant),
        "plan_version_id": _taken(names.versions, plan),
        "credit_date": lines.day,
        "currency": names.currency(plan),
    }


def _credited(result: Result) -> Ints:
    """The credit behind each line; 0 behind one that is no credit's."""
    lines, amount = result.lines, result.credits.amount
    if lines.kind is None:
        return _taken(amount, lines.credit)
    mine = np.flatnonzero(lines.kind == OF_CREDIT)
    found = np.zeros(lines.group.size, dtype=np.int64)
    found[mine] = amount[lines.credit[mine]]
    return found


def _of_tranches(result: Result, source: Read, by_line: Columns) -> Columns:
    lines, tranches = result.lines, result.tranches
    rows, index = tranches.line.size, tranches.index
    opening = np.full(rows, -1, dtype=np.int64) if lines.opening is None else _taken(lines.opening, tranches.line)
    if lines.opening is not None:
        # What of an opening is released by goes by no release of its component.
        index = np.where(opening >= 0, 0, index)
    if lines.release is not None and result.releases is not None:
        trigger = _triggers(result.releases)(_taken(lines.release, tranches.line), index)
    else:
        plans = source.versions.compiled
        first = np.cumsum([0, *(len(plan.components) for plan in plans)], dtype=np.int64)
        component = _taken(first, _taken(_line_plans(result), tranches.line)) + _taken(lines.component, tranches.line)
        releases = [component.release for plan in plans for component in plan.components]
        trigger = _triggers(releases)(component, index)
    if lines.kind is not None:
        # What is taken back or carried is released on its own day, whatever the component's release.
        kind = _taken(lines.kind.astype(np.int64), tranches.line)
        at_once = (kind == OF_REVERSAL) | (kind == OF_CARRY)
        trigger = _either(~at_once, trigger, _all(rows, "credit_date"))
    waits = tranches.release_day == MISSING_DAY
    of_line = {name: _pick(column, tranches.line) for name, column in by_line.items()}
    if source.openings is not None:
        mine = np.flatnonzero(opening >= 0)
        given = tranche_rows(source.openings, opening[mine], tranches.index[mine])
        own = Words(np.zeros(rows, dtype=np.int64), source.openings.trigger.words)
        own.codes[mine] = source.openings.trigger.codes[given]
        trigger = _either(opening < 0, trigger, own)
        of_line["deal_id"] = of_line["deal_id"].copy()
        of_line["deal_id"][mine] = source.openings.deal[given]
    return {
        **of_line,
        **_in_pay_currency(tranches, source, of_line["participant_id"], of_line["currency"]),
        "index": tranches.index,
        "part": np.zeros(rows, dtype=np.int64) if tranches.part is None else tranches.part,
        "trigger": trigger,
        "trigger_day": tranches.trigger_day,
        "release_day": tranches.release_day,
        "period_starts_on": np.where(tranches.pay_period >= 0, source.batch.pay_periods[tranches.pay_period], NONE),
        "state": np.where(waits, WAITING, DATED) if tranches.state is None else tranches.state.astype(np.int64),
    }


def _in_pay_currency(tranches: Tranches, source: Read, participant: Ints, currency: Words) -> Columns:
    """What tranches are worth to their participants: those that a rate converts in the currency that these are paid
    in."""
    paid_in, rows = source.batch.pay_currency, tranches.line.size
    nothing = np.full(rows, NONE, dtype=np.int64)
    if paid_in is None or tranches.paid_amount is None or tranches.exchange is None:
        return {"amount_minor": tranches.amount, "currency": currency, "plan_minor": nothing, "rate_id": nothing}
    people = np.array(sorted(paid_in), dtype=np.int64)
    words = tuple(sorted(set(paid_in.values())))
    codes = np.array([words.index(paid_in[person]) for person in people.tolist()], dtype=np.int64)
    at = np.minimum(np.searchsorted(people, participant), people.size - 1)
    converted = (tranches.exchange >= 0) | (tranches.exchange == AS_PAID)
    used = np.maximum(tranches.exchange, 0)
    return {
        "amount_minor": np.where(converted, tranches.paid_amount, tranches.amount),
        "currency": _either(~converted, currency, Words(codes[at], words)),
        "plan_minor": np.where(converted, tranches.amount, NONE),
        "rate_id": np.where(tranches.exchange >= 0, source.rates[used], NONE) if source.rates.size else nothing,
    }


def _of_schedules(result: Result, by_line: Columns) -> Columns:
    spread, nothing = result.schedules, np.zeros(0, dtype=np.int64)
    line, month, amount = (nothing,) * 3 if spread is None else (spread.line, spread.month, spread.amount)
    return {**{name: _pick(column, line) for name, column in by_line.items()}, "month": month, "amount_minor": amount}


def _of_groups(result: Result, names: _Names, starts: Ints, ends: Ints) -> Columns:
    groups, lines = result.groups, result.lines
    earned = np.zeros(groups.total.size, dtype=np.int64)
    np.add.at(earned, lines.group, lines.earned)
    return {
        "participant_id": groups.participant,
        "plan_id": _taken(names.plan_ids, groups.plan),
        "component": names.component(groups.plan, groups.component),
        "starts_on": starts,
        "pay_group_id": names.group_of(groups.participant),
        "plan_version_id": _taken(names.versions, groups.plan),
        "ends_on": ends,
        "quota_minor": groups.quota,
        "total_minor": groups.total,
        "lines": groups.lines,
        "earned_minor": earned,
        "currency": names.currency(groups.plan),
        "unit": names.unit(groups.plan, groups.component),
        "value": _ratios(groups.value_top, groups.value_bottom, groups.total.size),
        "result": _ratios(groups.result_top, groups.result_bottom, groups.total.size),
    }


def _ratios(top: Whole | None, bottom: Whole | None, rows: int) -> Words:
    """Exact ratios as `1/3`; empty where there is none."""
    if top is None or bottom is None:
        return Words(np.zeros(rows, dtype=np.int64), ("",))
    texts = [f"{over}/{under}" if under else "" for over, under in zip(top.tolist(), bottom.tolist(), strict=True)]
    words = tuple(dict.fromkeys(texts))
    place = {word: code for code, word in enumerate(words)}
    return Words(np.array([place[text] for text in texts], dtype=np.int64), words)


# ------------------------------------------------------------------ small columns


def _taken(values: Ints, rows: Ints) -> Ints:
    return values[rows] if rows.size else np.zeros(0, dtype=np.int64)


def _pick(column: Any, rows: Ints) -> Any:
    return Words(_taken(column.codes, rows), column.words) if isinstance(column, Words) else _taken(column, rows)


def _missing(column: Any, rows: int) -> Any:
    """A column of nothing, of the kind of another one."""
    nothing = np.zeros(rows, dtype=np.int64)
    return Words(nothing, ("",)) if isinstance(column, Words) else nothing


def _all(rows: int, word: str) -> Words:
    """One word throughout."""
    return Words(np.zeros(rows, dtype=np.int64), (word,))


def _either(first: Mask, one: Words, other: Words) -> Words:
    """The words of `one` where `first`, else those of `other`."""
    words = tuple(dict.fromkeys((*one.words, *other.words)))
    order = {word: code for code, word in enumerate(words)}
    return Words(np.where(first, one.renamed(order), other.renamed(order)), words)


def _within(columns: Columns, start: int, end: int) -> Columns:
    date = columns["credit_date"] if "credit_date" in columns else columns["starts_on"]
    return _only(columns, (date >= start) & (date < end))


def _only(columns: Columns, inside: Mask) -> Columns:
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


def _triggers(releases: Sequence[tuple[Tranche, ...]]) -> Callable[[Ints, Ints], Words]:
    """The trigger of an entry, by the place of its release among these and its own in it."""
    words = tuple(sorted({trigger_word(entry) for release in releases for entry in release}))
    first = np.cumsum([0, *(len(release) for release in releases)], dtype=np.int64)
    codes = np.array([words.index(trigger_word(entry)) for release in releases for entry in release], dtype=np.int64)
    return lambda release, index: Words(_taken(codes, _taken(first, release) + index), words)


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
