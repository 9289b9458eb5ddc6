"""Finds the Chromium that the browser tests drive, or installs it: `python -m comp.local.browser`.

The tests never skip for want of a browser: either one is here, or the run fails with the command that brings it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
INSTALL = "apt-get install -y --no-install-recommends chromium-headless-shell"


def find() -> Path | None:
    """The browser's executable: CHROMIUM when set, else the first of the usual names."""
    if chosen := os.environ.get("CHROMIUM"):
        return Path(chosen)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    return MAC if MAC.exists() else None


def ensure() -> Path | None:
    """Find the browser, or install Debian's when that is possible here; None when there is still none."""
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Chromium is missing; installing Debian's", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in ("apt-get update -q", f"{INSTALL} -q"):
            if subprocess.run(command.split(), env=environment, stdout=subprocess.DEVNULL).returncode != 0:
                return None
        found = find()
    return found


def main() -> int:
    """Exit status 1 with the one command to type when there is no browser."""
    found = ensure()
    if found is None or not os.access(found, os.X_OK):
        what = f"CHROMIUM names {found}, which cannot be run." if found else "The browser tests need Chromium."
        print(f"{what} Type: sudo {INSTALL}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
