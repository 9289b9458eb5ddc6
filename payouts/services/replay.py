"""Recompute and compare: today's figures with what stands, or a posted period with what was known when it was
locked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import F, Q, QuerySet

from comp.core.calendars import PayCalendar
from comp.core.days import day_date, day_number
from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from crediting.models import Deal
from payouts.frames.inflow import Place
from payouts.frames.read import calendars, credit_days, pay_groups, read_versions
from payouts.frames.sql import NONE, Columns, Words
from payouts.frames.sql import differences as compare
from payouts.frames.standing import standing
from payouts.frames.tables import LINE, TABLES
from payouts.kernel.batch import Ints
from payouts.models import Adjustment, Batch, BatchHeld, BatchLine, Payable, WrittenOff
from payouts.models.figures import NO_PERIOD, LineNamed
from payouts.models.manual import State as DecisionState
from payouts.reads.kept import kept_components
from payouts.selectors import TAKEN, due_before, open_period, paid_elsewhere, taken_elsewhere
from payouts.selectors_batches import lines_digest, person_digests
from payouts.selectors_settlements import all_facts, bound, of_batch, settlement_facts
from payouts.services.batch_steps import statements_of
from payouts.services.payables import open_now
from payouts.services.recompute import right_figures, spans
from payouts.services.settlements import batch_settlements_off, settlements_off
from plans.models import Plan

KEY = [*LINE, "index", "part"]
TYPES = {
    name: "str" if name in ("rule", "role", "component", "currency") else "int64"
    for name in [*KEY, "amount_minor", "currency"]
}
#: What a line's digest is made of beside its key: its deal, and the first day of the pay period where it belongs, by
#: what is right and by what batches took before. NONE where there is none.
SAID = ("deal_id", "belongs", "belonged")
SUMS = {"amount_minor": "sum", "currency": "first", **dict.fromkeys(SAID, "max")}


@dataclass(frozen=True, slots=True)
class Replay:
    """One period of one pay group, recomputed. `against` says what it was compared with; `found` names each
    difference, `digests` are those of the batch's statements as they were recomputed, by employee number."""

    pay_group: str
    period: str
    against: str
    as_of: datetime | None
    lines: int
    total_minor: int
    found: list[str]
    digests: dict[str, str] = field(default_factory=dict)


def differences_found() -> list[str]:
    """Incremental = full: recomputes everybody's whole time and names what differs. Empty when all agrees.

    Inside a scope that sees everybody's pay; writes nothing.
    """
    found: list[str] = []
    for calendar, span, people, versions, groups in _tasks():
        right = right_figures(calendar, span, people, versions, groups)
        for table in TABLES:
            columns = right.of(table)
            stands = standing(table, right=columns, start=span[0], end=span[1], participants=people)
            new, differs, _, gone = compare(table, columns, stands)
            for what, count in (("missing", new.size), ("different", differs.size), ("left over", gone.size)):
                if count:
                    found.append(
                        f"{table.name}: {count} rows {what}, from {day_date(span[0])} to before {day_date(span[1])}"
                    )
    for pay_group in PayGroup.objects.select_related("calendar"):
        found.extend(replay_open(pay_group).found)
    return found + _unsettled()


def _unsettled() -> list[str]:
    """Whose settlement of an open period is not what it should be."""
    now = open_now(list(pay_groups()))
    columns = (now["people"], now["groups"], now["starts"])
    off = settlements_off({who: Place(group, starts) for who, group, starts in zip(*columns, strict=True)})
    return [f"{name}: the settlement that stands is not what the payables give" for name in _names(off)]


def _names(people: list[int]) -> list[str]:
    return list(Participant.objects.filter(id__in=people).values_list("name", flat=True))


