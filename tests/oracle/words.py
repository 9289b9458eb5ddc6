"""The vocabulary of generated cases, and the days and numbers on which money changes."""

from __future__ import annotations

from datetime import date
from typing import Any

Document = dict[str, Any]

LARGEST = 10**15
PEOPLE = (3, 11, 7, 20)
EVERY = ("quarter", "quarter", "month", "year", "half")
#: Measure periods of a plan's own, of which some do not join and none ends with a quarter, in two shapes each.
OWN_PERIODS = {
    "kickoff": (
        (("2024-02-01", "2024-03-15"), ("2024-03-31", "2024-07-31")),
        (("2024-01-15", "2024-02-10"), ("2024-02-12", "2024-02-28"), ("2024-03-02", "2024-04-01")),
    ),
    "season": (
        (("2024-01-01", "2024-02-11"), ("2024-02-12", "2024-03-31"), ("2024-04-02", "2024-12-31")),
        (("2024-02-11", "2024-02-29"),),
    ),
}
ROLES = ("ae", "se", "csm")
TITLES = ("AE", "Senior")
AREAS = ("EMEA", "APAC")
MILESTONES = ("signature", "go-live")
CUSTOM_FIELDS = {
    "custom.term": "number",
    "custom.arr": "money",
    "custom.signed": "date",
    "custom.renewal": "boolean",
    "custom.note": "text",
}
TEXTS: dict[str, tuple[str, ...]] = {
    "stage": ("won", "lost", "Won"),
    "source": ("crm", "b", "B", "é"),
    "product": ("GTX Pro", "GTXPro", "MG Special"),
    "product.series": ("GTX", "MG"),
    "account": ("Kan-code", "kan-code"),
    "account.sector": ("technology", "retail"),
    "account.country": ("Kenya", "Norway"),
    "territory": ("Central", "East"),
    "currency": ("USD", "JPY"),
    "custom.note": ("multi-year", "pilot", ""),
    "type": ("demo", "poc"),
}
START = date(2024, 1, 1)
#: Most days fall into one quarter; the others sit on the edges of months, quarters, years, assignments and versions.
DAYS = tuple(
    date.fromisoformat(text)
    for text in (
        *("2024-02-10", "2024-02-10", "2024-02-11", "2024-02-20"),
        *("2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"),
        *("2024-01-31", "2024-02-01", "2024-03-31", "2024-04-01"),
        *("2024-04-02", "2024-12-31", "2025-01-01", "2024-01-01"),
    )
)
#: Days between periods of a plan's own, some of one list, some of several.
BETWEEN = tuple(
    date.fromisoformat(text) for text in ("2024-03-20", "2024-04-01", "2024-08-01", "2024-03-01", "2024-02-11")
)
RATES = ("10%", "15%", "20%", "0%", "12.5%", "7.333333%", "0.000001%", "150%", "100000%")
SHARES = ("100%", "50%", "25%", "33.333333%", "150%", "0.5%")
FACTORS = ("1", "1.5", "0.5", "2", "0", "1.000001", "1000")
BOUNDS = (
    ("0%",),
    ("0%", "100%"),
    ("0%", "100%", "120%"),
    ("0%", "50%", "100%", "150%"),
    ("0%", "33.333333%", "66.666667%"),
    ("0%", "0.000001%"),
)
RELEASES = (
    ("100%",),
    ("50%", "50%"),
    ("50%", "25%", "25%"),
    ("33.333333%", "33.333333%", "33.333334%"),
    ("0.000001%", "99.999999%"),
    ("10%", "20%", "30%", "40%"),
)


def money(amount: int, unit: int) -> str:
    """Minor units as the text that people write."""
    digits = len(str(unit)) - 1
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}{amount // unit}.{amount % unit:0{digits}}" if digits else f"{sign}{amount}"
