"""Architecture JSON (`model.to_json()`) with a weights file (`save_weights`)."""

from __future__ import annotations

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.readers import bounded_json, hdf5
from potluck_converter.readers.keras_config import read_architecture
from potluck_converter.readers.keras_h5 import legacy_weights
from potluck_converter.readers.keras_zip import nested_weights
from potluck_converter.readers.stored import not_finite


def read_pair(
    text: bytes, name: str, content: bytes, weights_name: str, limits: Limits = DEFAULT_LIMITS
) -> Model:
    """Read the pair, the weights in Keras 2's or Keras 3's layout; raises ConversionError."""
    config = bounded_json.parse(text, name, limits)
    if "class_name" not in config or "modelTopology" in config:
        raise ConversionError(
            "model.unreadable",
            "The JSON beside the weights is not an architecture of Keras.",
            expected="what model.to_json() gives",
            got=", ".join(list(config)[:5]),
            hint="Write model.to_json() into a file and upload it with the weights.",
            where=name,
        )
    version = str(config.get("keras_version", "3" if "module" in config else "2"))
    keras3 = version.startswith("3")
    found = read_architecture(config, limits, keras3=keras3)
    with hdf5.open_file(content, weights_name, limits) as file:
        if "layer_names" in file.attrs or "layer_names0" in file.attrs:
            weights = legacy_weights(file, found.graph, found.origin, limits)
        elif "model_weights" in file:
            inner = hdf5.group(file, "model_weights")
            weights = legacy_weights(inner, found.graph, found.origin, limits)
        else:
            weights = nested_weights(file, found.graph, found.origin)
    training = config.get("compile_config")
    return Model(
        found.graph,
        weights,
        f"Keras {'3' if keras3 else '2'} architecture with weights",
        training if isinstance(training, dict) else None,
        (*found.warnings, *not_finite(weights)),
    )
