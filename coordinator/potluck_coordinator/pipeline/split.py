"""Which rows go where. Rows with equal features stay together where the plan says so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.pipeline.dataset import Dataset, Rows
from potluck_coordinator.pipeline.duplicates import row_groups
from potluck_coordinator.pipeline.target import target_numbers

if TYPE_CHECKING:
    from potluck_coordinator.pipeline.plan import Plan

Ints = NDArray[np.int64]
BINS = 10
TOGETHER = 'Rows with equal features stay together; duplicates "free" lets them part. '


@dataclass(frozen=True)
class Fold:
    """One fold: what its units train on, and what they are scored on."""

    train: Rows
    held: Rows


@dataclass(frozen=True)
class Splits:
    """Row numbers, ascending. With folds, `train` is every row that is not a test row (refit)."""

    train: Rows
    validation: Rows | None
    test: Rows
    folds: tuple[Fold, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {
            "train": self.train.tolist(),
            "validation": None if self.validation is None else self.validation.tolist(),
            "test": self.test.tolist(),
            "folds": [{"train": f.train.tolist(), "held": f.held.tolist()} for f in self.folds],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Splits:
        """Read what `to_json` wrote."""
        return cls(
            train=_rows(data["train"]),
            validation=None if data["validation"] is None else _rows(data["validation"]),
            test=_rows(data["test"]),
            folds=tuple(Fold(_rows(f["train"]), _rows(f["held"])) for f in data["folds"]),
        )


def _rows(numbers: Sequence[int]) -> Rows:
    return np.asarray(numbers, dtype=np.int64)


def split_rows(dataset: Dataset, plan: Plan) -> Splits:
    """Part the rows: test first, then validation or folds of the rest. The same every time.

    Raises BadStudy `pipeline.too_many_folds`, `pipeline.too_few_rows`.
    """
    if plan.duplicates == "together":
        return split_groups(dataset, plan, row_groups(dataset, plan.features))
    return split_groups(dataset, plan, np.arange(dataset.rows, dtype=np.int64))


def split_groups(dataset: Dataset, plan: Plan, groups: Ints) -> Splits:
    """Do as `split_rows` does, with rows that stay together by a number of their group."""
    none = np.zeros(dataset.rows, dtype=np.int64)
    strata = strata_of(dataset, plan) if plan.stratify else none
    everything = np.arange(dataset.rows, dtype=np.int64)
    shuffled = _order(plan.seed, 0, dataset.rows)
    test = _drawn(everything, groups, strata, plan.test, shuffled, "test")
    rest = np.setdiff1d(everything, test)
    order = _order(plan.seed, 1, dataset.rows)
    if plan.folds is not None:
        _refuse_folds(plan.folds, rest, groups, strata, plan)
        held = deal(rest, groups, strata, plan.folds, order)
        folds = tuple(Fold(np.setdiff1d(rest, rows), rows) for rows in held)
        return Splits(rest, None, test, folds)
    share = (plan.validation or 0.0) * dataset.rows / max(len(rest), 1)
    validation = _drawn(rest, groups, strata, share, order, "validation")
    train = np.setdiff1d(rest, validation)
    if len(train) == 0:
        raise _empty("training", equal=len(np.unique(groups[rest])) < len(rest))
    return Splits(train, validation, test)


def draw(rows: Rows, groups: Ints, strata: Ints, share: float, order: Ints) -> Rows:
    """Take about `share` of the rows, whole groups at a time, the same share of each stratum."""
    if share <= 0:
        return np.empty(0, dtype=np.int64)
    members = _members(rows, groups, order)
    home = {group: _home(strata[of]) for group, of in members.items()}
    sizes: dict[int, int] = {}
    for group, of in members.items():
        sizes[home[group]] = sizes.get(home[group], 0) + len(of)
    left = _quotas(sizes, share)
    taken: list[Ints] = []
    for group, of in members.items():
        if len(of) <= left[home[group]]:
            left[home[group]] -= len(of)
            taken.append(of)
    return np.sort(np.concatenate(taken)) if taken else np.empty(0, dtype=np.int64)


def deal(rows: Rows, groups: Ints, strata: Ints, folds: int, order: Ints) -> list[Rows]:
    """Deal whole groups into folds of like size, with a like share of each stratum."""
    members = _members(rows, groups, order)
    total = [0] * folds
    filled: dict[int, list[int]] = {}
    hands: list[list[Ints]] = [[] for _ in range(folds)]
    # Large groups first: small ones can still even out what they leave uneven.
    for of in sorted(members.values(), key=len, reverse=True):
        counts = filled.setdefault(_home(strata[of]), [0] * folds)
        to = min(range(folds), key=lambda fold: (counts[fold], total[fold], fold))
        counts[to] += len(of)
        total[to] += len(of)
        hands[to].append(of)
    return [np.sort(np.concatenate(hand)) for hand in hands]


def _members(rows: Rows, groups: Ints, order: Ints) -> dict[int, Ints]:
    """Give each group's rows; groups in the order in which their first row was drawn."""
    shuffled = order[np.isin(order, rows)]
    by_group: dict[int, list[int]] = {}
    for row in shuffled.tolist():
        by_group.setdefault(int(groups[row]), []).append(row)
    return {group: np.asarray(of, dtype=np.int64) for group, of in by_group.items()}


