"""Check that two methods have the same clips and ground truth, as a comparison clip by clip requires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vssbench.errors import NotComparable, listed
from vssbench.metrics.accuracy.clip_states import Clips, Totals
from vssbench.metrics.accuracy.confusion import cells
from vssbench.metrics.accuracy.scripts import VALUES

Truth = Mapping[str, tuple[int, int, bytes]]
"""Clip -> frames, labelled frames, and the pixels of each class and of void, if counted."""


def truth(clips: Clips) -> Truth:
    """Return what does not depend on the method, for all clips."""
    found = {}
    for record, one in zip(clips.all, clips.everywhere(cells), strict=True):
        pixels = np.zeros(clips.space.classes + 1, np.int64)
        np.add.at(pixels, one.place // VALUES, one.pixels)
        found[record.clip] = record.frames, record.labelled, pixels.tobytes()
    return found


def refuse_others(a: Truth, b: Truth) -> None:
    """Raise NotComparable unless these are the same clips with the same ground truth, in any order."""
    alone = sorted(a.keys() ^ b.keys())
    if alone:
        raise NotComparable(
            f"only one of the two methods has the clips {listed(alone, 5)}", expected="one set of clips"
        )
    for clip, known in a.items():
        if known != b[clip]:
            raise NotComparable(
                "the two methods were scored against different ground truth",
                where=f"clip {clip}",
                expected="the same frames at the same size with the same labels",
            )


def in_order(totals: Totals, clips: tuple[str, ...]) -> Totals:
    """Return the totals of the same clips in the order of these names."""
    if totals.clips == clips:
        return totals
    place = {clip: row for row, clip in enumerate(totals.clips)}
    return replace(totals, clips=clips, columns=totals.columns[[place[clip] for clip in clips]])
