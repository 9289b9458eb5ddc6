"""What was measured: figures by name, the table that people read and the file that later runs compare with."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and the samples that show its spread; `goal` is the bound that `ok` was judged by, None where it is
    reported only."""

    name: str
    unit: str
    value: float
    samples: tuple[float, ...]
    goal: str | None = None
    ok: bool | None = None
    note: str = ""

    def shown(self) -> dict[str, Any]:
        return {
            "value": round(self.value, 3),
            "unit": self.unit,
            "goal": self.goal,
            "ok": self.ok,
            "spread": {"min": round(min(self.samples), 3), "max": round(max(self.samples), 3), "n": len(self.samples)},
            "note": self.note,
        }


def typical(name: str, unit: str, samples: Sequence[float], note: str) -> Figure:
    """The median of several measurements, without a goal."""
    return Figure(name, unit, median(samples), tuple(samples), note=note)


@dataclass(slots=True)
class Report:
    """Figures and what they are made of (`details`: seconds by stage, loads, sizes)."""

    quick: bool
    started: float = field(default_factory=time.monotonic)
    figures: list[Figure] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """A progress line with the time since the start."""
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        self.say(f"{figure.name} = {figure.value:.2f} {figure.unit}")

    def table(self) -> str:
        lines = [f"{'figure':<32} {'value':>10} {'unit':<6} {'min - max':>21} {'n':>3}  {'goal':<8} ok"]
        for figure in self.figures:
            spread = f"{min(figure.samples):.2f} - {max(figure.samples):.2f}"
            ok = {None: "-", True: "yes", False: "NO"}[figure.ok]
            lines.append(
                f"{figure.name:<32} {figure.value:>10.2f} {figure.unit:<6} {spread:>21} {len(figure.samples):>3}  "
                f"{figure.goal or 'report':<8} {ok}"
            )
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        shown = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": self.quick,
            "seconds": round(time.monotonic() - self.started, 1),
            "machine": machine(),
            "figures": {figure.name: figure.shown() for figure in self.figures},
            "details": self.details,
        }
        path.write_text(json.dumps(shown, indent=1) + "\n")


def load() -> float:
    """The machine's load over the last minute: what else ran beside a measurement."""
    return round(os.getloadavg()[0], 2)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    models = [line for line in _cpuinfo() if line.startswith("model name")]
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load_at_end": load(),
    }


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []
