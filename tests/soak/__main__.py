"""`make soak`: faults of every kind under load. Exit status 1 where a run ends with other figures than the undisturbed
one, with something that waits, or without having injected its fault."""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import connections

from comp.local.dev import CHECKOUT
from tests.bench.ground import Ground, ground
from tests.bench.report import Report, machine
from tests.soak import fairness, faults, figures, story
from tests.soak.faults import Fault
from tests.soak.sender import Sender
from tests.soak.stack import Stack

SETTLE = 240
#: Events of one run, and how many a second.
COUNT, RATE = 1500, 75.0
QUICK_COUNT, QUICK_RATE = 80, 60.0
DISK_MB, QUICK_DISK_MB = 3072, 1024
#: What a sender may be answered: taken, taken before, not now; or nothing, where the connection breaks.
CLEAR = {"stored", "seen", "503", "429", "none"}
DOCS = CHECKOUT / "docs" / "reliability.md"
MARK = "<!-- the last run of make soak -->"


@dataclass(frozen=True, slots=True)
class Row:
    """What one run showed."""

    name: str
    injected: int
    sent: int
    answers: str
    restarts: int
    settle: float
    wrong: str


class Soak:
    """One company a run, the same events each time."""

    def __init__(self, stack: Stack, report: Report, seed: int, quick: bool) -> None:
        self.stack, self.report, self.seed, self.quick = stack, report, seed, quick
        self.people = story.QUICK_PEOPLE if quick else story.PEOPLE
        self.events = story.events(seed, QUICK_COUNT if quick else COUNT, self.people)
        self.rate = QUICK_RATE if quick else RATE
        self.reference: figures.Figures = {}
        self.rows: list[Row] = []

    def undisturbed(self) -> None:
        """The figures that every other run must end with."""
        self.run(Fault("undisturbed", 0, 0))

    def run(self, fault: Fault) -> None:
        dice = random.Random(f"{self.seed} {fault.name}")
        connections.close_all()  # an earlier fault may have cut this process's own
        place = story.place(f"soak-{len(self.rows)}", self.people)
        tenant = place.company.tenant
        sent = list(self.events) * fault.copies
        if fault.poison:
            sent[len(sent) // 2 : len(sent) // 2] = poison()
        if fault.shuffled:
            dice.shuffle(sent)
        sender = Sender(self.stack.port, place, sent, rate=self.rate, skew=fault.skews(dice))
        restarts = self.stack.restarts
        sender.start()
        injected = faults.inject(fault, self.stack, sender, fault.quick if self.quick else fault.times, dice)
        sender.wait()
        if fault.act is None and fault.name != "undisturbed":
            injected = self._of_the_sending(fault, sent)
        wrong = []
        try:
            waited = figures.settled(self.stack.place, tenant, SETTLE)
        except RuntimeError as error:
            waited, wrong = SETTLE, [str(error)]
        states = figures.deliveries(self.stack.place, tenant)
        expected = {"done": len(self.events)} | ({"parked": 1, "waiting": 1} if fault.poison else {})
        if states != expected:
            wrong.append(f"deliveries are {states}, expected {expected}")
        found = figures.standing(self.stack.place, tenant)
        if not self.reference:
            self.reference = found
            rows = ", ".join(f"{len(lines)} in {name}" for name, lines in found.items())
            self.report.say(f"undisturbed: {rows}; digest {figures.digest(found)}")
        elif figures.digest(found) != figures.digest(self.reference):
            wrong += ["other figures than the undisturbed run", *figures.differences(found, self.reference)]
        # In a quick run the events may be over before anybody meets the fault.
        unmet = fault.meets and not sender.answers[fault.meets] and not self.quick
        if fault.name != "undisturbed" and (not injected or unmet):
            wrong.append(f"no fault was injected{', none that a sender met' if unmet else ''}")
        if unclear := sender.answers.keys() - CLEAR:
            wrong.append(f"senders were answered {', '.join(sorted(unclear))}")
        answers = ", ".join(f"{count} {what}" for what, count in sorted(sender.answers.items()))
        restarts = self.stack.restarts - restarts
        row = Row(fault.name, injected, len(sent), answers, restarts, waited, "; ".join(wrong))
        self.rows.append(row)
        self.report.say(
            f"{row.name}: {row.injected} injected, {row.sent} sent ({row.answers}), {row.restarts} restarts, settled "
            f"{row.settle:.1f} s after the last: {row.wrong or 'equal'}"
        )

    def beside(self) -> None:
        """One company's large change beside another one's single deals. After `verify`: the large one's deals are put
        straight into the tables, without deliveries."""
        connections.close_all()  # as above
        found = fairness.run(self.stack, self.report, quick=self.quick)
        sent = len(found.before) + len(found.during)
        self.rows.append(Row(fairness.NAME, len(found.during), sent, str(found), 0, found.job_seconds, found.wrong))

    @staticmethod
    def _of_the_sending(fault: Fault, sent: list[story.Event]) -> int:
        """Faults that lie in what is sent: how many deliveries they made."""
        if fault.poison:
            return 2
        return len(sent) - len(sent) // fault.copies if fault.copies > 1 else len(sent)


def poison() -> list[story.Event]:
    """One delivery that no reader understands, and one of a person whom nobody knows."""
    [good] = story.events(4711, 1, story.QUICK_PEOPLE)
    stranger = good.body.replace('"deal": "D', '"deal": "X').replace('"owner": "p', '"owner": "nobody-')
    return [
        story.Event("poison.1", good.body.replace('"amount"', '"amuont"')),
        story.Event(
            "poison.2",
            stranger.replace("deal.engaged", "deal.won").replace('"close_date": null', '"close_date": "2025-02-03"'),
        ),
    ]


def verified(place: Ground) -> bool:
    """`manage.py verify` over all companies."""
    done = subprocess.run([sys.executable, "manage.py", "verify"], cwd=CHECKOUT, env=place.env, capture_output=True)
    if done.returncode:
        print((done.stdout + done.stderr).decode()[-4000:])
    return done.returncode == 0


def table(rows: list[Row]) -> list[str]:
    """The runs as a table of Markdown."""
    lines = [
        "| run | injected | sent | answers | restarts | settled after | figures |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        told = "equal" if not row.wrong else row.wrong
        counts = f"{row.injected} | {row.sent} | {row.answers} | {row.restarts} | {row.settle:.1f} s"
        lines.append(f"| {row.name} | {counts} | {told} |")
    return lines


def write(rows: list[Row], seed: int, seconds: float) -> None:
    """The last result, kept where people read of it."""
    kept, mark, _ = DOCS.read_text().partition(MARK)
    on = machine()
    head = (
        f"Seed {seed}, {datetime.now(UTC):%-d %B %Y}, {on['cores']} cores, {on['memory_gb']} GB, "
        f"Python {on['python']}, {seconds / 60:.0f} minutes."
    )
    DOCS.write_text("\n".join([kept + mark, head, "", *table(rows), ""]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--quick", action="store_true", help="few events and faults, as in make test")
    parser.add_argument("--seed", type=int, default=None, help="printed, so that a run can be had again")
    parser.add_argument("--only", default="", help="the runs whose name this regular expression is found in")
    parser.add_argument("--write", action="store_true", help="keep the result in docs/reliability.md")
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    report = Report(quick=given.quick)
    report.say(f"seed {seed}")
    started = time.monotonic()
    data = Path(os.environ.get("COMP_BENCH_DATA") or CHECKOUT / ".comp" / "soak")
    os.environ["COMP_BENCH_DATA"] = str(data / "data")
    own_disk = faults.small_disk(data, QUICK_DISK_MB if given.quick else DISK_MB)
    try:
        with ground(report) as place:
            stack = Stack(place)
            with stack.up("web", "worker", "worker2", "jobs", "beat"):
                soak = Soak(stack, report, seed, given.quick)
                soak.undisturbed()
                for fault in faults.FAULTS:
                    if not re.search(given.only, fault.name):
                        continue
                    if fault.act is faults.fill_disk and not own_disk:
                        report.say(f"{fault.name}: left out, it needs the right to mount a small disk")
                        continue
                    soak.run(fault)
                holds = verified(place)
                if re.search(given.only, fairness.NAME):
                    soak.beside()
    finally:
        if own_disk:
            subprocess.run(["umount", str(data)], check=False)
    print("\n".join(["", *table(soak.rows)]))
    print(f"\nverify: {'every check holds' if holds else 'FAILED'}; seed {seed}")
    if given.write:
        write(soak.rows, seed, time.monotonic() - started)
    return 0 if holds and not any(row.wrong for row in soak.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
