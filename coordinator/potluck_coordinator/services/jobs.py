"""Work for the worker processes: plain functions on plain data, no database, no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from potluck.protocol.study import StudySpec
from potluck_converter import (
    ConversionError,
    Graph,
    TrainingMemory,
    form_warnings,
    graph_from_json,
    graph_to_json,
    initial_weights,
    tfjs_topology,
    training_flops,
    training_memory,
    weight_shapes,
    with_overrides,
)
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.core.records import REFIT_PART, VALIDATION_PART
from potluck_coordinator.core.row_numbers import AT_ONCE, PartRows, RowNumbers, hash_of_rows
from potluck_coordinator.core.stacking import skeleton
from potluck_coordinator.pipeline import (
    ModelFacts,
    Plan,
    check_columns,
    encode,
    plan_study,
    profile,
    read_dataset,
    split_rows,
    to_safetensors,
)
from potluck_coordinator.storage.artifacts import Kept, Shelf

Json = Mapping[str, Any]
SLOTS = 4
"""Most that an optimizer keeps for a weight: RMSprop's three and the moving average."""
TIMES_STARTED = 4
"""A start state as weights, as bytes, and what drawing it takes; one after the other."""
TIMES_READ = 2
MOST_FORM_WARNINGS = 5
"""A search over many layers' options says no more of what its models cannot be saved as."""


def canonical_json(value: object) -> bytes:
    """Write JSON with sorted keys and no spaces, so that equal values have equal hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def hash_of(value: object) -> str:
    """Hash a value's canonical JSON: how the ledger names splits and encoders."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _bytes(content: bytes | Kept) -> bytes:
    return content.read() if isinstance(content, Kept) else content


def describe_dataset(content: bytes | Kept, filename: str) -> dict[str, Any]:
    """Profile an upload. Raises BadDataset."""
    dataset = read_dataset(_bytes(content), filename)
    check_columns(dataset, filename)
    return profile(dataset).model_dump()


def plan_job(content: bytes | Kept, filename: str, spec: Json, facts: ModelFacts) -> dict[str, Any]:
    """Understand a specification against its data and model. Raises BadInput."""
    dataset = read_dataset(_bytes(content), filename)
    return plan_study(dataset, StudySpec.model_validate(spec), facts).to_json()


@dataclass(frozen=True)
class EncodedPart:
    """A part's rows encoded: artifacts with their tensors, and the encoder of its training rows."""

    part: int
    train: str
    held: str
    encoder: Json

    @property
    def names(self) -> tuple[str, str]:
        """Give its artifacts."""
        return self.train, self.held


@dataclass(frozen=True)
class PreparedStudy:
    """All parts of a study, the first of them encoded, and the numbers of the sealed rows.

    `splits`: what the ledger calls the rows of each part, in the order of `parts`; `test_split`:
    the same of the sealed rows. Hashing them takes a while, and nobody may wait for it.
    """

    parts: tuple[PartRows, ...]
    splits: tuple[str, ...]
    first: EncodedPart
    test_rows: RowNumbers
    test_split: str


def prepare_study(content: bytes | Kept, filename: str, plan: Json, shelf: Shelf) -> PreparedStudy:
    """Split, and encode the first part: what cannot be encoded is refused before there is a study.

    The refit part is scored on its own rows, which ranks nothing.
    """
    understood = Plan.from_json(plan)
    dataset = read_dataset(_bytes(content), filename, spellings=understood.spellings)
    splits = split_rows(dataset, understood)
    pairs: list[tuple[int, Any, Any]] = []
    if splits.folds:
        pairs += [(i, fold.train, fold.held) for i, fold in enumerate(splits.folds)]
        pairs.append((REFIT_PART, splits.train, splits.train))
    else:
        pairs.append((VALIDATION_PART, splits.train, splits.validation))
    first = _encoded(dataset, understood, *pairs[0], shelf)
    parts = tuple(
        PartRows(number, _written(train), _written(held)) for number, train, held in pairs
    )
    test = _written(splits.test)
    hashes = tuple(hash_of_rows(part.train_rows, part.held_rows) for part in parts)
    return PreparedStudy(parts, hashes, first, test, hash_of_rows(test))


def encode_parts(
    content: bytes | Kept, filename: str, plan: Json, parts: Sequence[PartRows], shelf: Shelf
) -> list[EncodedPart]:
    """Encode parts of a study, and keep each before the next one is made."""
    understood = Plan.from_json(plan)
    dataset = read_dataset(_bytes(content), filename, spellings=understood.spellings)
    return [
        _encoded(dataset, understood, p.part, _array(p.train_rows), _array(p.held_rows), shelf)
        for p in parts
    ]


def _written(rows: Any) -> RowNumbers:
    """Write an array's numbers: as Python's they exist a few at a time."""
    pieces = (rows[begin : begin + AT_ONCE] for begin in range(0, len(rows), AT_ONCE))
    return RowNumbers.of(number for piece in pieces for number in piece.tolist())


