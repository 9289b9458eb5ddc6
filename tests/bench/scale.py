"""How the work of several companies spreads over worker processes, and over two hosts that share servers alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from comp.local import commands, roles
from comp.local.dev import DATABASE
from comp.local.postgres import Postgres
from comp.local.process import log_tail
from comp.local.run import processes as commands_of
from tests.bench.ground import Company, Ground, company, running, won
from tests.bench.report import Figure, Report, load

PROCESSES = (1, 2, 4)
DAYS = 90
PATIENCE = 300
#: The two hosts' names, and the ends of the cables between them and the servers.
HOSTS = (("comp-bench-1", "10.231.1.1", "10.231.1.2"), ("comp-bench-2", "10.231.2.1", "10.231.2.2"))


@dataclass(slots=True)
class _Crowd:
    """A company with an endpoint that takes its deals."""

    where: Company
    token: str
    secret: str
    sent: int = 0


def measure(place: Ground, report: Report, *, companies: int, people: int, events: int) -> None:
    """Adds scale_N_workers_events_per_s for each of PROCESSES and, where this machine lets us make network namespaces,
    scale_two_hosts_events_per_s."""
    report.say(f"{companies} companies of {people} people")
    crowds = [_crowd(number, people) for number in range(companies)]
    what = f"{companies} companies, {events:,} deals each that wait, until every figure stands"
    with running(commands_of(place.data, 0)["jobs"], place.env, place.data / "scale-jobs.log"):
        for count in PROCESSES:
            _forget_bells()
            with _workers(place, count):
                rate = _drained(place, crowds, events)
            note = f"{what}; {count} worker processes beside PostgreSQL; load {load()}"
            report.add(Figure(f"scale_{count}_workers_events_per_s", "1/s", rate, (rate,), note=note))
    if missing := _no_hosts():
        report.say(f"two hosts are left out: {missing}")
        return
    _forget_bells()
    with _hosts(place) as logs:
        rate = _drained(place, crowds, events)
        shares = [log.read_text().count("succeeded in") for log in logs]
    if not all(shares) and not report.quick:
        raise RuntimeError(f"tasks done by each host: {shares}; one did nothing")
    note = f"{what}; a worker process on each of two hosts (network namespaces), tasks {shares}; load {load()}"
    report.add(Figure("scale_two_hosts_events_per_s", "1/s", rate, (rate,), note=note))


def _crowd(number: int, people: int) -> _Crowd:
    from comp.tenancy.scope import Actor, Pay, tenant_scope
    from crediting.services.catalogue import account_create, product_create
    from crediting.services.endpoints import endpoint_create

    where = company(f"crowd-{number}", people)
    with tenant_scope(where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()):
        endpoint, secret = endpoint_create(key="crm", name="CRM")
        product_create(key="gtx", name="GTX")
        account_create(key="acme", name="Acme")
    return _Crowd(where, endpoint.token, secret)


def _forget_bells() -> None:
    """What was rung before, as when the companies were made: a worker that finds it is at work while deliveries are
    still taken in, and goes on with them."""
    import redis
    from django.conf import settings

    with closing(redis.Redis.from_url(settings.REDIS_URL)) as server:
        server.flushdb()


def _drained(place: Ground, crowds: Sequence[_Crowd], events: int) -> float:
    """Events a second: all are taken in while nobody listens, then every company's bell is rung at once."""
    from comp.outbox import bells
    from comp.outbox.services import ring

    with patch.object(bells, "is_first", lambda tenant_id, queue: False):
        for crowd in crowds:
            _send(crowd, events)
    start = time.monotonic()
    for crowd in crowds:
        ring(tenant_id=crowd.where.tenant)
    waiting = (
        "SELECT EXISTS (SELECT 1 FROM crediting_rawdelivery WHERE state = 'pending')"
        " OR EXISTS (SELECT 1 FROM outbox_message WHERE done_at IS NULL)"
        " OR EXISTS (SELECT 1 FROM payouts_changedscope)"
    )
    with closing(place.admin()) as admin, admin.cursor() as cursor:
        while time.monotonic() < start + PATIENCE:
            cursor.execute(waiting)
            if not cursor.fetchone()[0]:
                rate = len(crowds) * events / (time.monotonic() - start)
                _all_stand(cursor, crowds)
                return rate
            time.sleep(0.05)
    raise RuntimeError(f"work still waits after {PATIENCE} s:\n{log_tail(place.data / 'scale.log', 30)}")


