"""From a source's words to what they mean here: a mapping first, else the key, else an address or a name that only one
has.

Looked up once for a whole drain, by the words that occur in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Model, Q

from comp.people.models import CreditRole, Participant
from crediting.models import Account, Product, SourceMapping

Kind = SourceMapping.Kind
#: (endpoint, kind, the source's word)
Word = tuple[int, str, str]


class Names:
    """What each of `words` means: `get` gives an id (a role's key, a sector's text), or None for a question."""

    def __init__(self, words: Iterable[Word]) -> None:
        asked = set(words)
        mapped = SourceMapping.objects.filter(
            endpoint_id__in={w[0] for w in asked}, kind__in={w[1] for w in asked}, value__in={w[2] for w in asked}
        ).values_list("endpoint_id", "kind", "value", "target")
        self.mapped: dict[Word, str] = {(endpoint, kind, value): target for endpoint, kind, value, target in mapped}
        sought: dict[str, set[str]] = defaultdict(set)
        for word in asked:
            sought[word[1]] |= {word[2], self.mapped.get(word, word[2])} - {""}
        self.found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
            Kind.OWNER: _look_up(Participant, sought[Kind.OWNER], "email", "name"),
            Kind.PRODUCT: _look_up(Product, sought[Kind.PRODUCT], "name"),
            Kind.ACCOUNT: _look_up(Account, sought[Kind.ACCOUNT], "name"),
            Kind.ROLE: ({key: key for key in _look_up(CreditRole, sought[Kind.ROLE])[0]}, {}),
            Kind.SECTOR: ({}, _sectors(sought[Kind.SECTOR])),
        }

    def get(self, endpoint: int, kind: str, word: str) -> Any:
        keys, names = self.found[kind]
        target = self.mapped.get((endpoint, kind, word))
        if target is not None:
            return target if kind == Kind.SECTOR else keys.get(target)
        return keys.get(word) or names.get(word)

    def keys_of_accounts(self) -> dict[int, str]:
        """The keys of the accounts that were found, by id."""
        ids = {pk for found in self.found[Kind.ACCOUNT] for pk in found.values()}
        return dict(Account.objects.filter(id__in=ids).values_list("id", "key"))


def _look_up(model: type[Model], words: set[str], *others: str) -> tuple[dict[str, int], dict[str, int]]:
    """Ids by key, and ids by the other columns where no two rows share the text."""
    if not words:
        return {}, {}
    wanted = Q(key__in=words)
    for other in others:
        wanted |= Q(**{f"{other}__in": words})
    keys: dict[str, int] = {}
    texts: dict[str, set[int]] = defaultdict(set)
    for pk, key, *rest in model._default_manager.filter(wanted).values_list("id", "key", *others):
        keys[key] = pk
        for text in rest:
            texts[text].add(pk)
    return keys, {text: next(iter(ids)) for text, ids in texts.items() if text and len(ids) == 1}


def _sectors(words: set[str]) -> dict[str, str]:
    """A sector is known when an account has it or a mapping gives it. An event alone never makes one: a misspelling
    would become one."""
    if not words:
        return {}
    known = set(Account.objects.filter(sector__in=words).values_list("sector", flat=True))
    known |= set(
        SourceMapping.objects.filter(kind=Kind.SECTOR, target__in=words).values_list("target", flat=True).distinct()
    )
    return {word: word for word in known}
