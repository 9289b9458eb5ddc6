"""How a source writes a value, read into plain text of ours: decimals, days. Exact; nothing passes through a float."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from comp.core.calendars import day_of
from comp.core.days import day_date
from comp.core.money import CURRENCIES, minor_digits
from crediting.intake.mapping.targets import Kind
from crediting.intake.reading import plain_decimal
from crediting.intake.records import epoch, moment, whole

Rule = Mapping[str, Any]
Reading = Callable[[str, Rule, str, str], str | None]

#: Forms of `date`, and of `decimal` by an example.
DATE_FORMS = {
    "YYYY-MM-DD": re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"),
    "DD.MM.YYYY": re.compile(r"(?P<d>[0-9]{1,2})\.(?P<m>[0-9]{1,2})\.(?P<y>[0-9]{4})"),
    "DD/MM/YYYY": re.compile(r"(?P<d>[0-9]{1,2})/(?P<m>[0-9]{1,2})/(?P<y>[0-9]{4})"),
    "MM/DD/YYYY": re.compile(r"(?P<m>[0-9]{1,2})/(?P<d>[0-9]{1,2})/(?P<y>[0-9]{4})"),
}
#: The sign between thousands, and the decimal point.
DECIMAL_FORMS = {"1234.5": ("", "."), "1,234.5": (",", "."), "1.234,5": (".", ","), "1 234,5": (" ", ",")}
_EXPONENT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


def _text(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    return value


def _currency(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """A code in whatever case."""
    code = value.strip().upper()
    return code if code in CURRENCIES else None


def _decimal(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """Plain digits; with `form`, signs between thousands and another decimal point. `5.00` is `5`."""
    thousands, point = DECIMAL_FORMS[rule.get("form", "1234.5")]
    text = value.strip()
    head, dot, rest = text.partition(point)
    if thousands and thousands in head:
        if not re.fullmatch(rf"-?[0-9]{{1,3}}({re.escape(thousands)}[0-9]{{3}})+", head):
            return None
        head = head.replace(thousands, "")
    return _short(f"{head}.{rest}" if dot else head)


def _exponent(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """As `decimal`, or with an exponent, as Java and Salesforce write large numbers: `1.2345678E7`."""
    text = value.strip()
    return _short(format(Decimal(text), "f")) if _EXPONENT.fullmatch(text) else None


def _minor(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """Whole minor units of the currency that another field names; `digits` states where the source counts otherwise
    than ISO 4217."""
    code = currency.strip().upper()
    if code not in CURRENCIES or not _INTEGER.fullmatch(value):
        return None
    stated = rule.get("digits", {}).get(code)
    digits = minor_digits(code) if stated is None else int(stated)
    sign, number = ("-", value[1:]) if value.startswith("-") else ("", value)
    number = number.zfill(digits + 1)
    return _short(f"{sign}{number[:-digits]}.{number[-digits:]}" if digits else f"{sign}{number}")


def _short(text: str) -> str | None:
    """The digits without zeros behind the point that mean nothing; None where they are no plain decimal."""
    if plain_decimal(text) is None:
        return None
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """A whole number that is not negative; `412.0` is 412."""
    found = whole(_decimal(value, rule, currency, zone))
    return None if found is None else str(found)


def _percent(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """A share in percent as a weight out of 1,000,000: `33.33` is 333300."""
    head, _, rest = (_decimal(value, rule, currency, zone) or "-").partition(".")
    found = whole(f"{head}{rest.ljust(4, '0')}") if len(rest) <= 4 else None
    return None if found is None else str(found)


def _date(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    match = DATE_FORMS[rule.get("form", "YYYY-MM-DD")].fullmatch(value.strip())
    if match is None:
        return None
    try:
        return date(int(match["y"]), int(match["m"]), int(match["d"])).isoformat()
    except ValueError:
        return None


def _moment(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    """The day of an instant, in the company's time zone or the rule's."""
    return _day(moment(value.strip()), rule, zone)


def _epoch_s(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    return _day(epoch(whole(value)), rule, zone)


def _epoch_ms(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    return _day(epoch(whole(value), unit=1000), rule, zone)


def _day(instant: datetime | None, rule: Rule, zone: str) -> str | None:
    return None if instant is None else day_date(day_of(instant, rule.get("zone", zone))).isoformat()


def _boolean(value: str, rule: Rule, currency: str, zone: str) -> str | None:
    word = value.strip().lower()
    return "true" if word in _TRUE else "false" if word in _FALSE else None


#: Each reading: what it makes of a text, what fields it is for, and what it takes, in words.
READINGS: Mapping[str, tuple[Reading, tuple[Kind, ...], str]] = {
    "text": (_text, ("text", "any"), "text"),
    "association": (_text, ("text",), "the id of another record"),
    "currency": (_currency, ("text", "any"), "a currency code of ISO 4217"),
    "decimal": (_decimal, ("money", "number", "any"), "a decimal number"),
    "exponent": (_exponent, ("money", "number", "any"), "a decimal number, with or without an exponent"),
    "minor": (_minor, ("money", "any"), "whole minor units of a known currency"),
    "number": (_number, ("whole", "number", "any"), "a whole number, not negative"),
    "percent": (_percent, ("whole",), "a percentage of at most four decimals"),
    "date": (_date, ("day", "any"), "a date"),
    "moment": (_moment, ("day", "any"), "an instant with its offset"),
    "epoch_s": (_epoch_s, ("day", "any"), "seconds since 1970"),
    "epoch_ms": (_epoch_ms, ("day", "any"), "milliseconds since 1970"),
    "boolean": (_boolean, ("any",), "true or false"),
}
#: What a field reads where its rule does not say.
USUAL: Mapping[Kind, str] = {
    **{"text": "text", "any": "text", "money": "decimal", "number": "decimal", "whole": "number", "day": "date"}
}
NUMERIC = ("decimal", "exponent", "minor", "number")
