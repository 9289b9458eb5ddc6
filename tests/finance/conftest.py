from __future__ import annotations

import pytest

from tests.finance.cast import World, january


@pytest.fixture
def world(db: None) -> World:
    return january()
