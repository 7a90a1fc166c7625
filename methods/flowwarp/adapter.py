"""A method on key frames, its output carried to the other frames by classical dense optical flow.

The scheme of Zhu et al., Deep Feature Flow for Video Recognition, CVPR 2017, section 3 (sparse key frames, backward
warping), with scores or labels in place of features and DIS flow in place of a network: Kroeger et al., Fast Optical
Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2

from vssbench import hooks
from vssbench.load import Context
from vssbench.methods.flowwarp.scores import checked_scores, largest
from vssbench.optical_flow import DenseFlow, Float32, Preset, warped_labels, warped_planes
from vssbench.specs import Spec
from vssbench.types import Frame, Prediction, UInt8
from vssbench.wrapping import Group, Wrapper


@dataclass
class _Key:
    """What is kept from a key frame. grey: uint8[H, W]; scores: float32[C, H, W] where the inner method has them."""

    grey: UInt8
    scores: Float32 | None = None


@dataclass(frozen=True)
class _Prepared:
    """One frame. grey: uint8[H, W]."""

    index: int
    grey: UInt8
    group: Group


@dataclass(frozen=True)
class _Stepped:
    """One frame. flow: float32[H, W, 2] from this frame to its key frame, in pixels, x first; None on the key frame."""

    index: int
    flow: Float32 | None
    group: Group


class FlowWarp(Wrapper):
    """`of` on key frames; on the others its class scores are warped if it has `scores(y)`, otherwise its labels.

    Flow is computed in step, from the current frame to the key frame, so every pixel looks up where it came from:
    bilinear for scores (then argmax), nearest for labels. A pixel from outside takes the nearest border pixel.

    of:           spec of the method to run on key frames
    key_interval: frames from one key frame to the next; 1: every frame is one
    offset:       position in the interval of the first key frame after frame 0
    preset:       one of OpenCV's DIS presets, from fast to accurate
    """

    def __init__(
        self, of: str | Spec, context: Context, key_interval: int = 5, offset: int = 0, preset: Preset = "medium"
    ):
        super().__init__(of, context, key_interval, offset)
        self.flow = DenseFlow(preset)
        self.outside_torch = {"nonkey": "dense optical flow (DIS) and warping, OpenCV on the CPU"}
        self._scores = hooks.offered(self.inner, "scores")

    def prepare(self, frame: Frame) -> _Prepared:
        """Compute the grey values of every frame; prepare key frames for the inner method."""
        grey: UInt8 = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        group = self.group(frame)
        if frame.index == group.index:
            group.kept = _Key(grey)
        return _Prepared(frame.index, grey, group)

    def step(self, x: _Prepared) -> _Stepped:
        """Run the inner method on a key frame; compute the flow back to the key frame on the others."""
        if x.index == x.group.index:
            x.group.y = self.inner.step(x.group.x)
            return _Stepped(x.index, None, x.group)
        return _Stepped(x.index, self.flow(x.grey, x.group.kept.grey), x.group)

    def decode(self, y: _Stepped) -> Prediction:
        """Return the inner method's prediction on a key frame; warp on the others, with argmax for scores."""
        group = y.group
        if y.flow is None:
            prediction = self.decode_key(group)
            if self._scores is not None:
                group.kept.scores = checked_scores(self._scores(group.y), group.size)
            return prediction
        key, age = self.held(group, y.index)
        scores: Float32 | None = group.kept.scores
        labels = warped_labels(key.labels, y.flow) if scores is None else largest(warped_planes(scores, y.flow))
        return Prediction(labels, "nonkey", age)
