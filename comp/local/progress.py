"""Timed progress lines: "[3/8] database: migrations ... 2.1 s"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

STEPS = 8


@contextmanager
def step(number: int, what: str) -> Iterator[None]:
    """Print what begins, and how long it took when it ends well; an error's own message takes its place."""
    print(f"[{number}/{STEPS}] {what} ... ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)
