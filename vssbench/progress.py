"""Progress on stderr: what is done, time left. Silent where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from vssbench.errors import printable


class Shown:
    """A bar on a terminal while in use as a context manager, nothing elsewhere."""

    def __init__(self, console: Console, what: str, total: int | None, unit: str = ""):
        """what: is being done;  total: None where that is not known yet;  unit: of what is counted"""
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

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def describe(self, text: str) -> None:
        """Say what is being worked on; the end of a long text."""
        self._bar.update(self._task, description=escape(printable(text)[-60:]))

    def tick(self, count: int = 1) -> None:
        """That many more are done."""
        self._bar.advance(self._task, count)


class Progress(Shown):
    """A bar over all frames of a run."""

    def __init__(self) -> None:
        super().__init__(Console(stderr=True), "starting", None, "frames")

    def start(self, frames: int) -> None:
        """Say how many frames there are in all."""
        self._bar.update(self._task, total=frames)

    def show(self, method: str, clip: str) -> None:
        """Say what is being worked on."""
        self.describe(f"{method}  {clip}")


@contextmanager
def clip_progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar over clips: gives the function to call with each clip that is done."""
    with Shown(Console(stderr=True), what, total) as shown:

        def advance(clip: str) -> None:
            shown.tick()
            shown.describe(f"{what} {clip}")

        yield advance
