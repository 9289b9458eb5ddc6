"""Small worlds for the kernel's tests: plans by hand, deals as short rows, the calendar year 2026."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from payouts.kernel.batch import (
    MISSING_DAY,
    MISSING_MONEY,
    Assignments,
    Attributes,
    Batch,
    Employment,
    Exchange,
    Facts,
    Milestones,
    Quotas,
    Reporting,
    Teams,
    Text,
    Transfers,
    Usage,
)
from plans.rules.compiled import (
    Accelerator,
    Band,
    Bonus,
    Cap,
    CompiledPlan,
    Component,
    CreditRule,
    Group,
    Leaf,
    RoleShare,
    RollUp,
    Tier,
    Tiers,
)
from plans.rules.compiled_pay import Tranche

WON = Leaf("stage", "text", "is", "won")
ON_CREDIT = (Tranche(Fraction(1), "credit_date", None),)


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def ints(values: Iterable[int]) -> Any:
    return np.array(list(values), dtype=np.int64)


MONTHS = [day(f"2026-{month:02}-01") for month in range(1, 13)] + [day("2027-01-01")]
PERIODS = {"month": ints(MONTHS), "quarter": ints(MONTHS[::3]), "year": ints([MONTHS[0], MONTHS[12]])}
Q1 = (MONTHS[0], MONTHS[3])
YEAR = (MONTHS[0], MONTHS[12])


def percent(value: str | int | Fraction) -> Fraction:
    return Fraction(value) / 100


def tiers(*rates: tuple[Any, Any], mode: Any = "marginal", attribution: Any = None, boundary: Any = "above") -> Tiers:
    """Tiers from (bound, rate) in percent."""
    return Tiers(mode, attribution, boundary, tuple(Tier(percent(start), percent(rate)) for start, rate in rates))


USUAL = tiers((0, 10), (100, 15), (120, 20))


def bands(*steps: tuple[int, str], boundary: Any = "above") -> Accelerator:
    """Bands from (whole units, factor)."""
    return Accelerator(boundary, tuple(Band(start * 100, Fraction(times)) for start, times in steps))


def commission(curve: Tiers | None = USUAL, **changes: Any) -> Component:
    component = Component(
        key="commission",
        name="Commission",
        clause="You earn a share of each deal.",
        kind="commission",
        classes=("bookings",),
        roles=("ae",),
        every="quarter",
        quota="sales",
        missing_quota="wait",
        zero_quota="highest_tier",
        below_zero="lowest_tier",
        tiers=curve,
        accelerator=None,
        bonus=None,
        cap=None,
        release=ON_CREDIT,
    )
    return replace(component, **changes)


def bonus(amount: int, per: Any = "credit", **changes: Any) -> Component:
    """A bonus of whole units; per credit it has no quota unless changed."""
    at, boundary, min_deal = (changes.pop(name, None) for name in ("at", "boundary", "min_deal"))
    plain = commission(None, kind="bonus", key="bonus", below_zero=None)
    if per == "credit":
        plain = replace(plain, quota=None, missing_quota=None, zero_quota=None)
    return replace(plain, bonus=Bonus(amount * 100, per, min_deal, at, boundary), **changes)


def cap(amount: int, per: Any = "measure_period") -> Cap:
    return Cap(amount * 100, per)


def release(*entries: tuple[Any, str]) -> tuple[Tranche, ...]:
    """Tranches from (share in percent, trigger); usage is written `usage 75`."""
    made = []
    for share, on in entries:
        word, _, at = on.partition(" ")
        made.append(Tranche(percent(share), word, percent(at) if at else None))
    return tuple(made)


def rule(*shares: tuple[str, int], roll_up: Iterable[RollUp] = (), **changes: Any) -> CreditRule:
    entries = tuple(RoleShare(role, percent(share)) for role, share in shares or (("ae", 100),))
    made = CreditRule("won", "bookings", Group("all", (WON,)), "close_date", "amount", entries, tuple(roll_up))
    return replace(made, **changes)


def plan(*components: Component, rules: Sequence[CreditRule] = (), **changes: Any) -> CompiledPlan:
    made = CompiledPlan(
        key="plan",
        name="Plan",
        currency="USD",
        minor_digits=2,
        digest="0" * 64,
        round_at="line",
        round_mode="half-even",
        round_step=1,
        credit_rules=tuple(rules) or (rule(),),
        components=components or (commission(),),
    )
    return replace(made, **changes)


@dataclass(frozen=True)
class Deal:
    """A fact, mostly a deal. `amount` in whole units (`minor`: in minor units); the team as (role, person) or (role,
    person, weight)."""

    amount: Any = None
    close: str | None = "2026-01-15"
    team: Sequence[tuple[Any, ...]] = (("ae", 1),)
    stage: str | None = "won"
    event: int = 0
    name: str | None = None
    minor: int | None = None
    replicate: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    milestones: Sequence[tuple[str, str]] = ()
    usage: Sequence[tuple[str, int, int]] = ()
    kind: str = "deal"
    of: str | None = None  # the name of the deal that a fact of another kind belongs to
    currency: str | None = None

    @property
    def money(self) -> int:
        if self.minor is not None:
            return self.minor
        return MISSING_MONEY if self.amount is None else int(Fraction(self.amount) * 100)


def text(values: Sequence[str | None]) -> Text:
    words = tuple(sorted({value for value in values if value is not None}))
    codes = [-1 if value is None else words.index(value) for value in values]
    return Text(np.array(codes, dtype=np.int32), words)


def days(values: Iterable[str | None]) -> Any:
    return ints(MISSING_DAY if value is None else day(value) for value in values)


def attributes(*rows: tuple[int, str, str, str, str]) -> Attributes:
    """From (participant, name, value, start, end)."""
    return Attributes(
        ints(row[0] for row in rows),
        text([row[1] for row in rows]),
        text([row[2] for row in rows]),
        days(row[3] for row in rows),
        days(row[4] for row in rows),
    )


def employment(*spans: tuple[int, str, str], leave: Sequence[tuple[int, str, str]] = ()) -> Employment:
    """Spans of employment, and of leave, as (participant, start, end)."""
    every = [*spans, *leave]
    return Employment(
        ints(span[0] for span in every),
        np.array([0] * len(spans) + [1] * len(leave), dtype=np.int8),
        days(span[1] for span in every),
        days(span[2] for span in every),
    )


def exchange(*rates: tuple[str, str, str, str, str], kind: str = "spot") -> Exchange:
    """From (source, target, rate in decimals, start, end)."""
    worth = [Fraction(rate[2]) for rate in rates]
    return Exchange(
        text([rate[0] for rate in rates]),
        text([rate[1] for rate in rates]),
        text([kind for _ in rates]),
        days(rate[3] for rate in rates),
        days(rate[4] for rate in rates),
        ints(each.numerator for each in worth),
        ints(each.denominator for each in worth),
    )


def world(
    plans: CompiledPlan | Sequence[tuple[CompiledPlan, str, str]],
    deals: Sequence[Deal],
    *,
    quotas: Sequence[tuple[int, str, tuple[int, int], Any]] = ((1, "sales", Q1, 100_000),),
    reporting: Sequence[tuple[int, int, str, str]] = (),
    people: Sequence[int] = (1, 2, 3, 4, 5),
    only: Sequence[int] | None = None,
    types: Mapping[str, str] | None = None,
    order: Sequence[int] | None = None,
    transfers: Sequence[tuple[str, str, int, int, str]] = (),
    **more: Any,
) -> Batch:
    """A batch. Quotas are (person, key, (start, end), whole units); plans (plan, start, end), for all `people`.
    `types` declares what the deals' `extra` holds; `order` gives the deal rows in another order, and turns the
    rest round. Transfers are (deal name, role, giver, receiver, day); `more` goes into the batch as it stands."""
    if isinstance(plans, CompiledPlan):
        plans = [(plans, "2026-01-01", "2027-01-01")]
    named = [replace(deal, name=deal.name or f"D{place:04}") for place, deal in enumerate(deals)]
    names = sorted({str(deal.name) for deal in named})
    turn = 1 if order is None else -1
    transfers = list(transfers)[::turn]
    deals = named if order is None else [named[row] for row in order]
    team = [(row, place, *member) for row, deal in enumerate(deals) for place, member in enumerate(deal.team)][::turn]
    quotas, reporting = list(quotas)[::turn], list(reporting)[::turn]
    marks = [(row, *mark) for row, deal in enumerate(deals) for mark in deal.milestones][::turn]
    readings = [(row, *reading) for row, deal in enumerate(deals) for reading in deal.usage][::turn]
    standing = [(person, place, *plans[place][1:]) for place in range(len(plans)) for person in people][::turn]

    row_of = {deal.name: row for row, deal in enumerate(deals)}
    of_deals = all(deal.kind == "deal" for deal in deals)

    def extras(kind: str) -> dict[str, list[Any]]:
        chosen = [name for name, its_kind in (types or {}).items() if its_kind == kind]
        return {name: [deal.extra.get(name) for deal in deals] for name in chosen}

    numbers = {}
    for name, values in extras("number").items():
        numbers[name] = np.empty(len(deals), dtype=object)
        numbers[name][:] = values
    return Batch(
        plans=tuple(each for each, _, _ in plans),
        periods=PERIODS,
        pay_periods=PERIODS["month"],
        facts=Facts(
            id=ints(range(len(deals))),
            rank=ints(names.index(str(deal.name)) for deal in deals),
            event_time=ints(deal.event for deal in deals),
            text={"stage": text([deal.stage for deal in deals])} | {k: text(v) for k, v in extras("text").items()},
            money={"amount": ints(deal.money for deal in deals)}
            | {
                name: ints(MISSING_MONEY if value is None else value for value in values)
                for name, values in extras("money").items()
                if name != "amount"
            },
            dates={"close_date": days(deal.close for deal in deals)} | {k: days(v) for k, v in extras("date").items()},
            numbers=numbers,
            booleans={
                name: np.array([-1 if value is None else value for value in values], dtype=np.int8)
                for name, values in extras("boolean").items()
            },
            replicate=ints(deal.replicate for deal in deals) if any(deal.replicate for deal in deals) else None,
            kind=None if of_deals else text([deal.kind for deal in deals]),
            deal=None
            if of_deals
            else ints(row if deal.kind == "deal" else row_of.get(deal.of, -1) for row, deal in enumerate(deals)),
            currency=text([deal.currency for deal in deals]) if any(deal.currency for deal in deals) else None,
        ),
        teams=Teams(
            fact=ints(member[0] for member in team),
            role=text([member[2] for member in team]),
            participant=ints(member[3] for member in team),
            weight=ints(member[4] if len(member) > 4 else 1 for member in team),
            place=ints(member[1] for member in team),
        ),
        reporting=Reporting(
            ints(line[0] for line in reporting),
            ints(line[1] for line in reporting),
            days(line[2] for line in reporting),
            days(line[3] for line in reporting),
        ),
        assignments=Assignments(
            ints(each[0] for each in standing),
            ints(each[1] for each in standing),
            days(each[2] for each in standing),
            days(each[3] for each in standing),
        ),
        quotas=Quotas(
            ints(quota[0] for quota in quotas),
            text([quota[1] for quota in quotas]),
            ints(quota[2][0] for quota in quotas),
            ints(quota[2][1] for quota in quotas),
            ints(int(Fraction(quota[3]) * 100) for quota in quotas),
        ),
        milestones=Milestones(
            ints(mark[0] for mark in marks), text([mark[1] for mark in marks]), days(mark[2] for mark in marks)
        ),
        usage=Usage(
            ints(reading[0] for reading in readings),
            days(reading[1] for reading in readings),
            ints(reading[2] for reading in readings),
            ints(reading[3] for reading in readings),
        ),
        only=None if only is None else ints(only),
        transfers=Transfers(
            ints(row_of[row[0]] for row in transfers),
            text([row[1] for row in transfers]),
            ints(row[2] for row in transfers),
            ints(row[3] for row in transfers),
            days(row[4] for row in transfers),
        )
        if transfers
        else None,
        **more,
    )
