"""What differs between two plan documents, told so that Sales Ops can read it and Finance can sign it.

Rows are matched by what names them, not by where they stand: rules and components by key, credit by role, tiers and
bands by their lower bound, tranches by their trigger. A rate that moved to another bound is told as one move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from comp.core.canonical import canonical_json
from comp.core.money import CURRENCIES
from plans.rules.conditions import check_condition, compile_condition
from plans.rules.fields import field_types
from plans.rules.look import Look
from plans.rules.normal import normalise
from plans.rules.phrases import both, condition_words, money, named
from plans.rules.values import Document, read_money, read_number, read_percent

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` names rows by their key (`components[commission].tiers.rates[100%].rate`); `before` and
    `after` are canonical JSON, None where there was or is nothing."""

    path: str
    kind: Kind
    before: str | None
    after: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class _Rows:
    """How the rows of one list are named: by which keys, and with what words."""

    keys: tuple[str, ...]
    words: Callable[[Document, str], str]


def diff(old: Any, new: Any) -> list[Change]:
    """All differences between the normal forms of two documents; none exactly when their digests are equal."""
    return _Diff(normalise(old), normalise(new)).changes()


def _amount(value: Any, currency: str) -> str:
    minor = read_money(value, currency) if currency in CURRENCIES else None
    return str(value) if minor is None else money(minor, currency)


def _release_words(row: Document, currency: str) -> str:
    on = row.get("on")
    trigger = {"credit_date": "at once", "usage": f"at {row.get('at')} usage"}.get(str(on), f"at {named(str(on))}")
    return f"the share paid {trigger}"


#: By the key of the list. The words name a row so that its value can follow: "the rate from 100% of quota".
_ROWS = {
    "credit_rules": _Rows(("key",), lambda row, _: f"the credit rule {named(str(row.get('key')))}"),
    "components": _Rows(("key",), lambda row, _: str(row.get("name"))),
    "credit": _Rows(("role",), lambda row, _: f"the share of {named(str(row.get('role')))}"),
    "roll_up": _Rows(("to",), lambda row, _: f"the roll-up to {named(str(row.get('to')))}"),
    "rates": _Rows(("from",), lambda row, _: f"the rate from {row.get('from')} of quota"),
    "bands": _Rows(("from",), lambda row, currency: f"the factor for deals from {_amount(row.get('from'), currency)}"),
    "release": _Rows(("on", "at"), _release_words),
}
#: The key of a row that is its whole message beside its name.
_MAIN = {"credit": "share", "rates": "rate", "bands": "times", "release": "share"}
_MAIN_WORD = {"rates": "rate", "bands": "factor"}
_MONEY = ("amount", "min_deal")
_LABELS = {
    "when": "the condition",
    "levels": "the number of levels",
    "limit": "the limit",
    "classes": "the credit classes",
    "roles": "the roles",
    "every": "the measure period",
    "below_zero": "what applies below zero",
    "missing_quota": "what applies while the quota is missing",
    "zero_quota": "what applies with a quota of zero",
    "min_deal": "the least deal",
    "at": "the bound",
    "per": "what it counts per",
    "boundary": "whose a bound is",
    "on_new_version": "what a new version does",
    "rounding.at": "the point of rounding",
    "rounding.mode": "the rounding mode",
    "rounding.step": "the rounding step",
    "tiers.mode": "the way tiers apply",
    "bonus.amount": "the bonus",
    "bonus.per": "what the bonus is paid per",
    "cap.amount": "the cap",
    "cap.per": "what the cap holds per",
}
_WHOLE = {"cap": "the cap", "accelerator": "the accelerator", "bonus": "the bonus", "tiers": "the tiers"}


