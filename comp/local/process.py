"""What the embedded servers share: a lock between starters, telling a live process from a left-over id, ending one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

# A Unix socket's address holds 103 (macOS) to 107 (Linux) bytes, the file's own name included.
SOCKET_FOLDER_LIMIT = 80


class ServerError(RuntimeError):
    """An embedded server could not be started or stopped; the message carries the end of its log."""


def is_running(pid: int, *marks: str) -> bool:
    """Whether `pid` lives and its command line holds every one of `marks`.

    A process id alone proves nothing: after a kill or a reboot it can belong to any other program, and a zombie
    holds its id without serving anybody.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return False  # another user's process, so none of ours
    return all(mark in command for mark in marks)


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Wait for `pid` to end; reaps it when it is a child of this process. False when it still lives."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return True
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            process.wait(timeout=0.05)
            return True
        except psutil.TimeoutExpired:
            pass
        except psutil.NoSuchProcess:
            return True
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
    return False


def signal_quietly(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may end at the same moment."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`: one starter at a time; the system frees it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def private_folder(path: Path) -> Path:
    """Make `path` a folder that only this user may enter, or refuse it when it is somebody else's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ServerError(f"{path} is not a folder (a link or a file stands there). Remove it and start again.")
    if found.st_uid != os.getuid() and os.getuid() != 0:
        raise ServerError(f"{path} belongs to user {found.st_uid}, not to {os.getuid()}. Set COMP_DATA to your own.")
    path.chmod(0o700)
    return path


def socket_folder(data: Path) -> Path:
    """A folder for the sockets of the servers below `data`: inside it, or a short one when that path is too long."""
    inside = data / "run"
    if len(os.fsencode(inside)) <= SOCKET_FOLDER_LIMIT:
        return private_folder(inside)
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return private_folder(Path(tempfile.gettempdir()) / f"comp-{os.getuid()}-{name}")


def free_port(wanted: int = 0) -> int:
    """A free TCP port of this machine: `wanted` when it is free, else any."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerError("This machine has no free TCP port on 127.0.0.1.")


def log_tail(path: Path, lines: int = 15) -> str:
    """The last lines of a server's log, for an error message."""
    if not path.exists():
        return "(no log was written)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
