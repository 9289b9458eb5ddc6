"""Every check that needs no database, each with its time: `python -m comp.local.check`. One failure stops none."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# What a server sets, so that `check --deploy` judges the settings as deployed.
AS_DEPLOYED = {
    "SECRET_KEY": "for the deployment check only, long and with many different characters: 0123456789",
    "ALLOWED_HOSTS": "comp.example",
    "BEHIND_TLS": "1",
    "DEBUG": "0",
}

CHECKS: tuple[tuple[str, list[str | Path], dict[str, str]], ...] = (
    ("ruff", [BIN / "ruff", "check", "--quiet"], {}),
    ("format", [BIN / "ruff", "format", "--check", "--quiet"], {}),
    ("types", [BIN / "mypy"], {}),
    ("imports", [BIN / "lint-imports", "--no-logo"], {}),
    ("migrations", [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"], {}),
    ("deployment", [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], AS_DEPLOYED),
    (
        "compose file",
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        {},
    ),
)


def main() -> int:
    """Exit status 1 when a check failed; what it said is printed below its line."""
    failed = []
    for name, command, environment in CHECKS:
        print(f"{name:<14}", end="", flush=True)
        start = time.monotonic()
        done = subprocess.run(
            command, cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            failed.append(name)
        print(f"{'ok' if done.returncode == 0 else 'FAILED':<7}{time.monotonic() - start:5.1f} s", flush=True)
        if done.returncode != 0:
            print(done.stdout + done.stderr, flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
