"""The command line. Commands of installed extras join by the entry point group potluck.commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import potluck
from potluck.defaults import DEFAULT_URL
from potluck.extras import add_stand_ins, entry_point_of
from potluck.group_commands import app as group_app

# Each command loads what it needs itself: the client alone takes as long as a whole conversion.
if TYPE_CHECKING:
    from potluck.client import Client
    from potluck.study import Study

EXIT_FAILED = 1

Url = Annotated[str, typer.Option("--url", envvar="POTLUCK_URL", help="The coordinator's address.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="POTLUCK_TOKEN", help="Not needed where it runs with --open."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

app = typer.Typer(
    name="potluck",
    help="Many people's browsers carry one trustworthy hyperparameter search.",
    no_args_is_help=True,
    rich_markup_mode=None,  # its markup would swallow the brackets of "potluck[demo]"
    pretty_exceptions_enable=False,
)


app.add_typer(group_app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(potluck.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    del version


@app.command()
def submit(
    study_file: Annotated[Path, typer.Argument(help="YAML with submit()'s arguments as keys.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it ends, with a bar.")] = False,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Wait, then save the best model (.keras, .h5; .zip: TF.js)."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Do not print what the coordinator understood.")
    ] = False,
    fit_first_layer: Annotated[
        bool,
        typer.Option(
            "--fit-first-layer",
            help="Where the data has another width than the model, let its first layer start anew.",
        ),
    ] = False,
) -> None:
    """Upload a model and data, and start a study."""
    import dataclasses

    from potluck.client import Client
    from potluck.study_file import read_study_file
    from potluck.tables import leaderboard_rows
    from potluck.text_tables import text_table

    written = read_study_file(study_file)
    with Client(url, token) as client:
        options = written.options
        if fit_first_layer:
            options = dataclasses.replace(options, fit_first_layer=True)
        study = client.submit_options(
            written.model, written.data, options, quiet=quiet, save_as=save
        )
        typer.echo(f"Study {study.id}: {study.name}")
        typer.echo(study.url)
        if wait or save is not None:
            act = "wait" if save is None else f"save {_word(save)}"
            study.wait(go_on_with=_command(client, study, act))
            typer.echo(text_table(leaderboard_rows(study.trials())))
        if save is not None:
            typer.echo(f"Saved {study.best.save(save)}")


StudyId = Annotated[str, typer.Argument(help="The study's id, as `potluck status` lists it.")]


@app.command()
def wait(
    study: StudyId,
    url: Url = DEFAULT_URL,
    token: Token = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Seconds to wait at most.")
    ] = None,
) -> None:
    """Wait until a study ends, with a bar, and print its leaderboard; exit 0 if it completed."""
    from potluck.client import Client
    from potluck.tables import leaderboard_rows
    from potluck.text_tables import text_table

    with Client(url, token) as client:
        found = client.study(study)
        found.wait(timeout, go_on_with=_command(client, found, "wait"))
        rows = leaderboard_rows(found.trials())
        typer.echo(text_table(rows) if rows else "No trial has begun.")
        if found.state != "completed":
            typer.echo(f"The study was {found.state}. {found.record.reason}".rstrip(), err=True)
            raise typer.Exit(EXIT_FAILED)


@app.command()
def save(
    study: StudyId,
    path: Annotated[Path, typer.Argument(help="The file: .keras, .h5, or .zip for TF.js.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Download the best model so far."""
    from potluck.client import Client

    with Client(url, token) as client:
        best = client.study(study).best
        typer.echo(f"Saved {best.save(path)}: trial {best.trial}, {best.metric} {best.mean:.4f}")


