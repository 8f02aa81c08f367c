"""Studies whose results are trained again, and what came of it."""

from __future__ import annotations

import potluck
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5


def verdicts(study: potluck.Study) -> list[str]:
    """Give what the ledger says of replays, oldest first."""
    return [e.body["verdict"] for e in study.ledger().entries if e.kind == "replay"]


def submit(checking: Coordinator, **changes: object) -> potluck.Study:
    """Make a study of one trial on the irises."""
    given: dict[str, object] = {"trials": 1, "epochs": 3, "search": {}, "name": "Irises"}
    return checking.client().submit(
        model=dense_h5(),
        data="iris",
        **{**given, **changes},  # type: ignore[arg-type]  # passed on
    )
