"""Bidirectional and TimeDistributed: layers around another layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import (
    Check,
    Config,
    Field,
    LayerKind,
    WeightSpec,
    normalise,
    size,
)
from potluck_converter.layers.checks import object_parts
from potluck_converter.layers.inner_model import INNER_MODEL, MODELS, canonical
from potluck_converter.layers.recurrent import at_home
from potluck_converter.limits import MAX_NAME, MAX_RANK

Inner = Mapping[str, Any]


def _kind(inner: Inner) -> LayerKind:
    from potluck_converter.layers import TABLE

    return INNER_MODEL if inner["class_name"] in MODELS else TABLE[inner["class_name"]]


def _canonical(inner: Inner) -> dict[str, Any]:
    """Give the wrapped layer's own config, without name and trainable."""
    return {k: v for k, v in inner["config"].items() if k not in ("name", "trainable")}


def _wrapped(*allowed: str) -> Check:
    def check(value: Any) -> dict[str, Any]:
        from potluck_converter.layers import TABLE

        class_name, config = object_parts(value, "a layer")
        if class_name in MODELS and not allowed:
            return _model(class_name, config)
        class_name = class_name.removeprefix("Potluck")
        kind = TABLE.get(class_name)
        if kind is None or (allowed and class_name not in allowed) or kind.fewest_inputs != 1:
            raise Unfit(
                "one of " + ", ".join(allowed) if allowed else "a layer of one tensor",
                got=class_name,
                reason="it wraps a layer that is not read inside another",
            )
        name = _name(config, class_name)
        trainable = config.get("trainable", True)
        if kind.class_name in ("Bidirectional", "TimeDistributed", "InputLayer"):
            raise Unfit("a layer that is no wrapper", got=class_name)
        inner = normalise(kind, config)
        if inner.get("activity_regularizer") is not None:
            raise Unfit("a wrapped layer without activity_regularizer", field="layer")
        return {
            "class_name": class_name,
            "config": {
                "name": name,
                "trainable": trainable if isinstance(trainable, bool) else True,
                **inner,
            },
        }

    return check


def _name(config: Mapping[str, Any], class_name: str) -> str:
    name = config.get("name", class_name.lower())
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise Unfit("a name for the wrapped layer", got=name)
    return name.replace("/", "_")


