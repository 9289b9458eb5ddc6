"""Who stands on a fact, and to whom their parts were handed. See docs/algorithms/crediting.md."""

from __future__ import annotations

import numpy as np

from crediting.kernel.columns import Facts, Ints, Teams, Text, Transfers
from crediting.kernel.conditions import Mask
from crediting.kernel.exact import run_numbers, run_starts


def with_teams_of_deals(teams: Teams, facts: Facts, wanted: Mask) -> Teams:
    """The teams, and for each wanted fact without one its deal's."""
    if facts.deal is None:
        return teams
    count = np.bincount(teams.fact, minlength=facts.id.size)
    lonely = np.flatnonzero(wanted & (count == 0) & (facts.deal >= 0))
    many = count[facts.deal[lonely]]
    if not many.any():
        return teams
    first = np.cumsum(count) - count
    fact = np.repeat(lonely, many)
    step = np.arange(fact.size) - np.repeat(np.cumsum(many) - many, many)
    row = np.argsort(teams.fact, kind="stable")[first[facts.deal[fact]] + step]
    return Teams(
        fact=np.concatenate((teams.fact, fact)),
        role=Text(np.concatenate((teams.role.codes, teams.role.codes[row])), teams.role.vocabulary),
        participant=np.concatenate((teams.participant, teams.participant[row])),
        weight=np.concatenate((teams.weight, teams.weight[row])),
        place=np.concatenate((teams.place, teams.place[row])),
    )


def handed(teams: Teams, facts: Facts, transfers: Transfers) -> tuple[Ints, Mask]:
    """For each team row the id of the participant who has its part after all transfers of its deal, and whether it was
    handed on at all: it may have come back.

    They act one after the other, by day, so that a part may go on; of one day the lower giver's goes first, then that
    to the lower receiver.
    """
    holder = teams.participant.copy()
    moved = np.zeros(holder.size, dtype=bool)
    roles = {word: code for code, word in enumerate(teams.role.vocabulary)}
    code_of = np.array([roles.get(word, -1) for word in transfers.role.vocabulary], dtype=np.int64)
    role = code_of[transfers.role.codes]
    order = np.lexsort((transfers.receiver, transfers.giver, transfers.day, role, transfers.deal))
    order = order[role[order] >= 0]
    if not order.size:
        return holder, moved
    giver, receiver = transfers.giver[order], transfers.receiver[order]
    key = transfers.deal[order] * len(roles) + role[order]
    starts = run_starts(key)
    many = np.bincount(run_numbers(starts, key.size))
    deal = teams.fact if facts.deal is None else facts.deal[teams.fact]
    wanted = deal * len(roles) + teams.role.codes
    run = np.minimum(np.searchsorted(key[starts], wanted), starts.size - 1)
    rows = np.flatnonzero(key[starts][run] == wanted)
    run = run[rows]
    for turn in range(int(many.max())):
        goes_on = turn < many[run]
        rows, run = rows[goes_on], run[goes_on]
        transfer = starts[run] + turn
        gives = giver[transfer] == holder[rows]
        holder[rows[gives]] = receiver[transfer[gives]]
        moved[rows[gives]] = True
    return holder, moved
