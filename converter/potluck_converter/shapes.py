"""Walk a graph through the table of layers: shapes, weights, FLOPs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from weakref import ref as weak

from potluck_converter.errors import ConversionError, Unfit
from potluck_converter.graph import Graph, Layer, Shape, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import LayerKind, WeightSpec
from potluck_converter.limits import DEFAULT_LIMITS, MAX_DIMENSION
from potluck_converter.wrapped import RECURRENT, classes_inside


@dataclass(frozen=True)
class Step:
    """One call of a layer with the shapes that go in and come out (without the batch axis)."""

    layer: Layer
    call: int
    kind: LayerKind
    inputs: tuple[Shape, ...]
    output: Shape
    masked: tuple[bool, ...] = ()
    """Which inputs carry a mask."""

    @property
    def own(self) -> str:
        """Say why TF.js needs our class here; empty where its own will do."""
        if not self.kind.stock:
            return "TF.js has no such layer"
        reason = self.kind.own(self.layer.config, self.inputs, self.layer.trainable)
        if not reason and any(self.masked):
            return self.kind.masked_own(self.layer.config)
        return reason


def where(layer: Layer) -> str:
    """Name a layer for a message."""
    return f'layer "{layer.name}" ({layer.class_name})'


def unfit(layer: Layer, error: Unfit, code: str) -> ConversionError:
    """Say in full what the table refused."""
    what = f"{error.field} of {where(layer)}" if error.field else where(layer)
    reason = f": {error.reason}" if error.reason else ""
    return ConversionError(
        code,
        f"Potluck cannot use {what}{reason}.",
        expected=error.expected,
        got=error.got,
        hint=error.hint,
        where=f"{layer.name}.{error.field}" if error.field else layer.name,
    )


def ordered_calls(graph: Graph) -> list[tuple[Layer, int]]:
    """Order calls so that each comes after what it takes; raises `model.broken_graph`."""
    waiting: dict[TensorRef, list[tuple[Layer, int]]] = {}
    missing: dict[tuple[str, int], int] = {}
    ready: list[tuple[Layer, int]] = []
    for layer in graph.layers:
        for index, call in enumerate(layer.calls):
            sources = {(ref.layer, ref.call) for ref in call.inputs}
            missing[layer.name, index] = len(sources)
            for source in sources:
                waiting.setdefault(TensorRef(*source), []).append((layer, index))
            if not sources:
                ready.append((layer, index))
    order: list[tuple[Layer, int]] = []
    # `ready` grows while it is read: a plain breadth-first walk.
    for layer, index in ready:
        order.append((layer, index))
        for follower, place in waiting.get(TensorRef(layer.name, index), ()):
            missing[follower.name, place] -= 1
            if missing[follower.name, place] == 0:
                ready.append((follower, place))
    stuck = [name for (name, _), count in missing.items() if count > 0]
    if stuck:
        raise ConversionError(
            "model.broken_graph",
            "Some layers take a tensor that nothing gives, or feed themselves.",
            expected="a graph without cycles or loose ends",
            got=", ".join(stuck[:5]),
            where=stuck[0],
        )
    return order


_walked: dict[int, tuple[weak[Graph], tuple[Step, ...]]] = {}
"""Steps of graphs that are still in use, by their identity: a graph never changes."""


def steps(graph: Graph, code: str = "model.unsupported_option") -> tuple[Step, ...]:
    """Infer every call's shapes; raises ConversionError naming the layer where they disagree."""
    key = id(graph)
    known = _walked.get(key)
    if known is not None and known[0]() is graph:
        return known[1]
    found = tuple(_walk(graph, code))
    _walked[key] = (weak(graph, lambda _: _walked.pop(key, None)), found)
    return found


def _walk(graph: Graph, code: str) -> list[Step]:
    shapes: dict[TensorRef, Shape] = {}
    masks: set[TensorRef] = set()
    found = []
    for layer, index in ordered_calls(graph):
        kind = TABLE[layer.class_name]
        refs = layer.calls[index].inputs
        try:
            inputs = tuple(shapes[ref] for ref in refs)
        except KeyError as error:
            raise ConversionError(
                "model.broken_graph",
                f"{where(layer)} takes an output that its source does not have.",
                where=layer.name,
            ) from error
        _check_count(layer, kind, len(inputs))
        try:
            output = kind.output_shape(layer.config, inputs)
        except Unfit as error:
            raise unfit(layer, error, code) from error
        if prod(n or 1 for n in output) > MAX_DIMENSION:
            raise ConversionError(
                "model.too_large",
                f"{where(layer)} gives more elements than a tensor may have.",
                expected=f"at most {MAX_DIMENSION} elements a sample",
                where=layer.name,
            )
        ref, masked = TensorRef(layer.name, index), tuple(ref in masks for ref in refs)
        shapes[ref] = output
        if kind.mask_out(layer.config, masked) if masked else False:
            masks.add(ref)
        found.append(Step(layer, index, kind, inputs, output, masked))
    for ref in graph.outputs:
        if ref not in shapes:
            raise ConversionError(
                "model.broken_graph",
                "An output names a tensor that nothing gives.",
                where=ref.layer,
            )
    return found


