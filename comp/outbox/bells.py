"""One bell at a time for each tenant and queue: a thousand deliveries a second ring once, not a thousand times.

A mark in Redis says that a bell hangs in the queue. The worker takes the mark away before it looks for work, so whoever
finds the mark may rely on the look that is still to come: his row is committed by then. A mark whose bell was lost goes
away by itself; until then the sweep finds the work. Where Redis does not answer, no bell is rung: nobody could hear it,
and nobody who posts a delivery is held up by trying. Where it answers too late it may do what it was asked, all the
same: then a mark hangs without a bell, and the next bell of that process is rung whatever the mark says
(comp.outbox.services rings again soon).
"""

from __future__ import annotations

import logging
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

#: About as long as the sweep takes to come by.
MARK_SECONDS = 15
#: Tenants and queues whose mark may hang without a bell, as far as this process knows.
_in_doubt: set[tuple[int, str]] = set()


def is_first(tenant_id: int, queue: str) -> bool:
    """Whether no bell of the tenant hangs in the queue yet; from now on one does."""
    doubt = is_in_doubt(tenant_id, queue)
    try:
        first = bool(_redis().set(_mark(tenant_id, queue), 1, nx=not doubt, ex=MARK_SECONDS))
    except redis.RedisError as error:
        if _late(error):
            not_rung(tenant_id, queue)
        log.warning("no bell is rung, the sweep will find the work: %s", error)
        return False
    if doubt:
        _in_doubt.discard((tenant_id, queue))
    return first


def is_in_doubt(tenant_id: int, queue: str) -> bool:
    """Whether the last bell of this process may have left a mark and nothing in the queue."""
    return (tenant_id, queue) in _in_doubt


def not_rung(tenant_id: int, queue: str) -> None:
    """A mark may hang without a bell: the next one is rung whatever the mark says."""
    _in_doubt.add((tenant_id, queue))


def heard(tenant_id: int, queue: str) -> bool:
    """Before looking for work: whoever comes from now on rings again. False where the mark of a Redis that goes on may
    stay."""
    try:
        _redis().delete(_mark(tenant_id, queue))
    except redis.RedisError as error:
        log.warning("the bell's mark stays until it goes by itself: %s", error)
        if _late(error):
            not_rung(tenant_id, queue)
            return False
    return True


def _late(error: redis.RedisError) -> bool:
    """Whether Redis is there and took too long, as on a busy machine."""
    return isinstance(error, redis.TimeoutError)


def _mark(tenant_id: int, queue: str) -> str:
    return f"comp:bell:{queue}:{tenant_id}"


@lru_cache(maxsize=1)
def _redis() -> redis.Redis:
    # Short limits and no second try: a frozen Redis must not hold the sender of a delivery.
    never = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=never)
