"""YAML text in, plan document out, and back.

A small YAML: tables, lists, texts, `true`, `false` and `null`. Numbers and dates stay the text that was written, so
nothing passes through a float; `on`, `yes` and `no` are words. Refused with the place: keys given twice, anchors and
aliases, tags, more than 256 KiB, texts of more than 10,000 characters, more than 40 levels.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from comp.core.errors import Problem, ProblemsError
from plans.rules.look import join
from plans.rules.normal import normalise
from plans.rules.values import Document

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_TEXT = 10_000

#: libyaml's events, where it was there when PyYAML was built.
_Events: Any = getattr(getattr(yaml, "cyaml", None), "CParser", None)
#: The order of keys in exported text: that of docs/plan-language.md. Other keys follow, by name.
KEY_ORDER = """
    format key name clause kind currency on_new_version rounding fields computed proration employment currencies
    credit_rules components order draw draws recovery clawback_limit holdback
    fact class when all any none field op value eligible eligible_on hold credit_date amount per min_deal excess credit
    roll_up
    credits classes roles reads what of depth component measure every window periods by weight part
    quota fixed incentive missing_incentive ramp missing_quota zero_quota below_zero
    tiers table curve scorecard pool rank accelerator bonus combine each modifiers kickers limits
    counterpart terms minimum cap caps budget gates release clawback amortise
    role share split on at read_at at_least until_known catch_up effect mode step method first_day last_day empty
    attribution axis pays boundary below beyond full_points columns points dimensions cells
    rates bands from rate times per_unit back to levels limit overrides for set settlement settle_in amounts_rate
    negative examples
"""
_RANK = {key: rank for rank, key in enumerate(KEY_ORDER.split())}


def read_yaml(text: str, what: str = "plan") -> Document:
    """The document in normal form (see `normalise`); what it says is for `check` to judge. Raises `ProblemsError`.
    `what` it should be, a plan or a case, is what a text is told that is no table."""
    result: Document = normalise(read_table(text, what))
    return result


def read_table(text: str, what: str) -> Document:
    """The table that a text of `what` holds, as it is written. Raises `ProblemsError`."""
    size = len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        raise _refused("", f"{size:,} bytes", f"at most {MAX_BYTES:,} bytes", "The text is too long")
    try:
        node = _node(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _unreadable(_place(mark), " ".join(part for part in (error.context, error.problem) if part)) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape that names no character
        raise _unreadable("", " ".join(str(error).split())) from None
    if not isinstance(node, yaml.MappingNode):
        found = "nothing" if node is None else _kind(node)
        message = f"A {what} is a table that starts with `format: comp/{what}/1`"
        raise _refused("line 1", found, "a table of keys", message)
    problems: list[Problem] = []
    document: Document = _value(node, problems)
    if problems:
        raise ProblemsError(problems)
    return document


def line_numbers(text: str) -> dict[str, int]:
    """The line on which each path of `check` stands in a text that `read_yaml` takes, for an editor to point at."""
    lines: dict[str, int] = {}
    node = _node(text)
    if node is not None:
        _number(node, "", lines)
    return lines


def line_of(path: str, lines: dict[str, int]) -> int | None:
    """The line of a path, or of the nearest table around it (a missing key stands nowhere)."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path)


def to_yaml(document: Document) -> str:
    """The document as YAML with its keys in the order of docs/plan-language.md. Reading it gives an equal document."""
    return yaml.dump(
        _ordered(normalise(document)),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=110,
    )


class _Composer(Composer):
    """Composes nodes only; refuses what would let a small text become a large document."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[attr-defined]
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed: write it out", problem_mark=mark)
        if self.depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} levels deep", problem_mark=mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Loader(_Composer, yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}


class _QuickLoader(_Composer, Resolver):
    """The same with the events of libyaml, which takes a ninth of the time."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def __init__(self, text: str) -> None:
        Composer.__init__(self)
        Resolver.__init__(self)
        events = _Events(text)
        self.check_event, self.peek_event, self.get_event = events.check_event, events.peek_event, events.get_event


#: Where libyaml judges otherwise than the other reader, by place: tabs and other white space, marks of YAML that a plan
#: does not need, and what follows the mark of a block.
_ONE_READER = re.compile("[\\t\\r\\x85\\u2028\\u2029\\ufeff?!@`&*]|^[%]|[|>][^\\n]*#", re.MULTILINE)


def _node(text: str) -> yaml.Node | None:
    """What the text holds. What is wrong with one, and what the two readers judge otherwise, is said by one of them
    alone, so that a document does not differ by how PyYAML was built."""
    if _Events is not None and not _ONE_READER.search(text):
        try:
            return _QuickLoader(text).get_single_node()
        except (yaml.YAMLError, UnicodeError):
            pass
    return _Loader(text).get_single_node()


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Rare line breaks and control characters survive only as escapes in double quotes.
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


for _class in (_Loader, _QuickLoader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf"))
    _class.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:null|~|)\Z"), ["n", "~", ""])

_Dumper.add_representer(str, _Dumper.represent_str)

_TAGS = {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:seq",
}


def _value(node: yaml.Node, problems: list[Problem]) -> Any:
    if node.tag not in _TAGS:
        problems.append(_problem(_place(node.start_mark), f"the tag {node.tag}", "no tags", "Tags are not allowed"))
        return None
    if isinstance(node, yaml.MappingNode):
        return _table(node, problems)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, problems) for item in node.value]
    text = str(node.value)
    if len(text) > MAX_TEXT:
        found, allowed = f"{len(text):,} characters", f"at most {MAX_TEXT:,}"
        problems.append(_problem(_place(node.start_mark), found, allowed, "This text is too long"))
        return None
    if node.tag.endswith(":null"):
        return None
    if node.tag.endswith(":bool"):
        return text == "true"
    if "\0" in text or any(unicodedata.category(character) == "Cs" for character in text):
        problems.append(_problem(_place(node.start_mark), repr(text), "text", "This holds half a character or none"))
    return text


def _table(node: yaml.MappingNode, problems: list[Problem]) -> Document:
    table: Document = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        place = _place(key_node.start_mark)
        key = _value(key_node, problems)
        if not isinstance(key, str):
            problems.append(_problem(place, _kind(key_node), "a word", "A key has to be a word"))
            continue
        line = key_node.start_mark.line + 1
        if key in lines:
            found = f"`{key}` again, first on line {lines[key]}"
            problems.append(_problem(place, found, "each key once", f"`{key}` stands twice in one table"))
        lines.setdefault(key, line)
        table[key] = _value(value_node, problems)
    return table


def _number(node: yaml.Node, path: str, lines: dict[str, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = join(path, str(key_node.value))
            lines[key] = key_node.start_mark.line + 1
            _number(value_node, key, lines)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            _number(item, join(path, place), lines)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (_RANK.get(key, len(_RANK)), key))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    # A whole number is dumped as its text: the reader knows no number tag.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a table"
    return "a list" if isinstance(node, yaml.SequenceNode) else repr(node.value)


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _problem(path: str, found: str, allowed: str, message: str) -> Problem:
    return Problem(path, found, allowed, f"{message}; found {found}, allowed: {allowed}.")


def _unreadable(path: str, found: str) -> ProblemsError:
    return ProblemsError([Problem(path, found, "plain YAML", f"This text cannot be read: {found}.")])


def _refused(path: str, found: str, allowed: str, message: str) -> ProblemsError:
    return ProblemsError([_problem(path, found, allowed, message)])
