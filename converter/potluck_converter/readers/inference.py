"""Layers that Keras 2 calls with `training=False`: as in predictions, while training too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.layers import TABLE

_INSIDE = ("layer", "backward_layer", "forward_layer", "cell", "cells", "layers")
_RANDOM = ("rate", "stddev", "dropout", "recurrent_dropout")


def quiet(name: str, class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give a layer's class and config so that training computes what predicting does.

    Its dropout becomes 0, and a random change of images hands its input on. A frozen
    BatchNormalization uses its moving statistics anyway; one that trains raises ConversionError.
    """
    found = dict(config)
    if class_name == "BatchNormalization":
        _check_frozen(name, found)
    if class_name.startswith("Random"):
        return "Rescaling", {"scale": 1.0, "offset": 0.0}
    kind = TABLE.get(class_name)
    if kind is None or kind.uses_training:
        for key in _RANDOM:
            if isinstance(found.get(key), int | float):
                found[key] = 0.0
    for key in _INSIDE:
        inner = found.get(key)
        if isinstance(inner, list):
            found[key] = [_part(name, one, found) for one in inner]
        elif inner is not None:
            found[key] = _part(name, inner, found)
    return class_name, found


def _part(name: str, entry: Any, outer: Mapping[str, Any]) -> Any:
    """Do the same with a layer inside a wrapper, which is frozen where the wrapper is."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not isinstance(entry.get("class_name"), str):
        return entry
    if outer.get("trainable") is False:
        config = {**config, "trainable": False}
    class_name, found = quiet(name, entry["class_name"], config)
    if class_name != entry["class_name"]:
        found["name"] = config.get("name", name)
    return {**entry, "class_name": class_name, "config": found}


def _check_frozen(name: str, config: dict[str, Any]) -> None:
    if config.get("trainable") is False:
        return
    if config.get("scale") is False and config.get("center") is False:
        config["trainable"] = False  # it has nothing to train
        return
    raise ConversionError(
        "model.unsupported_option",
        f'Layer "{shorten(name, 80)}" (BatchNormalization) trains its gamma and beta, but is '
        "called with training=False: it would keep its moving statistics, which TF.js cannot.",
        expected="a frozen BatchNormalization, or a call without training=False",
        got="trainable=True and training=False",
        hint="Freeze it, layer.trainable = False (or base.trainable = False), and save again. The "
        "other layers may train.",
        where=f"{name}.training",
    )
