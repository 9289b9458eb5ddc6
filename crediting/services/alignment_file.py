"""The rows of an alignment as people write them, by a file or over the API, to rules; and all that is wrong with them.

Columns: `role`, then any of `account`, `country`, `state`, `postal` (the beginning of a code), `product`, `family`,
then `participant` (an employee number) or `position`, then `from` and `until` (the first day after; empty: open).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comp.core.days import DayError, parse_day
from comp.core.errors import Problem
from comp.people.models import CreditRole, Participant
from crediting.kernel.alignment import Rule, plain, plain_postal, ties
from crediting.models import Account, AlignmentRule, Product

COLUMNS = (
    *("role", "account", "country", "state", "postal", "product", "family"),
    *("participant", "position", "from", "until"),
)
NEEDED = ("role", "from")
#: More is for a company that Comp is not for.
ROWS = 20_000
_LIMITS = {"country": 80, "state": 80, "postal": 20, "family": 80, "position": 120}
#: Years in which a rule can start or end.
_YEARS = range(1990, 2100)

#: A row: the line of its file (or its place in a call), and a text for each column that is stated.
Given = tuple[int, Mapping[str, str]]


def rules_read(rows: Sequence[Given]) -> tuple[list[AlignmentRule], list[tuple[int, Problem]]]:
    """The rules, unsaved; and what is wrong, each with its line. Ties of two rules are among it."""
    known = {
        "role": {row.key: row.key for row in CreditRole.objects.all()},
        "account": _ids(Account, rows, "account"),
        "product": _ids(Product, rows, "product"),
        "participant": _ids(Participant, rows, "participant"),
    }
    rules: list[AlignmentRule] = []
    wrong: list[tuple[int, Problem]] = []
    for line, given in rows:
        problems: list[Problem] = []
        rule = _rule(line, {name: given.get(name, "").strip() for name in COLUMNS}, known, problems)
        wrong += [(line, problem) for problem in problems]
        if not problems:
            rules.append(rule)
    for one, other in ties([rule_of(rule) for rule in rules]):
        message = f"Line {one.line} names exactly the same for {one.role} on days that both hold."
        allowed = "days that do not overlap, or a rule that names more"
        wrong.append((other.line, _problem("from", str(other.starts_on), allowed, message)))
    return rules, sorted(wrong, key=lambda one: one[0])


def rule_of(row: AlignmentRule) -> Rule:
    """A stored rule as deals are held against it."""
    return Rule(
        row.line, row.role, row.account_id, plain(row.country), plain(row.state), row.postal, row.product_id,
        plain(row.family), row.participant_id, row.position, row.starts_on, row.ends_on,
    )  # fmt: skip


def _ids(model: type[Any], rows: Sequence[Given], column: str) -> dict[str, Any]:
    keys = {given.get(column, "").strip() for _, given in rows} - {""}
    return dict(model._default_manager.filter(key__in=keys).values_list("key", "id"))


def _rule(
    line: int, given: Mapping[str, str], known: Mapping[str, Mapping[str, Any]], problems: list[Problem]
) -> AlignmentRule:
    found: dict[str, Any] = {}
    for name in ("role", "account", "product", "participant"):
        key = given[name]
        found[name] = known[name].get(key) if key else None
        if key and found[name] is None:
            allowed = ", ".join(sorted(known[name])) if name == "role" else f"the key of a known {name}"
            problems.append(_problem(name, key, allowed or "none is known yet", f"There is no {name} {key} here."))
    for name, most in _LIMITS.items():
        if len(given[name]) > most:
            problems.append(_problem(name, given[name][:80], f"at most {most} characters", f"The {name} is too long."))
    starts_on, ends_on = (_day(given, name, problems) for name in ("from", "until"))
    if starts_on and ends_on and ends_on <= starts_on:
        problems.append(_problem("until", given["until"], f"a day after {starts_on}", "A rule ends after it starts."))
    for name in NEEDED:
        if not given[name]:
            problems.append(_problem(name, "nothing", f"a {name}", f"A rule has to state {name}."))
    if bool(given["participant"]) == bool(given["position"]):
        both = "both" if given["participant"] else "nothing"
        message = "A rule names whose the deals are: a participant or a position."
        problems.append(_problem("participant", both, "a participant or a position", message))
    if (given["state"] or given["postal"]) and not given["country"]:
        message = "A state or a postal code is one of a country; name it too."
        problems.append(_problem("country", "nothing", "a country", message))
    if given["product"] and given["family"]:
        message = "A product has its family; name one of the two."
        problems.append(_problem("family", given["family"], "a product or a family", message))
    return AlignmentRule(
        line=line, role=found["role"] or "", account_id=found["account"], country=given["country"],
        state=given["state"], postal=plain_postal(given["postal"]), product_id=found["product"], family=given["family"],
        participant_id=found["participant"], position=given["position"], starts_on=starts_on, ends_on=ends_on,
    )  # fmt: skip


def _day(given: Mapping[str, str], name: str, problems: list[Problem]) -> Any:
    text = given[name]
    if not text:
        return None
    try:
        day = parse_day(text)
        if day.year in _YEARS:
            return day
    except DayError:
        pass
    allowed = f"a day YYYY-MM-DD of the years {_YEARS[0]} to {_YEARS[-1]}"
    problems.append(_problem(name, text[:80], allowed, f"{text[:40]!r} is no day that a rule can have."))
    return None


def _problem(column: str, found: str, allowed: str, message: str) -> Problem:
    return Problem(column, found, allowed[:500], message)
