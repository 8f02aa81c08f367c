"""Write a model's file in a fresh, limited subprocess: large ones take seconds and GBs.

As a program, the subprocess: `python -m potluck_converter.rendering LIMITS KIND GRAPH WEIGHTS OUT`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

from potluck_converter.errors import ConversionError, error_from_dict
from potluck_converter.graph import Model
from potluck_converter.isolated import confine
from potluck_converter.isolation import memory_for, run_limited
from potluck_converter.limits import DEFAULT_LIMITS, Limits

WEIGHTS, AVERAGES = "weights/", "optimizer/average/"


def render_isolated(
    graph: Path, weights: Path, kind: str, out: Path, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Write `out` as `h5`, `keras`, or `tfjs` (a zip of its files).

    `graph`, `weights`: what `to_files` gives. Of a checkpoint the weights are taken, or the
    averages where it has them. Raises ConversionError.
    """
    size = weights.stat().st_size
    allowed = replace(limits, memory_bytes=memory_for(size, limits).hard)
    with tempfile.TemporaryDirectory(prefix="potluck-") as scratch:
        refused = Path(scratch, "error.json")
        arguments = [json.dumps(asdict(allowed)), kind, *map(str, (graph, weights, out, refused))]
        run_limited("potluck_converter.rendering", arguments, Path(scratch), limits.seconds)
        if refused.exists():
            raise error_from_dict(json.loads(refused.read_text()))
        if not out.exists():
            raise ConversionError(
                "model.too_large",
                "Writing the model's file failed inside its limits.",
                expected=f"at most {allowed.memory_bytes} bytes of memory",
                hint="Take another form of the file, or ask the operator for more memory.",
            )


def main(argv: list[str]) -> int:
    """Write what is asked for; give the process's exit status."""
    given, kind, graph, weights, out, refused = json.loads(argv[0]), argv[1], *map(Path, argv[2:])
    confine(given)
    part = out.with_name(out.name + ".part")
    try:
        _write(_model(graph.read_bytes(), weights.read_bytes(), Limits(**given)), kind, part)
        part.replace(out)
        return 0
    except ConversionError as error:
        refused.write_text(json.dumps(error.as_dict()))
    return 2


def _model(graph: bytes, weights: bytes, limits: Limits) -> Model:
    from safetensors.numpy import load

    from potluck_converter.files import from_files
    from potluck_converter.graph_json import graph_from_json

    tensors = load(weights)
    if not any(name.startswith(WEIGHTS) for name in tensors):
        return from_files(graph, weights, "Potluck", limits=limits)
    found = {
        name.removeprefix(prefix): value
        for prefix in (WEIGHTS, AVERAGES)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    return Model(graph_from_json(json.loads(graph), limits), found, "Potluck")


def _write(model: Model, kind: str, out: Path) -> None:
    if kind == "h5":
        from potluck_converter.writers.keras_h5 import write_keras_h5_to

        write_keras_h5_to(model, out)
    elif kind == "keras":
        from potluck_converter.writers.keras_zip import write_keras_zip_to

        write_keras_zip_to(model, out)
    else:
        from potluck_converter.writers.tfjs import tfjs_files

        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, data in tfjs_files(model):
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
