"""Studies: plan, make, watch, steer, take home."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from potluck.protocol.records import (
    BestModel,
    Curve,
    LeaderboardRow,
    Ledger,
    Predictions,
    ReplayRecord,
    Study,
    StudyExtension,
    StudyPlan,
    TestLook,
    TrialDetail,
    VerdictUndo,
)
from potluck.protocol.study import StudySpec
from potluck_coordinator.api.deps import StillWanted, TheAsker, TheSite
from potluck_coordinator.api.downloads import rendered, written
from potluck_coordinator.api.paging import Before, Limit, MostListed, Offset
from potluck_coordinator.api.told import JSON, told_list, told_one
from potluck_coordinator.core.errors import Conflict
from potluck_coordinator.services import best, ledgers, planning, studies, verdicts, views
from potluck_coordinator.storage import studies as stored
from potluck_coordinator.storage.pages import MOST_LISTED

router = APIRouter(prefix="/studies", tags=["studies"])
LAST_TRIAL = 2**31 - 1
MOST_LOOKS = 1000


@router.post("/plan")
async def post_plan(site: TheSite, asker: TheAsker, spec: StudySpec) -> StudyPlan:
    """Say what the coordinator understands of a specification, without making a study."""
    asker.must_submit()
    return await planning.explain(site, asker, spec)


@router.get("", response_model=list[Study])
async def list_studies(
    site: TheSite,
    asker: TheAsker,
    limit: MostListed = MOST_LISTED,
    offset: Offset = 0,
) -> Response:
    """List the studies that you may see, newest first: a page of them.

    Your own are on the first pages. A page has at most `limit`, fewer where plans are large; the
    next one begins at `offset` and how many this one has. After the last study it is empty.
    """
    return await told_list(await views.study_list(site, asker, limit=limit, offset=offset))


@router.post("", status_code=201)
async def post_study(
    site: TheSite, asker: TheAsker, spec: StudySpec, still_wanted: StillWanted
) -> Study:
    """Make a study and start it; not for somebody who has gone before it was ready."""
    asker.must_submit()
    with site.artifacts.naming():
        made = await studies.create(site, asker, spec, still_wanted)
    if made is None:
        raise Conflict("request.left", "Whoever asked for this study has gone; it was not made.")
    return await views.study_view(site, asker, made.id)


@router.get("/{study_id}")
async def get_study(site: TheSite, asker: TheAsker, study_id: str) -> Study:
    """Give a study's state."""
    return await views.study_view(site, asker, study_id)


@router.delete("/{study_id}", status_code=204)
async def delete_study(site: TheSite, asker: TheAsker, study_id: str) -> None:
    """Delete a study. Its ledger chain stays, and says so."""
    await studies.delete(site, asker, study_id)


@router.post("/{study_id}/stop")
async def stop_study(site: TheSite, asker: TheAsker, study_id: str) -> Study:
    """Stop a study; scores stay."""
    await studies.stop(site, asker, study_id)
    return await views.study_view(site, asker, study_id)


@router.post("/{study_id}/resume")
async def resume_study(site: TheSite, asker: TheAsker, study_id: str) -> Study:
    """Go on with a stopped study."""
    await studies.resume(site, asker, study_id)
    return await views.study_view(site, asker, study_id)


@router.post("/{study_id}/extend")
async def extend_study(
    site: TheSite, asker: TheAsker, study_id: str, body: StudyExtension
) -> Study:
    """Add trials to a study."""
    await studies.extend(site, asker, study_id, body.trials)
    return await views.study_view(site, asker, study_id)


@router.get("/{study_id}/leaderboard", response_model=list[LeaderboardRow])
async def get_leaderboard(site: TheSite, asker: TheAsker, study_id: str) -> Response:
    """Give all trials, ranked by the coordinator's own scores."""
    return await told_list(await views.leaderboard(site, asker, study_id))


@router.get("/{study_id}/curves", response_model=list[Curve])
async def get_curves(site: TheSite, asker: TheAsker, study_id: str) -> Response:
    """Give learning curves: scores by rung, and donors' claims by epoch."""
    return await told_list(await views.curves(site, asker, study_id))


@router.get("/{study_id}/trials/{number}", response_model=TrialDetail)
async def get_trial(
    site: TheSite,
    asker: TheAsker,
    study_id: str,
    number: Annotated[int, Path(ge=0, le=LAST_TRIAL)],
    ledger: bool = True,
) -> Response:
    """Give a trial with its units, leases and, unless `ledger` is false, its ledger entries."""
    found = await views.trial_detail(site, asker, study_id, number, with_ledger=ledger)
    return await told_one(found)


