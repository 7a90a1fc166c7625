"""Progress on stderr: what is done, and the time left. A bar on a terminal, else a line every half minute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from vssbench.errors import printable

EVERY = 30.0
"""Seconds between two lines if there is no terminal."""


class Shown:
    """A context manager that shows a bar, or prints lines if stderr is not a terminal; no lines for short work."""

    def __init__(self, console: Console, what: str, total: int | None, unit: str = ""):
        """what: what is being done;  total: None while unknown;  unit: what is counted"""
        units = [TextColumn(f"{unit}, left:")] if unit else []
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *units,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=console.quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=total)
        self._lines = self._bar.disable and not console.quiet
        self._unit, self._what, self._total, self._done = unit, what, total, 0
        self._started = self._said = monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def describe(self, text: str) -> None:
        """Show what is being worked on; of a long text, only the end is shown."""
        self._what = printable(text)
        self._bar.update(self._task, description=escape(self._what[-60:]))

    def tick(self, count: int = 1) -> None:
        """Advance by that many."""
        self._done += count
        self._bar.advance(self._task, count)
        if self._lines and monotonic() - self._said >= EVERY:
            self._said = monotonic()
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        """`vssbench: 240 of 960 frames, 0:01:30 left, mpvss  val_0003`."""
        of = "" if self._total is None else f" of {self._total}"
        said = f"vssbench: {self._done}{of} {self._unit or 'clips'}"
        if self._total:
            left = (monotonic() - self._started) * max(0, self._total - self._done) / self._done
            said += f", {timedelta(seconds=round(left))} left"
        return f"{said}, {self._what}"


class Progress(Shown):
    """A bar over all frames of a run."""

    def __init__(self) -> None:
        super().__init__(Console(stderr=True), "starting", None, "frames")

    def start(self, frames: int) -> None:
        """Set the total number of frames."""
        self._total = frames
        self._bar.update(self._task, total=frames)

    def show(self, method: str, clip: str) -> None:
        """Show what is being worked on."""
        self.describe(f"{method}  {clip}")


@contextmanager
def clip_progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar over clips; yields the function to call after each clip."""
    with Shown(Console(stderr=True), what, total) as shown:

        def advance(clip: str) -> None:
            shown.tick()
            shown.describe(f"{what} {clip}")

        yield advance
