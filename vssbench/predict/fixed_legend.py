"""The legend of a video: a class keeps its place, whichever classes a frame shows.

If all classes fit, they are in the order of their train ids. Otherwise each takes the next free place when it is first
seen; if no place is free, it takes that of the class that has been out of sight longest.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from PIL import Image, ImageDraw

from vssbench.predict.pictures import INK, PAPER, font, text_size
from vssbench.types import LabelSpace, UInt8

ROWS = 4
"""The most rows of classes: a video of 124 classes has to show the frames as well."""
LEAST = 90
"""The least width of a column in pixels before names are cut."""
_FAINT = (110, 110, 110)


class FixedLegend:
    """A strip of constant size below the frames of a video: one line for the caption, then the classes."""

    def __init__(self, space: LabelSpace, width: int):
        """width: of the strip in pixels"""
        self.space, self.width = space, width
        self._size = text_size(width)
        self._line, self._gap = self._size * 3 // 2, self._size // 2
        room = max(width // 5, LEAST) - self._size - 2 * self._gap
        self._names = [_cut(name, room, self._size) for name in space.names]
        self._cell = 2 * (self._size + self._gap) + int(max(_length(name, self._size) for name in self._names))
        self._columns = max(1, (width - self._gap) // self._cell)
        self.places = min(space.classes, ROWS * self._columns)
        self.shown = list(range(space.classes)) if self.places == space.classes else []
        self._last: dict[int, int] = {}  # class -> number of the frame that showed it last
        self._frames = 0

    def draw(self, labels: UInt8, caption: str) -> UInt8:
        """Return uint8[h, width, 3]: classes in the labels are drawn in ink, all others of the legend in grey.

        labels: uint8[H, W] train ids;  caption: a line of text
        """
        present = [train_id for train_id in np.unique(labels).tolist() if train_id < self.space.classes]
        self._frames += 1
        self._last |= dict.fromkeys(present, self._frames)
        lost = len([train_id for train_id in present if not self._has(train_id, present)])
        rows = -(-self.places // self._columns)
        sheet = Image.new("RGB", (self.width, (1 + rows) * self._line), PAPER)
        draw = ImageDraw.Draw(sheet)
        more = f"{caption}  (+{lost})" if lost else caption
        draw.text((self._gap, self._line // 2), more, INK, font(self._size), anchor="lm")
        for place, train_id in enumerate(self.shown):
            row, column = divmod(place, self._columns)
            self._entry(draw, self._gap + column * self._cell, (1 + row) * self._line, train_id, train_id in present)
        return np.asarray(sheet)

    def _has(self, train_id: int, present: Collection[int]) -> bool:
        """Return whether a class has a place, after giving it one if possible."""
        if train_id in self.shown:
            return True
        if len(self.shown) < self.places:
            self.shown.append(train_id)
            return True
        away = [other for other in self.shown if other not in present]
        if not away:
            return False
        self.shown[self.shown.index(min(away, key=lambda other: self._last[other]))] = train_id
        return True

    def _entry(self, draw: ImageDraw.ImageDraw, x: int, top: int, train_id: int, present: bool) -> None:
        y = top + (self._line - self._size) // 2
        box = (x, y, x + self._size - 1, y + self._size - 1)
        draw.rectangle(box, tuple(self.space.colours[train_id].tolist()), INK if present else _FAINT)
        middle = x + self._size + self._gap, top + self._line // 2
        draw.text(middle, self._names[train_id], INK if present else _FAINT, font(self._size), anchor="lm")


def _length(text: str, size: int) -> float:
    return font(size).getlength(text)


def _cut(name: str, room: int, size: int) -> str:
    """Return the name, or as much of its beginning as fits. room: in pixels"""
    if _length(name, size) <= room:
        return name
    kept = next((n for n in range(len(name), 1, -1) if _length(name[:n] + "…", size) <= room), 1)
    return name[:kept] + "…"
