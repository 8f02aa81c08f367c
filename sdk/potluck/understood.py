"""What the coordinator understood of a submitted study, in a few lines for a person."""

from __future__ import annotations

from collections.abc import Sequence

from potluck.protocol.base import FitOffer
from potluck.protocol.records import StudyPlan
from potluck.protocol.study import StudySpec

SHOWN = 6
LONGEST = 40
"""Characters of a name that are shown."""


def understood(plan: StudyPlan, spec: StudySpec) -> list[str]:
    """Give five lines of plain text, and one more for each of the plan's warnings."""
    classes = "" if plan.classes is None else f", {len(plan.classes)} classes: {few(plan.classes)}"
    shape = " x ".join(str(size) for size in plan.input_shape)
    if plan.folds:
        rows = f"{plan.rows_train} in {plan.folds} folds, {plan.rows_test} sealed to test"
    else:
        rows = (
            f"{plan.rows_train} train, {plan.rows_validation} validate, "
            f"{plan.rows_test} are sealed to test"
        )
    better = "larger" if plan.direction == "maximize" else "smaller"
    return [
        f"Target: {short(plan.target)} ({plan.task}{classes})",
        f"Features: {len(plan.features)} ({few(plan.features)}), as an input of {shape}",
        f"Rows: {rows}",
        f"Loss: {plan.loss}; trials are ranked by {plan.metric}, {better} is better",
        f"Search: {counted(plan.trials, 'trial')} of {counted(spec.rungs[-1], 'epoch')}, "
        f"{counted(plan.units, 'unit')} in all",
        *(f"Warning: {warning}" for warning in plan.warnings),
    ]


def fitted_line(model: str, offer: FitOffer, plan: StudyPlan) -> str:
    """Say which model a study got in place of the one that was given, and what stayed of that.

    `model` is the new model's name, `offer` the one that was taken, `plan` the study's.
    """
    fresh = plan.init == "fresh"
    begins = " The study itself begins with fresh weights (init: fresh)." if fresh else ""
    return f"Fitted: {short(model)}. {offer.text}{begins}"


def counted(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def few(names: Sequence[str]) -> str:
    """List a few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(short(name) for name in names[:SHOWN]) + more


def short(name: str) -> str:
    """Give a name on one line, cut where it is long."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
