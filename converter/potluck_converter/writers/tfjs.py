"""TF.js layers format: `model.json` and weight shards for `tf.loadLayersModel`.

Stock TF.js opens it, unless the model needs classes of our own: then `potluck-tfjs.js` first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Call, Graph, Layer, Model, TensorRef
from potluck_converter.refused_classes import OWN
from potluck_converter.shapes import Step, steps, weight_shapes
from potluck_converter.training_tfjs import for_tfjs
from potluck_converter.writers.architecture import architecture, listed_nodes

SHARD_BYTES = 4 << 20
_LARGEST_HALF = 65504.0
Quantization = Literal["float16", "uint16", "uint8"]


def tfjs_topology(graph: Graph) -> dict[str, Any]:
    """Give what `tf.models.modelFromJSON` opens; weights are named `<layer>/<weight>`."""
    first: dict[str, Step] = {}
    own: set[str] = set()
    for step in steps(graph):
        first.setdefault(step.layer.name, step)
        if step.own:
            own.add(step.layer.name)
    shown = _with_inserted(graph)

    def render(layer: Layer) -> tuple[str, Mapping[str, Any]]:
        step = first.get(layer.name)
        if step is None:
            return layer.class_name, layer.config
        kind, config = step.kind, step.layer.config
        if layer.name in own:
            return OWN + layer.class_name, kind.potluck(config, step.inputs)
        return layer.class_name, kind.tfjs(config, step.inputs, step.output)

    return architecture(shown, render, "Model", listed_nodes)


def _with_inserted(graph: Graph) -> Graph:
    """Add the layers that TF.js needs where Keras has none."""
    return _with_repeats(_with_ended_masks(graph))


AGAIN = "__again"
"""What the name of a layer ends with that hands on a tensor a second time."""


def _with_repeats(graph: Graph) -> Graph:
    """Copy what one call reads twice, and an output that is listed twice.

    TF.js, predicting, lets go of a tensor once it was read as often as it has readers, and counts
    a reader of the same tensor twice once; and it gives an output one place only.
    """
    readers = Counter(
        ref for layer in graph.layers for call in layer.calls for ref in set(call.inputs)
    )
    taken = {layer.name for layer in graph.layers}

    def copy(ref: TensorRef, near: str) -> Layer:
        name, count = f"{near}{AGAIN}", 0
        while name in taken:
            count += 1
            name = f"{near}{AGAIN}_{count}"
        taken.add(name)
        return Layer(name, "Activation", {"activation": "linear"}, True, (Call((ref,)),))

    found: list[Layer] = []
    for layer in graph.layers:
        calls = []
        for call in layer.calls:
            refs = call.inputs
            for ref, times in Counter(refs).items():
                if times > 1 and readers[ref] > 1 and ref not in graph.outputs:
                    found.append(copy(ref, layer.name))
                    # That the copy is read twice is no harm: nobody else reads it.
                    refs = tuple(TensorRef(found[-1].name) if r == ref else r for r in refs)
            calls.append(Call(refs))
        found.append(replace(layer, calls=tuple(calls)))
    outputs: list[TensorRef] = []
    for ref in graph.outputs:
        if ref in outputs:
            found.append(copy(ref, ref.layer))
            outputs.append(TensorRef(found[-1].name))
        else:
            outputs.append(ref)
    return replace(graph, layers=tuple(found), outputs=tuple(outputs))


def _with_ended_masks(graph: Graph) -> Graph:
    """Add the layers that end masks and that penalise outputs."""
    ended: dict[tuple[str, int], list[bool]] = {}
    for step in steps(graph):
        if step.kind.mask == "ends" and any(step.masked):
            ended[step.layer.name, step.call] = list(step.masked)
    penalised = {
        layer.name: layer.config["activity_regularizer"]
        for layer in graph.layers
        if layer.config.get("activity_regularizer") is not None
    }
    if not ended and not penalised:
        return graph

    def after(ref: TensorRef) -> TensorRef:
        return ref._replace(layer=f"{ref.layer}__activity") if ref.layer in penalised else ref

    found: list[Layer] = []
    for layer in graph.layers:
        calls = []
        count = 0
        for index, call in enumerate(layer.calls):
            refs = [after(ref) for ref in call.inputs]
            for place, masked in enumerate(ended.get((layer.name, index), ())):
                if masked:
                    name = f"{layer.name}__unmask" + (f"_{count}" if count else "")
                    count += 1
                    unmask = Layer(name, f"{OWN}Unmask", {}, True, (Call((refs[place],)),))
                    found.append(unmask)
                    refs[place] = TensorRef(name)
            calls.append(Call(tuple(refs)))
        found.append(replace(layer, calls=tuple(calls)))
        if layer.name in penalised:
            each = tuple(Call((TensorRef(layer.name, n),)) for n in range(len(layer.calls)))
            sizes = penalised[layer.name]["config"]
            name = f"{layer.name}__activity"
            found.append(Layer(name, f"{OWN}ActivityRegularization", sizes, True, each))
    outputs = tuple(after(ref) for ref in graph.outputs)
    return replace(graph, layers=tuple(found), outputs=outputs)


def write_tfjs(
    model: Model, shard_bytes: int = SHARD_BYTES, quantize: Quantization | None = None
) -> dict[str, bytes]:
    """Write `model.json` and its shards, little-endian, in the graph's order."""
    return {name: bytes(content) for name, content in tfjs_files(model, shard_bytes, quantize)}


