"""The same network for rows of another width: the layers that take the features start anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from potluck_converter.assemble import check_graph, settle
from potluck_converter.errors import ConversionError
from potluck_converter.fresh_weights import initial_weights
from potluck_converter.graph import Graph, Layer, Model, TensorRef
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.shapes import (
    Step,
    infer_shapes,
    steps,
    trainable_weights,
    weight_shapes,
    where,
)

CANNOT = "model.cannot_fit"
MOST_NAMED = 3

TAKES = frozenset(("Dense", "Conv1D", "SimpleRNN", "LSTM", "GRU", "Bidirectional"))
"""Layers with a kernel over the features: behind them the network is as wide as it was."""

ALIKE = frozenset(
    {
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Identity", "Masking"),
        *("Dropout", "SpatialDropout1D", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
        *("ActivityRegularization", "Rescaling", "Flatten", "Normalization"),
        *("BatchNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"),
        *("MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D", "GlobalAveragePooling1D"),
    }
)
"""Layers that treat every feature in the same way, however many there are."""

MERGES = frozenset(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"))
_FITTED = "Normalization"


@dataclass(frozen=True)
class FreshLayer:
    """A layer that starts anew: the shapes of its new weights, and how many it keeps."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    kept: int


@dataclass(frozen=True)
class InputFit:
    """A graph whose input has another number of features, and what that does to its weights.

    `was` and `width` count features. `fresh` are the layers with new weights, in the graph's order;
    `kept` counts the others that have weights. `reset` are fitted Normalizations, whose statistics
    belong to other columns: mean 0 and variance 1 now.
    """

    graph: Graph
    was: int
    width: int
    fresh: tuple[FreshLayer, ...]
    kept: int
    reset: tuple[str, ...]

    @property
    def text(self) -> str:
        """Say in plain words what starts anew and what keeps its weights."""
        if not self.fresh:
            return "All layers keep their weights."
        if len(self.fresh) == 1:
            said = f"The first layer, {_anew(self.fresh[0])}"
        else:
            named = [_anew(layer) for layer in self.fresh[:MOST_NAMED]]
            more = len(self.fresh) - MOST_NAMED
            said = "; ".join([*named, *([f"so do {more} more layers"] if more > 0 else [])])
        if self.kept == 0:
            return f"{said}. No other layer has weights."
        others = f"{self.kept} layers keep" if self.kept > 1 else "layer keeps"
        return f"{said}. The other {others} {'their' if self.kept > 1 else 'its'} weights."

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say which statistics were lost."""
        return tuple(
            f'The Normalization "{name}" was fitted to other columns: its mean is 0 and its '
            "variance 1 now. A study scales the columns itself."
            for name in self.reset
        )


def _anew(layer: FreshLayer) -> str:
    if len(layer.shapes) == 1:
        size = " × ".join(str(length) for length in layer.shapes[0])
    else:
        size = str(sum(prod(shape) for shape in layer.shapes))
    kept = "" if not layer.kept else " (the layer's other weights stay)"
    return f"{layer.name}, starts anew: {size} weights{kept}"


def input_fit(graph: Graph, width: int, limits: Limits = DEFAULT_LIMITS) -> InputFit:
    """Give the same graph for rows of `width` features, the last axis of its one input.

    `graph`: one input of shape (features) or (steps, features). `width`: at least 1. `limits`
    bounds the parameters. All shapes are inferred again.

    Raises ConversionError `model.cannot_fit`, naming the layer that stands in the way: several
    inputs, pictures, a layer that tells the features apart by their place or needs so many of them,
    a frozen layer that would start anew; and `model.too_large`.
    """
    entry = _entry(graph)
    was = entry.config["batch_shape"][-1]
    if width < 1:
        raise _cannot("A row has at least one number.", "at least 1", str(width), "", "width")
    reached = {ref.layer for ref in _wide(graph, entry.name)}
    shape = [*entry.config["batch_shape"][:-1], width]
    layers = []
    reset = []
    for layer in graph.layers:
        config = dict(layer.config)
        if layer.name == entry.name:
            config["batch_shape"] = shape
        elif layer.class_name == _FITTED and layer.name in reached and width != was:
            config.update(mean=None, variance=None)
            reset.append(layer.name)
        layers.append(replace(layer, config=config))
    changed = replace(graph, layers=tuple(layers))
    try:
        check_graph(changed, limits, CANNOT)
    except ConversionError as error:
        raise _of_width(error, width) from error
    changed = settle(changed)
    _same_outputs(graph, changed)
    return _compared(graph, changed, was, width, tuple(reset))


def with_input_width(
    model: Model, width: int, limits: Limits = DEFAULT_LIMITS, *, seed: int = 0
) -> tuple[Model, InputFit]:
    """Give the same model for rows of `width` features, and what was changed.

    Weights whose shapes change are drawn by their layer's own initializers from `seed` (a uint32);
    all others stay, and so does what the model was compiled with. The optimizer's state goes where
    a weight is new. `limits` bounds the parameters. Raises as `input_fit` does.
    """
    fit = input_fit(model.graph, width, limits)
    if not fit.fresh and not fit.reset:
        return replace(model, graph=fit.graph), fit
    drawn = initial_weights(fit.graph, seed, limits)
    for name, value in model.weights.items():
        layer = name.partition("/")[0]
        if layer not in fit.reset and name in drawn and drawn[name].shape == value.shape:
            drawn[name] = value
    return (
        replace(
            model,
            graph=fit.graph,
            weights=drawn,
            optimizer_state=None,
            warnings=(*model.warnings, *fit.warnings),
        ),
        fit,
    )


def _entry(graph: Graph) -> Layer:
    if len(graph.inputs) != 1:
        raise _cannot(
            "Only a model with one input can be fitted to another width.",
            "one input",
            f"{len(graph.inputs)} inputs",
            "Build the model again for the new width.",
            graph.inputs[1].layer if len(graph.inputs) > 1 else "",
        )
    entry = graph.layer(graph.inputs[0].layer)
    shape = entry.config["batch_shape"][1:]
    if len(shape) > 2 or shape[-1] is None:
        shown = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
        raise _cannot(
            "Only an input of features, or of steps with features, can be fitted to another width.",
            "an input of shape [features] or [steps, features]",
            shown,
            "Give the data the shape of the model's input.",
            entry.name,
        )
    return entry


def _wide(graph: Graph, entry: str) -> set[TensorRef]:
    """Give the tensors as wide as the features; refuse layers that need a certain width."""
    wide: set[TensorRef] = set()
    for step in steps(graph):
        ref = TensorRef(step.layer.name, step.call)
        if step.layer.name == entry:
            wide.add(ref)
            continue
        taken = [source in wide for source in step.layer.calls[step.call].inputs]
        if any(taken) and _stays_wide(step, all(taken)):
            wide.add(ref)
    return wide


def _stays_wide(step: Step, every: bool) -> bool:
    """Say whether the layer's output is as wide as its input. Raises `model.cannot_fit`."""
    layer = step.layer
    if layer.class_name in TAKES:
        if layer.config.get("groups", 1) != 1:
            raise _in_the_way(layer, "it takes them in groups")
        return False
    if layer.class_name in MERGES:
        if every:
            return True
        raise _in_the_way(layer, "it joins the features with a tensor of a fixed width")
    if layer.class_name == "Concatenate":
        if every or layer.config["axis"] in (-1, len(step.output)):
            return True
        raise _in_the_way(layer, "it joins the features with a tensor of a fixed width")
    if layer.class_name == "Rescaling":
        if any(isinstance(layer.config[key], list) for key in ("scale", "offset")):
            raise _in_the_way(layer, "it has a number for each feature")
        return True
    if layer.class_name in ALIKE:
        return True
    raise _in_the_way(layer, "it may tell the features apart by their places")


