"""Questions that Potluck does not train yet, told apart and refused by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import BadDataset, BadInput, BadStudy
from potluck_coordinator.pipeline.dataset import Array, Dataset
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.gaps import missing_values
from potluck_coordinator.pipeline.losses import task_of
from potluck_coordinator.pipeline.one_hot import blocks, first_other_row, one_hot

CODE = "pipeline.not_yet"
_ONE_VALUE = "End the model in one Dense layer, after Flatten or global pooling"


def check_model(model: ModelFacts) -> None:
    """Refuse a model of several inputs or outputs. Raises BadStudy `pipeline.not_yet`."""
    for what, shapes in (("inputs", model.input_shapes), ("outputs", model.output_shapes)):
        if len(shapes) > 1:
            names = ", ".join(f"{name[:40]}: {_shown(s)}" for name, s in list(shapes.items())[:8])
            raise BadStudy(
                CODE,
                f"This model has several {what}: such models cannot be trained yet.",
                expected=f"a model with one {what[:-1]}",
                got=f"{len(shapes)} {what}: {names}",
                hint="Build a model with one input and one output.",
                where="model",
            )


def check_target(
    dataset: Dataset, target: str, features: Sequence[str], spec: StudySpec, model: ModelFacts
) -> None:
    """Refuse a target of several numbers a row, unless it is one-hot classes, by what it is.

    Call it after `check_model`. Raises BadStudy `pipeline.not_yet`, `pipeline.output_mismatch`,
    BadDataset `dataset.target_shape`, `dataset.missing_values`.
    """
    column = dataset.columns.get(target)
    output = next(iter(model.output_shapes.values()), ())
    if not isinstance(column, Array):
        if len(output) > 1:
            raise _of_output(output, f"one value a row in {target!r}", model)
        return
    wide = column.values.shape[1:]
    source = dataset.columns.get(features[0]) if len(features) == 1 else None
    if isinstance(source, Array) and source.name != target:
        alike = source.values.shape == column.values.shape and _reaches(output, wide)
        if alike and model.final_activation != "softmax":
            _refuse_autoencoder(source, column)
    if len(output) > 1:
        raise _of_output(output, _got(column), model)
    if len(wide) > 1:
        raise _refuse(
            "The target has several axes a row: sequences and pictures as targets (segmentation) "
            "cannot be trained yet.",
            column,
            "Give one value a row, or one one-hot row.",
        )
    _check_rows(column, spec, model, output)


def _refuse_autoencoder(source: Array, target: Array) -> None:
    """Refuse a target that is the input, or amounts of its shape; let labels of each place pass."""
    if _equal(source.values, target.values):
        said = "This is an autoencoder: the target is the input."
    elif _redrawn(target):
        said = "The target has the input's shape, as in an autoencoder that mends its input."
    else:
        return
    raise _refuse(
        f"{said} Autoencoders cannot be trained yet.",
        target,
        "Train a classification, or a regression of one number a row.",
    )


def _check_rows(
    column: Array, spec: StudySpec, model: ModelFacts, output: Sequence[int | None]
) -> None:
    """Let one-hot rows pass; refuse all others with their own reason."""
    if column.missing.any():
        raise missing_values(column, "target", "Remove these rows and upload the dataset again.")
    width, units = column.values.shape[1], output[0] if output else None
    found = one_hot(column)
    binary = found is not None or _binary(column.values)
    squashed = model.final_activation
    asked = spec.pipeline.task or (task_of(spec.loss) if spec.loss is not None else None)
    if binary and squashed == "sigmoid" and units != 1 and asked != "regression":
        once = " Here each row has one class only: end the model with softmax." if found else ""
        raise _refuse(
            "This is multi-label: each row may have several labels, and the model ends in "
            f"{units} sigmoid units. Multi-label studies cannot be trained yet.",
            column,
            once.strip() or "Train one label at a time: one column of 0 and 1, one sigmoid unit.",
        )
    if found is not None and asked != "regression":
        if units not in (width, None) and not (units == 1 and width == 2):
            raise BadStudy(
                "pipeline.output_mismatch",
                "The model's outputs do not match the target's one-hot columns.",
                expected=f"{width} outputs for {width} classes",
                got=f"{units} output" + ("s" if units != 1 else ""),
                hint=f"Give the last layer {width} units.",
                where="model",
            )
        return
    row, what = first_other_row(column)
    if asked == "classification" or (asked is None and squashed == "softmax"):
        raise BadDataset(
            "dataset.target_shape",
            f"The target {column.name!r} is not one-hot: row {row + 1} has {what}.",
            expected="one 1 and else 0 in every row, or one class a row",
            got=f"{what} in row {row + 1}; {_got(column)}",
            hint="Soft labels and label smoothing cannot be rows: give classes, and say "
            "loss_options.label_smoothing."
            if "soft" in what
            else "Mend or remove such rows. Several labels a row (multi-label) cannot be trained "
            "yet.",
            where="pipeline.target",
        )
    if binary and asked != "regression":
        raise _refuse(
            f"This is multi-label: row {row + 1} has {what}. Multi-label studies cannot be "
            "trained yet.",
            column,
            "Train one label at a time: one column of 0 and 1, one sigmoid unit.",
        )
    raise _refuse(
        f"These are several targets: {width} numbers a row. A study of several targets cannot be "
        "trained yet.",
        column,
        "Take one of the columns as the target, and give the last layer one unit.",
    )


def _of_output(shape: Sequence[int | None], got: str, model: ModelFacts) -> BadInput:
    """Refuse outputs of several axes: steps of a sequence, or places of a picture."""
    if len(shape) > 2:
        said = "This is segmentation, or another question with a picture as its answer: such "
    else:
        said = "This is a sequence as output, a value for each step (return_sequences): such "
    outputs = ", ".join(_shown(s) for s in model.output_shapes.values())
    last = "" if len(shape) > 2 else ", or set return_sequences=False in the last recurrent layer"
    return BadStudy(
        CODE,
        said + "studies cannot be trained yet.",
        expected="one output of shape [units], and one value or one-hot row as target",
        got=f"outputs of shape {outputs}; {got}",
        hint=f"{_ONE_VALUE}{last}.",
        where="model"
        if any(len(s) > 1 for s in model.output_shapes.values())
        else "pipeline.target",
    )


def _refuse(message: str, column: Array, hint: str) -> BadStudy:
    return BadStudy(
        CODE,
        message,
        expected="one value a row, or one-hot rows for softmax",
        got=_got(column),
        hint=hint,
        where="pipeline.target",
    )


def _got(column: Array) -> str:
    return f"{column.name!r} with rows of shape {_shown(column.values.shape[1:])}"


def _shown(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def _reaches(output: Sequence[int | None], wide: Sequence[int]) -> bool:
    """Tell whether the model's output has the shape of these rows."""
    return len(output) == len(wide) and all(
        o in (None, w) for o, w in zip(output, wide, strict=True)
    )


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    pairs = zip(blocks(one), blocks(other), strict=True)
    return all(np.array_equal(a, b) for (_, a), (_, b) in pairs)


def _redrawn(column: Array) -> bool:
    """Tell amounts (a picture to draw again) from whole numbers (a label for each place)."""
    return any((block != np.floor(block)).any() for _, block in blocks(column.values))


def _binary(values: NDArray[Any]) -> bool:
    return all(((block == 0) | (block == 1)).all() for _, block in blocks(values))