def _check_count(layer: Layer, kind: LayerKind, given: int) -> None:
    most = kind.most_inputs
    if given < kind.fewest_inputs or (most is not None and given > most):
        exact = str(kind.fewest_inputs) if most is not None else f"at least {kind.fewest_inputs}"
        raise ConversionError(
            "model.unsupported_option",
            f"{where(layer)} is called with a number of tensors that Potluck does not read.",
            expected=f"{exact} tensor(s)",
            got=str(given),
            hint="States and masks cannot be passed as extra inputs.",
            where=layer.name,
        )


def infer_shapes(graph: Graph) -> dict[str, Shape]:
    """Give each layer's output shape at its first call, without the batch axis."""
    found: dict[str, Shape] = {}
    for step in steps(graph):
        found.setdefault(step.layer.name, step.output)
    return {layer.name: found[layer.name] for layer in graph.layers if layer.name in found}


def weight_specs(
    graph: Graph, code: str = "model.unsupported_option"
) -> Iterator[tuple[Layer, str, WeightSpec]]:
    """Give layer, full name and spec of each weight, in the graph's order of layers."""
    first: dict[str, tuple[WeightSpec, ...]] = {}
    for step in steps(graph, code):
        layer = step.layer
        try:
            specs = step.kind.weights(layer.config, step.inputs)
        except Unfit as error:
            raise unfit(layer, error, code) from error
        if specs != first.setdefault(layer.name, specs):
            reason = "it is called on inputs that need other weights"
            raise unfit(layer, Unfit("inputs of one kind", reason=reason), code)
    for layer in graph.layers:
        for spec in first[layer.name]:
            rank = {"Identity": (2, 2), "Orthogonal": (2, 9)}.get(spec.initializer["class_name"])
            if rank and not rank[0] <= len(spec.shape) <= rank[1]:
                reason = f"{spec.initializer['class_name']} cannot fill a {spec.name} like this"
                raise unfit(
                    layer, Unfit("another initializer", got=repr(spec.shape), reason=reason), code
                )
            yield layer, f"{layer.name}/{spec.name}", spec


def weight_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Give the shape of each weight by its full name, in the graph's order of layers."""
    return {name: spec.shape for _, name, spec in weight_specs(graph)}


def trainable_weights(graph: Graph) -> set[str]:
    """Name the weights that training changes: no moving statistics, no frozen layers."""
    return {name for layer, name, spec in weight_specs(graph) if layer.trainable and spec.trainable}


def check_size(
    graph: Graph,
    most: int = DEFAULT_LIMITS.parameters,
    code: str = "model.unsupported_option",
) -> int:
    """Count parameters before anything is allocated; raises `model.too_large`."""
    total = 0
    for layer, _, spec in weight_specs(graph, code):
        total += prod(spec.shape)
        if total > most:
            raise ConversionError(
                "model.too_large",
                f"The model has too many parameters; the limit is passed at {where(layer)}.",
                expected=f"at most {most} parameters",
                got=f"at least {total}",
                hint="Use a smaller model.",
                where=layer.name,
            )
    return total


def layer_flops(graph: Graph) -> dict[str, int]:
    """Give each layer's forward FLOPs for one sample, summed over its calls."""
    found = {layer.name: 0 for layer in graph.layers}
    for step in steps(graph):
        found[step.layer.name] += step.kind.flops(step.layer.config, step.inputs, step.output)
    return found


def forward_flops(graph: Graph) -> int:
    """Give FLOPs for one sample forward; a multiply-add is two, unknown lengths count as one."""
    return sum(layer_flops(graph).values())


def training_flops(graph: Graph) -> int:
    """Estimate FLOPs for one sample of training."""
    return sum(layer_training_flops(graph).values())


def layer_training_flops(graph: Graph) -> dict[str, int]:
    """Estimate each layer's FLOPs for one sample of training, summed over its calls.

    Forward, plus once more for the gradient of each layer's weights if they are trained, plus once
    more for the gradient of its inputs if something trained lies before it. A recurrent layer needs
    the gradient of its state in either case: that is how a gradient goes back in time.
    """
    trained = {name.partition("/")[0] for name in trainable_weights(graph)}
    reached: set[tuple[str, int]] = set()
    found = {layer.name: 0 for layer in graph.layers}
    for step in steps(graph):
        flops = step.kind.flops(step.layer.config, step.inputs, step.output)
        before = any((r.layer, r.call) in reached for r in step.layer.calls[step.call].inputs)
        own = step.layer.name in trained
        if before or own:
            reached.add((step.layer.name, step.call))
        back = flops if before else _state_flops(step) if own else 0
        found[step.layer.name] += flops * (1 + int(own)) + back
    return found


def _state_flops(step: Step) -> int:
    """Count what a recurrent layer computes from its state: all that is left without features."""
    if {step.layer.class_name, *classes_inside(step.layer)}.isdisjoint(RECURRENT):
        return 0
    *sides, _ = step.inputs[0]
    return step.kind.flops(step.layer.config, [(*sides, 0)], step.output)
