"""Texts that read like numbers, or like true and false, come out of the database as they went in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from payouts.frames import sql
from payouts.frames.sql import FEW_PEOPLE, LENGTH, VOCABULARY, read, read_numbers

EVERYBODY = list(range(FEW_PEOPLE + 1))
_TEXTS = "SELECT text, place FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS t(text, place) ORDER BY place"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "texts",
    [["007", "7", "7"], ["1.10", "1.1"], ["true", "false"], ["TRUE", "true"], ["123456789012345678.125"], ["", "1"]]
    + [["\U0010ffff", "a"], ["\U0010ffff1", "\U0010ffff"], []],
)
def test_texts_stay_texts(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_long", OrderedDict())
    for people in ([], EVERYBODY, EVERYBODY):
        found = read(_TEXTS, {"texts": texts, "people": people}, words=["text"])
        assert [found["text"].words[code] for code in found["text"].codes.tolist()] == texts
        assert set(found["text"].words) == set(texts)
        assert found["place"].tolist() == list(range(1, len(texts) + 1))


@pytest.mark.django_db
def test_what_was_read_before_is_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many people, where texts travel as their place among those that came before: others come, some come no more,
    and of many nothing is known."""
    known: list[bool] = []
    coded = sql._coded

    def noted(*arguments: Any) -> Any:
        found = coded(*arguments)
        known.append(found is not None)
        return found

    monkeypatch.setattr(sql, "_coded", noted)
    monkeypatch.setattr(sql, "_long", OrderedDict())
    many = [f"text {n:03}" for n in range(VOCABULARY + 1)]
    turns: list[tuple[list[str | None], list[bool]]] = [
        ([], []),
        ([], [True]),
        (["b", "a", "b"], [False]),
        (["b", "a", "b"] * 3000, [True]),
        (["c", None, "b"], [False]),
        (["c", "", "a"], [True]),
        (["it's", "%s %(x)s", '"'], [False]),
        (["it's", "%s %(x)s", "a", None], [True]),
        ([], [True]),
        (["a" * LENGTH], [False]),
        (["a" * LENGTH, "b"], [True]),
        ([*many], [False]),
        (["a"], []),
        (["a"], []),
    ]
    for texts, tried in turns:
        known.clear()
        found = read(_TEXTS, {"texts": texts, "people": EVERYBODY}, words=["text"])
        assert [found["text"].words[code] for code in found["text"].codes.tolist()] == [text or "" for text in texts]
        assert found["text"].words == tuple(sorted({text or "" for text in texts}))
        assert found["text"].codes.dtype == found["place"].dtype == "int64"
        assert found["place"].tolist() == list(range(1, len(texts) + 1))
        assert known == tried, texts[:3]
    monkeypatch.setattr(sql, "_long", OrderedDict())
    for text in ("a" * (LENGTH + 1), "a"):
        known.clear()
        read(_TEXTS, {"texts": [text], "people": EVERYBODY}, words=["text"])
        assert not known, "a long text is not kept, nor looked for again"


@pytest.mark.django_db
def test_what_was_read_before_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_long", OrderedDict())
    read(_TEXTS, {"texts": ["a"], "people": EVERYBODY}, words=["text"])
    [known] = sql._long.values()
    assert known.columns == {"text": ("a",), "place": None}
    known.until = 0.0
    read(_TEXTS, {"texts": ["b"], "people": EVERYBODY}, words=["text"])
    [known] = sql._long.values()
    assert known.columns == {"text": ("b",), "place": None}


@pytest.mark.django_db
@pytest.mark.parametrize("numbers", ["NULL::bigint", "1::int", "CASE WHEN place > 9 THEN 1 END::bigint"])
def test_what_is_no_whole_number_is_refused(numbers: str) -> None:
    """Their bytes would be read as those of others."""
    query = f"SELECT {numbers}, place FROM generate_series(1::bigint, 19) AS t(place)"
    with pytest.raises(ValueError, match="holds something else than whole numbers"):
        read_numbers(query, {"people": EVERYBODY}, ["number", "place"])
