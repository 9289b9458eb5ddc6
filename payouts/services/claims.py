"""The workers that redo changed scopes: claimed, redone and taken away in one transaction.

Single changes are done at once: first of the people whose facts they are, then of those above them and others who move
with them. Under load these come last, so that they are redone once for many changes. What touches many people's whole
time is a job: with progress, in chunks that take turns, on workers of its own, so that no company's large change holds
up another's single deal, or its own.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import OperationalError, connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from comp.audit.services import record
from comp.core.days import day_date
from comp.core.errors import refused
from comp.outbox.failures import PASSING
from comp.outbox.services import JOBS, ring, ring_at_once
from comp.tenancy.rows import rows_change, rows_read
from comp.tenancy.scope import Actor, Pay, Scope, current_tenant_id, tenant_scope
from crediting.selectors import deliveries_wait
from payouts.frames.read import Days, credit_days
from payouts.models import Cause, ChangedScope, RecomputeJob
from payouts.reads.alerts import alerts_standing
from payouts.services.recompute import Mark, Reason, Span, recompute
from payouts.services.sampling import alerts_recheck

log = logging.getLogger(__name__)

#: First keys of the advisory locks that let one writer in to the figures of the tenant's people with even ids, and of
#: those with odd ids. Batches take both, in this order.
LOCKS = (7003, 7004)
EVERYBODY = (0, 1)
#: First key of the lock of whoever locks a period: meanwhile no deliveries are taken, and nothing is left for later.
CLOSING = 7022
#: How long a worker waits for figures that somebody else writes, and how often it looks where other work may come.
WAIT_MS, LOOK_MS = 200, 20
#: What PostgreSQL may take for a sort or a join where whole times are redone.
MEMORY = "64MB"
#: How many changed scopes one transaction redoes; and where more wait, of how many it redoes some people's whole work.
CLAIM, CLAIM_WHOLE = 2000, 8000
#: How long one chunk of a job should take, and with how many people the first begins: a chunk holds the company's own
#: daily work up so long.
CHUNK_SECONDS, CHUNK_PEOPLE = 3.0, 100
#: How long those who move with others wait while other work comes; how long a piece of their work should take, which
#: holds that of the others up so long, and how many people it holds at least.
LATER_WAIT, LATER_SECONDS, LATER_PEOPLE = timedelta(seconds=2), 0.05, 6
#: The same of writing where lines stand beside others, which moves no money.
PLACES_WAIT, PLACES_PEOPLE = timedelta(seconds=60), 8
#: After a piece of either a process leaves them alone for so many times as long as it took, while other work comes.
REST = 9
FOREVER = date(2100, 1, 1)
#: What cannot be redone is tried again at the latest after this.
RETRY = timedelta(hours=1)


def lock(*keys: int, tenant_id: int, wait_ms: int) -> bool:
    """Takes these advisory locks until the transaction ends; False when another writer keeps one longer than
    `wait_ms`. Those that were free are held then too: the caller gives up, and its transaction ends."""
    params = [part for key in keys for part in (key, tenant_id)]
    tried = " AND ".join(["pg_try_advisory_xact_lock(%s, %s)"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {tried}", params)  # most often they are free, and that is all
        if cursor.fetchone()[0]:
            return True
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            taken = "SELECT pg_advisory_xact_lock(%s, %s); " * len(keys)
            cursor.execute(
                f"SET LOCAL lock_timeout = %s; {taken}SET LOCAL lock_timeout = 0", [f"{int(wait_ms)}ms", *params]
            )
        return True
    except OperationalError:
        return False


def figures_lock(*, wait_ms: int, halves: Sequence[int] = EVERYBODY) -> bool:
    """Holds off other writers of the figures of everybody, or of one half of the people."""
    return lock(*(LOCKS[half] for half in halves), tenant_id=current_tenant_id(), wait_ms=wait_ms)


class Claimed(NamedTuple):
    """A scope that is redone now."""

    pk: int
    participant_id: int
    from_day: date
    to_day: date
    attempts: int
    cause: Reason


def _tried(*halves: int) -> tuple[int, ...]:
    """Holds off other writers of the figures of those of these halves that nobody writes; returns which."""
    tried = ", ".join(["pg_try_advisory_xact_lock(%s, %s)"] * len(halves))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {tried}", [part for half in halves for part in (LOCKS[half], current_tenant_id())])
        return tuple(half for half, taken in zip(halves, cursor.fetchone(), strict=True) if taken)


def _waited(half: int) -> tuple[int, ...]:
    """The same of one half that somebody writes, should it come free within WAIT_MS."""
    return (half,) if figures_lock(wait_ms=WAIT_MS, halves=(half,)) else ()


def _waited_idle(half: int) -> tuple[int, ...]:
    """The same, as long as no other work comes: whoever takes that up looks again. Asks now and then: each wait that
    PostgreSQL breaks off is an error in its log."""
    for _ in range(WAIT_MS // LOOK_MS):
        time.sleep(LOOK_MS / 1000)
        if _others_wait():
            break
        if halves := _tried(half):
            return halves
    return ()


def scopes_recompute(tenant_id: int) -> int:
    """Redoes what changed, whatever it is: what belongs to no job first, then a chunk of the jobs. Returns how many
    scopes it redid; 0 when none wait."""
    return (
        changes_recompute(tenant_id)
        or later_recompute(tenant_id)
        or places_recompute(tenant_id)
        or jobs_recompute(tenant_id)
    )


def changes_recompute(tenant_id: int) -> int:
    """Redoes single changes of the people whose facts they are: claims scopes, writes the differences and takes the
    scopes away, in one transaction: a worker killed at any line leaves everything as it was. Those of a half that
    somebody else writes are left to him. Returns how many scopes it redid; 0 when none wait."""
    with _scope(tenant_id, redone_if_lost=True):
        waiting = _halves_waiting()
        if not waiting:
            return 0
        # Of these alone: with a half where nothing waits a worker would go on to take one delivery after the other.
        halves = _tried(*waiting)
        if not halves and (halves := _waited(waiting[0])):
            # Most often one writer has had both. A recomputation costs much for itself: each half alone would take
            # nearly as long as both.
            free = _tried(*others) if (others := set(_halves_waiting()) - set(halves)) else ()
            halves = tuple(sorted((*halves, *free)))
        claimed = _single_claimed(halves)
        return _redo_claimed(claimed, leave_places=_deliveries_come())


def later_recompute(tenant_id: int) -> int:
    """Redoes single changes of some of those who move with others, where nothing else waits or they have waited for
    LATER_WAIT. Returns how many scopes it redid; 0 when none wait, or whoever takes the other work up looks again."""
    with _scope(tenant_id, redone_if_lost=True):
        return _behind("later", LATER_WAIT, Q(later=True, places=False), least=LATER_PEOPLE, own=True)


def places_recompute(tenant_id: int) -> int:
    """Writes where lines stand beside others, of some of those for whom it was left; all else that waits for them is
    redone with it. When, and what it returns, as `later_recompute`, by PLACES_WAIT."""
    with _scope(tenant_id, redone_if_lost=True):
        return _behind("places", PLACES_WAIT, Q(places=True), least=PLACES_PEOPLE, own=False)


#: Until when a process leaves alone what comes behind other work, by its kind and tenant.
_rests: dict[tuple[str, int], float] = {}


def _behind(key: str, wait: timedelta, which: Q, *, least: int, own: bool) -> int:
    """Redoes scopes of some people that come behind other work. `own`: these alone, else all of these people's."""
    place, began = (key, current_tenant_id()), time.monotonic()
    busy = _others_wait()
    if busy and began < _rests.get(place, 0.0):
        return 0
    now = timezone.now()
    oldest = rows_read(_OLDEST, {"now": now, "places": not own})
    if not oldest or (busy and now - oldest[0][0] < wait):
        return 0
    # Of one half: whoever has single changes of the other need not wait for this. Where other work comes somebody else
    # is at it, and looks again; this process has deliveries to take.
    half = oldest[0][1]
    halves = _tried(half) or (() if busy else _waited_idle(half))
    single = _due(halves).filter(job=None)
    done = _paced(
        single.filter(which) if own else single,
        lambda due, size: _longest(due.filter(which), size),
        key=key,
        least=least,
        first=least,
        seconds=LATER_SECONDS,
        leave_places=busy and own,
    )
    if done:
        ended = time.monotonic()
        _rests[place] = ended + REST * (ended - began)
    return done


