"""Small files that ask for much: each one of its kind, as large as a test or bench chooses."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Hostile:
    """Files of a model or of a dataset; `make` takes their size: 1 is what was seen, 0.01 small.

    `code`: the refusal that they get at full size, or None where they are to be read.
    """

    name: str
    kind: str
    make: Callable[[float], Files]
    code: str | None


def model_h5(inputs: int, units: int, values: Any = None, **storage: Any) -> bytes:
    """Make a Keras `.h5` of one Dense layer, whose kernel is stored as `storage` says."""
    buffer = io.BytesIO()
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, inputs], "name": "in"}},
        {"class_name": "Dense", "config": {"name": "d", "units": units, "use_bias": False}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(buffer, "w") as file:
        file.attrs.update({"model_config": json.dumps(config), "keras_version": "3.8.0"})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"d"]
        layer = group.create_group("d")
        layer.attrs["weight_names"] = [b"d/kernel"]
        made = layer.create_dataset("d/kernel", shape=(inputs, units), dtype="<f4", **storage)
        if values is not None:
            made[...] = values
    return buffer.getvalue()


def many_layers(count: int, *, linked: int = 0) -> bytes:
    """Make a `.h5` of many small layers; `linked` makes all kernels one array of so many rows."""
    width = linked or 1
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, width], "name": "in"}}
    ]
    layers += [
        {"class_name": "Dense", "config": {"name": f"d{i}", "units": width, "use_bias": False}}
        for i in range(count)
    ]
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
        file.attrs.update({"model_config": json.dumps(config), "keras_version": "3.8.0"})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([f"d{i}".encode() for i in range(count)])
        one = np.ones((width, width), "<f4")
        for i in range(count):
            layer = group.create_group(f"d{i}")
            layer.attrs["weight_names"] = [f"d{i}/kernel".encode()]
            if linked and i:
                layer.create_group(f"d{i}")["kernel"] = group["d0/d0/kernel"]
            else:
                layer[f"d{i}/kernel"] = one
    return buffer.getvalue()


def keras_zip(weights: bytes, inputs: int, units: int) -> bytes:
    """Pack a weights file as a `.keras` of one Dense layer, compressed."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, inputs], "name": "in"}},
        {"class_name": "Dense", "config": {"name": "d", "units": units, "use_bias": False}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.8.0"}))
        archive.writestr("model.weights.h5", weights)
    return buffer.getvalue()


def weights_h5(inputs: int, units: int, **storage: Any) -> bytes:
    """Make the weights file of a `.keras` whose kernel was never written."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        home = file.create_group("layers/dense/vars")
        home.create_dataset("0", shape=(inputs, units), dtype="<f4", **storage)
    return buffer.getvalue()


def one_shard_often(times: int) -> Files:
    """Make TF.js files whose manifest names one weight file many times."""
    side = 256
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, side * times], "name": "in"}},
        {"class_name": "Dense", "config": {"name": "d", "units": side, "use_bias": False}},
    ]
    topology = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    weight = {"name": "d/kernel", "shape": [side * times, side], "dtype": "float32"}
    manifest = [{"paths": ["a.bin"] * times, "weights": [weight]}]
    head = {"modelTopology": {"model_config": topology}, "weightsManifest": manifest}
    return {"model.json": json.dumps(head).encode(), "a.bin": bytes(4 * side * side)}


def many_members(count: int) -> bytes:
    """Make a zip archive of many empty members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for i in range(count):
            archive.writestr(f"{i:07}.npy", b"")
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    """Make a compressed `.npz`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def declared(shape: tuple[int, ...], descr: str = "<f8", content: bytes = b"") -> bytes:
    """Make an `.npz` of two arrays whose headers say what they like."""
    said = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}, }}"
    header = said.ljust(117) + "\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("X.npy", array)
        archive.writestr("y.npy", array)
    return buffer.getvalue()


def empty_cells(columns: int, rows: int) -> bytes:
    """Make a table of cells with nothing in them."""
    header = ",".join(f"c{i}" for i in range(columns))
    return (header + "\n" + ("," * (columns - 1) + "\n") * rows).encode()


def amounts(columns: int, rows: int = 20) -> bytes:
    """Make a table of amounts of money: each column is one more whose spelling is found out."""
    header = ";".join(f"c{i}" for i in range(columns))
    line = ";".join(f"{i % 990 + 1},{i % 90 + 10} €" for i in range(columns))
    return "\n".join([header, *[line] * rows]).encode()


def _side(size: float, whole: int) -> int:
    return max(20, int(whole * size**0.5))


def _zeros(size: float) -> Files:
    rows = max(1000, int(2_000_000 * size))
    return {"d.npz": npz(X=np.zeros((rows, 64)), y=np.arange(rows) % 2)}


HOSTILE = [
    Hostile(
        "chunks-of-one",
        "model",
        lambda s: {"m.h5": model_h5(_side(s, 12_000), _side(s, 12_000), chunks=(1, 1))},
        "model.too_large",
    ),
    Hostile(
        "never-written",
        "model",
        lambda s: {"m.h5": model_h5(_side(s, 19_000), _side(s, 10_000), chunks=(500, 500))},
        "model.never_written",
    ),
    Hostile(
        "never-written-whole",
        "model",
        lambda s: {"m.h5": model_h5(_side(s, 19_000), _side(s, 10_000))},
        "model.never_written",
    ),
    Hostile(
        "zeros-compressed",
        "model",
        lambda s: {
            "m.h5": model_h5(_side(s, 19_000), _side(s, 10_000), np.float32(0), compression="gzip")
        },
        "model.too_large",
    ),
    Hostile(
        "written-in-chunks-of-one",
        "model",
        lambda s: {"m.h5": model_h5(_side(s, 600), _side(s, 600), np.float32(1), chunks=(1, 1))},
        "model.too_large",
    ),
    Hostile(
        "one-array-linked-often",
        "model",
        lambda s: {"m.h5": many_layers(max(40, int(190 * s)), linked=_side(s, 1000))},
        "model.external_link",
    ),
    Hostile(
        "keras-never-written",
        "model",
        lambda s: {
            "m.keras": keras_zip(
                weights_h5(_side(s, 19_000), _side(s, 10_000), chunks=(500, 500)),
                _side(s, 19_000),
                _side(s, 10_000),
            )
        },
        "model.never_written",
    ),
    Hostile("many-layers", "model", lambda s: {"m.h5": many_layers(max(50, int(1990 * s)))}, None),
    Hostile(
        "one-shard-often",
        "model",
        lambda s: one_shard_often(max(40, int(2900 * s))),
        "model.not_tfjs",
    ),
    Hostile(
        "archive-of-many-members",
        "model",
        lambda s: {"m.keras": many_members(max(20_000, int(400_000 * s)))},
        "model.too_large",
    ),
    Hostile("zeros-npz", "dataset", _zeros, "dataset.too_large"),
    Hostile(
        "negative-shape",
        "dataset",
        lambda _: {"d.npz": declared((-1, -8), content=bytes(64))},
        "dataset.not_npz",
    ),
    Hostile(
        "words-of-no-length",
        "dataset",
        lambda s: {"d.npz": declared((max(1000, int(19_000_000 * s)),), "<U0")},
        "dataset.not_npz",
    ),
    Hostile(
        "npz-of-many-members",
        "dataset",
        lambda s: {"d.npz": many_members(max(20_000, int(400_000 * s)))},
        "dataset.too_large",
    ),
    Hostile(
        "wide-table-of-amounts",
        "dataset",
        lambda s: {"d.csv": amounts(max(100, int(10_000 * s)))},
        None,
    ),
    Hostile(
        "empty-cells",
        "dataset",
        lambda s: {"d.csv": empty_cells(max(100, int(10_000 * s)), max(100, int(10_000 * s)))},
        "dataset.too_large",
    ),
]