def replay_period(pay_group: PayGroup, starts_on: date, as_of: datetime | None = None) -> Replay:
    """A taken period as of the moment when it was locked (or `as_of`) against its batch's lines; the open one against
    what stands."""
    batch = Batch.objects.filter(pay_group=pay_group, starts_on=starts_on, run=0, state__in=TAKEN).first()
    if batch is None:
        return replay_open(pay_group, as_of)
    moment = as_of or batch.locked_at
    sent_back = Q(state=Batch.State.REJECTED, decided_at__gt=batch.locked_at) | Q(voided_at__gt=batch.locked_at)
    before = Batch.objects.filter(locked_at__lt=batch.locked_at).filter(Q(state__in=TAKEN) | sent_back)
    due = _due(pay_group, batch.ends_on, moment, list(before))
    due = _left_out(batch, due[~due["participant_id"].isin(paid_elsewhere(batch))])
    stood = _frame(BatchLine.objects.filter(batch=batch).values(*KEY, "amount_minor", "currency"))
    against = f"batch {batch.name}, locked {batch.locked_at:%Y-%m-%d %H:%M} UTC"
    result = _compared(pay_group, batch.name, against, moment, due, stood)
    off = _names(batch_settlements_off(batch, before, moment))
    facts = _named(due, {one.starts_on for one in before if one.pay_group_id == pay_group.pk and not one.run})
    wrong, digests = _digests_wrong(batch, facts)
    found = [*result.found, *(f"{name}: settled otherwise than recomputed" for name in off), *wrong]
    return replace(result, found=found, digests=digests)


def _digests_wrong(batch: Batch, facts: list[list[Any]]) -> tuple[list[str], dict[str, str]]:
    """The batch and its statements whose digest is not that of the recomputed lines, and each person's digest. The
    settlements that they bind too are compared with recomputed ones before, amount by amount."""
    settled = settlement_facts(*of_batch(batch.pk))
    nothing, digests = lines_digest([]), person_digests(facts)
    digests |= {said[0][0]: bound(digests.get(said[0][0], nothing), said) for said in settled.values()}
    wrong = [
        f"statement of {key}: its digest is not that of what was recomputed"
        for key, said in statements_of(batch).order_by("participant__key").values_list("participant__key", "digest")
        if said != digests.get(key, nothing)
    ]
    if bound(lines_digest(facts), all_facts(settled)) != batch.digest:
        wrong.append(f"{batch.name}: its digest is not that of what was recomputed")
    return wrong, digests


def _named(due: pd.DataFrame, closed: set[date]) -> list[list[Any]]:
    """The lines as digests have them (payouts.selectors_batches.line_facts). What was taken of before, or belongs to a
    period that was `closed` then, is an adjustment."""
    of_deals = Deal.objects.filter(id__in=[int(pk) for pk in due["deal_id"] if pk != NONE])
    deals = {row[0]: row for row in of_deals.values_list("id", "endpoint__key", "external_id")}
    people = dict(Participant.objects.filter(id__in=set(due["participant_id"])).values_list("id", "key"))
    plans = dict(Plan.objects.filter(id__in=set(due["plan_id"])).values_list("id", "key"))
    facts = []
    for row in due.to_dict("records"):
        deal, endpoint, external = deals.get(row["deal_id"], (0, "", ""))
        taken = row["belonged"] != NONE
        belongs = day_date(int(row["belonged"] if row["belongs"] == NONE else row["belongs"]))
        kind = "adjustment" if taken or belongs in closed else "release"
        if row["line_kind"] == LineNamed.Kind.MANUAL:
            kind = "manual"
        more = (row["line_kind"], row["part"], day_date(int(row["period"])).isoformat())
        own, origin = (0 if deal and row[name] == deal else row[name] for name in ("fact", "origin"))
        said = [
            endpoint, external, people[row["participant_id"]], plans[row["plan_id"]], row["rule"], row["role"],
            row["split"], row["component"], row["index"], kind, belongs.isoformat(), row["amount_minor"],
            row["currency"],
        ]  # fmt: skip
        facts.append([*said, *more, own, origin] if row["line_kind"] or row["part"] or own or not deal else said)
    return sorted(facts)


def replay_open(pay_group: PayGroup, as_of: datetime | None = None) -> Replay:
    """The open period, recomputed, against the payables that stand."""
    period = open_period(pay_group)
    taken = list(Batch.objects.filter(state__in=TAKEN))
    due = _due(pay_group, day_date(period.end), as_of, taken)
    stood = _frame(Payable.objects.filter(pay_group=pay_group).values(*KEY, "amount_minor", "currency"))
    return _compared(pay_group, period.name, "the payables that stand", as_of, due, stood)


