"""Pay below zero that no plan's settlement takes care of, out of the database: what the company's rule, or two people,
say becomes of it, and the rows of settlements that follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from django.db import connection

from payouts.frames.inflow import Account, Place
from payouts.frames.read_asof import table
from payouts.kernel.set_off import Terms, moved, parted

Owner = tuple[int, str]  # participant id and currency
Row = dict[str, Any]

_POLICIES = "SELECT pay_group_id, currency, way, share, keep_minor FROM {policies} p WHERE way <> 'collect'"
_DECISIONS = """
SELECT participant_id, currency, period_starts_on, way, amount_minor FROM payouts_negativedecision
WHERE state = 'approved' AND participant_id = ANY(%(people)s)
    AND (%(as_of)s::timestamptz IS NULL OR decided_at <= %(as_of)s)
ORDER BY decided_at, id
"""


#: Where no rule acts any more, what is carried stands as it is, until two people let it go.
_STANDS = Terms(most=0, share=Fraction(0))


def terms_of(places: Mapping[int, Place], as_of: datetime | None) -> dict[Owner, Terms]:
    """What becomes of pay below zero of these people (id to pay group and period), by currency; nobody of those whose
    company has not chosen, or collects it outside of pay."""
    with connection.cursor() as cursor:
        params = {"as_of": as_of, "people": list(places)}
        cursor.execute(_POLICIES.format(policies=table("payouts_negativepolicy", as_of)), params)
        policies = {(group, currency): said for group, currency, *said in cursor.fetchall()}
        if not policies:
            return {}
        cursor.execute(_DECISIONS, params)
        decided: dict[Owner, list[tuple[date, str, int]]] = defaultdict(list)
        for person, currency, *said in cursor.fetchall():
            decided[person, currency].append(tuple(said))
    found = {}
    for person, (group, starts_on) in places.items():
        for (of_group, currency), (way, share, keep) in policies.items():
            if of_group == group:
                always, of = Terms(None, Fraction(share) / 100, keep), decided.get((person, currency), [])
                found[person, currency] = always if way == "carry" else _asked(of, starts_on, always)
    return found


def _asked(decided: Sequence[tuple[date, str, int]], starts_on: date, terms: Terms) -> Terms:
    """What is left of the terms where each is decided: by what was, the last one last."""
    most = max((amount for day, _, amount in decided if day == starts_on), default=0)
    sets_off = bool(decided) and decided[-1][1] == "set_off"
    return replace(terms, most=most, share=terms.share if sets_off else Fraction(0))


@dataclass(slots=True)
class Straight:
    """What a plan that settles nothing in the period pays a person: sums by column of Settlement, and what was carried
    of it before, as it acts on pay."""

    key: str  # of the plan
    version: int
    currency: str
    carried: int = 0
    row: Row | None = None  # what the kernel says of it
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("released", "adjusted", "clawed_back"), 0))

    @property
    def payout(self) -> int:
        return sum(self.sums.values()) if self.row is None else int(self.row["payout_minor"])


def set_off(
    *,
    settled: list[Row],
    straight: Mapping[Account, Straight],
    terms: Mapping[Owner, Terms],
    blank: Sequence[str],
    starts_on: date,
) -> list[Row]:
    """The rows that carrying and setting off add to `settled`, and changes those that stand there for a plan without a
    settlement. `blank`: the amounts of a row."""
    owners: dict[Owner, list[Account]] = defaultdict(list)
    for account, one in straight.items():
        owners[account[0], one.currency].append(account)
    own_rows = {id(one.row) for one in straight.values() if one.row is not None}
    base: dict[Owner, int] = defaultdict(int)
    for row in settled:
        if id(row) not in own_rows:
            base[row["participant_id"], row["currency"]] += row["payout_minor"]
    found = []
    for owner, accounts in owners.items():
        if owner not in terms and not any(straight[at].carried for at in accounts):
            continue
        mine = {at: straight[at] for at in sorted(accounts, key=lambda at: straight[at].key)}
        for account, taken in _taken(mine, base[owner], terms.get(owner, _STANDS)).items():
            one = straight[account]
            if one.row is None:
                if not taken and not one.carried:
                    continue
                one.row = _row(account, one, blank, starts_on)
                found.append(one.row)
            one.row["payout_minor"] -= taken
            one.row["carried_forward_minor"] += taken
    return found


def _taken(of: Mapping[Account, Straight], base: int, terms: Terms) -> dict[Account, int]:
    """How much of each plan's pay is set against what it carries; negative: what it carries on."""
    own = sum(one.payout for one in of.values())
    # What a settlement collects is collected, whatever else is paid.
    pay = own + max(base, 0) if own + max(base, 0) < 0 else max(own + base, 0)
    # Where more was let go than is carried, the rest answers what comes first.
    spare = {at: max(one.carried, 0) for at, one in of.items()}
    found = {at: -part for at, part in parted(max(-pay, 0), spare).items()}
    pay -= sum(found.values())
    owed = {at: max(-one.carried, 0) for at, one in of.items()}
    taken = moved(pay, sum(owed.values()), terms)
    if taken < 0:
        owed = {min(of, key=lambda at: of[at].payout): taken}
    for at, part in parted(taken, owed).items():
        found[at] += part
    return found


def _row(account: Account, one: Straight, blank: Sequence[str], starts_on: date) -> Row:
    """A settlement that pays what comes in, and leaves what is carried as it stands."""
    amounts = dict.fromkeys(blank, 0) | one.sums
    amounts |= dict.fromkeys(("inflow", "payout"), one.payout)
    amounts |= dict.fromkeys(("brought_forward", "carried_forward", "opened_carried"), one.carried)
    return {
        "participant_id": account[0],
        "plan_id": account[1],
        "plan_version_id": one.version,
        "period_starts_on": starts_on,
        "currency": one.currency,
        "returns_on": None,
        "rate_id": None,
        **{f"{name}_minor": minor for name, minor in amounts.items()},
    }
