"""Compare the kernel with the oracle on generated plans over all constructs, and count what was covered.

python -m tests.oracle.agree --plans 20000 [--seed N] [--jobs 2] [--without "clawback,paid"]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from multiprocessing import get_context
from random import Random

from payouts.kernel.errors import AmountOutOfRange, DateOutsideCalendar
from plans.rules.checks import check, errors
from tests.oracle.bridge import kernel_facts
from tests.oracle.case import Case, Facts
from tests.oracle.meaning import meaning
from tests.oracle.pick import FEATURES, TAPE, Pick
from tests.oracle.reading import OutsideCalendar
from tests.oracle.strategies import case_from

CHUNK = 100


@dataclass
class Tally:
    """What a run of cases came to."""

    agreeing: int = 0
    refused: int = 0
    different: list[str] = field(default_factory=list)
    covered: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        self.agreeing += other.agreeing
        self.refused += other.refused
        self.different += other.different
        self.covered.update(other.covered)


def case_at(seed: int, number: int, features: set[str] | frozenset[str] = frozenset(FEATURES)) -> tuple[Case, set[str]]:
    """One case of a series, the same on every machine, and the constructs that occur in it."""
    pick = Pick(Random(f"{seed}-{number}").randbytes(TAPE), features)
    return case_from(pick), pick.used


def wrong_documents(case: Case) -> list[str]:
    return [problem.message for version in case.versions for problem in errors(check(version.document))]


def differences(expected: Facts, found: Facts) -> Iterator[str]:
    """Where two results differ: the first row of each list that does, figure by figure."""
    for name in Facts.__dataclass_fields__:
        for ours, theirs in zip_longest(getattr(expected, name), getattr(found, name)):
            if ours == theirs:
                continue
            if ours is None or theirs is None or ours[0] != theirs[0]:
                yield f"{name}: oracle {ours}, kernel {theirs}"
            else:
                pairs = zip(ours._fields, ours, theirs, strict=True)
                told = [f"{figure} oracle {a}, kernel {b}" for figure, a, b in pairs if a != b]
                yield f"{name} {ours[:2]}: {'; '.join(told)}"
            break


def compared(seed: int, number: int, features: set[str]) -> Tally:
    return judged(*case_at(seed, number, features), f"{seed}-{number}", seed=number)


def judged(case: Case, used: set[str], name: str, *, seed: int = 0) -> Tally:
    """One case by both, in every figure; `seed` shuffles the rows that the kernel gets."""
    wrong = wrong_documents(case)
    if wrong:
        return Tally(different=[f"{name}: the document is wrong: {wrong[0]}"])
    try:
        expected = meaning(case)
    except OutsideCalendar:
        expected = None
    try:
        found = kernel_facts(case, seed=seed)
    except AmountOutOfRange:
        return Tally(refused=1)
    except DateOutsideCalendar:
        return Tally(refused=1) if expected is None else Tally(different=[f"{name}: a day refused for nothing"])
    if expected is None:
        return Tally(different=[f"{name}: a day outside the calendar is not refused"])
    told = [f"{name} {sorted(used)}: {each}" for each in differences(expected, found)]
    if told:
        return Tally(different=told[:1])
    return Tally(agreeing=1, covered=Counter(used | shown(expected)))


def shown(facts: Facts) -> set[str]:
    """What a case reached beyond what its plan says, so that a generator gone blind is seen."""
    found = {f"line of a {line.kind}" for line in facts.lines} | {f"tranche {each.state}" for each in facts.tranches}
    found |= {f"credit {credit.kind}" for credit in facts.credits}
    reached = {
        "waiting line": any(line.waiting for line in facts.lines),
        "capped line": any(line.earned != line.rounded for line in facts.lines),
        "negative total": any((line.after or 0) < 0 for line in facts.lines),
        "zero quota": any(group.quota == 0 for group in facts.groups),
        "total exactly on the quota": any(group.quota and group.total == group.quota for group in facts.groups),
        "two versions in a group": len({(line.group, line.version) for line in facts.lines}) > len(facts.groups),
        "periods of several lengths": several_lengths(facts),
        "excess under review": any(line.review for line in facts.lines),
        "fact that waits for a rate": bool(facts.waits),
        "settlement": bool(facts.settlements),
        "schedule": bool(facts.schedules),
        "result": any(group.result is not None for group in facts.groups),
    }
    return found | {name for name, is_so in reached.items() if is_so}


def several_lengths(facts: Facts) -> bool:
    """Does a component of somebody measure by periods of several lengths, one version after the other?"""
    lengths = {(group.key.person, group.key.plan, group.key.component, group.key.every) for group in facts.groups}
    return len({length[:3] for length in lengths}) < len(lengths)


def chunk(task: tuple[int, int, int, set[str]]) -> Tally:
    seed, first, behind, features = task
    tally = Tally()
    for number in range(first, behind):
        try:
            tally.add(compared(seed, number, features))
        except Exception as error:
            tally.add(Tally(different=[f"{seed}-{number}: {type(error).__name__}: {error}"]))
    return tally


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=20_000, help="how many cases have to agree")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--without", default="", help="constructs to leave out, by comma")
    chosen = parser.parse_args(arguments)
    features = FEATURES - {name.strip() for name in chosen.without.split(",") if name.strip()}
    tally, began = Tally(), time.monotonic()
    # Large amounts are refused now and then, and compare nothing.
    tasks = ((chosen.seed, first, first + CHUNK, features) for first in range(0, 2 * chosen.plans, CHUNK))
    with get_context("fork").Pool(chosen.jobs) as pool:
        for done, part in enumerate(pool.imap_unordered(chunk, tasks), start=1):
            tally.add(part)
            for told in part.different:
                print(told[:600], flush=True)
            if done % 10 == 0:
                tell(tally, began)
            if tally.agreeing >= chosen.plans or len(tally.different) >= 20:
                pool.terminate()
                break
    return report(tally, chosen.plans, began)


def tell(tally: Tally, began: float) -> None:
    seconds = time.monotonic() - began
    print(
        f"{tally.agreeing} agree, {len(tally.different)} differ, {tally.refused} refused, {seconds:.0f} s", flush=True
    )


def report(tally: Tally, wanted: int, began: float) -> int:
    tell(tally, began)
    for name, count in sorted(tally.covered.items(), key=lambda item: item[1]):
        print(f"  {count:7} {100 * count / max(1, tally.agreeing):5.1f}%  {name}")
    for told in tally.different[:20]:
        print(told[:2_000])
    return 0 if tally.agreeing >= wanted and not tally.different else 1


if __name__ == "__main__":
    sys.exit(main())
