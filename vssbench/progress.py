"""Progress on stderr: frames done, frames a second, time left. Silent where stderr is not a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """A bar over all frames of a run, used as a context manager."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("frames, left:"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
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
        from rich.markup import escape

        self._bar.update(self._task, description=escape(f"{method}  {clip}"[-60:]))

    def tick(self, frames: int = 1) -> None:
        """That many more frames are done."""
        self._bar.advance(self._task, frames)
