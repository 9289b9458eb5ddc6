from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comp.core.canonical import digest
from comp.core.errors import ProblemsError
from plans.rules import load
from plans.rules.load import MAX_BYTES, line_numbers, line_of, read_yaml, to_yaml
from tests.unit.rules.documents import GOOD, LIBRARY


def refusal(text: str) -> str:
    with pytest.raises(ProblemsError) as caught:
        read_yaml(text)
    return str(caught.value)


def test_numbers_dates_and_words_stay_text() -> None:
    text = "a: 0.1\nb: 1_000\nc: 0x1F\nd: 2026-11-30\ne: yes\non: off\nf: 1e3\ng: .inf\nh: 12:30:45\ni: 010\n'1': x"
    assert read_yaml(text) == {
        "a": "0.1", "b": "1_000", "c": "0x1F", "d": "2026-11-30", "e": "yes", "on": "off", "f": "1e3", "g": ".inf",
        "h": "12:30:45", "i": "010", "1": "x",
    }  # fmt: skip


def test_true_false_and_null_are_values_and_in_quotes_texts() -> None:
    assert read_yaml("a: true\nb: false\nc: null\nd: ~\ne:\nf: 'true'\ng: \"null\"\nh: True") == {
        "a": True, "b": False, "c": None, "d": None, "e": None, "f": "true", "g": "null", "h": "True",
    }  # fmt: skip
    texts = {"a": "true", "b": "null", "c": "~", "d": "", "e": True, "f": None}
    assert read_yaml(to_yaml(texts)) == texts


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert read_yaml("<<: {a: b}") == {"<<": {"a": "b"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found nothing, allowed: a table of keys"),
        ("- a", "found a list, allowed: a table of keys"),
        ("a: b\na: c", "line 2, column 1: `a` stands twice"),
        ("x:\n  - {a: b, a: c}", "line 2, column 12: `a` stands twice"),
        ("a: &b c", "line 1, column 4: This text cannot be read: anchors and aliases are not allowed"),
        ("a: *b", "anchors and aliases are not allowed"),
        ("a: !!python/object:os.system b", "Tags are not allowed"),
        ("a: [", "line 1, column 5: This text cannot be read"),
        ("a: b: c", "line 1, column 5: This text cannot be read"),
        ("a: b\n---\nc: d", "line 2, column 1: This text cannot be read"),
        ("? [a]\n: b", "line 1, column 3: A key has to be a word; found a list"),
        ("~: b", "A key has to be a word; found '~'"),
        ('a: "\\0"', "half a character or none"),
        ('a: "\\ud800"', "half a character or none"),
        ("a: \a", "This text cannot be read"),
        ("\ud800", "This text cannot be read"),
    ],
)
def test_refuses_with_the_place(text: str, told: str) -> None:
    assert told in refusal(text)


def test_all_doubled_keys_are_told_at_once() -> None:
    assert len(refusal("a: 1\na: 2\nb: 1\nb: 2").splitlines()) == 2


