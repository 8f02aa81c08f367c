"""Make the checked-in oracles of Keras 2. Needs `tensorflow==2.19.*` and `tf_keras==2.19.*`.

    .venv-oracle/bin/python -m tests.parity.make_keras2_oracles [PATH]

The cases are those of the table that Keras 2 can build. Their gradients are left to Keras 3.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.parity.case import Case, draw_inputs, draw_weights
from tests.parity.cases import CASES
from tests.parity.oracle import FOLDER, Oracle, predict, save_archive

KERAS2_ARCHIVE = FOLDER / "keras2.zip"
KERAS2_CASES = {name: case for name, case in CASES.items() if case.keras2}


def made_by_keras2(case: Case) -> Oracle:
    """Build, save and predict with Keras 2."""
    import tf_keras  # type: ignore[import-not-found, unused-ignore]

    tf_keras.backend.clear_session()
    model = case.build(tf_keras)
    draw_weights(model, case)
    inputs = draw_inputs(model, case)
    outputs = predict(model, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        model.save(path)
        return Oracle(path.read_bytes(), b"", inputs, outputs, [], {})


def make(path: Path) -> None:
    """Write the archive."""
    save_archive(path, {name: made_by_keras2(case) for name, case in KERAS2_CASES.items()})


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else KERAS2_ARCHIVE)
