"""The coordinator's part of the `potluck` command: what runs, keeps and feeds a coordinator."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from potluck.errors import BadArgument, MissingExtra, PotluckError
from potluck.version import VERSION
from potluck_coordinator.admin_commands import app as admin_app
from potluck_coordinator.logs import set_up
from potluck_coordinator.plain import plainly, read_settings
from potluck_coordinator.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def add_to(app: typer.Typer) -> None:
    """Add the commands that need a coordinator."""
    app.command()(serve)
    app.command()(backup)
    app.command()(restore)
    app.add_typer(admin_app)
    app.command()(donate)
    app.command()(demo)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8000")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for everything that is kept.")] = None,
    open: Annotated[
        bool | None, typer.Option("--open/--closed", help="Let anybody submit, without a token.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Jobs of one kind at once: encoding, scoring and others.", show_default="2"
        ),
    ] = None,
    own_donor: Annotated[
        float | None,
        typer.Option(
            help="Share of a core with which it trains again what donors handed in; 0: never.",
            show_default="0.5",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key.")] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            help="How events are told: json (an object a line), text, or auto.",
            show_default="text on a terminal, else json",
        ),
    ] = None,
) -> None:
    """Run a coordinator. What is not given here may be set by POTLUCK_* variables."""
    from potluck_coordinator.start_checks import CannotServe, check_tls, listen
    from potluck_coordinator.storage.opening import opened

    try:
        settings = read_settings(
            host=host,
            port=port,
            data=data,
            open=open,
            workers=workers,
            own_donor=own_donor,
            tls_cert=tls_cert,
            tls_key=tls_key,
            log_format=log_format,
        )
        check_tls(settings)
        listener = listen(settings.host, settings.port)
    except (CannotServe, PotluckError) as error:
        typer.echo(f"potluck: {error}", err=True)
        raise typer.Exit(1) from error
    from potluck_coordinator.app import create_app  # what lacks is said before data are touched

    set_up(settings.log_format, settings.log_level)
    with plainly(), opened(settings.data, settings.database_url()) as engine:
        _serve(settings, create_app(settings, engine), listener)


def _serve(settings: Settings, app: FastAPI, listener: socket.socket) -> None:
    import uvicorn
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    from potluck_coordinator.api.connections import CarefulSocket, careful
    from potluck_coordinator.api.listening import CountedListener
    from potluck_coordinator.api.open_files import most_connections
    from potluck_coordinator.api.transports import HEAD_BYTES, careful_tls
    from potluck_coordinator.app import say_farewell, settle
    from potluck_coordinator.greeting import greet

    scheme = "https" if settings.tls_cert else "http"
    shown = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host
    address = f"{scheme}://{shown}:{listener.getsockname()[1]}"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            if settings.tls_cert is not None:
                careful_tls(asyncio.get_running_loop())
            await super().startup(sockets=sockets)
            if self.started:
                settle()
                greet(address, settings.data, app.state.admin_token)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await say_farewell(app)  # uvicorn closes sockets before the app hears of the end
            await super().shutdown(sockets=sockets)

    most = most_connections(settings.connections)
    config = uvicorn.Config(
        app,
        log_config=None,  # `logs.set_up` did it
        log_level="warning",
        access_log=False,
        http=careful(settings, most),
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws=CarefulSocket,
        ws_max_size=256 * 1024,
        ws_per_message_deflate=False,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=5,
    )
    if settings.tls_cert is not None:
        trusted = ProxyHeadersMiddleware(cast(Any, app), config.forwarded_allow_ips).trusted_hosts
        listener = CountedListener(listener, settings, most, trusted.__contains__)
    server = Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(1)


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    data: Annotated[Path | None, typer.Option(help="The coordinator's data folder.")] = None,
) -> None:
    """Write all that a coordinator keeps into one file, also while it runs.

    The database and the artifacts are those of the coordinator: of the data folder, or of
    POTLUCK_DATABASE and POTLUCK_ARTIFACTS.
    """
    from potluck_coordinator.storage.backup import back_up
    from potluck_coordinator.storage.opening import engine_for, store_at

    settings = read_settings(data=data)
    with plainly():
        engine = engine_for(settings.database_url())
        done = back_up(engine, store_at(settings.artifact_place(), make=False), file, VERSION)
        engine.dispose()
    rows = sum(table.rows for table in done.tables.values())
    typer.echo(f"{file}: {rows} rows, {len(done.artifacts)} artifacts, revision {done.revision}")
    if done.lost:
        typer.echo(
            f"potluck: {len(done.lost)} artifacts that the database names are missing or damaged "
            f"in the store, the first is {done.lost[0]}; the backup holds everything else.",
            err=True,
        )
        raise typer.Exit(1)


def restore(
    file: Annotated[Path, typer.Argument(help="What `potluck backup` wrote.")],
    data: Annotated[Path, typer.Option(help="An empty folder, or one that is not there yet.")],
) -> None:
    """Restore a backup into an empty place, after a check of every hash.

    A coordinator with `--data` on that folder goes on from there. POTLUCK_DATABASE and
    POTLUCK_ARTIFACTS name other places for the database and the artifacts; they must be empty, too.
    """
    from potluck_coordinator.storage.backup import restore as restore_all

    settings = read_settings(data=data)
    with plainly():
        done = restore_all(file, data, settings.database_url(), settings.artifact_place())
    rows = sum(table.rows for table in done.tables.values())
    typer.echo(f"{data}: {rows} rows, {len(done.artifacts)} artifacts, as of {done.made_at}")
    if done.lost:
        typer.echo(f"{len(done.lost)} artifacts were missing when the backup was made.")


def donate(
    url: Annotated[str, typer.Argument(help="The coordinator's address.")],
    workers: Annotated[
        int, typer.Option(help="Units trained at a time, each on a core (or all on the GPU).")
    ] = 1,
    backend: Annotated[
        str, typer.Option(help="What JAX trains on: auto, cpu or gpu.", metavar="NAME")
    ] = "auto",
    once: Annotated[bool, typer.Option("--once", help="Stop when there is no work.")] = False,
    patience: Annotated[
        float, typer.Option(help="With --once: for so many seconds there must have been none.")
    ] = 10.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Donate as somebody new.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder for identity and unfinished work.", show_default="user's own"),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="What units may take together, such as 4G.", show_default="no limit"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="For whom: a token (one that may only donate will do), so that its account's own "
            "studies are trained here, too.",
            envvar="POTLUCK_TOKEN",
            show_default=False,
        ),
    ] = None,
    join: Annotated[
        str | None,
        typer.Option(help="Join a group first, by its link or code.", metavar="LINK"),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open the donate page in a headless Chromium instead.")
    ] = False,
    tabs: Annotated[int, typer.Option(help="With --browser: tabs.")] = 1,
) -> None:
    """Train other people's units on this machine. Ctrl-C hands back what is unfinished."""
    if browser:
        try:
            from potluck_coordinator.donor.tabs import donate_in_tabs
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"`potluck donate --browser` needs more than is installed (missing: {error.name}). "
                'Bring it with: pip install "potluck[demo]"'
            ) from error

        if join is not None:
            raise BadArgument("--join goes without --browser, whose tabs begin as somebody new.")
        raise typer.Exit(donate_in_tabs(url, tabs, token))
    from potluck_coordinator.donor.options import options_from
    from potluck_coordinator.donor.run import donate as run_donor

    raise typer.Exit(
        run_donor(
            options_from(
                url=url,
                workers=workers,
                backend=backend,
                once=once,
                patience_s=patience,
                fresh=fresh,
                state=state,
                memory=memory,
                token=token,
                join=join,
            )
        )
    )


def demo(
    stay: Annotated[bool, typer.Option(help="Leave it running afterwards.")] = False,
    out: Annotated[Path, typer.Option(help="Where the best model is saved.")] = Path(
        "demo-best.h5"
    ),
) -> None:
    """Show everything at work: a coordinator, two browser tabs, twelve trials on real data."""
    from potluck_coordinator.demo.run import run_demo

    raise typer.Exit(run_demo(stay=stay, out=out))
