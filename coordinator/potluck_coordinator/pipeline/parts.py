"""What the parts of a split lack: classes, and what an objective needs to have a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.core.measurable import (
    undefined_for_amounts,
    undefined_for_classes,
    why_undefined,
)

if TYPE_CHECKING:
    from potluck_coordinator.pipeline.plan import Plan
    from potluck_coordinator.pipeline.split import Splits

Numbers = NDArray[np.float64]
MOST_NAMED = 2


def part_warnings(plan: Plan, splits: Splits, truth: Numbers) -> list[str]:
    """Say which part lacks a class, and where the objective has no value.

    `truth`: class numbers or amounts of all rows. Raises BadStudy `pipeline.metric_undefined`
    where no scored part gives the objective a value.
    """
    scored = [truth[fold.held] for fold in splits.folds]
    if splits.validation is not None:
        scored = [truth[splits.validation]]
    said: list[str] = []
    if plan.classes is not None:
        parts = {"training": [truth[splits.train]], "test": [truth[splits.test]]}
        parts["validation"] = scored if splits.validation is not None else []
        for name, rows in parts.items():
            if rows and len(rows[0]):
                said += _lacking(f"The {name} part has", rows, plan.classes)
        for number, held in enumerate(scored if splits.folds else [], start=1):
            said += _lacking(f"Fold {number} has", [held], plan.classes)
    said = said[:MOST_NAMED] + [f"{len(said) - MOST_NAMED} more parts lack a class."] * (
        len(said) > MOST_NAMED
    )
    lacking = [len(part) for part in scored if plan.metric in _undefined(part, plan)]
    without = len(lacking)
    why = why_undefined(plan.metric, max(lacking)) if lacking else ""
    if without == len(scored) and without:
        raise BadStudy(
            "pipeline.metric_undefined",
            f"{plan.metric} has no value on the rows that trials are scored on: {why}.",
            expected="rows on which the metric is defined",
            got=why,
            hint="Take another metric, larger shares of the split, fewer folds, or more rows."
            if max(lacking) == 1
            else "Take another metric, other shares of the split, or another split seed.",
            where="objective.metric",
        )
    if without:
        said.append(
            f"{plan.metric} has no value in {without} of {len(scored)} folds ({why}): "
            "trials are ranked by the others."
        )
    return said


def _lacking(begin: str, parts: Sequence[Numbers], classes: Sequence[str]) -> list[str]:
    present = {int(number) for part in parts for number in part if number >= 0}
    lacking = [repr(label) for number, label in enumerate(classes) if number not in present]
    if not lacking:
        return []
    more = f" and {len(lacking) - MOST_NAMED} more" if len(lacking) > MOST_NAMED else ""
    kind = "class" if len(lacking) == 1 else "classes"
    return [f"{begin} no row of the {kind} {', '.join(lacking[:MOST_NAMED])}{more}."]


def _undefined(truth: Numbers, plan: Plan) -> set[str]:
    known = truth[np.isfinite(truth)]
    if len(known) == 0:
        return set()
    if plan.classes is not None:
        return undefined_for_classes({int(number) for number in np.unique(known) if number >= 0})
    return undefined_for_amounts(known.min(), known.max(), float(np.abs(known).min()))
