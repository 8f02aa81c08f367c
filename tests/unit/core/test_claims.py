"""Claims that are kept and drawn: few, however many epochs there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.claims import (
    MOST_DRAWN,
    MOST_KEPT,
    MOST_ON_A_LINE,
    drawn_apart,
    sharing,
)

EPOCHS = st.integers(1, 10**6)


@given(st.integers(0, 10**6), EPOCHS, st.data())
def test_epochs_that_share_a_claim_are_a_part_of_the_unit(
    begin: int, long: int, data: st.DataObject
) -> None:
    epoch = data.draw(st.integers(begin + 1, begin + long))
    first, last = sharing(epoch, begin, begin + long)
    assert begin < first <= epoch <= last <= begin + long
    assert {sharing(one, begin, begin + long) for one in (first, last)} == {(first, last)}
    if long <= MOST_KEPT:
        assert first == last == epoch


@given(st.integers(0, 1000), st.integers(1, 5000))
def test_no_unit_keeps_more_claims_than_it_may(begin: int, long: int) -> None:
    end = begin + long
    assert len({sharing(one, begin, end) for one in range(begin + 1, end + 1)}) <= MOST_KEPT


@given(EPOCHS, st.integers(0, 10_000))
def test_curves_have_few_points_and_short_ones_all_of_theirs(epochs: int, lines: int) -> None:
    points = -(-epochs // drawn_apart(epochs, lines))
    assert points <= MOST_ON_A_LINE
    assert points * lines <= max(MOST_DRAWN, 2 * lines)
    if epochs <= 2 or (epochs <= MOST_ON_A_LINE and lines * epochs <= MOST_DRAWN):
        assert points == epochs
