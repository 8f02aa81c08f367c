"""A study's best model: its files, its numbers, its predictions."""

from __future__ import annotations

import importlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from potluck.errors import BadArgument, MissingExtra
from potluck.protocol.records import BestModel, Check, FileNumbers, Predictions, Unwritable
from potluck.protocol.study import Scalar
from potluck.transport import Transport

RENDERINGS = {".keras": "model.keras", ".h5": "model.h5", ".zip": "tfjs.zip"}
"""What a file's ending asks for, by the coordinator's name for it."""


def file_form(path: str | Path, unwritable: Unwritable) -> tuple[Path, str]:
    """Say what a path's ending asks for: the path, and the coordinator's name for that form.

    `unwritable`: the forms that cannot hold the model (`keras`, `h5`), each with why. Raises
    `BadArgument`, which names the endings that do.
    """
    to = Path(path).expanduser()
    remote = RENDERINGS.get(to.suffix.lower())
    if remote is None:
        raise BadArgument(
            f"Name a .keras or .h5 file (Keras) or a .zip file (TF.js), got {to.name!r}."
        )
    missing = {f".{form}": why for form, why in unwritable.items()}
    why = missing.get(to.suffix.lower())
    if why is not None:
        names = [to.with_suffix(e).name for e in RENDERINGS if e not in missing]
        better = " or ".join(f'save("{name}")' for name in names)
        raise BadArgument(f"{why} Use {better} instead.")
    return to, remote


class Best:
    """The best model as it was when it was asked for.

    Without folds it is the median repeat of the best trial; with folds the network that was trained
    again on all training rows.
    """

    def __init__(self, transport: Transport, record: BestModel) -> None:
        self._transport = transport
        self._path = f"/api/v1/studies/{record.study_id}/best"
        self.record = record

    @property
    def trial(self) -> int:
        """Give the trial's number."""
        return self.record.trial

    @property
    def metric(self) -> str:
        """Name the metric that ranks the study."""
        return self.record.metric

    @property
    def mean(self) -> float:
        """Give the trial's score: the mean over folds or repeats, computed by the coordinator."""
        return self.record.mean

    @property
    def spread(self) -> float | None:
        """Give the sample standard deviation over folds or repeats, if there are several."""
        return self.record.spread

    @property
    def check(self) -> Check:
        """Say whether the coordinator trained it again: `confirmed`, `checking` or `scored`."""
        return self.record.check

    @property
    def own(self) -> FileNumbers | None:
        """Give the file's own numbers, computed by the coordinator with these very weights.

        With folds they are of the rows that the file was trained on (`own.on` is `training`), and
        flatter it; `mean` is the estimate for new rows.
        """
        return self.record.own

    @property
    def parameters(self) -> dict[str, Scalar]:
        """Give the trial's point of the search space."""
        return dict(self.record.parameters)

    @property
    def classes(self) -> list[str] | None:
        """Name the classes in the order of the network's outputs."""
        return None if self.record.classes is None else list(self.record.classes)

    def save(self, path: str | Path) -> Path:
        """Download the model and give the path. The ending says in which form.

        `.keras` and `.h5` are for Keras 3, `.zip` has TF.js files. A `.h5` cannot hold every model.
        Raises `BadArgument`, which names the endings that do.
        """
        to, remote = file_form(path, self.record.unwritable)
        return self._transport.download(f"{self._path}/{remote}", to)

    def keras(self) -> Any:
        """Open the model with Keras 3 (not compiled), from its `.keras` file.

        Raises `MissingExtra` without Keras 3, and `BadArgument` for a model that Keras 3 cannot
        compute, which the study's plan warned of: `save("best.zip")` gives its TF.js files.
        """
        try:
            keras: Any = importlib.import_module("keras")
        except ImportError as error:
            raise MissingExtra(
                f"best.keras() needs Keras 3 and one of its backends ({error}): "
                'pip install keras jax. best.save("best.keras") works without.'
            ) from error
        version = str(getattr(keras, "__version__", ""))
        if version.partition(".")[0] in ("1", "2"):
            raise MissingExtra(
                f"best.keras() needs Keras 3, and this is Keras {version}: pip install -U keras. "
                'best.save("best.h5") writes a file that Keras 2 often opens.'
            )
        with tempfile.TemporaryDirectory(prefix="potluck-") as folder:
            path = self.save(Path(folder) / "best.keras")
            return keras.models.load_model(path, compile=False)

    def predictions(self) -> Predictions:
        """Give the coordinator's predictions on the rows that the model was scored on."""
        return self._transport.get(Predictions, f"{self._path}/predictions")

    def inputs(self) -> dict[str, np.ndarray[Any, Any]]:
        """Give the scored rows as the network gets them.

        `x` is `[rows, ...]`, encoded; `rows` are their indices in the dataset, in the order of
        `predictions()`. Only for those who may see the data.
        """
        content = self._transport.get_bytes(f"{self._path}/inputs.npz")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def __repr__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.4f}"
        return (
            f"<Best trial {self.trial}: {self.metric} {self.mean:.4f}{spread} ({self.check}) "
            f"{self.parameters}>"
        )
