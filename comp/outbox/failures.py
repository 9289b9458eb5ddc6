"""Which failures say something about a piece of work, and which only about the moment."""

from __future__ import annotations

from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

#: The server's or the clock's failures, not the work's own. Who isolates failing work lets these pass: the transaction
#: is rolled back and all of it is taken again.
PASSING = (OperationalError, InterfaceError, SoftTimeLimitExceeded)


def gives_way(error: OperationalError) -> bool:
    """Whether a lock was not free in the time that was given for it."""
    return getattr(error.__cause__, "pgcode", None) == "55P03"  # lock_not_available
