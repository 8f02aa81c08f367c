"""Files in other forms, told by how they begin: each is refused by its name."""

from __future__ import annotations

import re
from collections.abc import Collection

from potluck_converter.errors import ConversionError

HEAD_BYTES = 64
"""So many bytes of a file tell what it is."""
_KERAS = 'Save the Keras model that it was made from: model.save("model.keras").'
_TRAINED_ELSEWHERE = "Build the network in Keras, or export it to Keras, and save that."
_DATA = "Give it as the study's data, and a .keras, an .h5 or a model.json as the model."
_BY_HEAD: tuple[tuple[bytes, str, str], ...] = (
    (b"\x93NUMPY", "a NumPy array (.npy)", _DATA),
    (b"PAR1", "a Parquet table", _DATA),
    (b"\x89PNG", "a PNG picture", _DATA),
    (b"\xff\xd8\xff", "a JPEG picture", _DATA),
    (b"GIF8", "a GIF picture", _DATA),
    (b"%PDF", "a PDF document", _KERAS),
    (b"\x1f\x8b", "a gzip archive", "Unpack it, and give the model that is inside."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it, and give the model that is inside."),
    (b"Rar!", "a RAR archive", "Unpack it, and give the model that is inside."),
    (b"version https://git-lfs", "a Git LFS pointer, not the file", "Fetch it: git lfs pull."),
    (b"GGUF", "a GGUF file of a language model", _TRAINED_ELSEWHERE),
)
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<!--")
_CHECKPOINT = re.compile(r"\.(index|data-\d{5}-of-\d{5})$|(^|/)checkpoint$")
_BY_ENDING: tuple[tuple[tuple[str, ...], str, str], ...] = (
    ((".py",), "a Python program, which is never run from an upload", _KERAS),
    ((".ipynb",), "a notebook, which is never run from an upload", _KERAS),
    (
        (".yaml", ".yml"),
        "a YAML text",
        "Keras reads no architecture from YAML any more: save the whole model with "
        'model.save("model.keras").',
    ),
)
"""Texts, which only their names tell apart."""


def other_format(head: bytes, name: str) -> ConversionError | None:
    """Say what a file is that is no Keras model, where its first bytes tell; else give None.

    `head`: the first `HEAD_BYTES` bytes. `name`: the file's name, which decides between forms that
    begin alike.
    """
    found = _told(head, name.lower())
    return None if found is None else _refusal(*found, name)


def other_archive(members: Collection[str], name: str) -> ConversionError | None:
    """Say what a ZIP archive is that is no `.keras`, where its members' names tell."""
    if any(member.rpartition("/")[2] == "data.pkl" for member in members):
        return _refusal("a PyTorch model", _TRAINED_ELSEWHERE, name)
    if members and all(member.endswith(".npy") for member in members):
        return _refusal("an .npz of NumPy arrays", _DATA, name)
    if any(member.endswith("saved_model.pb") for member in members):
        return _refusal("an archive with a TensorFlow SavedModel", _KERAS, name)
    if any(member.startswith("xl/") for member in members):
        return _refusal("an Excel table", _DATA, name)
    own = {"metadata.json", "model.weights.h5"}
    if not own & set(members) and any(
        member.endswith((".h5", ".keras", "model.json")) for member in members
    ):
        return _refusal("an archive with a model in it", "Unpack it, and give that model.", name)
    return None


def _told(head: bytes, name: str) -> tuple[str, str] | None:
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model (.tflite), which cannot be trained", _KERAS
    for start, what, hint in _BY_HEAD:
        if head.startswith(start):
            return what, hint
    if name.endswith(".safetensors") or (head[7:8] == b"\0" and head[8:10] == b'{"'):
        return "a .safetensors file, which holds weights without a network", _TRAINED_ELSEWHERE
    if _CHECKPOINT.search(name):
        return (
            "a part of a TensorFlow checkpoint, which holds weights without a network",
            "Build the model, load the checkpoint into it (model.load_weights), and save the "
            'whole: model.save("model.keras").',
        )
    if name.endswith(".tar"):
        return "a tar archive", "Unpack it, and give the model that is inside."
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        if name.endswith((".pt", ".pth", ".bin")):
            return "a PyTorch model", _TRAINED_ELSEWHERE
        return "a pickle: a program, which is never run from an upload", _KERAS
    # Protocol buffers: a version as the first field, then a text or a message.
    if head[:1] == b"\x08" and head[2:3] == b"\x12" and head[1:2] != b"\x01":
        return "an ONNX model", _TRAINED_ELSEWHERE
    if name.endswith(".onnx"):
        return "an ONNX model", _TRAINED_ELSEWHERE
    if name.endswith(".pb") or (head[:1] == b"\x08" and head[1:3] == b"\x01\x12"):
        return "a TensorFlow SavedModel or graph (.pb)", _KERAS
    if _is_text(head) and head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "a web page: the download went wrong", "Download the file itself, and give that."
    for endings, what, hint in _BY_ENDING if _is_text(head) else ():
        if name.endswith(endings):
            return what, hint
    if _is_text(head) and head.lstrip().startswith(b"{"):
        return (
            "a JSON text whose name does not end in .json",
            "Name it as it was saved.",
        )
    if _is_text(head):
        return "a text file, such as a table", _DATA
    return None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8-sig")
    return bool(text) and all(one.isprintable() or one in "\t\r\n" for one in text)


def _refusal(what: str, hint: str, name: str) -> ConversionError:
    return ConversionError(
        "model.other_format",
        f"This is {what}, not a Keras model.",
        expected="a .keras or .h5 file, an architecture .json with its weights .h5, or TF.js's "
        "model.json with its .bin files",
        got=what.partition(",")[0],
        hint=hint,
        where=name,
    )
