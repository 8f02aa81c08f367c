"""Normalizations, rescaling, and image layers at inference."""

from __future__ import annotations

from typing import Any

from tests.parity.case import Case, chain

FLAT, SERIES, IMAGE = (6,), (5, 4), (5, 4, 6)


def _one(name: str, shape: tuple[int, ...], make: Any, **options: Any) -> Case:
    return Case(name, chain(shape, lambda L: [make(L)]), **options)


def _batch() -> list[Case]:
    found = [
        _one(f"batch_norm_{name}", shape, lambda L: L.BatchNormalization(epsilon=0.01))
        for name, shape in (("flat", FLAT), ("series", SERIES), ("image", IMAGE))
    ]
    return [
        *found,
        _one("batch_norm_axis", SERIES, lambda L: L.BatchNormalization(axis=1)),
        _one("batch_norm_image_axis", IMAGE, lambda L: L.BatchNormalization(axis=1)),
        _one("batch_norm_no_scale", IMAGE, lambda L: L.BatchNormalization(scale=False)),
        _one("batch_norm_no_center", SERIES, lambda L: L.BatchNormalization(center=False)),
        _one("batch_norm_neither", FLAT, lambda L: L.BatchNormalization(center=False, scale=False)),
        Case(
            "batch_norm_frozen",
            chain(SERIES, lambda L: [L.Dense(3), L.BatchNormalization(trainable=False)]),
        ),
    ]


def _normalization(name: str, shape: tuple[int, ...], **options: Any) -> Case:
    return _one(f"normalization_{name}", shape, lambda L: L.Normalization(**options))


CASES = (
    *_batch(),
    *(
        _one(f"layer_norm_{name}", shape, lambda L, o=options: L.LayerNormalization(**o))
        for name, shape, options in (
            ("flat", FLAT, {}),
            ("series", SERIES, {"epsilon": 0.02}),
            ("axis", SERIES, {"axis": 1}),
            ("axes", IMAGE, {"axis": [1, 3]}),
            ("last_axes", IMAGE, {"axis": [-2, -1]}),
            ("no_scale", SERIES, {"scale": False}),
            ("no_center", SERIES, {"center": False}),
        )
    ),
    _one("rms_norm", SERIES, lambda L: L.RMSNormalization(), keras2=False),
    *(
        _one(f"group_norm_{name}", shape, lambda L, o=options: L.GroupNormalization(**o))
        for name, shape, options in (
            ("groups", IMAGE, {"groups": 3}),
            ("instance", IMAGE, {"groups": -1}),
            ("one", SERIES, {"groups": 1, "epsilon": 0.02}),
            ("axis", IMAGE, {"groups": 2, "axis": 2}),
            ("neither", SERIES, {"groups": 2, "scale": False, "center": False}),
        )
    ),
    _one("unit_norm", SERIES, lambda L: L.UnitNormalization()),
    _one("unit_norm_axes", IMAGE, lambda L: L.UnitNormalization(axis=[1, 3])),
    _normalization("given", (3,), axis=-1, mean=[0.1, 0.2, -0.3], variance=[0.5, 1.0, 2.0]),
    _normalization("scalar", SERIES, axis=None, mean=0.4, variance=2.0),
    _normalization("fitted", SERIES, axis=-1),
    _normalization("fitted_axes", IMAGE, axis=(1, 3)),
    _normalization("inverse", SERIES, axis=-1, mean=0.4, variance=2.0, invert=True),
    _one("rescaling", IMAGE, lambda L: L.Rescaling(0.5, offset=-0.25)),
    _one(
        "rescaling_lists",
        (4, 4, 3),
        lambda L: L.Rescaling([0.5, 1.5, 2.0], offset=[0.1, -0.1, 0.0]),
    ),
    *(
        _one(
            f"resizing_{name}",
            (6, 5, 2),
            lambda L, o=options: L.Resizing(o[0], o[1], **o[2]),
            # Keras 2 cannot pad; TensorFlow reads bicubic coefficients from a coarse table.
            keras2=name not in ("pad", "bicubic"),
        )
        for name, options in {
            "up": (9, 8, {}),
            "down": (4, 3, {}),
            "nearest": (9, 7, {"interpolation": "nearest"}),
            "bicubic": (9, 7, {"interpolation": "bicubic"}),
            "lanczos3": (8, 9, {"interpolation": "lanczos3"}),
            "lanczos5": (8, 9, {"interpolation": "lanczos5"}),
            "crop": (6, 3, {"crop_to_aspect_ratio": True}),
            "pad": (6, 3, {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
        }.items()
    ),
    _one("center_crop", (7, 6, 2), lambda L: L.CenterCrop(4, 3)),
    _one("center_crop_larger", (5, 6, 2), lambda L: L.CenterCrop(7, 7)),
    Case(
        "random_brightness_at_inference",
        chain((6, 6, 3), lambda L: [L.RandomBrightness(0.2), L.Conv2D(2, 2)]),
        training=False,
        low=0.0,
        h5=False,
    ),
    Case(
        "random_images_at_inference",
        chain(
            (6, 6, 3),
            lambda L: [
                L.RandomFlip("horizontal"),
                L.RandomRotation(0.2),
                L.RandomZoom(0.2),
                L.RandomTranslation(0.1, 0.2),
                L.RandomContrast(0.2),
                L.Conv2D(2, 2),
            ],
        ),
        training=False,
        low=0.0,
    ),
)
