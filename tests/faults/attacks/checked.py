"""Studies whose results are trained again, and what came of it."""

from __future__ import annotations

import potluck
from potluck.protocol import donor as wire
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import work
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor
from tests.support.waiting import PATIENCE_S


def verdicts(study: potluck.Study) -> list[str]:
    """Give what the ledger says of replays, oldest first."""
    return [e.body["verdict"] for e in study.ledger().entries if e.kind == "replay"]


def submit(checking: Coordinator, **changes: object) -> potluck.Study:
    """Make a study of one trial on the irises."""
    given: dict[str, object] = {"trials": 1, "epochs": 3, "search": {}, "name": "Irises"}
    return checking.client().submit(
        model=dense_h5(),
        **{"data": "iris", **given, **changes},  # type: ignore[arg-type]  # passed on
    )


def finish_honestly(checking: Coordinator, study: potluck.Study) -> list[wire.Lease]:
    """Let an honest donor train what is left, one unit; the study completes."""
    with ScriptedDonor(checking.url) as donor:
        done = work(donor, 1)
        study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.state == "completed"
    return done
