"""Facts to keep in a database: small ones that are valid."""

from __future__ import annotations

from potluck_coordinator.core.records import Dataset, Model, Study, Trial
from tests.storage.test_units import SHA, lease, unit

__all__ = ["SHA", "dataset", "lease", "model", "study", "trial", "unit"]


def model() -> Model:
    """Give the model `m`."""
    return Model(
        id="m", name="m", owner="ann", hash=SHA, graph=SHA, weights=SHA, report={}, facts={},
        created_at=1.0,
    )  # fmt: skip


def dataset() -> Dataset:
    """Give the dataset `d`."""
    return Dataset(
        id="d", name="d", version=1, owner="ann", hash=SHA, filename="d.csv", bytes=10,
        profile={}, created_at=1.0,
    )  # fmt: skip


def study(name: str) -> Study:
    """Give a running study with a validation split, of the model `m` and the dataset `d`."""
    return Study(
        id=name, name="s", owner="ann", state="running", visibility="public", model_id="m",
        dataset_id="d", spec={"rungs": [2], "trials": 1}, plan={}, wire_plan={"folds": None},
        direction="maximize", trials=1, created_at=1.0,
    )  # fmt: skip


def trial(study_id: str, number: int) -> Trial:
    """Give a running trial of a study."""
    return Trial(
        study_id=study_id, number=number, state="running", parameters={}, graph=SHA,
        topology=SHA, created_at=1.0,
    )  # fmt: skip