def _others_wait() -> bool:
    """Whether work waits that comes before that of those who move with others."""
    return _deliveries_come() or bool(_halves_waiting())


def _deliveries_come() -> bool:
    """Whether deliveries wait that are taken soon. Not while somebody locks a period: they wait for him, and he for
    whatever is left for later."""
    if not deliveries_wait():
        return False
    [(free,)] = rows_read("SELECT pg_try_advisory_xact_lock_shared(%s, %s)", [CLOSING, current_tenant_id()])
    return bool(free)


def jobs_recompute(tenant_id: int) -> int:
    """Redoes one chunk of the jobs: some people's whole scopes, so many as take about CHUNK_SECONDS, of a half of the
    people that nobody else writes. Where the other half waits too, another worker is called for it: two processes and
    two of PostgreSQL's cores write at the same time. What is committed stays done, so a job goes on where it stopped.
    Returns how many scopes it redid; 0 when none wait, or whoever is at them looks again.
    """
    with _scope(tenant_id):
        halves = [half for half in EVERYBODY if _due((half,)).exclude(job=None).exists()]
        if not halves:
            _jobs_end()  # of two last chunks neither saw the other's end
            return 0
        mine = next(filter(None, (_tried(half) for half in halves)), ()) or _waited(halves[0])
        if len(halves) > 1 and mine == (halves[0],):
            ring_at_once(tenant_id=tenant_id, queue=JOBS)
        return _chunk(mine)


