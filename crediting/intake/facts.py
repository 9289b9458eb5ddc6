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


@dataclass(frozen=True, slots=True)
class Member:
    """One who stands on a deal, in a role, with a weight against others in that role."""

    role: str
    person: str
    weight: int


@dataclass(frozen=True, slots=True)
class DealFact:
    """A deal as its source has it; a full snapshot. `team` is complete: the owner stands in it."""

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
    custom: tuple[tuple[str, str | int | bool | None], ...]


@dataclass(frozen=True, slots=True)
class MilestoneFact:
    """A milestone of a deal, reached on a day or taken back."""

    deal: str
    kind: str
    reached: bool
    day: date


@dataclass(frozen=True, slots=True)
class UsageFact:
    """How much of a deal's contracted usage was used by the end of a day, in the source's own whole units."""

    deal: str
    day: date
    used: int
    contracted: int


Fact = AccountFact | DealFact | MilestoneFact | UsageFact


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery, understood. `at` is the event time in UTC; `version` the source's own count, 0 where it gives
    none."""

    type: str
    at: datetime
    version: int
    fact: Fact
