"""Row numbers as text: the same numbers, lengths and hashes as those of lists."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.row_numbers import NO_ROWS, RowNumbers, hash_of_rows
from potluck_coordinator.services.jobs import canonical_json, hash_of

ROWS = st.lists(st.integers(0, 2**40), max_size=50)


@given(ROWS)
def test_what_is_written_is_read_and_counted(rows: list[int]) -> None:
    written = RowNumbers.of(iter(rows))
    assert written.text == canonical_json(rows).decode()
    assert (written.numbers(), len(written)) == (rows, len(rows))
    spaced = RowNumbers(json.dumps(rows))
    assert (spaced.numbers(), len(spaced)) == (rows, len(rows))


@given(ROWS, ROWS)
def test_hashes_are_those_of_the_lists(train: list[int], held: list[int]) -> None:
    written = RowNumbers.of(train), RowNumbers.of(held)
    assert hash_of_rows(*written) == hash_of([train, held])
    assert hash_of_rows(written[0]) == hash_of(train)


def test_many_numbers_are_written_in_pieces() -> None:
    many = list(range(200_001))
    assert RowNumbers.of(many).numbers() == many
    assert RowNumbers.of([]) == NO_ROWS
