"""The kernel agrees to the last digit with the oracle, on generated plans and batches over all constructs together.

Here a bounded number of them; `python -m tests.oracle.agree --plans 20000` compares as many as asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payouts.kernel.errors import AmountOutOfRange, DateOutsideCalendar
from tests.oracle.agree import Tally, case_at, chunk, compared, differences, judged
from tests.oracle.bridge import kernel_facts
from tests.oracle.case import Case, Facts
from tests.oracle.meaning import meaning
from tests.oracle.pick import FEATURES, TAPE, Pick
from tests.oracle.plain import case, deal, plan
from tests.oracle.strategies import case_from
from tests.oracle.words import LARGEST

SHARDS = 5
CASES_A_SHARD = 200


@pytest.mark.parametrize("shard", range(SHARDS))
def test_kernel_and_oracle_agree(shard: int) -> None:
    tally = chunk((shard, 0, CASES_A_SHARD, set(FEATURES)))
    assert not tally.different, "\n".join(tally.different)
    print(f"shard {shard}: {tally.agreeing} cases agree in every figure; {dict(tally.covered)}")
    assert tally.agreeing >= 0.85 * CASES_A_SHARD
    assert len(tally.covered) >= 70, tally.covered


@settings(max_examples=100, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.binary(min_size=TAPE, max_size=TAPE))
def test_kernel_and_oracle_agree_on_what_hypothesis_makes(tape: bytes) -> None:
    """A tape on which they differ shrinks: every smaller byte is a plainer choice."""
    pick = Pick(tape)
    tally = judged(case_from(pick), pick.used, "a tape")
    assert not tally.different, "\n".join(tally.different)


def test_every_construct_occurs_often_enough() -> None:
    used: Counter[str] = Counter()
    for number in range(600):
        used.update(case_at(77, number)[1])
    assert {name: used[name] for name in FEATURES if used[name] < 0.02 * 600} == {}


# ------------------------------------------------------------------ batches


def some_cases(seed: int, count: int) -> Iterator[Case]:
    """Cases that the kernel does not refuse."""
    for number in range(count):
        found, _ = case_at(seed, number)
        try:
            kernel_facts(found)
        except (AmountOutOfRange, DateOutsideCalendar):
            continue
        yield found


def test_the_order_of_rows_changes_nothing() -> None:
    for each in some_cases(1_000, 100):
        assert kernel_facts(each, seed=1) == kernel_facts(each, seed=2)


def test_each_participant_alone_gets_what_all_together_get() -> None:
    for each in some_cases(2_000, 60):
        together = kernel_facts(each)
        for person in {held.person for held in each.assignments}:
            alone = kernel_facts(each, only=[person])
            # A fact waits where somebody that is asked for would get credit of it.
            assert all(wait in together.waits for wait in alone.waits)
            assert alone == replace(facts_of_person(together, person), waits=alone.waits)


def test_two_halves_of_the_participants_make_the_whole() -> None:
    for each in some_cases(3_000, 60):
        people = sorted({held.person for held in each.assignments})
        one, other = kernel_facts(each, only=people[::2]), kernel_facts(each, only=people[1::2])
        assert kernel_facts(each) == both(one, other)


def facts_of_person(facts: Facts, person: int) -> Facts:
    return Facts(
        [credit for credit in facts.credits if credit.person == person],
        [group for group in facts.groups if group.key.person == person],
        [line for line in facts.lines if line.group.person == person],
        [tranche for tranche in facts.tranches if tranche.group.person == person],
        facts.waits,
        [row for row in facts.settlements if row.person == person],
        [row for row in facts.schedules if row.group.person == person],
        [row for row in facts.draws if row.person == person],
    )


def both(one: Facts, other: Facts) -> Facts:
    return Facts(
        sorted(one.credits + other.credits),
        sorted(one.groups + other.groups, key=lambda group: group.key),
        sorted(one.lines + other.lines, key=lambda line: (line.group, line.position)),
        sorted(one.tranches + other.tranches, key=lambda row: (row.group, row.position, row.place, row.part)),
        sorted({*one.waits, *other.waits}),
        sorted(one.settlements + other.settlements),
        sorted(one.schedules + other.schedules),
        sorted(one.draws + other.draws),
    )


# ------------------------------------------------------------------ the largest amounts


@pytest.mark.parametrize(
    ("amounts", "quota", "refused"),
    [
        ((LARGEST,), LARGEST, False),
        ((-LARGEST,), LARGEST, False),
        ((LARGEST - 1, 1), LARGEST, False),
        ((LARGEST, -LARGEST, LARGEST), LARGEST, False),
        ((LARGEST + 1,), LARGEST, True),
        ((-LARGEST - 1,), LARGEST, True),
        ((LARGEST, 1), LARGEST, True),
        ((LARGEST, 1, -1), LARGEST, True),
        ((1,), LARGEST + 1, True),
        ((2**62,), LARGEST, True),
        ((2**62, 2**62, 2**62, 2**62), LARGEST, True),  # would come round to zero in 64 bits
    ],
)
def test_the_largest_amount_is_calculated_and_more_is_refused(
    amounts: tuple[int, ...], quota: int, refused: bool
) -> None:
    largest = case(plan(), *(deal(amount, place) for place, amount in enumerate(amounts)), quota=quota)
    if refused:
        with pytest.raises(AmountOutOfRange):
            kernel_facts(largest)
    else:
        assert list(differences(meaning(largest), kernel_facts(largest))) == []


# ------------------------------------------------------------------ the comparison can see


def flipped_boundary(facts: dict[str, Any]) -> None:
    other = {"above": "below", "below": "above"}
    for component in facts["components"]:
        if component.get("tiers"):
            component["tiers"]["boundary"] = other[component["tiers"]["boundary"]]


def other_rounding(facts: dict[str, Any]) -> None:
    other = {"half-even": "half-up", "half-up": "half-even"}
    facts["rounding"]["mode"] = other[facts["rounding"]["mode"]]


def cap_off_by_one(facts: dict[str, Any]) -> None:
    for component in facts["components"]:
        if component.get("cap"):
            whole, _, rest = component["cap"]["amount"].partition(".")
            component["cap"]["amount"] = f"{int(whole) + 1}{'.' if rest else ''}{rest}"


def no_gates(facts: dict[str, Any]) -> None:
    for component in facts["components"]:
        component.pop("gates", None)


def no_clawback(facts: dict[str, Any]) -> None:
    for component in facts["components"]:
        component.pop("clawback", None)


def no_proration(facts: dict[str, Any]) -> None:
    if facts["on_new_version"] != "restart":
        facts.pop("proration", None)


@pytest.mark.parametrize(
    "fault", [flipped_boundary, other_rounding, cap_off_by_one, no_gates, no_clawback, no_proration]
)
def test_a_fault_in_what_the_kernel_goes_by_is_seen(monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    """The kernel is given plans with one mistake each; the oracle reads them as they are."""
    import copy

    from tests.oracle import bridge

    compile_plan = bridge.compile_plan

    def faulty(document: dict[str, Any]) -> Any:
        document = copy.deepcopy(document)
        fault(document)
        return compile_plan(document)

    monkeypatch.setattr(bridge, "compile_plan", faulty)
    assert seen(300), f"{fault.__name__} was not seen"


def test_a_wrong_order_of_credits_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.oracle import bridge

    monkeypatch.setattr(bridge, "microseconds", lambda moment: -moment.hour)
    assert seen(300), "the order of credits was not seen"


def seen(count: int) -> bool:
    for number in range(count):
        try:
            tally = compared(8, number, set(FEATURES))
        except Exception:
            tally = Tally(different=["refused"])
        if tally.different:
            return True
    return False
