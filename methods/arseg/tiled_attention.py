"""CReFF's local attention without in-place operators, for graphs."""

from __future__ import annotations

import torch
from torch import Tensor

from vssbench.methods.arseg.tiles import bordered, joined, outside, tiles, windows

TILE = (8, 8)
"""Rows and columns of queries that share a matrix product."""


def tiled_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """As `vssbench.methods.arseg.creff.local_attention`; float[1, C, H, W] each. A row of tiles at a time."""
    query, key, value = (x[0].permute(1, 2, 0) for x in (query, key, value))
    height, width, _ = query.shape
    queries = tiles(query, TILE)
    keys, values = (windows(bordered(x, TILE), TILE) for x in (key, value))
    mask = outside(*TILE, query.dtype, query.device)
    rows = []
    for q, k, v in zip(queries, keys, values, strict=True):
        scores = q.flatten(1, 2) @ k.flatten(1, 2).transpose(1, 2) + mask
        rows.append((scores.softmax(-1) @ v.flatten(1, 2)).view(q.shape))
    return joined(torch.stack(rows), height, width).permute(2, 0, 1).unsqueeze(0)
