"""Which files cannot hold a model, and why: known from its graph, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Layer
from potluck_converter.layers.inner_model import MODELS, graph_of
from potluck_converter.writers.hard_sigmoid import graph_for_keras


def unwritable(graph: Graph) -> dict[str, str]:
    """Give the forms that cannot hold a model (`keras`, `h5`), each with why. TF.js holds all."""
    missing: tuple[str, ...] = ("keras", "h5")
    try:
        changed, _ = graph_for_keras(graph)
        missing = ("h5",)
        check_h5(changed)
    except ConversionError as error:
        return dict.fromkeys(missing, error.message)
    return {}


def form_warnings(graph: Graph) -> list[str]:
    """Say in which files a person will not be able to take this model home, and with what loss."""
    missing = unwritable(graph)
    if "keras" in missing:
        return [f"{missing['keras']} Only TF.js files can hold this model."]
    found = [f"{why} A .keras file and TF.js files can hold it." for why in missing.values()]
    changed = sorted({name.partition("/")[0] for name in graph_for_keras(graph)[1]})
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        found.append(
            f"In Keras files, gates of {', '.join(changed[:5])}{more} are written 1.2 times as "
            "large, because Keras 3 has another hard_sigmoid. They predict the same; trained on "
            "there, they learn otherwise."
        )
    return found


def check_h5(graph: Graph) -> None:
    """Refuse what Keras 3 loses on its way out of a `.h5`; raises ConversionError.

    That is several axes, and the statistics that a Normalization was fitted to, wherever it is.
    """
    for layer in graph.layers:
        axes = layer.config.get("axis")
        if any(_fitted(name, config) for name, config in _held(layer.class_name, layer.config)):
            raise _refused(layer, "statistics that were fitted to data", "no fitted statistics")
        if isinstance(axes, list) and len(axes) != 1:
            raise _refused(layer, f"axes {axes}" if axes else "no axis", "one axis")


def _fitted(class_name: str, config: Mapping[str, Any]) -> bool:
    return class_name == "Normalization" and config["mean"] is None


def _held(class_name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give a layer, and those that a TimeDistributed holds."""
    yield class_name, config
    if class_name != "TimeDistributed":
        return
    inner = config["layer"]
    if inner["class_name"] not in MODELS:
        yield inner["class_name"], inner["config"]
        return
    for layer in graph_of(inner["config"]).layers:
        yield from _held(layer.class_name, layer.config)


def _refused(layer: Layer, got: str, expected: str) -> ConversionError:
    return ConversionError(
        "model.unsupported_option",
        f'A .h5 cannot hold layer "{layer.name}" ({layer.class_name}): Keras 3 would read {got} '
        "wrongly from it.",
        expected=expected,
        got=got,
        hint="Take a .keras file instead.",
        where=layer.name,
    )
