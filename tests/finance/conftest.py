from __future__ import annotations

from datetime import date

import pytest

from tests.finance.cast import World, january


@pytest.fixture
def world(db: None) -> World:
    return january()


@pytest.fixture
def paying(world: World) -> World:
    """Rita is to be paid 125.50, Sam 40.00, Tom 9.99; Nora owes 12.34 back. The batch is posted."""
    for key, name, minor in (("N1", "Nora New", -12_34), ("T1", "=Tom", 9_99)):
        world.person(key, name)
        world.earn(key, f"D-{key}", minor, date(2026, 1, 15))
    world.approve(world.submit())
    return world
