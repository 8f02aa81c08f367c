"""What a donor shows: live lines in a terminal, plain ones elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from potluck_coordinator.donor.holding import Holding


def name_of(holding: Holding) -> str:
    """Name a unit for people."""
    unit = holding.lease.unit
    if unit.kind == "check":
        return unit.study_name
    fold = "" if unit.fold is None else f", fold {unit.fold + 1}"
    what = "the final network" if unit.kind == "refit" else f"trial {unit.trial}{fold}"
    return f"{unit.study_name}: {what}, epochs {unit.from_epoch + 1} to {unit.to_epoch}"


class Show:
    """Show as long as the context lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}% {task.fields[facts]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Show:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Say a line."""
        self._last = text
        # A study's name is text of others: no markup in it counts.
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def again(self, text: str) -> None:
        """Say a line, unless it was the last one already."""
        if text != self._last:
            self.say(text)

    def finished(self, holding: Holding) -> None:
        """Say that a unit was accepted."""
        loss = "" if holding.loss is None else f", loss {holding.loss:.4g}"
        ended = " It diverged, which is a result too." if holding.diverged else ""
        self.say(f"Trained {name_of(holding)}{loss}.{ended}")

    def handed_back(self, holding: Holding) -> None:
        """Say that a unit was handed back with its checkpoint."""
        self.say(f"Handed back {name_of(holding)}, at step {holding.saved_step}.")

    def update(self, held: list[Holding], connected: bool) -> None:
        """Show how far the units in hand are."""
        if not self._console.is_terminal:
            return
        for gone in set(self._tasks) - {holding.id for holding in held}:
            self._bars.remove_task(self._tasks.pop(gone))
        for holding in held:
            if holding.id not in self._tasks:
                self._tasks[holding.id] = self._bars.add_task(name_of(holding), facts="")
            steps = max(holding.last_step - holding.first_step, 1)
            self._bars.update(
                self._tasks[holding.id],
                total=steps,
                completed=holding.step - holding.first_step,
                facts=_facts(holding, connected),
            )


def _facts(holding: Holding, connected: bool) -> str:
    parts = [holding.stage.replace("_", " ")]
    if holding.loss is not None:
        parts.append(f"loss {holding.loss:.4g}")
    if holding.samples_per_second:
        parts.append(f"{holding.samples_per_second:,.0f} samples/s")
    if not connected:
        parts.append("not connected")
    return ", ".join(parts)
