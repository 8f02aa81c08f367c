"""Keras's initializers: which there are, their canonical config, and TF.js's names for them."""

from __future__ import annotations

from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.layers.base import Check
from potluck_converter.layers.checks import choice, number, object_parts

GLOROT = {"class_name": "GlorotUniform", "config": {}}
ZEROS = {"class_name": "Zeros", "config": {}}
ONES = {"class_name": "Ones", "config": {}}
ORTHOGONAL = {"class_name": "Orthogonal", "config": {"gain": 1.0}}

_MODES = choice("fan_in", "fan_out", "fan_avg")


def _distribution(value: Any) -> str:
    # Keras before 2.2 and TF.js say "normal" for what Keras 3 calls "truncated_normal".
    renamed = {"normal": "truncated_normal", "truncatedNormal": "truncated_normal"}
    return str(
        choice("uniform", "truncated_normal", "untruncated_normal")(
            renamed.get(value, value) if isinstance(value, str) else value
        )
    )


_FIELDS: dict[str, dict[str, tuple[Any, Check]]] = {
    "Zeros": {},
    "Ones": {},
    "Constant": {"value": (0.0, number())},
    "RandomNormal": {"mean": (0.0, number()), "stddev": (0.05, number(0.0))},
    "TruncatedNormal": {"mean": (0.0, number()), "stddev": (0.05, number(0.0))},
    "RandomUniform": {"minval": (-0.05, number()), "maxval": (0.05, number())},
    "VarianceScaling": {
        "scale": (1.0, number(0.0)),
        "mode": ("fan_in", _MODES),
        "distribution": ("truncated_normal", _distribution),
    },
    "GlorotUniform": {},
    "GlorotNormal": {},
    "HeUniform": {},
    "HeNormal": {},
    "LecunUniform": {},
    "LecunNormal": {},
    "Orthogonal": {"gain": (1.0, number())},
    "Identity": {"gain": (1.0, number())},
}
INITIALIZERS = tuple(_FIELDS)
_ALIASES = {name.lower(): name for name in _FIELDS} | {
    "zero": "Zeros",
    "one": "Ones",
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "orthogonalinitializer": "Orthogonal",
    "identityinitializer": "Identity",
}
_SCALED = {  # what VarianceScaling calls the named ones: scale, mode, distribution
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}


def initializer(value: Any) -> dict[str, Any]:
    """Accept a Keras initializer; give `{"class_name", "config"}` without its seed."""
    name, config = object_parts(value, "an initializer")
    found = _ALIASES.get(name.replace("_", "").lower())
    if found is None:
        raise Unfit(
            "one of " + ", ".join(sorted(_FIELDS)),
            got=name,
            reason="it is unknown or custom, and fresh weights could not be made",
            hint="Build the layer with one of Keras's own initializers.",
        )
    fields = _FIELDS[found]
    return {
        "class_name": found,
        "config": {
            key: check(config[key] if config.get(key) is not None else default)
            for key, (default, check) in fields.items()
        },
    }


def scaling(value: dict[str, Any]) -> tuple[float, str, str] | None:
    """Give scale, mode and distribution of an initializer that scales by fans, else None."""
    name, config = value["class_name"], value["config"]
    if name == "VarianceScaling":
        return config["scale"], config["mode"], config["distribution"]
    return _SCALED.get(name)


def tfjs_initializer(value: dict[str, Any]) -> dict[str, Any]:
    """Render an initializer as TF.js reads it."""
    name, config = value["class_name"], dict(value["config"])
    if name in ("LecunNormal", "LecunUniform"):
        return {"class_name": name.replace("Lecun", "LeCun"), "config": {"seed": None}}
    if name == "VarianceScaling":
        if config["distribution"] == "untruncated_normal":
            # TF.js has only the truncated kind. It matters for fresh weights alone, and those
            # come from `initial_weights`.
            config["distribution"] = "truncated_normal"
        config["distribution"] = config["distribution"].replace("truncated_normal", "normal")
    if name == "Identity":
        return {"class_name": name, "config": config}
    if name not in ("Zeros", "Ones", "Constant"):
        config["seed"] = None
    return {"class_name": name, "config": config}
