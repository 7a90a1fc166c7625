"""Accuracy of what a camera's viewer sees: the confusion counts, and the pixels for which nothing was shown."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.metrics.accuracy.confusion import FIGURES, Booked, Confusion, read_areas
from vssbench.metrics.accuracy.damage import refusing_damage, require, whole_numbers
from vssbench.metrics.accuracy.rounded_sum import plain_sum
from vssbench.metrics.accuracy.scripts import Counts
from vssbench.types import Frame, LabelSpace, Prediction


class OnShow(Confusion):
    """Confusion counts in which a frame may have no output at all: its labelled pixels are wrong, under no class.

    State of a clip: that of Confusion, and "blank": labelled pixels of each class, int[C], for which nothing was shown.
    """

    def update_blank(self, frame: Frame) -> None:
        """Take in the next frame, for which nothing is shown."""
        self.update(frame, Prediction(np.zeros(frame.image.shape[:2], np.uint8), "key", age=_NOTHING))

    def _begin(self) -> None:
        super()._begin()
        self._blank = np.zeros(self.space.classes, np.int64)

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        if prediction.age != _NOTHING:
            super()._add(frame, prediction)
        elif frame.labels is not None:
            self._blank += np.bincount(frame.labels.ravel(), minlength=256)[: self.space.classes]

    def _finish(self) -> dict[str, Any]:
        return {**super()._finish(), "blank": self._blank.tolist()}


_NOTHING = -1
"""Not the age of any prediction."""


def totals(clips: Clips) -> dict[str, Totals | str | None]:
    """Return accuracy -> its totals, or why there are none; None for what the protocol leaves out.

    They are the pixels of `Confusion`, with those for which nothing was shown among the ground truth.
    Raises UserError for a state that no run can have written.
    """
    blank = [_blank(record, clips.space) for record in clips.records]
    if clips.nothing:
        return dict.fromkeys(FIGURES, clips.nothing)
    booked = clips.once(Booked)
    if isinstance(booked.figures, str):
        return dict.fromkeys(FIGURES, booked.figures)
    columns = booked.rows.copy()
    columns[:, : clips.space.classes] += blank
    found: dict[str, Totals | str | None] = {}
    for name in FIGURES:
        read = partial(read_areas, clips.protocol.means, name)
        if FIGURES[name](booked.figures) is None:
            found[name] = None
        elif np.isnan(read(columns.sum(axis=0))):
            found[name] = booked.not_a_number()
        else:
            found[name] = Totals(clips.names, columns, read, partial(read, add=plain_sum))
    return found


def accuracies(clips: Clips) -> dict[str, float | str | None]:
    """Return accuracy -> percent, or why there is none; None for what the protocol leaves out. Raises as above."""
    return {name: one.value() if isinstance(one, Totals) else one for name, one in totals(clips).items()}


def _blank(record: ClipStates, space: LabelSpace) -> Counts:
    with refusing_damage(record, Confusion.name):
        counts = whole_numbers([value for clip in record.states[Confusion.name] for value in clip["blank"]])
        require(len(counts) == space.classes, f"{space.classes} classes")
    return counts
