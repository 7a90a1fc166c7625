"""Names next to the points of a plot. A name that finds no place becomes a number, which a key explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from vssbench.reports.plots.column_figure import HEIGHT, WIDTH
from vssbench.reports.plots.label_placement import Bools, Floats, Scene, leaders, place
from vssbench.reports.plots.theme import SMALL, Theme, breadth

REACH = 42.0
"""How far from its point a name may be, in points (1/72 inch). A number may be anywhere."""
_SIDE = 1.5  # of a label, left and right of its text


def annotate(axes: Axes, scene: Scene, names: Sequence[str], dim: Bools, theme: Theme) -> dict[int, str]:
    """Write the name of each point of the scene on the axes of a Sheet; unit 1/72 inch, origin their lower left corner.

    A point with an empty name gets none. Returns index -> number for points that are named by a number, "" where not
    even a number found a place.
    """
    named = np.array([bool(name) for name in names])
    places = np.argsort(~named, stable=True)  # those with a name first
    scene, dim = replace(scene, points=scene.points[places]), dim[places]
    texts, numbers = [name for name in names if name], dict[int, str]()
    while True:
        reach = [np.inf if index in numbers else REACH for index in range(len(texts))]
        boxes = place(scene, [(breadth(text) + 2 * _SIDE, SMALL + 1) for text in texts], reach)
        lost = set(np.flatnonzero(np.isnan(boxes[:, 0])).tolist())
        if lost <= numbers.keys():
            break
        numbers = {index: str(count) for count, index in enumerate(sorted({*numbers, *lost}), 1)}
        for index, number in numbers.items():
            texts[index] = number
    for index in sorted(set(range(len(texts))) - lost):
        _write(axes, scene, index, texts[index], boxes[index], theme.faint if dim[index] else theme.ink)
    return {int(places[index]): "" if index in lost else number for index, number in numbers.items()}


def _write(axes: Axes, scene: Scene, index: int, text: str, box: Floats, colour: str) -> None:
    """Write the text in its box, and draw the line to its point where it is away from it."""
    left, low, right, _ = box
    # Anchored at the side that faces its point: with a different font in an SVG, it grows or shrinks on the far side.
    facing = (scene.points[index, 0] - left) / (right - left)
    side, x = "center", (left + right) / 2
    if facing < 0.25:
        side, x = "left", left + _SIDE
    elif facing > 0.75:
        side, x = "right", right - _SIDE
    spot: dict[str, Any] = {"transform": axes.transAxes, "color": colour}
    axes.text(x / WIDTH, (low + 2) / HEIGHT, text, ha=side, va="baseline", size=SMALL, zorder=5, **spot)
    (line,) = leaders(scene, index, box[None])
    if not np.array_equal(line[:2], line[2:]):
        axes.plot(line[::2] / WIDTH, line[1::2] / HEIGHT, lw=0.4, zorder=2, **spot)