def _home(strata: Ints) -> int:
    """Give the stratum of most of a group's rows, the lowest where several tie."""
    return int(np.bincount(strata).argmax())


def _quotas(sizes: dict[int, int], share: float) -> dict[int, int]:
    """Share out whole rows by largest remainder; a stratum keeps at least one row back."""
    exact = {stratum: size * share for stratum, size in sizes.items()}
    quotas = {stratum: math.floor(e) for stratum, e in exact.items()}
    missing = round(sum(exact.values())) - sum(quotas.values())
    by_remainder = sorted(exact, key=lambda s: (quotas[s] - exact[s], s))
    for stratum in by_remainder[: max(missing, 0)]:
        quotas[stratum] += 1
    return {s: min(q, max(sizes[s] - 1, 0)) for s, q in quotas.items()}


def _order(seed: int, purpose: int, rows: int) -> Ints:
    """Shuffle by Philox's raw words: numpy promises these streams for good, not `permutation`."""
    words = np.random.Philox(key=[seed, purpose]).random_raw(rows)
    return np.argsort(words, kind="stable").astype(np.int64)


def strata_of(dataset: Dataset, plan: Plan) -> Ints:
    """Number the rows by class, or by where their target lies among all (at most `BINS` bins)."""
    values = target_numbers(dataset, plan.target, plan.classes)
    if plan.classes is not None:
        return values.astype(np.int64)
    bins = min(BINS, max(dataset.rows // (2 * max(plan.folds or 2, 2)), 1))
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _drawn(rows: Rows, groups: Ints, strata: Ints, share: float, order: Ints, name: str) -> Rows:
    """Draw a part, and refuse one without rows. Equal rows are named where they are why."""
    taken = draw(rows, groups, strata, share, order)
    if share > 0 and len(taken) == 0:
        alone = np.arange(len(groups), dtype=np.int64)
        raise _empty(name, equal=len(draw(rows, alone, strata, share, order)) > 0)
    return taken


def _empty(name: str, *, equal: bool) -> BadStudy:
    return BadStudy(
        "pipeline.too_few_rows",
        f"The {name} part would hold no row.",
        expected="at least one row in each part",
        got="0 rows",
        hint=(TOGETHER if equal else "") + "Choose other fractions, or add rows.",
        where=f"pipeline.split.{'validation' if name == 'training' else name}",
    )


def _refuse_folds(folds: int, rest: Rows, groups: Ints, strata: Ints, plan: Plan) -> None:
    most, what = _most_folds(rest, groups, strata, plan)
    if folds <= most:
        return
    alone = np.arange(len(groups), dtype=np.int64)
    equal = folds <= _most_folds(rest, alone, strata, plan)[0]
    by_class = ", or turn stratification off" if "class" in what else ""
    raise BadStudy(
        "pipeline.too_many_folds",
        "There are more folds than rows to deal into them.",
        expected=f"at most {most} folds ({most} {what} outside the test part)",
        got=f"{folds} folds",
        hint=(TOGETHER if equal else "") + f"Ask for fewer folds{by_class}.",
        where="pipeline.split.folds",
    )


def _most_folds(rest: Rows, groups: Ints, strata: Ints, plan: Plan) -> tuple[int, str]:
    """Give how many folds there can be, and the rows that there are only so many of."""
    most = len(np.unique(groups[rest]))
    rows = "different rows" if most < len(rest) else "rows"
    what = rows
    if plan.classes is not None and plan.stratify:
        for number, label in enumerate(plan.classes):
            of_class = len(np.unique(groups[rest[strata[rest] == number]]))
            if of_class < most:
                most, what = of_class, f"{rows} of class {label!r}"
    return most, what
