"""What goes into `calculate` and what comes out: columns, no I/O.

Conventions: days are int64 counted from 1970-01-01, `MISSING_DAY` where there is none; intervals are half-open
[start, end); money is int64 minor units; indexes point into the arrays of the same batch or result; -1 means none.
Text that conditions read is a `Text` column: int32 codes into a vocabulary, -1 where missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from crediting.kernel.columns import (
    FAR_DAY,
    LARGEST,
    MILLIONTHS,
    MISSING_DAY,
    MISSING_MONEY,
    ROLLED_SPLIT,
    Assignments,
    Attributes,
    Codes,
    Credits,
    Employment,
    Exchange,
    Facts,
    Ints,
    Reporting,
    Teams,
    Text,
    Transfers,
    Waits,
)
from crediting.kernel.exact import Whole
from plans.rules.compiled import CompiledPlan, Every
from plans.rules.compiled_pay import Tranche as Entry

__all__ = [
    "FAR_DAY",
    "LARGEST",
    "MILLIONTHS",
    "MISSING_DAY",
    "MISSING_MONEY",
    "ROLLED_SPLIT",
    "Adjustments",
    "Assignments",
    "Attributes",
    "Balances",
    "Batch",
    "Codes",
    "Credits",
    "DrawBalances",
    "Employment",
    "Exchange",
    "Facts",
    "Groups",
    "Ints",
    "Kept",
    "Lines",
    "Milestones",
    "OpeningTranches",
    "Openings",
    "Quotas",
    "Releases",
    "Relief",
    "Reporting",
    "Result",
    "Retests",
    "Schedules",
    "Settlements",
    "Teams",
    "Text",
    "Traces",
    "Tranches",
    "Transfers",
    "Usage",
    "Waits",
]

#: Releases, each the entries by which a line is released.
Releases = tuple[tuple[Entry, ...], ...]
#: What a line is: a credit's, a measure period's, a reversal's, or carried excess.
OF_CREDIT, OF_PERIOD, OF_REVERSAL, OF_CARRY = range(4)
#: Or what the system before measured and earned. 4 are lines by hand, which no kernel knows.
OF_OPENING = 5
#: Where a tranche stands: it has its release day (which may lie ahead), waits for its trigger, is held with its credit,
#: is withheld by a gate, is lost to whoever left, or waits for a rate of exchange.
DATED, WAITING, HELD, WITHHELD, LOST, NO_RATE = range(6)
#: In place of the rate of a tranche: what it is worth is what another system paid.
AS_PAID = -2


@dataclass(frozen=True, slots=True)
class Quotas:
    participant: Ints
    key: Text
    start: Ints  # first day of the measure period that it is for: matched exactly with `end`
    end: Ints
    amount: Ints


@dataclass(frozen=True, slots=True)
class Milestones:
    deal: Ints  # row in Facts
    kind: Text
    day: Ints  # only milestones that stand reached


@dataclass(frozen=True, slots=True)
class Usage:
    deal: Ints
    day: Ints
    used: Ints
    contracted: Ints
    order: Ints | None = (
        None  # among readings of a deal on one day, the last the largest; None: none comes before others
    )


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Amounts given with the batch, for the settlement of the pay period that holds `day`; `origin` is a day of the pay
    period that they belong to, MISSING_DAY where to none."""

    participant: Ints
    day: Ints
    amount: Ints
    origin: Ints


@dataclass(frozen=True, slots=True)
class Relief:
    """From start to end a share (`top / bottom`) of the quota kept by a key is taken off; several add up."""

    participant: Ints
    key: Text
    start: Ints
    end: Ints
    top: Ints
    bottom: Ints


