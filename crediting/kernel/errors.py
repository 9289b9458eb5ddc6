"""What the kernels refuse. Each message names the thing, what was found and what is allowed."""

from __future__ import annotations

from comp.core.errors import CompError


class KernelError(CompError):
    """The columns given cannot be calculated; nothing was calculated."""


class AmountOutOfRange(KernelError):
    """An amount, a quota or a running total is larger than LARGEST minor units."""


class DateOutsideCalendar(KernelError):
    """A credit date or release date lies outside the calendar's periods."""


class UnlikeTerms(KernelError):
    """A component's lines cannot be rated by the terms of the counterpart that it names."""


class ColumnAbsent(KernelError):
    """A plan reads a field for which the batch carries no column."""


class BadQuota(KernelError):
    """A quota is negative, or one person has two for the same key and measure period."""


class ReadingCircle(KernelError):
    """Components read each other in a circle."""


class BadRate(KernelError):
    """A rate of exchange is not positive, or two of one kind hold the same day."""


class BadReporting(KernelError):
    """A person has two managers on one day."""
