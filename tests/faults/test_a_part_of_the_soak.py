"""A seeded part of `make soak`: real servers and processes, killed under load, end with the figures of an undisturbed
run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from comp.local.digests import CHECKOUT

FAULTS = ("worker child killed", "Redis killed", "PostgreSQL crashed", "three times", "beside single deals")


def test_killed_and_repeated_it_ends_as_if_nothing_had_been(tmp_path: Path, made_before: dict[str, str]) -> None:
    seed = os.environ.get("SOAK_SEED") or str(random.SystemRandom().randrange(10**6))
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--quick", "--seed", seed, "--only", "|".join(FAULTS)],
        cwd=CHECKOUT,
        env={**os.environ, **made_before, "COMP_BENCH_DATA": str(tmp_path / "soak")},
        capture_output=True,
        text=True,
        timeout=1800,  # for a machine that does much else
    )
    print(done.stdout)  # the seed stands there: SOAK_SEED has the same run again
    assert done.returncode == 0, done.stdout + done.stderr
    runs = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert [run[1].strip() for run in runs] == [
        "undisturbed",
        "worker child killed",
        "Redis killed",
        "PostgreSQL crashed",
        "every delivery three times, shuffled",
        "a plan over a year, beside single deals",
    ]
    assert all(int(run[2]) > 0 for run in runs[1:]), "each fault was injected"
    assert {run[-2].strip() for run in runs} == {"equal"}
    assert f"seed {seed}" in done.stdout
