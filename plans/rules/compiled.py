"""What a checked plan document compiles to: plain frozen values, exact, that the kernels read.

All ratios are `fractions.Fraction` (10% is Fraction(1, 10)); all money is int minor units of the plan's currency.
Meaning of every field: docs/plan-language.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Boundary = Literal["above", "below"]
Every = Literal["month", "quarter", "year"]
RoundAt = Literal["line", "curve"]
RoundMode = Literal["half-even", "half-up"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison. `value` is typed by the field: str, Fraction (number), int minor units (money), int day number
    (date), bool; a tuple of these for in, not_in and between; None for is_missing and is_present. Day numbers count
    from 1970-01-01."""

    field: str
    type: Literal["text", "number", "money", "date", "boolean"]
    op: str
    value: object


@dataclass(frozen=True, slots=True)
class Group:
    """all / any / none of the parts."""

    join: Literal["all", "any", "none"]
    parts: tuple[Condition, ...]


Condition = Leaf | Group


@dataclass(frozen=True, slots=True)
class RoleShare:
    role: str
    share: Fraction


@dataclass(frozen=True, slots=True)
class RollUp:
    from_roles: tuple[str, ...]
    to: str
    levels: int
    limit: Fraction


@dataclass(frozen=True, slots=True)
class CreditRule:
    key: str
    credit_class: str
    when: Condition
    credit_date: str
    amount: str
    credit: tuple[RoleShare, ...]
    roll_up: tuple[RollUp, ...]


@dataclass(frozen=True, slots=True)
class Tier:
    start: Fraction  # share of quota
    rate: Fraction


@dataclass(frozen=True, slots=True)
class Tiers:
    mode: Literal["marginal", "retroactive"]
    attribution: Literal["running", "proportional"] | None
    boundary: Boundary
    rates: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Band:
    start: int  # minor units of the deal's whole amount
    times: Fraction


@dataclass(frozen=True, slots=True)
class Accelerator:
    boundary: Boundary
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class Bonus:
    amount: int
    per: Literal["credit", "measure_period"]
    min_deal: int | None
    at: Fraction | None
    boundary: Boundary | None


@dataclass(frozen=True, slots=True)
class Cap:
    amount: int
    per: Literal["measure_period", "deal"]


@dataclass(frozen=True, slots=True)
class Tranche:
    share: Fraction
    on: str  # "credit_date", "usage" or a milestone kind
    at: Fraction | None  # for usage


@dataclass(frozen=True, slots=True)
class Component:
    key: str
    name: str
    clause: str
    kind: Literal["commission", "bonus"]
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    every: Every
    quota: str | None
    missing_quota: Literal["wait", "lowest_tier"] | None
    zero_quota: Literal["wait", "no_pay", "lowest_tier", "highest_tier"] | None
    below_zero: Literal["lowest_tier", "no_pay"] | None
    tiers: Tiers | None
    accelerator: Accelerator | None
    bonus: Bonus | None
    cap: Cap | None
    release: tuple[Tranche, ...]


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """One plan version, ready for the kernels. `digest` is the SHA-256 (hex) of the canonical document."""

    key: str
    name: str
    currency: str
    minor_digits: int
    digest: str
    round_at: RoundAt
    round_mode: RoundMode
    round_step: int  # in minor units: 1, or 10**minor_digits for whole units
    credit_rules: tuple[CreditRule, ...]
    components: tuple[Component, ...]
