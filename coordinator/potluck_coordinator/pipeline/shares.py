"""What each part of a split holds, and whether rows with equal features can stay together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.study import Duplicates
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.pipeline.dataset import Dataset, Rows
from potluck_coordinator.pipeline.duplicates import Repeats, repeats, row_groups
from potluck_coordinator.pipeline.split import Splits, split_groups, strata_of

if TYPE_CHECKING:
    from potluck_coordinator.pipeline.plan import Plan

Ints = NDArray[np.int64]
MOST_PARTS = 32
MOST_CLASSES = 64
MOST_WARNINGS = 4


@dataclass(frozen=True)
class Part:
    """One part of a split. `asked`: the share of all rows that it should hold.

    `kinds`: its rows of each class, in the classes' order, or of each bin of the target.
    """

    name: str
    rows: int
    asked: float
    kinds: tuple[int, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Part:
        """Read plain JSON."""
        return cls(data["name"], data["rows"], data["asked"], tuple(data["kinds"]))


@dataclass(frozen=True)
class Settled:
    """How a study's rows part. `parts`: at most `MOST_PARTS`, kinds of at most `MOST_CLASSES`."""

    duplicates: Duplicates
    splits: Splits
    parts: tuple[Part, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Tolerance:
    """How far a part may be off: by a share of its asked rows, and by a share of its own rows."""

    size: float
    kind: float
    rows: int


LITTLE = Tolerance(size=0.1, kind=0.05, rows=3)
GROSS = Tolerance(size=0.4, kind=0.2, rows=3)
"""Beyond this, equal rows cannot be kept together without spoiling the split."""


def settle(dataset: Dataset, plan: Plan, asked: Duplicates | None) -> Settled:
    """Part the rows as asked; without a wish keep equal rows together where it is a leak to part
    them and the parts stay near their shares.

    Raises BadStudy `pipeline.too_many_folds`, `pipeline.too_few_rows`.
    """
    groups = row_groups(dataset, plan.features)
    found = repeats(dataset, plan.features, groups)
    kinds = strata_of(dataset, plan)
    apart = np.arange(dataset.rows, dtype=np.int64)
    together = replace(plan, duplicates="together")
    free = replace(plan, duplicates="free")
    if asked == "free" or (asked is None and found.share and not found.copies):
        chosen, splits = free, split_groups(dataset, free, apart)
    else:
        kept = _kept(dataset, together, groups, kinds, found, must=asked is not None)
        if kept is None:
            chosen, splits = free, split_groups(dataset, free, apart)
        else:
            chosen, splits = together, kept
    parts = parts_of(splits, plan, kinds)
    off = _off(parts, kinds, plan, LITTLE)
    can = chosen.duplicates == "together" or _splits(dataset, together, groups)
    said = _about_repeats(chosen, found, asked, off=bool(off), can=can)
    more = [f"{len(off) - MOST_WARNINGS} more parts are off."] if len(off) > MOST_WARNINGS else []
    most = len(plan.classes or ()) > MOST_CLASSES
    shown = tuple(replace(part, kinds=()) if most else part for part in parts[:MOST_PARTS])
    return Settled(chosen.duplicates, splits, shown, (*said, *off[:MOST_WARNINGS], *more))


def parts_of(splits: Splits, plan: Plan, kinds: Ints) -> list[Part]:
    """Count the rows of each part: of training and validation, or of each fold; and of test."""
    count = len(plan.classes) if plan.classes is not None else int(kinds.max()) + 1
    named: list[tuple[str, Rows, float]] = []
    if splits.folds:
        share = (1 - plan.test) / len(splits.folds)
        named += [(f"fold {i}", fold.held, share) for i, fold in enumerate(splits.folds, 1)]
    elif splits.validation is not None:
        share = plan.validation or 0.0
        named.append(("training", splits.train, 1 - plan.test - share))
        named.append(("validation", splits.validation, share))
    if plan.test > 0:
        named.append(("test", splits.test, plan.test))
    return [
        Part(name, len(rows), asked, tuple(np.bincount(kinds[rows], minlength=count).tolist()))
        for name, rows, asked in named
    ]


def _kept(
    dataset: Dataset, plan: Plan, groups: Ints, kinds: Ints, found: Repeats, *, must: bool
) -> Splits | None:
    """Split with equal rows together; None where they had better part, unless they must not."""
    smallest = min([share for share in (plan.validation, plan.test) if share] or [1.0])
    if plan.folds is not None:
        smallest = min(smallest, (1 - plan.test) / plan.folds)
    if not must and found.largest > max(2, dataset.rows * smallest / 2):
        return None
    try:
        splits = split_groups(dataset, plan, groups)
    except BadStudy:
        if must or not found.share:
            raise
        return None
    gross = found.share > 0 and _off(parts_of(splits, plan, kinds), kinds, plan, GROSS)
    return None if gross and not must else splits


def _splits(dataset: Dataset, plan: Plan, groups: Ints) -> bool:
    """Tell whether the rows can be split so."""
    try:
        split_groups(dataset, plan, groups)
    except BadStudy:
        return False
    return True


def _off(parts: list[Part], kinds: Ints, plan: Plan, allowed: Tolerance) -> list[str]:
    """Say of each part whose size or mixture is off what is, the worst of it."""
    total = len(kinds)
    whole = np.bincount(kinds, minlength=len(parts[0].kinds)) / total
    said = []
    for part in parts:
        name = f"Fold {part.name[5:]}" if part.name.startswith("fold") else f"The {part.name} part"
        wanted = part.asked * total
        if abs(part.rows - wanted) > max(allowed.rows, allowed.size * wanted):
            said.append(f"{name} holds {part.rows / total:.0%} of the rows, not {part.asked:.0%}.")
        if not part.rows:
            continue
        excess = np.abs(np.array(part.kinds) - whole * part.rows)
        worst = int(excess.argmax())
        if excess[worst] <= max(allowed.rows, allowed.kind * part.rows):
            continue
        here, everywhere = part.kinds[worst] / part.rows, whole[worst]
        if plan.classes is not None:
            what = f"of class {plan.classes[worst]!r}"
        else:
            what = f"of targets {_range(worst, len(part.kinds))}"
        said.append(f"{name} is {here:.0%} {what}; all rows are {everywhere:.0%}.")
    return said


def _range(number: int, bins: int) -> str:
    if number == 0:
        return "in the lowest range"
    return "in the highest range" if number == bins - 1 else f"in range {number + 1} of {bins}"


def _about_repeats(
    chosen: Plan, found: Repeats, asked: Duplicates | None, *, off: bool, can: bool
) -> tuple[str, ...]:
    if not found.share:
        return ()
    several = f"{found.rows - found.distinct} of {found.rows} rows repeat another row's features"
    if chosen.duplicates == "together":
        if not off:
            return ()
        return (f'{several} and stay in its part; duplicates "free" lets them part.',)
    if asked is None and not found.copies:
        return (
            f"{several}, as rows with few different values do: they were split row by row."
            + (' Duplicates "together" keeps equal rows in one part.' if can else ""),
        )
    if asked is None:
        return (
            f"{several}, too many to keep in one part: a network that remembers rows will score "
            "too well. Remove the copies if they are no cases of their own.",
        )
    if found.copies and asked == "free":
        return (f"{several} and may be in two parts: remembering rows scores too well.",)
    return ()
