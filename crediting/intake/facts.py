"""What an adapter makes of a delivery. Names (owner, product, account, role) are still the source's own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class AccountFact:
    """A customer as its source has it; a full snapshot."""

    account: str
    name: str
    sector: str
    country: str
    state: str = ""
    postal: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One who stands on a deal, in a role, with a weight against others in that role."""

    role: str
    person: str
    weight: int


#: A field of the language that has no column of its own: money in minor units, numbers as plain decimals, days as
#: YYYY-MM-DD, texts. Sorted by name; one that is empty is left out.
Values = tuple[tuple[str, int | str], ...]
#: A company's own fields, sorted by name.
Custom = tuple[tuple[str, str | int | bool | None], ...]


@dataclass(frozen=True, slots=True)
class OtherFact:
    """What happens to a deal or beside one, as its source has it; a full snapshot. `kind` is one of
    plans.rules.compiled.FactKind but deal; or contract: what an account may use of a product from a day on; or
    transfer: its team is who hands a deal on, then who receives it, both in the role that goes over.

    `id` is the source's own, once in its kind. `stands`: false where the source took it back. `deal`, `account` and
    `product` are empty where it belongs to none; without a team it has its deal's.
    """

    kind: str
    id: str
    stands: bool = True
    deal: str = ""
    account: str = ""
    product: str = ""
    type: str = ""
    day: date | None = None
    amount_minor: int | None = None
    currency: str = ""
    values: Values = ()
    custom: Custom = ()
    team: tuple[Member, ...] = ()


def milestone_id(deal: str, milestone: str) -> str:
    """The id of a milestone: a deal has each once."""
    return f"{deal}/{milestone}"


def usage_id(of: str, day: date) -> str:
    """The id of a reading: a deal (or an account and a product) has one a day."""
    return f"{of}/{day.isoformat()}"


def held_by(account: str, product: str) -> str:
    """What usage and contracts without a deal are about."""
    return f"{account}/{product}"


@dataclass(frozen=True, slots=True)
class DealFact:
    """A deal as its source has it; a full snapshot. `team` is complete: the owner stands in it. `lines`: None where the
    source says nothing of them, which leaves them as they were."""

    deal: str
    stage: str
    team: tuple[Member, ...]
    product: str
    account: str
    amount_minor: int | None
    currency: str
    engage_date: date | None
    close_date: date | None
    territory: str
    custom: Custom
    values: Values = ()
    lines: tuple[OtherFact, ...] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What somebody is held against or paid at 100%, in minor units, for a measure period [starts_on, ends_on)."""

    key: str
    starts_on: date
    ends_on: date
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class PersonFact:
    """What somebody is from a day on, as HR has it: the whole state. `left` is the first day no longer employed, leave
    ends on the first day back. `manager` is an employee number; empty texts say that there is none. `leave` and
    `targets`: None where the source says nothing of them."""

    person: str
    as_of: date
    name: str
    email: str
    hired: date
    left: date | None
    pay_group: str
    title: str
    role: str
    team: str
    territory: str
    manager: str
    region: str
    position: str
    pool: str
    leave: tuple[tuple[date, date | None], ...] | None = None
    targets: tuple[Target, ...] | None = None


Fact = AccountFact | DealFact | OtherFact | PersonFact


def fact_key(fact: Fact) -> tuple[str, str]:
    """The kind of a fact and the source's id of it."""
    match fact:
        case OtherFact():
            return fact.kind, fact.id
        case DealFact():
            return "deal", fact.deal
        case AccountFact():
            return "account", fact.account
        case PersonFact():
            return "person", fact.person


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery, understood. `at` is the event time in UTC; `version` the source's own count, 0 where it gives
    none."""

    type: str
    at: datetime
    version: int
    fact: Fact
