"""Groups of donors: their owners', and those that a donor joins."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from potluck.protocol.access import (
    Group,
    GroupChange,
    GroupMaking,
    Invitation,
    InvitedGroup,
    JoinedGroup,
    Joining,
    Member,
)
from potluck_coordinator.api.cookies import GROUPS_COOKIE, cookie_of, set_cookie
from potluck_coordinator.api.deps import TheAsker, TheSite, check_origin
from potluck_coordinator.api.paging import MostListed, Offset
from potluck_coordinator.api.told import told_list
from potluck_coordinator.core.errors import Conflict
from potluck_coordinator.core.manners import network_of
from potluck_coordinator.services import groups
from potluck_coordinator.services.reach import KEYS_APART, MOST_KEYS, split_keys
from potluck_coordinator.storage.pages import MOST_LISTED

router = APIRouter(prefix="/groups", tags=["groups"])
donor_router = APIRouter(prefix="/donor/groups", tags=["groups"])
KEYS_SECONDS = 400 * 24 * 3600
"""As long as browsers keep a cookie."""


@router.get("", response_model=list[Group])
async def list_groups(
    site: TheSite, asker: TheAsker, limit: MostListed = MOST_LISTED, offset: Offset = 0
) -> Response:
    """List your groups, oldest first: a page of them; of all groups for the admin.

    A page has at most `limit`; the next one begins at `offset` and how many this one has. After
    the last group it is empty.
    """
    return await told_list(await groups.mine(site, asker, limit=limit, offset=offset))


@router.post("", status_code=201)
async def post_group(site: TheSite, asker: TheAsker, body: GroupMaking) -> Group:
    """Make a group: studies for it are trained by its members' donors, and your own."""
    return await groups.make(site, asker, body.name)


@router.get("/{group_id}")
async def get_group(site: TheSite, asker: TheAsker, group_id: str) -> Group:
    """Give one of your groups."""
    return await groups.get(site, asker, group_id)


@router.patch("/{group_id}")
async def patch_group(site: TheSite, asker: TheAsker, group_id: str, body: GroupChange) -> Group:
    """Rename a group."""
    return await groups.rename(site, asker, group_id, body.name)


@router.delete("/{group_id}", status_code=204)
async def delete_group(site: TheSite, asker: TheAsker, group_id: str) -> None:
    """Delete a group whose studies have ended, with its members' keys."""
    await groups.delete(site, asker, group_id)


@router.post("/{group_id}/code")
async def post_code(site: TheSite, asker: TheAsker, group_id: str) -> Group:
    """Make a new code; the old one lets nobody join any more, and members stay."""
    return await groups.change_code(site, asker, group_id)


@router.get("/{group_id}/members", response_model=list[Member])
async def list_members(site: TheSite, asker: TheAsker, group_id: str) -> Response:
    """List a group's members, of whom there are 2,000 at most."""
    return await told_list(await groups.members(site, asker, group_id))


@router.delete("/{group_id}/members/{member_id}", status_code=204)
async def delete_member(site: TheSite, asker: TheAsker, group_id: str, member_id: str) -> None:
    """Remove a member: it gets no new units, and no rows."""
    await groups.remove_member(site, asker, group_id, member_id)


@donor_router.get("")
async def list_joined(site: TheSite, request: Request) -> list[JoinedGroup]:
    """List the groups that this browser has joined, by its cookie with their keys."""
    return await groups.joined(site, _keys(request))


@donor_router.post("/invitation")
async def post_invitation(site: TheSite, request: Request, body: Invitation) -> InvitedGroup:
    """Say which group a code lets one join."""
    check_origin(request)
    return await groups.invited_to(site, body.code, _network(request))


@donor_router.post("/join")
async def post_join(
    site: TheSite, request: Request, response: Response, body: Joining
) -> JoinedGroup:
    """Join a group by its code: its key may donate for it, and nothing else."""
    check_origin(request)
    if body.keep == "answer":
        return await groups.join(site, body.code, body.name, _network(request), ())
    keys = _keys(request)
    if len(keys) >= MOST_KEYS:
        raise Conflict(
            "group.too_many_joined",
            "This browser has joined all the groups that it may.",
            expected=f"at most {MOST_KEYS}",
            got="one more",
            hint="Leave one on the Donate page.",
        )
    joined = await groups.join(site, body.code, body.name, _network(request), keys)
    if joined.key is not None:
        _keep(site, request, response, [*keys, joined.key])
    return joined.model_copy(update={"key": None})


@donor_router.delete("/{group_id}")
async def delete_joined(
    site: TheSite, request: Request, response: Response, group_id: str
) -> list[JoinedGroup]:
    """Leave a group that this browser has joined; its key ends."""
    check_origin(request)
    left = await groups.leave(site, group_id, _keys(request))
    _keep(site, request, response, left)
    return await groups.joined(site, left)


def _keys(request: Request) -> list[str]:
    return split_keys(cookie_of(request, GROUPS_COOKIE))


def _keep(site: TheSite, request: Request, response: Response, keys: list[str]) -> None:
    value, seconds = KEYS_APART.join(keys), KEYS_SECONDS if keys else 0
    set_cookie(site, request, response, GROUPS_COOKIE, value, seconds=seconds)


def _network(request: Request) -> str | None:
    return None if request.client is None else network_of(request.client.host)
