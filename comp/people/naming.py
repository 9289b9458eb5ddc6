"""Finding one person in running text, and putting a pseudonym in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus


@dataclass(frozen=True, slots=True)
class Names:
    """What a person was called and written to by, ever. `name` and `email` take the place of each.

    A name of one word (Mark, April) is a word of the language too: it is taken out where it stands alone as a whole
    value, never out of a sentence. The words of a longer name also go where they stand as values of their own in one
    record (a first and a last name).
    """

    known: frozenset[str]
    addresses: frozenset[str]
    name: str
    email: str

    @classmethod
    def of(cls, names: Iterable[str], addresses: Iterable[str], *, name: str, email: str) -> Names:
        known = {" ".join(one.split()) for one in names if one.strip()} - {name}
        found = {one.strip() for one in addresses if one.strip()} - {email}
        # A user without a name is shown by the address.
        return cls(frozenset(one for one in known if "@" not in one), frozenset(found), name, email)

    def words(self) -> set[str]:
        """What every text that holds the person holds one of, large or small: to narrow the search."""
        heads = {*self.addresses, *(name.split()[-1] for name in self.known)}
        return {form for one in heads for form in _forms(one)}

    def within(self, text: str) -> bool:
        return self.cleaned(text) != text

    def cleaned(self, text: str) -> str:
        """The text without the person; the same text where it does not hold them."""
        if text in self.known:
            return self.name
        for address in self.addresses:
            for form in _forms(address):
                text = re.sub(rf"(?<![\w.+-]){re.escape(form)}(?![\w-])", self.email, text, flags=re.IGNORECASE)
        for known in self.known:
            text = self._without(text, known)
        return text

    def _without(self, text: str, known: str) -> str:
        parts = known.split()
        for form in _forms(known):
            text = text.replace(f'"{form}"', f'"{self.name}"')  # a whole value
        if len(parts) == 1:
            return text
        for spelt in (parts, [f"{parts[-1]},", *parts[:-1]]):
            for gap in (r"\s+", r"\+", "%20"):
                told = gap.join(re.escape(quote(part, safe=",") if gap == "%20" else part) for part in spelt)
                text = re.sub(rf"(?<!\w){told}(?!\w)", self.name, text, flags=re.IGNORECASE)
            escaped = r"\s+".join(re.escape(json.dumps(part)[1:-1]) for part in spelt)
            text = re.sub(rf"(?<!\w){escaped}(?!\w)", self.name, text, flags=re.IGNORECASE)
        return re.sub(r"\{[^{}]*\}", lambda found: _split(found[0], parts), text) if "{" in text else text


def _split(record: str, parts: list[str]) -> str:
    """A record of flat values without the parts of a name, where it holds the first and the last as values."""
    if f'"{parts[0]}"' not in record or f'"{parts[-1]}"' not in record:
        return record
    for part in parts:
        record = record.replace(f'"{part}"', '"erased"')
    return record


def _forms(text: str) -> list[str]:
    """How a text may be written inside another one: as it is, in JSON's ASCII, in a form's body."""
    return list(dict.fromkeys([text, json.dumps(text)[1:-1], quote(text), quote_plus(text)]))
