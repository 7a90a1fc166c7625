"""MRCFA's network: cross-frame aggregation on the target, over a MiT backbone and MLP decoder on each frame."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from torch import Tensor, nn

from vssbench.methods.mit.network import ClipNetwork, Features, resize, tokens
from vssbench.methods.mrcfa.affinity import CrossFrameAffinity, gather_tokens
from vssbench.methods.mrcfa.backbones import Config


class Memory(NamedTuple):
    """What a frame offers to later ones as a reference: one token per cell of the n at 1/32, in raster order.

    keys:   from c2, c3, c4, float[B, n, C_i]; float[B, R, n, C_i] for R references
    values: float[B, n, embed]; float[B, R, n, embed]
    """

    keys: tuple[Tensor, ...]
    values: Tensor


class MRCFA(ClipNetwork):
    """The whole network. Inputs are normalised images whose sides are multiples of 32."""

    def __init__(self, config: Config, classes: int):
        super().__init__(config, classes)
        widths, embed = config.widths, config.embed
        self.classify = nn.Conv2d(embed, classes, 1)
        self.classify_reference = nn.ModuleList(nn.Conv2d(embed, classes, 1) for _ in range(3))  # for training only
        self.unused = nn.Conv2d(128, classes, 1)  # in every official checkpoint, but nothing reads it
        self.affinity = CrossFrameAffinity(config)
        self.reduce = nn.ModuleList(nn.Conv2d(w, w, k, stride=k) for w, k in zip(widths[1:3], (4, 2), strict=True))
        self.keys = nn.ModuleList(nn.Linear(width, width) for width in widths[1:])
        self.values = nn.Conv2d(embed, embed, 4, stride=4)

    def memory(self, features: Features) -> Memory:
        c2, c3, c4 = features.maps[1:]
        sources = (self.reduce[0](c2), self.reduce[1](c3), c4)
        keys = tuple(key(tokens(x)) for key, x in zip(self.keys, sources, strict=True))
        return Memory(keys, tokens(self.values(features.coarse)))

    def held(self, image: Tensor, references: int) -> Memory:
        cells = prod(side // prod(self.backbone.config.strides) for side in image.shape[-2:])
        *keys, values = (
            image.new_zeros(len(image), references, cells, len(layer.weight)) for layer in (*self.keys, self.values)
        )
        return Memory(tuple(keys), values)

    def reconstruct(self, target: Features, references: Memory) -> Tensor:
        """The target at 1/8 as each reference sees it, float[B, R, embed, H/8, W/8]."""
        affinity, kept = self.affinity(target.maps[1:], references.keys)
        seen = affinity.softmax(-1) @ gather_tokens(references.values, kept)
        return seen.unflatten(2, target.maps[1].shape[-2:]).permute(0, 1, 4, 2, 3)

    def forward(self, target: Features, references: Memory) -> Tensor:
        """Class scores of the target from its references, float[B, classes, H/4, W/4]."""
        mixed = self.reconstruct(target, references).mean(1) + target.coarse
        return resize(self.classify(self.dropout(mixed)), target.fused.shape[-2:])
