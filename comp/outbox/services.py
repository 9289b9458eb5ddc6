"""Publish in the caller's transaction; drain after commit, and by the sweeper when the bell was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock, Timer
from typing import Any

from django.db import OperationalError, transaction
from django.utils import timezone

from comp.outbox import bells
from comp.outbox.failures import PASSING, gives_way
from comp.outbox.models import Message
from comp.tenancy.rows import models_read, rows_change, rows_read, rows_store
from comp.tenancy.scope import current_tenant_id

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], None]
Drain = Callable[[int], int]
_handlers: dict[str, list[Handler]] = {}
#: The queues: the daily work, and jobs, which have workers of their own, so that those of the daily work are never all
#: at a large one. A drain belongs to one of them.
WORK, JOBS = "work", "jobs"
_drains: dict[str, tuple[str, Drain]] = {}
ATTEMPTS = 5
#: After so long a turn at a tenant's daily work calls another worker for what it brings up itself.
ALONE_SECONDS = 0.1
#: After so long a drain of messages commits what it did: others have work too.
HAND_SECONDS = 0.5
#: So far apart are the bells for what comes again and again, in seconds: a bell costs as much as a third of a delivery.
APART_SECONDS = 0.03
#: A bell that may be lost is rung again after so many seconds, so many times: the sweep comes later.
AGAIN_SECONDS, AGAIN = 1.0, 5
#: When a tenant's bell was rung last for such, or is about to be, by this process' clock.
_rung: dict[int, float] = {}
#: The tenants and queues whose bell is about to be rung again.
_again: set[tuple[int, str]] = set()
_hand = Lock()
#: When news is due that still grows.
NOT_YET = datetime(9999, 1, 1, tzinfo=UTC)
#: News that nobody else hands on at this moment, the oldest first, but for some topics, behind some message.
_PENDING = """
done_at IS NULL AND NOT parked AND due_at <= %s AND topic <> ALL(%s::text[]) AND id > %s
ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
#: So long at most is waiting for one lock not counted to a drain's time.
UNCOUNTED_SECONDS = 0.3
#: The same news that waits and that nobody hands on at this moment.
_SAME = """
SELECT id FROM outbox_message WHERE done_at IS NULL AND NOT parked AND topic = %s AND payload = '{}'
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""


@dataclass(slots=True)
class Turn:
    """A worker at one tenant's daily work. `news` counts what it brought up itself, for which it rang nobody; `seen`
    how much of that it has looked at since."""

    tenant_id: int
    news: int = 0
    seen: int = 0
    began: float = field(default_factory=time.monotonic)

    def is_long(self) -> bool:
        return time.monotonic() - self.began > ALONE_SECONDS


_turn: ContextVar[Turn | None] = ContextVar("comp_turn", default=None)


@contextmanager
def turn_of(tenant_id: int) -> Iterator[Turn]:
    """While it lasts, `ring` for the tenant's daily work notes the news instead, until the turn is long: for a lone
    event another worker would only do the same looks beside this one. What is noted and not looked at in the end, as
    when a drain raises, is rung for."""
    turn = Turn(tenant_id)
    token = _turn.set(turn)
    try:
        yield turn
    finally:
        _turn.reset(token)
        if turn.news > turn.seen:
            ring(tenant_id=tenant_id)


def subscribe(topic: str, handler: Handler) -> None:
    """Called by comp/wiring.py only: `handler(payload)` runs inside the tenant's transaction and must bear being
    called again."""
    if handler not in _handlers.setdefault(topic, []):
        _handlers[topic].append(handler)


def register_drain(name: str, drain: Drain, *, queue: str = WORK) -> None:
    """Called by comp/wiring.py only. `drain(tenant_id)` does a bounded piece of the tenant's waiting work in
    transactions of its own and returns how much it did; 0 when nothing (or nothing for this worker) is left."""
    _drains[name] = (queue, drain)


def publish(*, topic: str, payload: dict[str, Any]) -> None:
    """Writes the message in the caller's transaction and rings the bell after its commit."""
    now = timezone.now()
    row = {"topic": topic, "payload": payload, "created_at": now, "due_at": now, "attempts": 0, "error": ""}
    rows_store(Message, [row | {"parked": False}])
    ring(tenant_id=current_tenant_id())


def publish_once(*, topic: str) -> None:
    """As `publish`, of news without words, whose subscribers look at what stands: none where the same still waits. That
    one is kept from being handed on before the caller's transaction ends."""
    if rows_read(_SAME, [topic]):
        ring(tenant_id=current_tenant_id())
    else:
        publish(topic=topic, payload={})


def news_hold(*, topic: str, payload: dict[str, Any], message: int | None) -> int:
    """Writes news that still grows (`message`: anew, in place of what stood), which nobody is handed before
    `news_release`; until then it is among what waits. Returns its number: another one where `message` was handed on
    meanwhile, for nobody looks at that any more."""
    if message is not None and Message.objects.filter(pk=message, done_at=None).update(payload=payload):
        return message
    now = timezone.now()
    row = {"topic": topic, "payload": payload, "created_at": now, "due_at": NOT_YET, "attempts": 0, "error": ""}
    [pk] = rows_store(Message, [row | {"parked": False}])
    return pk


def news_release(*, message: int) -> None:
    """Hands on news that was held."""
    Message.objects.filter(pk=message).update(due_at=timezone.now())
    ring(tenant_id=current_tenant_id())


