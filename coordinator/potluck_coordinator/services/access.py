"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from potluck_coordinator.core.errors import NotAllowed, NotFound, NotSignedIn
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.turns import visitors_turn
from potluck_coordinator.core.visitors import ANYONE, has_no_account

Role = Literal["anonymous", "donor", "submitter", "admin"]
"""`donor`: who came with a token that may only donate."""


@dataclass(frozen=True)
class Asker:
    """One request's author. On an open coordinator all without an account go by `anyone`."""

    name: str
    """How others are told of this asker; not what says whose a thing is."""
    role: Role
    open: bool = False
    visitor: str = ""
    """The owner that belongs to the visitor's key which came along; empty without a key."""
    account_id: str = ""
    """Of whoever has an account."""
    token_id: str = ""
    """Of the token that came, or that opened the browser's session."""
    network: str = ""
    """Where the request came from: an IPv4 address or an IPv6 /64; empty where nobody knows."""

    @property
    def has_account(self) -> bool:
        """Say whether an account's things are this asker's."""
        return self.role in ("submitter", "admin")

    @property
    def may_submit(self) -> bool:
        """Say whether this asker may upload and make studies."""
        return self.has_account or (self.open and self.role != "donor")

    @property
    def owner(self) -> str:
        """Give whom this asker's new things are kept under; without a key or account nobody's."""
        return self.name if self.has_account else self.visitor or ANYONE

    @property
    def turn(self) -> str:
        """Give whose turns this asker's jobs take: an account's, or a visitor's and its network's.

        Keys cost visitors nothing, and networks do: see `core.turns.crowd_of`.
        """
        return self.owner if self.has_account else visitors_turn(self.owner, self.network)

    @property
    def owners(self) -> tuple[str, ...]:
        """Give whose things are this asker's: an account's, and what its browser made before."""
        if self.role == "donor":
            return ()
        account = (self.name,) if self.has_account else ()
        return (*account, self.visitor) if self.open and self.visitor else account

    @property
    def seen_owners(self) -> tuple[str, ...] | None:
        """Give whose private things this asker sees, for queries; None: everybody's."""
        return None if self.role == "admin" else self.owners

    def owns(self, owner: str) -> bool:
        """Say whether a thing is this asker's to change.

        Args:
            owner: Whom it is kept under.
        """
        return self.role == "admin" or owner in self.owners

    def must_do_more(self) -> None:
        """Raise NotAllowed for whoever may donate, and nothing else."""
        if self.role == "donor":
            raise NotAllowed(
                "access.donate_only",
                "This token may only donate.",
                expected="a token of an account, with scope `all`",
                got="one with scope `donate`",
                hint="Use it with `potluck donate --token`, or on the Donate page.",
            )

    def must_have_account(self) -> None:
        """Raise unless this asker has an account."""
        self.must_do_more()
        if not self.has_account:
            raise NotSignedIn(
                "access.token_needed",
                "This needs an account's token.",
                expected="a token from this coordinator's operator",
                got="none",
                hint="Sign in under Account, or ask the operator for a token.",
            )

    def must_submit(self) -> None:
        """Raise NotSignedIn unless this asker may submit."""
        self.must_do_more()
        if not self.may_submit:
            raise NotSignedIn(
                "access.token_needed",
                "Submitting needs a token.",
                expected="a token from this coordinator's operator",
                got="none",
                hint="Sign in under Account, or ask the operator for a token.",
            )

    def must_be_admin(self) -> None:
        """Raise unless this asker runs the coordinator."""
        self.must_do_more()
        if self.role == "anonymous":
            raise NotSignedIn("access.token_needed", "This needs the admin's token.")
        if self.role != "admin":
            raise NotAllowed("access.admin_only", "Only the admin may do this.", got=self.role)

    def must_own(self, owner: str, code: str) -> None:
        """Raise NotFound unless this asker owns the thing: others need not know that it exists.

        Args:
            owner: Whom it is kept under.
            code: The refusal's code.
        """
        if not self.owns(owner):
            raise NotFound(code, "There is no such thing, or it is not yours.")

    def must_use(self, owner: str, code: str) -> None:
        """Raise NotFound unless this asker may make a study of the thing.

        Whoever shows no key may use what was uploaded without one, and no more than use it.

        Args:
            owner: Whom it is kept under.
            code: The refusal's code.
        """
        if not (self.may_submit and owner == self.owner):
            self.must_own(owner, code)

    def may_see(self, study: Study) -> bool:
        """Say whether this asker may see a study."""
        return study.visibility == "public" or self.may_edit(study)

    def may_edit(self, study: Study) -> bool:
        """Say whether this asker may stop, extend or delete a study."""
        return self.owns(study.owner)

    def must_see(self, study: Study) -> None:
        """Raise NotFound for a study that this asker may not see."""
        if not self.may_see(study):
            raise NotFound("study.not_found", "There is no such study.", got=study.id)

    def must_edit(self, study: Study) -> None:
        """Raise NotAllowed for a study that belongs to somebody else."""
        if self.may_edit(study):
            return
        visited = has_no_account(study.owner)
        raise NotAllowed(
            "access.not_yours",
            "This study belongs to somebody else.",
            expected=_who_may(study.owner),
            got=self._told(),
            hint="Ask this coordinator's operator, who may stop and delete every study here."
            if visited
            else "",
        )

    def _told(self) -> str:
        if self.role != "anonymous":
            return self.name
        return "another visitor" if self.visitor else "nobody"


def _who_may(owner: str) -> str:
    if owner == ANYONE:
        return "the operator: it was submitted without an account or a visitor's key"
    if has_no_account(owner):
        return "the browser or the program that submitted it, or the operator"
    return owner
