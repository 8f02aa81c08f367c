"""The order in which Keras lists a Functional model's layers, by which it also loads weights."""

from __future__ import annotations

from dataclasses import replace

from potluck_converter.graph import Graph, TensorRef

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
