"""`make run`: servers, roles, migrations, then web, worker and beat under one supervisor, and the demo company.

PostgreSQL and Valkey are started outside the supervisor, which ends all its processes at once, and are stopped last.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType

import psutil
import psycopg2
from honcho.manager import Manager
from honcho.printer import Printer
from psycopg2 import sql

from comp.local import commands, environment
from comp.local.dev import CHECKOUT, data_folder
from comp.local.digests import files_digest, migrations_digest
from comp.local.postgres import Postgres
from comp.local.process import ServerError, free_port, is_running, log_tail, private_folder
from comp.local.progress import step
from comp.local.valkey import Valkey

PORT = 8000
END_SECONDS = 6


class Stopped(Exception):
    """A signal asked to stop before the supervisor stood."""


def main() -> int:
    """Exit status 0 after Ctrl-C or a TERM, 1 with a message when something failed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    data = private_folder(data_folder())
    try:
        _refuse_second(data)
        return run(data)
    except Stopped:
        return 0
    except (ServerError, psycopg2.Error, subprocess.CalledProcessError) as error:
        print(f"\n{_explain(error)}", file=sys.stderr)
        return 1


def run(data: Path) -> int:
    """All steps below one data folder, until a signal or the end of one of the processes."""
    postgres = None if os.environ.get("DATABASE_URL") else Postgres(data)
    valkey = None if os.environ.get("REDIS_URL") else Valkey(data)
    try:
        env, port = prepare(data, postgres, valkey)
        return serve(data, env, port)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the stopping short
        end_left_overs(data)
        for server in (valkey, postgres):
            if server is not None:
                server.stop()
        (data / "run.pid").unlink(missing_ok=True)
        print("Stopped. The data stays for the next start.", flush=True)


def prepare(data: Path, postgres: Postgres | None, valkey: Valkey | None) -> tuple[dict[str, str], int]:
    """Everything before the processes; gives their environment and the port."""
    with step(1, "left-overs of an earlier run"):
        (data / "run.pid").write_text(str(os.getpid()))
        end_left_overs(data)
    env = environment.base(data, os.environ)
    with step(2, "PostgreSQL" if postgres else "PostgreSQL, by DATABASE_URL"):
        if postgres:
            postgres.start()
    with step(3, "Valkey" if valkey else "Redis, by REDIS_URL"):
        if valkey:
            valkey.start()
            env["REDIS_URL"] = valkey.url
    with step(4, "database: roles"):
        env |= environment.database_embedded(postgres) if postgres else environment.database_given(data, os.environ)
    migrate(env)
    collect_static(env)
    return env, _port()


def migrate(env: Mapping[str, str]) -> None:
    """Run the migrations as the owner, unless the database says that it has these already."""
    wanted = f"migrations {migrations_digest()}"
    with closing(psycopg2.connect(env["DATABASE_URL"])) as owner:
        owner.autocommit = True
        with owner.cursor() as cursor:
            cursor.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            )
            if cursor.fetchone() == (wanted,):
                with step(5, "database: migrations, none is new"):
                    return
            with step(5, "database: migrations"):
                _manage({**env, "COMP_AS_OWNER": "1"}, "migrate", "--no-input")
                name = sql.Identifier(owner.info.dbname)
                cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS %s").format(name), [wanted])


def collect_static(env: Mapping[str, str]) -> None:
    """Gather and compress the static files, unless they are those of the last time."""
    digest = files_digest(("*/static/**/*", "comp/*/static/**/*", "static/**/*", "requirements.txt"))
    stamp = Path(env["STATIC_ROOT"]) / "digest"
    if stamp.exists() and stamp.read_text() == digest:
        with step(6, "static files, none is new"):
            return
    with step(6, "static files"):
        _manage(env, "collectstatic", "--no-input", "--clear")
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest)


def serve(data: Path, env: dict[str, str], port: int) -> int:
    """Web, workers and beat until a signal comes or one of them ends; the demo is built beside them."""
    log = data / "run.log"
    with log.open("w", buffering=1) as output:
        manager = Manager(Printer(output, colour=False))
        for name, command in processes(data, port).items():
            manager.add_process(name, shlex.join(["exec", *command]), env=env, cwd=str(CHECKOUT))
        # Its own session, so that Ctrl-C is answered here alone.
        welcome = subprocess.Popen(
            [sys.executable, "-m", "comp.local.welcome", f"http://127.0.0.1:{port}", str(log)],
            cwd=CHECKOUT,
            env=env,
            start_new_session=True,
        )
        try:
            signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # a closed terminal
            manager.loop()
            failed = welcome.poll() not in (None, 0)
        finally:
            _end_group(welcome)
    if failed:
        return 1  # it has said why, and asked the supervisor to end
    if manager.returncode in (130, 143):
        print("\nStopping ...", flush=True)
        return 0
    print(f"\nA process ended by itself, so all were ended. The end of {log}:\n{log_tail(log, 30)}", file=sys.stderr)
    return 1


def processes(data: Path, port: int) -> dict[str, list[str]]:
    """The commands by name. Each names a file of this data folder, by which a later run knows its left-overs."""
    module = [sys.executable, "-m"]
    return {
        "web": [*module, *commands.WEB, "--bind", f"127.0.0.1:{port}", "--pid", str(data / "web.pid")],
        "worker": [*module, *commands.WORKER, "--pidfile", str(data / "worker.pid")],
        "jobs": [*module, *commands.JOBS, "--pidfile", str(data / "jobs.pid")],
        "beat": [
            *(*module, *commands.BEAT, "--pidfile", str(data / "beat.pid")),
            *("--schedule", str(data / "beat-schedule")),
        ],
    }


def end_left_overs(data: Path) -> None:
    """End what a hard-killed run left: processes whose command line names this folder's pid files, and the files."""
    files = {str(data / f"{name}.pid") for name in ("web", "worker", "jobs", "beat")}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and files.intersection(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # ended meanwhile, or another user's
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, found = psutil.wait_procs(found, timeout=END_SECONDS)
    for file in files:
        Path(file).unlink(missing_ok=True)


def _refuse_second(data: Path) -> None:
    file = data / "run.pid"
    pid = int(file.read_text() or 0) if file.exists() else 0
    if pid and pid != os.getpid() and is_running(pid, "comp.local.run"):
        raise ServerError(f"Comp runs already on {data} (process {pid}). Stop it first, or set COMP_DATA.")


def _port() -> int:
    """PORT when set, which must then be free; else 8000 or the next best."""
    wanted = os.environ.get("PORT", "")
    if wanted and not wanted.isdecimal():
        raise ServerError(f"PORT is {wanted!r}; it must be a number from 1 to 65535.")
    port = free_port(int(wanted or PORT))
    if wanted and port != int(wanted):
        raise ServerError(f"Port {wanted} is taken. Set another PORT, or none to get a free one.")
    return port


def _manage(env: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env=dict(env),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _explain(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"{shlex.join(map(str, error.cmd))} failed (exit {error.returncode}):\n{error.output or ''}"
    return str(error)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
