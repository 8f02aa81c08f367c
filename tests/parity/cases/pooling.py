"""Pooling, up-sampling, padding and cropping."""

from __future__ import annotations

from typing import Any

from tests.parity.case import Case, chain, layer

SERIES, IMAGE, VOLUME = (9, 3), (7, 6, 3), (5, 4, 5, 2)
SHAPES = {1: SERIES, 2: IMAGE, 3: VOLUME}


def _one(name: str, rank: int, cls: str, *args: Any, **options: Any) -> Case:
    return Case(name, chain(SHAPES[rank], layer(cls, *args, **options)))


def _pooling() -> list[Case]:
    found = []
    for rank in (1, 2, 3):
        for kind in ("Max", "Average"):
            cls, name = f"{kind}Pooling{rank}D", f"{kind.lower()}_pooling{rank}d"
            found += [
                _one(f"{name}_plain", rank, cls, 2),
                _one(f"{name}_overlapping", rank, cls, 3, strides=1),
                _one(f"{name}_same", rank, cls, 2, padding="same"),
                _one(f"{name}_overlapping_same", rank, cls, 3, strides=2, padding="same"),
                _one(f"{name}_gaps", rank, cls, 2, strides=3),
            ]
            whole, short = f"Global{kind}Pooling{rank}D", f"global_{kind.lower()}{rank}d"
            found += [
                _one(short, rank, whole),
                _one(f"{short}_keepdims", rank, whole, keepdims=True),
            ]
    return found


def _up_sampling() -> list[Case]:
    methods = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    return [
        _one("up_sampling1d", 1, "UpSampling1D", 3),
        *(
            Case(
                f"up_sampling2d_{method}",
                chain(IMAGE, layer("UpSampling2D", (2, 3), interpolation=method)),
                # TensorFlow reads bicubic coefficients from a coarse table: off by 1e-3.
                keras2=method != "bicubic",
            )
            for method in methods
        ),
        _one("up_sampling3d", 3, "UpSampling3D", (2, 1, 3)),
    ]


CASES = (
    *_pooling(),
    _one("max_pooling2d_oblong", 2, "MaxPooling2D", (2, 3), strides=(1, 2), padding="same"),
    *_up_sampling(),
    _one("zero_padding1d", 1, "ZeroPadding1D", (2, 1)),
    _one("zero_padding2d", 2, "ZeroPadding2D", ((1, 2), (0, 3))),
    _one("zero_padding3d", 3, "ZeroPadding3D", ((1, 2), (0, 1), (2, 0))),
    _one("cropping1d", 1, "Cropping1D", (2, 1)),
    _one("cropping2d", 2, "Cropping2D", ((1, 2), (0, 3))),
    _one("cropping3d", 3, "Cropping3D", ((1, 2), (0, 1), (2, 0))),
)
