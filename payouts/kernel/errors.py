"""The errors that `calculate` raises."""

from crediting.kernel.errors import (
    AmountOutOfRange,
    BadQuota,
    ColumnAbsent,
    DateOutsideCalendar,
    KernelError,
    ReadingCircle,
    UnlikeTerms,
)

__all__ = [
    "AmountOutOfRange",
    "BadOpening",
    "BadQuota",
    "ColumnAbsent",
    "DateOutsideCalendar",
    "KernelError",
    "ReadingCircle",
    "UnlikeTerms",
]


class BadOpening(KernelError):
    """An opening that has no sense, or whose component cannot have one."""
