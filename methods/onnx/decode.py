"""From a graph's outputs to class scores and labels, by the output stages of the methods that graphs come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from vssbench.deploy.model_file import Decode, FromLabels, FromScores, Size
from vssbench.errors import UserError
from vssbench.methods.mask2former.adapter import STAGES
from vssbench.methods.mask2former.network import Geometry
from vssbench.methods.videomt import output as late
from vssbench.networks.upsampling import Step, upsampled, upsampled_labels
from vssbench.types import UInt8

_STAGES = {**STAGES, "late": (late.class_scores, late.class_labels)}
Outputs = Mapping[str, np.ndarray[Any, Any]]


def class_scores(decode: Decode, outputs: Outputs) -> Tensor:
    """Return float32[K, H, W] at the frame's size. Raises UserError for a graph that returns labels."""
    if isinstance(decode, FromLabels):
        raise UserError("the graph returns labels, not class scores", expected="a graph without the argmax at its end")
    if isinstance(decode, FromScores):
        scores = upsampled(_tensor(outputs["scores"])[0], *_steps(decode))
        return scores.log_softmax(0) if decode.log_softmax else scores
    geometry = Geometry(decode.padded, decode.resized, decode.frame)
    summed: Tensor = _STAGES[decode.order][0](_tensor(outputs["classes"]), _tensor(outputs["masks"]), geometry)
    return summed


def class_labels(decode: Decode, outputs: Outputs, frame: Size) -> UInt8:
    """Return uint8[H, W]: the argmax of `class_scores`, by each stage's faster way; or the graph's own labels."""
    if isinstance(decode, FromLabels):
        return _plain(outputs["labels"], frame)
    if isinstance(decode, FromScores):
        return upsampled_labels(_tensor(outputs["scores"])[0], *_steps(decode))
    geometry = Geometry(decode.padded, decode.resized, decode.frame)
    labels: UInt8 = _STAGES[decode.order][1](_tensor(outputs["classes"]), _tensor(outputs["masks"]), geometry)
    return labels


def _steps(decode: FromScores) -> tuple[Step, ...]:
    return tuple(Step(one.size, one.kept, one.corners) for one in decode.steps)


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(array).float()


def _plain(labels: np.ndarray[Any, Any], frame: Size) -> UInt8:
    """Return labels from whole numbers [1, h, w], resized to the frame by nearest neighbour."""
    found = labels[0]
    if found.size and not 0 <= found.min() <= found.max() <= 255:
        raise UserError(f"the graph returns labels from {found.min()} to {found.max()}", expected="0 to 255")
    found = np.ascontiguousarray(found.astype(np.uint8))
    if found.shape != tuple(frame):
        found = np.asarray(cv2.resize(found, frame[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return found
