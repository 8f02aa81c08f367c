"""One run of atheris: python -m tests.fuzz.guided CORPUS [libFuzzer's options]."""

from __future__ import annotations

import random
import sys

import atheris  # type: ignore[import, unused-ignore]

with atheris.instrument_imports(include=["potluck_converter"]):
    from tests.fuzz.targets import MAX_BYTES, mutated, outcome


def mutate(content: bytes, most: int, seed: int) -> bytes:
    """Change an input libFuzzer's way, or ours."""
    draw = random.Random(seed)
    if draw.random() < 0.5:
        return bytes(atheris.Mutate(content, most))
    return mutated(content, draw)[:most]


def read(content: bytes) -> None:
    """Read one input; what is raised stops the run."""
    outcome(content)


if __name__ == "__main__":
    atheris.Setup([*sys.argv, f"-max_len={MAX_BYTES}"], read, custom_mutator=mutate)
    atheris.Fuzz()
