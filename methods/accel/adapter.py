"""Accel: a reference method on key frames, its class scores warped from frame to frame, and a cheap second method that
corrects them on every other frame.

Jain et al., Accel: A Corrective Fusion Network for Efficient Semantic Segmentation on Video, CVPR 2019; without the
second branch it is Deep Feature Flow (Zhu et al., CVPR 2017). Both papers warp the features before the task head by a
network's flow. Here the scores are warped, so that any two methods of the suite can be the branches, and the flow is
classical. The fusion is Accel's: one 1x1 convolution over the scores of both branches, at the frame's size.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch

from vssbench import hooks
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.methods.accel import correction
from vssbench.methods.accel.correction import Corrected, Correction
from vssbench.methods.flowwarp.scores import checked_scores, largest
from vssbench.metrics.cost.parameters import parameters
from vssbench.networks.per_frame import Counted
from vssbench.optical_flow import DenseFlow, Float32, warped_planes
from vssbench.specs import Spec, parse
from vssbench.types import KINDS, Frame, Kind, LabelSpace, Method, Prediction, UInt8
from vssbench.wrapping import Group, Wrapper


@dataclass
class _Held:
    """What is kept from the frames so far. grey: uint8[H, W] of the frame that the next flow leads to; scores:
    float32[C, H, W], the reference's, aligned with that frame."""

    grey: UInt8
    scores: Float32 | None = None


@dataclass(frozen=True)
class _Prepared:
    """One frame. x: the update branch's input, None on key frames."""

    index: int
    grey: UInt8
    group: Group
    x: Any = None


@dataclass
class _Stepped:
    """One frame. flow: float32[H, W, 2] to the held frame, in pixels, x first; y: the update branch's output.

    scores: float32[C, H, W] once they have been requested
    """

    index: int
    group: Group
    flow: Float32 | None = None
    y: Any = None
    scores: Float32 | None = None


