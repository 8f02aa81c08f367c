"""What is tried out before a study begins: the ends of all, and more of what changes layers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potluck.protocol.study import Float, Int
from potluck_coordinator.search import Space, extremes, samples
from potluck_coordinator.search.corners import MOST_TRIED

UNITS = "layers.hidden.units"


def tried(low: int, high: int, step: int = 1) -> list[int]:
    space = Space.from_spec({UNITS: Int(low=low, high=high, step=step)})
    return [int(point[UNITS]) for point in samples(space)]


def test_a_range_of_real_numbers_is_tried_at_no_whole_number_too() -> None:
    space = Space.from_spec({UNITS: Float(low=4, high=32)})
    values = [float(point[UNITS]) for point in samples(space)]
    assert values[:2] == [4.0, 32.0]
    assert any(not value.is_integer() for value in values)
    assert [point[UNITS] for point in extremes(space)] == [4.0, 32.0]


def test_only_what_changes_layers_is_tried_between_its_ends() -> None:
    space = Space.from_spec({"batch_size": Int(low=4, high=64), UNITS: Int(low=2, high=9)})
    assert {point["batch_size"] for point in samples(space)} == {4, 64}


@given(st.integers(1, 400), st.integers(1, 2000), st.integers(1, 7))
def test_few_values_are_tried_and_each_lies_on_the_range(low: int, wide: int, step: int) -> None:
    values = tried(low, low + wide * step, step)
    assert len(values) <= MOST_TRIED
    assert {low, low + wide * step} <= set(values)
    assert all((value - low) % step == 0 for value in values)
    assert len(set(values)) == len(values)


@given(st.integers(2, 6))
def test_what_only_every_second_value_divides_is_found(low: int) -> None:
    assert {value % 2 for value in tried(low, low + 300)} == {0, 1}
