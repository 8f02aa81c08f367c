"""The order in which Keras lists a Functional model's layers, by which it also loads weights."""

from __future__ import annotations

import re
from dataclasses import replace

from potluck_converter.graph import Call, Graph, TensorRef
from potluck_converter.shapes import steps

Node = tuple[str, int]


def in_keras_order(graph: Graph) -> Graph:
    """Give the graph with its layers in Keras's order: farthest from the outputs first.

    Layers equally far are in the order in which a walk from the outputs meets them.
    """
    if graph.kind == "sequential":
        return graph
    inputs = {
        (layer.name, n): call.inputs for layer in graph.layers for n, call in enumerate(layer.calls)
    }
    finished, met = _walk(graph.outputs, inputs)
    depths: dict[Node, int] = {}
    layers: dict[str, int] = {}
    for node in reversed(finished):
        depth = max(depths.get(node, 0), layers.get(node[0], 0))
        depths[node] = layers[node[0]] = depth
        for ref in inputs[node]:
            before = (ref.layer, ref.call)
            depths[before] = max(depth + 1, depths.get(before, 0))
    # Layers that lead to no output: only inputs, which Keras puts last but one.
    ordered = sorted(graph.layers, key=lambda la: (-layers.get(la.name, 0), met.get(la.name, -1)))
    return replace(graph, layers=tuple(ordered))


def apart_from_masks(graph: Graph) -> Graph:
    """Rename joins that Keras 3 would take for its own, so that it can open the file.

    Where masks are joined it adds operations called "concatenate", "concatenate_1", ... and refuses
    a layer of the same name. Joins have no weights, so that nothing else has the name.
    """
    if not any(s.layer.class_name == "Concatenate" and any(s.masked) for s in steps(graph)):
        return graph
    taken = {layer.name for layer in graph.layers}
    names = {name: f"{name}_layer" for name in taken if re.fullmatch(r"concatenate(_\d+)?", name)}
    if taken & set(names.values()) or any(
        layer.name in names and layer.class_name != "Concatenate" for layer in graph.layers
    ):
        return graph

    def renamed(ref: TensorRef) -> TensorRef:
        return ref._replace(layer=names.get(ref.layer, ref.layer))

    layers = tuple(
        replace(
            layer,
            name=names.get(layer.name, layer.name),
            calls=tuple(Call(tuple(map(renamed, call.inputs))) for call in layer.calls),
        )
        for layer in graph.layers
    )
    return replace(graph, layers=layers, outputs=tuple(map(renamed, graph.outputs)))


def _walk(
    outputs: tuple[TensorRef, ...], inputs: dict[Node, tuple[TensorRef, ...]]
) -> tuple[list[Node], dict[str, int]]:
    """Walk from the outputs, depth first; give nodes as left, and layers as met."""
    finished: list[Node] = []
    done: set[Node] = set()
    met: dict[str, int] = {}
    for output in outputs:
        stack: list[tuple[Node, int]] = [((output.layer, output.call), 0)]
        while stack:
            node, place = stack.pop()
            if place == 0:
                if node in done:
                    continue
                met.setdefault(node[0], len(met))
            taken = inputs[node]
            if place < len(taken):
                stack.append((node, place + 1))
                ref = taken[place]
                if (ref.layer, ref.call) not in done:
                    stack.append(((ref.layer, ref.call), 0))
            elif node not in done:
                done.add(node)
                finished.append(node)
    return finished, met
