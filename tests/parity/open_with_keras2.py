"""Open a folder's .h5 files with Keras 2 and predict: python open_with_keras2.py FOLDER.

Inputs lie beside each `NAME.h5` in `NAME.npz`; a line of JSON is printed for each: its name, and
either an error or nothing, with the outputs in `NAME.out.npz`. Needs `tf_keras` (.venv-oracle).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def main(folder: str) -> None:
    """Load each without compiling, predict, save."""
    import tf_keras  # type: ignore[import-not-found, unused-ignore]

    for path in sorted(Path(folder).glob("*.h5")):
        tf_keras.backend.clear_session()
        with np.load(path.with_suffix(".npz")) as packed:
            inputs = [packed[name] for name in sorted(packed.files)]
        error = ""
        try:
            network = tf_keras.models.load_model(path, compile=False)
            found = network.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
            np.savez(path.with_suffix(".out.npz"), *(found if isinstance(found, list) else [found]))
        except Exception as problem:  # whatever Keras 2 raises is the answer
            error = f"{type(problem).__name__}: {problem}"[:300]
        sys.stdout.write(json.dumps({"name": path.stem, "error": error}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
