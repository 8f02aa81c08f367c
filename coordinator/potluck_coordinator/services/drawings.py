"""One drawing of a study for all who follow it live, made again only when something changed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from potluck_coordinator.core.records import Study
from potluck_coordinator.services import views
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.drawn import as_list
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import studies
from potluck_coordinator.storage.transaction import Transaction

LEAST_SECONDS = 0.5
REFRESH_SECONDS = 5.0
"""Time left and speeds change even when nothing else does."""
NOBODY = Asker("", "anonymous")


@dataclass(frozen=True)
class Drawing:
    """A study's live events as JSON. Only `may_edit` differs by who asks."""

    record: Study
    study: str
    study_to_edit: str
    leaderboard: str
    curves: str

    def seen_by(self, asker: Asker) -> dict[str, str]:
        """Give the events for one asker. Raises NotFound."""
        asker.must_see(self.record)
        study = self.study_to_edit if asker.may_edit(self.record) else self.study
        return {"study": study, "leaderboard": self.leaderboard, "curves": self.curves}


def draw(tx: Transaction, study_id: str, roomiest: int | None = None) -> Drawing:
    """Draw a study for everybody. Raises NotFound."""
    record = studies.get(tx, study_id)
    study = views.draw_study(tx, record, NOBODY, roomiest)
    facts = views.facts_of(tx, record)
    return Drawing(
        record=record,
        study=study.model_dump_json(),
        study_to_edit=study.model_copy(update={"may_edit": True}).model_dump_json(),
        leaderboard=as_list(views.draw_board(record, facts)),
        curves=as_list(views.draw_curves(record, facts)),
    )


class Followed:
    """A study that somebody follows: its present drawing, and whether it still holds."""

    def __init__(self, site: Site, study_id: str, changed: asyncio.Event) -> None:
        self._site = site
        self._study_id = study_id
        self._changed = changed
        self._lock = asyncio.Lock()
        self._drawing: Drawing | None = None
        self._at = float("-inf")
        self.drawn = 0
        """How many drawings were made."""

    async def drawing(self) -> Drawing:
        """Give the present drawing; at most two a second are made. Raises NotFound."""
        async with self._lock:
            age = time.monotonic() - self._at
            if self._drawing is not None and not self._changed.is_set() and age < REFRESH_SECONDS:
                return self._drawing
            await asyncio.sleep(LEAST_SECONDS - age)
            self._changed.clear()
            self._at = time.monotonic()
            try:
                roomiest = self._site.presence.roomiest()
                self._drawing = await self._site.writer.read(
                    lambda tx: draw(tx, self._study_id, roomiest)
                )
            except BaseException:
                self._changed.set()  # whoever asks next must not get what was before
                raise
            self.drawn += 1
            return self._drawing


class Drawings:
    """The studies that are followed now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._followed: dict[str, Followed] = {}
        self._followers: Counter[str] = Counter()
        self._endings: dict[str, ExitStack] = {}

    @contextmanager
    def follow(self, study_id: str) -> Iterator[Followed]:
        """Share a study's drawings with all who follow it now."""
        if study_id not in self._followed:
            ending = self._endings[study_id] = ExitStack()
            changed = ending.enter_context(self._site.hub.listen(study_id))
            self._followed[study_id] = Followed(self._site, study_id, changed)
        self._followers[study_id] += 1
        try:
            yield self._followed[study_id]
        finally:
            self._followers[study_id] -= 1
            if not self._followers[study_id]:
                del self._followers[study_id], self._followed[study_id]
                self._endings.pop(study_id).close()
