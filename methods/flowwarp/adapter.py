"""A method on key frames, its answer carried to the other frames by classical dense optical flow.

The scheme of Zhu et al., Deep Feature Flow for Video Recognition, CVPR 2017, section 3 (sparse key frames, backward
warping), with scores or labels in place of features and DIS flow in place of a network: Kroeger et al., Fast Optical
Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.methods.flowwarp.flow import DenseFlow, Float32, Preset, warped_argmax, warped_labels
from vssbench.schedule import FixedInterval
from vssbench.specs import Spec
from vssbench.types import Frame, Prediction, UInt8, Weights


@dataclass
class _Group:
    """One key frame and the frames carried from it. x: the inner method's input, y: its output."""

    index: int
    grey: UInt8
    x: Any
    y: Any = None
    prediction: Prediction | None = None
    scores: Float32 | None = None


@dataclass(frozen=True)
class _Prepared:
    """One frame. grey: uint8[H, W]."""

    index: int
    grey: UInt8
    group: _Group


@dataclass(frozen=True)
class _Stepped:
    """One frame. flow: float32[H, W, 2] from this frame to its key frame, pixels, x first; None on the key frame."""

    index: int
    flow: Float32 | None
    group: _Group


class FlowWarp:
    """`of` on key frames; on the others its class scores, where it has `scores(y)`, or else its labels, are warped.

    Flow is computed in step, from the current frame to the key frame, so every pixel looks up where it came from:
    bilinear for scores (then argmax), nearest for labels. A pixel from outside takes the nearest border pixel.

    of:                   spec of the method to run on key frames
    key_interval, offset: see `FixedInterval`
    preset:               OpenCV's DIS presets, from quick to accurate
    """

    def __init__(
        self, of: str | Spec, context: Context, key_interval: int = 5, offset: int = 0, preset: Preset = "medium"
    ):
        self.inner = context.load(of)
        self.schedule = FixedInterval(key_interval, offset)
        self.flow = DenseFlow(preset)
        self.outside_torch = {"nonkey": "dense optical flow (DIS) and warping, OpenCV on the CPU"}  # for FLOP counts
        self.name = f"flowwarp(of={self.inner.name})"
        self.needs = self.inner.needs
        self.lookahead = self.inner.lookahead * key_interval  # it counts the frames it sees: key frames
        self.weights: Weights = getattr(self.inner, "weights", Weights())
        self._group: _Group | None = None

    def reset(self) -> None:
        """Forget the key frame."""
        self.inner.reset()
        self._group = None

    def prepare(self, frame: Frame) -> _Prepared:
        """Grey values of every frame; the inner method's preparation on key frames."""
        grey: UInt8 = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        if self.schedule.is_key(frame.index):
            self._group = _Group(frame.index, grey, self.inner.prepare(frame))
        elif self._group is None or self._group.grey.shape != grey.shape:
            key = self._group
            why = "is the first after reset()" if key is None else f"is {grey.shape}, its key frame {key.grey.shape}"
            raise UserError(
                f"flowwarp has no key frame for it: it {why}",
                where=f"clip {frame.clip!r}, frame {frame.index}",
                expected="the frames of a clip from index 0, all of one size",
            )
        return _Prepared(frame.index, grey, self._group)

    def step(self, x: _Prepared) -> _Stepped:
        """The inner method on a key frame; the flow back to the key frame on the others."""
        if x.index == x.group.index:
            x.group.y = self.inner.step(x.group.x)
            return _Stepped(x.index, None, x.group)
        return _Stepped(x.index, self.flow(x.grey, x.group.grey), x.group)

    def decode(self, y: _Stepped) -> Prediction:
        """The inner method's prediction on a key frame; the warp, and for scores the argmax, on the others."""
        group = y.group
        if y.flow is None:
            group.prediction = self.inner.decode(group.y)
            scores = getattr(self.inner, "scores", None)
            group.scores = None if scores is None else _checked(scores(group.y), group)
            return replace(group.prediction, labels=group.prediction.labels.copy())
        if group.prediction is None:
            raise RuntimeError("flowwarp: decode the key frame before the frames that are carried from it")
        if group.scores is None:
            labels = warped_labels(group.prediction.labels, y.flow)
        else:
            labels = warped_argmax(group.scores, y.flow)
        return Prediction(labels, "nonkey", group.prediction.age + y.index - group.index)


def _checked(scores: Any, group: _Group) -> Float32:
    """The scores, if they are float32[C, H, W] at the frame's size."""
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32 or scores.shape[1:] != group.grey.shape:
        found = f"{scores.dtype}{list(scores.shape)}" if isinstance(scores, np.ndarray) else type(scores).__name__
        raise TypeError(f"scores() returned {found}, expected float32[C, {group.grey.shape[0]}, {group.grey.shape[1]}]")
    return scores
