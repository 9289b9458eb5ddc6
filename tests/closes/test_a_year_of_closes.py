"""Each story of twelve closes pays, posts and leaves balances as the accountant wrote down beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.closes.story import months, replayed, story

STORIES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_year_of_closes(path: Path) -> None:
    told = story(path)
    wrong = [problem for step in told.document["steps"] for problem in told.tell(step)]
    assert wrong == []
    assert months(told.document) == 12
    assert replayed(told) == []
