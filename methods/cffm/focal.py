"""Focal attention across frames: a window's queries against its surroundings, finer where nearer and newer.

Sun et al., CVPR 2022, section 3.2, after the focal self-attention of Yang et al., NeurIPS 2021; what the paper does not
specify follows the authors' release.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.methods.mit.network import resize

WINDOW = 7
MOVED = WINDOW // 2
OUTSIDE = -100.0
"""What is added to the scores of pooled tokens beyond the map."""


class Pooling(NamedTuple):
    """How a frame becomes tokens that are coarser than the target's.

    patch:  places per side of a patch, which becomes one token; the map is first resized so that a window has `tokens`
            patches per side
    tokens: tokens per side of a window
    seen:   tokens per side that a window sees, starting `seen // 2` before its own first one. The fields of the two
            finer frames are therefore not centred on the window, as in the release.
    """

    patch: int
    tokens: int
    seen: int


TARGET = Pooling(patch=7, tokens=1, seen=5)
REFERENCES = (Pooling(7, 1, 7), Pooling(3, 2, 5), Pooling(2, 3, 3))
"""For the frames t-9, t-6 and t-3."""
POOLINGS = (TARGET, *REFERENCES)
KEYS = WINDOW**2 + 4 * (WINDOW**2 - (WINDOW - MOVED) ** 2) + sum(one.seen**2 for one in POOLINGS)
"""The number of tokens that one window sees, 289: its own 49, the ring's 132, and 25 + 49 + 25 + 9 pooled ones."""