#: How many people made a piece of work last, by its kind and tenant: the next one is larger or smaller by how long that
#: took.
_pace: dict[tuple[str, int], int] = {}


def _chunk(halves: Sequence[int]) -> int:
    due = _due(halves).exclude(job=None)
    done = _paced(due, _by_job, key="job", least=1, first=CHUNK_PEOPLE, seconds=CHUNK_SECONDS)
    if done:
        _jobs_end()
    return done


def _by_job(due: QuerySet[ChangedScope], size: int) -> set[int]:
    """So many people of the first jobs."""
    people = due.order_by("job_id", "participant_id").values_list("job_id", "participant_id").distinct()[:size]
    return {person for _, person in people}


def _longest(due: QuerySet[ChangedScope], size: int) -> set[int]:
    """So many people who wait longest."""
    waiting = dict.fromkeys(due.order_by("id").values_list("participant_id", flat=True)[:CLAIM])
    return set(list(waiting)[:size])


def _paced(
    due: QuerySet[ChangedScope],
    some: Callable[[QuerySet[ChangedScope], int], set[int]],
    *,
    key: str,
    least: int,
    first: int,
    seconds: float,
    leave_places: bool = False,
) -> int:
    """Redoes what is due of `some` people, so many as take about so long and `least`; `first`: how many before that is
    known."""
    place = key, current_tenant_id()
    size = _pace.get(place, first)
    whose = some(due, size)
    began = time.monotonic()
    done = _redo_claimed(_claimed(due.filter(participant_id__in=whose)), leave_places=leave_places)
    if done:
        per_person = max(time.monotonic() - began, 0.001) / len(whose)
        _pace[place] = max(least, min(2 * size, int(seconds / per_person)))
    return done


def _jobs_end() -> None:
    """Jobs of which nothing is left are done."""
    left = ChangedScope.objects.exclude(job=None).values("job_id")
    RecomputeJob.objects.filter(ended_at=None).exclude(id__in=left).update(ended_at=timezone.now())


def job_cancel(job: RecomputeJob, *, cancelled_by: AbstractBaseUser) -> int:
    """Leaves the rest of a recomputation that somebody asked for; what is done stays. Returns how many scopes it left.

    Refused for one that follows from a change: the figures would not be those of what is in force.
    """
    job = RecomputeJob.objects.select_for_update(of=("self",)).select_related("cause").get(pk=job.pk)
    if job.ended_at is not None:
        raise refused("job", "ended", "one that is under way", f"“{job.cause.label}” has ended already.")
    if job.cause.kind != Cause.Kind.JOB:
        why = "it follows from a change that is in force. Take that back, and its figures are redone too."
        raise refused("job", job.cause.kind, "a recomputation asked for by hand", f"“{job.cause.label}” goes on: {why}")
    left, _ = ChangedScope.objects.filter(job=job).delete()
    job.ended_at, job.cancelled_by = timezone.now(), str(cancelled_by)
    job.save(update_fields=["ended_at", "cancelled_by"])
    record(code="recompute.cancel", subject=job, after={"label": job.cause.label, "left": left})
    return left