@dataclass(frozen=True, slots=True)
class Balances:
    """What the first pay period starts from, by `kind`: draw or draw:KEY (owed by the person, not negative), carried
    (signed), clawback (owed), kept (adjustments too small to act so far), paid (so far in the fiscal year). With the
    pay period that holds `day`: held (what comes back in it), began:KEY (the first that was topped up; no amount),
    topped:KEY (by how much it was, as far as a guarantee that is tested again may take it back)."""

    participant: Ints
    kind: Text
    amount: Ints
    plan: Ints | None = None  # index of a version of the plan; None or -1: of the person's first by key
    day: Ints | None = None


@dataclass(frozen=True, slots=True)
class Openings:
    """What the system before measured and earned of a component, in the measure period that holds `day`: a line whose
    earning is given. docs/algorithms/openings.md"""

    participant: Ints
    plan: Ints  # index into Batch.plans
    component: Ints  # index into that plan's components
    day: Ints
    measured: Ints  # minor units, or millionths of what is no money
    earned: Ints


@dataclass(frozen=True, slots=True)
class OpeningTranches:
    """By what an opening's earning was and is released: the amounts of an opening add up to what it earned."""

    opening: Ints  # row in Openings
    index: Ints  # from 0, within the opening
    amount: Ints
    release_day: Ints  # MISSING_DAY while what it waits for has not happened
    #: What the system before paid for it, in the currency that the participant is paid in; MISSING_MONEY where it is
    #: converted as any other tranche. None: all are.
    paid: Ints | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What lines earned of a budget when a batch last took them, where it stays theirs (`after_posting: keep`): each
    line once; less, where it came to less by the time a batch took others of the budget, and what it kept until then
    (`had`, else 0). Lines of a credit are named by `fact`, `split`, `rule` and `role`; those of a period by `line_day`,
    with the length of their periods for a rule and no role."""

    participant: Ints
    plan: Ints  # index of a version of the plan
    component: Text
    kind: Ints  # OF_CREDIT, OF_PERIOD or OF_CARRY
    fact: Ints  # row in Facts, -1 for none
    split: Ints
    line_day: Ints
    rule: Text
    role: Text
    earned: Ints
    day: Ints  # on which the batch took it, or the others
    had: Ints


@dataclass(frozen=True, slots=True)
class Batch:
    """`periods` maps month, quarter, half and year to the sorted first days of consecutive periods, closed by the first
    day after the last; periods that plans state come to them in payouts.kernel.spans. `pay_periods` is the same for the
    pay calendar. A credit date or release date outside them raises DateOutsideCalendar. `quotas` hold every amount kept
    by key: quotas, target incentives, points (minor units, or millionths where counted in units). `holidays`: sorted
    days that are no working days. `pay_currency`: what
    each participant is paid in, None: everybody in the plan's. `in_force`: the days [start, end) of each of `plans`, by
    which a counterpart's terms are found, None: all days.
    `only` limits what is returned (not what is read) to these participants; None returns all. `settles`: pay periods
    are settled too; where they are not, somebody else does so."""

    plans: tuple[CompiledPlan, ...]
    periods: Mapping[Every, Ints]
    pay_periods: Ints
    facts: Facts
    teams: Teams
    reporting: Reporting
    assignments: Assignments
    quotas: Quotas
    milestones: Milestones
    usage: Usage
    only: Ints | None = None
    transfers: Transfers | None = None
    attributes: Attributes | None = None
    employment: Employment | None = None
    exchange: Exchange | None = None
    holidays: Ints | None = None
    pay_currency: Mapping[int, str] | None = None
    adjustments: Adjustments | None = None
    balances: Balances | None = None
    relief: Relief | None = None
    in_force: tuple[tuple[int, int], ...] | None = None
    settles: bool = True
    openings: Openings | None = None
    opening_tranches: OpeningTranches | None = None
    kept: Kept | None = None


# ------------------------------------------------------------------ results


@dataclass(frozen=True, slots=True)
class Groups:
    """One row a participant, plan key, component key, measure period (fiscal year for year-to-date by credit; stretch
    of one version where a new version restarts) and replicate. `total` is the measure's value in minor units or
    millionths (of a ratio: rounded, for show), `value_top` / `value_bottom` the exact value where it is a ratio (both 0
    elsewhere), `quota` MISSING_MONEY where none (of a fixed share: millionths). The attainment is the value over the
    quota, never stored rounded. `result_top` / `result_bottom`: of a result component, bottom 0 where it is missing."""

    participant: Ints
    plan: Codes  # index of the version of the group's last line
    component: Codes  # index into that plan's components
    period: Ints  # in Batch.periods[every], of the last line; of the year for year-to-date by credit
    replicate: Ints
    quota: Ints  # of the last line
    total: Ints
    lines: Ints  # how many
    incentive: Ints | None = None  # None: no component of the batch has one; MISSING_MONEY where the group has none
    value_top: Ints | None = None
    value_bottom: Ints | None = None
    result_top: Ints | None = None
    result_bottom: Ints | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """One row a credit and component, a period line, a reversal, a carried excess or an opening. Rows of a group stand
    together, in order. The columns that may be None are where no line of the batch has a use for them."""

    credit: Ints  # row in Credits; -1 for a line of a period, carried excess, an opening; of a reversal the origin's
    group: Ints  # row in Groups
    component: Codes  # index into the components of the line's plan version
    position: Ints  # from 1
    before: Ints
    after: Ints
    tier_before: Codes  # index of the tier that holds `before` / `after` by the boundary side; -1 where there is none
    tier_after: Codes
    band: Codes  # accelerator band, -1 where none
    rounded: Ints  # the earning before caps
    earned: Ints  # after caps and gates
    waiting: npt.NDArray[np.int8]  # 0 no, 1 its quota, 2 its incentive, 3 what it measures or reads
    kind: npt.NDArray[np.int8] | None = None  # OF_CREDIT …; None: all are
    plan: Codes | None = None  # index into Batch.plans; None: that of the credit
    day: Ints | None = None  # None: that of the credit
    fact: Ints | None = None  # row in Facts, -1 for none; of a reversal the reversing fact. None: that of the credit
    origin: Ints | None = None  # row in Lines that a reversal takes back, -1
    measured: Ints | None = None  # the measure amount; None: the credit's amount
    review: Ints | None = None  # excess kept for a windfall review
    quota: Ints | None = None  # what held at the line, as in Groups; None: that of the group at every line
    opening: Ints | None = None  # row in Openings, -1 for none
    release: Codes | None = None  # place in Result.releases of what releases it; None: what its plan states for all


@dataclass(frozen=True, slots=True)
class Tranches:
    """One row a line and release entry (several where cash releases it in parts)."""

    line: Ints  # row in Lines
    index: Codes  # place in component.release; 0 for reversals and carried excess; of an opening as given
    amount: Ints
    trigger_day: Ints  # MISSING_DAY while not met
    release_day: Ints  # MISSING_DAY unless DATED
    pay_period: Ints  # index into Batch.pay_periods, -1 unless DATED
    part: Ints | None = None  # from 0, within line and index; None: all 0
    state: npt.NDArray[np.int8] | None = None  # None: DATED or WAITING, by release_day
    paid_amount: Ints | None = None  # in the currency that the participant is paid in; None: the amount
    exchange: Ints | None = None  # row in Exchange, -1 for none, AS_PAID where another system paid it


@dataclass(frozen=True, slots=True)
class Settlements:
    """One row a participant, plan key and pay period: the waterfall. Amounts are signed as they act on the net, except
    balances, and in the currency that the plan settles the participant in. docs/algorithms/waterfall.md"""

    participant: Ints
    plan: Ints  # index of a version of the plan
    pay_period: Ints
    replicate: Ints
    released: Ints  # holdbacks that come back included
    adjusted: Ints
    clawed_back: Ints
    brought_forward: Ints
    recovered: Ints
    capped: Ints
    held_back: Ints
    topped_up: Ints
    carried_forward: Ints
    payout: Ints
    draw_balance: Ints  # at the end
    review: Ints
    written_off: Ints  # of draws
    forgiven: Ints  # of clawbacks
    clawback_balance: Ints  # what is owed of clawbacks at the end
    kept_adjustments: Ints  # too small to act, at the end
    exchange: Ints  # row in Exchange by which amounts that the plan states were converted, -1 for none


@dataclass(frozen=True, slots=True)
class DrawBalances:
    """One row a row of Settlements and draw of a plan, where it moves or stands at anything."""

    settlement: Ints  # row in Settlements
    key: Text
    recovered: Ints  # signed as they act on the net
    topped_up: Ints
    written_off: Ints
    balance: Ints  # at the end


@dataclass(frozen=True, slots=True)
class Retests:
    """What a guarantee that is tested again takes back of the top-up of an earlier pay period."""

    settlement: Ints  # row in Settlements
    key: Text  # of the draw
    pay_period: Ints  # that was topped up
    amount: Ints  # not negative


@dataclass(frozen=True, slots=True)
class Schedules:
    """Amortisation: one row a line and month."""

    line: Ints
    month: Ints  # first day of the calendar month
    amount: Ints


@dataclass(frozen=True, slots=True)
class Traces:
    """One row a line and step, by line, in the order of number 25 of docs/plan-language.md: `top / bottom` is the exact
    value, in minor units of money, whole units of everything else. A step that did nothing to a line has no row.

    quota.kept, quota.relief, quota.ramp, quota.active, quota: what is kept by key, factors (active over all days,
    not in lowest terms), what came of them; incentive.* likewise. reads:KEY: what a gate or read modifier reads,
    reads:columns: what the columns do; column: the place of the column. gate:KEY: 1 where met, else 0; since:KEY:
    the day on which one that catches up was. whole: of the fact; value: of a period; parts: from how many it was
    added up; person_day: of its line; total: by which a proportional rate goes; quota.before, incentive.before:
    where they may have changed since the line before; cell: of a table. base: the earning of tiers, curve, table or
    bonus, or as the kind fixes it. made_up: what an opening earned too little, paid beside it.
    accelerator, modifier:KEY: factors; modifiers: all of the latter together.
    kicker:KEY: an amount that is added. gates: the factor of those with `times`. limit_rate, exact: the earning after
    all this. bounds.active: the part of their bounds that tiers begin at; bounds.before: that of the line before.
    counterpart.terms: what the line earns by the terms of a counterpart, rounded.
    rounded, counterpart, minimum, withheld, cap, cap:2 …, gate_cap:KEY, plan_cap:1 …,
    budget, carried, floating, clawback, opening:
    what the step makes of the line; cap.limit …: the limit it went by; clawback.of, clawback.part: which part of what.
    budget.kept, budget.day: what a batch took of it, and when; budget.had: what it kept until then, if it gave some up;
    budget.left: what was left of it beside what lines keep.
    """

    line: Ints
    step: Text
    top: Whole
    bottom: Whole

    def rows(self, line: int) -> list[tuple[str, int, int]]:
        """The steps of one line in their order, with top and bottom."""
        low, high = np.searchsorted(self.line, [line, line + 1]).tolist()
        names = [self.step.vocabulary[code] for code in self.step.codes[low:high].tolist()]
        values = zip(names, self.top[low:high].tolist(), self.bottom[low:high].tolist(), strict=True)
        return [(name, int(top), int(bottom)) for name, top, bottom in values]

    def of(self, line: int) -> dict[str, Fraction]:
        """The exact values of one line's steps, in their order."""
        return {name: Fraction(top, bottom) for name, top, bottom in self.rows(line)}


@dataclass(frozen=True, slots=True)
class Result:
    credits: Credits
    groups: Groups
    lines: Lines
    tranches: Tranches
    waits: Waits | None = None
    settlements: Settlements | None = None
    draws: DrawBalances | None = None  # where some plan gives its draws keys
    schedules: Schedules | None = None
    traces: Traces | None = None  # where they are asked for
    releases: Releases | None = None  # where overrides give some people one of their own
