"""RNN: one of Keras's cells, or several stacked, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import (
    Config,
    Field,
    LayerKind,
    WeightSpec,
    known,
    need_rank,
    normalise,
)
from potluck_converter.layers.checks import object_parts
from potluck_converter.layers.recurrent import CELLS, HINTS, Cell, at_home, looped

MAX_CELLS = 32


def _cell(value: Any) -> dict[str, Any]:
    """Accept a cell or StackedRNNCells; give class, name and canonical config."""
    name, config = object_parts(value, "a cell")
    name = name.removeprefix("Potluck")
    if name == "StackedRNNCells":
        cells = config.get("cells")
        if not isinstance(cells, list) or not 1 <= len(cells) <= MAX_CELLS:
            raise Unfit(f"1 to {MAX_CELLS} cells")
        inner = [_cell(cell) for cell in cells]
        if any(cell["class_name"] not in CELLS for cell in inner):
            raise Unfit("cells that are not stacks themselves")
        return {"class_name": name, "config": {"cells": inner}}
    if name not in CELLS:
        raise Unfit("one of " + ", ".join((*CELLS, "StackedRNNCells")), got=name)
    return {"class_name": name, "config": normalise(CELLS[name], config)}


def _stack(config: Config) -> list[tuple[Cell, Mapping[str, Any]]]:
    cell = config["cell"]
    cells = cell["config"]["cells"] if cell["class_name"] == "StackedRNNCells" else [cell]
    return [(CELLS[one["class_name"]], one["config"]) for one in cells]


class RNN(LayerKind):
    """Cells over the first axis."""

    class_name = "RNN"
    uses_training = True
    ignored = HINTS
    fields = (Field("cell", None, _cell), *looped())

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return masked[0] and bool(config["return_sequences"])

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if isinstance(raw.get("cell"), list):
            stack = {"cells": raw["cell"]}
            raw["cell"] = {"class_name": "StackedRNNCells", "config": stack}
        return self._without_repeated(raw)

    def _without_repeated(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Drop the cell's own options that TF.js writes beside the cell once more."""
        cell = raw.get("cell")
        inner = cell.get("config") if isinstance(cell, dict) else None
        if not isinstance(inner, dict):
            return raw
        own = {"name", *(entry.name for entry in self.fields)}
        repeated = {key for key in inner if key not in own and raw.get(key) == inner[key]}
        return {key: value for key, value in raw.items() if key not in repeated}

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        steps, features = need_rank(inputs, 2)
        known(features, "features")
        kind, inner = _stack(config)[-1]
        units = kind.units(inner)
        return (steps, units) if config["return_sequences"] else (units,)

    def _walk(self, config: Config, features: int) -> list[tuple[Cell, Mapping[str, Any], int]]:
        found = []
        for kind, inner in _stack(config):
            found.append((kind, inner, features))
            features = kind.units(inner)
        return found

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        features = known(inputs[0][1], "features")
        if config["cell"]["class_name"] != "StackedRNNCells":
            [(kind, inner, _)] = self._walk(config, features)
            return at_home("cell", kind.cell_weights(inner, features))
        found: list[WeightSpec] = []
        counts: dict[str, int] = {}
        for index, (kind, inner, wide) in enumerate(self._walk(config, features)):
            key = _snake(kind.class_name)
            seen = counts[key] = counts.get(key, -1) + 1
            home = f"cell/cells/{key}_{seen}" if seen else f"cell/cells/{key}"
            found += at_home(home, kind.cell_weights(inner, wide), f"RNNCell_{index}/")
        return tuple(found)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "TF.js has no zero_output_for_mask" if config["zero_output_for_mask"] else ""

    def potluck(self, config: Config, inputs: Sequence[Shape]) -> dict[str, Any]:
        found = super().potluck(config, inputs)
        rendered = [_rendered(kind, inner) for kind, inner in _stack(config)]
        if config["cell"]["class_name"] == "StackedRNNCells":
            found["cell"] = {"class_name": "StackedRNNCells", "config": {"cells": rendered}}
        else:
            [found["cell"]] = rendered
        return found

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        found = self.potluck(config, inputs)
        del found["zero_output_for_mask"]
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        walk = self._walk(config, known(inputs[0][1], "features"))
        return (inputs[0][0] or 1) * sum(kind.step_flops(inner, n) for kind, inner, n in walk)


def _rendered(kind: Cell, config: Mapping[str, Any]) -> dict[str, Any]:
    found = kind.potluck(config, ())
    reason = kind.cell_own(config)
    if not reason:
        found.pop("reset_after", None)
    return {"class_name": ("Potluck" if reason else "") + kind.class_name, "config": found}


def _snake(class_name: str) -> str:
    return {"SimpleRNNCell": "simple_rnn_cell", "LSTMCell": "lstm_cell", "GRUCell": "gru_cell"}[
        class_name
    ]


KINDS: tuple[LayerKind, ...] = (RNN(),)
