"""What a training says while it runs: a bar on a terminal, a line for each entry of the log elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Report:
    """Used as a context manager; everything goes to stderr."""

    def __init__(self, steps: int, quiet: bool = False):
        """quiet: say nothing (every process but the first)"""
        self.steps = steps
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(
            *columns, console=self._console, transient=True, disable=quiet or not self._console.is_terminal
        )
        self._task = self._bar.add_task("training", total=steps)

    def __enter__(self) -> Report:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, entry: Mapping[str, Any]) -> None:
        """An entry of the log: losses, or a validation."""
        text = _validation(entry, self.steps) if "validation" in entry else _losses(entry, self.steps)
        self._bar.update(self._task, completed=entry["step"])
        if "loss" in entry:
            self._bar.update(self._task, description=escape(f"loss {entry['loss']:.4g}"))
        if "validation" in entry or not self._console.is_terminal:
            self._console.print(text, markup=False)

    def finished(self, files: Mapping[str, Path]) -> None:
        for path in files.values():
            self._console.print(f"written: {path}", markup=False)


def _losses(entry: Mapping[str, Any], steps: int) -> str:
    parts = ", ".join(f"{name} {value:.4g}" for name, value in entry["losses"].items())
    left = timedelta(seconds=round((steps - entry["step"]) * entry["seconds_per_step"]))
    pace = f"{entry['seconds_per_step']:.3g} s a step, left {left}"
    return f"step {entry['step']}/{steps}: loss {entry['loss']:.4g} ({parts}), rate {entry['rate']:.3g}, {pace}"


def _validation(entry: Mapping[str, Any], steps: int) -> str:
    found = entry["validation"]
    figure = "undefined" if found["mIoU"] is None else f"{found['mIoU']:.2f}"
    return f"step {entry['step']}/{steps}: mIoU {figure} on {found['clips']} clips ({found['protocol']})"
