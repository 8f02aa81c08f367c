"""What the demo shows while it runs: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from potluck.protocol.records import LeaderboardRow, Study
from potluck.waiting import donors_counted, planned

LINE_EVERY = 6
"""Where there is no terminal, a line each so many scored units."""


class StudyProgress:
    """Follow one study as long as the context lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = -LINE_EVERY
        self._bar = Progress(
            TextColumn("[bold]Units scored"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[facts]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("units", total=None, facts="")

    def __enter__(self) -> StudyProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, study: Study) -> None:
        """Show what the record says."""
        counts, total = study.counts, planned(study)
        facts = f"{donors_counted(study)} training, {study.trials_done} trials done"
        if study.best is not None:
            facts += f", best {study.plan.metric} {study.best:.4f}"
        self._bar.update(self._task, completed=counts.scored, total=total or None, facts=facts)
        due = counts.scored - self._said >= LINE_EVERY
        if not self._console.is_terminal and due:
            self._said = counts.scored
            self._console.print(f"  {counts.scored}/{total} units scored, {facts}")


def leaderboard_table(rows: list[LeaderboardRow], metric: str) -> Table:
    """Lay a leaderboard out for the terminal."""
    table = Table(
        title="Leaderboard: every score computed by the coordinator",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
        collapse_padding=True,
    )
    searched = {name for name in rows[0].parameters if _varies(rows, name)} if rows else set()
    names = sorted(searched)
    for heading in ("rank", "trial", metric, "epochs"):
        table.add_column(heading, justify="right")
    for name in names:
        # As words, so that a heading wraps where the terminal is narrow.
        table.add_column(name.removeprefix("layers.").replace("_", " ").replace(".", " "))
    table.add_column("state", min_width=len("completed"))
    for row in rows:
        values = [row.parameters.get(name) for name in names]
        table.add_row(
            "-" if row.rank is None else str(row.rank),
            str(row.trial),
            "-" if row.mean is None else f"{row.mean:.4f}",
            str(row.epochs),
            *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in values),
            row.state,
        )
    return table


def _varies(rows: list[LeaderboardRow], name: str) -> bool:
    return len({row.parameters.get(name) for row in rows}) > 1