def _array(rows: RowNumbers) -> Any:
    import numpy as np

    return np.asarray(rows.numbers(), dtype=np.int64)


def _encoded(
    dataset: Any, plan: Plan, part: int, train: Any, held: Any, shelf: Shelf
) -> EncodedPart:
    encoded = encode(dataset, plan, train, held)
    return EncodedPart(
        part=part,
        train=shelf.put(to_safetensors(encoded.train)),
        held=shelf.put(to_safetensors(encoded.held)),
        encoder=encoded.encoder,
    )


def encode_rows(
    content: bytes | Kept, filename: str, plan: Json, train_rows: RowNumbers, rows: RowNumbers
) -> tuple[bytes, dict[str, Any]]:
    """Encode rows with the encoder of the training rows: for a look at the test split."""
    understood = Plan.from_json(plan)
    dataset = read_dataset(_bytes(content), filename, spellings=understood.spellings)
    encoded = encode(dataset, understood, _array(train_rows), _array(rows))
    return to_safetensors(encoded.held), dict(encoded.encoder)


@dataclass(frozen=True)
class PreparedTrial:
    """A trial's artifacts: graph, topology, start states (in the order of `seeds`).

    `bones`: see `core.stacking.skeleton`.
    """

    graph: str
    topology: str
    starts: tuple[str, ...]
    bones: Any
    flops_per_sample: int
    memory: TrainingMemory
    upload_bytes: int


def check_overrides(
    graph: bytes, overrides: Sequence[Mapping[str, Any]], outputs: Json
) -> list[str]:
    """Try overrides on a graph without training anything. Raises BadStudy.

    `outputs`: the output shapes that the study's target asks for, which no override may change.
    Gives warnings: what some trial's model could not be saved as.
    """
    told: dict[str, None] = {}
    base = graph_from_json(json.loads(graph))
    for override in overrides:
        changed = _overridden(base, override)
        shapes = _output_shapes(changed)
        if shapes != list(outputs["shapes"]):
            raise BadStudy(
                "search.changes_output",
                "This override changes the shape of the model's output.",
                expected=str(outputs["shapes"]),
                got=str(shapes),
                hint="Leave the last layer's units alone.",
                where=", ".join(override),
            )
        told |= dict.fromkeys(form_warnings(changed))
    return list(told)[:MOST_FORM_WARNINGS]


def _output_shapes(graph: Any) -> list[list[int | None]]:
    from potluck_converter import infer_shapes

    shapes = infer_shapes(graph)
    return [list(shapes[ref.layer]) for ref in graph.outputs]


def _overridden(graph: Graph, overrides: Mapping[str, Any]) -> Graph:
    try:
        return with_overrides(graph, dict(overrides))
    except ConversionError as error:
        raise BadStudy(
            error.code,
            error.message,
            expected=error.expected,
            got=error.got,
            hint=error.hint,
            where=error.where,
        ) from error


def trial_memory(weights: int, uploaded: int) -> int:
    """Estimate what preparing a trial takes, by the bytes of its weights and of the model's own."""
    return TIMES_STARTED * weights + TIMES_READ * uploaded


def prepare_trial(
    graph: Kept,
    uploaded: Kept | None,
    overrides: Json,
    seeds: Sequence[int],
    shelf: Shelf,
    most_weights: int,
) -> PreparedTrial | int:
    """Apply a trial's overrides, make its start states, and keep all of it.

    `uploaded`: the model's own weights (safetensors), kept wherever their shape still fits; None
    makes all weights afresh. `most_weights`: bytes that memory was stated for; where the trial has
    more, they are given instead, and nothing is made.
    """
    changed = _overridden(graph_from_json(json.loads(graph.read())), overrides)
    memory = training_memory(changed)
    if memory.weights > most_weights:
        return memory.weights
    shapes = weight_shapes(changed)
    kept = load_safetensors(uploaded.read()) if uploaded is not None else {}
    starts, largest = [], 0
    for seed in seeds:
        weights = initial_weights(changed, seed)
        for name, value in kept.items():
            if name in shapes and tuple(value.shape) == tuple(shapes[name]):
                weights[name] = value
        state = start_state(weights)
        largest = max(largest, len(state))
        starts.append(shelf.put(state))
    topology = tfjs_topology(changed)
    return PreparedTrial(
        graph=shelf.put(canonical_json(graph_to_json(changed))),
        topology=shelf.put(canonical_json(topology)),
        starts=tuple(starts),
        bones=skeleton(topology),
        flops_per_sample=training_flops(changed),
        memory=memory,
        upload_bytes=largest * (1 + SLOTS) + 65_536,
    )


def start_state(weights: Mapping[str, Any]) -> bytes:
    """Write a checkpoint of step 0: weights alone (docs/protocol.md)."""
    return save_safetensors(
        {f"weights/{name}": value for name, value in weights.items()},
        metadata={"format": "potluck.checkpoint.v1", "epoch": "0", "step": "0"},
    )
