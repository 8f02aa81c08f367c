"""Read a model from files, deciding by content what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits

# Each form's reader is loaded when a file of the form comes: loading all takes longer than reading.
ZIP = b"PK"
HDF5 = b"\x89HDF\r\n\x1a\n"


def read_model(files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read one `.h5` or `.keras`, `model.json` with weight files, or an architecture with weights.

    Raises ConversionError.
    """
    total = sum(len(content) for content in files.values())
    if total > limits.file_bytes:
        raise ConversionError(
            "model.too_large",
            "The files are too large.",
            expected=f"at most {limits.file_bytes} bytes",
            got=f"{total} bytes",
        )
    heads = [name for name in files if name.lower().endswith(".json")]
    rest = [name for name in files if name not in heads]
    if len(heads) == 1:
        stored = [name for name in rest if files[name].startswith(HDF5)]
        if len(stored) == 1 and len(rest) == 1:
            from potluck_converter.readers.keras_pair import read_pair

            return read_pair(files[heads[0]], heads[0], files[stored[0]], stored[0], limits)
        from potluck_converter.readers.tfjs import read_tfjs

        try:
            return read_tfjs(files, limits)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # The manifest is read as if well formed; whatever is not ends here.
            raise ConversionError(
                "model.not_tfjs",
                "The weights manifest of model.json is not in TF.js's form.",
                expected="weightsManifest as TF.js writes it",
                got=repr(error),
                hint="Save or convert the model again.",
                where=heads[0],
            ) from error
    if len(files) == 1 and not heads:
        [(name, content)] = files.items()
        return read_one(content, content[:8], name, limits)
    raise ConversionError(
        "model.unreadable",
        "These files are not one model.",
        expected="one .h5 or .keras, an architecture .json with its weights .h5, or model.json "
        "with its .bin files",
        got=", ".join(list(files)[:5]) or "no files",
        hint="Choose one model at a time.",
    )


def read_one(content: bytes | BinaryIO, head: bytes, name: str, limits: Limits) -> Model:
    """Read one `.h5` or `.keras`, given also how it begins; raises ConversionError."""
    if head.startswith(ZIP):
        from potluck_converter.readers.keras_zip import read_keras_zip

        return read_keras_zip(content, name, limits)
    from potluck_converter.readers.keras_h5 import read_keras_h5

    return read_keras_h5(content, name, limits)
