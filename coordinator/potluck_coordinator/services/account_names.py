"""Names of accounts: none can be taken for another one's."""

from __future__ import annotations

from potluck_coordinator.core.errors import Conflict
from potluck_coordinator.core.names import likeness
from potluck_coordinator.storage import access
from potluck_coordinator.storage.transaction import Transaction


def must_differ(tx: Transaction, name: str, *, but: str | None = None) -> None:
    """Refuse a name that can be taken for another account's.

    Args:
        tx: A transaction.
        name: The name.
        but: The account that may be so called: it is to be renamed.

    Raises:
        Conflict: `access.name_taken`.
    """
    names = [account.name for account in access.list_accounts(tx)]
    alike = [found for found in names if found != but and likeness(found) == likeness(name)]
    if alike and name not in alike:
        raise Conflict(
            "access.name_taken",
            "An account of a name that looks like this one exists.",
            expected="a name that cannot be taken for another account's",
            got=f"{name}, beside {alike[0]}",
            hint="Choose another name.",
            where="name",
        )
