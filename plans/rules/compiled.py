"""What a checked plan document compiles to: plain frozen values, exact, that the kernels read.

All ratios are `fractions.Fraction` (10% is Fraction(1, 10)); all money is int minor units of the plan's currency.
Meaning of every field: docs/plan-language.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from plans.rules.compiled_pay import (
    Amortise,
    Clawback,
    Currencies,
    EmploymentRules,
    PlanCap,
    Proration,
    Settlement,
    Tranche,
)

if TYPE_CHECKING:
    from plans.rules.expressions import Computed

Boundary = Literal["above", "below"]
#: What a part of a split counts for: the measure, what is paid, or both.
CountsFor = Literal["both", "quota", "pay"]
RoundAt = Literal["line", "curve", "total"]
RoundMode = Literal["half-even", "half-up"]
FactKind = Literal[
    "deal",
    "line",
    "milestone",
    "usage",
    "invoice",
    "receipt",
    "activity",
    "score",
    "hours",
    "cancellation",
    "refund",
    "nonpayment",
]
Kind = Literal["commission", "bonus", "incentive", "result", "scorecard", "pool", "rank"]
#: What a measure, a quota or a result is counted in. Money is in minor units, units and numbers in millionths, a share
#: is a ratio, days are exact ratios.
Unit = Literal["money", "units", "share", "number", "days"]


@dataclass(frozen=True, slots=True)
class OwnPeriods:
    """Measure periods that a plan states itself: half-open spans of days, one after the other; they need not join."""

    name: str
    spans: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return self.name.replace("-", " ").replace("_", " ")


OfCalendar = Literal["month", "quarter", "half", "year"]
Every = OfCalendar | OwnPeriods


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
class ShareBy:
    """A share picked by a text field of the fact; `otherwise` for any other value and for none."""

    field: str
    values: tuple[tuple[str, Fraction], ...]
    otherwise: Fraction


@dataclass(frozen=True, slots=True)
class RoleShare:
    """`share` is 0 where `by` picks it."""

    role: str
    share: Fraction
    by: ShareBy | None = None
    split: Literal["weights", "equal", "each"] = "weights"
    counts_for: CountsFor = "both"


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
    amount: str  # a money field, a number field, or "one"
    credit: tuple[RoleShare, ...]
    roll_up: tuple[RollUp, ...]
    fact: FactKind = "deal"
    unit: Literal["money", "units"] = "money"
    eligible: Condition | None = None
    hold: Condition | None = None
    limit: Fraction | None = None
    on_transfer: Literal["stays", "follows"] | None = None

    def counts_for(self, role: str) -> CountsFor:
        """What the parts of a role that the rule credits count for."""
        return next((entry.counts_for for entry in self.credit if entry.role == role), "both")

    def rolled_for(self, place: int) -> CountsFor:
        """What the credit of the entry of `roll_up` at a place counts for: as the parts that it is made of."""
        return self.counts_for(self.roll_up[place].from_roles[0])


@dataclass(frozen=True, slots=True)
class Read:
    """A figure of another component: of plan `plan` (a plan key), component `component` (its key). What it is held
    against is in minor units of money and whole units of everything else; a result in money is in whole units too."""

    plan: str
    component: str
    value: Literal["measure", "attainment", "result", "earning_before_cap", "earning", "released"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of a matrix is the one that holds the read value. Bounds in the unit of what is read: a ratio, minor
    units, or millionths as a ratio of whole units (always exact, never scaled)."""

    read: Read
    boundary: Boundary
    starts: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Tier:
    """`start`: share of quota, or with another axis minor units or units (not millionths). `rate`: a ratio, a factor of
    the base rate, or minor units a unit. `rates`: one a column, empty without columns."""

    start: Fraction
    rate: Fraction
    back: Literal["none", "tier", "all"] | None = None
    rates: tuple[Fraction, ...] = ()


@dataclass(frozen=True, slots=True)
class Tiers:
    mode: Literal["marginal", "retroactive", "mixed", "each"]
    attribution: Literal["running", "proportional"] | None
    boundary: Boundary
    rates: tuple[Tier, ...]
    axis: Literal["attainment", "amount", "units"] = "attainment"
    pays: Literal["rate", "times", "per_unit"] = "rate"
    full_points: Fraction | None = None  # in the unit of `start`
    columns: Columns | None = None

    @property
    def prorates(self) -> bool:
        """Whether the bounds are amounts of a whole period, which a part of it may shrink."""
        return self.axis != "attainment" and self.mode != "each"


