"""The best model's file is kept while it is the best's, and goes with its result or its study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlmodel import select

import potluck
from potluck_coordinator.services.voiding import void
from potluck_coordinator.storage import units
from potluck_coordinator.storage.rendered_tables import RenderedRow
from tests.support.inside import Inside, inside
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import hand_in
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data", workers=1, clean_seconds=0.05) as found:
        yield found


@pytest.fixture
def study(here: Inside) -> Iterator[potluck.Study]:
    """Give a study of one trial that was trained."""
    with potluck.Client(here.url) as client:
        made = client.submit(
            model=dense_h5(), data="iris", search={}, trials=1, epochs=1, name="Irises"
        )
        hand_in(here.url, 1)
        yield made.wait(timeout=PATIENCE_S, progress=False)


def kept(here: Inside) -> list[str]:
    """List the artifacts of models' files that are kept and there."""

    def look(tx: Any) -> list[str]:
        return list(tx.exec(select(RenderedRow.artifact)))

    found = here.site.writer.read_sync(look)
    assert all(exists(here, sha) for sha in found)
    return found


def exists(here: Inside, sha: str) -> bool:
    path = here.site.artifacts.local_path(sha)
    assert path is not None
    return path.exists()


def test_the_best_models_files_are_kept_and_go_with_its_study(
    here: Inside, study: potluck.Study, tmp_path: Path
) -> None:
    names = ("best.h5", "best.keras", "best.zip")
    first = [study.best.save(tmp_path / name).read_bytes() for name in names]
    files = kept(here)
    assert len(files) == 3
    again = [study.best.save(tmp_path / f"again-{name}").read_bytes() for name in names]
    assert again == first
    assert kept(here) == files
    for sha in files:
        answer = httpx2.get(f"{here.url}/api/v1/artifacts/{sha}")
        assert answer.status_code == 404  # though the study is public
    study.delete()
    assert kept(here) == []
    assert not any(exists(here, sha) for sha in files)


def test_the_file_of_a_result_that_was_taken_back_goes(
    here: Inside, study: potluck.Study, tmp_path: Path
) -> None:
    study.best.save(tmp_path / "best.h5")
    [sha] = kept(here)
    result = study.best.record.weights

    def take_back(tx: Any) -> bool:
        [unit] = units.of_study(tx, study.id)
        return void(here.site, tx, unit, "somebody else got something else")

    assert here.asked(here.site.writer.run(take_back))
    until(lambda: not kept(here) and not exists(here, sha), what="the file to go")
    until(lambda: not exists(here, result), what="its bytes to go: no verdict could bring it back")
    address = f"{here.url}/api/v1/studies/{study.id}/best/model.h5"
    assert httpx2.get(address).status_code == 404
    hand_in(here.url, 1)
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.best.save(tmp_path / "new.h5").stat().st_size > 0
    assert len(kept(here)) == 1
