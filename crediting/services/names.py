"""From a source's words to what they mean here: a mapping first, else the key, else an address or a name that only one
has.

Looked up once for a whole drain, by the words that occur in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from comp.tenancy.rows import rows_read
from crediting.models import Account, SourceMapping

Kind = SourceMapping.Kind
#: (endpoint, kind, the source's word)
Word = tuple[int, str, str]


class Names:
    """What each of `words` means: `get` gives an id (a role's key, a sector's text), or None for a question."""

    def __init__(self, words: Iterable[Word]) -> None:
        asked = set(words)
        columns = [list(column) for column in zip(*asked, strict=True)] or [[], [], []]
        mapped = rows_read(_MAPPED, columns) if asked else []
        self.mapped: dict[Word, str] = {(endpoint, kind, value): target for endpoint, kind, value, target in mapped}
        sought: dict[str, set[str]] = defaultdict(set)
        for word in asked:
            sought[word[1]] |= {word[2], self.mapped.get(word, word[2])} - {""}
        self.found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = _look_up(sought)
        self.found[Kind.ROLE] = {key: key for key in self.found[Kind.ROLE][0]}, {}
        self.found[Kind.SECTOR] = {}, _sectors(sought[Kind.SECTOR])

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


_MAPPED = """
SELECT endpoint_id, kind, value, target FROM crediting_sourcemapping
WHERE endpoint_id = ANY(%s::bigint[]) AND kind = ANY(%s::text[]) AND value = ANY(%s::text[])
"""
#: By kind: id, key and the other texts of what may be meant. Names of people have no index: each person's are looked up
#: among the words, where a kept plan would compare them with every word.
_MEANT: dict[str, str] = {
    Kind.OWNER: """
SELECT 'owner', id, key, email, name FROM people_participant
WHERE key IN (SELECT unnest(%(owner)s::text[])) OR email IN (SELECT unnest(%(owner)s::text[]))
    OR name IN (SELECT unnest(%(owner)s::text[]))
""",
    Kind.PRODUCT: """
SELECT 'product', id, key, name, '' FROM crediting_product
WHERE key = ANY(%(product)s::text[]) OR name = ANY(%(product)s::text[])
""",
    Kind.ACCOUNT: """
SELECT 'account', id, key, name, '' FROM crediting_account
WHERE key = ANY(%(account)s::text[]) OR name = ANY(%(account)s::text[])
""",
    Kind.ROLE: "SELECT 'role', id, key, '', '' FROM people_creditrole WHERE key = ANY(%(role)s::text[])",
}


def _look_up(sought: Mapping[str, set[str]]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By kind, ids by key, and ids by the other texts where no two rows share one. One query for all kinds: every
    delivery goes this way."""
    words = {str(kind): sorted(sought[kind]) for kind in _MEANT if sought.get(kind)}
    ways = [sql for kind, sql in _MEANT.items() if kind in words]
    keys: dict[str, dict[str, int]] = {kind: {} for kind in _MEANT}
    texts: dict[str, dict[str, set[int]]] = {kind: defaultdict(set) for kind in _MEANT}
    for kind, pk, key, *rest in rows_read(" UNION ALL ".join(ways), words) if ways else ():
        keys[kind][key] = pk
        for text in filter(None, rest):
            texts[kind][text].add(pk)
    return {
        kind: (keys[kind], {text: next(iter(ids)) for text, ids in texts[kind].items() if len(ids) == 1})
        for kind in _MEANT
    }


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
