"""Columns that can be read both as words and as numbers: what the study's target is taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from potluck.protocol.study import StudySpec
from potluck_coordinator.pipeline.dataset import Categorical, Dataset, Numeric
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.losses import task_of
from potluck_coordinator.pipeline.measures import CLASSIFICATION
from potluck_coordinator.pipeline.spelling import Spelling

WORDS = Spelling("words")


def read_target(dataset: Dataset, target: str, spec: StudySpec, model: ModelFacts) -> Dataset:
    """Read labels as they are written (1 and 1e0 differ), and amounts as numbers (007 is 7)."""
    column = dataset.columns.get(target)
    task = _asked(spec)
    outputs = _outputs(model)
    if isinstance(column, Categorical) and dataset.spellings.get(target) == WORDS:
        free = _free(model) and outputs == 1 and len(column.vocabulary) > 2
        amounts = task == "regression" or (task is None and free)
        return as_numbers(dataset, [target]) if amounts else _unsaid(dataset, column.note)
    if not isinstance(column, Numeric) or column.spelled is None or task == "regression":
        return dataset
    spelled = column.spelled
    if task is None and not column.integer and outputs == 1 and _free(model):
        return dataset
    if column.missing.any():
        return dataset  # which is refused
    numbers, words = len(np.unique(column.values)), len(spelled.vocabulary)
    fewer = numbers < words and not column.merged
    if not _fits(words, outputs) and _fits(numbers, outputs) and fewer:
        twice = " and ".join(map(repr, _written_twice(column, spelled)))
        return _saying(dataset, f"{target}: {twice} are taken as one class.")
    if _fits(words, outputs) or task == "classification" or model.final_activation == "softmax":
        said = f"{target}: its labels stay as they are written."
        changed = dataset.with_column(spelled, WORDS)
        return changed if target not in dataset.spellings else _saying(changed, said)
    return dataset


def as_numbers(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Read codes with zeros before (007) as the numbers that they also are."""
    for name in names:
        column = dataset.columns.get(name)
        if isinstance(column, Categorical) and dataset.spellings.get(name) == WORDS:
            sizes = np.array([*map(float, column.vocabulary), np.nan])
            values = sizes[column.codes]
            dataset = dataset.with_column(Numeric(name, values, "integer", True), None)
            dataset = _unsaid(dataset, column.note)
    return dataset


def _saying(dataset: Dataset, said: str) -> Dataset:
    return replace(dataset, warnings=(*dataset.warnings, said))


def _unsaid(dataset: Dataset, note: str) -> Dataset:
    return replace(dataset, warnings=tuple(said for said in dataset.warnings if said != note))


def _fits(classes: int, outputs: int | None) -> bool:
    return outputs == classes or (outputs == 1 and classes == 2)


def _free(model: ModelFacts) -> bool:
    return model.final_activation == "linear"


def _asked(spec: StudySpec) -> str | None:
    if spec.pipeline.task is not None:
        return spec.pipeline.task
    if spec.loss is not None:
        return task_of(spec.loss)
    if spec.objective.metric is not None:
        return "classification" if spec.objective.metric in CLASSIFICATION else "regression"
    return None


def _outputs(model: ModelFacts) -> int | None:
    shapes = list(model.output_shapes.values())
    return shapes[0][-1] if len(shapes) == 1 and shapes[0] else None


def _written_twice(column: Numeric, spelled: Categorical) -> tuple[str, ...]:
    """Give two words of one number, the first that are found."""
    seen: dict[float, str] = {}
    codes, rows = np.unique(spelled.codes, return_index=True)
    for code, row in zip(codes.tolist(), rows.tolist(), strict=True):
        word = spelled.vocabulary[code]
        first = seen.setdefault(float(column.values[row]), word)
        if first != word:
            return first[:20], word[:20]
    return ()
