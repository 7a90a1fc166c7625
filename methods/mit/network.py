"""The per-frame half of the networks: MiT backbone, SegFormer's MLP decoder, a classifier of one frame alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SegformerConfig, SegformerModel


@dataclass(frozen=True)
class MitConfig:
    """One backbone and decoder.

    widths, depths, heads: of the four stages of the MiT backbone
    strides:    of the patch embeddings before them; 1/8, 1/16 and 1/32 elsewhere assume the official strides.
                The last two are 2 and 2.
    embed:      channels of the MLP decoder
    """

    widths: tuple[int, ...] = (64, 128, 320, 512)
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    embed: int = 256


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {  # strides half as large for frames a quarter as large
        "widths": (24, 32, 64, 96),
        "depths": (1, 1, 1, 1),
        "heads": (1, 2, 4, 6),
        "strides": (4, 1, 2, 2),
        "embed": 64,
    },
    "mit_b0": {"widths": (32, 64, 160, 256)},
    "mit_b1": {},
    "mit_b2": {"depths": (3, 4, 6, 3)},
    "mit_b5": {"depths": (3, 6, 40, 3)},
}
"""Name of a backbone -> what differs from `MitConfig`'s own values."""


class Features(NamedTuple):
    """What one frame yields.

    maps:  c1..c4 of the backbone, float[B, C_i, H/4, W/4] down to 1/32
    fused: output of the MLP decoder, float[B, embed, H/4, W/4]
    """

    maps: tuple[Tensor, ...]
    fused: Tensor

    @property
    def coarse(self) -> Tensor:
        """The fused map at the size of c2, at which frames are compared: half its own size."""
        size = self.maps[1].shape[-2:]
        return self.fused if self.fused.shape[-2:] == size else resize(self.fused, size)


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
        """The published way: each scale is projected and resized, then one convolution runs over all of them."""
        size = maps[0].shape[-2:]
        scales = []
        for project, x in zip(self.project, maps, strict=True):
            x = project(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # channels last: resized fast on a CPU
            scales.append(x if x.shape[-2:] == size else resize(x, size))
        return self.fuse(torch.cat(scales[::-1], dim=1))

    def _fused_small(self, maps: Sequence[Tensor]) -> Tensor:
        """The same sum, for training, with the convolution before the resize.

        A 1x1 convolution and a resize can change places. So each scale takes its projection and its share of the
        convolution in one step, before it is resized.
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


class ClipNetwork(nn.Module, ABC):
    """What the networks have in common. Inputs are normalised images whose sides are multiples of 32.

    Subclasses add `memory`, `held` and `forward`. A frame's memory is what later frames need of it: a tensor or a
    tuple of tensors. It depends on that frame alone, so it can be computed once and kept.
    """

    def __init__(self, config: MitConfig, classes: int):
        super().__init__()
        self.backbone = mix_transformer(config)
        self.decoder = MLPDecoder(config.widths, config.embed)
        self.dropout = nn.Dropout2d(0.1)
        self.classify_single = nn.Conv2d(config.embed, classes, 1)

    def features(self, image: Tensor) -> Features:
        """float[B, 3, H, W] -> backbone maps and the fused map."""
        maps = []
        for stage in self.backbone.stages:
            image = stage(image)
            maps.append(image)
        return Features(tuple(maps), self.decoder(maps))

    def single(self, features: Features) -> Tensor:
        """Class scores from one frame alone, float[B, classes, H/4, W/4]: the start of a clip."""
        scores: Tensor = self.classify_single(self.dropout(features.fused))
        return scores

    def exportable(self) -> ClipNetwork:
        """The same network on the same parameters, using only operators that every runtime has."""
        return self

    @abstractmethod
    def memory(self, features: Features) -> Any:
        """What this frame offers as a reference; it does not depend on any target."""

    @abstractmethod
    def held(self, image: Tensor, references: int) -> Any:
        """Zeros shaped like the memories of that many references (the second axis), for images like this one."""


class Memorising(ClipNetwork):
    """A network whose memory of a frame is its fused map at 1/8, float[B, embed, H/8, W/8]."""

    def memory(self, features: Features) -> Tensor:
        return features.coarse

    def held(self, image: Tensor, references: int) -> Tensor:
        strides = self.backbone.config.strides[:2]
        height, width = (side // (strides[0] * strides[1]) for side in image.shape[-2:])
        return image.new_zeros(len(image), references, self.decoder.fuse.out_channels, height, width)


def mix_transformer(config: MitConfig) -> SegformerModel:
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


def initialise(network: ClipNetwork, seed: int, even: bool = False) -> None:
    """Draw random weights to train from: the backbone as SegFormer's authors draw it, the rest by torch's defaults.

    even: draw the backbone's linear layers so that features keep their size; the authors' 0.02 is far too narrow for a
    small network

    transformers draws convolutions as narrowly as linear layers. A depthwise convolution, which adds up nine products,
    then lets almost nothing through. A module of the network's own with a `reset_parameters` is drawn by that.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        plain = (nn.Conv1d, nn.Conv2d, nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)
        for module in network.modules():
            if isinstance(module, plain):
                module.reset_parameters()
        for module in network.modules():  # a method's own modules, which may redraw the plain ones inside
            draw = getattr(module, "reset_parameters", None)
            if draw is not None and not isinstance(module, plain):
                draw()
        for module in network.backbone.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * module.kernel_size[0] ** 2 // module.groups
                nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
            elif isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5 if even else 0.02)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize bilinearly, with half-pixel centres."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def tokens(x: Tensor) -> Tensor:
    """float[B, C, H, W] -> float[B, H*W, C]."""
    return x.flatten(2).transpose(1, 2)
