"""The small phrases that plans are told in: names from keys, money, shares, conditions."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from comp.core.days import day_date
from comp.core.money import format_money
from plans.rules.compiled import Condition, Group, Leaf
from plans.rules.values import number_text, percent_text

#: Keys that read as letters, not as words.
_LETTERS = {"ae", "am", "se", "sdr", "bdr", "csm", "arr", "acv", "tcv", "csat", "nps", "mbo", "dso"}

#: Fields whose key is no noun.
_FIELDS = {"used": "usage", "contracted": "contracted usage"}

_OPS = {
    "is": "is {}",
    "is_not": "is not {}",
    "in": "is one of {}",
    "not_in": "is none of {}",
    "contains": "contains {}",
    "starts_with": "starts with {}",
    "at_least": "is at least {}",
    "at_most": "is at most {}",
    "more_than": "is more than {}",
    "less_than": "is less than {}",
    "between": "is between {}",
    "on_or_after": "is on or after {}",
    "before": "is before {}",
    "is_missing": "is missing",
    "is_present": "is present",
}


def named(key: str) -> str:
    """`sales-lead` as `sales lead`, `ae` as `AE`, `custom.term_months` as `term months`."""
    for prefix in ("custom.", "computed.", "person."):
        key = key.removeprefix(prefix)
    words = key.replace("_", " ").replace("-", " ").replace(".", " ").split()
    return " ".join(word.upper() if word in _LETTERS else word for word in words)


def field_words(field: str) -> str:
    """What a field of a fact is called: `used` as `usage`, any other by its name."""
    words = [_FIELDS.get(part, part) for part in field.split(".")]
    return named(".".join(words))


def headed(key: str) -> str:
    """The same, to begin a sentence with."""
    text = named(key)
    return text[:1].upper() + text[1:]


def both(words: Iterable[str], last_word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = words
    return f"{', '.join(head)} {last_word} {last}" if head else last


def plain_words(value: object) -> str:
    """Any part of a document in words: `rate 2%, key new logo`."""
    if isinstance(value, dict):
        return ", ".join(f"{named(str(key))} {plain_words(item)}" for key, item in value.items()) or "nothing"
    if isinstance(value, list):
        return both(plain_words(item) for item in value) if value else "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else str(value).replace("_", " ")


def share(value: Fraction) -> str:
    """A ratio for people: exact where 6 decimals hold it."""
    return percent_text(Fraction(round(value * 10**8), 10**8))


def money(minor: int, currency: str) -> str:
    return format_money(minor, currency)


def condition_words(condition: Condition, currency: str) -> str:
    """`stage is won and amount is at least $5,000.00`."""
    if isinstance(condition, Leaf):
        return _leaf_words(condition, currency)
    if not condition.parts:
        return {"all": "always", "any": "never", "none": "always"}[condition.join]
    if condition.join == "none":
        return f"not ({both([_part(part, currency) for part in condition.parts], 'or')})"
    joiner = "and" if condition.join == "all" else "or"
    return f" {joiner} ".join(_part(part, currency) for part in condition.parts)


def _part(condition: Condition, currency: str) -> str:
    text = condition_words(condition, currency)
    nested = isinstance(condition, Group) and condition.join != "none" and len(condition.parts) > 1
    return f"({text})" if nested else text


def _leaf_words(leaf: Leaf, currency: str) -> str:
    value = leaf.value
    if isinstance(value, tuple):
        text = both([_value_words(leaf, item, currency) for item in value], "and" if leaf.op == "between" else "or")
    else:
        text = _value_words(leaf, value, currency)
    return f"{field_words(leaf.field)} {_OPS[leaf.op].format(text)}"


def _value_words(leaf: Leaf, value: object, currency: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if leaf.type == "money" and isinstance(value, int):
        return money(value, currency)
    if leaf.type == "date" and isinstance(value, int):
        return day_date(value).isoformat()
    return number_text(value) if isinstance(value, Fraction) else str(value)
