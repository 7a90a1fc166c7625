"""Progress on stderr: what is done, time left. Silent where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from vssbench.errors import printable


class Progress:
    """A bar over all frames of a run, used as a context manager."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("frames, left:"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, frames: int) -> None:
        """Say how many frames there are in all."""
        self._bar.update(self._task, total=frames)

    def show(self, method: str, clip: str) -> None:
        """Say what is being worked on."""
        self._bar.update(self._task, description=escape(printable(f"{method}  {clip}")[-60:]))

    def tick(self, frames: int = 1) -> None:
        """That many more frames are done."""
        self._bar.advance(self._task, frames)


@contextmanager
def clip_progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar over clips: gives the function to call with each clip that is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda clip: progress.update(task, advance=1, description=escape(printable(f"{what} {clip}")))