def _scope(tenant_id: int, *, redone_if_lost: bool = False) -> AbstractContextManager[Scope]:
    actor = Actor.task("recompute")
    return tenant_scope(tenant_id, actor=actor, pay=Pay.everyone(), redone_if_lost=redone_if_lost)


def _due(halves: Sequence[int]) -> QuerySet[ChangedScope]:
    """The scopes that wait, of these halves of the people: of everybody, of one half or of nobody."""
    due = ChangedScope.objects.filter(due_at__lte=timezone.now())
    if halves == EVERYBODY:
        return due
    return due.annotate(half=F("participant_id") % len(LOCKS)).filter(half__in=halves)


def _redo_claimed(claimed: Sequence[Claimed], *, leave_places: bool = False) -> int:
    if not claimed:
        return 0
    days = None
    if any(scope.to_day == FOREVER for scope in claimed):
        days = credit_days(people=(scope.participant_id for scope in claimed))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = %s", [MEMORY])
    # Of a flood each person's lines are written once anyhow.
    failed = _redo_all(claimed, days, leave_places=leave_places and len(claimed) < CLAIM)
    done = [scope.pk for scope in claimed if scope.participant_id not in failed]
    rows_change("DELETE FROM payouts_changedscope WHERE id = ANY(%s::bigint[])", [done])
    _set_aside(claimed, failed)
    if any(scope.cause.kind == Cause.Kind.JOB for scope in claimed):  # what it put right is told at once
        alerts_recheck(alerts_standing().filter(participant_id__in={scope.participant_id for scope in claimed}))
    return len(claimed)


#: Whether single changes of the people whose facts they are wait, of either half.
_HALVES = """
SELECT coalesce(bool_or(mod(participant_id, 2) = 0), false), coalesce(bool_or(mod(participant_id, 2) = 1), false)
FROM payouts_changedscope WHERE due_at <= %(now)s AND job_id IS NULL AND NOT later
"""
#: Since when the first waits of what comes behind other work, and of which half it is.
_OLDEST = """
SELECT created_at, mod(participant_id, 2)::int FROM payouts_changedscope
WHERE due_at <= %(now)s AND job_id IS NULL AND later AND places = %(places)s ORDER BY id LIMIT 1
"""


def _halves_waiting() -> tuple[int, ...]:
    """The halves of the people for whom single changes wait."""
    [waiting] = rows_read(_HALVES, {"now": timezone.now()})
    return tuple(half for half, waits in zip(EVERYBODY, waiting, strict=True) if waits)


#: Single changes that are due, with their causes.
_SINGLE = """
FROM payouts_changedscope s JOIN payouts_cause c ON c.id = s.cause_id WHERE s.due_at <= %(now)s AND s.job_id IS NULL
"""
_FIRST = f"""
SELECT s.id, s.participant_id, s.from_day, s.to_day, s.attempts, s.cause_id, c.kind, c.deal_id
{_SINGLE} AND NOT s.later AND mod(s.participant_id, 2) = ANY(%(halves)s::int[]) ORDER BY s.id LIMIT %(claim)s
"""


def _single_claimed(halves: Sequence[int]) -> list[Claimed]:
    """`_claimed` of the single changes of the people whose facts they are: every event goes this way."""
    rows = rows_read(_FIRST, {"now": timezone.now(), "claim": CLAIM, "halves": list(halves)})
    if len(rows) == CLAIM:
        return _claimed(_due(halves).filter(job=None, later=False))
    return [_claimed_row(row) for row in rows]


#: What is read of a scope and its cause, in the order of `_claimed_row`: there are two or more for each event.
_CLAIMED = ("id", "participant_id", "from_day", "to_day", "attempts", "cause_id", "cause__kind", "cause__deal_id")


def _claimed_row(row: Sequence[Any]) -> Claimed:
    pk, person, start, end, attempts, *cause = row
    return Claimed(pk, person, start, end, attempts, Reason(*cause))


