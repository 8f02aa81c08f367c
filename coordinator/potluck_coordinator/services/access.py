"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from potluck_coordinator.core.errors import NotAllowed, NotFound, NotSignedIn
from potluck_coordinator.core.records import Study

Role = Literal["anonymous", "submitter", "admin"]


@dataclass(frozen=True)
class Asker:
    """One request's author. On an open coordinator everybody submits under the name `anyone`."""

    name: str
    role: Role
    open: bool = False

    @property
    def may_submit(self) -> bool:
        """Say whether this asker may upload and make studies."""
        return self.open or self.role in ("submitter", "admin")

    def must_submit(self) -> None:
        """Raise NotSignedIn unless this asker may submit."""
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
        if self.role == "anonymous":
            raise NotSignedIn("access.token_needed", "This needs the admin's token.")
        if self.role != "admin":
            raise NotAllowed("access.admin_only", "Only the admin may do this.", got=self.role)

    def must_own(self, owner: str, code: str) -> None:
        """Raise NotFound unless this asker owns the thing: others need not know that it exists."""
        if self.role != "admin" and not (self.may_submit and self.name == owner):
            raise NotFound(code, "There is no such thing, or it is not yours.")

    def may_see(self, study: Study) -> bool:
        """Say whether this asker may see a study."""
        return study.visibility == "public" or self.may_edit(study)

    def may_edit(self, study: Study) -> bool:
        """Say whether this asker may stop, extend or delete a study."""
        return self.role == "admin" or (self.may_submit and self.name == study.owner)

    def must_see(self, study: Study) -> None:
        """Raise NotFound for a study that this asker may not see."""
        if not self.may_see(study):
            raise NotFound("study.not_found", "There is no such study.", got=study.id)

    def must_edit(self, study: Study) -> None:
        """Raise NotAllowed for a study that belongs to somebody else."""
        if not self.may_edit(study):
            raise NotAllowed(
                "access.not_yours",
                "This study belongs to somebody else.",
                expected=study.owner,
                got=self.name or "nobody",
            )