class _Diff:
    def __init__(self, old: Any, new: Any) -> None:
        self.old, self.new = old, new
        self.found: list[Change] = []

    def changes(self) -> list[Change]:
        if isinstance(self.old, dict) and isinstance(self.new, dict):
            self._tables(self.old, self.new, "", "")
        elif not _same(self.old, self.new):
            self._add("", "changed", self.old, self.new, "The whole document changes.")
        return self.found

    def _tables(self, old: Document, new: Document, path: str, about: str) -> None:
        """Two tables key by key, in the order of the new one; `about` opens each sentence."""
        for key in [*new, *(key for key in old if key not in new)]:
            place = f"{path}.{key}" if path else key
            if key not in old:
                self._add(place, "added", None, new[key], f"{about}{self._told(key, new[key], 'new')} is new.")
            elif key not in new:
                self._add(place, "removed", old[key], None, f"{about}{self._told(key, old[key], 'old')} goes.")
            elif not _same(old[key], new[key]):
                self._value(old[key], new[key], place, key, about)

    def _value(self, old: Any, new: Any, path: str, key: str, about: str) -> None:
        if key in _ROWS and _is_rows(old) and _is_rows(new):
            self._rows(old, new, path, key, about)
        elif key != "when" and isinstance(old, dict) and isinstance(new, dict):
            self._tables(old, new, path, about)
        elif old is None:
            self._add(path, "added", old, new, f"{about}{self._told(key, new, 'new')} is new.")
        elif new is None:
            self._add(path, "removed", old, new, f"{about}{self._told(key, old, 'old')} goes.")
        else:
            words = f"{self._words(key, old, 'old')} to {self._words(key, new, 'new')}"
            self._add(path, "changed", old, new, f"{about}{_label(key, path)} {_verb(old, new)} from {words}.")

    def _rows(self, old: list[Document], new: list[Document], path: str, key: str, about: str) -> None:
        before, after = _by_name(old, key), _by_name(new, key)
        gone = [name for name in before if name not in after]
        come = [name for name in after if name not in before]
        for name, row in after.items():
            place = f"{path}[{name}]"
            if name in before:
                self._row(before[name], row, place, key, about)
            elif (moved := _moved_from(row, before, gone, key)) is not None:
                gone.remove(moved)
                come.remove(name)
                main = self._main(row, key)
                start, stop = (_amount_or_bound(each, key, self._currency("new")) for each in (moved, name))
                sentence = f"{about}the {_MAIN_WORD[key]} of {main} now starts at {stop} instead of {start}."
                self._add(place, "changed", before[moved], row, sentence)
            else:
                self._add(place, "added", None, row, f"{about}{self._row_words(row, key, 'new')} is new.")
        for name in gone:
            self._add(
                f"{path}[{name}]",
                "removed",
                before[name],
                None,
                f"{about}{self._row_words(before[name], key, 'old')} goes.",
            )
        stayed = [name for name in before if name in after]
        if not gone and not come and stayed != [name for name in after if name in before]:
            names = both(_ROWS[key].words(after[name], self._currency("new")) for name in after)
            self._add(path, "changed", list(before), list(after), f"{about}the order changes: {names}.")

    def _row(self, old: Document, new: Document, path: str, key: str, about: str) -> None:
        if _same(old, new):
            return
        words = _ROWS[key].words(new, self._currency("new"))
        main = _MAIN.get(key)
        if main is not None and set(old) == set(new) and main in old:
            values = f"{self._main(old, key)} to {self._main(new, key)}"
            self._add(
                f"{path}.{main}",
                "changed",
                old[main],
                new[main],
                f"{about}{words} {_verb(old[main], new[main])} from {values}.",
            )
        else:
            self._tables(old, new, path, f"{about}{words}: ")

    def _add(self, path: str, kind: Kind, before: Any, after: Any, sentence: str) -> None:
        texts = [None if value is None else canonical_json(value) for value in (before, after)]
        self.found.append(Change(path, kind, texts[0], texts[1], sentence[:1].upper() + sentence[1:]))

    def _currency(self, side: Literal["old", "new"]) -> str:
        return str((self.old if side == "old" else self.new).get("currency"))

    def _told(self, key: str, value: Any, side: Literal["old", "new"]) -> str:
        """A value that comes or goes, with its size where it has one."""
        label = _WHOLE.get(key) or _label(key)
        if key in ("cap", "bonus") and isinstance(value, dict) and "amount" in value:
            return f"{label} of {_amount(value['amount'], self._currency(side))}"
        return f"{label} {self._words(key, value, side)}" if not isinstance(value, dict | list) else label

    def _words(self, key: str, value: Any, side: Literal["old", "new"]) -> str:
        if key == "when":
            return self._condition(value, side)
        if key in _MONEY:
            return _amount(value, self._currency(side))
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return both(named(item) for item in value)
        if isinstance(value, str):
            return f"“{value}”" if key in ("clause", "name") else value.replace("_", " ")
        return canonical_json(value)

    def _condition(self, value: Any, side: Literal["old", "new"]) -> str:
        document = self.old if side == "old" else self.new
        types, currency = field_types(document), self._currency(side)
        look = Look(currency)
        check_condition(look, value, "when", types)
        if look.problems or currency not in CURRENCIES:
            return canonical_json(value)
        return f"“{condition_words(compile_condition(value, types, currency), currency)}”"

    def _main(self, row: Document, key: str) -> str:
        value = str(row.get(_MAIN[key]))
        return f"{value} times" if key == "bands" else value

    def _row_words(self, row: Document, key: str, side: Literal["old", "new"]) -> str:
        words = _ROWS[key].words(row, self._currency(side))
        if key == "components":
            return f"the component {words}"
        return f"{words} ({self._main(row, key)})" if key in _MAIN else words


def _same(old: Any, new: Any) -> bool:
    return canonical_json(old) == canonical_json(new)


def _label(key: str, path: str = "") -> str:
    """What a key is called; some are called after the table they stand in."""
    *_, parent, last = ["", *path.split(".")]
    return _LABELS.get(f"{parent}.{last}") or _LABELS.get(key) or f"the {named(key)}"


def _verb(old: Any, new: Any) -> str:
    """Rises, falls or changes."""
    before, after = _size(old), _size(new)
    if before is None or after is None:
        return "changes"
    return "rises" if after > before else "falls"


def _size(value: Any) -> Fraction | None:
    percent = read_percent(value)
    return percent if percent is not None else read_number(value)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _by_name(rows: list[Document], key: str) -> dict[str, Document]:
    """Rows by their name; a second row of one name gets its number added."""
    named_rows: dict[str, Document] = {}
    for row in rows:
        name = " ".join(str(row[part]) for part in _ROWS[key].keys if part in row)
        number = 2
        unique = name
        while unique in named_rows:
            unique, number = f"{name} #{number}", number + 1
        named_rows[unique] = row
    return named_rows


def _moved_from(row: Document, before: dict[str, Document], gone: list[str], key: str) -> str | None:
    """The bound that a tier or band with the same rate had before."""
    if key not in ("rates", "bands"):
        return None
    main = _MAIN[key]
    for name in gone:
        if before[name].get(main) == row.get(main) and set(before[name]) == set(row):
            return name
    return None


def _amount_or_bound(name: str, key: str, currency: str) -> str:
    return _amount(name, currency) if key == "bands" else f"{name} of quota"
