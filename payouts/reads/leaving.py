"""The final statement of somebody who leaves: which one it is, and what may still come behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import or_

from django.db.models import Case, F, Q, Sum, When

from comp.core.money import format_money
from comp.people.models import Participant
from payouts.models import Payable, Statement, Tranche
from payouts.models.figures import STATEMENT_PARTS, LineNamed
from payouts.reads.lines import EARNED, EARNED_IN, listed, not_due, wait_words
from payouts.reads.plans import Version, versions

State = Tranche.State

#: What makes a statement say anything.
_ANYTHING = reduce(or_, (~Q(**{name: 0}) for name in ("lines", "payout_minor", *STATEMENT_PARTS)))


@dataclass(frozen=True)
class Leaving:
    """What a statement says of its person's end of employment: their last day, and which statement is the final one
    (None: this one); of the final one, what may come behind it."""

    last_day: date
    final: Statement | None
    may_come: tuple[str, ...] = ()


def final_statements(people: Iterable[Participant]) -> dict[int, Statement]:
    """Participant id to the final statement, of those whose employment ends and who have one: that of the pay period
    of their last day, or a later one that says anything. Off-cycle payouts come before the regular one."""
    leavers = [person.pk for person in people if person.ends_on is not None]
    if not leavers:
        return {}
    ends_on = F("participant__ends_on")
    rows = Statement.objects.filter(participant__in=leavers, run__gte=0, period_ends_on__gte=ends_on)
    rows = rows.annotate(says=Case(When(_ANYTHING, then=True), default=False))
    found = rows.filter(Q(says=True) | Q(run=0, period_starts_on__lt=ends_on))
    ordered = sorted(found, key=lambda row: (row.says, row.period_starts_on, not row.run, row.run))
    return {row.participant_id: row for row in ordered}


def may_read(person: Participant, *, herself: bool, day: date) -> bool:
    """Whether somebody may read on `day` that a person leaves: the person herself from her last day on, for an end may
    be entered before she is told of it; whoever else sees her pay at once."""
    return not herself or person.ends_on is None or day >= person.ends_on - timedelta(days=1)


def leaving_of(person: Participant, statement: Statement, open_ends: date) -> Leaving | None:
    """What a statement says of its person's leaving; None of who stays, and of a period before."""
    if person.ends_on is None or statement.run < 0 or statement.period_ends_on < person.ends_on:
        return None
    last_day = person.ends_on - timedelta(days=1)
    final = final_statements([person]).get(person.pk)
    if final is None:
        return None
    if final.pk != statement.pk:
        return Leaving(last_day, final)
    return Leaving(last_day, None, tuple(_may_come(person, last_day, open_ends)))


def _may_come(person: Participant, last_day: date, open_ends: date) -> Iterable[str]:
    """`$60.00 waits for go-live`, by what may be lost, what else waits and what is held, in each currency."""
    rows = Tranche.objects.filter(not_due(open_ends), participant=person).exclude(amount_minor=0).order_by()
    groups = rows.values("trigger", "release_day", "state", "plan_version_id", "line_kind", earned_in=EARNED_IN)
    waiting = list(groups.annotate(minor=Sum(EARNED)))
    known = versions(row["plan_version_id"] for row in waiting)
    sums: dict[tuple[bool, str], int] = defaultdict(int)
    words: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for row in sorted(waiting, key=lambda row: (-row["minor"], row["trigger"])):
        at = _loses(known[row["plan_version_id"]], row["line_kind"], row["state"]), row["earned_in"]
        sums[at] += int(row["minor"])
        words[at].append(wait_words(row["state"], row["release_day"], row["trigger"]))
    for at in sorted(sums):
        if sums[at] < 0:
            yield f"{format_money(-sums[at], at[1])} may be taken back"
        elif sums[at]:
            only = f", and only what is released by {last_day:%-d %B %Y} comes" if at[0] else ""
            yield f"{format_money(sums[at], at[1])} waits for {listed(list(dict.fromkeys(words[at])))}{only}"
    held = Payable.objects.filter(participant=person, hold__isnull=False).order_by().values_list("currency")
    for currency, minor in held.annotate(minor=Sum("amount_minor")).order_by("currency"):
        if minor > 0:
            yield f"{format_money(int(minor), currency)} is held"


def _loses(version: Version, line_kind: int, state: int) -> bool:
    """Whether what waits so is lost if its day of release turns out to lie after the last day. That day may be later
    than what is waited for; of what is held with its credit it may have passed long ago. What has its day stands or is
    lost already: reversals and carried excess always do. What an opening brought is paid as it was given."""
    rules = version.says.employment
    loses = rules is not None and rules.release_after == "lost" and line_kind != LineNamed.Kind.OPENING
    return loses and state in (State.WAITING, State.WITHHELD)
