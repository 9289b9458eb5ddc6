"""Whatever bytes come, a source answers with values: items, changes or problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comp.core.errors import Problem
from crediting.intake.facts import Event
from crediting.intake.reading import is_clean
from crediting.intake.source import Call, Change, Gap, Item, Proven, Refused, Source
from crediting.intake.sources import SOURCES
from tests.unit.intake.calls import NOW, ORGANIZATION, OUR_SECRET, RAW_SECRET, SIGNED, URL, WINDOW, samples

HOSTILE = [
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"null",
    b"true",
    b"0",
    b"1e999",
    b"NaN",
    b"[NaN]",
    b"-Infinity",
    b'"text"',
    b"[]",
    b"{}",
    b"[[]]",
    b"[{}]",
    b"[null]",
    b"{",
    b"[" * 100_000,
    b"[" * 900 + b"]" * 900,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"a":1,"a":2}',
    b'{"a":"\\u0000"}',
    b'{"a":"\\ud800"}',
    b'{"\\ud800":1}',
    b'{"a":"\xc3\x28"}',
    b"[" + b"1" * 5000 + b"]",
    b"[" + b",".join([b"{}"] * 5000) + b"]",
    b'{"batch":[' + b",".join([b"{}"] * 5000) + b"]}",
    b'{"batch":7}',
    b'{"batch":[[[]]]}',
    b"{'a':1}",
    b'{"a":1}{"b":2}',
    b"a=1&b=2",
    b"x" * 1_100_000,
    b"<",
    b"<a/>",
    b"<a>" * 50_000,
    b"<?xml version='1.0' encoding='utf-16'?><a/>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b'<a xmlns="\x01"/>',
    b"<a>\xff</a>",
    b"<a><![CDATA[" + b"]" * 1000 + b"]]></a>",
    b"\xef\xbb\xbf  \r\n<a/>",
]
#: What each value of a recorded call is replaced by.
WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    "",
    " ",
    "\x00",
    "\ud800",
    "é" * 300,
    "x" * 20_000,
    [],
    {},
    [[]],
    {"a": 1},
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


def holds(source: Source, body: bytes) -> None:
    """Items and what is read of them are of the contract's types, and can be kept in a database."""
    items = source.items(body)
    assert items is None or isinstance(items, list | Problem)
    for item in items if isinstance(items, list) else [Item("whole", body)]:
        assert len(item.sender_id) <= 200
        assert item.sender_id or source.name == "api", "those who call the API need give no ids"
        assert item.sender_id.isascii()
        assert item.sender_id.isprintable()
        found = source.read(item.body)
        if isinstance(found, Event):
            continue
        assert isinstance(found, list | tuple)
        for one in found:
            if isinstance(one, Problem):
                json.dumps([one.path, one.found, one.allowed, one.message]).encode()
                assert is_clean(one.message.replace("\n", " ")), one
            elif isinstance(one, Gap):
                assert one.object and one.id and one.at.tzinfo is not None
            else:
                assert isinstance(one, Change)
                assert one.object
                assert one.id
                assert one.at.tzinfo is not None
                text = json.dumps(dict(one.values), ensure_ascii=False)
                assert "\\u0000" not in text
                (text + one.object + one.id).encode()
                assert all(value is None or isinstance(value, str | bool) for value in one.values.values())


@pytest.mark.parametrize("name", SOURCES)
def test_hostile_bodies_are_values(name: str) -> None:
    assert len(HOSTILE) >= 40
    for body in HOSTILE:
        holds(SOURCES[name], body)
        signed = [SIGNED[name][1](body)] if name in SIGNED else []  # nobody posts to the others' addresses
        for call in (*signed, Call("POST", URL, {}, body)):
            found = SOURCES[name].prove(call, [RAW_SECRET, OUR_SECRET, ORGANIZATION], now=NOW, window=WINDOW)
            assert isinstance(found, Proven | Refused)


@pytest.mark.parametrize(("source", "body"), samples(), ids=lambda value: getattr(value, "name", ""))
def test_recorded_calls_with_any_one_value_replaced_are_values(source: Source, body: bytes) -> None:
    if body.startswith(b"<"):
        for cut in range(0, len(body), 7):
            holds(source, body[:cut])
            holds(source, body[:cut] + b"<>&\xff"[cut % 4 : cut % 4 + 1] + body[cut + 1 :])
        return
    document = json.loads(body)
    count = 0
    for other in variants(document):
        holds(source, json.dumps(other).encode())
        count += 1
    assert count >= 40


def variants(value: Any, depth: int = 0) -> Iterator[Any]:
    """The document with each of its values replaced, and each key taken away, one at a time."""
    if isinstance(value, dict):
        for key in value:
            yield {name: inner for name, inner in value.items() if name != key}
            for other in WRONG if depth < 3 else WRONG[:3]:
                yield {**value, key: other}
            for inner in variants(value[key], depth + 1):
                yield {**value, key: inner}
    elif isinstance(value, list):
        for place, one in enumerate(value[:2]):
            for inner in variants(one, depth + 1):
                yield [*value[:place], inner, *value[place + 1 :]]


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_raise(body: bytes) -> None:
    for source in SOURCES.values():
        holds(source, body)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=100),
    url=st.text(max_size=60),
    method=st.text(max_size=8),
    secrets=st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), max_size=3),
    headers=st.dictionaries(
        st.sampled_from(
            [
                *("x-hubspot-signature-v3", "x-hubspot-request-timestamp", "x-hubspot-signature", "stripe-signature"),
                *("x-signature", "authorization", "webhook-id", "webhook-timestamp", "webhook-signature"),
            ]
        ),
        st.text(max_size=80) | st.from_regex(r"(v1,|t=|v1=|Basic )?[0-9a-fA-F=,/+]{0,60}", fullmatch=True),
    ),
)
def test_no_headers_raise(body: bytes, url: str, method: str, secrets: list[str], headers: dict[str, str]) -> None:
    for source in SOURCES.values():
        found = source.prove(Call(method, url, headers, body), secrets, now=NOW, window=WINDOW)
        assert isinstance(found, Proven | Refused)
