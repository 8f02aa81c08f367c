"""Groups of donors: their owners keep them, and whoever has the code joins."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from potluck.protocol import access as wire
from potluck_coordinator.core.access import TOKEN_BYTES, Token, hash_token, new_token
from potluck_coordinator.core.errors import Conflict, NotFound, NotSignedIn, TooOften
from potluck_coordinator.core.groups import (
    CODE_BYTES,
    MOST_GROUPS,
    MOST_MEMBERS,
    Group,
    hash_code,
    new_code,
)
from potluck_coordinator.core.names import check_name
from potluck_coordinator.core.visitors import ANYONE, has_no_account, shown_owner
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.events import ACCESS
from potluck_coordinator.services.quotas import may_keep_group
from potluck_coordinator.services.sharing import note_network
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, groups, tokens
from potluck_coordinator.storage.pages import MOST_LISTED
from potluck_coordinator.storage.transaction import Transaction, after_commit


async def mine(
    site: Site, asker: Asker, *, limit: int = MOST_LISTED, offset: int = 0
) -> list[wire.Group]:
    """List one's own groups, oldest first: a page of them; of all groups for the admin.

    Args:
        site: The coordinator.
        asker: Who asks.
        limit: How many at most.
        offset: How many the pages before had.
    """

    def look(tx: Transaction) -> list[wire.Group]:
        found = groups.of_owners(tx, asker.seen_owners, limit=limit, offset=offset)
        return [to_wire(tx, group) for group in found]

    return await site.writer.read(look)


async def make(site: Site, asker: Asker, name: str) -> wire.Group:
    """Make a group with a code. Raises BadInput `name.*`, Conflict, NotSignedIn, OverQuota."""
    asker.must_submit()
    name, code = check_name(name, of="a group"), new_code(secrets.token_bytes(CODE_BYTES))
    if asker.owner == ANYONE:
        raise NotSignedIn(
            "group.no_owner",
            "A group belongs to somebody.",
            expected="a token, or a visitor's key, which pages and the SDK send",
            got="neither",
            hint="Make it on the account page, or with the SDK.",
        )
    group = Group(
        id=site.new_id("gr"),
        name=name,
        owner=asker.owner,
        code=code,
        code_hash=hash_code(code),
        created_at=site.now(),
    )

    def act(tx: Transaction) -> wire.Group:
        if len(groups.of_owners(tx, [asker.owner])) >= MOST_GROUPS:
            raise Conflict(
                "group.too_many",
                "You have all the groups that you may have.",
                expected=f"at most {MOST_GROUPS}",
                got="one more",
                hint="Delete one that is not used any more.",
            )
        may_keep_group(site, tx, asker)
        groups.add(tx, group)
        note_network(site, asker, group.owner, group.id)
        return to_wire(tx, group)

    return await site.writer.run(act)


async def get(site: Site, asker: Asker, group_id: str) -> wire.Group:
    """Give one of one's own groups. Raises NotFound `group.not_found`."""
    return await site.writer.read(lambda tx: to_wire(tx, owned(tx, asker, group_id)))


async def rename(site: Site, asker: Asker, group_id: str, name: str) -> wire.Group:
    """Give a group another name. Raises NotFound, Conflict, BadInput."""
    name = check_name(name, of="a group")

    def act(tx: Transaction) -> wire.Group:
        groups.rename(tx, owned(tx, asker, group_id), name)
        return to_wire(tx, groups.get(tx, group_id))

    return await site.writer.run(act)


async def change_code(site: Site, asker: Asker, group_id: str) -> wire.Group:
    """Let another code join a group, and the present one no longer; members stay."""
    code = new_code(secrets.token_bytes(CODE_BYTES))

    def act(tx: Transaction) -> wire.Group:
        groups.change_code(tx, owned(tx, asker, group_id).id, code, hash_code(code))
        return to_wire(tx, groups.get(tx, group_id))

    return await site.writer.run(act)


async def delete(site: Site, asker: Asker, group_id: str) -> None:
    """Delete a group; its members' keys open nothing any more.

    Raises Conflict `group.state` while a study for it runs: nobody could train that any more.
    """

    def act(tx: Transaction) -> None:
        group = owned(tx, asker, group_id)
        running = groups.running_studies(tx, group.id)
        if running:
            raise Conflict(
                "group.state",
                "Studies for this group are running.",
                expected="a group whose studies have ended",
                got=f"{running} running",
                hint="Stop or delete them first.",
            )
        groups.remove(tx, group.id)
        after_commit(tx, lambda: site.whence.forget(group.id))
        after_commit(tx, lambda: site.hub.publish(ACCESS))

    await site.writer.run(act)


async def members(site: Site, asker: Asker, group_id: str) -> list[wire.Member]:
    """List a group's members, oldest first."""

    def look(tx: Transaction) -> list[wire.Member]:
        return [
            wire.Member(
                id=key.id, name=key.name, joined_at=key.created_at, last_used_at=key.last_used_at
            )
            for key in tokens.members_of(tx, owned(tx, asker, group_id).id)
        ]

    return await site.writer.read(look)


async def remove_member(site: Site, asker: Asker, group_id: str, member_id: str) -> None:
    """End a member's key: no new units, and no rows of those that it has. Raises NotFound."""

    def act(tx: Transaction) -> None:
        owned(tx, asker, group_id)
        tokens.get(tx, member_id, group_id=group_id)
        tokens.revoke(tx, member_id, site.now())
        after_commit(tx, lambda: site.hub.publish(ACCESS))

    await site.writer.run(act)


