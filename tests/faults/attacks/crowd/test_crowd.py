"""Every attack at once, at small size; `make bench-trust` is the same at full size."""

from __future__ import annotations

import sys

from tests.faults.attacks.crowd.behaviours import HOSTILE
from tests.faults.attacks.crowd.crowd import crowd, settle, submit
from tests.faults.attacks.crowd.outcome import outcome_of
from tests.faults.attacks.crowd.table import told
from tests.support.coordinator import Coordinator


def test_no_attack_gets_a_false_row_confirmed_or_harms_the_honest(attacked: Coordinator) -> None:
    studies = [
        submit(attacked, trials=8, folds=None),
        submit(attacked, trials=4, folds=2, number=1),
    ]
    with crowd(attacked.url, honest_members=6, hostile=list(HOSTILE)) as people:
        settle(studies)
        found = outcome_of(people, studies)
    sys.stdout.write(told(people, found))
    assert found.confirmed_wrong == []
    assert found.best_confirmed == len(studies)
    assert found.honest_refuted == []
    assert [m.failure for m in people.honest if m.failure is not None] == []
    assert found.confirmed >= 3 * len(studies)
