"""Groups of donors: whoever joins one trains the studies that are for it."""

from __future__ import annotations

from pydantic import ValidationError

from potluck.arguments import shown
from potluck.errors import BadArgument
from potluck.protocol.access import Group, GroupChange, GroupMaking, Member
from potluck.transport import Transport

PATH = "/api/v1/groups"


class Groups:
    """Your groups at one coordinator, as `Client.groups` gives them.

    Wherever a group is asked for, its record, its name or its id will do.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Group]:
        """Give your groups, oldest first."""
        return self._transport.get_all(list[Group], PATH)

    def make(self, name: str) -> Group:
        """Make a group; `link` gives what to send to those who are to join."""
        return self._transport.post(Group, PATH, GroupMaking(name=_name(name)))

    def find(self, group: Group | str) -> Group:
        """Give one of your groups. Raises `BadArgument` where none, or several, are called so."""
        if isinstance(group, Group):
            return group
        there = self.all()
        found = [g for g in there if g.id == group] or [g for g in there if g.name == group]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadArgument(f"{len(found)} groups are called {group!r}: give the id.")
        names = ", ".join(repr(g.name) for g in there) or "none"
        raise BadArgument(f"You have no group {group!r}; there are: {names}.")

    def link(self, group: Group | str) -> str:
        """Give the address at which a browser joins; `potluck donate --join` takes it, too."""
        return f"{self._transport.url}/join/{self.find(group).code}"

    def rename(self, group: Group | str, name: str) -> Group:
        """Give a group another name."""
        body = GroupChange(name=_name(name))
        return self._transport.patch(Group, f"{PATH}/{self.find(group).id}", body)

    def new_code(self, group: Group | str) -> Group:
        """Make a new link; the old one lets nobody join any more, and members stay."""
        return self._transport.post(Group, f"{PATH}/{self.find(group).id}/code")

    def members(self, group: Group | str) -> list[Member]:
        """List who joined and was not removed, oldest first."""
        return self._transport.get(list[Member], f"{PATH}/{self.find(group).id}/members")

    def remove(self, group: Group | str, member: Member | str) -> None:
        """Remove a member: it gets no new units, and no rows."""
        given = member.id if isinstance(member, Member) else member
        self._transport.delete(f"{PATH}/{self.find(group).id}/members/{given}")

    def delete(self, group: Group | str) -> None:
        """Delete a group whose studies have ended, with its members' keys."""
        self._transport.delete(f"{PATH}/{self.find(group).id}")


def _name(given: object) -> str:
    try:
        return GroupMaking.model_validate({"name": given}).name
    except ValidationError:
        raise BadArgument(
            f"A group's name must be text of 1 to 120 characters, got {shown(given)}."
        ) from None
