from __future__ import annotations

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from comp.core.money import (
    CURRENCIES,
    LARGEST,
    MoneyError,
    UnknownCurrency,
    format_money,
    minor_digits,
    parse_money,
    plain_money,
    split_for_display,
)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("25000.00", "USD", 2_500_000),
        ("25000", "USD", 2_500_000),
        ("0.5", "USD", 50),
        ("-0.05", "USD", -5),
        ("+7.10", "EUR", 710),
        ("007", "USD", 700),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("-0", "USD", 0),
        ("0" * 5000 + "1", "USD", 100),
        ("10000000000000.00", "USD", LARGEST),
    ],
)
def test_reads_plain_decimal_text(text: str, currency: str, minor: int) -> None:
    assert parse_money(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("1e3", "USD", "is no amount"),
        ("1_000", "USD", "is no amount"),
        ("1,000.00", "USD", "is no amount"),
        ("١٢", "USD", "is no amount"),
        ("NaN", "USD", "is no amount"),
        ("Infinity", "USD", "is no amount"),
        ("", "USD", "is no amount"),
        (" 1", "USD", "is no amount"),
        ("1\n", "USD", "is no amount"),
        (".5", "USD", "is no amount"),
        ("5.", "USD", "is no amount"),
        ("--5", "USD", "is no amount"),
        ("12.5%", "USD", "is no amount"),
        ("1.005", "USD", "has 3 decimals; USD has 2"),
        ("1.0", "JPY", "has 1 decimals; JPY has 0"),
        ("10000000000000.01", "USD", "at most 10000000000000.00 USD"),
        ("9" * 5000, "USD", "at most 10000000000000.00 USD"),
    ],
)
def test_refuses_what_is_no_amount(text: str, currency: str, reason: str) -> None:
    with pytest.raises(MoneyError, match=reason):
        parse_money(text, currency)


@pytest.mark.parametrize("code", ["usd", "XXX", "XAU", "BTC", ""])
def test_an_unknown_currency_is_named(code: str) -> None:
    with pytest.raises(UnknownCurrency, match=repr(code)):
        parse_money("1.00", code)


def test_minor_digits_are_those_of_iso_4217() -> None:
    by_digits = {code: minor_digits(code) for code in CURRENCIES}
    assert {code for code, digits in by_digits.items() if digits == 0} >= {"JPY", "KRW", "CLP", "VND", "XAF", "XOF"}
    assert {code for code, digits in by_digits.items() if digits == 3} == {
        "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND",
    }  # fmt: skip
    # CLDR shows these without decimals; a bank file has them with two.
    assert [by_digits[code] for code in ("AFN", "ALL", "IRR", "LBP", "MMK", "RSD", "YER")] == [2] * 7


def test_every_currency_that_is_legal_tender_today_is_known() -> None:
    today = {
        code
        for uses in get_global("territory_currencies").values()
        for code, _, end, tender in uses
        if tender and end is None
    }
    assert today <= CURRENCIES


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "text"),
    [
        (123_450, "USD", "en_US", "$1,234.50"),
        (-41_230, "USD", "en_US", "−($412.30)"),
        (0, "USD", "en_US", "$0.00"),
        (-5, "JPY", "en_US", "−(¥5)"),
        (1_234_567, "IQD", "en_US", "IQD\u00a01,234.567"),
        (123_456, "EUR", "de_DE", "1.234,56\u00a0€"),
        (LARGEST, "USD", "en_US", "$10,000,000,000,000.00"),
    ],
)
def test_shows_money_to_people(minor: int, currency: str, locale: str, text: str) -> None:
    assert format_money(minor, currency, locale) == text


def test_takes_money_apart_for_the_page() -> None:
    assert split_for_display(-41_230, "USD") == ("−", "$", "412", "30", ".")
    assert split_for_display(123_456_705, "EUR", "de_DE") == ("", "€", "1.234.567", "05", ",")
    assert split_for_display(1_234_567, "JPY") == ("", "¥", "1,234,567", "", "")


@given(st.integers(-LARGEST, LARGEST), st.sampled_from(sorted(CURRENCIES)))
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    assert parse_money(plain_money(minor, currency), currency) == minor
