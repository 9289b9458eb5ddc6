"""Makes `.venv` with the pinned packages: `python3 comp/local/bootstrap.py local|dev`. Only the standard library.

Does nothing when the last install was of the same pins.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
CHECKOUT = Path(__file__).resolve().parents[2]
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
FILES = [CHECKOUT / f"requirements{part}.txt" for part in ("", "-local", "-dev")]
WANTED = {"local": FILES[:2], "dev": FILES}


def main(arguments: list[str]) -> int:
    """Exit status 2 for a wrong argument or a Python that is too old, 1 when something failed."""
    if len(arguments) != 1 or arguments[0] not in WANTED:
        print("usage: bootstrap.py local|dev", file=sys.stderr)
        return 2
    found = "{}.{}".format(*sys.version_info[:2])
    if sys.version_info < OLDEST:
        print(f"Comp needs Python 3.11 or newer; {sys.executable} is {found}.", file=sys.stderr)
        print("Install one, or name it: make run PYTHON=/path/to/python3", file=sys.stderr)
        return 2
    files = WANTED[arguments[0]]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    stamp = VENV / f"installed-{arguments[0]}"
    works = _works()
    if works and stamp.exists() and stamp.read_text() == digest:
        return 0
    if not works:
        print(f"[set-up] virtual environment with Python {found} in .venv", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
            print("[set-up] that failed. On Debian and Ubuntu: apt-get install python3-venv", file=sys.stderr)
            return 1
    if not _install(files[-1], sum(_pins(file) for file in files)):
        return 1
    stamp.write_text(digest)
    return 0


def _works() -> bool:
    """Whether the environment's Python runs: not when its base was removed or its creation was cut short."""
    try:
        return subprocess.call([str(PYTHON), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def _install(requirements: Path, pins: int) -> bool:
    """Run pip, showing how far it is: downloads of some 150 MB take a minute or more."""
    print(f"[set-up] {pins} pinned packages", flush=True)
    start = time.monotonic()
    pip = subprocess.Popen(
        [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(requirements)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert pip.stdout is not None
    seen = 0
    lines: list[str] = []
    for line in pip.stdout:
        lines.append(line)
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            seen += 1
            if seen % 20 == 0 and seen <= pins:
                print(f"[set-up]   {seen} of {pins} found, {time.monotonic() - start:.0f} s", flush=True)
        elif line.startswith("Installing collected packages"):
            print(f"[set-up]   installing, {time.monotonic() - start:.0f} s", flush=True)
    if pip.wait() != 0:
        print("".join(lines[-20:]) + "[set-up] pip failed; can the package index be reached?", file=sys.stderr)
        return False
    print(f"[set-up] done in {time.monotonic() - start:.0f} s", flush=True)
    return True


def _pins(requirements: Path) -> int:
    return sum("==" in line and not line.startswith("#") for line in requirements.read_text().splitlines())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