@dataclass(frozen=True, slots=True)
class Dimension:
    """Bounds of a number (units), money (minor units, compared with the absolute value) or date (day numbers) field, or
    the values of a text field; with `otherwise` one more row for all else."""

    field: str
    type: Literal["text", "number", "money", "date"]
    starts: tuple[Fraction, ...] = ()
    boundary: Boundary | None = None
    values: tuple[str, ...] = ()
    otherwise: bool = False

    @property
    def rows(self) -> int:
        return len(self.starts) or len(self.values) + self.otherwise


@dataclass(frozen=True, slots=True)
class Table:
    """`cells` in row-major order (the last dimension moves first): ratios, minor units, or factors."""

    pays: Literal["rate", "amount", "times"]
    dimensions: tuple[Dimension, ...]
    cells: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """`at`: share of quota or of the measure's unit (minor units for money, units otherwise). `pays`: a share, minor
    units, a number or a factor."""

    at: Fraction
    pays: Fraction


@dataclass(frozen=True, slots=True)
class PayCurve:
    pays: Literal["share", "amount", "number", "times"]
    axis: Literal["attainment", "value"]
    mode: Literal["steps", "interpolated", "by_width"]
    boundary: Boundary
    below: Literal["zero", "first", "one"] | None
    beyond: Literal["last", "extend"] | None
    full_points: Fraction | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Modifier:
    """Exactly one of `times` (with `when`), `table`, or `read` with `curve`."""

    key: str
    when: Condition | None = None
    times: Fraction | None = None
    table: Table | None = None
    read: Read | None = None
    curve: PayCurve | None = None


@dataclass(frozen=True, slots=True)
class Modifiers:
    combine: Literal["multiply", "add"]
    each: tuple[Modifier, ...]


@dataclass(frozen=True, slots=True)
class Kicker:
    """Exactly one of `rate` and `amount` (minor units)."""

    key: str
    when: Condition
    rate: Fraction | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class Gate:
    key: str
    read: Read
    at_least: Fraction  # exact, in the unit of what is read (minor units for money, units otherwise)
    read_at: Literal["final", "running"]
    until_known: Literal["withhold", "provisional"] | None
    catch_up: bool | None
    effect: Literal["withhold", "no_accelerators", "cap", "times"]
    cap: int | None = None
    times: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """Fields as in the document; `unit` is that of its value."""

    every: Every
    value: Literal["sum", "count", "weighted", "share", "average", "last", "high_water", "days"] = "sum"
    window: Literal["discrete", "year_to_date", "rolling"] = "discrete"
    periods: int = 1
    of: Literal["own", "team", "pool", "company"] = "own"
    by: Literal["credit", "period"] = "credit"
    weight: str | None = None
    part: Condition | None = None
    from_field: str | None = None
    to_field: str | None = None
    first_day: Literal["in", "out"] | None = None
    last_day: Literal["in", "out"] | None = None
    empty: Literal["wait", "zero"] | None = None
    quota_basis: Literal["cumulative", "year"] | None = None
    per: tuple[str, ...] = ()  # for last and high_water: "deal", or text fields of the fact
    unit: Unit = "money"


@dataclass(frozen=True, slots=True)
class Reads:
    """Rows of a measure that are others' lines or tranches. `components`: plan key and component key."""

    what: Literal["earning", "released"]
    of: Literal["self", "reports", "downline", "team"]
    depth: int | None
    components: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ramp:
    start: Literal["hired", "assigned"]
    quota: tuple[Fraction, ...]
    incentive: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Part:
    component: str
    weight: Fraction


@dataclass(frozen=True, slots=True)
class Scorecard:
    missing_part: Literal["zero", "wait"]
    at_least: Fraction | None
    at_most: Fraction | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Exactly one of `share` and `amount` (minor units). `points` is a quota key with divide points."""

    share: Fraction | None
    amount: int | None
    divide: Literal["equal", "points"]
    points: str | None
    after_posting: Literal["keep", "redivide"]


@dataclass(frozen=True, slots=True)
class Rank:
    order: Literal["high", "low"]
    prizes: tuple[int, ...]
    ties: Literal["share", "all"]
    after_posting: Literal["keep", "redivide"]


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
    """Exactly one of `amount` (minor units), `of_incentive` and `of_component` with `share`."""

    amount: int | None
    per: Literal["credit", "deal", "measure_period", "year"]
    excess: Literal["lost", "review", "carried"] = "lost"
    of_incentive: Fraction | None = None
    of_component: Read | None = None
    share: Fraction | None = None
    counts: bool | None = None  # for carried
    until: Literal["used_up", "year_end"] | None = None  # for carried


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The component whose terms a line is rated by a second time: of plan `plan` (a plan key), `component` (its key).
    `share` of what they give, and the larger or smaller of the two, are what counts."""

    plan: str
    component: str
    share: Fraction
    pays: Literal["larger", "smaller"]
    per: Literal["credit", "measure_period"]