def _tasks(as_of: datetime | None = None, only: PayGroup | None = None) -> Iterator[tuple[Any, ...]]:
    """Every calendar's people and measure periods that hold any fact."""
    versions = read_versions(as_of)
    days = credit_days(as_of)
    if days is None:
        return
    group_calendars = calendars(as_of)
    groups = pay_groups(as_of)
    by_calendar: dict[PayCalendar, list[int]] = {}
    for person, group in groups.items():
        if only is None or group == only.pk:
            by_calendar.setdefault(group_calendars[group], []).append(person)
    for calendar, people in by_calendar.items():
        for span in spans(calendar, versions.every(), *days):
            yield calendar, span, sorted(people), versions, groups


def _due(pay_group: PayGroup, ends_on: date, as_of: datetime | None, taken: list[Batch]) -> pd.DataFrame:
    """What a period owes: tranches released before its end, less what the given batches took, by tranche; nothing for
    what stays as it was taken."""
    parts = [_frame([])]
    mine = {person: group for person, group in pay_groups(as_of).items() if group == pay_group.pk}
    dues = due_before(mine, {pay_group.pk: ends_on}, taken, taken_elsewhere(mine))
    due_day = np.zeros(max(mine, default=0) + 1, dtype=np.int64)
    for person, day in dues.items():
        due_day[person] = day_number(day)
    for calendar, span, people, versions, groups in _tasks(as_of, pay_group):
        columns = right_figures(calendar, span, people, versions, groups, as_of).tranches
        released = (columns["release_day"] != NONE) & (columns["release_day"] < due_day[columns["participant_id"]])
        parts.append(_decoded(columns, np.flatnonzero(released)))
    parts.append(_by_hand(dues, as_of))
    parts.append(_undone(pd.concat(parts), dues, as_of))
    lines = BatchLine.objects.filter(batch__in=taken, participant_id__in=mine)
    taken_lines = lines.values(*KEY, "amount_minor", "currency", "deal_id", belonged=F("origin_starts_on"))
    minus = _frame(taken_lines)
    minus["amount_minor"] = -minus["amount_minor"]
    joined = pd.concat([*parts, minus])
    due = joined.groupby(KEY, as_index=False).agg(SUMS)
    stays = due.merge(_kept(lines), on=KEY, how="left", indicator="kept")["kept"] == "both"
    return due[(due["amount_minor"] != 0) & ~stays.to_numpy()]


def _by_hand(dues: Mapping[int, date], as_of: datetime | None) -> pd.DataFrame:
    """What people decided by hand before that moment, and is due."""
    rows = Adjustment.objects.filter(state=DecisionState.APPROVED, balance="", participant_id__in=dues)
    rows = rows.filter(decided_at__lte=as_of) if as_of else rows
    return _of_hand({row: row.amount_minor for row in rows}, dues)


def _of_hand(amounts: Mapping[Adjustment, int], dues: Mapping[int, date]) -> pd.DataFrame:
    """The lines of adjustments that are due, by these amounts."""
    nothing = dict.fromkeys(("fact", "origin", "split", "index", "part"), 0)
    return _frame(
        {
            **nothing,
            "participant_id": row.participant_id,
            "plan_id": row.plan_id,
            "component": row.component,
            "period": NO_PERIOD,
            "line_kind": LineNamed.Kind.MANUAL.value,
            "rule": row.name,
            "role": "",
            "amount_minor": minor,
            "currency": row.currency,
            "belongs": row.origin_starts_on,
        }
        for row, minor in amounts.items()
        if row.day < dues[row.participant_id]
    )


def _undone(due: pd.DataFrame, dues: Mapping[int, date], as_of: datetime | None) -> pd.DataFrame:
    """What of write-offs before that moment is owed again, because their tranches pay more than they did."""
    rows = WrittenOff.objects.filter(participant_id__in=dues, adjustment__state=DecisionState.APPROVED)
    rows = rows.filter(adjustment__decided_at__lte=as_of) if as_of else rows
    found = list(rows.select_related("adjustment"))
    if not found:
        return _frame([])
    stands = {tuple(key): minor for *key, minor in due[[*KEY, "amount_minor"]].itertuples(index=False)}
    back: dict[Adjustment, int] = {}
    for row in found:
        said = (getattr(row, name) for name in KEY)
        stood = stands.get(tuple(day_number(value) if isinstance(value, date) else value for value in said), 0)
        more = min(row.amount_minor, max(stood - row.upto_minor, 0))
        back[row.adjustment] = back.get(row.adjustment, 0) - more
    return _of_hand({one: minor for one, minor in back.items() if minor}, dues)


