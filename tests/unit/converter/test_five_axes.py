"""Volumes are normalized by our class: TF.js's own refuses tensors of five axes."""

from __future__ import annotations

import pytest

from potluck_converter import read_model, tfjs_topology
from tests.support.keras_files import saved


@pytest.mark.parametrize(
    ("shape", "written"),
    [((2, 2, 3), "BatchNormalization"), ((2, 2, 2, 3), "PotluckBatchNormalization")],
)
def test_volumes_are_normalized_by_our_class_and_images_by_tfjs_s_own(
    shape: tuple[int, ...], written: str
) -> None:
    import keras

    model = keras.Sequential([keras.Input(shape), keras.layers.BatchNormalization()])
    topology = tfjs_topology(read_model({"m.h5": saved(model)}).graph)
    assert topology["config"]["layers"][-1]["class_name"] == written
