"""Input, Dense, Activation, ReLU, Softmax, Flatten, Reshape, Dropout, Embedding."""

# ruff: noqa: ARG002 - every entry answers the same questions, whether or not it needs all of them

from __future__ import annotations

from collections.abc import Sequence
from math import prod
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
    show,
    size,
)
from potluck_converter.layers.checks import (
    activation,
    boolean,
    channels_last,
    constraint_free,
    integer,
    no_activity_regularizer,
    no_lora,
    number,
    only,
    regularizer,
)
from potluck_converter.layers.initializers import initializer
from potluck_converter.limits import MAX_RANK

GLOROT = {"class_name": "GlorotUniform", "config": {}}
ZEROS = {"class_name": "Zeros", "config": {}}


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

    def tfjs(self, config: Config, output: Shape) -> dict[str, Any]:
        return {
            "batch_input_shape": config["batch_shape"],
            "dtype": config["dtype"],
            "sparse": False,
        }


class Dense(LayerKind):
    """A matrix over the last axis."""

    class_name = "Dense"
    fields = (
        Field("units", None, integer(), searchable=True),
        Field("activation", "linear", activation, searchable=True),
        Field("use_bias", True, boolean, searchable=True),
        Field("kernel_initializer", GLOROT, initializer),
        Field("bias_initializer", ZEROS, initializer),
        Field("kernel_regularizer", None, regularizer),
        Field("bias_regularizer", None, regularizer),
        no_activity_regularizer(),
        constraint_free("kernel_constraint"),
        constraint_free("bias_constraint"),
        *no_lora(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        known(inputs[0][-1], "a last axis")
        return (*inputs[0][:-1], config["units"])

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        fan_in, units = known(inputs[0][-1], "a last axis"), config["units"]
        kernel = WeightSpec("kernel", (fan_in, units), config["kernel_initializer"])
        return (kernel, *bias_of(config, units))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 2 * known(inputs[0][-1], "a last axis") * size(output) + after(config, output)


def bias_of(config: Config, length: int) -> tuple[WeightSpec, ...]:
    """Give the bias where the layer has one."""
    if not config["use_bias"]:
        return ()
    return (WeightSpec("bias", (length,), config["bias_initializer"]),)


def after(config: Config, output: Shape) -> int:
    """Count what bias and activation add: one operation each an element."""
    return size(output) * (int(config["use_bias"]) + int(config["activation"] != "linear"))


class Activation(LayerKind):
    """An activation as a layer."""

    class_name = "Activation"
    fields = (Field("activation", None, activation, searchable=True), no_activity_regularizer())


def _max_value(value: Any) -> float | None:
    return None if value is None else float(number(0.0)(value))


class ReLU(LayerKind):
    """max(x, 0), cut at `max_value`."""

    class_name = "ReLU"
    fields = (
        Field("max_value", None, _max_value, searchable=True),
        only("negative_slope", 0, "TF.js ignores it", "Use a layer without it.", also=(None,)),
        only("threshold", 0, "TF.js ignores it", "Use a layer without it.", also=(None,)),
        no_activity_regularizer(),
    )


def axis_number(value: Any) -> int:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(integer(-MAX_RANK, MAX_RANK)(value))


def last_axis(config: Config, inputs: Sequence[Shape]) -> Config:
    """Write an axis that is the last one as -1."""
    return {**config, "axis": -1} if config["axis"] == len(inputs[0]) else config


def refuse_other_axis(config: Config, inputs: Sequence[Shape], reason: str) -> Shape:
    """Insist on the last axis; raises Unfit."""
    if config["axis"] != -1:
        raise Unfit("the last axis", got=config["axis"], field="axis", reason=reason)
    return inputs[0]


class Softmax(LayerKind):
    """Softmax over the last axis."""

    class_name = "Softmax"
    fields = (Field("axis", -1, axis_number), no_activity_regularizer())

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axis(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return refuse_other_axis(config, inputs, "TF.js computes softmax over the last axis only")

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 5 * size(output)


class Flatten(LayerKind):
    """All axes in one."""

    class_name = "Flatten"
    fields = (channels_last(), no_activity_regularizer())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (prod(known(n, "axes") for n in inputs[0]),)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


def _target_shape(value: Any) -> list[int]:
    length = integer(-1)
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_RANK - 1:
        raise Unfit(f"1 to {MAX_RANK - 1} lengths", got=value)
    target = [int(length(n)) for n in value]
    if 0 in target or target.count(-1) > 1:
        raise Unfit("positive lengths, at most one of them -1", got=value)
    return target


class Reshape(LayerKind):
    """The same elements under another shape."""

    class_name = "Reshape"
    fields = (Field("target_shape", None, _target_shape), no_activity_regularizer())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        target = list(config["target_shape"])
        elements = prod(known(n, "axes") for n in inputs[0])
        rest = prod(n for n in target if n != -1)
        if -1 in target and elements % rest == 0:
            target[target.index(-1)] = elements // rest
        if prod(target) != elements or -1 in target:
            raise Unfit(
                f"a target of as many elements as the input has ({elements})",
                got=show(config["target_shape"]),
                field="target_shape",
            )
        return tuple(target)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0

    def tfjs(self, config: Config, output: Shape) -> dict[str, Any]:
        # TF.js loses a -1 on its way from JSON, so the lengths are written out.
        return {"target_shape": list(output)}


class Dropout(LayerKind):
    """Random zeros while training. A seed is left out: TF.js would draw the same mask each step."""

    class_name = "Dropout"
    ignored = frozenset({"seed"})
    uses_training = True
    fields = (
        Field("rate", None, number(0.0, 1.0), searchable=True),
        only("noise_shape", None, "masks of another shape cannot be replayed by a donor"),
        no_activity_regularizer(),
    )


class Embedding(LayerKind):
    """Rows of a table by number."""

    class_name = "Embedding"
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
        only(
            "mask_zero",
            False,
            "masks are computed wrongly by TF.js on WebGPU",
            "Build the Embedding with mask_zero=False.",
            also=(None,),
        ),
        no_activity_regularizer(),
        constraint_free("embeddings_constraint"),
        *no_lora(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        need_rank(inputs, 1)
        return (*inputs[0], config["output_dim"])

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        shape = (config["input_dim"], config["output_dim"])
        return (WeightSpec("embeddings", shape, config["embeddings_initializer"]),)


KINDS: tuple[LayerKind, ...] = (
    InputLayer(),
    Dense(),
    Activation(),
    ReLU(),
    Softmax(),
    Flatten(),
    Reshape(),
    Dropout(),
    Embedding(),
)
