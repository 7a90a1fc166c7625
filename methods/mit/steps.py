"""What is computed for one frame at test, as modules of plain tensor operations that can be run and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from vssbench.methods.mit.network import ClipNetwork, Features, resize

Size = tuple[int, int]
"""Height and width."""


class Single(nn.Module):
    """The frame alone: the first three frames of a clip."""

    def __init__(self, network: ClipNetwork, remember: bool):
        """remember: also return what later frames need of this one."""
        super().__init__()
        self.network, self.remember = network, remember

    def forward(self, image: Tensor) -> tuple[Tensor, Any]:
        """float[1, 3, H, W] -> class scores float[1, C, H/4, W/4] and the frame's memory."""
        features = self.network.features(image)
        return self.network.single(features), self.network.memory(features) if self.remember else None


class Cached(nn.Module):
    """A frame against the memories of its references, each computed once when that frame was new."""

    def __init__(self, network: ClipNetwork):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, references: Any) -> tuple[Tensor, Any]:
        """float[1, 3, H, W] -> class scores float[1, C, H/4, W/4] and the frame's own memory."""
        features = self.network.features(image)
        return self.network(features, references), self.network.memory(features)


class Recompute(nn.Module):
    """A frame against its references, all computed again, as the official test code does."""

    def __init__(self, network: ClipNetwork):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """float[R + 1, 3, H, W], the target last -> class scores float[1, C, H/4, W/4]."""
        features = self.network.features(images)
        target = Features(tuple(x[-1:] for x in features.maps), features.fused[-1:])
        memory = self.network.memory(Features(tuple(x[:-1] for x in features.maps), features.fused[:-1]))
        scores: Tensor = self.network(target, tree_map(lambda x: x.unsqueeze(0), memory))
        return scores


def stack(memories: Sequence[Any]) -> Any:
    """The memories of R frames as one, references in the second axis."""
    return tree_map(lambda *one: torch.stack(one, 1), *memories)


def upsample(scores: Tensor, inner: Size, outer: Size) -> Tensor:
    """Resize bilinearly from the head's size to that of the network's input, and from there to the frame's.

    Bilinear resizing treats each axis by itself. Where both sizes have the same height (480x864 and 480x853), the
    widths therefore go first, while there are few rows: the same numbers for less work. Memory is channels last: a CPU
    then interpolates and takes the argmax twice as fast.
    """
    scores = scores.contiguous(memory_format=torch.channels_last)
    rows = scores.shape[-2]
    steps = [(rows, inner[1]), (rows, outer[1]), outer] if inner[0] == outer[0] and inner != outer else [inner, outer]
    for size in steps:
        scores = scores if tuple(scores.shape[-2:]) == tuple(size) else resize(scores, size)
    return scores
