"""Learning curves: the loss and the validation mIoU over the steps of one training or several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vssbench.errors import UserError
from vssbench.reports.plots import theme as style
from vssbench.reports.plots.theme import Theme

Curves = tuple[list[tuple[int, float]], list[tuple[int, float]]]
"""(step, loss) and (step, mIoU in percent)."""


def write(trainings: Mapping[str, Path], path: Path) -> None:
    """Write the figure. trainings: name -> the folder that `vssbench train` wrote; path: its suffix sets the format."""
    found = {name: read(folder) for name, folder in trainings.items()}
    style.write(partial(draw, found), path.with_suffix(""), [path.suffix.removeprefix(".")])


def read(folder: Path) -> Curves:
    """Read the log of a training. Raises UserError for a folder without one, or a damaged one."""
    path = folder / "log.jsonl"
    try:
        entries: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        losses = [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
        found = [(entry["step"], entry["validation"]["mIoU"]) for entry in entries if "validation" in entry]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot be read: {error}", where=path, expected="the log that vssbench train writes") from None
    return losses, [(step, value) for step, value in found if value is not None]


def draw(trainings: Mapping[str, Curves], theme: Theme) -> Figure:
    """Draw losses on the left (their sum, logarithmic where it spans a decade), validation on the right."""
    figure = Figure(figsize=(style.PAGE, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks = style.looks(trainings, theme)
    for name, (losses, validations) in trainings.items():
        _line(left, losses, color=looks[name].colour, label=name)
        _line(right, validations, color=looks[name].colour, marker=looks[name].marker, label=name)
    style.scale(left, "y", [loss for losses, _ in trainings.values() for _, loss in losses])
    left.set(xlabel="step", ylabel="loss")
    right.set(xlabel="step", ylabel="validation mIoU (%)")
    if len(trainings) > 1:
        left.legend()
    return figure


def _line(axes: Axes, points: list[tuple[int, float]], **look: Any) -> None:
    axes.plot([step for step, _ in points], [value for _, value in points], **look)
