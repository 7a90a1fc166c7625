"""Flicker between two frames, pixel by pixel: where the label changed although no motion explains it.

The rule is that of TC (`temporal`): the prediction of the frame before is warped to this one, pixels that were hidden
or outside are left out, and the rest must be the same.
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
"""Larger frames are sampled on a grid of every second, third, ... pixel: this is for the eye, and must cost little."""


class Flicker(NamedTuple):
    """The flicker between a frame and the one before.

    changed: bool[h, w], on the sampled grid
    share:   percent of the pixels that can be compared; None where there are none
    """

    changed: NDArray[np.bool_]
    share: float | None


def flicker(before: tuple[Frame, UInt8], now: tuple[Frame, UInt8], classes: int) -> Flicker | None:
    """Return the flicker of two frames with predictions uint8[H, W]; None unless they are consecutive, of one size.

    classes: ids from here on are not classes; pixels predicted as one of them in the frame before are left out
    The flow is the dataset's exact flow where the frame carries it, else DIS.
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
    """Return the frame on every `step`th row and column, its flow in pixels of that grid."""
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
