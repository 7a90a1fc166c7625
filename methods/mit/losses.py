"""Losses on a clip of four frames: on each frame by itself, and on the last as predicted from its references."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from vssbench.methods.mit.network import ClipNetwork, Features, resize
from vssbench.networks.sizes import MEAN, STD
from vssbench.training.recipe import Batch
from vssbench.types import IGNORE

FRAMES = 4
FRAME_WEIGHT, CLIP_WEIGHT = 0.5, 1.0


class ClipLosses(nn.Module):
    """The network with its two losses."""

    mean: Tensor
    std: Tensor
    network: Any  # a ClipNetwork; in a method's own losses, that method's class

    def __init__(self, network: ClipNetwork):
        super().__init__()
        if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.cuda.is_available():
            network.decoder = nn.SyncBatchNorm.convert_sync_batchnorm(network.decoder)
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return {"frames", "clip"}: losses of each frame's own scores, and of the target's by its references."""
        frames, clip = self.maps(batch.images)
        target = batch.labels[:, -1:].expand(-1, clip.shape[1], -1, -1)
        return {
            "frames": FRAME_WEIGHT * cross_entropy(frames, batch.labels),
            "clip": CLIP_WEIGHT * cross_entropy(clip, target),
        }

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of class scores at 1/4: of the four frames, and of the target by its references.

        images: float[B, 4, 3, H, W] RGB, 0..255, the target last
        Returns float[B, 4, C, H/4, W/4] and float[B, n, C, H/4, W/4], see `clip`.
        """
        network, count = self.network, len(images)
        features = network.features(((images - self.mean) / self.std).flatten(0, 1))
        frames = network.single(features).unflatten(0, (count, FRAMES))
        clips = Features(
            tuple(x.unflatten(0, (count, FRAMES)) for x in features.maps),
            features.fused.unflatten(0, (count, FRAMES)),
        )
        target = Features(tuple(x[:, -1] for x in clips.maps), clips.fused[:, -1])
        references = Features(tuple(x[:, :-1].flatten(0, 1) for x in clips.maps), clips.fused[:, :-1].flatten(0, 1))
        memory = tree_map(lambda x: x.unflatten(0, (-1, FRAMES - 1)), network.memory(references))
        return frames, self.clip(target, memory)

    def clip(self, target: Features, memory: Any) -> Tensor:
        """The maps to compare with the target's labels, float[B, n, C, H/4, W/4]: here the output at test, n = 1."""
        scores: Tensor = self.network(target, memory)
        return scores.unsqueeze(1)


def cross_entropy(maps: Tensor, labels: Tensor) -> Tensor:
    """The mean over all pixels of all maps; ignored pixels count with a loss of 0.

    maps: float[B, T, C, h, w] class scores, resized here; labels: int64[B, T, H, W]
    """
    scores = resize(maps.flatten(0, 1), labels.shape[-2:])
    return F.cross_entropy(scores, labels.flatten(0, 1), ignore_index=IGNORE, reduction="sum") / labels.numel()
