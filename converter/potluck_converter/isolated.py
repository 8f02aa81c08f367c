"""The limited subprocess: `python -m potluck_converter.isolated LIMITS MANIFEST OUTDIR`.

Limits are set before anything that parses is imported. Its standard input is its lifeline: it ends
when that does. It writes `graph.json`,
`weights.safetensors` and `about.json`, or `error.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from potluck_converter.lifeline import end_with


def confine(limits: dict[str, Any]) -> None:
    """Bound this process's memory (bytes), processor time (s), output (bytes) and open files."""
    try:
        import resource
    except ImportError:  # not on Windows; the wall-clock limit of the parent remains
        return
    seconds = max(1, int(limits["seconds"]) + 1)
    for what, most in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits["output_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (wanted, wanted))


def main(argv: list[str]) -> int:
    """Convert what the manifest names; give the process's exit status."""
    given, manifest, out = json.loads(argv[0]), Path(argv[1]), Path(argv[2])
    end_with(sys.stdin.fileno())
    confine(given)
    from potluck_converter.errors import ConversionError
    from potluck_converter.files import to_files
    from potluck_converter.limits import Limits
    from potluck_converter.read import read_model

    try:
        names = json.loads(manifest.read_text())
        model = read_model(
            {name: Path(path).read_bytes() for name, path in names.items()}, Limits(**given)
        )
        graph, weights = to_files(model)
        (out / "graph.json").write_bytes(graph)
        (out / "weights.safetensors").write_bytes(weights)
        about = {
            "source": model.source,
            "training_config": model.training_config,
            "warnings": model.warnings,
        }
        (out / "about.json").write_text(json.dumps(about))
        return 0
    except ConversionError as error:
        failed = error
    except MemoryError:
        failed = ConversionError(
            "model.too_large",
            "Converting the model takes more memory than allowed.",
            expected=f"at most {given['memory_bytes']} bytes",
            hint="Use a smaller model.",
        )
    (out / "error.json").write_text(json.dumps(failed.as_dict()))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
