"""Which of a file's weights is which: by where they lie, by their names, else by their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Layer, Weights
from potluck_converter.layers.base import WeightSpec
from potluck_converter.readers.blocks import Origin
from potluck_converter.shapes import weight_specs

_UNNAMED = re.compile(r"[Vv]ariable(_\d+)?$")


@dataclass(frozen=True)
class Wanted:
    """One weight that the graph has, and the file's name for its layer."""

    full: str
    spec: WeightSpec
    trained: bool
    home: str
    """The layer's name in the file."""

    @property
    def ends(self) -> set[str]:
        """Give the last parts of the names that Keras 2, Keras 3 and TF.js have for it."""
        return {name.rpartition("/")[2] for name in (self.spec.name, self.spec.keras) if name}

    def fits(self, path: str) -> bool:
        """Say whether a stored name may be this weight's; Keras numbers those without a name."""
        last = _last(path)
        return last in self.ends or ("variable" in self.ends and _UNNAMED.match(last) is not None)


def wanted(graph: Graph) -> dict[str, list[tuple[Layer, str, WeightSpec]]]:
    """Give each layer's weights by the layer's name, in Keras's order."""
    found: dict[str, list[tuple[Layer, str, WeightSpec]]] = {la.name: [] for la in graph.layers}
    for layer, full, spec in weight_specs(graph):
        found[layer.name].append((layer, full, spec))
    return found


def leaves(origin: Origin) -> Iterator[Origin]:
    """Give the layers of a model, those of models inside in their place."""
    if not origin.children:
        yield origin
    for child in origin.children:
        yield from leaves(child)


def match(layer: str, stored: Sequence[str], weights: Sequence[Wanted]) -> dict[str, str]:
    """Give the stored name of each weight; raises `model.weights_mismatch`."""
    by_name = _by_name(stored, weights)
    if by_name is not None:
        return by_name
    # Keras itself goes by the order: what is trained first, then the rest.
    ordered = [w for w in weights if w.trained] + [w for w in weights if not w.trained]
    if len(ordered) == len(stored) and all(
        weight.fits(path) for path, weight in zip(stored, ordered, strict=True)
    ):
        return {w.full: path for path, w in zip(stored, ordered, strict=True)}
    raise mismatch(layer, [w.full for w in weights], list(stored))


def _last(path: str) -> str:
    return path.rpartition("/")[2].partition(":")[0]


def _by_name(stored: Sequence[str], weights: Sequence[Wanted]) -> dict[str, str] | None:
    if len(stored) != len(weights):
        return None
    several = len({weight.home for weight in weights}) > 1
    found: dict[str, str] = {}
    for weight in weights:
        fits = [
            path
            for path in stored
            if weight.fits(path) and (not several or weight.home in path.split("/"))
        ]
        if len(fits) != 1:
            return None
        found[weight.full] = fits[0]
    return found if len(set(found.values())) == len(weights) else None


def mismatch(layer: str, expected: list[str], got: list[str]) -> ConversionError:
    """Say that a layer's weights are not those its config asks for."""
    return ConversionError(
        "model.weights_mismatch",
        f'The weights of layer "{layer}" are not those of its architecture.',
        expected=", ".join(name.partition("/")[2] for name in expected[:20]),
        got=", ".join(got[:10]) or "none",
        hint="The architecture and the weights are of different models; save again.",
        where=layer,
    )


def not_finite(weights: Weights) -> list[str]:
    """Warn of layers whose weights hold what is no number that a model can work with."""
    # Extremes tell, without an array of truths as long as the weight: NaN is handed on.
    layers = dict.fromkeys(
        full.partition("/")[0]
        for full, values in weights.items()
        if values.size and not (np.isfinite(values.max()) and np.isfinite(values.min()))
    )
    if not layers:
        return []
    shown = ", ".join(list(layers)[:5]) + (
        f" and {len(layers) - 5} more" if len(layers) > 5 else ""
    )
    return [
        f"Weights of {shown} are not finite (NaN, infinity, or too large for float32): "
        "the model's predictions will not be numbers either."
    ]
