"""What is done to the stack while events come in. Each fault says what it did, or raises when it could do nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import redis
from psycopg2.extensions import cursor as Cursor

from tests.soak.sender import Sender
from tests.soak.stack import PATIENCE, Stack

#: Files of the server's log that are gone through at once: on a busy machine one at a time never comes to the last.
FILES_AT_ONCE = 8

#: What is done once, and what one does to the order in which events are sent.
Act = Callable[[Stack, random.Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of run: `act` is done `times` (in a quick run `quick`) times while events come in. `copies`: how often
    each event is sent; `shuffled`: in any order; `skew`: how far senders' clocks are off, in seconds. `meets`: an
    answer that some sender has to get, or else the fault was met by nobody."""

    name: str
    times: int
    quick: int
    act: Act | None = None
    copies: int = 1
    shuffled: bool = False
    skew: int = 0
    poison: bool = False
    meets: str = ""

    def skews(self, dice: random.Random) -> Callable[[int], float]:
        off = [dice.uniform(-self.skew, self.skew) for _ in range(97)]
        return lambda number: off[number % len(off)]


def kill_worker_child(stack: Stack, dice: random.Random) -> None:
    """SIGKILL to one of the processes that do the work, at whatever line it is."""
    found = [child for name in ("worker", "worker2") for child in stack.victims(name)[1:]]
    _kill(found, dice)


def kill_worker(stack: Stack, dice: random.Random) -> None:
    """SIGKILL to a whole worker: the parent and its children."""
    _kill_all(stack.victims(dice.choice(("worker", "worker2"))) or stack.victims("worker"))


def kill_web(stack: Stack, dice: random.Random) -> None:
    """SIGKILL to one of gunicorn's workers, or to gunicorn itself with them."""
    found = stack.victims("web")
    if len(found) > 1 and dice.random() < 0.8:
        _kill(found[1:], dice)
    else:
        _kill_all(found)


def kill_web_answering(stack: Stack, dice: random.Random) -> None:
    """SIGKILL to all of gunicorn when a delivery is stored and not yet answered: it is held up between the two by the
    bell, which a frozen Redis does not take."""
    pid = stack.valkey.pid()
    assert pid is not None, "Redis does not run"
    os.kill(pid, signal.SIGSTOP)
    try:
        with closing(stack.place.admin()) as admin, admin.cursor() as cursor:
            _next_stored(cursor)
        _kill_all(stack.victims("web"))
    finally:
        os.kill(pid, signal.SIGCONT)


def _next_stored(cursor: Cursor) -> None:
    """Returns as soon as one more delivery is stored."""
    count = "SELECT count(*) FROM crediting_rawdelivery"
    cursor.execute(count)
    [(before,)] = cursor.fetchall()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        cursor.execute(count)
        if cursor.fetchall() != [(before,)]:
            return
    raise AssertionError("no delivery came")


def empty_redis(stack: Stack, dice: random.Random) -> None:
    with redis.Redis.from_url(stack.valkey.url, socket_timeout=5) as client:
        client.flushall()


def kill_redis(stack: Stack, dice: random.Random) -> None:
    """SIGKILL, some seconds without, and a new empty one."""
    pid = stack.valkey.pid()
    assert pid is not None, "Redis does not run"
    os.kill(pid, signal.SIGKILL)
    time.sleep(dice.uniform(0.2, 2.0))
    stack.valkey.start()


def freeze_redis(stack: Stack, dice: random.Random) -> None:
    """Stopped where it stands: connections stay open and nothing answers."""
    pid = stack.valkey.pid()
    assert pid is not None, "Redis does not run"
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(dice.uniform(4, 8))
    finally:
        os.kill(pid, signal.SIGCONT)


def crash_postgres(stack: Stack, dice: random.Random) -> None:
    """The server ends at once, without a checkpoint, and recovers at its next start."""
    postgres = stack.place.postgres
    pid = postgres.pid()
    assert pid is not None, "PostgreSQL does not run"
    os.kill(pid, signal.SIGQUIT)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    time.sleep(dice.uniform(0.1, 1.0))
    _start(stack)


def kill_backend(stack: Stack, dice: random.Random) -> None:
    """SIGKILL to one connection's server process: PostgreSQL throws out all the others and recovers."""
    with closing(stack.place.admin()) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'comp' AND pid <> pg_backend_pid()")
        pids = [pid for (pid,) in cursor.fetchall()]
    _kill([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], dice)