class Accel(Wrapper):
    """See the module.

    reference: spec of the method on key frames, which has class scores
    update:    spec of the method on all other frames, a per-frame method with class scores; none: no second branch and
               no correction, which is Deep Feature Flow
    labels:    as in mask2former
    key_interval, offset: as in hold
    chain:     whether warped scores are warped again, by the flow from each frame to the previous one (as in Accel);
               otherwise the key frame's scores are warped by the flow to the key frame (as in Deep Feature Flow)
    flow:      dis: DIS optical flow, computed in step; none: scores are not moved
    checkpoint: of the correction, as `vssbench train accel` writes it; branch checkpoints are passed under the
                branches' names

    A source outside the picture has zero scores, as in the papers: the reference has no say there.
    """

    runs_inner = "key"

    def __init__(
        self,
        reference: str | Spec,
        context: Context,
        update: str | Spec | None = None,
        labels: str | LabelSpace = "synthetic",
        key_interval: int = 5,
        offset: int = 0,
        chain: bool = True,
        flow: Literal["dis"] | None = "dis",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(reference, context, key_interval, offset)
        self.reference, self.chain = self.inner, chain
        self.update: Method | None = None
        self.classes = load_space(labels).classes
        self._reference_scores = _scores(self.reference, "reference")
        self.flow = None if flow is None else DenseFlow("medium")
        self.kinds: tuple[Kind, ...] = (*getattr(self.reference, "kinds", KINDS[:1]), "nonkey")
        carried = "dense optical flow (DIS) and warping, OpenCV on the CPU"
        self.outside_torch = {} if flow is None else {"nonkey": carried}
        if update is not None:
            self.update = _per_frame(context.load(update))
            self._update_scores = _scores(self.update, "update")
            self.needs, self.lookahead = self.needs | self.update.needs, max(self.lookahead, self.update.lookahead)
            self.correction = Correction(self.classes)
            branches = {"reference": parse(reference), "update": parse(update)}
            own = correction.load(self.correction, checkpoint, branches)
            self.weights = correction.joined(hooks.weights(self.reference), hooks.weights(self.update), own)
        elif checkpoint is not None:
            raise UserError("without an update branch there is no correction to load", where=checkpoint)

    def reset(self) -> None:
        """Forget the clip."""
        super().reset()
        if self.update is not None:
            self.update.reset()

    def prepare(self, frame: Frame) -> _Prepared:
        """Prepare a key frame for the reference and any other for the update branch; compute grey values for all."""
        grey, group = _grey(frame), self.group(frame)
        if frame.index == group.index:
            group.kept = _Held(grey)
            return _Prepared(frame.index, grey, group)
        return _Prepared(frame.index, grey, group, None if self.update is None else self.update.prepare(frame))

    def step(self, x: _Prepared) -> _Stepped:
        """Run the reference on a key frame; on the others compute the flow and run the update branch."""
        group = x.group
        if x.index == group.index:
            group.y = self.reference.step(group.x)
            return _Stepped(x.index, group)
        held: _Held = group.kept
        flow = None if self.flow is None else self.flow(x.grey, held.grey)
        if self.chain:
            held.grey = x.grey
        return _Stepped(x.index, group, flow, None if self.update is None else self.update.step(x.x))

    def decode(self, y: _Stepped) -> Prediction:
        """Return the reference's prediction on a key frame, the class with the largest corrected score on others."""
        if y.index == y.group.index:
            prediction = self.decode_key(y.group)
            self.scores(y)
            return prediction
        _, age = self.held(y.group, y.index)
        return Prediction(largest(self.scores(y)), "nonkey", age)

    def scores(self, y: _Stepped) -> Float32:
        """Return class scores, float32[C, H, W]. Frames must be requested in the order of the clip."""
        if y.scores is None:
            held: _Held = y.group.kept
            if y.index == y.group.index:
                y.scores = held.scores = self._checked(self._reference_scores(y.group.y), y.group.size)
            else:
                y.scores = self._fused(y, held)
        return y.scores

    def _fused(self, y: _Stepped, held: _Held) -> Float32:
        assert held.scores is not None, "decode the key frame before the frames that depend on it"
        warped = _warped(held.scores, y.flow)
        if self.chain:
            held.scores = warped
        if self.update is None:
            return warped
        update = self._checked(self._update_scores(y.y), y.group.size)
        fused: Float32 = self.correction.of(torch.from_numpy(warped), torch.from_numpy(update)).numpy()
        return fused

    def both(self, frames: Sequence[Frame]) -> tuple[Float32, Float32]:
        """Return the two inputs of the fusion on the last of some consecutive frames; the first is the key frame.

        They are the reference's warped scores and the update branch's scores, float32[C, H, W] each, for training.
        Both branches are reset.
        """
        assert self.update is not None
        self.reference.reset()
        self.update.reset()
        first, *others = frames
        scores = self._checked(self._reference_scores(self.reference.step(self.reference.prepare(first))), _size(first))
        before = _grey(first)
        for frame in others if self.chain else others[-1:]:
            grey = _grey(frame)
            scores = _warped(scores, None if self.flow is None else self.flow(grey, before))
            before = grey
        y = self.update.step(self.update.prepare(frames[-1]))
        return scores, self._checked(self._update_scores(y), _size(frames[-1]))

    def _checked(self, scores: Any, size: tuple[int, ...]) -> Float32:
        found = checked_scores(scores, size)
        if len(found) != self.classes:
            raise TypeError(f"scores() returned {len(found)} classes, expected {self.classes}")
        return found

    def cost_module(self, kind: Kind, size: tuple[int, int]) -> Counted:
        """Return the update branch with the correction for a nonkey frame of that size (H, W), and the inputs."""
        if kind != "nonkey" or self.update is None:
            raise UserError(
                f"accel has no network of its own on {kind} frames", expected="nonkey frames, and an update"
            )
        count = hooks.offered(self.update, "cost_module")
        if count is None:  # not a UserError, which would mean that such a frame costs nothing
            raise TypeError(f"{self.update.name} offers no cost_module to count")
        module, inputs = count("key", size)
        device = inputs[0].device
        costed = Corrected(module, copy.deepcopy(self.correction).to(device)).eval()
        return costed, (*inputs, torch.zeros(1, self.classes, *size, device=device))

    def parameter_counts(self) -> dict[str, int]:
        """Return the counts of the update branch and the correction together."""
        if self.update is None:
            return {"all": 0}
        own, found = sum(p.numel() for p in self.correction.parameters()), parameters(self.update)
        used, trained = (round(1e6 * one) for one in (found or (0.0, 0.0)))
        return {"all": own + used + trained, "without_training_only": own + used}


def _size(frame: Frame) -> tuple[int, ...]:
    return frame.image.shape[:2]


def _grey(frame: Frame) -> UInt8:
    grey: UInt8 = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    return grey


def _warped(scores: Float32, flow: Float32 | None) -> Float32:
    return scores if flow is None else np.stack([*warped_planes(scores, flow, outside="zero")])


def _per_frame(method: Method) -> Method:
    """Return the method. Raises UserError if it remembers frames: it would see only part of a clip."""
    if getattr(method, "kinds", ("key",)) != ("key",) or hooks.inner(method) is not None:
        raise UserError(
            f"update={method.name} remembers frames, but would see only part of each clip",
            expected="a method that sees each frame on its own",
        )
    return method


def _scores(method: Method, branch: str) -> Any:
    found = hooks.offered(method, "scores")
    if found is None:
        raise UserError(
            f"{branch}={method.name} has no class scores", expected="a method with scores, such as a network"
        )
    return found
