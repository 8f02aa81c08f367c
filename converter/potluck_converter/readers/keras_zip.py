"""Keras 3's `.keras`: a zip of `config.json`, `metadata.json` and `model.weights.h5`.

Nothing is unpacked onto a disk, and members are measured before and while they are read. Weights
lie under their layers' classes, counted in the model's order; newer files also say the
layer's name.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.formats import other_archive
from potluck_converter.graph import Graph, Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.readers import bounded_json, hdf5
from potluck_converter.readers.blocks import Origin
from potluck_converter.readers.keras_config import read_architecture
from potluck_converter.readers.keras_h5 import STATE_LEFT_OUT
from potluck_converter.readers.layer_scale import as_stored
from potluck_converter.readers.stored import mismatch, not_finite, wanted
from potluck_converter.readers.zip_directory import DIRECTORY_BYTES, DirectoryTooLarge, open_zip

SIGNATURE = b"PK"
_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")
_MOST_MEMBERS = 16


def read_keras_zip(content: bytes | BinaryIO, name: str, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model saved with `model.save("*.keras")`; raises ConversionError."""
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        source.seek(0)
        if source.read(4) == b"PK\x03\x04" and not zipfile.is_zipfile(source):
            raise _cut_off(name)
        with open_zip(source) as archive:
            members = _checked(archive, name, limits)
            config_text = _bounded(archive, members["config.json"], limits.json_bytes, name)
            metadata_text = b"{}"
            if "metadata.json" in members:
                metadata_text = _bounded(archive, members["metadata.json"], 1 << 16, name)
            stored = _weights_file(archive, members["model.weights.h5"], source, name, limits)
            length = source.seek(0, io.SEEK_END)
    except DirectoryTooLarge as error:
        raise _too_large(name, f"at most {DIRECTORY_BYTES} bytes", str(error)) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        UnicodeError,
    ) as error:
        raise _unreadable(name, str(error)) from error
    config = bounded_json.parse(config_text, "config.json", limits)
    metadata = bounded_json.parse(metadata_text, "metadata.json", limits)
    found = read_architecture(config, limits, keras3=True)
    with hdf5.open_file(stored, name, limits, length) as file:
        weights = nested_weights(file, found.graph, found.origin)
        state, warnings = None, list(found.warnings)
        if "optimizer" in file:
            from potluck_converter.optimizer_state import read_zip_state

            flat = all(not child.children for child in found.origin.children)
            state = read_zip_state(file, found.graph) if flat else None
            if state is None:
                warnings.append(STATE_LEFT_OUT)
    training = config.get("compile_config")
    version = str(metadata.get("keras_version", ""))[:20]
    return Model(
        found.graph,
        weights,
        "Keras 3 .keras" + (f" ({version})" if re.fullmatch(r"3[.\w]*", version) else ""),
        training if isinstance(training, dict) else None,
        (*warnings, *not_finite(weights)),
        state,
    )


def _unreadable(
    name: str, got: str, expected: str = "a .keras file as Keras 3 saves it"
) -> ConversionError:
    return ConversionError(
        "model.unreadable",
        "This zip archive is not a Keras model.",
        expected=expected,
        got=got,
        hint='Save again with model.save("model.keras").',
        where=name,
    )


def _cut_off(name: str) -> ConversionError:
    # The list of members stands last: a file without it is not whole.
    return ConversionError(
        "model.truncated",
        "The file begins as a zip archive, and its end is missing: it is cut off.",
        expected="a whole .keras file",
        got="no list of members at its end",
        hint="Copy or upload it again, whole.",
        where=name,
    )


def _checked(archive: zipfile.ZipFile, name: str, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """Measure every member by what the archive says of it, before any is read."""
    infos = archive.infolist()
    if "config.json" not in archive.NameToInfo:
        names = [info.filename for info in infos[:_MOST_MEMBERS]]
        if (other := other_archive(names, name)) is not None:
            raise other
    if len(infos) > _MOST_MEMBERS:
        raise _too_large(name, f"at most {_MOST_MEMBERS} members", str(len(infos)))
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if info.filename not in _MEMBERS:
            if info.filename.startswith("assets/"):
                continue  # never read: a layer that needs one is refused by its own name
            what = info.filename
            raise _unreadable(name, what, "config.json, metadata.json and model.weights.h5 alone")
        if info.filename in found:
            raise _unreadable(name, f"{info.filename} twice", "each member once")
        if info.flag_bits & 0x1:
            raise _unreadable(name, "an encrypted member")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _unreadable(name, f"compression {info.compress_type}", "stored or deflated")
        if info.file_size > limits.file_bytes:
            raise _too_large(name, f"at most {limits.file_bytes} bytes", str(info.file_size))
        if info.file_size > 4096 + limits.ratio * info.compress_size:
            ratio = f"{info.file_size} bytes from {info.compress_size}"
            raise _too_large(name, f"members compressed at most {limits.ratio} times", ratio)
        found[info.filename] = info
    missing = [need for need in ("config.json", "model.weights.h5") if need not in found]
    if missing:
        raise _unreadable(name, "without " + " and ".join(missing))
    return found


def _too_large(name: str, expected: str, got: str) -> ConversionError:
    return ConversionError(
        "model.too_large",
        "The archive would unpack into too much.",
        expected=expected,
        got=got,
        hint="Save the model again with Keras.",
        where=name,
    )


def _bounded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int, name: str) -> bytes:
    """Read a member, and no more of it than it may hold."""
    most = min(most, info.file_size)
    with archive.open(info) as member:
        content = member.read(most)
        if member.read(1):
            raise _too_large(name, f"at most {most} bytes in {info.filename}", "more")
    return content


