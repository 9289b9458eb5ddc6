"""Pay below zero is carried and set off: by the table of docs/algorithms/waterfall.md, and no cent more or less."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from payouts.kernel.set_off import Terms, moved, parted

QUARTER = Terms(None, Fraction(1, 4), 200_00)


def test_a_quarter_of_pay_is_set_off_and_two_hundred_are_left() -> None:
    owed, seen = 0, []
    for pay in (-1_000_00, 3_000_00, 250_00, 2_000_00):
        taken = moved(pay, owed, QUARTER)
        owed -= taken
        seen.append((taken // 100, (pay - taken) // 100, owed // 100))
    assert seen == [(-1_000, 0, 1_000), (750, 2_250, 250), (50, 200, 200), (200, 1_800, 0)]


def test_what_was_decided_is_carried_as_a_whole_or_not_at_all() -> None:
    decided = Terms(1_500_00, Fraction(0))
    assert moved(-1_500_00, 0, decided) == -1_500_00 and moved(-1_500_01, 0, decided) == 0
    # It is of the whole: of what is carried from before as well.
    assert moved(-500_00, 1_000_00, decided) == -500_00 and moved(-1_400_00, 1_000_00, decided) == 0
    assert moved(9_000_00, 1_500_00, decided) == 0  # carried alone: no pay is set against it


_MINOR = st.integers(-(10**12), 10**12)
_TERMS = st.builds(
    Terms,
    st.none() | st.integers(0, 10**12),
    st.fractions(0, 1, max_denominator=1000),
    st.integers(0, 10**9),
)


@given(st.lists(_MINOR, max_size=24), _TERMS)
def test_all_that_comes_in_is_paid_or_owed(pays: list[int], terms: Terms) -> None:
    owed = paid = 0
    for pay in pays:
        taken = moved(pay, owed, terms)
        owed, paid = owed - taken, paid + pay - taken
        assert owed >= 0 and sum(parted(max(taken, 0), {"a": owed // 2, "b": 10**15}).values()) == max(taken, 0)
        if pay >= 0:
            assert 0 <= taken <= pay * terms.share and (taken == 0 or pay - taken >= terms.keep)
        elif terms.most is None:
            assert taken == pay
    assert paid - owed == sum(pays)
