"""The two kinds of frame, as modules that a FLOP counter can run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vssbench.methods.mask2former.adapter import KeyCost, Scores
from vssbench.methods.mask2former.network import Geometry, Segments
from vssbench.methods.mpvss.network import MPVSS
from vssbench.types import Kind


class NonkeyCost(nn.Module):
    """A nonkey frame from the flow network's inputs and the key frame's segments to class scores, float[C, H, W]."""

    def __init__(self, network: MPVSS, geometry: Geometry, scores: Scores):
        super().__init__()
        self.network, self.geometry, self.scores = network, geometry, scores

    def forward(self, current: Tensor, key: Tensor, classes: Tensor, masks: Tensor, queries: Tensor) -> Tensor:
        segments = self.network.nonkey(current, key, Segments(classes, masks, queries))
        return self.scores(segments.classes, segments.masks, self.geometry)


def cost_module(network: MPVSS, kind: Kind, geometry: Geometry, scores: Scores) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a kind of frame's module and its inputs, on torch's default device; scores: the output stage."""
    height, width = geometry.padded
    if kind == "key":
        return KeyCost(network.segmentor, geometry, scores), (torch.zeros(1, 3, height, width),)
    config = network.segmentor.config
    shapes = (config.num_labels + 1,), (height // 4, width // 4), (config.hidden_dim,)
    frames = [torch.zeros(3, height // 2, width // 2) for _ in ("current", "key")]
    held = [torch.zeros(config.num_queries, *shape) for shape in shapes]
    return NonkeyCost(network, geometry, scores), (*frames, *held)
