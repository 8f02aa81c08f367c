"""Images made larger and smaller, margins, rescaling."""

from __future__ import annotations

from tests.gradients.case import Case, case

CASES: list[Case] = []
SHAPE = (2, 3, 4, 2)
WRITTEN = {"written": True}
for interpolation in ("nearest", "bilinear"):
    for size in ([2, 2], [2, 3], [3, 1]):
        CASES.append(
            case("UpSampling2D", "UpSampling2D", SHAPE, size=size, interpolation=interpolation)
        )
    for height, width in ((5, 6), (2, 3)):
        CASES.append(
            case(
                "Resizing",
                "Resizing",
                SHAPE,
                height=height,
                width=width,
                interpolation=interpolation,
                case_options=WRITTEN,
            )
        )
    CASES.append(
        case(
            "UpSampling2D",
            "UpSampling2D",
            (1, 3, 3, 2),
            about=f"one image, {interpolation}",
            size=[2, 2],
            interpolation=interpolation,
            after=[("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "same"})],
        )
    )
CASES.append(case("Margins", "ZeroPadding2D", SHAPE, padding=[[1, 2], [0, 1]]))
CASES.append(case("Margins", "Cropping2D", (2, 5, 4, 2), cropping=[[1, 1], [0, 2]]))
CASES.append(case("Margins", "CenterCrop", (2, 5, 6, 2), height=3, width=4, case_options=WRITTEN))
CASES.append(
    case(
        "Margins",
        "CenterCrop",
        (2, 3, 3, 2),
        height=5,
        width=4,
        about="enlarging",
        case_options=WRITTEN,
    )
)
CASES.append(case("Margins", "Rescaling", (2, 4), scale=0.5, offset=-1.0))
