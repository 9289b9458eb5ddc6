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
from enum import Enum
from functools import lru_cache
from uuid import uuid4

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

#: About as long as the sweep takes to come by.
MARK_SECONDS = 15
#: For how long whoever leads a tenant's work does so from his last look on, in milliseconds.
TURN_MS = 300
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


#: Who comes to a turn: 1 where nobody leads it, and now he does; else he asks whoever does to look again, 0 for the
#: first who asks since the last look, -1 for the others.
_ENTER = """
local leads = redis.call('GET', KEYS[1])
if not leads then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end
if string.sub(leads, -1) == '!' then return -1 end
redis.call('SET', KEYS[1], leads .. '!', 'KEEPTTL')
return 0
"""
#: Who is at it looks again, for whoever asked and rang: 1 where he leads, 0 where another does meanwhile.
_LOOK = """
local leads = redis.call('GET', KEYS[1])
if leads and leads ~= ARGV[1] and leads ~= ARGV[1] .. '!' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
"""
#: Who is at it leaves: 0 where he leads and somebody asked since his last look, and 'wait' is said.
_LEAVE = """
local leads = redis.call('GET', KEYS[1])
if leads == ARGV[1] .. '!' and ARGV[2] == 'wait' then return 0 end
if leads == ARGV[1] or leads == ARGV[1] .. '!' then redis.call('DEL', KEYS[1]) end
return 1
"""


class Entered(Enum):
    """What became of coming to a tenant's turn."""

    IN = 1  #: nobody else leads it
    ASKED = 0  #: somebody does, and was asked to look again
    KNOWN = -1  #: somebody does, and others asked him before


class Lead:
    """One worker's coming to a tenant's daily work. Two at a time would share what one does at once, each with the
    whole price of a look; so who comes while another leads asks him to look again. A lead lasts TURN_MS from the last
    look on: who is longer at something is helped, and ends with that. Without Redis everybody leads."""

    def __init__(self, tenant_id: int) -> None:
        self.tenant_id = tenant_id
        self.name = uuid4().hex

    def enter(self) -> Entered:
        """Comes to the turn."""
        try:
            return Entered(self._run(_ENTER, self.name, TURN_MS))
        except redis.RedisError as error:
            log.warning("nobody is asked whether another is at it: %s", error)
            return Entered.IN

    def look(self, queue: str) -> tuple[bool, bool]:
        """Whether he leads, and may look; and as `heard`: whoever comes from now on rings again."""
        try:
            return bool(self._run(_LOOK, self.name, TURN_MS, also=_mark(self.tenant_id, queue))), True
        except redis.RedisError:
            return True, heard(self.tenant_id, queue)

    def leave(self, *, at_once: bool = False) -> bool:
        """Ends it; False where somebody asked since the last look: it goes on, but `at_once`."""
        try:
            return bool(self._run(_LEAVE, self.name, "" if at_once else "wait"))
        except redis.RedisError as error:
            log.warning("the lead ends by itself: %s", error)
            return True

    def _run(self, script: str, *values: str | int, also: str | None = None) -> int:
        keys = [f"comp:turn:{self.tenant_id}", *([also] if also else [])]
        return int(_redis().eval(script, len(keys), *keys, *values))


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
