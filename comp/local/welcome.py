"""The second half of `make run`, beside the supervisor: wait for the web, build the demo company, say where to go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from comp.local.dev import CHECKOUT
from comp.local.process import ServerError, log_tail
from comp.local.progress import STEPS, step

HEALTH_SECONDS = 90


def main(address: str, log: Path) -> int:
    """On failure, tell why and have the supervisor, this process's parent, end everything."""
    supervisor = os.getppid()
    try:
        welcome(address, log)
    except (ServerError, subprocess.CalledProcessError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        os.kill(supervisor, signal.SIGTERM)
        return 1
    return 0


def welcome(address: str, log: Path) -> None:
    """Steps 7 and 8, then the address and who can log in. COMP_DEMO=0 leaves the company out."""
    with_demo = os.environ.get("COMP_DEMO", "1") != "0"
    with step(7, "web, worker and beat"):
        wait_healthy(f"{address}/health/", log)
    if with_demo:
        print(f"[{STEPS}/{STEPS}] demo company, sent as CRM events through the real hooks", flush=True)
        demo("--url", address, "--if-missing")
    print(f"\nComp is ready: {address}\n", flush=True)
    if with_demo:
        demo("--who")
    print(f"\nLog: {log}   Ctrl-C stops everything.", flush=True)


def wait_healthy(url: str, log: Path) -> None:
    """Ask until the answer is 200."""
    end = time.monotonic() + HEALTH_SECONDS
    found = "no answer"
    while time.monotonic() < end:
        try:
            answer = requests.get(url, timeout=5)
        except requests.RequestException as error:
            found = str(error)
        else:
            if answer.status_code == 200:
                return
            found = f"{answer.status_code} {answer.text[:500]}"
        time.sleep(0.2)
    raise ServerError(f"{url} was not healthy after {HEALTH_SECONDS} s: {found}\n{log_tail(log, 30)}")


def demo(*arguments: str) -> None:
    """`manage.py demo`, its own progress shown as it comes."""
    subprocess.run([sys.executable, "manage.py", "demo", *arguments], cwd=CHECKOUT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
