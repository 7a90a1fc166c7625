"""CReFF's local attention without in-place operators, for graphs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vssbench.methods.arseg.tiles import REACH, bordered, joined, outside, tiles

TILE = (8, 8)
"""Rows and columns of queries that share a matrix product."""


def tiled_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Do what `vssbench.methods.arseg.creff.local_attention` does, a row of tiles at a time; float[1, C, H, W] each."""
    query, key, value = (x[0].permute(1, 2, 0) for x in (query, key, value))
    height, width, _ = query.shape
    queries, key, value = tiles(query, TILE), bordered(key, TILE), bordered(value, TILE)
    high, wide = (side + 2 * REACH for side in TILE)
    row, column = torch.arange(high)[:, None], torch.arange(wide)
    # int64[tiles, places that a tile sees]: indices within a row of tiles. One gather, where views would be copies.
    left = torch.arange(0, width, TILE[1])[:, None, None]
    seen = (row * key.shape[1] + column + left).flatten(1).to(query.device)
    mask, found = outside(*TILE, query.dtype, query.device), []
    for top, q in zip(range(0, height, TILE[0]), queries, strict=True):
        keys, values = (F.embedding(seen, x[top : top + high].flatten(0, 1)) for x in (key, value))
        scores = q.flatten(1, 2) @ keys.transpose(1, 2) + mask
        found.append((scores.softmax(-1) @ values).view(q.shape))
    return joined(torch.stack(found), height, width).permute(2, 0, 1).unsqueeze(0)