async def invited_to(site: Site, code: str, network: str | None) -> wire.InvitedGroup:
    """Say what a code leads to. Raises NotFound `group.code_unknown`, TooOften."""
    group = await _by_code(site, code, network)
    return wire.InvitedGroup(name=group.name, owner=shown_owner(group.owner))


async def join(
    site: Site, code: str, name: str, network: str | None, keys: Sequence[str]
) -> wire.JoinedGroup:
    """Join a group; give the key, or none to whoever is a member already.

    Args:
        site: The coordinator.
        code: The group's.
        name: What the owner sees this member by.
        network: Where it came from.
        keys: Of groups that whoever asks has joined.

    Raises:
        NotFound: `group.code_unknown`.
        TooOften: `rate.codes` after several wrong codes from one network.
        Conflict: `group.full`.
        BadInput: `name.*`.
    """
    name = check_name(name, of="a member")
    group = await _by_code(site, code, network)
    key = new_token(secrets.token_bytes(TOKEN_BYTES))

    def act(tx: Transaction) -> wire.JoinedGroup:
        now = site.now()
        if _open_group(tx, hash_code(code)) is None:
            raise _unknown()
        if any(joined.id == group.id for joined in _joined(tx, keys, now)):
            return _joined_to_wire(group)
        if tokens.count_members(tx, group.id) >= MOST_MEMBERS:
            raise Conflict(
                "group.full",
                "This group has all the members that it may have.",
                expected=f"at most {MOST_MEMBERS}",
                got="one more",
                hint="Its owner may remove members that left.",
            )
        token = Token(
            id=site.new_id("tk"),
            account_id=None,
            group_id=group.id,
            name=name,
            scope="donate",
            token_hash=hash_token(key),
            created_at=now,
        )
        tokens.forget_former_members(tx, group.id)
        tokens.add(tx, token)
        return _joined_to_wire(group, key)

    return await site.writer.run(act)


async def joined(site: Site, keys: Sequence[str]) -> list[wire.JoinedGroup]:
    """List the groups that these keys belong to; what opens nothing is left out."""
    now = site.now()
    return await site.writer.read(
        lambda tx: [_joined_to_wire(group) for group in _joined(tx, keys, now)]
    )


async def leave(site: Site, group_id: str, keys: Sequence[str]) -> list[str]:
    """End those of these keys that belong to a group; give the others."""

    def act(tx: Transaction) -> list[str]:
        now, left = site.now(), []
        for key in keys:
            found = access.find_by_token_hash(tx, hash_token(key), now)
            if found is None or found.token.group_id != group_id:
                left.append(key)
            else:
                tokens.revoke(tx, found.token.id, now)
        after_commit(tx, lambda: site.hub.publish(ACCESS))
        return left

    return await site.writer.run(act)


def owned(tx: Transaction, asker: Asker, group_id: str) -> Group:
    """Give a group that belongs to the asker. Raises NotFound `group.not_found`."""
    group = groups.get(tx, group_id)
    asker.must_own(group.owner, "group.not_found")
    return group


def to_wire(tx: Transaction, group: Group) -> wire.Group:
    """Give a group as its owner sees it."""
    return wire.Group(
        id=group.id,
        name=group.name,
        owner=shown_owner(group.owner),
        code=group.code,
        members=tokens.count_members(tx, group.id),
        created_at=group.created_at,
    )


def _joined_to_wire(group: Group, key: str | None = None) -> wire.JoinedGroup:
    return wire.JoinedGroup(id=group.id, name=group.name, owner=shown_owner(group.owner), key=key)


def _joined(tx: Transaction, keys: Sequence[str], now: float) -> list[Group]:
    found: dict[str, Group] = {}
    for key in keys:
        bearer = access.find_by_token_hash(tx, hash_token(key), now)
        if bearer is not None and bearer.token.group_id is not None:
            group = groups.get(tx, bearer.token.group_id)
            found[group.id] = group
    return list(found.values())


async def _by_code(site: Site, code: str, network: str | None) -> Group:
    """Find a code's group, and remember who comes with wrong ones."""
    who = network or "nowhere"
    pause = site.guesses.pause_left(who, None, site.now(), delivered=False)
    if pause > 0:
        raise TooOften(
            "rate.codes",
            "Several codes from your network were wrong.",
            retry_after=pause,
            expected=f"a pause of {pause:.0f} s",
            got="another code",
            hint="Try again then, with the whole link.",
        )
    found = await site.writer.read(lambda tx: _open_group(tx, hash_code(code)))
    if found is None:
        site.guesses.failed(who, None, site.now())
        raise _unknown()
    return found


def _open_group(tx: Transaction, code_hash: str) -> Group | None:
    """Give the group of a code, as long as its owner is there to keep it."""
    group = groups.by_code(tx, code_hash)
    if group is None or has_no_account(group.owner):
        return group
    owner = access.find_account(tx, group.owner)
    return None if owner is None or owner.revoked else group


def _unknown() -> NotFound:
    return NotFound(
        "group.code_unknown",
        "No group has this code.",
        expected="the code of a group's link, as its owner gave it",
        got="another one",
        hint="Ask for the link again: its owner may have made a new one.",
        where="code",
    )