def _claimed(due: QuerySet[ChangedScope]) -> list[Claimed]:
    """What waits longest. Where more waits than one transaction takes, everything that waits for the first people of
    those: nobody's periods are redone once for each part of a file."""
    rows = due.order_by("id").values_list(*_CLAIMED)
    claimed = [_claimed_row(row) for row in rows[:CLAIM]]
    if len(claimed) < CLAIM:
        return claimed
    waiting = due.filter(participant_id__in={scope.participant_id for scope in claimed}).order_by()
    counts = dict(waiting.values_list("participant_id").annotate(scopes=Count("id")))
    whose: list[int] = []
    total = 0
    for person in dict.fromkeys(scope.participant_id for scope in claimed):
        total += counts[person]
        if whose and total > CLAIM_WHOLE:
            break
        whose.append(person)
    return [_claimed_row(row) for row in rows.filter(participant_id__in=whose)[:CLAIM_WHOLE]]


def _redo_all(claimed: Sequence[Claimed], days: Days | None, *, leave_places: bool) -> dict[int, str]:
    """All at once; if something in it cannot be calculated, person by person, so that only those whose plan or facts
    it is stay behind. Returns the error of each of them."""
    try:
        with transaction.atomic():
            _redo(claimed, days, leave_places=leave_places)
        return {}
    except PASSING:
        raise  # the server, not a figure
    except Exception:
        log.exception("a recompute of %s scopes failed; redoing them person by person", len(claimed))
    failed: dict[int, str] = {}
    own: dict[int, list[Claimed]] = defaultdict(list)
    for scope in claimed:
        own[scope.participant_id].append(scope)
    for person, scopes in own.items():
        try:
            with transaction.atomic():
                _redo(scopes, days)
        except PASSING:
            raise
        except Exception as error:
            log.exception("the figures of participant %s cannot be redone", person)
            failed[person] = f"{type(error).__name__}: {error}"[:2000]
    return failed


def _redo(claimed: Sequence[Claimed], days: Days | None, *, leave_places: bool = False) -> None:
    marks: list[Mark] = []
    for scope in claimed:
        start, end = scope.from_day, scope.to_day
        if end == FOREVER:  # an open-ended change reaches from the first credit date to the last
            start = max(start, days[0]) if days else start
            end = min(end, max(days[1] if days else start, start + timedelta(days=1)))
        marks.append(Mark(scope.participant_id, start, end, scope.cause))
    left = recompute(marks, leave_places=leave_places).places
    if left:
        _places_left(left, {scope.participant_id: scope.cause.pk for scope in claimed})


#: One scope a person and period is enough, however often their lines moved meanwhile.
_LEFT = """
INSERT INTO payouts_changedscope
    (tenant_id, participant_id, from_day, to_day, cause_id, later, places, created_at, due_at, attempts, error)
SELECT current_setting('app.tenant')::bigint, w.person, %(start)s, %(end)s, w.cause, true, true, %(now)s, %(now)s, 0, ''
FROM unnest(%(people)s::bigint[], %(causes)s::bigint[]) AS w(person, cause)
WHERE NOT EXISTS (SELECT 1 FROM payouts_changedscope s WHERE s.places AND s.participant_id = w.person
    AND s.from_day <= %(start)s AND s.to_day >= %(end)s AND s.error = '')
"""


def _places_left(left: Mapping[Span, Set[int]], cause_of: Mapping[int, int]) -> None:
    """Notes for whom it is still to be written where their lines stand."""
    for (start, end), people in left.items():
        params = {"start": day_date(start), "end": day_date(end), "now": timezone.now(), "people": sorted(people)}
        rows_change(_LEFT, params | {"causes": [cause_of[person] for person in sorted(people)]})


def _set_aside(claimed: Sequence[Claimed], failed: Mapping[int, str]) -> None:
    """What failed stays, with its error, and is tried again: sooner at first, then every hour."""
    aside = []
    for scope in claimed:
        if scope.participant_id in failed:
            attempts = scope.attempts + 1
            due_at = timezone.now() + min(timedelta(seconds=2 ** min(attempts, 12)), RETRY)
            error = failed[scope.participant_id]
            aside.append(ChangedScope(id=scope.pk, attempts=attempts, error=error, due_at=due_at))
    ChangedScope.objects.bulk_update(aside, ["attempts", "error", "due_at"], batch_size=500)


def scopes_retry() -> int:
    """Makes what failed due at once. Returns how many scopes."""
    count = ChangedScope.objects.filter(attempts__gt=0).update(due_at=timezone.now())
    if count:
        ring(tenant_id=current_tenant_id())
        ring(tenant_id=current_tenant_id(), queue=JOBS)
    return count
