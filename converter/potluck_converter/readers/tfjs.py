"""TF.js layers format: `model.json` with its weight files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.graph import Graph, Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.readers import bounded_json
from potluck_converter.readers.keras_config import read_architecture
from potluck_converter.readers.stored import not_finite
from potluck_converter.readers.tfjs_names import match
from potluck_converter.shapes import weight_shapes

Listed = dict[str, tuple["Stored", memoryview]]
_BYTES = {"float32": 4, "float16": 2, "uint16": 2, "uint8": 1, "int32": 4}


@dataclass(frozen=True)
class Stored:
    """One weight of the manifest; quantized ones are `scale * number + low`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    low: float = 0.0

    @property
    def length(self) -> int:
        """Give the length in bytes."""
        return _BYTES[self.dtype] * prod(self.shape)

    def floats(self, content: memoryview) -> NDArray[np.float32]:
        """Give the values."""
        kind = {"float32": "<f4", "float16": "<f2", "uint16": "<u2", "uint8": "u1", "int32": "<i4"}
        raw = np.frombuffer(content, dtype=kind[self.dtype]).reshape(self.shape)
        values = raw.astype(np.float32)
        if self.dtype in ("uint8", "uint16"):
            with np.errstate(over="ignore"):  # said by the model's warnings
                values = values * np.float32(self.scale) + np.float32(self.low)
        return values


def read_tfjs(files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read `model.json` and the files that it names; raises ConversionError."""
    [name] = [name for name in files if name.endswith(".json")] or [""]
    head = bounded_json.parse(files[name], name, limits)
    topology = head.get("modelTopology")
    if head.get("format") == "graph-model":
        raise ConversionError(
            "model.other_format",
            "This is a TF.js graph model, which cannot be trained.",
            expected="a TF.js layers model, a .keras or an .h5 file",
            got="graph-model",
            hint="Convert the Keras model that it was made from: save it as .keras, or with "
            "tensorflowjs_converter --output_format=tfjs_layers_model.",
            where=name,
        )
    if not isinstance(topology, dict):
        raise ConversionError(
            "model.not_tfjs",
            "This JSON is not a TF.js layers model.",
            expected="modelTopology of a layers model",
            got=str(head.get("format", "no modelTopology"))[:80],
            hint="Save with model.save() in TF.js, or give the Keras .keras or .h5 file.",
            where=name,
        )
    inner = topology.get("model_config", topology)
    if not isinstance(inner, dict):
        raise ConversionError("model.not_tfjs", "modelTopology holds no model.", where=name)
    # The official converter keeps Keras 3's own words, in which hard_sigmoid is another function.
    keras3 = str(topology.get("keras_version", "")).startswith("3")
    found = read_architecture(inner, limits, keras3=keras3)
    graph, warnings = found.graph, found.warnings
    weights = _weights(graph, _listed(head.get("weightsManifest"), files))
    training = head.get("trainingConfig")
    return Model(
        graph,
        weights,
        "TF.js layers model",
        training if isinstance(training, dict) else None,
        (*warnings, *not_finite(weights)),
    )


def _listed(manifest: Any, files: Mapping[str, bytes]) -> Listed:
    """Cut the shards' bytes by the manifest; raises for missing or wrong ones."""
    by_name = {name.replace("\\", "/").rpartition("/")[2]: data for name, data in files.items()}
    found: Listed = {}
    used: set[str] = set()
    for part in manifest if isinstance(manifest, list) else []:
        paths, specs = part.get("paths"), part.get("weights")
        names = [str(path).rpartition("/")[2] for path in paths]
        twice = next((name for name, n in Counter(names).items() if n > 1 or name in used), None)
        if twice is not None:
            raise ConversionError(
                "model.not_tfjs",
                "The weights manifest of model.json names a weight file more than once.",
                expected="each weight file once",
                got=twice,
                hint="Save or convert the model again.",
                where=twice,
            )
        used.update(names)
        missing = [name for name in names if name not in by_name]
        if missing:
            raise ConversionError(
                "model.shards_missing",
                f"{len(missing)} of {len(names)} weight files are missing.",
                expected="every file that model.json names",
                got="without " + ", ".join(missing[:5]),
                hint="Choose model.json and all its .bin files together.",
                where=missing[0],
            )
        shapes = [_stored(spec) for spec in specs]
        total = sum(one.length for one in shapes)
        got = sum(len(by_name[name]) for name in names)
        if got != total:
            raise ConversionError(
                "model.shard_length",
                "The weight files are longer or shorter than model.json says.",
                expected=f"{total} bytes",
                got=f"{got} bytes",
                hint="Copy or upload all of them again.",
                where=names[0] if names else "weightsManifest",
            )
        content = memoryview(b"".join(by_name[name] for name in names))
        offset = 0
        for one in shapes:
            if one.name in found:
                raise ConversionError(
                    "model.weights_mismatch",
                    "Two weights have one name.",
                    got=one.name,
                    where=one.name,
                )
            found[one.name] = (one, content[offset : offset + one.length])
            offset += one.length
    return found


def _stored(spec: Mapping[str, Any]) -> Stored:
    name, shape = str(spec["name"]), spec["shape"]
    if not all(type(n) is int and 0 <= n < 2**31 for n in shape) or len(shape) > 8:
        raise ValueError(f"not a shape: {shape!r}")
    quantized = spec.get("quantization")
    dtype = (quantized or spec)["dtype"]
    allowed = ("uint8", "uint16", "float16") if quantized else ("float32", "int32")
    if dtype not in allowed:
        raise ConversionError(
            "model.unsupported_option",
            f"The weight {name} is stored as {shorten(str(dtype), 40)}.",
            expected="float32 weights, or ones quantized to float16, uint16 or uint8",
            got=str(dtype),
            hint="Convert again to another number type.",
            where=name,
        )
    if quantized is None or dtype == "float16":
        return Stored(name, tuple(shape), dtype)
    scale, low = float(quantized["scale"]), float(quantized["min"])
    if not (isfinite(scale) and isfinite(low)):
        raise ValueError(f"not a scale: {scale!r}")
    return Stored(name, tuple(shape), dtype, scale, low)


def _weights(graph: Graph, listed: Listed) -> dict[str, NDArray[np.float32]]:
    """Give each weight of the network its stored values; raises ConversionError."""
    expected = weight_shapes(graph)
    names = match(expected, {name: one.shape for name, (one, _) in listed.items()})
    weights = {}
    for full, shape in expected.items():
        if full not in names:
            raise _mismatch(full, shape, listed)
        one, content = listed[names[full]]
        weights[full] = one.floats(content)
    return weights


def _mismatch(full: str, shape: tuple[int, ...], listed: Listed) -> ConversionError:
    layer, *_, weight = full.split("/")
    near = [
        f"{name} {one.shape}"
        for name, (one, _) in listed.items()
        if layer in name and name.removesuffix(":0").endswith("/" + weight)
    ]
    return ConversionError(
        "model.weights_mismatch",
        f"The weight {full} is missing, of another shape, or there several times.",
        expected=f"{full} {shape}",
        got=shorten(", ".join(near[:3]), 200) or "nothing of that name",
        hint="model.json and its weight files are of different models; save them again together.",
        where=full,
    )