def test_refuses_what_is_too_large_or_too_deep() -> None:
    assert f"at most {MAX_BYTES:,} bytes" in refusal("a: " + "b" * MAX_BYTES)
    assert f"at most {MAX_BYTES:,} bytes" in refusal("a: " + "ä" * (MAX_BYTES // 2))
    assert "line 1, column 4: This text is too long; found 10,001 characters" in refusal("a: " + "b" * 10_001)
    start = time.monotonic()
    assert "nested more than 40 levels deep" in refusal("[" * 100_000)
    assert "nested more than 40 levels deep" in refusal("a: " + "{a: " * 10_000)
    assert time.monotonic() - start < 60  # a bound on what grows with the square, not a measurement


def test_equal_plans_have_one_digest() -> None:
    text = (
        "currency: USD\ncomponents:\n  - {kind: bonus, cap: {amount: %s}, bonus: {amount: %s, at: %s, min_deal: %s}}\n"
    )
    one = read_yaml(text % ("500", "0500.0", "12.50 %", "null"))
    other = read_yaml(text % ("500.00", "500", "012.5%", "~"))
    assert digest(one) == digest(other)
    assert one["components"][0]["bonus"] == {"amount": "500.00", "at": "12.5%"}


def test_amounts_take_the_digits_of_their_currency() -> None:
    text = "currency: %s\ncomponents: [{kind: bonus, cap: {amount: 500}}]"
    amounts = {code: read_yaml(text % code)["components"][0]["cap"]["amount"] for code in ("USD", "JPY", "KWD", "XXX")}
    assert amounts == {"USD": "500.00", "JPY": "500", "KWD": "500.000", "XXX": "500"}


def test_texts_are_composed() -> None:
    assert read_yaml('name: "Cafe\\u0301"') == {"name": "Café"}


def test_exported_text_is_in_the_order_of_the_language() -> None:
    text = to_yaml(GOOD["account-executive"])
    keys = [line.split(":")[0] for line in text.splitlines() if line[0] not in " -"]
    assert " ".join(keys) == "format key name currency on_new_version rounding credit_rules components"
    assert "      - {share: 10%, on: usage, at: 25%}\n" in text
    assert "    bonus: {amount: 250.00, per: credit, min_deal: 6000.00}\n" in text


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_exporting_twice_gives_the_same_text(path: Path) -> None:
    text = to_yaml(read_yaml(path.read_text()))
    assert to_yaml(read_yaml(text)) == text


def test_a_path_has_its_line() -> None:
    text = "name: A\ncomponents:\n  - key: a\n    tiers:\n      rates:\n        - {from: 0%, rate: 1%}\n"
    lines = line_numbers(text)
    assert line_of("components[0].tiers.rates[0].rate", lines) == 6
    assert line_of("components[0].tiers.boundary", lines) == 4
    assert line_of("components[0].key", lines) == 3
    assert line_of("currency", lines) == 1


def both_ways(text: str, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What becomes of a text by libyaml's events and without them."""
    found: list[object] = []
    for events in (load._Events, None):
        with monkeypatch.context() as patch:
            patch.setattr(load, "_Events", events)
            try:
                found.append((read_yaml(text), line_numbers(text)))
            except ProblemsError as error:
                found.append(str(error))
    return found


@pytest.mark.parametrize(
    "text",
    [
        *("a:\tb", "a: b\t", "a: b\tc", "a: [x,\ty]", "a: {x:\t1}", "a:\t# c", "---\ta", "a: b\n\tc", "a: |\t\n  b"),
        *(
            "a: |#c\n  b",
            "a: >-#c\n  b",
            "a: [x?, y]",
            "? a\n: b",
            "a: {? b}",
            'a: "\\U00110000"',
            "a: \x85b",
            "a: \u2028b",
        ),
        *(
            "\ufeffa: b",
            "a: b\r\nc: d\re: f",
            "%YAML 1.1\n---\na: b",
            "%YAML 2.0\n---\na: b",
            "%TAG ! x\n---\na: b",
            "a: @b",
        ),
    ],
)
def test_a_text_says_the_same_however_it_is_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, plain = both_ways(text, monkeypatch)
    assert quick == plain


ODD = st.lists(
    st.sampled_from(
        [*"ab:-,[]{}#&*!|>'\"%@`?~ \n\t\\0.=<", "\n  ", ": ", "- ", "a: b\n", " #", "\x85", "\u2028", "\ufeff", "é"]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ODD.map(lambda odd: f"a: b\nc: {odd}\nd: e\n"))
def test_odd_texts_say_the_same_however_they_are_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, plain = both_ways(text, monkeypatch)
    assert quick == plain


@pytest.mark.parametrize("path", sorted(Path("tests/plans").glob("*.yaml"))[::40], ids=lambda path: path.stem)
def test_cases_say_the_same_however_they_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, plain = both_ways(path.read_text(encoding="utf-8"), monkeypatch)
    assert quick == plain
