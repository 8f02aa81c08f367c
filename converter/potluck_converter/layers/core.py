"""Input, Dense, EinsumDense, Activation, Embedding, Masking, and layers that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.activations import activation
from potluck_converter.layers.base import (
    Config,
    Field,
    LayerKind,
    WeightSpec,
    known,
    size,
)
from potluck_converter.layers.checks import boolean, integer, no_lora, number, only
from potluck_converter.layers.einsum import equation, kernel_and_output
from potluck_converter.layers.initializers import GLOROT, ZEROS, initializer
from potluck_converter.layers.penalties import activity, constraint, regularizer
from potluck_converter.limits import MAX_RANK


def _batch_shape(value: Any) -> list[int | None]:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= MAX_RANK:
        raise Unfit(f"a shape of 2 to {MAX_RANK} axes, the batch axis included", got=value)
    length = integer()
    # A fixed batch size is dropped: a donor's last batch may be smaller.
    return [None, *(None if n is None else length(n) for n in value[1:])]


def _input_dtype(value: Any) -> str:
    if value is None:
        return "float32"
    renamed = {
        **dict.fromkeys(("float16", "bfloat16", "float32", "float64"), "float32"),
        **dict.fromkeys(("int8", "uint8", "int16", "uint16", "int32", "int64"), "int32"),
    }
    if not isinstance(value, str) or value not in renamed:
        raise Unfit("numbers as input (float32 or int32)", got=value)
    return renamed[value]


class InputLayer(LayerKind):
    """Where a tensor enters."""

    class_name = "InputLayer"
    fewest_inputs, most_inputs = 0, 0
    fields = (
        Field("batch_shape", None, _batch_shape),
        Field("dtype", "float32", _input_dtype),
        only("sparse", False, "sparse inputs are not read", also=(None,)),
        only("ragged", False, "ragged inputs are not read", also=(None,)),
        only("optional", False, "optional inputs are not read", also=(None,)),
    )

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if raw.get("batch_shape") is None:
            raw["batch_shape"] = raw.get("batch_input_shape")
        if isinstance(raw.get("dtype"), dict):
            inner = raw["dtype"].get("config")
            raw["dtype"] = inner.get("name") if isinstance(inner, dict) else raw["dtype"]
        return raw

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return tuple(config["batch_shape"][1:])

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        return {
            "batch_input_shape": config["batch_shape"],
            "dtype": config["dtype"],
            "sparse": False,
        }


def trained(*names: str) -> tuple[Field, ...]:
    """Make the fields that go with each weight: initializer, regularizer, constraint."""
    found: list[Field] = []
    for name in names:
        default = ZEROS if name in ("bias", "beta") else GLOROT
        found.append(Field(f"{name}_initializer", default, initializer))
    found += [Field(f"{name}_regularizer", None, regularizer) for name in names]
    found += [Field(f"{name}_constraint", None, constraint) for name in names]
    return tuple(found)


class Dense(LayerKind):
    """A matrix over the last axis."""

    class_name = "Dense"
    fields = (
        Field("units", None, integer(), searchable=True),
        Field("activation", "linear", activation, searchable=True),
        Field("use_bias", True, boolean, searchable=True),
        *trained("kernel", "bias"),
        activity(),
        *no_lora(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        known(inputs[0][-1], "a last axis")
        return (*inputs[0][:-1], activated(config, config["units"]))

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        fan_in, units = known(inputs[0][-1], "a last axis"), config["units"]
        kernel = WeightSpec("kernel", (fan_in, units), config["kernel_initializer"])
        return (kernel, *bias_of(config, units))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        taps = known(inputs[0][-1], "a last axis")
        return int(2 * taps * config["units"] * size(output[:-1])) + after(config, output)


def bias_of(config: Config, *shape: int) -> tuple[WeightSpec, ...]:
    """Give the bias where the layer has one."""
    if not config["use_bias"]:
        return ()
    return (WeightSpec("bias", shape, config["bias_initializer"]),)


def activated(config: Config, units: int) -> int:
    """Give the last axis after the activation: "glu" halves it."""
    if config["activation"] != "glu":
        return units
    if units % 2:
        raise Unfit("an even number of units, which glu halves", got=str(units), field="activation")
    return units // 2


def after(config: Config, output: Shape) -> int:
    """Count what bias and activation add: one operation each an element."""
    return size(output) * (int(config["use_bias"]) + int(config["activation"] != "linear"))


class EinsumDense(LayerKind):
    """A dense layer whose sums an equation names."""

    class_name, stock, mask = "EinsumDense", False, "ends"
    fields = (
        Field("equation", None, equation),
        Field("output_shape", None, lambda value: _output_shape(value)),
        Field("activation", "linear", activation, searchable=True),
        Field("bias_axes", None, lambda value: _axes_text(value)),
        *trained("kernel", "bias"),
        activity(),
        *no_lora(),
        only("gptq_unpacked_column_size", None, "quantized layers are not read"),
    )

    def _shapes(
        self, config: Config, inputs: Sequence[Shape]
    ) -> tuple[tuple[int, ...], tuple[int, ...] | None, Shape, int]:
        return kernel_and_output(
            config["equation"], config["bias_axes"], inputs[0], config["output_shape"]
        )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        output = self._shapes(config, inputs)[2]
        if config["activation"] == "glu":
            raise Unfit("another activation", got="glu", field="activation")
        return output

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        kernel, bias, _, _ = self._shapes(config, inputs)
        found = [WeightSpec("kernel", kernel, config["kernel_initializer"])]
        if bias is not None:
            found.append(WeightSpec("bias", bias, config["bias_initializer"]))
        return tuple(found)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        extra = int(config["bias_axes"] is not None) + int(config["activation"] != "linear")
        return 2 * self._shapes(config, inputs)[3] + extra * size(output)


def _output_shape(value: Any) -> list[int | None]:
    one = integer()
    items = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(items) < MAX_RANK:
        raise Unfit(f"1 to {MAX_RANK - 1} lengths", got=value)
    return [None if n is None else one(n) for n in items]


def _axes_text(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value.isalpha() and len(value) < MAX_RANK):
        return value or None
    raise Unfit("letters of the equation", got=value)


class Activation(LayerKind):
    """An activation as a layer."""

    class_name = "Activation"
    fields = (Field("activation", None, activation, searchable=True), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        last = inputs[0][-1]
        return (*inputs[0][:-1], last if last is None else activated(config, last))


class Embedding(LayerKind):
    """Rows of a table by number."""

    class_name, mask = "Embedding", "starts"
    ignored = frozenset({"input_length"})
    fields = (
        Field("input_dim", None, integer()),
        Field("output_dim", None, integer(), searchable=True),
        Field(
            "embeddings_initializer",
            {"class_name": "RandomUniform", "config": {"minval": -0.05, "maxval": 0.05}},
            initializer,
        ),
        Field("embeddings_regularizer", None, regularizer),
        Field("embeddings_constraint", None, constraint),
        Field("mask_zero", False, lambda value: boolean(False if value is None else value)),
        activity(),
        *no_lora(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        if len(inputs[0]) + 2 > MAX_RANK:
            raise Unfit(f"at most {MAX_RANK - 2} axes", got=str(len(inputs[0])))
        return (*inputs[0], config["output_dim"])

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return bool(config["mask_zero"])

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "TF.js embeds one axis of numbers" if len(inputs[0]) != 1 else ""

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        shape = (config["input_dim"], config["output_dim"])
        return (WeightSpec("embeddings", shape, config["embeddings_initializer"]),)


class Masking(LayerKind):
    """Steps whose every value is `mask_value` are skipped by what comes after."""

    class_name, mask = "Masking", "starts"
    fields = (Field("mask_value", 0.0, number()), activity())

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return True

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        if len(inputs[0]) < 2:
            raise Unfit("an input with a time axis and a feature axis")
        return inputs[0]


class Identity(LayerKind):
    """Its input."""

    class_name, stock = "Identity", False
    fields = (activity(),)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


class ActivityRegularization(LayerKind):
    """Its input, whose size is penalised while training."""

    class_name, stock = "ActivityRegularization", False
    ignored = frozenset({"activity_regularizer"})
    fields = (Field("l1", 0.0, number(0.0)), Field("l2", 0.0, number(0.0)))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


KINDS: tuple[LayerKind, ...] = (
    InputLayer(),
    Dense(),
    EinsumDense(),
    Activation(),
    Embedding(),
    Masking(),
    Identity(),
    ActivityRegularization(),
)
