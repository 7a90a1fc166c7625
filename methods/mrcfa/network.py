"""MRCFA's network: MiT backbone and MLP decoder on each frame, cross-frame aggregation on the target.

What later frames need of a frame (`Memory`) depends on that frame alone, so it can be computed once and held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SegformerConfig, SegformerModel

from vssbench.methods.mrcfa.affinity import CrossFrameAffinity, gather_tokens
from vssbench.methods.mrcfa.backbones import Config


class Features(NamedTuple):
    """What one frame yields.

    maps:  c1..c4 of the backbone, float[B, C_i, H/4, W/4] down to 1/32
    fused: output of the MLP decoder, float[B, embed, H/4, W/4]
    """

    maps: tuple[Tensor, ...]
    fused: Tensor

    @property
    def coarse(self) -> Tensor:
        """The fused map at the size of c2, where references are compared: half its own."""
        size = self.maps[1].shape[-2:]
        return self.fused if self.fused.shape[-2:] == size else resize(self.fused, size)


class Memory(NamedTuple):
    """What a frame offers to later ones as a reference: one token for each of the n cells at 1/32, in raster order.

    keys:   from c2, c3, c4, float[B, n, C_i]; float[B, R, n, C_i] for R references
    values: float[B, n, embed]; float[B, R, n, embed]
    """

    keys: tuple[Tensor, ...]
    values: Tensor

    @staticmethod
    def stack(references: Sequence[Memory]) -> Memory:
        """R frames' memories as one, references in the second axis."""
        keys = tuple(torch.stack(scale, 1) for scale in zip(*(memory.keys for memory in references), strict=True))
        return Memory(keys, torch.stack([memory.values for memory in references], 1))


class MLPDecoder(nn.Module):
    """SegFormer's decoder up to the fused map (Xie et al., NeurIPS 2021, section 3.2)."""

    def __init__(self, widths: Sequence[int], embed: int):
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(width, embed) for width in widths)
        self.fuse = nn.Conv2d(4 * embed, embed, 1, bias=False)
        self.norm = nn.BatchNorm2d(embed)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """c1..c4 -> float[B, embed, H/4, W/4]."""
        fused = self._fused_small(maps) if self.training else self._fused(maps)
        return F.relu(self.norm(fused))

    def _fused(self, maps: Sequence[Tensor]) -> Tensor:
        """As published: each scale projected and resized, then one convolution over all of them."""
        size = maps[0].shape[-2:]
        scales = []
        for project, x in zip(self.project, maps, strict=True):
            x = project(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # channels last: resized fast on a CPU
            scales.append(x if x.shape[-2:] == size else resize(x, size))
        return self.fuse(torch.cat(scales[::-1], dim=1))

    def _fused_small(self, maps: Sequence[Tensor]) -> Tensor:
        """The same sum, for training: a 1x1 convolution and a resize can change places, and so each scale takes its
        projection and its share of the convolution in one step, before it is resized.
        """
        shares = self.fuse.weight.flatten(1).chunk(len(maps), 1)[::-1]
        scales = [
            F.linear(x.permute(0, 2, 3, 1), share @ weight, share @ bias).permute(0, 3, 1, 2)
            for (weight, bias), share, x in zip((p.parameters() for p in self.project), shares, maps, strict=True)
        ]
        total = scales[0]
        for x in scales[1:]:
            total = total + resize(x, total.shape[-2:])
        return total


class MRCFA(nn.Module):
    """The whole network. Inputs are normalised images whose sides are multiples of 32."""

    def __init__(self, config: Config, classes: int):
        super().__init__()
        widths, embed = config.widths, config.embed
        self.backbone = mix_transformer(config)
        self.decoder = MLPDecoder(widths, embed)
        self.dropout = nn.Dropout2d(0.1)
        self.classify_single = nn.Conv2d(embed, classes, 1)
        self.classify = nn.Conv2d(embed, classes, 1)
        self.classify_reference = nn.ModuleList(nn.Conv2d(embed, classes, 1) for _ in range(3))  # training loss only
        self.unused = nn.Conv2d(128, classes, 1)  # in every official checkpoint, read by nothing
        self.affinity = CrossFrameAffinity(config)
        self.reduce = nn.ModuleList(nn.Conv2d(w, w, k, stride=k) for w, k in zip(widths[1:3], (4, 2), strict=True))
        self.keys = nn.ModuleList(nn.Linear(width, width) for width in widths[1:])
        self.values = nn.Conv2d(embed, embed, 4, stride=4)

    def features(self, image: Tensor) -> Features:
        """float[B, 3, H, W] -> backbone maps and the fused map."""
        maps = []
        for stage in self.backbone.stages:
            image = stage(image)
            maps.append(image)
        return Features(tuple(maps), self.decoder(maps))

    def memory(self, features: Features) -> Memory:
        """What this frame offers as a reference; does not depend on any target."""
        c2, c3, c4 = features.maps[1:]
        sources = (self.reduce[0](c2), self.reduce[1](c3), c4)
        keys = tuple(key(tokens(x)) for key, x in zip(self.keys, sources, strict=True))
        return Memory(keys, tokens(self.values(features.coarse)))

    def single(self, features: Features) -> Tensor:
        """Class scores from one frame alone, float[B, classes, H/4, W/4]: the start of a clip."""
        return self.classify_single(self.dropout(features.fused))

    def reconstruct(self, target: Features, references: Memory) -> Tensor:
        """The target at 1/8 as each reference sees it, float[B, R, embed, H/8, W/8]."""
        affinity, kept = self.affinity(target.maps[1:], references.keys)
        seen = affinity.softmax(-1) @ gather_tokens(references.values, kept)
        return seen.unflatten(2, target.maps[1].shape[-2:]).permute(0, 1, 4, 2, 3)

    def forward(self, target: Features, references: Memory) -> Tensor:
        """Class scores of the target from its references, float[B, classes, H/4, W/4]."""
        mixed = self.reconstruct(target, references).mean(1) + target.coarse
        return resize(self.classify(self.dropout(mixed)), target.fused.shape[-2:])


def mix_transformer(config: Config) -> SegformerModel:
    """MiT with the official LayerNorm eps: 1e-6 in blocks and after stages, 1e-5 in patch embeddings and reductions."""
    model = SegformerModel._from_config(
        SegformerConfig(
            hidden_sizes=config.widths,
            depths=config.depths,
            num_attention_heads=config.heads,
            strides=config.strides,
            drop_path_rate=0.1,
        ),
        attn_implementation="eager",
    )
    for stage in model.stages:
        stage.layer_norm.eps = 1e-6
        for block in stage.blocks:
            block.layernorm_before.eps = block.layernorm_after.eps = 1e-6
    return model


def initialise(network: MRCFA, seed: int, even: bool = False) -> None:
    """Random weights to train from: the backbone as SegFormer's authors draw it, the rest by torch's defaults.

    even: linear layers of the backbone so that features keep their size, where the authors' 0.02 is far too narrow for
    a small network

    transformers draws convolutions as narrowly as linear layers: a depthwise one, which adds up nine products, then
    lets next to nothing through.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.LayerNorm | nn.GroupNorm | nn.BatchNorm2d):
                module.reset_parameters()
        for module in network.backbone.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * module.kernel_size[0] ** 2 // module.groups
                nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
            elif isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5 if even else 0.02)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, half-pixel centres."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def tokens(x: Tensor) -> Tensor:
    """float[B, C, H, W] -> float[B, H*W, C]."""
    return x.flatten(2).transpose(1, 2)
