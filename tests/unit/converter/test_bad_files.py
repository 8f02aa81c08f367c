from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest

from potluck_converter import ConversionError, Limits, read_model, write_tfjs
from tests.unit.converter.hostile import architecture, h5
from tests.unit.converter.oracles import FIXTURES, keras2

KERNEL = "model_weights/d/d/kernel"


def refusal(files: dict[str, bytes], limits: Limits | None = None) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        read_model(files, limits or Limits())
    assert caught.value.message.endswith(".")
    return caught.value


def code(content: bytes, limits: Limits | None = None) -> str:
    return refusal({"m.h5": content}, limits).code


def test_the_file_that_the_others_are_changed_from_is_good() -> None:
    assert read_model({"m.h5": h5()}).weights["d/kernel"].shape == (3, 2)


@pytest.mark.parametrize("content", [b"", b"\x01\x02\x03 and more"])
def test_what_is_not_hdf5_is_told_apart(content: bytes) -> None:
    assert code(content) == "model.not_hdf5"


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_a_cut_off_file_is_called_truncated(kept: float) -> None:
    content = keras2("cnn").content
    assert code(content[: int(len(content) * kept)]) == "model.truncated"


def test_a_weights_only_file_says_how_to_save_instead() -> None:
    error = refusal({"m.h5": (FIXTURES / "keras2_weights_only.h5").read_bytes()})
    assert error.code == "model.weights_only"
    assert "model.save" in error.hint


def test_another_hdf5_file_is_not_a_model() -> None:
    def drop(file: h5py.File) -> None:
        del file.attrs["model_config"]

    assert code(h5(change=drop)) == "model.unreadable"


def replaced(make: Callable[[h5py.File], None]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[KERNEL]
        make(file)

    return change


def external_link(file: h5py.File) -> None:
    file[KERNEL] = h5py.ExternalLink("/etc/hostname", "x")


def soft_link(file: h5py.File) -> None:
    file[KERNEL] = h5py.SoftLink("/model_weights/d/d/bias")


def unused_external_link(file: h5py.File) -> None:
    file[KERNEL] = np.ones((3, 2), "float32")
    file["model_weights/elsewhere"] = h5py.ExternalLink("/etc/hostname", "x")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 2), "float32")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (3, 2))
    file.create_virtual_dataset(KERNEL, layout)


def external_storage(file: h5py.File) -> None:
    file.create_dataset(KERNEL, (3, 2), "float32", external=[("/etc/passwd", 0, 24)])


@pytest.mark.parametrize(
    "make", [external_link, soft_link, unused_external_link, virtual, external_storage]
)
def test_nothing_outside_the_file_is_followed(make: Callable[[h5py.File], None]) -> None:
    assert code(h5(change=replaced(make))) == "model.external_link"


def references(file: h5py.File) -> None:
    file.create_dataset(KERNEL, (3, 2), h5py.ref_dtype)


def whole_numbers(file: h5py.File) -> None:
    file[KERNEL] = np.ones((3, 2), "int32")


def huge(file: h5py.File) -> None:
    # Declared, never written: reading it would allocate 2 TiB.
    file.create_dataset(KERNEL, (1 << 20, 1 << 19), "float32", chunks=(1, 1024))


def group(file: h5py.File) -> None:
    file.create_group(KERNEL)


def absent(file: h5py.File) -> None:
    pass


@pytest.mark.parametrize("make", [references, whole_numbers, group, absent])
def test_weights_that_do_not_fit_are_refused_unread(make: Callable[[h5py.File], None]) -> None:
    assert code(h5(change=replaced(make))) == "model.weights_mismatch"


def test_more_numbers_than_the_file_can_hold_are_refused_unread() -> None:
    assert code(h5(change=replaced(huge))) == "model.too_large"


def test_pieces_larger_than_the_dataset_are_refused() -> None:
    def large(file: h5py.File) -> None:
        file.create_dataset(
            KERNEL, (3, 2), "float32", chunks=(1 << 14, 1 << 13), maxshape=(None, None)
        )

    assert code(h5(change=replaced(large))) == "model.too_large"


def test_an_object_reference_for_text_is_refused() -> None:
    def change(file: h5py.File) -> None:
        file.attrs["model_config"] = file["model_weights"].ref

    assert code(h5(change=change)) == "model.unreadable"


def test_names_that_are_missing_or_doubled_are_refused() -> None:
    def doubled(file: h5py.File) -> None:
        file["model_weights/d"].attrs["weight_names"] = np.array([b"a/kernel", b"b/kernel"])

    def unlisted(file: h5py.File) -> None:
        file["model_weights"].attrs["layer_names"] = np.array([b"other"])

    assert code(h5(change=doubled)) == code(h5(change=unlisted)) == "model.weights_mismatch"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "model.unreadable"),
        ("[]", "model.unreadable"),
        ('{"a": NaN}', "model.unreadable"),
        ('{"a": ' + "9" * 5000 + "}", "model.unreadable"),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "model.too_large"),
        ('{"a": ' + "[" * 9000 + "]" * 9000 + "}", "model.too_large"),
    ],
)
def test_json_is_bounded(text: str, expected: str) -> None:
    assert code(h5(text=text)) == expected


