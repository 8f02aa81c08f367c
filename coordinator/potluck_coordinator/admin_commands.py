"""`potluck admin`: accounts and tokens on the server's own machine, also while it runs.

Whoever may write the data folder may do everything here. Each command is one short transaction,
which a running coordinator sees at the next request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from potluck.errors import BadArgument, PotluckError
from potluck_coordinator.core.errors import PotluckError as Refusal
from potluck_coordinator.plain import read_settings

if TYPE_CHECKING:
    from potluck_coordinator.services.books import Books

app = typer.Typer(
    name="admin",
    help="Accounts and tokens, on the server's own machine; also while it runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Data = Annotated[Path | None, typer.Option("--data", help="The coordinator's data folder.")]
TOKEN_HELP = "The token's id, as `tokens` lists it."


@contextmanager
def _opened(data: Path | None) -> Iterator[Books]:
    """Open a coordinator's database, and let the command line say a refusal in one line."""
    from potluck_coordinator.services.books import Books
    from potluck_coordinator.storage.opening import engine_for, open_beside

    try:
        engine = engine_for(read_settings(data=data).database_url())
        with open_beside(engine) as session:
            yield Books(session)
    except Refusal as error:
        raise PotluckError(f"{error.message} {error.hint}".strip()) from error


@app.command("accounts")
def list_accounts(data: Data = None) -> None:
    """List all accounts."""
    with _opened(data) as books:
        for line in books.accounts():
            typer.echo(line)


@app.command("tokens")
def list_tokens(
    account: Annotated[str, typer.Argument(help="The account's name.")], data: Data = None
) -> None:
    """List an account's tokens; the secrets are kept by nobody."""
    with _opened(data) as books:
        for line in books.tokens(account):
            typer.echo(line)


@app.command("new-account")
def new_account(
    name: Annotated[str, typer.Argument(help="What the account is called.")],
    admin: Annotated[
        bool, typer.Option("--admin", help="It may do everything, as the first admin may.")
    ] = False,
    data: Data = None,
) -> None:
    """Make an account. Its first token is printed once, to this terminal."""
    with _opened(data) as books:
        token = books.new_account(name, "admin" if admin else "submitter")
    typer.echo(token)


@app.command("rename-account")
def rename_account(
    account: Annotated[str, typer.Argument(help="The account's name until now.")],
    name: Annotated[str, typer.Argument(help="What it is to be called.")],
    data: Data = None,
) -> None:
    """Give an account another name; it keeps its things. Ledgers keep the former name."""
    with _opened(data) as books:
        typer.echo(books.rename_account(account, name))


@app.command("new-token")
def new_token(
    account: Annotated[
        str | None, typer.Argument(help="The account's name; none: the first admin's.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the token is called.")] = "made on the server",
    donate_only: Annotated[
        bool, typer.Option("--donate-only", help="It may donate, and opens nothing else.")
    ] = False,
    days: Annotated[
        float | None,
        typer.Option(help="In how many days from now it expires.", show_default="never"),
    ] = None,
    data: Data = None,
) -> None:
    """Make a token: the way back for a lost admin token. It is printed once, to this terminal."""
    with _opened(data) as books:
        token = books.new_token(account, name, "donate" if donate_only else "all", days)
    typer.echo(token)


@app.command("rename-token")
def rename_token(
    token: Annotated[str, typer.Argument(help=TOKEN_HELP)],
    name: Annotated[str, typer.Argument(help="What it is to be called.")],
    data: Data = None,
) -> None:
    """Give a token another name."""
    with _opened(data) as books:
        typer.echo(books.rename_token(token, name))


@app.command("expire-token")
def expire_token(
    token: Annotated[str, typer.Argument(help=TOKEN_HELP)],
    days: Annotated[
        str, typer.Argument(help="In how many days from now (0: at once), or `never`.")
    ],
    data: Data = None,
) -> None:
    """Let a token expire by itself, at another time, or never. One that has ended stays so."""
    with _opened(data) as books:
        typer.echo(books.expire_token(token, _days(days)))


@app.command("revoke-token")
def revoke_token(
    token: Annotated[str, typer.Argument(help=TOKEN_HELP)],
    data: Data = None,
) -> None:
    """Revoke a token, with every browser's session that it opened."""
    with _opened(data) as books:
        typer.echo(books.revoke_token(token))


@app.command("revoke-account")
def revoke_account(
    account: Annotated[str, typer.Argument(help="The account's name.")], data: Data = None
) -> None:
    """Revoke an account with all its tokens and sessions; what it made stays."""
    with _opened(data) as books:
        typer.echo(books.revoke_account(account))


def _days(text: str) -> float | None:
    if text.strip().lower() == "never":
        return None
    try:
        return float(text)
    except ValueError:
        raise BadArgument(f"DAYS is {text!r}; it may be a number of days, or never.") from None
