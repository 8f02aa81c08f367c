"""One searcher a study, rebuilt from its trials whenever it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.records import Study, Trial
from potluck_coordinator.search import Past, Searcher
from potluck_coordinator.services.compiled import study_space
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import studies


class SearchDesk:
    """Asks searchers for points. The trial table is the truth; searchers are a cache of it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._searchers: dict[str, tuple[Searcher, set[int]]] = {}

    async def ask(
        self, study: Study, known: Sequence[Trial], count: int
    ) -> list[tuple[int, dict[str, Any]]]:
        """Give up to `count` new points; a space that is used up ends the study's budget."""
        searcher, told = self._searcher(study, known)
        for trial in known:
            if trial.state != TrialState.RUNNING and trial.number not in told:
                # Divergence is a result, the worst one; a set-aside unit teaches nothing.
                diverged = trial.state == TrialState.FAILED
                await searcher.tell(trial.number, nan if diverged else trial.value)
                told.add(trial.number)
        points = await searcher.ask(count)
        if len(points) < count:
            total = len(known) + len(points)
            await self._site.writer.run(lambda tx: studies.cap_trials(tx, study.id, total))
        return points

    def _searcher(self, study: Study, known: Sequence[Trial]) -> tuple[Searcher, set[int]]:
        if study.id not in self._searchers:
            spec = StudySpec.model_validate(study.spec)
            history = [
                Past(t.number, t.parameters, TrialState(t.state).value, t.value) for t in known
            ]
            searcher = Searcher(
                study_space(
                    spec,
                    study.wire_plan.get("compiled", {}),
                    study.wire_plan["rows_train"],
                ),
                sampler=spec.sampler,
                seed=spec.seed,
                direction="maximize" if study.direction == "maximize" else "minimize",
                history=history,
            )
            told = {t.number for t in known if t.state != TrialState.RUNNING}
            self._searchers[study.id] = (searcher, told)
        return self._searchers[study.id]

    def forget(self, study_id: str) -> None:
        """Drop a study's searcher: the next question rebuilds it from the trial table."""
        if study_id in self._searchers:
            self._searchers.pop(study_id)[0].close()

    def forget_all_but(self, study_ids: set[str]) -> None:
        """Drop the searchers of studies that no longer run."""
        for gone in set(self._searchers) - study_ids:
            self.forget(gone)

    def close(self) -> None:
        """End all searchers."""
        self.forget_all_but(set())