def _of_width(error: ConversionError, width: int) -> ConversionError:
    """Say of what shapes or weights refuse that the new width is why."""
    if error.code != CANNOT:
        return error
    return _cannot(
        f"The model cannot be fitted to another width. {error.message}",
        error.expected,
        error.got or f"rows of {width} numbers",
        error.hint,
        error.where,
    )


def _in_the_way(layer: Layer, reason: str) -> ConversionError:
    return _cannot(
        f"The model cannot be fitted to another width: {where(layer)} takes the features, and "
        f"{reason}.",
        "features that go into a Dense, a recurrent layer or a Conv1D",
        layer.class_name,
        "Build the model again for the new width, or give it as many numbers as it takes.",
        layer.name,
    )


def _same_outputs(before: Graph, after: Graph) -> None:
    old, new = infer_shapes(before), infer_shapes(after)
    for ref in before.outputs:
        if old[ref.layer] != new[ref.layer]:
            raise _in_the_way(before.layer(ref.layer), "its output is as wide as they are")


def _compared(
    before: Graph, after: Graph, was: int, width: int, reset: tuple[str, ...]
) -> InputFit:
    old, new = weight_shapes(before), weight_shapes(after)
    trained = trainable_weights(after)
    learned = trainable_weights(replace(after, layers=tuple(_thawed(one) for one in after.layers)))
    fresh, kept = [], 0
    for layer in after.layers:
        names = [name for name in new if name.partition("/")[0] == layer.name]
        drawn = [name for name in names if old.get(name) != new[name]]
        if any(name in learned and name not in trained for name in drawn):
            raise _frozen(layer)
        if drawn and layer.name not in reset:
            shapes = tuple(new[name] for name in drawn)
            fresh.append(FreshLayer(layer.name, shapes, len(names) - len(drawn)))
        elif names and layer.name not in reset:
            kept += 1
    return InputFit(after, was, width, tuple(fresh), kept, reset)


def _thawed(layer: Layer) -> Layer:
    return replace(layer, trainable=True)


def _frozen(layer: Layer) -> ConversionError:
    return _cannot(
        f"The model cannot be fitted to another width: {where(layer)} is frozen, and its new "
        "weights would never be trained.",
        "a first layer that is trained",
        "a frozen one",
        f'Set trainable = True for "{layer.name}", and upload the model again.',
        layer.name,
    )


def _cannot(message: str, expected: str, got: str, hint: str, place: str) -> ConversionError:
    return ConversionError(CANNOT, message, expected=expected, got=got, hint=hint, where=place)