@dataclass(frozen=True, slots=True)
class Budget:
    amount: int
    after_posting: Literal["keep", "redivide"]


@dataclass(frozen=True, slots=True)
class Component:
    key: str
    name: str
    clause: str
    kind: Kind
    classes: tuple[str, ...]  # empty with `reads`, for a scorecard and for a pool of an amount
    roles: tuple[str, ...]
    every: Every
    quota: str | None  # a key; None with `quota_fixed` and where there is none
    missing_quota: Literal["wait", "lowest_tier", "no_pay"] | None
    zero_quota: Literal["wait", "no_pay", "lowest_tier", "highest_tier"] | None
    below_zero: Literal["lowest_tier", "no_pay"] | None
    tiers: Tiers | None
    accelerator: Accelerator | None
    bonus: Bonus | None
    cap: Cap | None
    release: tuple[Tranche, ...]  # empty for a result
    measure: Measure = Measure("month")
    credit_unit: Literal["money", "units"] = "money"  # of the size of a fact, whatever is measured of it
    quota_fixed: Fraction | None = None  # minor units, units or a ratio
    order: str = "credit_date"  # or event_time, largest_first, or a date field of the fact
    when: Condition | None = None  # of `credits`
    eligible: Condition | None = None
    eligible_on: int | None = None  # the day as of which people are asked; None: the credit date, or the person's day
    reads: Reads | None = None
    incentive: str | None = None
    missing_incentive: Literal["wait", "no_pay"] | None = None
    ramp: Ramp | None = None
    table: Table | None = None
    curve: PayCurve | None = None
    scorecard: Scorecard | None = None
    pool: Pool | None = None
    rank: Rank | None = None
    modifiers: Modifiers | None = None
    kickers: tuple[Kicker, ...] = ()
    limit_attainment: Fraction | None = None
    limit_rate: Fraction | None = None
    counterpart: Counterpart | None = None
    minimum: int | None = None
    caps: tuple[Cap, ...] = ()
    budget: Budget | None = None
    gates: tuple[Gate, ...] = ()
    release_rate: Literal["fixed", "this_share", "true_up"] = "fixed"
    clawback: Clawback | None = None
    amortise: Amortise | None = None

    def read_keys(self) -> tuple[tuple[str, str], ...]:
        """The (plan key, component key) of everything that this component reads; each once, in document order."""
        found: list[tuple[str, str]] = []
        if self.reads is not None:
            found += self.reads.components
        if self.tiers is not None and self.tiers.columns is not None:
            found.append((self.tiers.columns.read.plan, self.tiers.columns.read.component))
        reads = [each.read for each in self.modifiers.each] if self.modifiers is not None else []
        reads += [gate.read for gate in self.gates] + [cap.of_component for cap in self.caps]
        found += [(read.plan, read.component) for read in reads if read is not None]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Override:
    """For people whose `attribute` has the `value`: what is set where, in normal form. `specialise` makes the plan of
    several."""

    attribute: Literal["region", "title", "position", "person"]
    value: str
    settings: tuple[tuple[str, str], ...]  # path, and the value as canonical JSON


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
    round_step: int  # in minor units: 1, 10**minor_digits for whole units, ten times that for tens
    credit_rules: tuple[CreditRule, ...]
    components: tuple[Component, ...]
    on_new_version: Literal["carry", "restart", "rerun"] = "carry"
    computed: tuple[Computed, ...] = ()
    proration: Proration | None = None
    employment: EmploymentRules | None = None
    caps: tuple[PlanCap, ...] = ()
    currencies: Currencies | None = None
    overrides: tuple[Override, ...] = ()
    settlement: Settlement | None = None
    document: str = ""  # canonical JSON, for `specialise` where there are overrides
