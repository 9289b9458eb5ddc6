"""Money as whole minor units of a currency, and its text.

The minor digits are those of ISO 4217, which banks and payroll files use. Babel (CLDR) supplies symbols and separators;
its own digits are for display and differ from ISO for some twenty currencies (none for AFN, IQD or RSD), so they are
not used.
"""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from typing import NamedTuple

from babel.core import Locale
from babel.numbers import get_currency_symbol

from comp.core.errors import CompError

#: No single amount may pass this many minor units in either direction (the kernels' columns are 64 bits wide).
LARGEST = 10**15

# Codes of ISO 4217 that are, or were in the last ten years, legal tender. A code is never taken out: old plans name it.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BYR BZD CAD
CDF CHF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR
LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN
PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STD STN SYP SZL THB
TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VEF VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
ZWL
"""
_NO_DIGITS = "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

#: What amounts are in that are plain numbers with two decimals and no money of any country.
NO_CURRENCY = "none"

#: Every known currency and how many decimals it has.
_DIGITS = (
    dict.fromkeys(_CODES.split(), 2) | dict.fromkeys(_NO_DIGITS.split(), 0) | dict.fromkeys(_THREE_DIGITS.split(), 3)
)
CURRENCIES = frozenset(_DIGITS)
_DIGITS[NO_CURRENCY] = 2
#: What the amounts of a plan may be in.
PLAN_CURRENCIES = CURRENCIES | {NO_CURRENCY}

_AMOUNT = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<rest>[0-9]+))?")
# A code such as IQD stands apart from the digits; a sign such as $ does not.
_TOUCHING = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
MINUS = "\N{MINUS SIGN}"


class MoneyError(CompError):
    """A text is no amount of its currency, or an amount is too large."""


class UnknownCurrency(MoneyError):
    """A code is no currency of ISO 4217 that Comp knows."""


class MoneyParts(NamedTuple):
    """An amount taken apart for the page: `sign` is "" or a minus; `cents` and `point` are empty for whole units."""

    sign: str
    symbol: str
    whole: str
    cents: str
    point: str


def minor_digits(currency: str) -> int:
    """How many decimals ISO 4217 gives the currency: 0, 2 or 3; amounts in none have 2."""
    try:
        return _DIGITS[currency]
    except KeyError:
        raise UnknownCurrency(
            f"{currency!r} is no known currency; use a code of ISO 4217 such as USD, EUR or JPY."
        ) from None


def parse_money(text: str, currency: str) -> int:
    """Read decimal text (`25000.00`, `-3`) as minor units: no separators, no exponent, no decimals too many."""
    digits = minor_digits(currency)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise MoneyError(
            f"{text[:40]!r} is no amount; write plain digits with a point, like {plain_money(2500000, currency)}."
        )
    rest = match["rest"] or ""
    if len(rest) > digits:
        has = "an amount in no currency" if currency == NO_CURRENCY else currency
        raise MoneyError(f"{text[:40]!r} has {len(rest)} decimals; {has} has {digits}.")
    whole = match["whole"].lstrip("0") or "0"
    minor = int(whole + rest.ljust(digits, "0")) if len(whole) <= 16 else LARGEST + 1
    if minor > LARGEST:
        raise MoneyError(f"{text[:40]!r} is too large; at most {with_code(LARGEST, currency)} can be kept.")
    return -minor if match["sign"] == "-" else minor


def plain_money(minor: int, currency: str) -> str:
    """The decimal text that `parse_money` reads, with all decimals of the currency: `-412.30`."""
    return format(_decimal(minor, currency), "f")


def with_code(minor: int, currency: str) -> str:
    """The decimal text and its currency, where it is in one: `-412.30 USD`."""
    text = plain_money(minor, currency)
    return text if currency == NO_CURRENCY else f"{text} {currency}"


def format_money(minor: int, currency: str, locale: str = "en_US") -> str:
    """For people: `$1,234.50`, or `1,234.50` in no currency; negative in parentheses with a minus before them, so that
    a lost sign cannot hide."""
    digits = minor_digits(currency)
    known = Locale.parse(locale)
    pattern = copy.copy(known.decimal_formats[None] if currency == NO_CURRENCY else known.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    text = str(pattern.apply(_decimal(abs(minor), currency), known, currency=currency, currency_digits=False))
    text = _TOUCHING.sub("\u00a0", text)
    return f"{MINUS}({text})" if minor < 0 else text


def split_for_display(minor: int, currency: str, locale: str = "en_US") -> MoneyParts:
    """The amount's parts, for a page that sets each in its own size."""
    digits = minor_digits(currency)
    known = Locale.parse(locale)
    whole, cents = divmod(abs(minor), 10**digits)
    pattern = copy.copy(known.decimal_formats[None])
    pattern.frac_prec = (0, 0)
    return MoneyParts(
        sign=MINUS if minor < 0 else "",
        symbol="" if currency == NO_CURRENCY else get_currency_symbol(currency, known),
        whole=str(pattern.apply(Decimal(whole), known)),
        cents=str(cents).zfill(digits) if digits else "",
        point=known.number_symbols["latn"]["decimal"] if digits else "",
    )


def _decimal(minor: int, currency: str) -> Decimal:
    # Built from the digits: scaleb would round to the context's precision.
    digits = tuple(int(digit) for digit in str(abs(minor)))
    return Decimal((int(minor < 0), digits, -minor_digits(currency)))
