"""The optimizer's state in Keras 3's files: read where it is whole, written where it fits.

It is written to `.keras` alone: from a `.h5` with a state, Keras 3 makes an optimizer of no
variables, which then refuses to train.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from potluck_converter.graph import Graph, Model, OptimizerState
from potluck_converter.layers.base import WeightSpec
from potluck_converter.limits import Limits
from potluck_converter.readers import hdf5
from potluck_converter.shapes import weight_specs
from potluck_converter.training_config import understood

_NONE: Mapping[str, Any] = {}
Shapes = Sequence[tuple[int, ...]]


def fits(graph: Graph, shapes: Shapes) -> bool:
    """Say whether these are the shapes of an optimizer's variables for the graph's trained weights.

    After the count of steps and the learning rate come one to three variables for each weight in
    turn, then up to two more rows of one for each weight, then Nadam's product.
    """
    trained = [s.shape for la, _, s in weight_specs(graph) if la.trainable and s.trainable]
    if list(shapes[:2]) != [(), ()]:
        return False
    rest = list(shapes[2:])
    forms = (
        [shape for shape in trained for _ in range(each)] + trained * rows + [()] * products
        for each in (1, 2, 3)
        for rows in (0, 1, 2)
        for products in (0, 1)
    )
    return not rest or rest in forms


def read_h5_state(file: h5py.File, graph: Graph, limits: Limits) -> OptimizerState | None:
    """Read the state from a Keras 3 `.h5`; None where there is none that fits the graph."""
    stored = file.get("optimizer_weights")
    if not isinstance(stored, h5py.Group):
        return None
    names = hdf5.texts(stored, "weight_names", limits)
    return _read(stored, names, names, graph)


def read_zip_state(file: h5py.File, graph: Graph) -> OptimizerState | None:
    """Read the state from a `.keras`; None where there is none that fits the graph."""
    stored = file.get("optimizer/vars")
    if not isinstance(stored, h5py.Group):
        return None
    count = len(stored)
    names = ["iteration", "learning_rate", *(f"variable_{n}" for n in range(2, count))]
    return _read(stored, [str(n) for n in range(count)], names, graph)


def _read(
    stored: h5py.Group, paths: list[str], names: list[str], graph: Graph
) -> OptimizerState | None:
    found = [stored.get(path) for path in paths]
    shapes = [data.shape for data in found if isinstance(data, h5py.Dataset)]
    if len(shapes) < len(found) or not fits(graph, shapes):
        return None
    specs = [
        WeightSpec(p, shape, _NONE, count=True) for p, shape in zip(paths, shapes, strict=True)
    ]
    values = [hdf5.floats(stored, s.name, s, f"optimizer/{s.name}") for s in specs]
    return OptimizerState(tuple(names), tuple(values))


def writable_state(model: Model, graph: Graph) -> OptimizerState | None:
    """Give the state where a file of this graph, in this order of layers, is to have it."""
    state = model.optimizer_state
    if state is None or understood(model.training_config) is None:
        return None
    before = [full for _, full, _ in weight_specs(model.graph)]
    same = before == [full for _, full, _ in weight_specs(graph)]
    return state if same and fits(graph, [value.shape for value in state.values]) else None


def write_zip_state(file: h5py.File, state: OptimizerState) -> None:
    """Write the state as Keras 3 keeps it in a `.keras`."""
    home = file.create_group("optimizer/vars")
    for index, value in enumerate(state.values):
        home.create_dataset(str(index), data=_typed(index, value))


def _typed(index: int, value: Any) -> Any:
    """Give the count of steps as the whole number that it is."""
    return np.asarray(value, "<i4" if index == 0 else "<f4")
