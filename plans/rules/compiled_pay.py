"""What a plan says about when earnings are payable, and who is paid what of them: release, clawback, proration,
settlement. A part of `plans.rules.compiled`, in the same units.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from plans.rules.compiled import FactKind, OfCalendar


@dataclass(frozen=True, slots=True)
class After:
    """Exactly one of `days`, `months` (then perhaps `day` of the month) and `periods`."""

    days: int | None = None
    months: int | None = None
    day: int | None = None
    periods: int | None = None


@dataclass(frozen=True, slots=True)
class Tranche:
    share: Fraction
    on: str  # "credit_date", "usage", "paid", "date", "period_end" or a milestone kind
    at: Fraction | None  # for usage
    reading: Literal["high_water", "live"] = "high_water"  # for usage
    base: Literal["invoiced", "contracted"] | None = None  # for paid
    tax: Literal["with", "without"] | None = None  # for paid
    day: int | None = None  # for date
    after: After | None = None


@dataclass(frozen=True, slots=True)
class Clawback:
    on: tuple[FactKind, ...]
    formula: Literal["recompute", "original", "pro_rata", "window", "table", "uncollected"]
    term_months: int | str | None = None  # months, or the number field that holds them
    failing_month: Literal["counts", "does_not_count"] | None = None
    window_months: int | None = None
    window_days: int | None = None
    table: tuple[tuple[int, Fraction], ...] = ()  # from so many months on, the share
    base: Literal["invoiced", "contracted"] | None = None
    tax: Literal["with", "without"] | None = None
    lowers_measure: bool | None = None
    takes: Literal["all", "released"] | None = None
    floor: Fraction | None = None  # the share that stays
    exchange: Literal["own", "origin"] = "own"


@dataclass(frozen=True, slots=True)
class Amortise:
    months: int | str  # months, or the number field that holds them
    start: Literal["credit_date", "next_month"]


@dataclass(frozen=True, slots=True)
class Proration:
    method: Literal["calendar_days", "working_days", "whole_months"]
    first_day: Literal["counts", "does_not_count"]
    last_day: Literal["counts", "does_not_count"]
    leave: Literal["counts", "excluded"]
    of: tuple[Literal["quota", "incentive", "tiers", "caps", "plan_caps", "draw"], ...]
    round: Literal["minor", "whole"]


@dataclass(frozen=True, slots=True)
class EmploymentRules:
    credits_after: Literal["none", "count"]
    credits_on_leave: Literal["none", "count"]
    release_after: Literal["lost", "paid"]


@dataclass(frozen=True, slots=True)
class PlanCap:
    amount: int
    every: OfCalendar
    excess: Literal["lost", "review"]
    components: tuple[str, ...] = ()  # empty: all


@dataclass(frozen=True, slots=True)
class Currencies:
    pay_rate: Literal["credit_date", "period_average", "release_date"]


@dataclass(frozen=True, slots=True)
class Recovery:
    share: Fraction
    keep: int
    after_periods: int


@dataclass(frozen=True, slots=True)
class Draw:
    kind: Literal["recoverable", "non_recoverable", "guarantee"]
    style: Literal["top_up", "advance"]
    amount: int
    start: int  # day number
    end: int
    test: tuple[str, ...]
    recovery: Recovery | None
    retest: bool | None
    on_leaving: Literal["owed", "written_off"] | None
    key: str = "draw"
    components: tuple[str, ...] = ()  # whose pay it is of; empty: all


@dataclass(frozen=True, slots=True)
class PaymentCap:
    amount: int
    per: Literal["pay_period", "year"]
    excess: Literal["lost", "carried", "review"]


@dataclass(frozen=True, slots=True)
class ClawbackLimit:
    share: Fraction
    keep: int
    excess: Literal["carried", "forgiven"]
    on_leaving: Literal["owed", "forgiven"] | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """`draws` and `caps` in their order, those of the keys `draw` and `cap` first."""

    order: tuple[str, ...]
    negative: Literal["carried", "collected"]
    draws: tuple[Draw, ...] = ()
    caps: tuple[PaymentCap, ...] = ()
    clawback_limit: ClawbackLimit | None = None
    small_adjustments: int | None = None  # what is less is kept
    holdback: Fraction | None = None
    holdback_periods: int = 0
    minimum: int | None = None
    #: In which currency people are settled who are paid in another than the plan's, and at which rate the amounts of
    #: this settlement are converted into it.
    settle_in: Literal["plan", "pay"] = "plan"
    amounts_rate: Literal["period_start", "period_end", "period_average"] | None = None
