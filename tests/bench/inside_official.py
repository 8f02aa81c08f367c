"""Time the official conversion alone: python inside_official.py IN OUT REPEATS."""

from __future__ import annotations

import json
import sys
import time

from tensorflowjs.converters import converter  # type: ignore[import-not-found, unused-ignore]


def main(source: str, out: str, repeats: str) -> None:
    """Print the best time as JSON."""
    best = float("inf")
    for index in range(int(repeats)):
        start = time.perf_counter()
        converter.dispatch_keras_h5_to_tfjs_layers_model_conversion(source, f"{out}_{index}")
        best = min(best, time.perf_counter() - start)
    sys.stdout.write(json.dumps({"seconds": best}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
