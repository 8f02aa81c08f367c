"""`potluck group`: the donors of a study that is not for everyone."""

from __future__ import annotations

from typing import Annotated

import typer

from potluck.defaults import DEFAULT_URL

app = typer.Typer(
    name="group",
    help="Groups of donors, for studies that not everyone may train.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Url = Annotated[str, typer.Option("--url", envvar="POTLUCK_URL", help="The coordinator's address.")]
Token = Annotated[str | None, typer.Option("--token", envvar="POTLUCK_TOKEN")]
Name = Annotated[str, typer.Argument(help="The group's name, or its id.")]


@app.command("list")
def list_groups(url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List your groups with their links."""
    from potluck.client import Client
    from potluck.text_tables import text_table

    with Client(url, token) as client:
        rows: list[dict[str, object]] = [
            {
                "group": group.id,
                "name": group.name,
                "members": group.members,
                "link": client.groups.link(group),
            }
            for group in client.groups.all()
        ]
    typer.echo(text_table(rows) if rows else "No groups yet. Make one: potluck group new NAME")


@app.command()
def new(name: Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Make a group; print the link by which donors join."""
    from potluck.client import Client

    with Client(url, token) as client:
        typer.echo(client.groups.link(client.groups.make(name)))


@app.command("new-link")
def new_link(name: Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Make another link; the old one lets nobody join any more, and members stay."""
    from potluck.client import Client

    with Client(url, token) as client:
        typer.echo(client.groups.link(client.groups.new_code(name)))


@app.command()
def rename(
    name: Name,
    to: Annotated[str, typer.Argument(help="The new name.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Rename a group."""
    from potluck.client import Client

    with Client(url, token) as client:
        typer.echo(f"{client.groups.rename(name, to).name}: renamed")


@app.command()
def members(name: Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List a group's members."""
    from potluck.client import Client
    from potluck.text_tables import text_table

    with Client(url, token) as client:
        rows: list[dict[str, object]] = [
            {"member": member.id, "name": member.name} for member in client.groups.members(name)
        ]
    typer.echo(text_table(rows) if rows else "Nobody has joined yet.")


@app.command()
def remove(
    name: Name,
    member: Annotated[str, typer.Argument(help="The member's id, as `members` lists it.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Remove a member: it gets no new units, and no rows."""
    from potluck.client import Client

    with Client(url, token) as client:
        client.groups.remove(name, member)
        typer.echo("Removed.")


@app.command()
def delete(name: Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Delete a group whose studies have ended."""
    from potluck.client import Client

    with Client(url, token) as client:
        client.groups.delete(name)
        typer.echo("Deleted.")
