"""An exponential moving average of a method's class scores: temporal smoothing after the fact, without training.

This is the baseline that any claim of consistency has to beat: any method flickers less when its scores are averaged
over time. The price is errors where things move; averaging along optical flow reduces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from vssbench import hooks
from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.methods.flowwarp.scores import checked_scores, largest
from vssbench.optical_flow import DenseFlow, Float32, warped_planes
from vssbench.specs import Spec
from vssbench.types import KINDS, Frame, Kind, Prediction, UInt8
from vssbench.wrapping import Wrapper


@dataclass(frozen=True)
class _Prepared:
    """One frame. grey: uint8[H, W] where there is a flow; x: the inner method's input."""

    size: tuple[int, ...]
    grey: UInt8 | None
    x: Any


@dataclass
class _Stepped:
    """One frame. flow: float32[H, W, 2] to the previous frame, in pixels, x first; y: the inner method's output.

    average: float32[C, H, W] once it has been requested
    """

    size: tuple[int, ...]
    flow: Float32 | None
    y: Any
    average: Float32 | None = None


class Ema(Wrapper):
    """average(t) = keep * average(t - 1) + (1 - keep) * scores(t), from average(0) = scores(0); a pixel's class is the
    one with the largest average.

    `of` runs on every frame; what it reports for them (kind, age) is passed on. The average is of what its `scores`
    returns, logits or probabilities. By the counters' convention averaging costs nothing: it is elementwise.

    of:   spec of a method that has class scores
    keep: fraction of the average that is kept, from 0 to below 1
    flow: none: pixel by pixel; dis: the average is first warped along DIS optical flow, computed in step from each
          frame to the previous one; bilinear, with the nearest border pixel where the source is outside
    """

    runs_inner = "every"

    def __init__(self, of: str | Spec, context: Context, keep: float = 0.5, flow: Literal["dis"] | None = None):
        super().__init__(of, context)
        if not 0 <= keep < 1:
            raise UserError(f"keep={keep} is not valid", expected="0 or more, less than 1")
        self._scores = hooks.offered(self.inner, "scores")
        if self._scores is None:
            raise UserError(
                f"{self.inner.name} has no class scores to average",
                expected="a method with scores, such as a network",
                fix="put the average inside: hold(of=ema(of=X)), flowwarp(of=ema(of=X))",
            )
        self.keep, self.flow = float(keep), None if flow is None else DenseFlow("medium")
        self.kinds: tuple[Kind, ...] = getattr(self.inner, "kinds", KINDS)
        carried = "dense optical flow (DIS) and warping, OpenCV on the CPU"
        self.outside_torch = {} if flow is None else dict.fromkeys(self.kinds, carried)
        self._forget()

    def reset(self) -> None:
        """Forget the clip."""
        super().reset()
        self._forget()

    def _forget(self) -> None:
        self._grey: UInt8 | None = None
        self._average: Float32 | None = None

    def prepare(self, frame: Frame) -> _Prepared:
        """Prepare the frame for the inner method, and compute its grey values if there is a flow."""
        grey = None if self.flow is None else cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        return _Prepared(frame.image.shape[:2], grey, self.inner.prepare(frame))

    def step(self, x: _Prepared) -> _Stepped:
        """Run the inner method, and compute the flow back to the previous frame."""
        before, flow = self._grey, None
        if self.flow is not None and x.grey is not None:
            if before is not None and before.shape == x.size:
                flow = self.flow(x.grey, before)
            self._grey = x.grey
        return _Stepped(x.size, flow, self.inner.step(x.x))

    def decode(self, y: _Stepped) -> Prediction:
        """Return the class with the largest average; kind and age are the inner method's."""
        inner = self.inner.decode(y.y)
        return Prediction(largest(self.scores(y)), inner.kind, inner.age)

    def scores(self, y: _Stepped) -> Float32:
        """Return the average, float32[C, H, W]. Frames must be requested in the order of the clip.

        Raises UserError if a frame's size differs from that of the previous one.
        """
        if y.average is None:
            y.average = self._average = self._averaged(y, checked_scores(self._scores(y.y), y.size))
        return y.average

    def _averaged(self, y: _Stepped, scores: Float32) -> Float32:
        before = self._average
        if before is None:
            return scores.copy()
        if before.shape != scores.shape:
            raise UserError(
                f"the frame's size changed within a clip, from {before.shape[1:]} to {y.size}",
                fix="call reset() between clips",
            )
        average = self.keep * before if y.flow is None else _carried(before, y.flow, self.keep)
        average += (1 - self.keep) * scores
        return average


def _carried(scores: Float32, flow: Float32, factor: float) -> Float32:
    """The scores at each pixel's source, times the factor."""
    return np.stack([factor * plane for plane in warped_planes(scores, flow)])
