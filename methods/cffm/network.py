"""CFFM's network: focal blocks on the target and three earlier frames, on top of MiT and an MLP decoder per frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vssbench.methods.cffm.focal import FocalBlock
from vssbench.methods.mit.network import SIZES, Features, Memorising, MitConfig, resize

Backbone = Literal["tiny", "mit_b0", "mit_b1", "mit_b2", "mit_b5"]


@dataclass(frozen=True)
class Config(MitConfig):
    """blocks: focal blocks in sequence; attention_heads: heads per block."""

    blocks: int = 2
    attention_heads: int = 8


CONFIGS: dict[Backbone, Config] = {
    "tiny": Config(**SIZES["tiny"], blocks=1, attention_heads=2),
    "mit_b0": Config(**SIZES["mit_b0"], blocks=1),
    "mit_b1": Config(**SIZES["mit_b1"]),
    "mit_b2": Config(**SIZES["mit_b2"]),
    "mit_b5": Config(**SIZES["mit_b5"], blocks=4),
}


class CFFM(Memorising):
    """The whole network. Inputs are normalised images; a frame is remembered as its fused map at 1/8."""

    def __init__(self, config: Config, classes: int):
        super().__init__(config, classes)
        self.blocks = nn.ModuleList(FocalBlock(config.embed, config.attention_heads) for _ in range(config.blocks))
        self.classify = nn.Conv2d(2 * config.embed, classes, 1)
        self.unused = nn.Conv2d(128, classes, 1)  # in every official checkpoint, never used

    def forward(self, target: Features, references: Tensor) -> Tensor:
        """Return class scores of the target, float[B, classes, H/4, W/4].

        references: float[B, 3, embed, H/8, W/8], oldest first: each has its own pooling
        """
        before = target.coarse
        x, others = before.permute(0, 2, 3, 1), references.permute(0, 1, 3, 4, 2)
        for block in self.blocks:
            x = block(x, others)
        mixed = torch.cat([before, x.permute(0, 3, 1, 2)], 1)
        return resize(self.classify(self.dropout(mixed)), target.fused.shape[-2:])