@router.get("/{study_id}/ledger", response_model=Ledger)
async def get_ledger(
    site: TheSite,
    asker: TheAsker,
    study_id: str,
    before: Before = None,
    limit: Limit = None,
) -> Response:
    """Give the study's hash-chained ledger; it outlives the study.

    A page of it: the last `limit` entries before number `before`, or before the chain's end.
    """
    part = await ledgers.study_ledger(site, asker, study_id, before=before, limit=limit)
    return StreamingResponse(ledgers.written(site, part), media_type=JSON)


@router.get("/{study_id}/best")
async def get_best(site: TheSite, asker: TheAsker, study_id: str) -> BestModel:
    """Give the best model's record."""
    return await best.best_record(site, await _best(site, asker, study_id))


@router.get("/{study_id}/best/model.h5", response_class=Response)
async def get_best_h5(site: TheSite, asker: TheAsker, request: Request, study_id: str) -> Response:
    """Download the best model for Keras."""
    found = await _best(site, asker, study_id)
    return await rendered(request, asker, best.file_of(found, "h5"))


@router.get("/{study_id}/best/model.keras", response_class=Response)
async def get_best_keras(
    site: TheSite, asker: TheAsker, request: Request, study_id: str
) -> Response:
    """Download the best model for Keras 3 in its own form."""
    found = await _best(site, asker, study_id)
    return await rendered(request, asker, best.file_of(found, "keras"))


@router.get("/{study_id}/best/tfjs.zip", response_class=Response)
async def get_best_tfjs(
    site: TheSite, asker: TheAsker, request: Request, study_id: str
) -> Response:
    """Download the best model as TF.js files."""
    found = await _best(site, asker, study_id)
    return await rendered(request, asker, best.file_of(found, "tfjs"))


@router.get("/{study_id}/best/predictions", response_model=Predictions)
async def get_predictions(site: TheSite, asker: TheAsker, study_id: str) -> Response:
    """Give the best model's stored predictions, decoded."""
    told = await best.predictions(site, asker, await _best(site, asker, study_id))
    return Response(told, media_type="application/json")


@router.get("/{study_id}/best/inputs.npz", response_class=Response)
async def get_inputs(site: TheSite, asker: TheAsker, request: Request, study_id: str) -> Response:
    """Give the rows of the predictions as the network gets them (`x`, `rows`)."""
    found = await _best(site, asker, study_id)
    return await written(request, partial(best.inputs, site, asker, found), "inputs.npz")


async def _best(site: TheSite, asker: TheAsker, study_id: str) -> best.Best:
    await views.study_view(site, asker, study_id)
    study = await site.writer.read(lambda tx: stored.get(tx, study_id))
    return await best.find_best(site, study)


@router.get("/{study_id}/test-looks", response_model=list[TestLook])
async def get_looks(site: TheSite, asker: TheAsker, study_id: str) -> Response:
    """List the looks at the sealed test split: the newest 1,000, oldest first."""
    study = await views.study_view(site, asker, study_id)
    found = await site.writer.read(lambda tx: stored.looks(tx, study_id, MOST_LOOKS))
    return await told_list([best.look_to_wire(look, study.plan.metrics) for look in found])


@router.post("/{study_id}/test-looks", status_code=201)
async def post_look(site: TheSite, asker: TheAsker, study_id: str) -> TestLook:
    """Score the best model on the sealed test split. Counted, and recorded in the ledger."""
    look = await best.look_at_test(site, asker, study_id)
    study = await views.study_view(site, asker, study_id)
    return best.look_to_wire(look, study.plan.metrics)


@router.get("/{study_id}/replays", response_model=list[ReplayRecord])
async def get_replays(site: TheSite, asker: TheAsker, study_id: str) -> Response:
    """List what of a study was trained again, or is to be: the newest 1,000, newest first."""
    return await told_list(await verdicts.replays_of(site, asker, study_id))


@router.post("/{study_id}/replays/{replay_id}/undo")
async def post_undo(
    site: TheSite, asker: TheAsker, study_id: str, replay_id: str, undo: VerdictUndo
) -> ReplayRecord:
    """Take a refutation back (the admin's): the donor's record and its result are as before."""
    return await verdicts.undo(site, asker, study_id, replay_id, undo.note)