def fill_disk(stack: Stack, dice: random.Random) -> None:
    """Nothing more fits on the database's disk; some seconds later there is room again."""
    ballast, told = stack.place.data / "ballast", _told(stack)
    room = shutil.disk_usage(stack.place.data).free
    with ballast.open("wb") as file, suppress(OSError):
        for _ in range(room // 2**20 + 2):
            file.write(b"\0" * 2**20)
            file.flush()
    try:
        # Until somebody has met it: a file of the database needs another page only now and then.
        end = time.monotonic() + 20
        while time.monotonic() < end and _told(stack) == told:
            _use_up(stack)
            time.sleep(0.1)
        if _told(stack) == told:
            raise RuntimeError("the disk was full, and nobody met it")
        # It may have been a worker: senders meet it once the log has no file left either.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            _use_up(stack)
            time.sleep(0.1)
    finally:
        ballast.unlink()
        _start(stack)


def _use_up(stack: Stack) -> None:
    """Goes on to the next file of the server's log: those that are kept for it hold out for long."""
    with suppress(psycopg2.Error), closing(stack.place.admin()) as admin, admin.cursor() as cursor:
        for _ in range(FILES_AT_ONCE):
            cursor.execute("SELECT pg_logical_emit_message(false, 'soak', 'on')")
            cursor.execute("SELECT pg_switch_wal()")


def _told(stack: Stack) -> int:
    """How often the server has told so far that its disk is full."""
    log = stack.place.postgres.log
    return log.read_bytes().count(b"No space left on device") if log.exists() else 0


def ring_everybody(stack: Stack, dice: random.Random) -> None:
    """A hundred bells at once: all workers take up the same company's work at the same time."""
    from comp.outbox.tasks import work
    from comp.tenancy.models import Tenant

    for tenant in list(Tenant.objects.order_by("-id").values_list("id", flat=True)[:1]) * 100:
        work.apply_async(args=[tenant], retry=False, ignore_result=True)


FAULTS: Sequence[Fault] = (
    Fault("worker child killed", 50, 4, kill_worker_child),
    Fault("worker killed whole", 20, 2, kill_worker),
    Fault("web killed", 30, 3, kill_web),
    Fault("web killed between store and answer", 10, 2, kill_web_answering, meets="seen"),
    Fault("Redis emptied", 10, 2, empty_redis),
    Fault("Redis killed", 5, 1, kill_redis),
    Fault("Redis frozen", 3, 1, freeze_redis),
    Fault("PostgreSQL crashed", 10, 2, crash_postgres, meets="503"),
    Fault("PostgreSQL's connection killed", 10, 1, kill_backend),
    Fault("disk full", 3, 1, fill_disk, meets="503"),
    Fault("every delivery three times, shuffled", 1, 1, copies=3, shuffled=True),
    Fault("senders' clocks off", 1, 1, skew=280, shuffled=True),
    Fault("all workers on one company", 20, 4, ring_everybody, shuffled=True),
    Fault("poison in the mailbox", 1, 1, poison=True),
)


def inject(fault: Fault, stack: Stack, sender: Sender, times: int, dice: random.Random) -> int:
    """Does the fault at random moments until all events are sent; returns how often it was done. A moment is a number
    of events: faults come while there is work, however fast it goes."""
    if fault.act is None:
        return 0
    done = 0
    moments = sorted(dice.sample(range(len(sender.events)), min(times, len(sender.events))))
    for moment in moments:
        while sender.sent <= moment and not sender.done():
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.05))
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fault.act(stack, dice)
                break
            except (psutil.NoSuchProcess, AssertionError, redis.RedisError, psycopg2.OperationalError):
                if time.monotonic() > end:  # the victim never stood again
                    raise
                time.sleep(0.1)
        done += 1
    return done


def _kill(found: list[psutil.Process], dice: random.Random) -> None:
    assert found, "nothing runs that could be killed"
    dice.choice(found).send_signal(signal.SIGKILL)


def _kill_all(found: list[psutil.Process]) -> None:
    assert found, "nothing runs that could be killed"
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def _start(stack: Stack) -> None:
    """PostgreSQL stands again, whatever it takes: one that found no room for its log may have ended."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            stack.place.postgres.start()
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def small_disk(folder: Path, megabytes: int) -> bool:
    """Puts the folder on a small disk of its own (in memory), so that it can be filled. False where one may not."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={megabytes}m,mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", size, "comp-soak", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
