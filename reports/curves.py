"""Learning curves: the loss and the validation mIoU over the steps of one training or several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vssbench.errors import UserError

Curves = tuple[list[tuple[int, float]], list[tuple[int, float]]]
"""(step, loss) and (step, mIoU in percent)."""


def write(trainings: Mapping[str, Path], path: Path) -> None:
    """trainings: name -> the folder that `vssbench train` wrote; path: the figure, its suffix says the format."""
    draw({name: read(folder) for name, folder in trainings.items()}).savefig(path, dpi=200)


def read(folder: Path) -> Curves:
    """What the log of a training holds. Raises UserError for a folder without one, or a damaged one."""
    path = folder / "log.jsonl"
    try:
        entries: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        losses = [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
        found = [(entry["step"], entry["validation"]["mIoU"]) for entry in entries if "validation" in entry]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot be read: {error}", where=path, expected="the log that vssbench train writes") from None
    return losses, [(step, value) for step, value in found if value is not None]


def draw(trainings: Mapping[str, Curves]) -> Figure:
    """Losses on the left (their sum, on a logarithmic axis), validation on the right."""
    with sns.axes_style("whitegrid"), mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(7.2, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        palette = sns.color_palette("colorblind", len(trainings))
        for colour, (name, (losses, validations)) in zip(palette, trainings.items(), strict=True):
            _line(left, losses, color=colour, label=name)
            _line(right, validations, color=colour, marker="o", ms=3, label=name)
        left.set(xlabel="step", ylabel="loss", yscale="log")
        right.set(xlabel="step", ylabel="validation mIoU (%)")
        if len(trainings) > 1:
            left.legend(fontsize=7)
    return figure


def _line(axes: Axes, points: list[tuple[int, float]], **style: Any) -> None:
    axes.plot([step for step, _ in points], [value for _, value in points], **style)
