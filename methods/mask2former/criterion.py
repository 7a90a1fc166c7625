"""Mask2Former's set criterion (Cheng et al., CVPR 2022, section 3.3) for label maps, on transformers' loss.

Each prediction head's queries are matched one to one with the masks of the classes that a frame shows; matched queries
learn class and mask, the others "no object". Two parts are ours. The matching covers all heads and frames at once, with
the results of transformers' matcher, which goes frame by frame. The count of masks on several devices is divided by the
number of devices once, as in the official code; transformers 5.23 divides twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from transformers import Mask2FormerConfig, VideomtConfig
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerLoss,
    dice_loss,
    sample_point,
    sigmoid_cross_entropy_loss,
)

from vssbench.types import IGNORE

POINT_SHARE = 12544 / 120**2
"""Points per mask, as a fraction of its pixels at stride 4: 12544 for the official crop of 480x480."""
STRIDE = 4
Matched = list[tuple[Tensor, Tensor]]
"""For each frame, the indices of the matched queries and those of their targets; int64."""


class Targets(NamedTuple):
    """What a batch of frames shows.

    classes: int64[N] per frame, the classes that occur in it (or in its clip)
    masks:   float[B, largest N, H, W], 0 or 1; a frame with fewer classes has empty masks at the end
    """

    classes: list[Tensor]
    masks: Tensor


class Criterion(nn.Module):
    """The weighted losses, summed over all prediction heads."""

    def __init__(self, config: Mask2FormerConfig | VideomtConfig, share: float = POINT_SHARE):
        """config: sets the weights of the losses and how points are drawn; share: see `POINT_SHARE`"""
        super().__init__()
        self.weights = {"class": config.class_weight, "mask": config.mask_weight, "dice": config.dice_weight}
        self.share, self.loss = share, Mask2FormerLoss(config, {})

    def forward(
        self, classes: Sequence[Tensor], masks: Sequence[Tensor], labels: Tensor, length: int = 1
    ) -> dict[str, Tensor]:
        """Return {"class", "mask", "dice"}: scalars, weighted, summed over the heads, means over the batch's masks.

        classes: float[B, Q, C + 1] logits of each head
        masks:   float[B, Q, h, w] logits of each head at stride 4
        labels:  int64[B, H, W], 255 = ignored; H, W up to 4 h, 4 w; there is no class between those and 4 h, 4 w
        length:  frames per clip; the batch consists of clips, frame after frame. Each frame's targets are all classes
                 of its clip, with an empty mask for an absent one; the clip's first frame decides the matching.
        """
        with torch.autocast(labels.device.type, enabled=False):
            classes, masks = ([x.float() for x in heads] for heads in (classes, masks))
            targets = find_targets(labels, masks[0].shape[-2:], length)
            count = masks_a_device(targets.classes, labels.device)
            points = round(self.share * masks[0].shape[-2:].numel())
            first = Targets(targets.classes[::length], targets.masks[::length])
            matched = self.match([x[::length] for x in classes], [x[::length] for x in masks], first, points)
            matched = [[pair for pair in head for _ in range(length)] for head in matched]
            heads = zip(classes, masks, matched, strict=True)
            found = [self._head(*head, targets, points, count) for head in heads]
        return {name: weight * sum(losses[name] for losses in found) for name, weight in self.weights.items()}

    def _head(
        self, classes: Tensor, masks: Tensor, matched: Matched, targets: Targets, points: int, count: Tensor
    ) -> dict[str, Tensor]:
        """Return the losses of one head, unweighted."""
        frames = torch.cat([torch.full_like(queries, frame) for frame, (queries, _) in enumerate(matched)])
        queries, numbers = (torch.cat(parts) for parts in zip(*matched, strict=True))
        predicted, wanted = masks[frames, queries][:, None], targets.masks[frames, numbers][:, None]
        with torch.no_grad():
            places = self._uncertain(predicted, points)
            truth = sample_point(wanted, places, align_corners=False)[:, 0]
        logits = sample_point(predicted, places, align_corners=False)[:, 0]
        return {
            "class": self.loss.loss_labels(classes, targets.classes, matched)["loss_cross_entropy"],
            "mask": sigmoid_cross_entropy_loss(logits, truth, count),
            "dice": dice_loss(logits, truth, count),
        }

    def _uncertain(self, masks: Tensor, points: int) -> Tensor:
        """Draw places in 0..1, float[M, points, 2], for masks float[M, 1, h, w]: mostly those of several times as many
        random ones where logits are nearest to zero, the rest random. transformers sorts them all, which is slow."""
        loss = self.loss
        drawn, chosen = int(points * loss.oversample_ratio), int(points * loss.importance_sample_ratio)
        places = torch.rand(len(masks), drawn, 2, device=masks.device)
        distance = sample_point(masks, places, align_corners=False)[:, 0].abs()
        best = distance.topk(chosen, largest=False, sorted=False).indices
        best += drawn * torch.arange(len(masks), device=masks.device)[:, None]
        rest = torch.rand(len(masks), points - chosen, 2, device=masks.device)
        return torch.cat((places.flatten(0, 1)[best], rest), dim=1)

    @torch.no_grad()
    def match(self, classes: Sequence[Tensor], masks: Sequence[Tensor], targets: Targets, points: int) -> list[Matched]:
        """Return the least-cost assignment per head and frame, estimated at random points of that head and frame."""
        batch, heads = len(targets.classes), len(masks)
        device, most = targets.masks.device, targets.masks.shape[1]
        places = torch.rand(batch, heads, points, 2, device=device) * 2 - 1
        logits = _at(torch.stack(list(masks), 1).flatten(0, 1), places.flatten(0, 1)).unflatten(0, (batch, heads))
        truth = _at(targets.masks, places.flatten(1, 2)).unflatten(2, (heads, points)).permute(0, 2, 3, 1)
        chances = logits.sigmoid()
        # cross-entropy with 1 is softplus(-x), with 0 softplus(x) = softplus(-x) + x
        crossed = F.softplus(logits).sum(-1, keepdim=True) - logits @ truth
        dice = 1 - (2 * chances @ truth + 1) / (chances.sum(-1, keepdim=True) + truth.sum(-2)[..., None, :] + 1)
        number = nn.utils.rnn.pad_sequence(targets.classes, batch_first=True)
        number = number[:, None, None].expand(-1, heads, masks[0].shape[1], most)
        likely = torch.stack(list(classes), 1).softmax(-1).gather(-1, number)
        weights = self.weights
        costs = weights["mask"] * crossed / points + weights["dice"] * dice - weights["class"] * likely
        costs = costs.nan_to_num(nan=torch.finfo(costs.dtype).max).cpu().numpy()
        return [
            [
                (torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device))
                for b, found in enumerate(targets.classes)
                for rows, columns in [linear_sum_assignment(costs[b, head, :, : len(found)])]
            ]
            for head in range(heads)
        ]


def find_targets(labels: Tensor, size: Sequence[int], length: int = 1) -> Targets:
    """Return the classes and masks of label maps, int64[B, H, W]; size: (h, w) of the predicted masks, at stride 4.

    length: frames per clip; consecutive frames of a clip share the classes of all of them
    """
    height, width = (STRIDE * side for side in size)
    labels = F.pad(labels, (0, width - labels.shape[2], 0, height - labels.shape[1]), value=IGNORE)
    found = [shown[shown != IGNORE] for shown in (clip.unique() for clip in labels.split(length))]
    classes = [shown for shown in found for _ in range(length)]
    numbers = nn.utils.rnn.pad_sequence(classes, batch_first=True, padding_value=-1)
    return Targets(classes, (labels[:, None] == numbers[:, :, None, None]).float())


def masks_a_device(classes: Sequence[Tensor], device: torch.device) -> Tensor:
    """Return the number of masks, averaged over devices, at least 1: float scalar."""
    count = torch.tensor(float(sum(len(found) for found in classes)), device=device)
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        count /= distributed.get_world_size()
    return count.clamp(min=1)


def _at(maps: Tensor, places: Tensor) -> Tensor:
    """Sample maps, float[N, C, H, W], at places in -1..1, float[N, P, 2], x first: float[N, C, P], bilinear."""
    return F.grid_sample(maps, places[:, :, None], align_corners=False)[..., 0]
