"""Files in other forms are refused by their name, and layers that prepare data with that reason."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_converter import ConversionError, read_model
from potluck_converter.formats import HEAD_BYTES, other_archive, other_format


def refusal(files: dict[str, bytes]) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        read_model(files)
    return caught.value


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, b"content")
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(60), "TensorFlow Lite"),
        ("m.h5", b"\x1c\0\0\0TFL3" + bytes(60), "TensorFlow Lite"),
        ("m.onnx", b"\x08\x07\x12\x07pytorch\x1a\x051.9.0", "ONNX"),
        ("m.h5", b"\x08\x0a\x12\x0btf2onnx 1.1" + bytes(40), "ONNX"),
        ("saved_model.pb", b"\x08\x01\x12\xc2\x9f\x01" + bytes(60), "SavedModel"),
        ("frozen.pb", b"\x0a\x10\x0a\x01x" + bytes(60), "SavedModel or graph"),
        ("m.pt", archive("m/data.pkl", "m/version"), "PyTorch"),
        ("m.pth", pickle.dumps({"a": 1}, 2), "PyTorch"),
        ("m.pkl", pickle.dumps({"a": 1}), "a pickle"),
        ("m.h5", b"age,city\n20,Ulm\n", "a text file"),
        ("m.keras", b"age;st\xc3\xa4dte\n" * 9, "a text file"),
        ("m.h5", b'{"class_name": "Sequential"}', "does not end in .json"),
        ("m.keras", npz(), "NumPy arrays"),
        ("m.h5", b"\x93NUMPY\x01\0" + bytes(60), "NumPy array"),
        ("m.h5", b"\x89PNG\r\n\x1a\n" + bytes(60), "PNG"),
        ("m.h5", b"\xff\xd8\xff\xe0" + bytes(60), "JPEG"),
        ("m.h5", b"\x1f\x8b\x08" + bytes(60), "gzip"),
        ("m.zip", archive("saved/saved_model.pb", "saved/variables/x"), "SavedModel"),
        ("m.zip", archive("model.h5"), "archive with a model"),
        ("m.safetensors", b"\x40\0\0\0\0\0\0\0" + b'{"a":{}}', ".safetensors"),
        ("m.h5", b"\x40\x01\0\0\0\0\0\0" + b'{"a":{}}', ".safetensors"),
        ("m.gguf", b"GGUF\x03\0\0\0" + bytes(56), "GGUF"),
        ("ckpt.index", b"\0\0\x08\0" + bytes(60), "TensorFlow checkpoint"),
        ("cp.ckpt.data-00000-of-00001", b"\0\x80\x3f" * 20, "TensorFlow checkpoint"),
        ("checkpoint", b'model_checkpoint_path: "ckpt"\n', "TensorFlow checkpoint"),
        ("m.tar", b"model.h5" + bytes(56), "tar archive"),
        ("m.h5", b"\n<!DOCTYPE html>\n<html lang=en>", "a web page: the download went wrong"),
        ("m.keras", b"<html><head><title>Sign in", "a web page"),
        ("train.py", b"import keras\nmodel = keras.Sequential()\n", "Python program"),
        ("m.yaml", b"backend: tensorflow\nclass_name: Sequential\n", "YAML"),
        ("m.ipynb", b'{"cells": [], "metadata": {}}', "notebook"),
        ("m.h5", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ],
)
def test_another_form_is_named(name: str, content: bytes, words: str) -> None:
    error = refusal({name: content})
    assert (error.code, error.where) == ("model.other_format", name)
    assert words in error.message
    assert error.hint


def test_a_saved_model_s_folder_is_named() -> None:
    files = {"variables.index": b"x", "saved_model.pb": b"\x08\x01\x12\x02ab"}
    assert "SavedModel" in refusal(files).message


def test_a_graph_model_is_named() -> None:
    head = {"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": []}
    error = refusal({"model.json": json.dumps(head).encode(), "group1-shard1of1.bin": b""})
    assert error.code == "model.other_format"
    assert "graph model" in error.message


@given(st.binary(max_size=HEAD_BYTES), st.text(max_size=9))
def test_any_bytes_are_told_or_left(head: bytes, name: str) -> None:
    other_format(head, name)
    other_archive([name], name)


@given(st.binary(max_size=HEAD_BYTES))
def test_what_keras_writes_is_never_another_form(rest: bytes) -> None:
    assert other_archive(["config.json", "metadata.json", "model.weights.h5"], "m.keras") is None
    assert other_format(b"\x89HDF\r\n\x1a\n" + rest, "m.h5") is None


def with_layer(class_name: str, **config: Any) -> dict[str, bytes]:
    """Give a `.keras` whose first layer prepares data, with a file of words in `assets`."""
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made = json.loads(network.to_json())
    inputs, dense = made["config"]["layers"]
    inputs["config"]["dtype"] = "string"
    named = {"name": class_name.lower(), "trainable": True, "dtype": "int64", **config}
    first = {"module": "keras.layers", "class_name": class_name, "config": named}
    made["config"]["layers"] = [inputs, first, dense]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("config.json", json.dumps(made))
        packed.writestr("metadata.json", json.dumps({"keras_version": "3.8.0"}))
        packed.writestr("model.weights.h5", b"")
        packed.writestr("assets/_text_vectorization/vocabulary.txt", "a\nb\n")
    return {"m.keras": buffer.getvalue()}


@pytest.mark.parametrize(
    "class_name",
    ["TextVectorization", "StringLookup", "Discretization", "CategoryEncoding", "IntegerLookup"],
)
def test_a_layer_that_prepares_data_is_refused_as_one(class_name: str) -> None:
    error = refusal(with_layer(class_name))
    assert error.code == "model.unsupported_layer"
    assert class_name in error.message
    assert "prepares data" in error.message


def test_an_unknown_layer_is_answered_with_its_neighbours() -> None:
    error = refusal(with_layer("Conv2d"))
    assert "Conv2D" in error.hint
    assert len(error.hint) < 200