def tfjs_files(
    model: Model, shard_bytes: int = SHARD_BYTES, quantize: Quantization | None = None
) -> Iterator[tuple[str, bytes]]:
    """Give the shards one after another, and `model.json` last; weights are read when needed."""
    shapes = weight_shapes(model.graph)
    width = {None: 4, "float16": 2, "uint16": 2, "uint8": 1}[quantize]
    total = sum(width * int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())
    count = -(-total // shard_bytes)
    specs: list[dict[str, Any]] = []
    waiting = bytearray()
    number = 0
    for full, shape in shapes.items():
        content, how = _quantized(full, np.asarray(model.weights[full], "<f4", order="C"), quantize)
        spec: dict[str, Any] = {"name": full, "shape": list(shape), "dtype": "float32"}
        specs.append(spec | ({"quantization": how} if how else {}))
        view = memoryview(content)
        while len(waiting) + len(view) >= shard_bytes:
            room = shard_bytes - len(waiting)
            number += 1
            yield f"group1-shard{number}of{count}.bin", bytes(waiting) + bytes(view[:room])
            waiting.clear()
            view = view[room:]
        waiting += view
    if waiting:
        number += 1
        yield f"group1-shard{number}of{count}.bin", bytes(waiting)
    paths = [f"group1-shard{i + 1}of{count}.bin" for i in range(count)]
    head: dict[str, Any] = {
        "format": "layers-model",
        "generatedBy": "Potluck",
        "convertedBy": "Potluck",
        "modelTopology": tfjs_topology(model.graph),
        "weightsManifest": [{"paths": paths, "weights": specs}] if specs else [],
    }
    training = for_tfjs(model.training_config)
    if training is not None:
        head["trainingConfig"] = training
    yield "model.json", json.dumps(head, allow_nan=False).encode()


def _quantized(
    name: str, values: NDArray[np.float32], how: Quantization | None
) -> tuple[bytes | memoryview, dict[str, Any] | None]:
    """Give a weight's bytes, and how TF.js gets the values back; raises ConversionError."""
    if how is None:
        return values.reshape(-1).view(np.uint8).data, None
    # NaN where there is one, infinity where there is one.
    largest = float(np.abs(values).max()) if values.size else 0.0
    most = _LARGEST_HALF if how == "float16" else float(np.finfo(np.float32).max)
    if not largest <= most:
        raise ConversionError(
            "model.not_quantizable",
            f'The weight "{name}" has values that {how} cannot hold.',
            expected=f"numbers up to {most:g}",
            got=f"{largest:g}",
            hint="Leave out the quantization, or take uint16."
            if np.isfinite(largest)
            else "Train the model again: it has weights that are no numbers.",
            where=name,
        )
    if how == "float16":
        return values.astype("<f2").tobytes(), {"dtype": "float16", "original_dtype": "float32"}
    levels = 255 if how == "uint8" else 65535
    low = float(values.min()) if values.size else 0.0
    high = float(values.max()) if values.size else 0.0
    # Zero stays zero: pruned weights and biases at rest do not drift.
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / levels or 1.0  # 0 where all is zero
    low = round(low / scale) * scale
    numbers = np.clip(np.rint((values.astype(np.float64) - low) / scale), 0, levels)
    kind = "u1" if how == "uint8" else "<u2"
    spec = {"dtype": how, "scale": scale, "min": low, "original_dtype": "float32"}
    return numbers.astype(kind).tobytes(), spec


def own_classes(graph: Graph) -> dict[str, str]:
    """Give the layers for which TF.js needs a class of ours, each with the reason."""
    found: dict[str, str] = {}
    for step in steps(graph):
        if step.own:
            found.setdefault(step.layer.name, step.own)
    for layer in _with_inserted(graph).layers:
        if layer.class_name == f"{OWN}Unmask":
            base = layer.name.rpartition("__unmask")[0]
            found.setdefault(base, "TF.js refuses a mask here, where Keras drops it")
        elif layer.name.endswith("__activity"):
            base = layer.name.removesuffix("__activity")
            found.setdefault(base, "TF.js refuses activity regularizers")
    first: dict[str, Step] = {}
    for step in steps(graph):
        first.setdefault(step.layer.name, step)
    for layer in graph.layers:
        if layer.name not in found and _names_own(first[layer.name]):
            found[layer.name] = "TF.js has no such activation, regularizer or layer inside"
    return found


def _names_own(step: Step) -> bool:
    text = json.dumps(step.kind.tfjs(step.layer.config, step.inputs, step.output))
    return '"potluck_' in text or '"Potluck' in text
