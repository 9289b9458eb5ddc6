"""One bell at a time for each tenant and queue: a thousand deliveries a second ring once, not a thousand times.

A mark in Redis says that a bell hangs in the queue. The worker takes the mark away before it looks for work, so whoever
finds the mark may rely on the look that is still to come: his row is committed by then. A mark whose bell was lost goes
away by itself; until then the sweep finds the work. Where Redis does not answer, no bell is rung: nobody could hear it,
and nobody who posts a delivery is held up by trying.
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


def is_first(tenant_id: int, queue: str) -> bool:
    """Whether no bell of the tenant hangs in the queue yet; from now on one does."""
    try:
        return bool(_redis().set(_mark(tenant_id, queue), 1, nx=True, ex=MARK_SECONDS))
    except redis.RedisError as error:
        log.warning("no bell is rung, the sweep will find the work: %s", error)
        return False


def heard(tenant_id: int, queue: str) -> None:
    """Before looking for work: whoever comes from now on rings again."""
    try:
        _redis().delete(_mark(tenant_id, queue))
    except redis.RedisError as error:
        log.warning("the bell's mark stays until it goes by itself: %s", error)


def _mark(tenant_id: int, queue: str) -> str:
    return f"comp:bell:{queue}:{tenant_id}"


@lru_cache(maxsize=1)
def _redis() -> redis.Redis:
    # Short limits and no second try: a frozen Redis must not hold the sender of a delivery.
    never = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=never)
