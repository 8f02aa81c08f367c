"""Run the official converter on many files: python official_converter.py FOLDER.

Needs tensorflowjs 4.22 (.venv-oracle). For each `NAME.h5` it writes `NAME/`, or nothing where the
converter fails.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def main(folder: str) -> None:
    """Convert every file of the folder."""
    from tensorflowjs.converters import converter  # type: ignore[import, unused-ignore]

    for path in sorted(Path(folder).glob("*.h5")):
        with contextlib.suppress(Exception):
            converter.dispatch_keras_h5_to_tfjs_layers_model_conversion(
                str(path), str(path.with_suffix(""))
            )


if __name__ == "__main__":
    main(sys.argv[1])
