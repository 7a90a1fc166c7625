"""Losses of MRCFA on a clip: each frame by itself, and what the references make of the last (Sun et al., ECCV 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.methods.mrcfa.network import MRCFA, Features, Memory, resize
from vssbench.networks.sizes import MEAN, STD
from vssbench.training.recipe import Batch
from vssbench.types import IGNORE

FRAMES = 4
FRAME_WEIGHT, CLIP_WEIGHT = 0.5, 1.0


class ClipLosses(nn.Module):
    """The network with its two losses."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: MRCFA):
        super().__init__()
        if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.cuda.is_available():
            network.decoder = nn.SyncBatchNorm.convert_sync_batchnorm(network.decoder)
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """{"frames", "clip"}: each frame's own scores against its labels, the references' against the target's."""
        frames, clip = self.maps(batch.images)
        target = batch.labels[:, -1:].expand(-1, clip.shape[1], -1, -1)
        return {
            "frames": FRAME_WEIGHT * cross_entropy(frames, batch.labels),
            "clip": CLIP_WEIGHT * cross_entropy(clip, target),
        }

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The eight maps of class scores at 1/4: of the four frames, and of the target by its references.

        images: float[B, 4, 3, H, W] RGB, 0..255, the target last
        Returns float[B, 4, C, H/4, W/4] twice; the second is what each of the three references makes of the target,
        and then all of them with the target's own features, which is the output at test.
        """
        network, count = self.network, len(images)
        features = network.features(((images - self.mean) / self.std).flatten(0, 1))
        frames = network.single(features).unflatten(0, (count, FRAMES))
        clips = Features(
            tuple(x.unflatten(0, (count, FRAMES)) for x in features.maps),
            features.fused.unflatten(0, (count, FRAMES)),
        )
        target = Features(tuple(x[:, -1] for x in clips.maps), clips.fused[:, -1])
        seen = network.reconstruct(target, self._memory(clips))
        alone = [
            classify(network.dropout(x)) for classify, x in zip(network.classify_reference, seen.unbind(1), strict=True)
        ]
        merged = network.classify(network.dropout(seen.mean(1) + target.coarse))
        clip = torch.stack([resize(x, frames.shape[-2:]) for x in (*alone, merged)], 1)
        return frames, clip

    def _memory(self, clips: Features) -> Memory:
        """Of the references: all frames but the last."""
        references = Features(tuple(x[:, :-1].flatten(0, 1) for x in clips.maps), clips.fused[:, :-1].flatten(0, 1))
        memory = self.network.memory(references)
        keys, values = ([x.unflatten(0, (-1, FRAMES - 1)) for x in part] for part in (memory.keys, [memory.values]))
        return Memory(tuple(keys), values[0])


def cross_entropy(maps: Tensor, labels: Tensor) -> Tensor:
    """Mean over all pixels of all maps; ignored ones count with a loss of 0.

    maps: float[B, T, C, h, w] class scores, resized here; labels: int64[B, T, H, W]
    """
    scores = resize(maps.flatten(0, 1), labels.shape[-2:])
    return F.cross_entropy(scores, labels.flatten(0, 1), ignore_index=IGNORE, reduction="sum") / labels.numel()
