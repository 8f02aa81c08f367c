"""Pooling: windows that overlap or leave gaps, padded or not, and windows of negative values."""

from __future__ import annotations

from typing import Any

from tests.gradients.case import Case, case

CASES: list[Case] = []
SHAPES = {1: (2, 7, 2), 2: (2, 7, 6, 2), 3: (2, 5, 4, 5, 2)}
APART: dict[str, Any] = {"values": "apart", "low": -20.0, "high": 20.0}
NEGATIVE: dict[str, Any] = {"values": "apart", "low": -40.0, "high": -1.0}

for rank, shape in SHAPES.items():
    for padding in ("valid", "same"):
        for pool_size, strides in ((2, 2), (3, 2), (3, 1), (2, 3)):
            for kind in ("MaxPooling", "AveragePooling"):
                CASES.append(
                    case(
                        kind,
                        f"{kind}{rank}D",
                        shape,
                        pool_size=pool_size,
                        strides=strides,
                        padding=padding,
                        case_options=APART,
                    )
                )
    CASES.append(
        case(
            "MaxPooling",
            f"MaxPooling{rank}D",
            shape,
            about="negative values",
            pool_size=2,
            case_options=NEGATIVE,
        )
    )
for rank in (1, 2):
    for kind in ("GlobalMaxPooling", "GlobalAveragePooling"):
        CASES.append(case(kind, f"{kind}{rank}D", SHAPES[rank], case_options=APART))
        CASES.append(
            case(
                kind,
                f"{kind}{rank}D",
                SHAPES[rank],
                about="negative values",
                case_options=NEGATIVE,
            )
        )
