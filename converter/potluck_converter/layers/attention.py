"""Attention, AdditiveAttention and MultiHeadAttention."""

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
    show,
    size,
)
from potluck_converter.layers.checks import (
    axes,
    boolean,
    choice,
    defaulted,
    integer,
    number,
    only,
    optional,
)
from potluck_converter.layers.core import trained
from potluck_converter.layers.initializers import GLOROT, ONES
from potluck_converter.layers.penalties import activity
from potluck_converter.limits import MAX_RANK

_no = defaulted(boolean, False)


class _Attention(LayerKind):
    stock, mask = False, "matters"
    fewest_inputs, most_inputs = 2, 3
    uses_training = True
    call_fields = frozenset({"use_causal_mask"})
    ignored = frozenset({"seed"})

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if raw.pop("causal", False) is True:  # Keras 2 before 2.10
            raw["use_causal_mask"] = True
        return raw

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return masked[0]

    def _sequences(self, inputs: Sequence[Shape]) -> tuple[Shape, Shape, Shape]:
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        if not len(query) == len(value) == len(key):
            raise Unfit("query, value and key of the same number of axes", got=show(query))
        return query, value, key

    def _plain(self, inputs: Sequence[Shape]) -> tuple[Shape, Shape, Shape]:
        query, value, key = self._sequences(inputs)
        if len(query) != 2:
            raise Unfit("sequences: two axes besides the batch axis", got=show(query))
        if known(query[-1], "features") != known(key[-1], "features"):
            raise Unfit("query and key of as many features", got=f"{show(query)} {show(key)}")
        return query, value, key

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        query, value, _ = self._plain(inputs)
        return (query[0], known(value[-1], "features"))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        query, value, key = self._plain(inputs)
        pairs = (query[0] or 1) * (key[0] or 1)
        return 2 * pairs * ((query[1] or 1) + (value[1] or 1)) + 5 * pairs


def _common() -> tuple[Field, ...]:
    return (
        Field("dropout", 0.0, defaulted(number(0.0, 1.0), 0.0), searchable=True),
        Field("use_causal_mask", False, _no),
        activity(),
    )


class Attention(_Attention):
    """Values averaged by how well each key fits the query."""

    class_name = "Attention"
    fields = (
        Field("use_scale", False, _no),
        Field("score_mode", "dot", choice("dot", "concat")),
        *_common(),
    )

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        found = []
        if config["use_scale"]:
            found.append(WeightSpec("scale", (), ONES))
        if config["score_mode"] == "concat":
            found.append(WeightSpec("concat_score_weight", (), ONES))
        return tuple(found)


class AdditiveAttention(_Attention):
    """Attention by a sum, as Bahdanau has it."""

    class_name = "AdditiveAttention"
    ignored = frozenset({"seed", "score_mode"})
    fields = (Field("use_scale", True, defaulted(boolean, True)), *_common())

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        if not config["use_scale"]:
            return ()
        return (WeightSpec("scale", (known(self._plain(inputs)[0][-1], "features"),), GLOROT),)


def _output_shape(value: Any) -> list[int] | None:
    if value is None or value in ((), []):
        return None
    one = integer()
    items = value if isinstance(value, list | tuple) else [value]
    if len(items) > MAX_RANK:
        raise Unfit("a shape", got=value)
    return [one(n) for n in items]


class MultiHeadAttention(_Attention):
    """Attention several times side by side, on projections."""

    class_name, arguments = "MultiHeadAttention", True
    # Keras 2 writes the shapes that it was built for.
    ignored = frozenset({"seed", "query_shape", "key_shape", "value_shape", "flash_attention"})
    fields = (
        Field("num_heads", None, integer()),
        Field("key_dim", None, integer(), searchable=True),
        Field("value_dim", None, optional(integer())),
        Field("use_bias", True, boolean),
        Field("output_shape", None, _output_shape),
        Field("attention_axes", None, optional(axes)),
        *trained("kernel", "bias"),
        only("use_gate", False, "gated attention is not read", also=(None,)),
        only("sliding_window", None, "windows of attention are not read"),
        *_common(),
    )

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        rank = len(inputs[0]) + 1
        attended = config["attention_axes"]
        if attended is None:
            attended = list(range(1, rank - 1))
        attended = [n + rank if n < 0 else n for n in attended]
        return {
            **config,
            "attention_axes": attended,
            "value_dim": config["value_dim"] or config["key_dim"],
        }

    def _out(self, config: Config, query: Shape) -> tuple[int, ...]:
        if config["output_shape"] is not None:
            return tuple(config["output_shape"])
        return (known(query[-1], "features"),)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        query, value, key = self._sequences(inputs)
        for shape in (query, value, key):
            known(shape[-1], "features")
        attended = config["attention_axes"]
        if attended is not None and not all(0 < n <= len(query) - 1 for n in attended):
            raise Unfit("axes between batch and features", got=attended, field="attention_axes")
        if len(query) < 2 or key[:-1] != value[:-1]:
            raise Unfit("key and value of the same length", got=f"{show(key)} {show(value)}")
        out = (*query[:-1], *self._out(config, query))
        if len(out) + 1 > MAX_RANK:
            raise Unfit(f"a result of at most {MAX_RANK} axes", got=show(out))
        return out

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        query, value, key = self._sequences(inputs)
        heads, key_dim = config["num_heads"], config["key_dim"]
        value_dim = config["value_dim"] or key_dim
        out = self._out(config, query)
        found: list[WeightSpec] = []

        def projection(
            name: str, home: str, kernel: tuple[int, ...], bias: tuple[int, ...]
        ) -> None:
            drawn = config["kernel_initializer"]
            found.append(WeightSpec(f"{name}/kernel", kernel, drawn, home=home))
            if config["use_bias"]:
                drawn = config["bias_initializer"]
                found.append(WeightSpec(f"{name}/bias", bias, drawn, home=home))

        for name, shape, dim in (
            ("query", query, key_dim),
            ("key", key, key_dim),
            ("value", value, value_dim),
        ):
            features = known(shape[-1], "features")
            projection(name, f"{name}_dense", (features, heads, dim), (heads, dim))
        projection("attention_output", "output_dense", (heads, value_dim, *out), out)
        return tuple(found)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        query, value, key = self._sequences(inputs)
        heads, key_dim = config["num_heads"], config["key_dim"]
        value_dim = config["value_dim"] or key_dim
        made = 2 * heads * (key_dim * (size(query) + size(key)) + value_dim * size(value))
        attended = config["attention_axes"] or range(1, len(query))
        # Each query meets the keys along the attended axes only.
        pairs = size(query[:-1]) * prod(key[n - 1] or 1 for n in attended)
        attend = heads * pairs * (2 * (key_dim + value_dim) + 5)
        out = 2 * heads * value_dim * size(output)
        return int(made + attend + out)


KINDS: tuple[LayerKind, ...] = (Attention(), AdditiveAttention(), MultiHeadAttention())
