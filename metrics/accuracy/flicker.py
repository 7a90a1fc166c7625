"""Flicker between two frames, pixel by pixel: where the label changed although no motion explains it.

The rule is that of TC (`temporal`): the prediction of the frame before is warped to this one, what was hidden or
outside is left out, and what is left must be the same.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.metrics.accuracy.flow_sources import Dis, Exact, FlowSource, seen_before
from vssbench.types import Frame, UInt8

SIDE = 512
"""Larger frames are looked at on a grid of every second, third, ... pixel: this is for the eye, and costs little."""


class Flicker(NamedTuple):
    """Between a frame and the one before.

    changed: bool[h, w], on the grid that was looked at
    share:   percent of the pixels that can be compared; None where there are none
    """

    changed: NDArray[np.bool_]
    share: float | None


def flicker(before: tuple[Frame, UInt8], now: tuple[Frame, UInt8], classes: int) -> Flicker | None:
    """The flicker of two frames and their predictions, uint8[H, W]; None unless they are consecutive, at one size.

    classes: predicted ids from here on are no class, and leave out what they were predicted for in the frame before
    The flow is the dataset's exact one where the frame carries it, else DIS.
    """
    (last, then), (frame, labels) = before, now
    if last.clip != frame.clip or last.index + 1 != frame.index or then.shape != labels.shape:
        return None
    step = max(1, math.ceil(max(labels.shape) / SIDE))
    source: FlowSource = Exact(True, None) if "flow" in frame.side else Dis(True, None)
    then = np.ascontiguousarray(then[::step, ::step])
    source.take(_reduced(last, step), then.shape, follows=False)
    flow, seen = source.take(_reduced(frame, step), then.shape, follows=True)
    assert flow is not None
    warped = seen_before(then, flow, seen)
    compared = warped < classes
    changed = compared & (warped != labels[::step, ::step])
    count = np.count_nonzero(compared)
    return Flicker(changed, 100 * np.count_nonzero(changed) / count if count else None)


def _reduced(frame: Frame, step: int) -> Frame:
    """The frame on every `step`th row and column, its flow in pixels of that grid."""
    if step == 1:
        return frame
    height, width = frame.image[::step, ::step].shape[:2]
    side = dict(frame.side)
    if "flow" in side:
        side |= {
            "flow": np.asarray(side["flow"])[::step, ::step] / np.float32(step),
            "flow_valid": side["flow_valid"][::step, ::step],
        }
    image = np.asarray(cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return replace(frame, image=image, labels=None, side=side)