def _all_stand(cursor: Any, crowds: Sequence[_Crowd]) -> None:
    """That nothing waits is not enough: each deal sent so far has what its two people earn."""
    for crowd in crowds:
        cursor.execute("SELECT count(*) FROM payouts_earning WHERE tenant_id = %s", [crowd.where.tenant])
        [(lines,)] = cursor.fetchall()
        if lines != 2 * crowd.sent:
            raise RuntimeError(f"{lines} lines stand of {crowd.sent} deals of two people each")


def _send(crowd: _Crowd, events: int) -> None:
    """Won deals, proven and stored as the hook does it."""
    from standardwebhooks import Webhook

    from crediting.intake.source import Call
    from crediting.services.intake import delivery_receive

    hook = Webhook(crowd.secret)
    for _ in range(events):
        crowd.sent += 1
        number = crowd.sent
        body = won(crowd.where, number, days=DAYS)
        now = datetime.now(UTC)
        headers = {
            "webhook-id": f"s{number}",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": hook.sign(f"s{number}", now, body),
            "content-type": "application/json",
        }
        delivery_receive(crowd.token, Call("POST", "http://localhost/", headers, body.encode()))


# ------------------------------------------------------------------ workers


@contextmanager
def _workers(place: Ground, processes: int) -> Iterator[None]:
    """One worker with so many processes, ready before anything is rung."""
    worker = list(commands_of(place.data, 0)["worker"])
    worker[worker.index("--concurrency") + 1] = str(processes)
    with running(worker, place.env, place.data / "scale.log"):
        yield


# ------------------------------------------------------------------ hosts


def _no_hosts() -> str:
    """Why this machine has no network namespaces for us, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "the command `ip` (iproute2) is missing"
    tried = subprocess.run(["ip", "netns", "add", "comp-bench-try"], capture_output=True, text=True)
    if tried.returncode:
        return tried.stderr.strip()
    _ip("netns delete comp-bench-try")
    return ""


@contextmanager
def _hosts(place: Ground) -> Iterator[list[Path]]:
    """Two hosts with one worker process each, that reach PostgreSQL and Valkey by the network alone; their logs."""
    import redis
    from django.conf import settings
    from django.db import connections

    with ExitStack() as stack:
        for name, near, far in HOSTS:
            stack.enter_context(_host(name, near, far))
        addresses = [near for _, near, _ in HOSTS]
        connections.close_all()
        place.postgres.stop()
        rules = place.postgres.cluster / "pg_hba.conf"
        rules.write_text(rules.read_text() + "".join(f"host all all {far}/32 trust\n" for _, _, far in HOSTS))
        open_to_hosts = Postgres(place.data, {"listen_addresses": ",".join(addresses), "port": "5432"})
        open_to_hosts.start()
        bell = redis.Redis.from_url(settings.REDIS_URL)
        bell.config_set("bind", " ".join(["127.0.0.1", *addresses]))
        secret, port = settings.REDIS_URL.removeprefix("redis://").split("@")[0], settings.REDIS_URL.split(":")[-1]
        logs = []
        for number, (name, near, _) in enumerate(HOSTS):
            url = f"postgresql://{quote(roles.APP)}@{near}:5432/{quote(DATABASE)}"
            env = place.env | {
                "DATABASE_URL": url,
                "DATABASE_APP_URL": url,
                "REDIS_URL": f"redis://{secret}@{near}:{port}",
            }
            command = [*commands_of(place.data, 0)["worker"][:2], *commands.WORKER]
            command[command.index("--concurrency") + 1] = "1"
            command += ["--hostname", f"host-{number}@%h"]
            logs.append(place.data / f"host-{number}.log")
            stack.enter_context(running(["ip", "netns", "exec", name, *command], env, logs[-1]))
        yield logs


@contextmanager
def _host(name: str, near: str, far: str) -> Iterator[None]:
    """A network namespace with one cable to this machine, and no other way out."""
    cable, end = f"{name[-6:]}a", f"{name[-6:]}b"
    _ip(f"netns add {name}")
    try:
        _ip(f"link add {cable} type veth peer name {end} netns {name}")
        _ip(f"addr add {near}/30 dev {cable}")
        _ip(f"link set {cable} up")
        _ip(f"-n {name} addr add {far}/30 dev {end}")
        _ip(f"-n {name} link set {end} up")
        _ip(f"-n {name} link set lo up")
        yield
    finally:
        _ip(f"netns delete {name}")


def _ip(command: str) -> None:
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {command}: {done.stderr.strip()}")
