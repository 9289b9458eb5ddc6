"""docker-compose.yml cannot be run where there is no Docker, so its commands are those that `make run` starts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from comp.local import commands
from comp.local.digests import CHECKOUT

COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
BIND = ["--bind", "0.0.0.0:8000"]


def test_web() -> None:
    assert SERVICES["web"]["command"] == [*commands.WEB, *BIND]


def test_worker() -> None:
    assert SERVICES["worker"]["command"] == list(commands.WORKER)
    assert SERVICES["jobs"]["command"] == list(commands.JOBS)


def test_what_is_at_hand_may_end_before_a_process_is_killed() -> None:
    assert {name: SERVICES[name]["stop_grace_period"] for name in ("web", "worker", "jobs")} == {
        "web": "40s", "worker": "1m", "jobs": "10m",
    }  # fmt: skip


def test_beat() -> None:
    folder = ["--schedule", "/tmp/beat-schedule", "--pidfile", "/tmp/beat.pid"]
    assert SERVICES["beat"]["command"] == [*commands.BEAT, *folder]


def test_the_image_serves_the_web_by_itself() -> None:
    [line] = [line for line in (CHECKOUT / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")]
    assert ast.literal_eval(line.removeprefix("CMD ")) == [*commands.WEB, *BIND]


@pytest.mark.parametrize("name", ["web", "worker", "jobs", "beat"])
def test_what_serves_never_holds_the_owners_password(name: str) -> None:
    found = str(SERVICES[name]["environment"])
    assert "comp_app" in found
    assert "OWNER" not in found
    assert "POSTGRES_PASSWORD" not in found


def test_every_service_says_whether_it_is_well() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"setup"}


def test_no_secret_has_a_default() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    for secret in ("POSTGRES_PASSWORD", "COMP_OWNER_PASSWORD", "COMP_APP_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY"):
        assert f"${{{secret}:?" in text
        assert f"${{{secret}}}" not in text
        assert f"${{{secret}:-" not in text


def test_pins_are_plain_and_name_no_host() -> None:
    for file in sorted(Path(CHECKOUT).glob("requirements*.txt")):
        for line in file.read_text().splitlines():
            assert line.startswith(("#", "-r requirements")) or "==" in line, f"{file.name}: {line}"
            assert "://" not in line, f"{file.name}: {line}"