def test_limits_are_kept() -> None:
    assert code(h5(), Limits(json_bytes=100)) == "model.too_large"
    assert code(h5(), Limits(file_bytes=100)) == "model.too_large"
    assert code(h5(), Limits(hdf5_objects=2)) == "model.too_large"
    assert code(h5(), Limits(layers=1)) == "model.too_large"
    assert code(h5(), Limits(parameters=7)) == "model.too_large"
    assert read_model({"m.h5": h5()}, Limits(parameters=8)).weights


def test_a_model_too_large_to_hold_is_refused_by_its_architecture() -> None:
    wide = architecture(("Dense", {"units": 2**31 - 1}), ("Dense", {"units": 2**31 - 1}))
    assert code(h5(wide)) == "model.too_large"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"class_name": "MyModel", "config": {"layers": []}}, "model.unsupported_layer"),
        ({"class_name": "Sequential", "config": {}}, "model.bad_config"),
        (architecture(("Dense", {"units": -1})), "model.unsupported_option"),
        (architecture(("Dense", {"units": True})), "model.unsupported_option"),
        (architecture(("Dense", {"units": 2, "new_thing": "on"})), "model.unsupported_option"),
        (architecture(("Dropout", {"rate": 1.0})), "model.unsupported_option"),
        (architecture(("Conv2D", {"filters": 1, "kernel_size": 3})), "model.unsupported_option"),
        (architecture(("Flatten", {}), shape=[None] * 2), "model.unsupported_option"),
        (architecture(("Flatten", {}), shape=[None] + [1] * 9), "model.unsupported_option"),
        (architecture(("Dense", {"units": 2, "name": "l0"})), "model.bad_config"),
        (
            {
                "class_name": "Sequential",
                "config": [{"class_name": "Dense", "config": {"name": "d", "units": 2}}],
            },
            "model.no_input_shape",
        ),
    ],
)
def test_architectures_that_do_not_hold_are_refused(config: Any, expected: str) -> None:
    assert code(h5(config)) == expected


def test_a_graph_that_feeds_itself_is_refused() -> None:
    def add(name: str, *sources: str) -> dict[str, Any]:
        nodes = [[[source, 0, 0, {}] for source in sources]]
        return {"class_name": "Add", "name": name, "config": {"name": name}, "inbound_nodes": nodes}

    entry = {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3]}}
    for layers in (
        [add("a", "in", "b"), add("b", "in", "a")],
        [add("b", "in", "nowhere")],
        [add("b", "in", "b")],
    ):
        config = {
            "name": "m",
            "layers": [entry, *layers],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["b", 0, 0]],
        }
        assert code(h5({"class_name": "Functional", "config": config})) == "model.broken_graph"


def tfjs() -> dict[str, bytes]:
    return write_tfjs(read_model({"m.h5": keras2("cnn").content}), shard_bytes=300)


def changed_head(change: Callable[[dict[str, Any]], Any]) -> dict[str, bytes]:
    files = tfjs()
    head = json.loads(files["model.json"])
    change(head)
    return {**files, "model.json": json.dumps(head).encode()}


def test_missing_shards_are_named() -> None:
    files = tfjs()
    gone = sorted(files)[1]
    del files[gone]
    error = refusal(files)
    assert error.code == "model.shards_missing"
    assert gone in error.got


def test_a_shard_of_another_length_is_refused() -> None:
    files = tfjs()
    files[sorted(files)[0]] += b"\0"
    assert refusal(files).code == "model.shard_length"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda head: head.pop("modelTopology"), "model.not_tfjs"),
        (lambda head: head.update(format="graph-model"), "model.other_format"),
        (lambda head: head.update(weightsManifest=[{"paths": 3}]), "model.not_tfjs"),
        (lambda head: head.update(weightsManifest=[3]), "model.not_tfjs"),
        (lambda head: head["weightsManifest"][0]["weights"][0].pop("shape"), "model.not_tfjs"),
        (lambda head: head.update(weightsManifest=[]), "model.weights_mismatch"),
        (
            lambda head: head["weightsManifest"][0]["weights"][0].update(name="other/kernel"),
            "model.weights_mismatch",
        ),
        (
            lambda head: head["weightsManifest"][0]["weights"][0].update(
                quantization={"dtype": "uint4", "scale": 1, "min": 0}
            ),
            "model.unsupported_option",
        ),
    ],
)
def test_a_tfjs_head_that_does_not_hold_is_refused(
    change: Callable[[dict[str, Any]], Any], expected: str
) -> None:
    assert refusal(changed_head(change)).code == expected


def test_several_models_at_once_are_refused() -> None:
    assert refusal({"a.h5": h5(), "b.h5": h5()}).code == "model.unreadable"
    assert refusal({}).code == "model.unreadable"
