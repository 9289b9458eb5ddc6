"""The kernel agrees to the last minor unit with the oracle, on thousands of generated plans and batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from payouts.kernel.errors import AmountOutOfRange
from tests.oracle.bridge import kernel_facts
from tests.oracle.case import Case, Facts
from tests.oracle.meaning import meaning, percent
from tests.oracle.plain import case, deal, plan
from tests.oracle.strategies import LARGEST, cases

SHARDS = 10
#: Different examples that each shard has to compare; some more are asked for, because refused amounts compare nothing.
EXAMPLES_A_SHARD = 500
ASKED = 600
PLAIN = (Phase.generate, Phase.shrink)


def examples(number: int, *, asked: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A fixed series of generated cases, the same on every machine; another `number` is another series."""

    def given_cases(test: Callable[..., None]) -> Callable[..., None]:
        profile = settings(
            max_examples=asked,
            deadline=None,
            database=None,
            phases=PLAIN,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        return seed(number)(profile(given(cases())(test)))

    return given_cases


def must_raise(case: Case, facts: Facts) -> bool:
    """A credited deal's amount, a credit, a quota in use or a running total is past the largest amount."""
    deals = {deal.id: deal for deal in case.deals}
    amounts = [credit.amount for credit in facts.credits]
    amounts += [line.after for line in facts.lines] + [group.quota or 0 for group in facts.groups]
    for credit in facts.credits:
        rules = case.versions[credit.version].document["credit_rules"]
        amounts += [deals[credit.deal].fields[rule["amount"]] for rule in rules if rule["key"] == credit.rule]  # type: ignore[misc]
    return any(abs(amount) > LARGEST for amount in amounts)


def may_raise(case: Case, facts: Facts) -> bool:
    """Some number in or between is past the largest amount: an unread field, a pot, a limit, a sum of earnings."""
    rules = [rule for version in case.versions for rule in version.document["credit_rules"]]
    shares = [percent(entry["share"]) for rule in rules for entry in rule["credit"]]
    shares += [percent(entry["limit"]) for rule in rules for entry in rule["roll_up"]]
    values = [value for deal in case.deals for value in deal.fields.values() if isinstance(value, int)]
    widest = max([1, *shares]) * max(map(abs, values), default=0)
    quotas = max((quota.amount for quota in case.quotas), default=0)
    pots = max((abs(credit.pot) for credit in facts.credits), default=0)
    earnings = sum(abs(line.rounded) for line in facts.lines)
    return must_raise(case, facts) or max(widest, quotas, pots, earnings) > LARGEST


def agree(case: Case, expected: Facts, **how: Any) -> bool:
    """Compare, and say whether there was something to compare rather than a refusal."""
    try:
        found = kernel_facts(case, **how)
    except AmountOutOfRange:
        assert may_raise(case, expected), "refused, though no amount is out of range"
        return False
    assert not must_raise(case, expected), "an amount is out of range and was not refused"
    assert found.credits == expected.credits
    assert found.groups == expected.groups
    assert found.lines == expected.lines
    assert found.tranches == expected.tranches
    return True


def what_it_shows(case: Case, facts: Facts, compared: bool) -> Counter[str]:
    """Which constructs the example reached, so that a generator gone blind is seen."""
    documents = [version.document for version in case.versions]
    versions_in_groups = {(line.group, line.credit.version) for line in facts.lines}
    bounds = {
        "negative total": any(line.after < 0 for line in facts.lines),
        "zero quota": any(group.quota == 0 for group in facts.groups),
        "waiting line": any(line.waiting for line in facts.lines),
        "capped line": any(line.earned != line.rounded for line in facts.lines),
        "rolled credit": any(credit.rolled for credit in facts.credits),
        "limited roll-up": any(credit.rolled and credit.amount != credit.pot for credit in facts.credits),
        "two versions in a group": len(versions_in_groups) > len(facts.groups),
        "total exactly on the quota": any(line.after == group.quota for line in facts.lines for group in facts.groups),
        "waiting tranche": any(tranche.release_day is None for tranche in facts.tranches),
        "later tranche": any(tranche.release_day != tranche.trigger_day for tranche in facts.tranches),
        "third line": any(line.position >= 3 for line in facts.lines),
        "several rules": any(len(document["credit_rules"]) > 1 for document in documents),
        "refused amount": not compared,
    }
    return Counter(name for name, shown in bounds.items() if shown)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_kernel_and_oracle_agree(shard: int) -> None:
    different: set[str] = set()
    shown: Counter[str] = Counter()

    @examples(shard, asked=ASKED)
    def check(case: Case) -> None:
        expected = meaning(case)
        compared = agree(case, expected, seed=len(different))
        if compared:
            different.add(repr(case))
        shown.update(what_it_shows(case, expected, compared))

    check()
    print(f"shard {shard}: {len(different)} different examples agree in every figure; {dict(shown)}")
    assert len(different) >= EXAMPLES_A_SHARD
    assert len(shown) == 13 and min(shown.values()) >= 3, shown


def test_the_order_of_rows_changes_nothing() -> None:
    @examples(1_000, asked=100)
    def check(case: Case) -> None:
        try:
            first = kernel_facts(case, seed=1)
        except AmountOutOfRange:
            return
        assert first == kernel_facts(case, seed=2) == kernel_facts(case, seed=3)

    check()


def test_each_participant_alone_gets_what_all_together_get() -> None:
    @examples(2_000, asked=100)
    def check(case: Case) -> None:
        try:
            together = kernel_facts(case)
        except AmountOutOfRange:
            return
        for person in {held.person for held in case.assignments}:
            assert kernel_facts(case, only=[person]) == facts_of_person(together, person)

    check()


def test_two_halves_of_the_participants_make_the_whole() -> None:
    @examples(3_000, asked=100)
    def check(case: Case) -> None:
        people = sorted({held.person for held in case.assignments})
        try:
            whole = kernel_facts(case)
        except AmountOutOfRange:
            return
        one, other = kernel_facts(case, only=people[::2]), kernel_facts(case, only=people[1::2])
        assert whole == Facts(
            sorted(one.credits + other.credits),
            sorted(one.groups + other.groups, key=lambda group: group.key),
            sorted(one.lines + other.lines, key=lambda line: (line.group, line.position)),
            sorted(one.tranches + other.tranches, key=lambda tranche: (tranche.group, tranche.position, tranche.place)),
        )

    check()


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
    assert agree(largest, meaning(largest)) is not refused


def facts_of_person(facts: Facts, person: int) -> Facts:
    return Facts(
        [credit for credit in facts.credits if credit.person == person],
        [group for group in facts.groups if group.key.person == person],
        [line for line in facts.lines if line.group.person == person],
        [tranche for tranche in facts.tranches if tranche.group.person == person],
    )
