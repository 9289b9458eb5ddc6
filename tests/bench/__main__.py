"""`python -m tests.bench`: measures, prints a table and writes bench.json. Exit status 1 when a goal is missed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench import recompute
from tests.bench.ground import ground
from tests.bench.report import Report


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="a fiftieth of everything: shows that it runs, no more")
    parser.add_argument("--only", choices=["hooks", "recompute"], help="one part alone")
    parser.add_argument("--rounds", type=int, default=3, help="of the full recomputation")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    given = parser.parse_args()
    report = Report(quick=given.quick)
    with ground(report) as place:
        if given.only != "hooks":
            if given.quick:
                recompute.measure(place, report, deals=20_000, people=40, rounds=1)
            else:
                recompute.measure(place, report, deals=1_000_000, people=1_000, rounds=given.rounds)
    report.write(given.out)
    print(f"\n{report.table()}\n\nWritten to {given.out}; machine and stages stand there too.")
    return 0 if all(figure.ok is not False for figure in report.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
