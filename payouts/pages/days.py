"""Days in addresses."""

from __future__ import annotations

from datetime import date

from django.urls import register_converter

from comp.core.days import DayError, parse_day


class DayConverter:
    """`2026-11-01` as a date. A day that does not exist is no address (404)."""

    regex = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        try:
            return parse_day(value)
        except DayError as error:
            raise ValueError(str(error)) from None

    def to_url(self, value: date | str) -> str:
        return value if isinstance(value, str) else value.isoformat()


register_converter(DayConverter, "day")