def _weights_file(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: BinaryIO, name: str, limits: Limits
) -> bytes | Window:
    """Give the weights' file: in place where it is stored as it is, as Keras does."""
    if info.compress_type != zipfile.ZIP_STORED:
        return _bounded(archive, info, limits.file_bytes, name)
    source.seek(info.header_offset)
    head = source.read(30)
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise _unreadable(name, "a broken member")
    name_length, extra_length = struct.unpack("<HH", head[26:30])
    start = info.header_offset + 30 + name_length + extra_length
    if start + info.file_size > source.seek(0, io.SEEK_END):
        raise _unreadable(name, "a member cut off")
    return Window(source, start, info.file_size)


class Window(io.RawIOBase):
    """A part of a file as a file, without a copy."""

    def __init__(self, source: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._source, self._start, self._length = source, start, length
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        base = {0: 0, 1: self._at, 2: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill a buffer as far as there is content."""
        into = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        self._source.seek(self._start + self._at)
        part = self._source.read(max(0, min(len(into), self._length - self._at)))
        into[: len(part)] = part
        self._at += len(part)
        return len(part)


def snake(class_name: str) -> str:
    """Give a class's name as Keras writes it into paths."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()


def keys(class_names: list[str]) -> list[str]:
    """Give each layer's group name: its class, numbered from the second of a class on."""
    seen: dict[str, int] = {}
    found = []
    for class_name in class_names:
        key = snake(class_name)
        count = seen[key] = seen.get(key, -1) + 1
        found.append(f"{key}_{count}" if count else key)
    return found


def nested_weights(
    file: h5py.File, graph: Graph, origin: Origin
) -> Mapping[str, NDArray[np.float32]]:
    """Read the weights that the graph has from `layers/<class>/vars/<n>`."""
    specs = wanted(graph)
    found: dict[str, NDArray[np.float32]] = {}

    def walk(block: Origin, path: str) -> None:
        named = keys([child.class_name for child in block.children])
        for child, key in zip(block.children, named, strict=True):
            if child.children:
                walk(child, f"{path}{key}/layers/")
                continue
            needed = specs.get(child.layer, [])
            places: dict[str, int] = {}
            for _, full, spec in needed:
                home = "/".join(part for part in (f"{path}{key}", spec.home, "vars") if part)
                index = places[home] = places.get(home, -1) + 1
                place = f"{home}/{index}"
                if place not in file:
                    raise mismatch(child.name, [one for _, one, _ in needed], [])
                stored = as_stored(spec, child.class_name)
                found[full] = hdf5.floats(file, place, stored, full).reshape(spec.shape)
            _check_names(file, places, child, needed_names=[one for _, one, _ in needed])

    prefix = "layers/" if "layers" in file else "_layer_checkpoint_dependencies/"
    walk(origin, prefix)
    return {full: found[full] for _, full, _ in (w for ws in specs.values() for w in ws)}


def _check_names(
    file: h5py.File, places: Mapping[str, int], child: Origin, needed_names: list[str]
) -> None:
    """Insist that there are no more weights than expected, and that they say this layer's name."""
    for home, last in places.items():
        group = hdf5.group(file, home)
        if str(last + 1) in group:
            raise mismatch(child.name, needed_names, list(group)[:10])
        said = hdf5.text(group, "name")
        own = home.count("/vars") and home.rpartition("/vars")[0].rpartition("/")[2]
        its_own = bool(own) and str(own).startswith(snake(child.class_name))
        if said is not None and its_own and said != child.name:
            raise mismatch(child.name, needed_names, [f"weights of {said[:80]}"])
