"""Arrays of one value a row: numbers, and words read as a table's words are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.words import MISSING_WORDS
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from potluck_coordinator.pipeline.exact import merged_integers
from potluck_coordinator.pipeline.labels import WORDS
from potluck_coordinator.pipeline.spelling import Spelling, number_of
from potluck_coordinator.pipeline.table import MOST_SPELLED

AS_TABLE = Spelling("words", missing=(*MISSING_WORDS, "None", "<NA>", "NaT"))
"""Without surrounding spaces, and with what NumPy writes for a missing value as missing."""
MOST_LABELS = 100
SAMPLE = 1000


def read_words(
    name: str, array: NDArray[Any], spellings: Mapping[str, Spelling] | None
) -> tuple[Categorical, Spelling | None]:
    """Read text [rows]. `spellings`: those of a plan, which tell old plans' words as they were."""
    words, codes = np.unique(array, return_inverse=True)
    written: list[str] = words.tolist()
    spelling = AS_TABLE if spellings is None else spellings.get(name)
    gaps: tuple[str, ...] = ()
    if spelling is not None:
        stripped = [word.strip() for word in written]
        gaps = tuple(sorted({word for word in stripped if word in spelling.missing}))
        if not gaps and stripped == written:
            spelling = None
        vocabulary = sorted(set(stripped) - set(gaps))
        number = {word: code for code, word in enumerate(vocabulary)}
        codes = np.array([number.get(word, -1) for word in stripped])[codes]
        written = vocabulary
    note = _note(name, written)
    column = Categorical(name, codes.astype(np.int64), tuple(written), str(array.dtype), note, gaps)
    return column, spelling


def read_numbers(
    name: str, array: NDArray[Any], spellings: Mapping[str, Spelling] | None
) -> Numeric | Categorical:
    """Read numbers [rows]; class numbers that float64 would merge can be read as words too."""
    dtype = str(array.dtype)
    if spellings is not None and spellings.get(name) == WORDS:
        return _as_words(name, array)
    values = array.astype(np.float64)
    present = values[np.isfinite(values)]
    integer = bool(np.all(present == np.floor(present)))
    merged = merged_integers(array)
    few = merged and len(np.unique(array)) <= MOST_SPELLED
    spelled = _as_words(name, array) if few else None
    return Numeric(name, values, dtype, integer, spelled, merged=merged)


def _as_words(name: str, array: NDArray[Any]) -> Categorical:
    words, codes = np.unique(array.astype(str), return_inverse=True)
    return Categorical(name, codes.astype(np.int64), tuple(words.tolist()), str(array.dtype))


def _note(name: str, words: list[str]) -> str:
    """Say of many numbers saved as text that they are taken as words; few may be labels."""
    some = words[:SAMPLE]
    if len(words) <= MOST_LABELS:
        return ""
    if any(number_of(word.replace(",", "")) is None for word in some):
        return ""
    return f"{name}: numbers saved as text are taken as words. Save {name}.astype('float32')."
