"""Read a model from files, deciding by content what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.formats import HEAD_BYTES, other_format
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits

# Each form's reader is loaded when a file of the form comes: loading all takes longer than reading.
ZIP = b"PK"
HDF5 = b"\x89HDF\r\n\x1a\n"


def read_model(files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read one `.h5` or `.keras`, `model.json` with weight files, or an architecture with weights.

    Raises ConversionError, which names the file.
    """
    try:
        return _read_model(files, limits)
    except ConversionError as error:
        error.file = error.file or shorten(_main(files))
        raise


def _main(files: Mapping[str, bytes]) -> str:
    heads = [name for name in files if name.lower().endswith(".json")]
    return (heads or list(files) or [""])[0]


def is_tfjs(text: bytes) -> bool:
    """Say whether a JSON text is TF.js's `model.json`, not an architecture alone."""
    return b'"modelTopology"' in text or b'"weightsManifest"' in text


def is_architecture(text: bytes) -> bool:
    """Say whether a JSON text is an architecture alone (`model.to_json()`)."""
    return b'"class_name"' in text and not is_tfjs(text)


def _read_model(files: Mapping[str, bytes], limits: Limits) -> Model:
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
        alone = is_architecture(files[heads[0]])
        if len(stored) == 1 and (alone or len(rest) == 1):
            from potluck_converter.readers.keras_pair import read_pair

            return read_pair(files[heads[0]], heads[0], files[stored[0]], stored[0], limits)
        if alone:
            raise ConversionError(
                "model.weights_missing",
                "This is an architecture, and its weights are not with it.",
                expected="one .h5 of weights (model.save_weights) beside it",
                got=", ".join(rest[:5]) or "the .json alone",
                hint="Put the weights beside it under the same name, such as model.json and "
                'model.weights.h5; or save the whole model with model.save("model.keras").',
                where=heads[0],
            )
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
        return read_one(content, content[:HEAD_BYTES], name, limits)
    for name in sorted(rest, key=lambda name: not name.endswith(".pb")) if not heads else ():
        if (other := other_format(files[name][:HEAD_BYTES], name)) is not None:
            raise other
    raise ConversionError(
        "model.unreadable",
        "These files are not one model.",
        expected="one .h5 or .keras, an architecture .json with its weights .h5, or model.json "
        "with its .bin files",
        got=", ".join(list(files)[:5]) or "no files",
        hint="Choose one model at a time.",
    )


def read_one(content: bytes | BinaryIO, head: bytes, name: str, limits: Limits) -> Model:
    """Read one `.h5` or `.keras`; raises ConversionError.

    `head`: how it begins, `HEAD_BYTES` or more.
    """
    try:
        return _read_one(content, head, name, limits)
    except ConversionError as error:
        error.file = error.file or shorten(name)
        raise


def _read_one(content: bytes | BinaryIO, head: bytes, name: str, limits: Limits) -> Model:
    if head.startswith(ZIP):
        from potluck_converter.readers.keras_zip import read_keras_zip

        return read_keras_zip(content, name, limits)
    if not head.startswith(HDF5) and (other := other_format(head, name)) is not None:
        raise other
    if name.lower().endswith(".keras") and not head.startswith(HDF5):
        raise ConversionError(
            "model.unreadable",
            "The file ends in .keras, but it is none." if head else "The file is empty.",
            expected="a ZIP archive, as Keras 3 writes it",
            got=repr(head) if head else "0 bytes",
            hint='Save with model.save("model.keras"), and copy the file whole.',
            where=name,
        )
    from potluck_converter.readers.keras_h5 import read_keras_h5

    return read_keras_h5(content, name, limits)
