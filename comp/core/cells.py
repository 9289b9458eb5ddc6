"""Cells of tables that people open in spreadsheets: no text may become a formula there."""

from __future__ import annotations

# What a spreadsheet takes for the start of a formula, the full-width forms of East Asian keyboards included.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where it could start a formula."""
    return f"'{text}" if text.startswith(_RISKY) else text
