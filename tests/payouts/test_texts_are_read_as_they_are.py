"""Texts that read like numbers, or like true and false, come out of the database as they went in."""

from __future__ import annotations

import pytest

from payouts.frames.sql import read


@pytest.mark.django_db
@pytest.mark.parametrize(
    "texts",
    [["007", "7", "7"], ["1.10", "1.1"], ["true", "false"], ["TRUE", "true"], ["123456789012345678.125"], ["", "1"]]
    + [["\U0010ffff", "a"], ["\U0010ffff1", "\U0010ffff"], []],
)
def test_texts_stay_texts(texts: list[str]) -> None:
    found = read("SELECT text, 1::bigint AS one FROM unnest(%(texts)s::text[]) text", {"texts": texts}, words=["text"])
    assert [found["text"].words[code] for code in found["text"].codes.tolist()] == texts
    assert set(found["text"].words) == set(texts)
    assert found["one"].tolist() == [1] * len(texts)