def _left_out(batch: Batch, due: pd.DataFrame) -> pd.DataFrame:
    """Without what stayed behind when the batch took its period, because it was held."""
    held = _frame(BatchHeld.objects.filter(batch=batch).values(*KEY, "amount_minor", "currency"))
    held["amount_minor"] = -held["amount_minor"]
    left = pd.concat([due, held]).groupby(KEY, as_index=False).agg(SUMS)
    return left[left["amount_minor"] != 0]


def _kept(lines: QuerySet[Any]) -> pd.DataFrame:
    """The keys of these batch lines whose plan says that what was posted stays."""
    latest: dict[tuple[Any, ...], int] = {}
    kept = set(kept_components())
    if kept:
        for row in lines.filter(component__in={key for _, key in kept}).values(*KEY, "plan_version_id"):
            key = tuple(row[name] for name in KEY)
            latest[key] = max(latest.get(key, 0), row["plan_version_id"])
    place = KEY.index("component")
    rows = [dict(zip(KEY, key, strict=True)) for key, version in latest.items() if (version, key[place]) in kept]
    return _frame([{**row, "amount_minor": 0, "currency": ""} for row in rows])[KEY]


def _decoded(columns: Columns, rows: Ints) -> pd.DataFrame:
    def plain(name: str) -> object:
        column = columns[name]
        return np.array(column.words, dtype=object)[column.codes[rows]] if isinstance(column, Words) else column[rows]

    frame = pd.DataFrame({name: plain(name) for name in TYPES}).astype(TYPES)
    said = {"deal_id": columns["deal_id"][rows], "belongs": columns["period_starts_on"][rows], "belonged": NONE}
    return frame.assign(**said)


def _frame(rows: Any) -> pd.DataFrame:
    found = list(rows)
    frame = pd.DataFrame.from_records([[row[name] for name in TYPES] for row in found], columns=list(TYPES))
    frame["period"] = [day_number(day) for day in frame["period"]]
    for name in SAID:
        frame[name] = np.array([_number(row.get(name)) for row in found], dtype=np.int64)
    return frame.astype(TYPES)


def _number(value: Any) -> int:
    return NONE if value is None else day_number(value) if isinstance(value, date) else int(value)


def _what(row: Mapping[Any, Any], deals: Mapping[int, str]) -> str:
    """What a line is for, for people."""
    if row["line_kind"] == LineNamed.Kind.MANUAL:
        return str(row["rule"])
    if not row["fact"]:
        return f"the {row['rule']} from {day_date(row['period'])}"
    fact = int(row["origin"] or row["fact"])
    name = f"deal {deals[fact]}" if fact in deals else f"fact {fact}"
    return f"what reverses {name}" if row["origin"] else name


def _compared(
    pay_group: PayGroup, period: str, against: str, as_of: datetime | None, due: pd.DataFrame, stood: pd.DataFrame
) -> Replay:
    both = due.merge(stood, on=KEY, how="outer", suffixes=("_right", "_stood"))
    right, was = (
        both["amount_minor_right"].fillna(0).astype("int64"),
        both["amount_minor_stood"].fillna(0).astype("int64"),
    )
    both = both.assign(right=right, was=was)
    wrong = both[both["right"] != both["was"]]
    people = dict(
        Participant.objects.filter(id__in=[int(i) for i in wrong["participant_id"]]).values_list("id", "name")
    )
    named = {int(fact) for name in ("fact", "origin") for fact in wrong[name]}
    deals = dict(Deal.objects.filter(id__in=named).values_list("id", "external_id"))
    found = []
    for row in wrong.sort_values(KEY).to_dict("records"):
        currency = row["currency_right"] if isinstance(row["currency_right"], str) else row["currency_stood"]
        found.append(
            f"{people.get(row['participant_id'])}, {_what(row, deals)}, {row['component']}: recomputed "
            f"{format_money(int(row['right']), currency)}, stood {format_money(int(row['was']), currency)}"
        )
    total = int(due["amount_minor"].sum())
    return Replay(pay_group.name, period, against, as_of, len(due), total, found)
