"""SimpleRNN, LSTM and GRU, and the cells that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from potluck_converter.graph import Shape
from potluck_converter.layers.activations import activation
from potluck_converter.layers.base import (
    Config,
    Field,
    LayerKind,
    WeightSpec,
    known,
    need_rank,
)
from potluck_converter.layers.checks import boolean, defaulted, integer, number, only
from potluck_converter.layers.initializers import GLOROT, ORTHOGONAL, ZEROS, initializer
from potluck_converter.layers.penalties import activity, constraint, regularizer

_no = defaulted(boolean, False)
forget_bias = defaulted(boolean, False)
"""TF.js writes null where it was left out, and then begins the forget gate's bias at zero."""


def trained() -> tuple[Field, ...]:
    """Make the fields of kernel, recurrent kernel and bias."""
    parts = ("kernel", "recurrent", "bias")
    drawn = (GLOROT, ORTHOGONAL, ZEROS)
    return (
        *(Field(f"{p}_initializer", d, initializer) for p, d in zip(parts, drawn, strict=True)),
        *(Field(f"{part}_regularizer", None, regularizer) for part in parts),
        *(Field(f"{part}_constraint", None, constraint) for part in parts),
    )


def dropouts() -> tuple[Field, ...]:
    """Make the fields of what is left out by chance while training."""
    rate = defaulted(number(0.0, 1.0), 0.0)
    return (
        Field("dropout", 0.0, rate, searchable=True),
        Field("recurrent_dropout", 0.0, rate, searchable=True),
    )


def looped() -> tuple[Field, ...]:
    """Make the fields of every layer that walks over time."""
    return (
        Field("return_sequences", False, _no),
        Field("go_backwards", False, _no),
        Field("zero_output_for_mask", False, _no),
        only("return_state", False, "layers with several outputs are not read", also=(None,)),
        only("time_major", False, "TF.js expects the batch axis first", also=(None,)),
        activity(),
    )


# How it is computed, not what.
HINTS = frozenset({"unroll", "implementation", "use_cudnn", "seed", "input_shape", "input_dim"}) | {
    "input_length",
    "stateful",
}


class Cell(LayerKind):
    """What one step does; a layer of the same kind does it for each."""

    gates: ClassVar[int] = 1
    uses_training = True
    ignored = HINTS

    def units(self, config: Config) -> int:
        """Give the length of what a step gives."""
        return int(config["units"])

    def cell_weights(self, config: Config, features: int) -> tuple[WeightSpec, ...]:
        """List the weights for inputs of so many features."""
        wide = self.gates * config["units"]
        found = [
            WeightSpec("kernel", (features, wide), config["kernel_initializer"]),
            WeightSpec(
                "recurrent_kernel", (config["units"], wide), config["recurrent_initializer"]
            ),
        ]
        if config["use_bias"]:
            found.append(self.bias(config, wide))
        return tuple(found)

    def bias(self, config: Config, wide: int) -> WeightSpec:
        """Give the bias."""
        return WeightSpec("bias", (wide,), config["bias_initializer"])

    def step_flops(self, config: Config, features: int) -> int:
        """Count one step's operations."""
        units, gates = config["units"], self.gates
        return int(2 * gates * units * (features + units) + (3 * gates + 2) * units)

    def cell_own(self, config: Config) -> str:
        """Say why stock TF.js's cell will not do."""
        if config["dropout"] or config["recurrent_dropout"]:
            return "TF.js draws masks inside recurrent layers that cannot be repeated"
        return ""


class _SimpleRNN(Cell):
    fields = (
        Field("units", None, integer(), searchable=True),
        Field("activation", "tanh", activation, searchable=True),
        Field("use_bias", True, boolean),
        *trained(),
        *dropouts(),
    )


class _Gated(Cell):
    fields = (
        Field("units", None, integer(), searchable=True),
        Field("activation", "tanh", activation, searchable=True),
        Field("recurrent_activation", "sigmoid", activation),
        Field("use_bias", True, boolean),
        *trained(),
        *dropouts(),
    )


class _LSTM(_Gated):
    gates = 4
    fields = (*_Gated.fields, Field("unit_forget_bias", True, forget_bias))

    def bias(self, config: Config, wide: int) -> WeightSpec:
        units = config["units"]
        ones = (units, 2 * units) if config["unit_forget_bias"] else None
        return WeightSpec("bias", (wide,), config["bias_initializer"], ones=ones)


class _GRU(_Gated):
    gates = 3
    fields = (*_Gated.fields, Field("reset_after", True, boolean))

    def bias(self, config: Config, wide: int) -> WeightSpec:
        shape = (2, wide) if config["reset_after"] else (wide,)
        return WeightSpec("bias", shape, config["bias_initializer"])

    def cell_own(self, config: Config) -> str:
        if config["reset_after"]:
            return "TF.js has no GRU with reset_after"
        return super().cell_own(config)


class Looped(Cell):
    """A cell over the first axis."""

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return masked[0] and bool(config["return_sequences"])

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        steps, features = need_rank(inputs, 2)
        known(features, "features")
        units = self.units(config)
        return (steps, units) if config["return_sequences"] else (units,)

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        return at_home("cell", self.cell_weights(config, known(inputs[0][1], "features")))

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["zero_output_for_mask"]:
            return "TF.js has no zero_output_for_mask"
        return self.cell_own(config)

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        found = self.potluck(config, inputs)
        for key in ("zero_output_for_mask", "reset_after"):
            found.pop(key, None)
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return (inputs[0][0] or 1) * self.step_flops(config, known(inputs[0][1], "features"))

    def state_bytes(self, config: Config, output: Shape) -> int:
        # Every gate of every step is kept.
        steps = output[0] or 1 if config["return_sequences"] else 1
        return 4 * steps * (self.gates + 1) * self.units(config)


def at_home(home: str, specs: Sequence[WeightSpec], prefix: str = "") -> tuple[WeightSpec, ...]:
    """Put weights into a group of the layer's, and before their names a prefix."""
    from dataclasses import replace

    return tuple(
        replace(
            spec,
            name=prefix + spec.name,
            home="/".join(part for part in (home, spec.home) if part),
            keras=spec.keras,
        )
        for spec in specs
    )


class SimpleRNN(Looped, _SimpleRNN):
    """A dense layer that also sees its last output."""

    class_name = "SimpleRNN"
    fields = (*_SimpleRNN.fields, *looped())


class LSTM(Looped, _LSTM):
    """Long short-term memory over the first axis."""

    class_name = "LSTM"
    fields = (*_LSTM.fields, *looped())


class GRU(Looped, _GRU):
    """Gated recurrent units over the first axis."""

    class_name = "GRU"
    fields = (*_GRU.fields, *looped())


class SimpleRNNCell(_SimpleRNN):
    """One step of SimpleRNN."""

    class_name = "SimpleRNNCell"


class LSTMCell(_LSTM):
    """One step of LSTM."""

    class_name = "LSTMCell"


class GRUCell(_GRU):
    """One step of GRU."""

    class_name = "GRUCell"


CELLS: dict[str, Cell] = {
    cell.class_name: cell for cell in (SimpleRNNCell(), LSTMCell(), GRUCell())
}
KINDS: tuple[LayerKind, ...] = (SimpleRNN(), LSTM(), GRU())