@app.command()
def stop(study: StudyId, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Stop a study; what is scored stays."""
    from potluck.client import Client

    with Client(url, token) as client:
        found = client.study(study).stop()
        again = _command(client, found, "resume")
        typer.echo(f"{found.name}: {found.state}. It goes on with: {again}")


@app.command()
def resume(study: StudyId, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Let a stopped or failed study go on."""
    from potluck.client import Client

    with Client(url, token) as client:
        found = client.study(study).resume()
        typer.echo(f"{found.name}: {found.state}. {found.url}")


def _command(client: Client, study: Study, act: str) -> str:
    """Write a command about a study, so that it can be copied."""
    verb, _, rest = act.partition(" ")
    where = "" if client.url == DEFAULT_URL else f" --url {_word(client.url)}"
    return f"potluck {verb} {study.id}{' ' * bool(rest)}{rest}{where}"


def _word(given: object) -> str:
    import shlex

    return shlex.quote(str(given))


@app.command()
def status(
    study: Annotated[str | None, typer.Argument(help="A study's id; none: all studies.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say what a coordinator, or one study, is doing."""
    from potluck.client import Client

    with Client(url, token) as client:
        if study is None:
            _show_site(client, as_json)
        else:
            _show_study(client, study, as_json)


@app.command()
def verify(
    ledger: Annotated[str, typer.Argument(help="A ledger's file, a study's id, or its address.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Recompute a ledger's chain; exit 0 only if it holds."""
    from potluck.ledger_source import read_ledger
    from potluck.verification import verify_ledger

    result = verify_ledger(read_ledger(ledger, url, token))
    if result.holds:
        typer.echo(f"The chain of study {result.study_id} holds: {result.entries} entries.")
        typer.echo(f"Head: {result.head}")
        return
    typer.echo(f"The chain of study {result.study_id} is broken. {result.problem}", err=True)
    raise typer.Exit(EXIT_FAILED)


def _show_site(client: Client, as_json: bool) -> None:
    from potluck.text_tables import text_table
    from potluck.waiting import planned

    site = client.status()
    records = [study.record for study in client.studies()]
    if as_json:
        studies = [record.model_dump(mode="json") for record in records]
        typer.echo(json.dumps({"site": site.model_dump(mode="json"), "studies": studies}))
        return
    typer.echo(
        f"{client.url}: Potluck {site.version}, {site.donors_online} donors online, "
        f"{site.studies_running} studies running, {site.units_scored} units scored"
    )
    rows = [
        {
            "study": record.id,
            "name": record.name,
            "state": record.state,
            "trials": f"{record.trials_done}/{record.plan.trials}",
            "units": f"{record.counts.scored}/{planned(record)}",
            "metric": record.plan.metric,
            "best": record.best,
        }
        for record in records
    ]
    typer.echo(text_table(rows) if rows else "No studies yet. Start one: potluck submit study.yaml")


def _show_study(client: Client, study_id: str, as_json: bool) -> None:
    from potluck.tables import leaderboard_rows
    from potluck.text_tables import text_table
    from potluck.waiting import planned

    study = client.study(study_id)
    rows = study.trials()
    if as_json:
        board = [row.model_dump(mode="json") for row in rows]
        record = study.record.model_dump(mode="json")
        typer.echo(json.dumps({"study": record, "leaderboard": board}))
        return
    counts, all_units = study.record.counts, planned(study.record)
    begun = counts.scored + counts.returned + counts.leased + counts.set_aside
    to_go = max(0, all_units - begun)
    typer.echo(f"{study.name}: {study.state}. {study.record.reason}".rstrip())
    typer.echo(study.url)
    typer.echo(
        f"Units: {counts.scored} of {all_units} scored, {counts.returned} returned, "
        f"{counts.leased} in training, {to_go} to go, {counts.set_aside} set aside"
    )
    typer.echo(text_table(leaderboard_rows(rows)) if rows else "No trial has begun.")


def join_extras(arguments: Sequence[str]) -> None:
    """Let installed extras add their commands; what one needs and lacks gets a stand-in.

    Where the command is one that a certain extra brings, the others are not loaded.
    """
    from importlib.metadata import entry_points

    wanted = entry_point_of(arguments[0]) if arguments else None
    for entry in entry_points(group="potluck.commands"):
        if wanted not in (None, entry.name):
            continue
        try:
            add_to = entry.load()
            add_to(app)
        except ImportError as error:
            add_stand_ins(app, entry.name, error)
