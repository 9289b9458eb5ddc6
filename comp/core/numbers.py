"""Numbers that are kept in whole millionths: units, days and whatever else is counted."""

from __future__ import annotations

import re

from comp.core.money import LARGEST, MoneyError

MILLIONTHS = 1_000_000
_NUMBER = re.compile(r"(?P<sign>-?)(?P<whole>[0-9]{1,13})(\.(?P<rest>[0-9]{1,6}))?", re.ASCII)


def parse_number(text: str) -> int:
    """Decimal text (`40`, `0.25`) as millionths. Raises MoneyError where it is none, too large or too fine."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise MoneyError(f"{text[:40]!r} is no number; write plain digits with at most 6 decimals, like 40 or 0.25.")
    value = int(match["whole"]) * MILLIONTHS + int((match["rest"] or "").ljust(6, "0"))
    if value > LARGEST:
        raise MoneyError(f"{text[:40]!r} is too large; at most {plain_number(LARGEST)} can be kept.")
    return -value if match["sign"] else value


def plain_number(millionths: int) -> str:
    """The decimal text that `parse_number` reads, without zeros behind: `40`, `0.25`."""
    whole, rest = divmod(abs(millionths), MILLIONTHS)
    text = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{text}" if millionths < 0 else text
