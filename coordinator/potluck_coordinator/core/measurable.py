"""Metrics that some rows leave without a meaning: then they are absent, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping

ZERO = 1e-7
"""What is nearer to 0 than this is 0 for a share of it, as in Keras."""

_ONE_CLASS = "all rows are of one class"
_NONE_OF_SECOND = "no row is of the second class"
_CONSTANT = "all true values are equal"
REASONS: Mapping[str, str] = {
    "roc_auc": _ONE_CLASS,
    "pr_auc": _ONE_CLASS,
    "mcc": _ONE_CLASS,
    "cohen_kappa": _ONE_CLASS,
    "precision": _NONE_OF_SECOND,
    "recall": _NONE_OF_SECOND,
    "f1": _NONE_OF_SECOND,
    "r2": _CONSTANT,
    "explained_variance": _CONSTANT,
    "mape": "a true value is 0",
}
"""Why a metric is absent where it is: each has one reason alone."""
_ONE_ROW = "there is only one row"


def why_undefined(name: str, rows: int | None = None) -> str:
    """Say why a metric has no value. `rows`: how many there were; of one, nothing can differ."""
    why = REASONS[name]
    return _ONE_ROW if rows == 1 and why in (_ONE_CLASS, _CONSTANT) else why


def undefined_for_classes(present: Collection[int]) -> set[str]:
    """Name the metrics that rows of these class numbers leave undefined, whatever is predicted."""
    of_one = {name for name, why in REASONS.items() if why == _ONE_CLASS}
    of_second = {name for name, why in REASONS.items() if why == _NONE_OF_SECOND}
    return (of_one if len(present) < 2 else set()) | (of_second if 1 not in present else set())


def undefined_for_amounts(low: float, high: float, smallest: float) -> set[str]:
    """Name the metrics that true values from `low` to `high` leave undefined.

    `smallest`: the least of their distances from 0.
    """
    constant = {name for name, why in REASONS.items() if why == _CONSTANT}
    return (constant if low == high else set()) | ({"mape"} if smallest < ZERO else set())


def absent(
    expected: Collection[str], metrics: Mapping[str, float], rows: int | None = None
) -> dict[str, str]:
    """Give the metrics that a score lacks, each with its reason; none where it diverged.

    `rows`: on how many it was measured.
    """
    if not metrics:
        return {}
    lacking = [name for name in expected if name in REASONS and name not in metrics]
    return {name: why_undefined(name, rows) for name in lacking}
