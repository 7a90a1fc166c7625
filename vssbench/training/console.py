"""The output of a training while it runs: a bar on a terminal, else a line for each entry of the log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from vssbench.errors import counted
from vssbench.progress import Shown


class Report(Shown):
    """A context manager that reports progress; everything goes to stderr."""

    def __init__(self, steps: int, quiet: bool = False):
        """quiet: print nothing (in every process but the first)"""
        self.steps = steps
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        super().__init__(self._console, "training", steps)

    def tell(self, entry: Mapping[str, Any]) -> None:
        """Report an entry of the log: losses, or a validation."""
        text = _validation(entry, self.steps) if "validation" in entry else _losses(entry, self.steps)
        self._bar.update(self._task, completed=entry["step"])
        if "loss" in entry:
            self.describe(f"loss {entry['loss']:.4g}")
        if "validation" in entry or not self._console.is_terminal:
            self._console.print(text, markup=False)

    def finished(self, files: Mapping[str, Path]) -> None:
        for path in files.values():
            self._console.print(f"written: {path}", markup=False)


def _losses(entry: Mapping[str, Any], steps: int) -> str:
    parts = ", ".join(f"{name} {value:.4g}" for name, value in entry["losses"].items())
    left = timedelta(seconds=round((steps - entry["step"]) * entry["seconds_per_step"]))
    pace = f"{entry['seconds_per_step']:.3g} s per step, left {left}"
    return f"step {entry['step']}/{steps}: loss {entry['loss']:.4g} ({parts}), rate {entry['rate']:.3g}, {pace}"


def _validation(entry: Mapping[str, Any], steps: int) -> str:
    found = entry["validation"]
    figure = "undefined" if found["mIoU"] is None else f"{found['mIoU']:.2f}"
    return f"step {entry['step']}/{steps}: mIoU {figure} on {counted(found['clips'], 'clip')} ({found['protocol']})"
