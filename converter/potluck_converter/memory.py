"""What training a graph takes in memory, estimated from its shapes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from potluck_converter.graph import Graph
from potluck_converter.shapes import Step, steps, trainable_weights, weight_shapes
from potluck_converter.wrapped import RECURRENT, classes_inside

BYTES = 4
KEPT_PER_STATE = 6
"""What a recurrent layer keeps of each of its steps: gates and states, each as wide as a state."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that a graph's weights, its trained weights, and one sample's activations take."""

    weights: int
    trained: int
    activations: int

    def of(self, batch_size: int, slots: int) -> int:
        """Estimate bytes: weights, gradients, `slots` optimizer states, a batch both ways."""
        return self.weights + self.trained * (1 + slots) + 2 * self.activations * batch_size


def training_memory(graph: Graph) -> TrainingMemory:
    """Estimate what training a graph takes; a padded input counts as long as its shape says."""
    trained = trainable_weights(graph)
    sizes = {name: BYTES * prod(shape) for name, shape in weight_shapes(graph).items()}
    return TrainingMemory(
        weights=sum(sizes.values()),
        trained=sum(size for name, size in sizes.items() if name in trained),
        activations=BYTES * sum(map(_kept, steps(graph))),
    )


def _kept(step: Step) -> int:
    """Count the numbers of one sample that a call keeps for the way back."""
    output = prod(axis or 1 for axis in step.output)
    if {step.layer.class_name, *classes_inside(step.layer)}.isdisjoint(RECURRENT):
        return output
    times = step.inputs[0][0] or 1
    sequence = len(step.output) == len(step.inputs[0])
    per_step = output // times if sequence else output
    return max(output, KEPT_PER_STATE * per_step * times)
