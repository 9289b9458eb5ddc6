"""What differs between two plan documents, told so that Sales Ops can read it and Finance can sign it.

Rows are matched by what names them, not by where they stand: rules and components by key, credit by role, tiers and
bands by their lower bound, tranches by their trigger. A rate that moved to another bound is told as one move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, Literal

from comp.core.canonical import canonical_json
from comp.core.errors import ProblemsError
from comp.core.money import PLAN_CURRENCIES
from plans.rules.about import about as known_of
from plans.rules.compile import compile_plan
from plans.rules.compiled import CompiledPlan, Table
from plans.rules.conditions import check_condition, compile_condition
from plans.rules.look import Look
from plans.rules.normal import normalise
from plans.rules.phrases import both, condition_words, field_words, money, named, plain_words
from plans.rules.told import Steps, table_at, told
from plans.rules.values import Document, read_money, read_number, read_percent
from plans.rules.words_rates import cell_words, row_words

Kind = Literal["added", "removed", "changed"]
Side = Literal["old", "new"]


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
    minor = read_money(value, currency) if currency in PLAN_CURRENCIES else None
    return named(str(value)) if minor is None else money(minor, currency)


def _release_words(row: Document, currency: str) -> str:
    on = row.get("on")
    trigger = {"credit_date": "at once", "usage": f"at {row.get('at')} usage"}.get(str(on), f"at {named(str(on))}")
    return f"the share paid {trigger}"


#: By the key of the list. The words name a row so that its value can follow: "the rate from 100% of quota".
_ROWS = {
    "each": _Rows(("key",), lambda row, _: f"the factor {named(str(row.get('key')))}"),
    "kickers": _Rows(("key",), lambda row, _: f"the extra {named(str(row.get('key')))}"),
    "gates": _Rows(("key",), lambda row, _: f"the gate {named(str(row.get('key')))}"),
    "caps": _Rows(("per", "every"), lambda row, _: f"the cap per {named(str(row.get('per') or row.get('every')))}"),
    "dimensions": _Rows(("field",), lambda row, _: f"the dimension {field_words(str(row.get('field')))}"),
    "points": _Rows(("at",), lambda row, _: f"what {row.get('at')} pays"),
    "parts": _Rows(("component",), lambda row, _: f"the weight of {named(str(row.get('component')))}"),
    "table": _Rows(("from",), lambda row, _: f"the share from month {row.get('from')}"),
    "draws": _Rows(("key",), lambda row, _: f"the draw {named(str(row.get('key')))}"),
    "overrides": _Rows(("for",), lambda row, _: f"the override for the {plain_words(row.get('for'))}"),
    "examples": _Rows(("name",), lambda row, _: f"the example “{row.get('name')}”"),
    "credit_rules": _Rows(("key",), lambda row, _: f"the credit rule {named(str(row.get('key')))}"),
    "components": _Rows(("key",), lambda row, _: str(row.get("name"))),
    "credit": _Rows(("role",), lambda row, _: f"the share of {named(str(row.get('role')))}"),
    "roll_up": _Rows(("to",), lambda row, _: f"the roll-up to {named(str(row.get('to')))}"),
    "rates": _Rows(("from",), lambda row, _: f"the rate from {row.get('from')} of quota"),
    "bands": _Rows(("from",), lambda row, currency: f"the factor for deals from {_amount(row.get('from'), currency)}"),
    "release": _Rows(("on", "at"), _release_words),
}
#: The key of a row that is its whole message beside its name.
_MAIN = {
    "credit": "share",
    "rates": "rate",
    "bands": "times",
    "release": "share",
    "points": "pays",
    "parts": "weight",
    "table": "share",
}
_MAIN_WORD = {"rates": "rate", "bands": "factor"}
_MONEY = ("amount", "min_deal", "keep", "cap", "prizes", "below")
_CONDITIONS = ("when", "eligible", "hold", "part")
#: Tables whose keys need no word of the table before them.
_FLAT = (
    "tiers",
    "accelerator",
    "bonus",
    "cap",
    "rounding",
    "credits",
    "measure",
    "modifiers",
    "quota",
    "share",
    "values",
    "set",
)
_LABELS = {
    "when": "the condition",
    "eligible": "who it is for",
    "eligible_on": "the day as of which people are asked",
    "small_adjustments": "the keeping of small adjustments",
    "small_adjustments.below": "the amount below which they are kept",
    "hold": "what is held",
    "part": "what counts as the part",
    "clawback.on": "what takes it back",
    "clawback.floor": "the least share left",
    "clawback_limit": "the clawback limit",
    "proration.of": "what is prorated",
    "is": "the formula",
    "computed": "the computed field",
    "fields": "the custom field",
    "fixed": "the fixed quota",
    "times": "the factor",
    "modifiers": "the factors",
    "amortise": "the spreading of cost",
    "currencies": "the conversion of currencies",
    "reads": "what is read",
    "order": "the order",
    "test": "what the draw tests",
    "pays": "what is paid",
    "points": "the points",
    "at_least": "the least",
    "at_most": "the most",
    "after_posting": "what becomes of what was posted",
    "limits.attainment": "the most attainment that counts",
    "limits.rate": "the most that a credit pays of itself",
    "minimum": "the minimum",
    "settle_in": "the currency that it settles in",
    "amounts_rate": "the rate of its amounts",
    "counterpart": "the counterpart's terms",
    "terms": "whose terms they are",
    "counts_for": "what it counts for",
    "of_component": "the component that it goes by",
    "caps": "the caps",
    "set": "what is set",
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
        self.plans: dict[Side, CompiledPlan | None] = {"old": _compiled(old), "new": _compiled(new)}
        self.steps: dict[Side, dict[int, Steps]] = {"old": _places(old, (), {}), "new": _places(new, (), {})}
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
            was, now = old.get(key, []), new.get(key, [])
            # A list without rows that comes or goes is told as a value: there is no row to tell.
            if key in _ROWS and _is_rows(was) and _is_rows(now) and (was or now):
                self._rows(was, now, place, key, about)
            elif key not in old:
                self._add(place, "added", None, new[key], f"{about}{self._told(key, new[key], 'new')}.")
            elif key not in new:
                self._add(place, "removed", old[key], None, f"{about}{self._told(key, old[key], 'old')}.")
            elif not _same(old[key], new[key]):
                self._value(old[key], new[key], place, key, about)

    def _value(self, old: Any, new: Any, path: str, key: str, about: str) -> None:
        if key not in _CONDITIONS and isinstance(old, dict) and isinstance(new, dict):
            if key == "table" and self._cells(old, new, path, about):
                return
            if not self._whole(old, new, path, _WHOLE.get(key) or _label(key, path), about, key):
                self._tables(old, new, path, about if key in _FLAT else f"{about}{_label(key, path)}: ")
        elif old is None:
            self._add(path, "added", old, new, f"{about}{self._told(key, new, 'new')}.")
        elif new is None:
            self._add(path, "removed", old, new, f"{about}{self._told(key, old, 'old')}.")
        else:
            words = f"{self._words(key, old, 'old')} to {self._words(key, new, 'new')}"
            self._add(path, "changed", old, new, f"{about}{_changes(_label(key, path), old, new)} from {words}.")

    def _whole(self, old: Document, new: Document, path: str, label: str, about: str, key: str) -> bool:
        """Tells a table by the sentences that it was and is, where single figures would not say what changed."""
        if key == "settlement" or (key == "tiers" and _core(old) and _core(new)):
            return False
        words = any(name in old and name in new and _reworded(old[name], new[name]) for name in [*old, *new])
        if set(old) == set(new) and not words and key not in ("table", "tiers"):
            return False
        was, now = self._said(old, "old"), self._said(new, "new")
        if not was or not now or was == now:
            return False
        change = "change" if _plural(label) else "changes"
        self._add(path, "changed", old, new, f"{about}{label} {change}; was: {was}; now: {now}.")
        return True

    def _cells(self, old: Document, new: Document, path: str, about: str) -> bool:
        """The cells of a rate table one by one, where only they changed."""
        before, after = self._table(old, "old"), self._table(new, "new")
        if before is None or after is None or replace(before, cells=after.cells) != after:
            return False
        currency = self._currency("new")
        rows = [
            [_row_of(field_words(each.field), words) for words in row_words(each, currency)]
            for each in after.dimensions
        ]
        what = {"rate": "the rate", "amount": "the amount", "times": "the factor"}[after.pays]
        for place, was, now in zip(product(*rows), before.cells, after.cells, strict=True):
            if was != now:
                words = [cell_words(after, cell, currency) for cell in (was, now)]
                verb = "rises" if now > was else "falls"
                sentence = f"{about}{what} ({both(place)}) {verb} from {words[0]} to {words[1]}."
                self._add(f"{path}.cells[{', '.join(place)}]", "changed", words[0], words[1], sentence)
        return True

    def _said(self, value: Any, side: Side) -> str:
        plan, steps = self.plans[side], self.steps[side].get(id(value))
        return told(plan, steps) if plan is not None and steps is not None else ""

    def _table(self, value: Any, side: Side) -> Table | None:
        plan, steps = self.plans[side], self.steps[side].get(id(value))
        return table_at(plan, steps) if plan is not None and steps is not None else None

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
                main = self._main(row, key, "new")
                start, stop = (_amount_or_bound(each, key, self._currency("new")) for each in (moved, name))
                sentence = f"{about}the {_MAIN_WORD[key]} of {main} now starts at {stop} instead of {start}."
                self._add(place, "changed", before[moved], row, sentence)
            else:
                self._add(place, "added", None, row, f"{about}{self._row_told(row, key, 'new')}.")
        for name in gone:
            self._add(
                f"{path}[{name}]",
                "removed",
                before[name],
                None,
                f"{about}{self._row_told(before[name], key, 'old')}.",
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
        others = [{name: value for name, value in row.items() if name != main} for row in (old, new)]
        if key == "examples":
            self._add(path, "changed", old, new, f"{about}{words} changes.")
        elif main is not None and isinstance(old.get(main), str) and isinstance(new.get(main), str) and _same(*others):
            values = f"{self._main(old, key, 'old')} to {self._main(new, key, 'new')}"
            sentence = f"{about}{words} {_verb(old[main], new[main])} from {values}."
            self._add(f"{path}.{main}", "changed", old[main], new[main], sentence)
        elif not self._whole(old, new, path, words, about, key):
            self._tables(old, new, path, f"{about}{words}: ")

    def _add(self, path: str, kind: Kind, before: Any, after: Any, sentence: str) -> None:
        texts = [None if value is None else canonical_json(value) for value in (before, after)]
        self.found.append(Change(path, kind, texts[0], texts[1], sentence[:1].upper() + sentence[1:]))

    def _currency(self, side: Side) -> str:
        return str((self.old if side == "old" else self.new).get("currency"))

    def _told(self, key: str, value: Any, side: Side) -> str:
        """That a value comes or goes, with its size or its sentences where it has some."""
        label = _WHOLE.get(key) or _label(key)
        many = _plural(label)
        comes = ("are new" if many else "is new") if side == "new" else "go" if many else "goes"
        if key in ("cap", "bonus") and isinstance(value, dict) and "amount" in value:
            return f"{label} of {_amount(value['amount'], self._currency(side))} {comes}"
        if isinstance(value, dict) and key not in _CONDITIONS:
            said = self._said(value, side)
            if said or key in _WHOLE:
                return f"{label} {comes}: {said}" if said else f"{label} {comes}"
            return f"{label} ({plain_words(value)}) {comes}"
        if value == []:
            return f"{label} (an empty list) {comes}"
        return f"{label} {self._words(key, value, side)} {comes}"

    def _words(self, key: str, value: Any, side: Side) -> str:
        if key in _CONDITIONS:
            return self._condition(value, side)
        if key in _MONEY and isinstance(value, str):
            return _amount(value, self._currency(side))
        if key in _MONEY and isinstance(value, list) and value:
            return both(_amount(item, self._currency(side)) for item in value)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return both(named(item) for item in value)
        if isinstance(value, str):
            return f"“{value}”" if key in ("clause", "name") else value.replace("_", " ")
        return plain_words(value)

    def _condition(self, value: Any, side: Side) -> str:
        document = self.old if side == "old" else self.new
        types, currency = known_of(document).person_types, self._currency(side)
        look = Look(currency)
        check_condition(look, value, "when", types)
        if look.problems or currency not in PLAN_CURRENCIES:
            return plain_words(value)
        return f"“{condition_words(compile_condition(value, types, currency), currency)}”"

    def _main(self, row: Document, key: str, side: Side) -> str:
        value = row.get(_MAIN[key])
        if key == "points" and self._holder(row, side).get("pays") == "amount":
            return _amount(value, self._currency(side))
        return f"{plain_words(value)} times" if key == "bands" else plain_words(value)

    def _holder(self, row: Document, side: Side) -> Document:
        """The table whose list holds a row: of a point, its curve."""
        *steps, _list, _place = self.steps[side][id(row)]
        found: Any = self.old if side == "old" else self.new
        for step in steps:
            found = found[step]
        return found if isinstance(found, dict) else {}

    def _row_told(self, row: Document, key: str, side: Side) -> str:
        """That a row comes or goes, with its size or its sentences where it has some."""
        words, comes = _ROWS[key].words(row, self._currency(side)), "is new" if side == "new" else "goes"
        if key == "components":
            return f"the component {words} {comes}"
        if key in _MAIN and _MAIN[key] in row:
            return f"{words} ({self._main(row, key, side)}) {comes}"
        said = self._said(row, side)
        return f"{words} {comes}: {said}" if said else f"{words} {comes}"


def _compiled(document: Any) -> CompiledPlan | None:
    """None for a document that has something wrong with it: it is told key by key."""
    try:
        return compile_plan(document)
    except ProblemsError:
        return None


def _places(value: Any, steps: Steps, found: dict[int, Steps]) -> dict[int, Steps]:
    """The way to each table and row, by the identity of the object."""
    if isinstance(value, dict | list):
        found[id(value)] = steps
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _places(item, (*steps, key), found)
    return found


def _core(tiers: Document) -> bool:
    """Tiers that are told rate by rate: percentages from shares of quota on."""
    usual = tiers.get("axis", "attainment") == "attainment" and tiers.get("pays", "rate") == "rate"
    return usual and tiers.get("mode") in ("marginal", "retroactive") and "columns" not in tiers


def _same(old: Any, new: Any) -> bool:
    return canonical_json(old) == canonical_json(new)


def _row_of(field: str, words: str) -> str:
    """Which row of a dimension: `amount from $25,000.00`, `for the product series GTX`."""
    if words.startswith("for "):
        return words.replace("for all else", f"for any other {field}")
    return f"{field} {words}"


def _reworded(old: Any, new: Any) -> bool:
    """Whether a choice in words changes, not a figure, and not rows or a table."""
    if _same(old, new) or _size(old) is not None or (isinstance(old, dict | list) and isinstance(new, dict | list)):
        return False
    return not isinstance(old, list)


def _plural(label: str) -> bool:
    if label.startswith(("what ", "the conversion", "the order")):
        return False
    return label.endswith("s") and not label.endswith(("ss", "is", "us"))


def _changes(label: str, old: Any, new: Any) -> str:
    """`the months fall`."""
    verb = _verb(old, new)
    return f"{label} {verb.removesuffix('s') if _plural(label) else verb}"


def _label(key: str, path: str = "") -> str:
    """What a key is called; some are called after the table they stand in."""
    *_, parent, last = ["", *path.split(".")]
    if parent == "values":
        return f"the share for {named(key)}"
    return _LABELS.get(f"{parent}.{last}") or _LABELS.get(key) or f"the {named(key.removeprefix('components.'))}"


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
        name = " ".join(plain_words(row[part]) for part in _ROWS[key].keys if part in row)
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
