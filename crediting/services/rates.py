"""How much comes in at an endpoint, counted in Redis: calls a minute against its limit, and what was refused.

Counts are a convenience: where Redis does not answer nothing is limited and nothing is shown, and for a while it is not
even asked, so that no sender is held up.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

MINUTE, HOUR = 60, 3600
#: How long a Redis that did not answer is left alone, in seconds.
REST = 5.0
_asked_again_at = 0.0
#: So near its limit every call of an endpoint is counted in Redis by itself; further away those of this process
#: together, this often in seconds.
NEAR, TOGETHER = 2_000, 0.25


@dataclass(slots=True)
class _Minute:
    """Calls at an endpoint in one minute: `total` by Redis' last answer, and `own` that it does not know of yet."""

    key: str
    total: int = 0
    own: int = 0
    told_at: float = float("-inf")


_minutes: dict[int, _Minute] = {}
_turn = Lock()


def over_limit(endpoint: int, limit: int, now: float) -> int | None:
    """Counts one call. Seconds to wait where that makes more than `limit` in this minute; else None."""
    key = f"comp:hook:{endpoint}:{int(now) // MINUTE}"
    with _turn:
        minute = _minutes.get(endpoint)
        if minute is None or minute.key != key:
            minute = _minutes[endpoint] = _Minute(key)
        minute.own += 1
        far = minute.total + minute.own + NEAR < limit
        if far and time.monotonic() < minute.told_at + TOGETHER:
            return None
        calls, minute.own, minute.told_at = minute.own, 0, time.monotonic()
    count = _count(key, MINUTE * 2, calls)
    if count is None:
        return None
    minute.total = count
    return None if count <= limit else MINUTE - int(now) % MINUTE


def refused_count(endpoint: int, now: float) -> None:
    """Counts one call that was not taken."""
    _count(f"comp:hook:{endpoint}:refused:{int(now) // HOUR}", HOUR * 2)


def refused_lately(endpoint: int, now: float) -> int | None:
    """How many calls were not taken in this hour and the one before; None where Redis does not answer."""
    hour = int(now) // HOUR
    try:
        found = _redis().mget([f"comp:hook:{endpoint}:refused:{one}" for one in (hour, hour - 1)])
    except redis.RedisError:
        return None
    return sum(int(one) for one in found if one)


def _count(key: str, seconds: int, calls: int = 1) -> int | None:
    global _asked_again_at
    if time.monotonic() < _asked_again_at:
        return None
    try:
        pipe = _redis().pipeline(transaction=False)
        pipe.incr(key, calls)
        pipe.expire(key, seconds)
        count = pipe.execute()[0]
    except redis.RedisError as error:
        _asked_again_at = time.monotonic() + REST
        log.warning("calls are not counted for %s seconds: %s", REST, error)
        return None
    return int(count)


@lru_cache(maxsize=1)
def _redis() -> redis.Redis:
    never = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.2, socket_connect_timeout=0.2, retry=never)