def _model(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    own = {"name": _name(config, class_name), "trainable": config.get("trainable") is not False}
    class_name, found = canonical(class_name, config)
    return {"class_name": class_name, "config": {**own, **found}}


def _rendered(inner: Inner, inputs: Sequence[Shape], name: str, trainable: bool) -> dict[str, Any]:
    kind, config = _kind(inner), _canonical(inner)
    output = kind.output_shape(config, inputs)
    own = not kind.stock or kind.own(config, inputs, trainable)
    body = kind.potluck(config, inputs) if own else kind.tfjs(config, inputs, output)
    if kind is INNER_MODEL:
        class_name = "Sequential" if inner["class_name"] == "Sequential" else "Model"
        return {"class_name": class_name, "config": {**body, "name": name}}
    return {
        "class_name": ("Potluck" if own else "") + kind.class_name,
        "config": {"name": name, "trainable": trainable, **body},
    }


class _Wrapper(LayerKind):
    uses_training = True

    def keras(self, config: Config) -> dict[str, Any]:
        found = dict(config)
        for key in ("layer", "backward_layer"):
            if found.get(key) is not None:
                inner = found[key]
                own = {k: inner["config"][k] for k in ("name", "trainable")}
                body = _kind(inner).keras(_canonical(inner)) | own
                found[key] = {"class_name": inner["class_name"], "config": body}
        return found


_RECURRENT = ("SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM2D")


def _merge_mode(value: Any) -> str:
    if value is None:
        raise Unfit(
            "sum, mul, ave or concat",
            got="None",
            reason="without one it has two outputs, and layers with several are not read",
            hint="Use two recurrent layers, one of them with go_backwards=True.",
        )
    if value not in ("sum", "mul", "ave", "concat"):
        raise Unfit("sum, mul, ave or concat", got=value)
    return str(value)


class Bidirectional(_Wrapper):
    """A recurrent layer forwards, and another backwards."""

    class_name = "Bidirectional"
    ignored = frozenset({"num_constants"})
    fields = (
        Field("layer", None, _wrapped(*_RECURRENT)),
        Field("backward_layer", None, lambda v: None if v is None else _wrapped(*_RECURRENT)(v)),
        Field("merge_mode", "concat", _merge_mode, searchable=True, null_refused=True),
    )

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        # Keras 3 writes both layers, the forward one under its new name.
        for key in ("layer", "backward_layer"):
            inner = raw.get(key)
            if isinstance(inner, dict) and isinstance(inner.get("config"), dict):
                name = inner["config"].get("name")
                if isinstance(name, str):
                    for prefix in ("forward_", "backward_"):
                        name = name.removeprefix(prefix)
                    raw[key] = {**inner, "config": {**inner["config"], "name": name}}
        return raw

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        # Keras has both give zeros at masked steps, whatever they say themselves.
        for key in ("layer", "backward_layer"):
            if config[key] is not None:
                config = {**config, key: _zeroing(config[key], False)}
        back = config["backward_layer"]
        return {**config, "backward_layer": None} if back == _mirrored(config["layer"]) else config

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return masked[0] and bool(config["layer"]["config"]["return_sequences"])

    def backward(self, config: Config) -> Inner:
        """Give the layer that goes the other way."""
        return config["backward_layer"] or _mirrored(config["layer"])

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        one, two = (
            _kind(inner).output_shape(_canonical(inner), inputs)
            for inner in (config["layer"], self.backward(config))
        )
        ways = (
            config["layer"]["config"]["go_backwards"],
            self.backward(config)["config"]["go_backwards"],
        )
        if ways[0] == ways[1]:
            raise Unfit("layers that go opposite ways", field="backward_layer")
        if one[:-1] != two[:-1] or (config["merge_mode"] != "concat" and one != two):
            raise Unfit("layers that give the same shape", field="backward_layer")
        if config["merge_mode"] == "concat":
            return (*one[:-1], (one[-1] or 0) + (two[-1] or 0))
        return one

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        found: list[WeightSpec] = []
        for way, inner in (("forward", config["layer"]), ("backward", self.backward(config))):
            specs = _kind(inner).weights(_canonical(inner), inputs)
            specs = at_home(f"{way}_layer", specs, f"{way}_{inner['config']['name']}/")
            frozen = not inner["config"]["trainable"]
            found += [replace(s, trainable=False) if frozen else s for s in specs]
        return tuple(found)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["backward_layer"] is not None:
            return "TF.js copies the forward layer"
        if not trainable or not config["layer"]["config"]["trainable"]:
            return "TF.js trains a frozen Bidirectional"
        return ""

    def potluck(self, config: Config, inputs: Sequence[Shape]) -> dict[str, Any]:
        found: dict[str, Any] = {"merge_mode": config["merge_mode"]}
        for key in ("layer", "backward_layer"):
            inner = config[key]
            found[key] = inner and self._inner(
                _zeroing(inner, inner["config"]["return_sequences"]), inputs
            )
        return found

    def _inner(self, inner: Inner, inputs: Sequence[Shape]) -> dict[str, Any]:
        own = inner["config"]
        return _rendered(inner, inputs, own["name"], own["trainable"])

    def masked_own(self, config: Config) -> str:
        if config["layer"]["config"]["return_sequences"]:
            return "TF.js repeats what came before at masked steps"
        return ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        inner = self._inner(config["layer"], inputs)
        return {"merge_mode": config["merge_mode"], "layer": inner}

    def keras(self, config: Config) -> dict[str, Any]:
        found = super().keras(config)
        if found["backward_layer"] is None:
            del found["backward_layer"]
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        total = 0
        for inner in (config["layer"], self.backward(config)):
            kind, own = _kind(inner), _canonical(inner)
            total += kind.flops(own, inputs, kind.output_shape(own, inputs))
        return total + (0 if config["merge_mode"] == "concat" else size(output))


def _zeroing(inner: Inner, zeros: bool) -> dict[str, Any]:
    return {**inner, "config": {**inner["config"], "zero_output_for_mask": zeros}}


def _mirrored(inner: Inner) -> dict[str, Any]:
    config = {**inner["config"], "go_backwards": not inner["config"]["go_backwards"]}
    return {"class_name": inner["class_name"], "config": config}


class TimeDistributed(_Wrapper):
    """A layer on every step of a sequence."""

    class_name = "TimeDistributed"
    fields = (Field("layer", None, _wrapped()),)

    def _inputs(self, inputs: Sequence[Shape]) -> list[Shape]:
        if not 2 <= len(inputs[0]) < MAX_RANK:
            raise Unfit("an input with a time axis")
        return [inputs[0][1:]]

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        inner = config["layer"]
        settled = _kind(inner).settle(_canonical(inner), self._inputs(inputs))
        own = {k: inner["config"][k] for k in ("name", "trainable")}
        return {**config, "layer": {**inner, "config": {**own, **settled}}}

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        inner = config["layer"]
        one = _kind(inner).output_shape(_canonical(inner), self._inputs(inputs))
        return (inputs[0][0], *one)

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        inner = config["layer"]
        specs = at_home("layer", _kind(inner).weights(_canonical(inner), self._inputs(inputs)))
        frozen = not inner["config"]["trainable"]
        return tuple(replace(s, trainable=False) if frozen else s for s in specs)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        inner = config["layer"]
        random = _kind(inner).uses_training
        if _kind(inner) is INNER_MODEL:
            return "TF.js mistakes the weights of a model inside for those of other layers"
        return "TF.js's TimeDistributed does not pass on that it trains" if random else ""

    def potluck(self, config: Config, inputs: Sequence[Shape]) -> dict[str, Any]:
        inner = config["layer"]
        own = inner["config"]
        return {"layer": _rendered(inner, self._inputs(inputs), own["name"], own["trainable"])}

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        inner = config["layer"]
        kind, own = _kind(inner), _canonical(inner)
        one = self._inputs(inputs)
        return (inputs[0][0] or 1) * kind.flops(own, one, kind.output_shape(own, one))


KINDS: tuple[LayerKind, ...] = (Bidirectional(), TimeDistributed())
