"""Amounts kept by key, by participant and measure period: quotas and target incentives, ramped and prorated."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from crediting.kernel.conditions import Mask
from crediting.kernel.exact import largest, money
from crediting.kernel.ratios import Ratios
from payouts.kernel.batch import LARGEST, MILLIONTHS, MISSING_MONEY, Batch, Ints
from payouts.kernel.errors import AmountOutOfRange, BadQuota
from payouts.kernel.groups import iso
from payouts.kernel.order import Version
from payouts.kernel.prorate import Presence
from payouts.kernel.spans import inside
from payouts.kernel.trace import Notes
from plans.rules.compiled import CompiledPlan, Every, Unit
from plans.rules.compiled_pay import PlanCap

#: The periods of some rows: which of a cadence, as places in its bounds.
_Periods = tuple[Every, Ints]


class QuotaBook:
    """Quotas and incentives of people (places in `people`, ids ascending) for measure periods (places in the batch's
    periods of the version's `every`). `partial` marks rows whose group is a stretch of one version (number 27): None
    where none is."""

    def __init__(self, batch: Batch, people: Ints) -> None:
        self._batch = batch
        self._quotas = batch.quotas
        self._people = people
        self.presence = Presence(batch, people)
        self._notes: Notes | None = None  # while a quantity is worked out that is to be traced

    def quota(
        self, version: Version, person: Ints, period: Ints, partial: Mask | None = None, notes: Notes | None = None
    ) -> Ints:
        """The quota of each row, MISSING_MONEY where there is none. Of a year to date that of the periods so far, or of
        the year."""
        component = version.component
        if component.quota is None and component.quota_fixed is None:
            return np.full(person.size, MISSING_MONEY, dtype=np.int64)
        return self._noted(version, "quota", person, period, partial, notes)

    def incentive(
        self, version: Version, person: Ints, period: Ints, partial: Mask | None = None, notes: Notes | None = None
    ) -> Ints:
        """The target incentive of each row, MISSING_MONEY where there is none. Of a year to date by credit it
        is that of the periods so far or of the year, as the quota; a line of a period has the period's own."""
        return self._noted(version, "incentive", person, period, partial, notes)

    def cap(self, version: Version, amount: int, periods: _Periods, person: Ints, partial: Mask | None = None) -> Ints:
        """An amount that caps a whole period, for each row."""
        amounts = np.full(person.size, amount, dtype=np.int64)
        return self._prorated(version, "caps", amounts, periods, person, partial)

    def plan_cap(self, plan: CompiledPlan, cap: PlanCap, period: Ints, person: Ints) -> int | Ints:
        """An amount that caps all components of a plan, for each row; the amount itself where it is not prorated."""
        rules = plan.proration
        if rules is None or "plan_caps" not in rules.of:
            return cap.amount
        bounds = self._batch.periods[cap.every]
        share = self.presence.share(rules, plan.key, person, bounds[period], bounds[period + 1], None)
        exact = share.multiply(Ratios.constant(cap.amount))
        step = 10**plan.minor_digits if rules.round == "whole" else 1
        return money(exact.rounded(plan.round_mode, step), "A plan cap")

    def bounds(
        self, version: Version, person: Ints, period: Ints, partial: Mask | None = None, notes: Notes | None = None
    ) -> Ratios | None:
        """The part of its bounds in money or units that each row's tiers begin at, whether or not it has such; None
        where the plan prorates none."""
        plan, component = version.plan, version.component
        rules = plan.proration
        if rules is None or "tiers" not in rules.of:
            return None
        bounds = self._batch.periods[component.every]
        if component.measure.window == "year_to_date":
            years = self._batch.periods["year"]
            period, bounds = np.searchsorted(years, bounds[period], side="right") - 1, years
        start, end, window = bounds[period], bounds[period + 1], None
        if partial is not None and partial.any():
            first, behind = self.presence.window(plan.key, version.plan_place, person, start, end)
            window = np.where(partial, first, start), np.where(partial, behind, end)
        share = self.presence.share(rules, plan.key, person, start, end, window)
        if notes is not None:
            notes.note("bounds.active", share)
        return share

    def active(self, participant: Ints, plan: Ints, start: int, end: int) -> tuple[Ints, Ints]:
        """The active part of [start, end) of each participant on a plan (an index into the batch's), as active and all
        days, by the plan's proration; all of it where the plan has none."""
        active, total = np.ones(participant.size, dtype=np.int64), np.ones(participant.size, dtype=np.int64)
        for place in np.unique(plan).tolist():
            rules = self._batch.plans[place].proration if place >= 0 else None
            rows = np.flatnonzero(plan == place)
            if rules is None:
                continue
            person = np.searchsorted(self._people, participant[rows])
            first, behind = np.full(rows.size, start), np.full(rows.size, end)
            share = self.presence.share(rules, self._batch.plans[place].key, person, first, behind, None)
            active[rows], total[rows] = share.top, share.bottom
        return active, total

    def period_at(self, every: Every, day: Ints) -> Ints:
        """The period that holds each day."""
        found: Ints = np.searchsorted(self._batch.periods[every], day, side="right") - 1
        return found

    def _noted(
        self, version: Version, what: str, person: Ints, period: Ints, partial: Mask | None, notes: Notes | None
    ) -> Ints:
        if notes is None or not person.size:
            return self._to_date(version, what, person, period, partial)
        # What a sum over the periods of a year is made of is not told.
        self._notes = notes if version.component.measure.window != "year_to_date" else None
        found = self._to_date(version, what, person, period, partial)
        self._notes = None
        notes.note(what, found, found != MISSING_MONEY)
        return found

    def _to_date(self, version: Version, what: str, person: Ints, period: Ints, partial: Mask | None) -> Ints:
        measure, every = version.component.measure, version.component.every
        if measure.window != "year_to_date" or (what == "incentive" and measure.by == "period"):
            return self._amounts(version, what, (every, period), person, partial)
        bounds, years = self._batch.periods[every], self._batch.periods["year"]
        year = np.searchsorted(years, bounds[period], side="right") - 1
        if measure.quota_basis == "year":
            return self._amounts(version, what, ("year", year), person, partial)
        first = np.searchsorted(bounds, years[year])
        total = np.zeros(person.size, dtype=np.int64)
        for step in range(int((period - first).max(initial=-1)) + 1):
            rows = np.flatnonzero(first + step <= period)
            each = first[rows] + step
            found = self._amounts(
                version, what, (every, each), person[rows], None if partial is None else partial[rows]
            )
            gone = (found == MISSING_MONEY) | (total[rows] == MISSING_MONEY)
            total[rows] = np.where(gone, MISSING_MONEY, total[rows] + found)
        known = total != MISSING_MONEY
        money(total[known], f"A {what} of the year to date")
        return total

    def _amounts(self, version: Version, what: str, periods: _Periods, person: Ints, partial: Mask | None) -> Ints:
        """The amounts for these very periods."""
        component, relief = version.component, None
        if what == "incentive":
            found = self.find(component.incentive, what, periods, person)
            shares = component.ramp.incentive if component.ramp is not None else ()
        else:
            shares = component.ramp.quota if component.ramp is not None else ()
            if component.quota_fixed is None:
                found = self.find(component.quota, what, periods, person)
                relief = self._relief(component.quota, periods, person)
            else:
                found = np.full(person.size, _fixed(component.quota_fixed, component.measure.unit), dtype=np.int64)
                found[~inside(periods[0], self._batch.periods[periods[0]][periods[1]])] = MISSING_MONEY
                if component.measure.unit not in ("money", "units"):
                    return found
        return self._prorated(version, what, found, periods, person, partial, shares, relief)

    def _relief(self, key: str | None, periods: _Periods, person: Ints) -> Ratios | None:
        """What reliefs leave of the quota of each row: 1 less share x days over all days of the period, added up, at
        least 0. None where nobody has any."""
        given = self._batch.relief
        if given is None or key not in given.key.vocabulary:
            return None
        bounds = self._batch.periods[periods[0]]
        start, end = bounds[periods[1]], bounds[periods[1] + 1]
        left, one = Ratios.constant(1), Ratios.constant(1)
        # One pass a relief: they are few, and given by hand.
        for row in np.flatnonzero(given.key.codes == given.key.vocabulary.index(key)).tolist():
            days = np.minimum(end, given.end[row]) - np.maximum(start, given.start[row])
            mine = (self._people[person] == given.participant[row]) & (days > 0)
            if mine.any():
                share = Ratios(np.where(mine, days * given.top[row], 0), (end - start) * given.bottom[row])
                left = left.subtract(share)
        if left.top.size == 1 and person.size != 1:
            return None
        return left.larger(one.subtract(one))

    def _prorated(
        self,
        version: Version,
        what: str,
        amounts: Ints,
        periods: _Periods,
        person: Ints,
        partial: Mask | None,
        ramp: tuple[Fraction, ...] = (),
        relief: Ratios | None = None,
    ) -> Ints:
        """The amounts x what reliefs leave x the ramp's percentage x the active part of the period, rounded once; as
        they are where no relief, ramp and proration names them and no new version shortens the period."""
        plan, rules, component = version.plan, version.plan.proration, version.component
        of = rules is not None and what in rules.of
        bounds = self._batch.periods[periods[0]]
        start, end = bounds[periods[1]], bounds[periods[1] + 1]
        window = None
        if partial is not None and partial.any():
            first, behind = self.presence.window(plan.key, version.plan_place, person, start, end)
            partial = partial & ((first > start) | (behind < end))
            if partial.any():
                window = np.where(partial, first, start), np.where(partial, behind, end)
        if not of and not ramp and window is None and relief is None:
            return amounts
        known = amounts != MISSING_MONEY
        shortened = np.zeros_like(known)
        if of or window is not None:
            shortened = known if of or partial is None else known & partial
        relieved = shortened if relief is None else known & (relief.top != relief.bottom)
        changed = known if ramp else shortened | relieved
        notes = self._notes
        if notes is not None:
            notes.note(f"{what}.kept", amounts, changed)
        share = Ratios.constant(1)
        if relief is not None:
            share = relief
            if notes is not None:
                notes.note(f"{what}.relief", relief, relieved)
        if ramp:
            assert component.ramp is not None
            part = self.presence.ramp(component.ramp, ramp, plan.key, person, start)
            share = share.multiply(part)
            if notes is not None:
                notes.note(f"{what}.ramp", part, known)
        if rules is not None and (of or window is not None):
            active = None
            if of:
                active = self.presence.share(rules, plan.key, person, start, end, window)
            elif window is not None:
                active = self.presence.window_share(rules, start, end, window)
            if active is not None:
                share = share.multiply(active)
                if notes is not None:
                    notes.note(f"{what}.active", active, shortened)
        exact = Ratios.of(np.where(known, amounts, 0)).multiply(share)
        whole = 10**plan.minor_digits if component.measure.unit == "money" or what != "quota" else MILLIONTHS
        step = whole if rules is not None and rules.round == "whole" else 1
        return np.where(changed, money(exact.rounded(plan.round_mode, step), f"A {what}"), amounts)

    def find(self, key: str | None, what: str, periods: _Periods, person: Ints) -> Ints:
        """What is kept by the key for each person and period, MISSING_MONEY where nothing is. Raises BadQuota for a
        negative amount, or two of one person."""
        every, period = periods
        bounds, people, quotas = self._batch.periods[every], self._people, self._quotas
        found = np.full(person.size, MISSING_MONEY, dtype=np.int64)
        if key not in quotas.key.vocabulary or not people.size:
            return found
        rows = np.flatnonzero(quotas.key.codes == quotas.key.vocabulary.index(key))
        # Start and end must be those of one measure period, the person one of ours.
        # Between the periods of a plan's own there is none, whatever is kept.
        index = np.minimum(np.searchsorted(bounds, quotas.start[rows]), bounds.size - 2)
        owner = np.minimum(np.searchsorted(people, quotas.participant[rows]), people.size - 1)
        fits = (bounds[index] == quotas.start[rows]) & (bounds[index + 1] == quotas.end[rows])
        fits &= (people[owner] == quotas.participant[rows]) & inside(every, quotas.start[rows])
        rows, keys = rows[fits], owner[fits] * bounds.size + index[fits]
        if not rows.size:
            return found
        order = np.argsort(keys, kind="stable")
        rows, keys = rows[order], keys[order]
        wanted = person * bounds.size + period
        place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        met = keys[place] == wanted
        twin = np.minimum(place + 1, keys.size - 1)
        doubled = met & (twin > place) & (keys[twin] == wanted)
        found[met] = quotas.amount[rows[place[met]]]
        for wrong, fault in ((doubled, f"has two {what}s"), (met & (found < 0), f"has a negative {what}")):
            if wrong.any():
                who, when = people[person[wrong][0]], iso(int(bounds[period[wrong][0]]))
                raise BadQuota(
                    f"Participant {who} {fault} {key!r} for the {every} from {when}; "
                    f"at most one {what} is allowed, of zero or more."
                )
        if met.any() and largest(found[met]) > LARGEST:
            raise AmountOutOfRange(
                f"A {what} {key!r} of {largest(found[met])} minor units is out of range; at most {LARGEST}."
            )
        return found


def _fixed(value: Fraction, unit: Unit) -> int:
    """A quota that is the same for all, in minor units or millionths."""
    scaled = value if unit == "money" else value * MILLIONTHS
    if scaled.denominator != 1:
        raise BadQuota(f"A fixed quota of {value} is finer than a millionth; at most 6 decimals are allowed.")
    return int(scaled)
