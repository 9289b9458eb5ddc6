"""Rows of a file of deals, read as `files.said` reads them, but each text of a column once.

What an event may say is judged field by field. So a row whose every text was accepted in its column before is accepted
too, and says the same; what is new is read by `files.said`, which every other row teaches. Names of deals, people,
products and customers, and amounts, are judged on the spot: they are new in most rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from comp.core.money import CURRENCIES, minor_digits
from crediting.intake import files
from crediting.intake.files import Said
from crediting.intake.mapping import EVENTS
from crediting.intake.mapping.readings import READINGS
from crediting.intake.standard_parts import CUSTOM_TEXT

#: Texts that are as good as they stand, and how long they may be.
_NAMES: Mapping[str, int] = {"deal": 120, "owner": 200, "product": 200, "account": 200}
#: Different texts that one file's columns are remembered by, and how long each is at most.
REMEMBERED, LONGEST = 50_000, 200


@lru_cache(maxsize=8)
def rows_of(mapping: str, header: tuple[str, ...], zone: str) -> Rows:
    """How the rows of a file are read, by the JSON of its mapping; kept from one of its parts to the next."""
    return Rows(json.loads(mapping), header, zone)


class Rows:
    """The rows of one file, and what is known of its columns' texts."""

    def __init__(self, mapping: Mapping[str, Any], header: Sequence[str], zone: str) -> None:
        self.mapping, self.header, self.zone = mapping, header, zone
        rules = mapping["records"][0]
        self.event: str = rules["event"]
        places = {column: place for place, column in enumerate(header)}
        fields: Mapping[str, Any] = rules["fields"]
        self.constants = {name: rule["constant"] for name, rule in fields.items() if "constant" in rule}
        self.columns = {name: places[rule["from"]] for name, rule in fields.items() if "from" in rule}
        self.learns = self.event.startswith("deal.") and self.event != "deal.transferred" and "deal" in self.columns
        self.order = [name for name in fields if not name.startswith("custom.")]
        self.custom = {name: name.removeprefix("custom.") for name in fields if name.startswith("custom.")}
        self.money = {name for name in self.columns if EVENTS[self.event].kind(name) == "money"}
        self.rules = fields
        #: By field, what a text says and the JSON of that.
        self.known: dict[str, dict[str | None, tuple[Any, str]]] = {name: {} for name in fields}
        self.size = 0

    def said(self, line: int, cells: Sequence[str]) -> Said | str:
        """As `files.said`."""
        found = self._known(line, cells) if self.learns else None
        if found is not None:
            return found
        read = files.said(self.mapping, self.header, line, cells, self.zone)
        if self.learns and isinstance(read, Said) and self.size < REMEMBERED:
            self._learn(cells, read.message["data"])
        return read

    def _known(self, line: int, cells: Sequence[str]) -> Said | None:
        """What a row says whose texts are all good; None where it has to be read."""
        found: dict[str, tuple[Any, str]] = {"version": (0, "0")}
        currency = self._currency(cells)
        for name, known in self.known.items():
            one = known.get(self._text(name, cells)) or self._judged(name, cells, currency)
            if one is None:
                return None
            found[name] = one
        deal: str = found["deal"][0]
        data = {"version": 0, **{name: found[name][0] for name in self.order}}
        told = {name: text for name, (_, text) in found.items() if name not in self.custom}
        if self.custom:
            data["custom"] = {short: found[name][0] for name, short in self.custom.items()}
            told["custom"] = _object({short: found[name][1] for name, short in self.custom.items()})
        text = f'["{self.event}", {_object(told)}]'
        digest = hashlib.sha256(text.encode()).hexdigest()[:24]
        return Said(line, "deal", deal, f"deal:{deal}:{digest}", {"type": self.event, "data": data})

    def _judged(self, name: str, cells: Sequence[str], currency: str) -> tuple[Any, str] | None:
        """What a text that is not known says, where that can be seen at once."""
        text = self._text(name, cells)
        if text is None:
            return None
        if name in self.money:
            if not text.strip():
                return None, "null"
            plain = READINGS["decimal"][0](text, self.rules[name], "", self.zone)
            good = plain is not None and currency in CURRENCIES and _amount(currency).fullmatch(plain)
            return (plain, f'"{plain}"') if good else None
        limit = CUSTOM_TEXT if name in self.custom else _NAMES.get(name, 0)
        as_it_stands = text.isprintable() and 0 < len(text) <= limit and text == text.strip()
        return (text, quoted(text)) if as_it_stands else None

    def _learn(self, cells: Sequence[str], data: Mapping[str, Any]) -> None:
        """The texts of a row that was accepted, and what they said."""
        for name, known in self.known.items():
            text = self._text(name, cells)
            if name != "deal" and name not in self.money and text not in known and len(text or "") <= LONGEST:
                value = data["custom"][self.custom[name]] if name in self.custom else data[name]
                known[text] = value, json.dumps(value)
                self.size += 1

    def _text(self, name: str, cells: Sequence[str]) -> str | None:
        place = self.columns.get(name)
        return None if place is None else cells[place]

    def _currency(self, cells: Sequence[str]) -> str:
        """The row's currency as far as it is known."""
        found = self.known.get("currency", {}).get(self._text("currency", cells))
        return str(found[0]) if found else ""


def _object(told: Mapping[str, str]) -> str:
    """A JSON object of its fields' JSON, as `json.dumps` writes one with sorted keys."""
    inner = ", ".join(f'"{name}": {told[name]}' for name in sorted(told))
    return f"{{{inner}}}"


@lru_cache(maxsize=64)
def _amount(currency: str) -> re.Pattern[str]:
    """Amounts that are good in a currency, whatever they are of; there are others."""
    digits = minor_digits(currency)
    return re.compile(rf"(0|[1-9][0-9]{{0,12}})(\.[0-9]{{1,{digits}}})?" if digits else r"0|[1-9][0-9]{0,12}")
