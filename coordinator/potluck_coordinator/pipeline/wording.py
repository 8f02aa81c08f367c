"""What is said of columns of words: spellings of one word as several, and dates."""

from __future__ import annotations

import re
from collections.abc import Sequence

from potluck_coordinator.pipeline.dataset import Categorical, Dataset

DATE = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}([-/.])\d{1,2}\3\d{4}( .*)?"
)
MOST_NAMED = 3


def words_told(dataset: Dataset, target: str, features: Sequence[str]) -> list[str]:
    """Say which classes and words differ only in how they are typed, and which are dates."""
    said: list[str] = []
    for name in (target, *features):
        column = dataset.columns.get(name)
        if not isinstance(column, Categorical):
            continue
        what = "classes" if name == target else "words"
        said += _alike(column, what)
        if column.vocabulary and all(DATE.fullmatch(word) for word in column.vocabulary):
            said.append(
                f"{name}: dates, taken as {len(column.vocabulary)} {what} without order. Numbers, "
                "such as days since 1970-01-01, would keep their order."
            )
    return said


def _alike(column: Categorical, what: str) -> list[str]:
    """Warn of words that are one but for case and spaces; the vocabulary is sorted."""
    spelled: dict[str, list[str]] = {}
    for word in column.vocabulary:
        spelled.setdefault(" ".join(word.split()).casefold(), []).append(word)
    several = [words for words in spelled.values() if len(words) > 1]
    if not several:
        return []
    shown = "; ".join(
        " and ".join(repr(word[:20]) for word in words) for words in several[:MOST_NAMED]
    )
    more = f" and {len(several) - MOST_NAMED} more" if len(several) > MOST_NAMED else ""
    return [
        f"{column.name}: {shown}{more} differ only in case or spaces, and are {what} of their own."
    ]
