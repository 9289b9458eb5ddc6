"""Webhooks on the product's own stack: how many are accepted a second, and how long until the figure has changed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg2

from comp.local import run
from comp.local.dev import CHECKOUT
from comp.local.process import free_port, log_tail
from tests.bench.ground import QUARTERS, START_SECONDS, Company, Ground, company, facts
from tests.bench.report import Figure, Report, load, typical

GOAL_MS = 1000
DAYS = 90  # a quarter
POLL_SECONDS = 0.03
IDLE_POLL_SECONDS = 0.005  # where a single event is followed, looking more often costs little
#: How many of the earliest are looked for at once.
LOOKED_FOR = 150
#: How long figures may take after the last event before the run is given up.
PATIENCE = 60

#: Credits of the sellers on deals that wait to be seen, with what they must become: one deal after the other, by the
#: keys of both tables. Joined as the planner likes, all lines were read at each look, which took a third of the machine
#: from what is measured.
_SEEN = """
SELECT w.external_id, w.amount
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS w(external_id, participant_id, amount)
CROSS JOIN LATERAL (
    SELECT d.id FROM crediting_deal d WHERE d.endpoint_id = %s AND d.external_id = w.external_id OFFSET 0
) d
CROSS JOIN LATERAL (
    SELECT e.credit_minor, e.role FROM payouts_earning e
    WHERE e.participant_id = w.participant_id AND e.fact = d.id OFFSET 0
) e
WHERE e.credit_minor = w.amount AND e.role = 'ae'
"""


#: A rate keeps its figures readable in time where its p99 is below this.
KEEPS_MS = 2000


def measure(
    place: Ground,
    report: Report,
    *,
    people: int,
    crowd: int,
    deals: int,
    accept_seconds: float,
    samples: int,
    seconds: int,
    sustained: int,
    sustained_seconds: int,
    rung_seconds: int,
    ladder: Sequence[int],
) -> None:
    """Adds webhook_accept_per_s, idle_event_p50_ms, event_to_figure_p50_ms, event_to_figure_p99_ms,
    sustained_300_p99_ms and max_sustained_events_per_s: the last two of a company of `crowd` people, the others of one
    of `people`. `ladder`: the rates that are tried, one after the other, for the highest that keeps its figures in
    time."""
    report.say(f"companies of {people} and {crowd:,} people with {deals:,} deals each in one quarter")
    live = Live(place, people, deals)
    large = Live(place, crowd, deals, slug="large", port=live.port)
    with live.processes("web"):
        rates = [live.accepted(accept_seconds, run_no) for run_no in range(samples)]
        note = f"2 gunicorn workers, {live.CONNECTIONS} connections, worker stopped; load {load()}"
        report.add(typical("webhook_accept_per_s", "1/s", rates, note))
        with live.processes("worker", "jobs", "beat"):
            report.say("worker and beat; first they take what was accepted")
            live.settle()
            report.say("one event at a time")
            waits = live.followed(rate=2, seconds=max(seconds // 3, 2), look_seconds=IDLE_POLL_SECONDS)
            _idle(report, waits, people)
            report.say(f"{50 * seconds:,} events, 50 a second")
            waits = live.followed(rate=50, seconds=seconds)
            live.settle()
            _sustained(report, large, sustained, sustained_seconds)
            _highest(report, large, rung_seconds, ladder)
    # Each tenth of the time is a sample, so that the spread shows how steady it was.
    parts = [sorted(waits[k * len(waits) // 10 : (k + 1) * len(waits) // 10]) for k in range(10)]
    note = f"{len(waits):,} events at 50/s, {people} people, {deals * 2 // people} deals each; load {load()}"
    ordered = sorted(waits)
    middle, late = (tuple(_at(part, share) for part in parts if part) for share in (0.5, 0.99))
    report.add(Figure("event_to_figure_p50_ms", "ms", _at(ordered, 0.5), middle, note=note))
    p99 = _at(ordered, 0.99)
    report.add(Figure("event_to_figure_p99_ms", "ms", p99, late, f"< {GOAL_MS}", p99 < GOAL_MS, note))
    report.details["event_to_figure_ms"] = {"max": round(ordered[-1], 1), "p95": round(_at(ordered, 0.95), 1)}


def _idle(report: Report, waits: Sequence[float], people: int) -> None:
    ordered = sorted(waits)
    note = f"{len(waits)} events, one each half second, nothing else to do; {people} people; load {load()}"
    p50 = _at(ordered, 0.5)
    report.add(Figure("idle_event_p50_ms", "ms", p50, (ordered[0], ordered[-1]), "< 50", p50 < 50, note))


def _sustained(report: Report, live: Live, rate: int, seconds: int) -> None:
    """At the rate that is promised; what does not come is no figure but a miss."""
    report.say(f"{rate * seconds:,} events, {rate} a second")
    waits, said = _tried(live, rate, seconds)
    rest = live.settle()
    p99 = _at(sorted(waits), 0.99)
    parts = [sorted(waits[k * len(waits) // 10 : (k + 1) * len(waits) // 10]) for k in range(10)]
    note = (
        f"{rate} a second for {seconds} s, {len(waits):,} figures{said}; {live.size}; nothing waited {rest:.1f} s later"
    )
    note += f"; load {load()}"
    late = tuple(_at(part, 0.99) for part in parts if part)
    report.add(Figure("sustained_300_p99_ms", "ms", p99, late, "< 500", not said and p99 < 500, note))


def _highest(report: Report, live: Live, seconds: int, ladder: Sequence[int]) -> None:
    """Up the ladder until a rate no longer keeps its p99 in time."""
    best, tried = 0.0, {}
    for rate in ladder:
        live.settle()
        waits, said = _tried(live, rate, seconds)
        tried[rate] = round(_at(sorted(waits), 0.99))
        report.say(f"{rate} a second for {seconds} s: p99 {tried[rate]} ms{said}")
        if said or tried[rate] >= KEEPS_MS:
            break
        best = float(rate)
    note = f"p99 by rate, {seconds} s each: " + ", ".join(f"{rate}/s {ms} ms" for rate, ms in tried.items())
    note += f"; {live.size}"
    report.add(Figure("max_sustained_events_per_s", "1/s", best, (best,), note=note))


def _tried(live: Live, rate: int, seconds: int) -> tuple[list[float], str]:
    """The waits, and what went wrong: figures that never came count as PATIENCE."""
    try:
        return live.followed(rate=rate, seconds=seconds), ""
    except NeverCame as error:
        return [*error.waits, *[PATIENCE * 1000.0] * error.missing], f", {error.missing} never came"


class NeverCame(RuntimeError):
    """Figures that could not be read in time, and how long the others took."""

    def __init__(self, missing: list[str], waits: list[float]) -> None:
        super().__init__(f"{len(missing)} figures never came, the first of {missing[0]}")
        self.missing, self.waits = len(missing), waits


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Live:
    """A company with deals in one quarter to which events are sent. `port`: of a web process that runs already."""

    CONNECTIONS = 8

    def __init__(self, place: Ground, people: int, deals: int, *, slug: str = "live", port: int = 0) -> None:
        from comp.tenancy.scope import Actor, Pay, tenant_scope
        from crediting.services.catalogue import account_create, product_create
        from crediting.services.endpoints import endpoint_create

        self.place = place
        self.port = port or free_port()
        self.where: Company = company(slug, people, managers=True)
        with tenant_scope(self.where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()):
            endpoint, self.secret = endpoint_create(key="crm", name="CRM")
            product_create(key="gtx", name="GTX")
            account_create(key="acme", name="Acme")
        self.endpoint, self.path = endpoint.pk, f"/hooks/{endpoint.token}/"
        self.deals = deals
        self.size = f"{people:,} people, {deals:,} deals at first"
        self.amounts = 0  # sent so far: each event has its own
        facts(place, self.where, deals, days=DAYS, endpoint=endpoint.pk)
        self._recompute()

    def _recompute(self) -> None:
        from comp.tenancy.scope import Actor, Pay, tenant_scope
        from payouts.services.claims import scopes_recompute
        from payouts.services.scopes import scopes_everything

        with tenant_scope(self.where.tenant, actor=Actor.command("bench"), pay=Pay.everyone()):
            scopes_everything(label="Benchmark")
        while scopes_recompute(self.where.tenant):
            pass

    @contextmanager
    def processes(self, *names: str) -> Iterator[None]:
        """Processes of `make run`, by its own commands; ended in any case."""
        commands = run.processes(self.place.data, self.port)
        log = self.place.data / f"{names[0]}.log"
        with log.open("wb") as output:
            started = [
                subprocess.Popen(commands[name], cwd=CHECKOUT, env=self.place.env, stdout=output, stderr=output)
                for name in names
            ]
            try:
                if "web" in names:
                    self._wait_for_web(started[0])
                yield
                ended = [name for name, process in zip(names, started, strict=True) if process.poll() is not None]
                if ended:
                    raise RuntimeError(f"{', '.join(ended)} ended by itself:\n{log_tail(log, 30)}")
            finally:
                for process in started:
                    process.terminate()
                for process in started:
                    try:
                        process.wait(timeout=15)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait()

    def _wait_for_web(self, web: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and web.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"the web process did not answer:\n{log_tail(self.place.data / 'web.log', 30)}")

    def accepted(self, seconds: float, run_no: int) -> float:
        """Deliveries answered 202 a second, sent as fast as they are answered."""
        half = len(self.where.sellers)
        events = [
            (f"open-{run_no}-{i}", self._event("engaged", f"O{run_no}-{i}", i % half, i % half, 100_00, None))
            for i in range(int(seconds * 3000))
        ]
        with self._client(events, seconds=seconds, rate=None) as client:
            times = [when for _, when in self._answers(client)]
        return (len(times) - 1) / (max(times) - min(times))

    def settle(self) -> float:
        """Waits until nothing waits: no delivery, no message, no scope. Returns the seconds that took."""
        began = time.monotonic()
        end = began + 180
        waiting = (
            "SELECT (SELECT count(*) FROM crediting_rawdelivery WHERE state = 'pending') "
            "+ (SELECT count(*) FROM outbox_message WHERE done_at IS NULL) "
            "+ (SELECT count(*) FROM payouts_changedscope)"
        )
        with closing(self.place.admin()) as admin, admin.cursor() as cursor:
            while time.monotonic() < end:
                cursor.execute(waiting)
                [(left,)] = cursor.fetchall()
                if not left:
                    return time.monotonic() - began
                time.sleep(0.2)
        raise RuntimeError(f"{left} pieces of work still wait:\n{log_tail(self.place.data / 'worker.log', 30)}")

    def followed(self, *, rate: int, seconds: int, look_seconds: float = POLL_SECONDS) -> list[float]:
        """Milliseconds from each answer until the figure could be read, in the order of the events: new won deals and
        corrections of known ones in turn, each of another deal and another amount, of all sellers alike."""
        half = len(self.where.sellers)
        events, wanted = [], {}
        for i in range(rate * seconds):
            pair, amount = self.amounts // 2, 200_000_00 + self.amounts
            self.amounts += 1
            if i % 2:
                deal, seller, helper, day = f"N{self.amounts:06}", pair % half, pair * 7 % half, pair % DAYS
            else:  # as facts.sql made it
                known = 1 + pair % self.deals
                deal, seller, helper, day = f"D{known:08}", known * 31 % half, known * 17 % half, known % DAYS
            body = self._event("won", deal, seller, helper, amount, QUARTERS[0] + timedelta(days=day))
            events.append((f"live-{self.amounts}", body))
            wanted[f"live-{self.amounts}"] = (deal, self.where.sellers[seller], amount)
        answered: dict[str, float] = {}
        seen: dict[str, float] = {}
        with self._client(events, seconds=None, rate=rate) as client:
            reader = threading.Thread(target=lambda: answered.update(self._answers(client)), daemon=True)
            reader.start()
            self._poll(wanted, answered, seen, until=time.monotonic() + seconds + PATIENCE, every=look_seconds)
            reader.join(timeout=PATIENCE)
        missing = [sender for sender in wanted if sender not in answered or sender not in seen]
        if missing:
            came = [(seen[sender] - answered[sender]) * 1000 for sender in wanted if sender not in missing]
            raise NeverCame(missing, came)
        return [(seen[sender] - answered[sender]) * 1000 for sender in wanted]

    def _poll(
        self,
        wanted: dict[str, tuple[str, int, int]],
        answered: dict[str, float],
        seen: dict[str, float],
        until: float,
        every: float,
    ) -> None:
        """Looks every few milliseconds, as the runtime role, for the figures of what was answered that have not come
        yet. Only the earliest are looked for, so that looking costs little."""
        left = dict(wanted)
        sender_of = {(deal, amount): sender for sender, (deal, _, amount) in wanted.items()}
        with closing(psycopg2.connect(self.place.env["DATABASE_APP_URL"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET ROLE comp_pay; SET app.tenant = %s; SET app.pay = '{}'; SET app.pay_groups = '*';"
                    " SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
                    [str(self.where.tenant)],
                )
                while left and time.monotonic() < until:
                    began = time.monotonic()
                    rows = [left[sender] for sender in islice(left, LOOKED_FOR) if sender in answered]
                    found = []
                    if rows:
                        deals, people, amounts = (list(column) for column in zip(*rows, strict=True))
                        cursor.execute(_SEEN, [deals, people, amounts, self.endpoint])
                        found = cursor.fetchall()
                    now = time.monotonic()
                    for deal_and_amount in found:
                        sender = sender_of[deal_and_amount]
                        seen[sender] = now
                        del left[sender]
                    time.sleep(max(0.0, every - (time.monotonic() - began)))

    def _event(self, stage: str, deal: str, seller: int, helper: int, amount: int, day: date | None) -> str:
        """A delivery's body. Person k of the company has the key p<k>, and sellers come first."""
        data: dict[str, Any] = {
            "deal": deal,
            "version": 2 + self.amounts,  # of two corrections of one deal the later stands
            "stage": stage,
            "owner": f"p{seller}",
            "team": [{"role": "se", "person": f"p{len(self.where.sellers) + helper}"}],
            "product": "gtx",
            "account": "acme",
            "amount": f"{amount // 100}.{amount % 100:02}",
            "currency": "USD",
            "engage_date": "2024-12-01",
            "close_date": day.isoformat() if day else None,
        }
        at = datetime(2025, 6, 1, 12, tzinfo=UTC) + timedelta(milliseconds=self.amounts)
        return json.dumps({"type": f"deal.{stage}", "timestamp": at.isoformat(timespec="milliseconds"), "data": data})

    @contextmanager
    def _client(
        self, events: list[tuple[str, str]], *, seconds: float | None, rate: int | None
    ) -> Iterator[subprocess.Popen[str]]:
        """The sender, ready to go."""
        task = {
            "port": self.port,
            "path": self.path,
            "secret": self.secret,
            # A connection that is kept open without a call is closed by the server.
            "connections": 1 if rate is not None and rate < 10 else self.CONNECTIONS,
            "seconds": seconds,
            "rate": rate,
            "events": events,
        }
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.client"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdin and client.stdout
            json.dump(task, client.stdin)
            client.stdin.close()
            if client.stdout.readline() != "ready\n":
                raise RuntimeError("the sender did not start")
            try:
                yield client
            finally:
                client.kill()

    @staticmethod
    def _answers(client: subprocess.Popen[str]) -> Iterator[tuple[str, float]]:
        """What is answered 202, and when, as it comes."""
        assert client.stdout
        for line in client.stdout:
            sender, status, when = line.split()
            if status != "202":
                raise RuntimeError(f"{sender} was answered {status}")
            yield sender, float(when)