class FocalAttention(nn.Module):
    """Attention of every place of the target, in windows of 7x7, over the keys of `neighbourhood`."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.bias_window = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, heads))
        self.bias_ring = nn.Parameter(torch.empty(1, heads, WINDOW**2, 132))
        self.bias_pooled = nn.ParameterList(torch.empty(heads, (WINDOW + one.seen - 1) ** 2) for one in POOLINGS)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the window's table to 0 and draw the others from a truncated normal with std 0.02, as in the release."""
        nn.init.zeros_(self.bias_window)
        for table in (self.bias_ring, *self.bias_pooled):
            nn.init.trunc_normal_(table, std=0.02)

    def forward(self, target: Tensor, pooled: list[Tensor]) -> Tensor:
        """Take float[B, 7n, 7m, C], its own and the references' tokens [B, n_i, m_i, C]; return the first's shape."""
        batch, height, width, channels = target.shape
        keys, outside = neighbourhood(int(height) // WINDOW, int(width) // WINDOW, target.device)  # int: when traced
        query, own = self.qkv(target).split((channels, 2 * channels), -1)
        # Pooled tokens have no queries, so a third of the layer is left out for them.
        weight, bias = self.qkv.weight[channels:], self.qkv.bias[channels:]
        coarse = F.linear(torch.cat([x.flatten(1, 2) for x in pooled], 1), weight, bias)
        nothing = coarse.new_zeros(batch, 1, 2 * channels)
        found = torch.cat([own.flatten(1, 2), coarse, nothing], 1).index_select(1, keys.flatten())
        key, value = found.view(batch, *keys.shape, 2, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        query = windows(query).unflatten(-1, (self.heads, -1)).transpose(2, 3)
        seen = (self.weights(query, key, outside) @ value).transpose(2, 3).flatten(3)
        result: Tensor = self.proj(unwindowed(seen, height, width))
        return result

    def weights(self, query: Tensor, key: Tensor, outside: Tensor) -> Tensor:
        """Return float[B, nm, heads, 49, 289], summing to 1, from [B, nm, heads, 49, d] and [B, nm, heads, 289, d].

        outside: float[nm, 289], added to a window's scores
        """
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return scores.add_(self.bias()).add_(outside[:, None, None]).softmax(-1)

    def bias(self) -> Tensor:
        """Return float[heads, 49, 289]: the bias for each place of the window and each of its keys."""
        window = self.bias_window.T[:, offsets(WINDOW, self.bias_window.device)]
        pooled = [
            table[:, offsets(one.seen, table.device)] for table, one in zip(self.bias_pooled, POOLINGS, strict=True)
        ]
        return torch.cat([window, self.bias_ring[0], *pooled], -1)


class FocalBlock(nn.Module):
    """Attention and MLP that update the target's map and leave those of the references as they are."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.pool = nn.ModuleList(Pool(one) for one in POOLINGS)
        self.attention = FocalAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, target: Tensor, references: Tensor) -> Tensor:
        """Take float[B, h, w, C] and float[B, 3, h, w, C], oldest first; return float[B, h, w, C]."""
        height, width = target.shape[1:3]
        # Padding comes after the normalisation and acts as keys and queries like any other place, as in the release.
        padding = (0, 0, 0, -width % WINDOW, 0, -height % WINDOW)
        own = F.pad(self.norm1(target), padding)
        others = F.pad(self.norm1(references), padding).unbind(1)
        pooled = [pool(x) for pool, x in zip(self.pool, (own, *others), strict=True)]
        target = target + self.attention(own, pooled)[:, :height, :width]
        result: Tensor = target + self.fc2(F.gelu(self.fc1(self.norm2(target))))
        return result


class Pool(nn.Module):
    """One frame's tokens: a weighted sum of each patch's places, the same for all channels."""

    def __init__(self, pooling: Pooling):
        super().__init__()
        self.pooling = pooling
        self.sum = nn.Linear(pooling.patch**2, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start from a mean."""
        nn.init.constant_(self.sum.weight, 1 / self.pooling.patch**2)
        nn.init.zeros_(self.sum.bias)

    def forward(self, x: Tensor) -> Tensor:
        """float[B, 7n, 7m, C] -> float[B, n * tokens, m * tokens, C]."""
        patch, tokens, _ = self.pooling
        side = patch * tokens
        if side != WINDOW:
            size = [x.shape[axis] // WINDOW * side for axis in (1, 2)]
            x = resize(x.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
        x = x.unflatten(2, (-1, patch)).unflatten(1, (-1, patch)).permute(0, 1, 3, 5, 2, 4)
        result: Tensor = self.sum(x.flatten(4)).squeeze(-1)
        return result


def windows(x: Tensor) -> Tensor:
    """float[B, 7n, 7m, C] -> float[B, nm, 49, C], both in raster order."""
    x = x.unflatten(2, (-1, WINDOW)).unflatten(1, (-1, WINDOW)).transpose(2, 3)
    return x.flatten(3, 4).flatten(1, 2)


def unwindowed(x: Tensor, height: int, width: int) -> Tensor:
    """float[B, nm, 49, C] -> float[B, 7n, 7m, C]."""
    x = x.unflatten(2, (WINDOW, WINDOW)).unflatten(1, (height // WINDOW, width // WINDOW))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # because training may use them too
def offsets(seen: int, device: torch.device) -> Tensor:
    """Return int64[49, seen²]: the bias table's row for each place of a window and of a field with that side."""
    query, key = (torch.cartesian_prod(torch.arange(side), torch.arange(side)) for side in (WINDOW, seen))
    down, across = (query[:, None] - key + seen - 1).unbind(-1)
    return (down * (WINDOW + seen - 1) + across).to(device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def neighbourhood(rows: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Find what each window of a map of rows x columns windows sees.

    Returns int64[nm, 289], indices into the sequence (the target's map; its tokens and the references'; a zero), and
    float32[nm, 289], what is added to the scores: -100 at the zero, which stands for everything beyond the map.
    """
    height, width = rows * WINDOW, columns * WINDOW
    first = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    inner = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW))
    found = [inner]
    for down, across in ((MOVED, MOVED), (MOVED, -MOVED), (-MOVED, MOVED), (-MOVED, -MOVED)):
        moved = inner + torch.tensor([down, across])
        found.append(moved[((moved < 0) | (moved >= WINDOW)).any(-1)])
    size = torch.tensor([height, width])
    places = (first[:, None] * WINDOW + torch.cat(found)) % size  # the ring is cyclic over the map
    keys, start = [places[..., 0] * width + places[..., 1]], height * width
    last = start + sum(rows * columns * one.tokens**2 for one in POOLINGS)
    for _, tokens, seen in POOLINGS:
        field = torch.cartesian_prod(torch.arange(seen), torch.arange(seen)) - seen // 2
        places = first[:, None] * tokens + field
        within = ((places >= 0) & (places < torch.tensor([rows, columns]) * tokens)).all(-1)
        keys.append(torch.where(within, start + places[..., 0] * columns * tokens + places[..., 1], last))
        start += rows * columns * tokens**2
    every = torch.cat(keys, 1)
    return every.to(device), (OUTSIDE * (every == last).float()).to(device)
