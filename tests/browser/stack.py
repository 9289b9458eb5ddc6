"""The product's own processes on the tests' database, and a browser that somebody has logged in with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, BrowserContext, Page

from comp.local import commands
from comp.local.digests import CHECKOUT
from comp.local.process import free_port, log_tail
from tests.factories import PASSWORD

START_SECONDS = 60


@dataclass
class Site:
    """Where the product answers, the browser that visits it, and the log-ins that were done already."""

    address: str
    browser: Browser
    states: dict[str, Any] = field(default_factory=dict)

    def visit(self, email: str = "", *, width: int = 1280, scheme: str = "light") -> BrowserContext:
        """A window of somebody's own; the first for each person goes through the log-in page."""
        context = self.browser.new_context(
            base_url=self.address,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",  # else axe may meet a colour on its way
            storage_state=self.states.get(email),
        )
        context.set_default_timeout(60_000)  # a machine that does much else takes its time
        if email and email not in self.states:
            page = context.new_page()
            log_in(page, email)
            self.states[email] = context.storage_state()
            page.close()
        return context

    def open(self, email: str, path: str, **how: Any) -> Page:
        """A page as somebody sees it."""
        page = self.visit(email, **how).new_page()
        page.goto(path)
        return page


def log_in(page: Page, email: str) -> None:
    """By the log-in page, as a person does."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


@contextmanager
def processes(folder: Path, static: Path) -> Iterator[str]:
    """Web and worker as `make run` starts them, on the servers that the environment names; logs go to the folder. Gives
    the address."""
    address = f"http://127.0.0.1:{free_port()}"
    env = {**os.environ, "STATIC_ROOT": str(static), "PYTHONPATH": str(CHECKOUT)}
    bind = ("--bind", address.removeprefix("http://"))
    with (
        _process(folder / "web.log", (*commands.WEB, *bind), env) as web,
        _process(folder / "worker.log", commands.WORKER, env) as worker,
    ):
        _wait(web, folder / "web.log", lambda: _answers(address))
        _wait(worker, folder / "worker.log", lambda: " ready." in (folder / "worker.log").read_text())
        yield address


@contextmanager
def _process(log: Path, command: Sequence[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=CHECKOUT, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _wait(process: subprocess.Popen[bytes], log: Path, is_ready: Any) -> None:
    until = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{log.stem} does not start:\n{log_tail(log)}")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/health/", timeout=2).ok
    except requests.RequestException:
        return False
