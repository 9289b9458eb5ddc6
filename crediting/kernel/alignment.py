"""Who a deal belongs to by its customer, place and product, as an alignment says. Pure.

A rule names some of: account; country, state, postal prefix; product or product family. It matches a deal that has all
of them. Of the rules for a credit role that match on the day, the most specific counts: first one that names the
account, then the longer postal prefix, then state, then country, then the product, then its family. Two rules that name
exactly the same on one day are a tie, and refused at entry; so there is never another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

#: What a rule asks for: role, account, country, state, postal prefix, product, family; None or "" asks for nothing.
Key = tuple[str, int | None, str, str, str, int | None, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`participant` or `position` has the deals that match, for [starts_on, ends_on). Country, state, postal and family
    are `plain`."""

    line: int
    role: str
    account: int | None
    country: str
    state: str
    postal: str
    product: int | None
    family: str
    participant: int | None
    position: str
    starts_on: date
    ends_on: date | None

    @property
    def key(self) -> Key:
        return self.role, self.account, self.country, self.state, self.postal, self.product, self.family

    def holds(self, day: date) -> bool:
        return self.starts_on <= day and (self.ends_on is None or day < self.ends_on)


@dataclass(frozen=True, slots=True)
class Place:
    """What rules ask of a deal; texts are `plain`."""

    account: int | None
    country: str
    state: str
    postal: str
    product: int | None
    family: str


class Rules:
    """The rules of an alignment, found without going through all of them."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_key: dict[Key, list[Rule]] = defaultdict(list)
        for rule in rules:
            self._by_key[rule.key].append(rule)
        self._prefixes = sorted({len(key[4]) for key in self._by_key}, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def most_specific(self, role: str, place: Place, day: date) -> Rule | None:
        """The rule that says whose the deal is in this role; None where none matches."""
        for key in self._asked(role, place):
            for rule in self._by_key.get(key, ()):
                if rule.holds(day):
                    return rule
        return None

    def _asked(self, role: str, place: Place) -> Iterator[Key]:
        """What a matching rule may ask for, the most specific first."""
        accounts = [place.account, None] if place.account is not None else [None]
        products: list[tuple[int | None, str]] = [(place.product, "")] if place.product is not None else []
        products += [(None, place.family), (None, "")] if place.family else [(None, "")]
        for account in accounts:
            for country, state, postal in self._geography(place):
                for product, family in products:
                    yield role, account, country, state, postal, product, family

    def _geography(self, place: Place) -> Iterator[tuple[str, str, str]]:
        if place.country:
            states = [place.state, ""] if place.state else [""]
            for length in self._prefixes:
                if length <= len(place.postal):
                    yield from ((place.country, state, place.postal[:length]) for state in states if length or state)
            yield place.country, "", ""
        yield "", "", ""


def ties(rules: Iterable[Rule]) -> list[tuple[Rule, Rule]]:
    """Rules that ask for exactly the same on one day, each with the one that it meets."""
    by_key: dict[Key, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_key[rule.key].append(rule)
    found = []
    for same in by_key.values():
        same.sort(key=lambda rule: (rule.starts_on, rule.line))
        found += [(one, other) for one, other in pairwise(same) if one.ends_on is None or other.starts_on < one.ends_on]
    return found


def plain(text: str) -> str:
    """A country, state or family for comparing."""
    return " ".join(text.split()).casefold()


def plain_postal(text: str) -> str:
    """A postal code or the beginning of one for comparing: without blanks and dashes."""
    return text.replace(" ", "").replace("-", "").casefold()
