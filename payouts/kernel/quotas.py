"""Amounts kept by key, by participant and measure period: quotas and target incentives."""

from __future__ import annotations

import numpy as np

from crediting.kernel.exact import largest
from payouts.kernel.batch import LARGEST, MISSING_MONEY, Ints, Quotas
from payouts.kernel.errors import AmountOutOfRange, BadQuota
from payouts.kernel.measure import iso
from payouts.kernel.order import Version


class QuotaBook:
    """Quotas by key, found by participant and measure period."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    def find(self, version: Version, bounds: Ints, people: Ints, person: Ints, period: Ints) -> Ints:
        """The quota of each person (a place in `people`) for a period, MISSING_MONEY where there is none."""
        found = np.full(person.size, MISSING_MONEY, dtype=np.int64)
        key, quotas = version.component.quota, self._quotas
        if key not in quotas.key.vocabulary or not people.size:
            return found
        rows = np.flatnonzero(quotas.key.codes == quotas.key.vocabulary.index(key))
        # Start and end must be those of one measure period, the person one of ours.
        index = np.minimum(np.searchsorted(bounds, quotas.start[rows]), bounds.size - 2)
        owner = np.minimum(np.searchsorted(people, quotas.participant[rows]), people.size - 1)
        fits = (bounds[index] == quotas.start[rows]) & (bounds[index + 1] == quotas.end[rows])
        fits &= people[owner] == quotas.participant[rows]
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
        for wrong, what in ((doubled, "has two quotas"), (met & (found < 0), "has a negative quota")):
            if wrong.any():
                who, when = people[person[wrong][0]], iso(int(bounds[period[wrong][0]]))
                raise BadQuota(
                    f"Participant {who} {what} {key!r} for the {version.component.every} from {when}; "
                    "at most one quota is allowed, of zero or more."
                )
        if met.any() and largest(found[met]) > LARGEST:
            raise AmountOutOfRange(
                f"A quota {key!r} of {largest(found[met])} minor units is out of range; at most {LARGEST}."
            )
        return found