def ring(*, tenant_id: int, queue: str = WORK) -> None:
    """After commit, asks a worker of the queue to look at the tenant's waiting work. A dead or frozen Redis changes
    nothing but the delay."""
    transaction.on_commit(partial(ring_at_once, tenant_id=tenant_id, queue=queue))


def ring_together(*, tenant_id: int) -> None:
    """After commit, the same for what comes many times a second: at once where this process was quiet, else once for
    all that comes within APART_SECONDS of the bell before."""
    transaction.on_commit(partial(_ring_apart, tenant_id))


def _ring_apart(tenant_id: int) -> None:
    now = time.monotonic()
    with _hand:
        last = _rung.get(tenant_id, float("-inf"))
        if last > now:
            return  # it is about to ring
        if len(_rung) >= 10_000:
            _rung.clear()
        at = _rung[tenant_id] = max(now, last + APART_SECONDS)
    bell = partial(ring_at_once, tenant_id=tenant_id, queue=WORK)
    if at > now:
        try:
            return Timer(at - now, bell).start()
        except RuntimeError:  # no thread is to be had, as when the process ends
            log.debug("a bell is not put off", exc_info=True)
    bell()


def ring_at_once(*, tenant_id: int, queue: str, again: int = AGAIN) -> None:
    """The same for work that was committed before, within whatever transaction. A bell that may be lost is rung so many
    times `again`, by a thread of its own, and by nobody else meanwhile: trying may take long."""
    from comp.outbox import tasks

    task = tasks.work if queue == WORK else tasks.job
    turn = _turn.get()
    if turn and (turn.tenant_id, WORK) == (tenant_id, queue) and not turn.is_long():
        turn.news += 1
        return
    if (tenant_id, queue) in _again:
        return
    try:
        if bells.is_first(tenant_id, queue):
            task.apply_async(args=[tenant_id], retry=False, ignore_result=True)
    except Exception:
        log.warning("no bell is rung, the sweep will find the work", exc_info=True)
        bells.not_rung(tenant_id, queue)
    if again and bells.is_in_doubt(tenant_id, queue):
        _ring_later(tenant_id, queue, again - 1)


def _ring_later(tenant_id: int, queue: str, again: int) -> None:
    def bell() -> None:
        _again.discard((tenant_id, queue))
        ring_at_once(tenant_id=tenant_id, queue=queue, again=again)

    with _hand:
        if (tenant_id, queue) in _again:
            return
        _again.add((tenant_id, queue))
    later = Timer(AGAIN_SECONDS, bell)
    later.daemon = True
    try:
        later.start()
    except RuntimeError:  # no thread is to be had, as when the process ends
        _again.discard((tenant_id, queue))


def messages_retry() -> int:
    """Takes up parked news again, once what stopped it is put right. Returns how much there was."""
    parked = Message.objects.filter(done_at=None, parked=True)
    count = parked.update(parked=False, attempts=0, due_at=timezone.now())
    if count:
        ring(tenant_id=current_tenant_id())
    return count


def work_once(tenant_id: int, queue: str | None = None) -> int:
    """The queue's drains in order (mailbox, messages, recompute; None: all of every queue); returns how much was done.
    Repeat until 0."""
    return sum(drain(tenant_id) for of, drain in _drains.values() if queue in (None, of))


def _pending(taken: set[str], limit: int) -> Iterator[Message]:
    """So many pending messages, the oldest first, but for topics that are `taken` meanwhile: where these are all that
    was read, what is behind them is read too."""
    left, last = limit, 0
    while left > 0:
        found = models_read(Message, _PENDING, [timezone.now(), sorted(taken), last, left])
        behind = len(found) == left
        for message in found:
            last = message.pk
            if message.topic not in taken:
                left -= 1
                yield message
        if not behind:
            return


def messages_drain(tenant_id: int, limit: int = 200) -> int:
    """Hands pending messages to their subscribers, each in a savepoint: one that fails waits alone and the rest goes
    on; so do those of a topic whose subscriber finds a lock taken, until whoever holds it rings. After HAND_SECONDS, in
    which waiting for such a lock is not counted, the rest waits for the next turn."""
    from comp.tenancy.scope import Actor, Pay, tenant_scope

    with tenant_scope(tenant_id, actor=Actor.task("outbox"), pay=Pay.everyone(), redone_if_lost=True):
        done: list[int] = []
        failed: list[Message] = []
        taken: set[str] = set()
        over = time.monotonic() + HAND_SECONDS
        for message in _pending(taken, limit):
            began = time.monotonic()
            if began > over:
                break
            try:
                with transaction.atomic():
                    for handler in _handlers.get(message.topic, []):
                        handler(message.payload)
                done.append(message.pk)
            except PASSING as error:
                if not (isinstance(error, OperationalError) and gives_way(error)):
                    raise  # the server, not a message
                taken.add(message.topic)
                over += min(time.monotonic() - began, UNCOUNTED_SECONDS)
            except Exception as error:
                log.exception("outbox message %s (%s) failed", message.pk, message.topic)
                message.attempts += 1
                message.error = f"{type(error).__name__}: {error}"[:2000]
                message.due_at = timezone.now() + timedelta(seconds=2**message.attempts)
                message.parked = message.attempts >= ATTEMPTS
                failed.append(message)
        if done:
            rows_change("UPDATE outbox_message SET done_at = %s WHERE id = ANY(%s::bigint[])", [timezone.now(), done])
        Message.objects.bulk_update(failed, ["attempts", "error", "due_at", "parked"])
    return len(done) + len(failed)
