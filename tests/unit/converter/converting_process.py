"""A process that converts one model after another, for a test that kills it."""

from __future__ import annotations

from potluck_converter import convert_isolated
from tests.unit.converter.hostile import h5

if __name__ == "__main__":
    content = h5()
    while True:
        convert_isolated({"m.h5": content})
