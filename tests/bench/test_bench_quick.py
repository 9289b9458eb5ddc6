"""The benchmark runs and says what it measured. Never how fast: a busy machine must not fail a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from comp.local.digests import CHECKOUT

NAMES = {
    "kernel_marginal_credits_per_s": "1/s",
    "kernel_bytes_per_credit": "B",
    "kernel_vs_oracle": "x",
    "kernel_everything_credits_per_s": "1/s",
    "kernel_single_cell_ms": "ms",
    "kernel_simulation_s": "s",
    "kernel_growth_exponent": "",
    "full_recompute_vs_copy_floor": "x",
    "full_recompute_vs_sql": "x",
    "full_recompute_vs_sql_by_heart": "x",
    "webhook_accept_per_s": "1/s",
    "idle_event_p50_ms": "ms",
    "sustained_300_p99_ms": "ms",
    "max_sustained_events_per_s": "1/s",
    "event_to_figure_p50_ms": "ms",
    "event_to_figure_p99_ms": "ms",
    "bulk_facts_per_s": "rows/s",
    "bulk_vs_copy_floor": "x",
    "history_growth_ratio": "x",
    "approval_page_ms": "ms",
    "posting_lines_per_s": "lines/s",
    "scale_1_workers_events_per_s": "1/s",
    "scale_2_workers_events_per_s": "1/s",
    "scale_4_workers_events_per_s": "1/s",
}
#: Measured where network namespaces can be made.
WHERE_POSSIBLE = {"scale_two_hosts_events_per_s": "1/s"}


def test_a_quick_run_writes_every_figure(tmp_path: Path, made_before: dict[str, str]) -> None:
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--out", str(out)],
        cwd=CHECKOUT,
        env={**os.environ, **made_before, "COMP_BENCH_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=1800,  # for a machine that does much else
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    units = {name: figure["unit"] for name, figure in found["figures"].items()}
    assert NAMES.items() <= units.items() <= (NAMES | WHERE_POSSIBLE).items()
    for name, figure in found["figures"].items():
        # On a busy machine no rate of events may be kept in time.
        assert figure["value"] > 0 or name == "max_sustained_events_per_s", name
        assert figure["spread"]["min"] <= figure["spread"]["max"], name
        assert name in done.stdout, "the table shows it"
    assert {"date", "quick", "seconds", "machine", "details"} <= found.keys()
    assert not (tmp_path / "data").exists(), "servers and data are gone"
