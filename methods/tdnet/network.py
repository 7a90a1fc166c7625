"""TDNet (Hu et al., Temporally Distributed Networks for Fast Video Semantic Segmentation, CVPR 2020).

The features of several shallow networks make up those of a deep one: only one sub-network sees each frame, and
attention brings what the earlier frames stored to the current frame's pixels (section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.arseg.layers import ConvNormReLU
from vssbench.methods.arseg.pspnet import BINS
from vssbench.methods.tdnet.backbones import Config


class Memory(NamedTuple):
    """What a frame stores for later ones, at every `subsampling`-th row and column of the 1/8 grid.

    query, key: float[B, n, keys];  value: float[B, n, values]
    """

    query: Tensor
    key: Tensor
    value: Tensor


class SpatialNorm(nn.Module):
    """Each channel normalised over the map, then a scale and a shift per position, shared by the channels.

    The tables, float[h, w], are the only parts made for one size. For a different size they are resized bilinearly with
    corners aligned, as the network resizes everything else.
    """

    def __init__(self, table: tuple[int, int]):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(table))
        self.bias = nn.Parameter(torch.zeros(table))

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        return F.layer_norm(x.contiguous(), size, self._at(self.weight, size), self._at(self.bias, size))

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        """Resize the tables permanently."""
        self.weight, self.bias = (nn.Parameter(self._at(one, size).clone()) for one in (self.weight, self.bias))

    def _at(self, table: Tensor, size: tuple[int, int]) -> Tensor:
        if table.shape == size:
            return table
        return F.interpolate(table[None, None], size, mode="bilinear", align_corners=True)[0, 0]


class SubNetwork(nn.Module):
    """One of the networks that take turns.

    half:  which half of the channels is kept from the trunk and from each level of its pyramid, 0 or 1
    table: size of the normalisation's tables
    """

    def __init__(self, config: Config, half: int, classes: int, table: tuple[int, int]):
        super().__init__()
        width = config.width
        self.part = half
        self.trunk = config.trunk()
        self.pyramid = nn.ModuleList(ConvNormReLU(width, width // len(BINS), 1) for _ in BINS)
        self.query, self.key = (_encoder(width, config.keys) for _ in range(2))
        self.value = nn.Conv2d(width, config.values, 1)
        self.links = nn.ModuleList(nn.Conv2d(config.values, config.values, 1) for _ in range(config.paths - 1))
        self.norm = SpatialNorm(table)
        reduce = ConvNormReLU(config.values, config.head)
        self.head = nn.Sequential(*reduce, nn.Dropout2d(0.1), nn.Conv2d(config.head, classes, 1))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """float[B, 3, H, W], normalised -> float[B, width, H/8, W/8], and the trunk's third layer."""
        _, deep, x = self.trunk(image)
        size = x.shape[-2:]
        pooled = (conv(F.adaptive_avg_pool2d(x, bins)) for bins, conv in zip(BINS, self.pyramid, strict=True))
        levels = [F.interpolate(self._half(one), size, mode="bilinear", align_corners=True) for one in pooled]
        return torch.cat([self._half(x), *levels], 1), deep

    def _half(self, x: Tensor) -> Tensor:
        return x.chunk(2, dim=1)[self.part]

    def memory(self, feature: Tensor, value: Tensor, subsampling: int) -> Memory:
        """Return what the frame stores for later ones; value: of the feature."""
        picked = feature[..., ::subsampling, ::subsampling]
        return Memory(
            _tokens(self.query(picked)), _tokens(self.key(picked)), _tokens(value[..., ::subsampling, ::subsampling])
        )

    def received(self, feature: Tensor, past: Sequence[Memory], published: bool = True) -> Tensor:
        """Return float[B, values, h, w]: what earlier frames, oldest first, pass on to each other and to this one.

        published: in the paper's order; else the same, but faster, see `_attention`
        """
        queries = (*(memory.query for memory in past[1:]), _tokens(self.query(feature)))
        passed = torch.zeros_like(past[0].value)
        for link, query, memory in zip(self.links, queries, past, strict=True):
            passed = _attention(query, memory.key, memory.value + passed, link, published)
        return passed.transpose(1, 2).unflatten(2, feature.shape[-2:])

    def classify(self, x: Tensor) -> Tensor:
        """Return float[B, classes, h, w] from a value, alone or with what was received."""
        scores: Tensor = self.head(self.norm(x))
        return scores

    def forward(
        self, image: Tensor, past: Sequence[Memory], subsampling: int, published: bool = False
    ) -> tuple[Tensor, Memory]:
        """Return class scores, float[B, classes, H/8, W/8], and the frame's memory; past: empty while a clip begins."""
        feature, _ = self.features(image)
        value = self.value(feature)
        fused = value + self.received(feature, past, published) if past else value
        return self.classify(fused), self.memory(feature, value, subsampling)


class TDNet(nn.Module):
    """The sub-networks, by turn."""

    def __init__(self, config: Config, classes: int, table: tuple[int, int] | None = None):
        super().__init__()
        self.paths = nn.ModuleList(
            SubNetwork(config, turn % 2, classes, table or config.table) for turn in range(config.paths)
        )

    @property
    def table(self) -> tuple[int, int]:
        """(h, w) of the normalisation's tables."""
        norm: SpatialNorm = next(self.order(0)).norm
        return norm.weight.shape[0], norm.weight.shape[1]

    def tabulate(self, table: tuple[int, int]) -> None:
        """Resize the normalisation's tables permanently."""
        for path in self.order(0):
            path.norm.resize(table)

    def order(self, turn: int) -> Iterator[SubNetwork]:
        """Yield all sub-networks, that of the oldest frame first; `turn` is that of the newest."""
        count = len(self.paths)
        for number in range(turn + 1, turn + count + 1):
            path = self.paths[number % count]
            assert isinstance(path, SubNetwork)
            yield path


def _encoder(width: int, keys: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, keys, 1), nn.BatchNorm2d(keys), nn.LeakyReLU(0.01, inplace=True), nn.Conv2d(keys, keys, 1)
    )


def _attention(query: Tensor, key: Tensor, value: Tensor, link: nn.Module, published: bool) -> Tensor:
    """Return float[B, m, values] for float[B, m, keys] queries, through the link's 1x1 convolution.

    published: the convolution comes last, at all m positions. Because the shares sum to 1, it gives the same result at
    the n positions of the values, which are 16 times fewer for a whole frame.
    """
    shares = torch.softmax(query @ key.transpose(1, 2) / sqrt(key.shape[-1]), dim=-1)
    assert isinstance(link, nn.Conv2d)
    weight = link.weight.flatten(1)
    return F.linear(shares @ value, weight, link.bias) if published else shares @ F.linear(value, weight, link.bias)


def _tokens(x: Tensor) -> Tensor:
    """float[B, C, h, w] to float[B, h * w, C]."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)
