"""CReFF's local attention with its gradient, for training (AR-Seg, CVPR 2023, section 3.3).

Only query, key and value are kept for the gradient. The scores are recomputed, one band of tiles at a time, so that
they stay in a processor's cache and take up no device memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vssbench.methods.arseg.tiles import REACH, Tile, add_windows, bordered, joined, outside, tiles, windows

BANDS = {"cpu": 1, "cuda": 16}
"""Rows of tiles processed at a time."""
TRAINING_TILES = {"cpu": (4, 8), "cuda": (16, 16)}
"""Rows and columns of queries that share a matrix product. On a CPU an image of 128x160x32 takes 39 ms with (4, 8),
44 with (8, 8) and 100 with (16, 16)."""


def attend(query: Tensor, key: Tensor, value: Tensor, tile: Tile | None = None) -> Tensor:
    """Attend from each pixel to the 7x7 window around it: softmax of the unscaled dot products, weighted sum of values.

    query, key, value: float[N, C, H, W]; returns float[N, C, H, W], in single precision or better
    Positions outside the map have score 0 and value 0, as in the official kernel.
    """
    device = query.device.type
    tile = tile or TRAINING_TILES.get(device, TRAINING_TILES["cuda"])
    with torch.autocast(device, enabled=False):
        parts = (x.float() if x.itemsize < 4 else x for x in (query, key, value))
        found: Tensor = _Attention.apply(*(x.permute(0, 2, 3, 1) for x in parts), tile)
    return found.permute(0, 3, 1, 2)


class _Attention(torch.autograd.Function):
    """The attention and its gradient on float[N, H, W, C]."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tile: Tile) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.tile = tile
        return torch.stack([_forward(*image, tile) for image in zip(query, key, value, strict=True)])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images = zip(gradient, *ctx.saved_tensors, strict=True)
        found = [_backward(upstream, query, key, value, ctx.tile) for upstream, query, key, value in images]
        return *(torch.stack(part) for part in zip(*found, strict=True)), None


def _forward(query: Tensor, key: Tensor, value: Tensor, tile: Tile) -> Tensor:
    queries = tiles(query, tile)
    keys, values = (windows(bordered(x, tile), tile) for x in (key, value))
    result = torch.empty_like(queries)
    for band in _bands(queries):
        q, k, v = (_vectors(x[band]) for x in (queries, keys, values))
        result[band] = torch.bmm(_weights(q, k, tile), v).view(queries[band].shape)
    return joined(result, *query.shape[:2])


def _backward(gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, tile: Tile) -> tuple[Tensor, Tensor, Tensor]:
    gradients, queries = tiles(gradient, tile), tiles(query, tile)
    key, value = bordered(key, tile), bordered(value, tile)
    keys, values = windows(key, tile), windows(value, tile)
    of_query, of_key, of_value = torch.empty_like(queries), torch.zeros_like(key), torch.zeros_like(value)
    for band in _bands(queries):
        g, q, k, v = (_vectors(x[band]) for x in (gradients, queries, keys, values))
        weights = _weights(q, k, tile)
        of_weights = torch.bmm(g, v.transpose(1, 2))
        of_scores = weights * (of_weights - (weights * of_weights).sum(-1, keepdim=True))
        of_query[band] = torch.bmm(of_scores, k).view(queries[band].shape)
        rows = slice(band.start * tile[0], band.stop * tile[0] + 2 * REACH)
        add_windows(of_value[rows], torch.bmm(weights.transpose(1, 2), g).view(values[band].shape), tile)
        add_windows(of_key[rows], torch.bmm(of_scores.transpose(1, 2), q).view(keys[band].shape), tile)
    height, width, _ = query.shape
    inner = slice(REACH, REACH + height), slice(REACH, REACH + width)
    return joined(of_query, height, width), of_key[inner], of_value[inner]


def _weights(queries: Tensor, keys: Tensor, tile: Tile) -> Tensor:
    """Return float[tiles, queries, keys]: 0 for keys outside a query's window."""
    mask = outside(*tile, queries.dtype, queries.device)
    return torch.softmax(torch.bmm(queries, keys.transpose(1, 2)).add_(mask), -1)


def _vectors(x: Tensor) -> Tensor:
    """Return float[tiles, pixels, C] from float[tiles down, tiles across, rows, columns, C]."""
    return x.flatten(2, 3).flatten(0, 1)


def _bands(queries: Tensor) -> list[slice]:
    step, total = BANDS.get(queries.device.type, BANDS["cuda"]), len(queries)
    return [slice(first, min(first + step, total)) for first in range(0, total, step)]
