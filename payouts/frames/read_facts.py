"""Deals and all other facts out of the database, with their teams: the rows of a kernel batch.

Where the plans in force credit deals alone, and nothing that happens to deals is asked for, only deals are read. Else a
batch holds the deals first, in the order of their ids, and behind them the other facts: those that are credited in the
span, their deals, and what happened to all of these deals.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from payouts.frames.read_asof import deals as deals_as_of
from payouts.frames.read_asof import facts as facts_as_of
from payouts.frames.read_asof import table
from payouts.frames.read_fields import Fields, column, inside, millionths, typed, within_years
from payouts.frames.read_fields import text as text_of
from payouts.frames.sql import NONE, Columns, Words, day, number, read
from payouts.kernel.batch import Facts, Ints, Milestones, Teams, Text, Transfers, Usage
from plans.rules.compiled import CompiledPlan
from plans.rules.specialise import stated

#: SQL: the event time in microseconds. Exact to the year 2106, as numbers with 53 bits of fraction tell it; by exact
#: decimals it took a fifth of the reading.
MICROSECONDS = "(date_part('epoch', d.event_time) * 1000000)::bigint"
#: Up to so many deals a query of everybody's names them one by one.
NAMED = 20_000


@dataclass(frozen=True, slots=True)
class FactRows:
    """The facts of a batch; `deals` are the ids of its first rows, `revision` is by row."""

    facts: Facts
    teams: Teams
    deals: Ints
    revision: Ints
    deals_named: str  # SQL on `deal_id`: the deals of the batch


#: SQL on `deal_id`: deals that are named.
_BY_IDS = "deal_id = ANY(%(deals)s::bigint[])"


class FactReader:
    """Reads for one span and some people. `params`: as_of, start, end (day numbers), people (ids, where `narrow`)."""

    def __init__(
        self,
        fields: Fields,
        params: dict[str, Any],
        as_of: datetime | None,
        narrow: bool,
        currency: str,
        converts: bool = False,
    ) -> None:
        self.fields, self.params, self.as_of = fields, params, as_of
        self.narrow, self.currency, self.converts = narrow, currency, converts
        dates = [field.removeprefix("deal.") for kind, field in fields.credited if kind == "deal"]
        spans = " OR ".join(inside(field, "deal") for field in dict.fromkeys(dates)) or "false"
        self.deals = deals_as_of(as_of)
        #: SQL: the credited deals that matter. The deal is `d`.
        self.chosen = f"({spans})"
        self.by_close_date = set(dates) == {"close_date"}
        if narrow:
            self.chosen += f" AND {self._of_people()}"

    def rows(self) -> FactRows:
        return self._only_deals() if self.fields.only_deals else self._with_others()

    # ------------------------------------------------------------------ deals alone

    def _only_deals(self) -> FactRows:
        found = self._read("deal", self.chosen, [])
        named = self._deals_named(found["id"], f"SELECT d.id FROM {self.deals} d WHERE {self.chosen}")
        # Of most deals of a span the teams are found as the deals were, by the close date that they bear too.
        whose = inside("close_date", "deal", "t") if self.by_close_date and not self._are_named(found["id"]) else named
        teams = self._teams_of_deals(found["id"], self.chosen, whose)
        rank = self._rank_of_tied(found["id"], found["event_time"])
        facts = Facts(id=found["id"], rank=rank, event_time=found["event_time"], **self._typed(found))
        return FactRows(facts, _teams(teams, facts.id), facts.id, found["revision"], named)

    def _deals_named(self, ids: Ints, chosen: str) -> str:
        """SQL: facts of the batch's deals. A few thousand are named by their ids, so that the index on the deal is used
        whatever the planner knows of the tables: in young ones, not yet analyzed, it joined each fact with each
        deal."""
        if not self._are_named(ids):
            return f"deal_id IN ({chosen})"
        self.params["deals"] = ids.tolist()
        return _BY_IDS

    def _are_named(self, ids: Ints) -> bool:
        """Those of few people are always: of everybody's team rows theirs would be the smaller part."""
        return ids.size <= NAMED or self.narrow or not self.fields.only_deals

    def _rank_of_tied(self, ids: Ints, times: Ints) -> Ints:
        """The place of each deal by source and external id, among those of one event time: only there it decides. Of
        all of them, sorting these texts took a quarter of the reading."""
        rank = np.zeros(ids.size, dtype=np.int64)
        ordered = np.sort(times)
        tied = np.flatnonzero(np.isin(times, ordered[1:][ordered[1:] == ordered[:-1]]))
        if tied.size:
            found = read(
                'SELECT d.id, row_number() OVER (ORDER BY e.key COLLATE "C", d.external_id COLLATE "C") AS rank '
                "FROM crediting_deal d JOIN crediting_hookendpoint e ON e.id = d.endpoint_id "
                "WHERE d.id = ANY(%(tied)s::bigint[])",
                {**self.params, "tied": ids[tied].tolist()},
            )
            ranked = of_rows({"fact": found["id"], "rank": found["rank"]}, ids)
            rank[ranked["fact"]] = ranked["rank"]
        return rank

    def _teams_of_deals(self, ids: Ints, chosen: str, named: str) -> Columns:
        if self.as_of is None:
            # A thousand ids that the planner sees it compares with its statistics one by one, which takes as long as
            # finding the rows.
            if ids.size <= NAMED:
                named = named.replace(_BY_IDS, "deal_id = ANY(ARRAY(SELECT unnest(%(deals)s::bigint[])))")
            sql = (
                "SELECT t.deal_id AS fact, t.role, t.participant_id AS participant, t.weight::bigint AS weight, "
                f"t.place::bigint AS place FROM crediting_dealteam t WHERE {named}"
            )
        else:
            sql = _team_of_json(f"SELECT d.id, d.team FROM {self.deals} d WHERE {chosen}")
        return read(sql, self.params, words=["role"])

    # ------------------------------------------------------------------ with other facts

    def _with_others(self) -> FactRows:
        """Deals first; then the other facts. Rows in the order of ids within each."""
        seeds = self._seeds()
        # By their ids: an `or` with them would keep both from their indexes.
        own = read(f"SELECT d.id FROM {self.deals} d WHERE {self.chosen}", self.params)["id"]
        self.params["chosen"] = np.setdiff1d(np.union1d(own, seeds["deal"]), [NONE]).tolist()
        chosen = "d.id = ANY(%(chosen)s::bigint[])"
        keys = ["e.key AS source", "d.external_id AS external"]
        deals = self._read("deal", chosen, keys, words=("source", "external"))
        named = self._deals_named(deals["id"], "")
        self.params["happening"] = list(self.fields.happening)
        body = facts_as_of(self.as_of)
        happened = read(f"SELECT d.id FROM {body} d WHERE d.kind = ANY(%(happening)s) AND {named}", self.params)["id"]
        self.params["facts"] = np.union1d(seeds["id"], happened).tolist()
        references = [f"{number(f'd.{name}')} AS {name}" for name in ("deal_id", "account_id", "product_id")]
        keys += ["d.kind", *references, f"{day('d.day')} AS held_on"]
        facts = self._read("fact", "d.id = ANY(%(facts)s::bigint[])", keys, words=("source", "external", "kind"))
        # Those of other deals came meanwhile, with news of their own.
        known = (facts["deal_id"] == NONE) | np.isin(facts["deal_id"], deals["id"])
        facts = _picked(facts, np.flatnonzero(known))
        both = {name: _joined(deals[name], facts[name]) for name in deals}
        kinds = _joined(Words(np.zeros(deals["id"].size, dtype=np.int64), ("deal",)), facts["kind"])
        of = np.searchsorted(deals["id"], facts["deal_id"]).astype(np.int64)
        columns = self._typed(both)
        self._contracts(columns, facts, deals["id"].size)
        ids = both["id"]
        rows = Facts(
            id=ids,
            rank=_rank(both["source"], both["external"], kinds),
            event_time=both["event_time"],
            kind=Text(kinds.codes.astype(np.int32), kinds.words),
            deal=np.concatenate((np.arange(deals["id"].size), np.where(facts["deal_id"] == NONE, -1, of))),
            **columns,
        )
        teams = _stacked(self._teams_of_deals(deals["id"], chosen, named), self._teams_of_facts(facts["id"]))
        return FactRows(rows, _teams(teams, ids), deals["id"], both["revision"], named)

    def _seeds(self) -> Columns:
        """The other facts that are credited in the span, and (where `narrow`) stand for one of the people; with their
        deals."""
        by_kind: dict[str, list[str]] = defaultdict(list)
        for kind, field in self.fields.credited:
            if kind != "deal":
                by_kind[kind].append(field)
        ways = []
        for place, (kind, dates) in enumerate(sorted(by_kind.items())):
            self.params[f"kind{place}"] = kind
            own = [inside(field, "fact") for field in dates if not field.startswith("deal.")]
            deals = [inside(field[5:], "deal", "x") for field in dates if field.startswith("deal.")]
            ways.append(f"(d.kind = %(kind{place})s AND ({' OR '.join([*own, *deals])}))")
        where = f"({' OR '.join(ways) or 'false'})"
        rows = (
            f"SELECT d.id, {number('d.deal_id')} AS deal FROM {facts_as_of(self.as_of)} d "
            f"LEFT JOIN {self.deals} x ON x.id = d.deal_id WHERE {where}"
        )
        if self.narrow:
            # Two ways to find them, each by an index of its own.
            all_dates = {field for dates in by_kind.values() for field in dates}
            own_team = self._on_fact(dated=all_dates == {"day"})
            of_deal = self._on_deal("x", dated=all_dates == {"deal.close_date"})
            rows = f"{rows} AND {own_team} UNION {rows} AND {of_deal}"
        return read(rows, self.params)

    def _on_deal(self, name: str, *, dated: bool = False) -> str:
        """SQL: one of the people stands on a deal; `dated`: whose close date lies in the span, which the index of the
        team knows by itself."""
        if self.as_of is not None:
            stands = _in_json(f"{name}.team")
        else:
            stands = self._on_team("crediting_dealteam", f"t.deal_id = {name}.id", "close_date" if dated else "")
        return f"({stands} OR {name}.id IN ({self._handed_on()}))" if self.fields.transfers else stands

    def _of_people(self) -> str:
        """SQL: one of the people stands on the deal `d`. Where the team bears the close date, its deals are found first
        and then read in the order of their ids: for many people two and a half times as quick as deal by deal."""
        if self.as_of is not None or self.fields.transfers or not self.by_close_date:
            return self._on_deal("d", dated=self.by_close_date)
        team = f"t.participant_id = ANY(%(people)s) AND {inside('close_date', 'deal', 't')}"
        return f"d.id = ANY(ARRAY(SELECT t.deal_id FROM crediting_dealteam t WHERE {team}))"

    def _handed_on(self) -> str:
        """SQL: the deals that one of the people was handed, or has handed on."""
        on_team = _in_json("h.team") if self.as_of else self._on_team("crediting_factteam", "t.fact_id = h.id", "")
        return f"SELECT h.deal_id FROM {facts_as_of(self.as_of)} h WHERE h.kind = 'transfer' AND {on_team}"

    def _on_fact(self, *, dated: bool) -> str:
        """The same of a fact of its own team, and its day."""
        if self.as_of is not None:
            return _in_json("d.team")
        return self._on_team("crediting_factteam", "t.fact_id = d.id", "day" if dated else "")

    def _on_team(self, team: str, of: str, day: str) -> str:
        within = f" AND {inside(day, 'deal' if day == 'close_date' else 'fact', 't')}" if day else ""
        return f"EXISTS (SELECT 1 FROM {team} t WHERE {of} AND t.participant_id = ANY(%(people)s){within})"

    def _teams_of_facts(self, ids: Ints) -> Columns:
        self.params["facts"] = ids.tolist()
        if self.as_of is None:
            sql = (
                "SELECT t.fact_id AS fact, t.role, t.participant_id AS participant, t.weight::bigint AS weight, "
                "t.place::bigint AS place FROM crediting_factteam t WHERE t.fact_id = ANY(%(facts)s::bigint[])"
            )
        else:
            sql = _team_of_json(
                f"SELECT d.id, d.team FROM {facts_as_of(self.as_of)} d WHERE d.id = ANY(%(facts)s::bigint[])"
            )
        return read(sql, self.params, words=["role"])

    def _contracts(self, columns: dict[str, Any], facts: Columns, first: int) -> None:
        """What is contracted of an account's usage, where the reading does not say: by the contract of its account and
        product that began last before it."""
        if "contracted" not in self.fields.number:
            return
        contracted = columns["numbers"]["contracted"]
        kinds = facts["kind"]
        usage = kinds.words.index("usage") if "usage" in kinds.words else -2
        rows = np.flatnonzero((kinds.codes == usage) & (contracted[first:] == NONE) & (facts["account_id"] != NONE))
        if not rows.size:
            return
        found = read(
            f"SELECT d.account_id, {number('d.product_id')} AS product_id, {day('d.day')} AS day, "
            f"d.values ->> 'contracted' AS contracted FROM {facts_as_of(self.as_of)} d "
            "WHERE d.kind = 'contract' AND d.account_id IS NOT NULL ORDER BY d.day, d.id",
            self.params,
            words=["contracted"],
        )
        held: dict[tuple[int, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        words = found["contracted"]
        for place, code in enumerate(words.codes.tolist()):
            days, amounts = held[int(found["account_id"][place]), int(found["product_id"][place])]
            days.append(int(found["day"][place]))
            amounts.append(millionths(words.words[code]))
        for row in rows.tolist():
            days, amounts = held[int(facts["account_id"][row]), int(facts["product_id"][row])]
            last = bisect_right(days, int(facts["held_on"][row]))
            if last:
                contracted[first + row] = amounts[last - 1]

    # ------------------------------------------------------------------ columns

    def _read(self, of: str, where: str, more: Sequence[str], words: Sequence[str] = ()) -> Columns:
        """The fields that plans name of `d`, a deal or another fact, in the order of ids."""
        wanted = [(field, kind, *column(field, of)) for field, kind in self.fields.named()]
        currency = ["currency"] if self.converts else []
        more = [*more, *(f"d.{name}" for name in currency)]
        more += [f"{sql} AS f{place}" for place, (_, _, sql, _) in enumerate(wanted)]
        fields = "".join(f", {each}" for each in more)
        body = self.deals if of == "deal" else facts_as_of(self.as_of)
        sql = (
            f"SELECT d.id, d.r AS revision, {MICROSECONDS} AS event_time{fields} FROM {body} d "
            f"{self._joined_to(fields)} WHERE {where} ORDER BY d.id"
        )
        textual = [f"f{place}" for place, (_, _, _, is_text) in enumerate(wanted) if is_text]
        found = read(sql, self.params, words=[*words, *currency, *textual])
        if (found["id"][1:] <= found["id"][:-1]).any():  # others are looked up among them
            raise ValueError(f"{of}s did not come in the order of their ids")
        for place, (field, kind, _, is_text) in enumerate(wanted):
            values = found.pop(f"f{place}")
            if is_text and kind != "text":
                values = self._of_type(values, field, kind, found.get("currency"))
            found[f"{kind}:{field}"] = values
        return found

    def _joined_to(self, fields: str) -> str:
        """SQL: the tables that these fields of `d` stand in."""
        joins = {
            "e.": "JOIN crediting_hookendpoint e ON e.id = d.endpoint_id",
            "p.": f"LEFT JOIN {table('crediting_product', self.as_of)} p ON p.id = d.product_id",
            "a.": f"LEFT JOIN {table('crediting_account', self.as_of)} a ON a.id = d.account_id",
        }
        return " ".join(join for name, join in joins.items() if f" {name}" in fields)

    def _of_type(self, values: Words, field: str, kind: str, currency: Words | None) -> Any:
        """A column of texts in its type; money in minor units of each row's own currency."""
        column = typed(values, field, kind, self.currency)
        if kind == "money" and currency is not None:
            for code, word in enumerate(currency.words):
                if word and word != self.currency:
                    rows = np.flatnonzero(currency.codes == code)
                    column[rows] = typed(values, field, kind, word)[rows]
        return column

    def _typed(self, found: Columns) -> dict[str, Any]:
        """The columns as the batch holds them."""
        of: dict[str, dict[str, Any]] = {
            kind: {field: found[f"{kind}:{field}"] for field in getattr(self.fields, kind)}
            for kind in ("text", "money", "date", "number", "boolean")
        }
        texts = {field: text_of(words) for field, words in of["text"].items()}
        dates = {
            field: within_years(days) if field.startswith("custom.") and field in self.fields.days else days
            for field, days in of["date"].items()
        }
        return {
            "text": texts, "money": of["money"], "dates": dates, "numbers": of["number"], "booleans": of["boolean"],
            "currency": text_of(found["currency"]) if self.converts else None,
        }  # fmt: skip


# ------------------------------------------------------------------ what releases


def milestones(rows: FactRows, plans: Sequence[CompiledPlan], params: dict[str, Any], as_of: Any) -> Milestones:
    """Milestones of the deals that release anything."""
    types = sorted({t.on for p in plans for c in stated(p) for t in c.release} - {"usage", "credit_date"})
    nothing = np.zeros(0, dtype=np.int64)
    if not types:
        return Milestones(nothing, Text(nothing.astype(np.int32), ()), nothing)
    found = read(
        f"SELECT m.deal_id AS fact, m.type, {day('m.day')} AS day FROM {facts_as_of(as_of)} m "
        f"WHERE {rows.deals_named} AND m.kind = 'milestone' AND m.type = ANY(%(types)s)",
        {**params, "types": types},
        words=["type"],
    )
    found = of_rows(found, rows.deals)
    return Milestones(found["fact"], Text(found["type"].codes.astype(np.int32), found["type"].words), found["day"])


def transfers(rows: FactRows, plans: Sequence[CompiledPlan], params: dict[str, Any], as_of: Any) -> Transfers | None:
    """Who handed the batch's deals to whom; None where no plan goes by it. The team of a transfer is who gives and who
    receives, both in the role that goes over."""
    if not any(rule.on_transfer is not None for plan in plans for rule in plan.credit_rules):
        return None
    if as_of is None:
        people = "g.role, g.participant_id AS giver, r.participant_id AS receiver"
        teams = (
            "JOIN crediting_factteam g ON g.fact_id = f.id AND g.place = 0 "
            "JOIN crediting_factteam r ON r.fact_id = f.id AND r.place = 1"
        )
    else:
        giver, receiver = (f"(f.team -> {place} ->> 1)::bigint" for place in (0, 1))
        people = f"f.team -> 0 ->> 0 AS role, {giver} AS giver, {receiver} AS receiver"
        teams = ""
    found = read(
        f"SELECT f.deal_id AS fact, {people}, {day('f.day')} AS day FROM {facts_as_of(as_of)} f {teams} "
        f"WHERE {rows.deals_named} AND f.kind = 'transfer'",
        params,
        words=["role"],
    )
    found = of_rows(found, rows.deals)
    role = Text(found["role"].codes.astype(np.int32), found["role"].words)
    return Transfers(found["fact"], role, found["giver"], found["receiver"], found["day"])


def usage(rows: FactRows, plans: Sequence[CompiledPlan], params: dict[str, Any], as_of: Any) -> Usage:
    """Readings of the deals, where usage releases anything."""
    if not any(t.on == "usage" for p in plans for c in stated(p) for t in c.release):
        nothing = np.zeros(0, dtype=np.int64)
        return Usage(nothing, nothing, nothing, nothing)
    amounts = ", ".join(f"coalesce((u.values ->> '{name}')::bigint, 0) AS {name}" for name in ("used", "contracted"))
    found = read(
        f"SELECT u.deal_id AS fact, {day('u.day')} AS day, {amounts} FROM {facts_as_of(as_of)} u "
        f"WHERE {rows.deals_named} AND u.kind = 'usage'",
        params,
    )
    found = of_rows(found, rows.deals)
    return Usage(found["fact"], found["day"], found["used"], found["contracted"])


def of_rows(found: Columns, ids: Ints) -> Columns:
    """The rows of the batch's facts, `fact` being the place of each among `ids`, which are each once, in any order.

    Intake goes on between two reads: rows of a deal that came meanwhile are left to the scope that came with it.
    Without this they would count for the deal whose place theirs would be.
    """
    rows = _picked(found, np.flatnonzero(np.isin(found["fact"], ids)))
    if (ids[1:] > ids[:-1]).all():
        return {**rows, "fact": np.searchsorted(ids, rows["fact"]).astype(np.int64)}
    order = np.argsort(ids, kind="stable")
    return {**rows, "fact": order[np.searchsorted(ids[order], rows["fact"])].astype(np.int64)}


# ------------------------------------------------------------------ small columns


def _teams(found: Columns, ids: Ints) -> Teams:
    rows = of_rows(found, ids)
    role = Text(rows["role"].codes.astype(np.int32), rows["role"].words)
    return Teams(rows["fact"], role, rows["participant"], rows["weight"], rows["place"])


def _team_of_json(source: str) -> str:
    return (
        "SELECT s.id AS fact, m.value ->> 0 AS role, (m.value ->> 1)::bigint AS participant, "
        "(m.value ->> 2)::bigint AS weight, m.ordinality - 1 AS place "
        f"FROM ({source}) s, jsonb_array_elements(s.team) WITH ORDINALITY m"
    )


def _in_json(team: str) -> str:
    return f"EXISTS (SELECT 1 FROM jsonb_array_elements({team}) m WHERE (m ->> 1)::bigint = ANY(%(people)s))"


def _picked(found: Columns, rows: Ints) -> Columns:
    return {
        name: Words(values.codes[rows], values.words) if isinstance(values, Words) else values[rows]
        for name, values in found.items()
    }


def _joined(first: Any, second: Any) -> Any:
    """Two columns one behind the other; texts in one numbering, in the order of code points."""
    if not isinstance(first, Words):
        return np.concatenate((first, second))
    words = tuple(sorted({*first.words, *second.words}))
    order = {word: code for code, word in enumerate(words)}
    return Words(np.concatenate((first.renamed(order), second.renamed(order))), words)


def _stacked(first: Columns, second: Columns) -> Columns:
    return {name: _joined(values, second[name]) for name, values in first.items()}


def _rank(source: Words, external: Words, kind: Words) -> Ints:
    """The order of facts by (source, external id, kind), in code points: the words stand in that order."""
    rank = np.empty(source.codes.size, dtype=np.int64)
    rank[np.lexsort((kind.codes, external.codes, source.codes))] = np.arange(source.codes.size)
    return rank
