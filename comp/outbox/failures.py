"""Which failures say something about a piece of work, and which only about the moment."""

from __future__ import annotations

from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

#: The server's or the clock's failures, not the work's own. Who isolates failing work lets these pass: the transaction
#: is rolled back and all of it is taken again.
PASSING = (OperationalError, InterfaceError, SoftTimeLimitExceeded)
