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
    "BadQuota",
    "ColumnAbsent",
    "DateOutsideCalendar",
    "KernelError",
    "ReadingCircle",
    "UnlikeTerms",
]
