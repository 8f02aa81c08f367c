"""What training a graph takes in memory, estimated from its shapes.

The constants are what a step was seen to take at its worst moment on TF.js's kernels and ours
(`tests/e2e/test_memory.py`), rounded up. Loops over one memory take less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from potluck_converter.graph import Graph
from potluck_converter.shapes import Step, steps, trainable_weights, weight_shapes
from potluck_converter.wrapped import RECURRENT, configs_inside

BYTES = 4
PLAIN = 6
"""Numbers for each number of a layer's output: itself, its gradient, and what lies between."""
OUTPUTS = {
    "BatchNormalization": 12,
    "LayerNormalization": 32,
    "GroupNormalization": 25,
    "RMSNormalization": 13,
    "UnitNormalization": 12,
    "UpSampling1D": 9,
    "UpSampling2D": 9,
    "UpSampling3D": 12,
    "ZeroPadding3D": 9,
    "Resizing": 9,
    "AlphaDropout": 16,
    "Embedding": 12,
}
ACTIVATIONS = {"gelu": 15, "silu": 8, "swish": 8, "mish": 8}
"""The same beside it, for an activation that is more than one kernel."""
POOLED_VOLUMES = {"MaxPooling3D": 75, "AveragePooling3D": 9}
"""The same for each number of the input."""
WINDOWS = frozenset({"Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose"})
"""Layers that lay a window's numbers out at every place of their output, to multiply them."""
BY_CHANNEL = frozenset({"DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"})
"""Layers that do so where their taps have gaps."""
VOLUMES, IN_GROUPS, DILATED = 25, 26, 17
"""Numbers for each of these that are kept in volumes, with channels in groups, with gaps."""
SCORES = {"MultiHeadAttention": 26, "Attention": 12, "AdditiveAttention": 12}
"""Numbers for each score: of a query, a key, and a head (or a channel, where they are added)."""
STATES = {"SimpleRNN": 12, "GRU": 24, "LSTM": 32}
"""Numbers for each state of a recurrent layer at each of its steps: gates, and the way back."""
STATES_ONE_BY_ONE = 150
"""The same where steps are not one kernel: also slices of the weights at every step."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that a graph's weights, its trained weights, and one sample's numbers take."""

    weights: int
    trained: int
    sample: int

    def of(self, batch_size: int, slots: int) -> int:
        """Estimate bytes: weights, gradients, `slots` states, a batch.

        On GPUs weights and states lie in one tensor, and so do the next ones. Frozen weights lie
        there twice: as they came, and in the network.
        """
        return 2 * self.weights + self.trained * (3 + 2 * slots) + self.sample * batch_size


def training_memory(graph: Graph) -> TrainingMemory:
    """Estimate what training a graph takes; a padded input counts as long as its shape says."""
    trained = trainable_weights(graph)
    sizes = {name: BYTES * prod(shape) for name, shape in weight_shapes(graph).items()}
    calls = steps(graph)
    window = max(map(_window, calls), default=0)  # one layer's is freed before the next one's
    return TrainingMemory(
        weights=sum(sizes.values()),
        trained=sum(size for name, size in sizes.items() if name in trained),
        sample=BYTES * (sum(map(_numbers, calls)) + window),
    )


def _size(shape: tuple[int | None, ...]) -> int:
    return prod(axis or 1 for axis in shape)


def _configs(step: Step) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the class and the fields of a layer and of what is inside it."""
    yield step.layer.class_name, step.layer.config
    yield from configs_inside(step.layer)


def _numbers(step: Step) -> int:
    """Count the numbers of one sample that a call takes, there and back."""
    output, found = _size(step.output), 0
    each = PLAIN
    for name, config in _configs(step):
        fixed = name == "BatchNormalization" and not step.layer.trainable
        each = max(each, PLAIN if fixed else OUTPUTS.get(name, PLAIN))
        found += ACTIVATIONS.get(str(config.get("activation")), 0) * output
        found += POOLED_VOLUMES.get(name, 0) * _size(step.inputs[0]) if step.inputs else 0
    found += _windows_kept(step) * _window(step)
    return found + each * output + _scores(step) + _states(step)


def _scores(step: Step) -> int:
    each = SCORES.get(step.layer.class_name)
    if each is None:
        return 0
    query, value = step.inputs[0], step.inputs[1]
    scores = _size(query[:-1]) * _size(value[:-1])
    if step.layer.class_name == "AdditiveAttention":
        scores *= query[-1] or 1
    return each * scores * int(step.layer.config.get("num_heads") or 1)


def _states(step: Step) -> int:
    """Count what a recurrent layer keeps of its steps; of one inside another, of all."""
    kinds = [one for one in _configs(step) if one[0] in RECURRENT or one[0].endswith("Cell")]
    if not kinds or not step.inputs:
        return 0
    times = step.inputs[0][0] or 1
    sequence = len(step.output) == len(step.inputs[0])
    seen = _size(step.output) // (times if sequence else 1)
    units = sum(int(config.get("units", 0)) for _, config in kinds)
    if step.layer.class_name == "Bidirectional" and step.layer.config.get("backward_layer") is None:
        units *= 2
    at_once = not any(step.masked) and all(_is_one_kernel(name, config) for name, config in kinds)
    each = max(STATES[name] for name, _ in kinds) if at_once else STATES_ONE_BY_ONE
    return each * max(seen, units) * times


def _is_one_kernel(name: str, config: Mapping[str, Any]) -> bool:
    usual = config.get("activation", "tanh") == "tanh"
    gates = config.get("recurrent_activation", "sigmoid") == "sigmoid"
    plain = not config.get("recurrent_dropout") and config.get("reset_after", True)
    return name in STATES and usual and gates and bool(plain)


def _window(step: Step) -> int:
    """Count the numbers of a convolution's windows at every place of the output."""
    places = _size(step.output[:-1])
    return sum(
        prod(_each(config["kernel_size"])) * (step.inputs[0][-1] or 1) * places
        for name, config in _configs(step)
        if _lays_out(step, name, config)
    )


def _windows_kept(step: Step) -> int:
    """Say how many times a convolution keeps its windows for the way back."""
    kept = 0
    for name, config in _configs(step):
        if not _lays_out(step, name, config):
            continue
        grouped = name in BY_CHANNEL or int(config.get("groups") or 1) > 1
        kept = max(
            kept,
            VOLUMES if name in ("Conv3D", "Conv3DTranspose") else 0,
            IN_GROUPS if grouped else 0,
            DILATED if _has_gaps(config) else 0,
        )
    return kept


def _lays_out(step: Step, name: str, config: Mapping[str, Any]) -> bool:
    """Say whether a layer lays windows out: not where it takes each channel by itself."""
    if not step.inputs or name not in WINDOWS | BY_CHANNEL:
        return False
    if name in BY_CHANNEL:
        return _has_gaps(config)
    alone = int(config.get("groups") or 1) == step.inputs[0][-1] != 1
    even = len(set(_each(config.get("strides") or 1))) == 1
    return not (alone and even and len(step.output) < 4) or _has_gaps(config)


def _has_gaps(config: Mapping[str, Any]) -> bool:
    return max(_each(config.get("dilation_rate") or 1)) > 1


def _each(option: Sequence[int] | int) -> Sequence[int]:
    return option if isinstance(option, Sequence) else (option,)
