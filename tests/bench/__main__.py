"""`python -m tests.bench`: measures, prints a table and writes bench.json. Exit status 1 when a goal is missed."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from tests.bench import bulk, growth, hooks, kernel, payouts, recompute, scale
from tests.bench.ground import ground
from tests.bench.report import Report

HOOKS: dict[str, Any] = {
    "people": 200,
    "crowd": 1_000,
    "deals": 6_000,
    "accept_seconds": 5,
    "samples": 3,
    "seconds": 60,
    "sustained": 300,
    "sustained_seconds": 120,
    "rung_seconds": 20,
    "ladder": (50, 100, 150, 200, 250, 300, 400, 500, 600, 800),
}
QUICK_HOOKS: dict[str, Any] = {
    "people": 4,
    "crowd": 6,
    "deals": 60,
    "accept_seconds": 0.2,
    "samples": 1,
    "seconds": 1,
    "sustained": 20,
    "sustained_seconds": 1,
    "rung_seconds": 1,
    "ladder": (10, 20),
}
KERNEL: dict[str, Any] = {"scale": 1, "samples": 5}
QUICK_KERNEL: dict[str, Any] = {"scale": 0.005, "samples": 1}
RECOMPUTE = {"deals": 1_000_000, "people": 500}
QUICK_RECOMPUTE = {"deals": 6_000, "people": 20}
BULK = {"rows": 1_000_000, "people": 200, "accounts": 200}
QUICK_BULK = {"rows": 1_000, "people": 4, "accounts": 10}
PAYOUTS = {"people": 5_000, "lines": 500_000, "samples": 6}
QUICK_PAYOUTS = {"people": 12, "lines": 2_400, "samples": 1}
GROWTH = {"people": 40, "small": 10_000, "large": 5_000_000, "quarter": 2_000, "samples": 40}
SCALE = {"companies": 8, "people": 40, "events": 1_000}
QUICK_SCALE = {"companies": 2, "people": 4, "events": 20}
QUICK_GROWTH = {"people": 4, "small": 200, "large": 2_000, "quarter": 100, "samples": 2}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="a little of everything: shows that it runs, no more")
    parser.add_argument(
        "--only",
        choices=["hooks", "kernel", "recompute", "bulk", "payouts", "growth", "scale"],
        help="one part alone",
    )
    parser.add_argument("--rounds", type=int, default=2, help="of the full recomputation")
    parser.add_argument("--rows", type=int, help="of the file that is uploaded; 1,000,000 where left out")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--history", type=int, help="facts of the longer history, where disk or time is short")
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))  # the servers are stopped on the way out
    report = Report(quick=given.quick)
    if given.only in (None, "kernel"):
        # First: nothing else runs yet, and no server takes memory.
        kernel.measure(report, **(QUICK_KERNEL if given.quick else KERNEL))
    if given.only != "kernel":
        with ground(report) as place:
            if given.only in (None, "hooks"):
                size = QUICK_HOOKS if given.quick else HOOKS
                hooks.measure(place, report, **size)
            if given.only in (None, "growth"):
                size = QUICK_GROWTH if given.quick else GROWTH
                growth.measure(place, report, **{**size, "large": given.history or size["large"]})
            if given.only in (None, "recompute"):
                size = QUICK_RECOMPUTE if given.quick else RECOMPUTE
                recompute.measure(place, report, **size, rounds=1 if given.quick else given.rounds)
            if given.only in (None, "bulk"):
                size = QUICK_BULK if given.quick else BULK
                bulk.measure(place, report, **{**size, **({"rows": given.rows} if given.rows else {})})
            if given.only in (None, "payouts"):
                payouts.measure(place, report, **(QUICK_PAYOUTS if given.quick else PAYOUTS))
            if given.only in (None, "scale"):
                # Last: for the two hosts PostgreSQL is started anew.
                scale.measure(place, report, **(QUICK_SCALE if given.quick else SCALE))
    report.write(given.out)
    print(f"\n{report.table()}\n\nWritten to {given.out}; machine and stages stand there too.")
    missed = any(figure.ok is False for figure in report.figures)
    return 1 if missed and not given.quick else 0


if __name__ == "__main__":
    sys.exit(main())
