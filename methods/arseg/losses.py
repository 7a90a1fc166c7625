"""The losses of AR-Seg's networks (CVPR 2023, section 3.4)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vssbench.methods.arseg.bisenet import BiSeNet
from vssbench.methods.arseg.layers import Branch
from vssbench.methods.arseg.pspnet import PSPCamVid
from vssbench.methods.arseg.warp import resize
from vssbench.types import IGNORE

DEEP_WEIGHT = 0.4
HARD = -math.log(0.7)
LEAST_HARD = 16


def segmentation(branch: Branch, feature: Tensor, inner: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
    """Return the weighted losses of a branch in training.

    feature: float[N, C, h, w], the classifier's input; inner: what the branch returned for its training heads
    labels:  int64[N, H, W], 255 = ignored; all outputs are resized to this size
    """
    size = labels.shape[-2:]
    scores = branch.finish(branch.classifier(feature), size)
    heads = branch.auxiliary(inner, size)
    if isinstance(branch, PSPCamVid):
        class_presence = presence(labels, heads[0].shape[1])
        return {
            "segmentation": log_likelihood(scores, labels),
            "presence": F.binary_cross_entropy_with_logits(heads[0].float(), class_presence),
        }
    if isinstance(branch, BiSeNet):
        parts = zip(("segmentation", "context8", "context16"), (scores, *heads), strict=True)
        return {name: hard_cross_entropy(resize(part, size), labels) for name, part in parts}
    return {
        "segmentation": log_likelihood(F.log_softmax(scores.float(), 1), labels),
        "deep": DEEP_WEIGHT * log_likelihood(F.log_softmax(heads[0].float(), 1), labels),
    }


def log_likelihood(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return minus the mean log-probability of the correct class over labelled pixels; 0 if there are none."""
    total = F.nll_loss(log_probabilities.float(), labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def hard_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of the hard pixels: losses above -log 0.7, but at least 1/16 of the labelled."""
    losses = F.cross_entropy(scores.float(), labels, ignore_index=IGNORE, reduction="none")[labels != IGNORE]
    least, hard = len(losses) // LEAST_HARD, losses[losses > HARD]
    if len(hard) < least:
        hard = losses.topk(least).values
    return hard.sum() / max(len(hard), 1)


def presence(labels: Tensor, classes: int) -> Tensor:
    """Return float[N, classes], 1 where the image contains the class."""
    found = torch.stack([torch.bincount(image.flatten(), minlength=IGNORE + 1) for image in labels])
    return (found[:, :classes] > 0).float()
