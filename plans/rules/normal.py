"""The one written form of a plan document: equal plans have equal documents, so equal digests.

`12.50 %` becomes `12.5%`, `25000` becomes `25000.00` in USD, `1.50` becomes `1.5`; optional keys that hold nothing go.
What cannot be read is left as it is, for `check` to name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from comp.core.money import CURRENCIES
from plans.rules.fields import FieldType, field_types
from plans.rules.values import (
    Document,
    money_text,
    number_text,
    percent_text,
    read_money,
    read_number,
    read_percent,
    read_whole,
    written,
)

Form = Callable[[Any], Any]


def normalise(document: Any) -> Any:
    """A new document in normal form; the given one is not touched. Normalising twice changes nothing more."""
    document = _copy(document)
    if not isinstance(document, dict):
        return document
    currency = document.get("currency")
    money = _money(currency) if isinstance(currency, str) and currency in CURRENCIES else _same
    types = field_types(document)
    _drop_empty(document, "fields")
    for rule in _tables(document.get("credit_rules")):
        _condition(rule.get("when"), types, money)
        _each(rule.get("credit"), share=_percent)
        _each(rule.get("roll_up"), levels=_whole, limit=_percent)
    for component in _tables(document.get("components")):
        _component(component, money)
    return document


def _component(component: Document, money: Form) -> None:
    for key in ("bonus", "tiers", "accelerator", "below_zero", "missing_quota", "zero_quota"):
        if component.get(key) is None and not _needs(component, key):
            component.pop(key, None)
    tiers, accelerator = component.get("tiers"), component.get("accelerator")
    if isinstance(tiers, dict):
        _drop_empty(tiers, "attribution")
        _each(tiers.get("rates"), **{"from": _percent, "rate": _percent})
    if isinstance(accelerator, dict):
        _each(accelerator.get("bands"), **{"from": money, "times": _number})
    _each([component.get("bonus")], amount=money, min_deal=money, at=_percent)
    _each([component.get("cap")], amount=money)
    _each(component.get("release"), share=_percent, at=_percent)
    for table in [component.get("bonus"), *_tables(component.get("release"))]:
        if isinstance(table, dict):
            for key in ("min_deal", "at", "boundary"):
                _drop_empty(table, key)


def _needs(component: Document, key: str) -> bool:
    """Whether a null at `key` says something (or is a mistake to be named), and so has to stay."""
    if component.get("kind") == "commission":
        return key != "bonus"
    return key in ("missing_quota", "zero_quota") and component.get("quota") is not None


def _condition(condition: Any, types: Mapping[str, FieldType], money: Form) -> None:
    if not isinstance(condition, dict):
        return
    for join in ("all", "any", "none"):
        parts = condition.get(join)
        for part in parts if isinstance(parts, list) else []:
            _condition(part, types, money)
    name = condition.get("field")
    kind = types.get(name) if isinstance(name, str) else None
    if "value" not in condition or kind is None:
        return
    form: Form = {"number": _number, "money": money, "text": _text, "date": _text}.get(kind, _same)
    value = condition["value"]
    condition["value"] = [form(item) for item in value] if isinstance(value, list) else form(value)


def _each(rows: Any, **forms: Form) -> None:
    for row in _tables(rows):
        for key, form in forms.items():
            if key in row:
                row[key] = form(row[key])


def _tables(rows: Any) -> list[Document]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _drop_empty(table: Document, key: str) -> None:
    if key in table and (table[key] is None or table[key] == {}):
        del table[key]


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {_copy(key): _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else (written(value) or value)


def _percent(value: Any) -> Any:
    share = read_percent(value)
    return value if share is None else percent_text(share)


def _number(value: Any) -> Any:
    number = read_number(value)
    return value if number is None else number_text(number)


def _whole(value: Any) -> Any:
    whole = read_whole(value)
    return value if whole is None else whole


def _money(currency: str) -> Form:
    def form(value: Any) -> Any:
        minor = read_money(value, currency)
        return value if minor is None else money_text(minor, currency)

    return form
