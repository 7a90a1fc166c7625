"""Lines that coincide: what is hidden shows as dashes on the line above, and as rings around its points.

Where m looks share a piece, each has every m-th dash of it, so all of them are seen, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SAME = 0.8
"""The distance in points (1/72 inch) within which two places are one."""
DASH = 4.0
"""The length of a dash, in line widths."""
RING, RINGS = 2.4, 4
"""By how many points a ring is wider than what is inside it, and how many of the rings grow."""
Look = tuple[str, Any, float]
"""Colour, marker and its size: things with the same look need not be told apart."""


def show_hidden(axes: Axes, lines: Sequence[Line2D], size: tuple[float, float]) -> None:
    """Draw the hidden parts of lines that were drawn in this order, each over the one before.

    size: of the axes in points; their limits and scales must be final
    """
    placed = [(line, _places(axes, line, size)) for line in lines]
    pieces = [(_look(line), piece) for line, found in placed for piece in np.hstack([found[:-1], found[1:]])]
    for looks, piece in together(pieces):
        for turn, (colour, *_) in enumerate(looks[:-1]):
            dashes = (-DASH * turn, (DASH, DASH * (len(looks) - 1)))
            _draw(axes, *(piece.reshape(2, 2) / size).T, color=colour, ls=dashes, zorder=2.5)
    rings(axes, [(_look(line), spot) for line, found in placed for spot in found if _marked(line)], size)


def rings(axes: Axes, points: Sequence[tuple[Look, Floats]], size: tuple[float, float]) -> None:
    """Draw hidden markers as rings around the last one of each place. points: in the order of drawing"""
    for looks, spot in together(points):
        for rank, (colour, marker, within) in enumerate(reversed(looks)):
            wide, fill = within + RING * min(rank, RINGS), "none" if rank else colour
            ring = {"marker": marker, "ms": wide, "mfc": fill, "mec": colour, "mew": 0.9}
            _draw(axes, *(spot / size), ls="none", zorder=2.6 if rank else 3.1, **ring)


def together(found: Sequence[tuple[Look, Floats]]) -> list[tuple[list[Look], Floats]]:
    """Return the places with several looks, in order, the one on top last. found: (look, place), in that order"""
    groups: list[tuple[list[Look], Floats]] = []
    for look, place in found:
        same = next((looks for looks, known in groups if np.abs(known - place).max() < SAME), None)
        if same is None:
            groups.append(([look], place))
        else:
            same[:] = [other for other in same if other != look] + [look]
    return [(looks, place) for looks, place in groups if len(looks) > 1]


def _places(axes: Axes, line: Line2D, size: tuple[float, float]) -> Floats:
    """Return float64[N, 2]: where the points of a line are, in points from the axes' lower left corner."""
    pixels = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
    return np.asarray(axes.transAxes.inverted().transform(pixels) * size, float)


def _look(line: Line2D) -> Look:
    return str(line.get_color()), line.get_marker(), float(line.get_markersize())


def _marked(line: Line2D) -> bool:
    return line.get_marker() not in (None, "None", "none", "", " ")


def _draw(axes: Axes, x: Any, y: Any, **look: Any) -> None:
    axes.plot(np.atleast_1d(x), np.atleast_1d(y), transform=axes.transAxes, label="_hidden", gid="hidden", **look)
