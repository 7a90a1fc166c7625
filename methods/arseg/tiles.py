"""Local attention by tiles: which keys the queries of a tile share, and which of those each query may see."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 3
WINDOW = 2 * REACH + 1

Tile = tuple[int, int]


@lru_cache(maxsize=8)
def outside(first: int, second: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """float[queries, keys] of a tile of first x second pixels: 0 where a key is in the query's window, else -inf.

    Queries and keys count along the second axis first; the keys are the tile's and those of a border of 3.
    """

    def near(size: int) -> Tensor:
        ahead = torch.arange(size + 2 * REACH, device=device) - torch.arange(size, device=device)[:, None]
        return (ahead >= 0) & (ahead < WINDOW)

    inside = near(first)[:, None, :, None] & near(second)[None, :, None, :]
    mask = torch.zeros(inside.shape, dtype=dtype, device=device).masked_fill_(~inside, -torch.inf)
    return mask.flatten(2).flatten(0, 1)


def bordered(x: Tensor, tile: Tile) -> Tensor:
    """float[H, W, C] with zeros around: a border of 3, and what whole tiles take more at the bottom and right."""
    height, width, _ = x.shape
    return F.pad(x, (0, 0, REACH, REACH - width % -tile[1], REACH, REACH - height % -tile[0]))


def windows(x: Tensor, tile: Tile) -> Tensor:
    """What each tile of a bordered map sees: a view float[tiles down, tiles across, rows + 6, columns + 6, C]."""
    rows, columns = (side + 2 * REACH for side in tile)
    return x.unfold(0, rows, tile[0]).unfold(1, columns, tile[1]).permute(0, 1, 3, 4, 2)


def tiles(x: Tensor, tile: Tile) -> Tensor:
    """float[H, W, C] as float[tiles down, tiles across, rows, columns, C], zeros where a tile passes the edge."""
    height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -(width % -tile[1]), 0, -(height % -tile[0])))
    return x.view(len(x) // tile[0], tile[0], x.shape[1] // tile[1], tile[1], channels).transpose(1, 2)


def joined(x: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `tiles`: float[height, width, C]."""
    return x.transpose(1, 2).flatten(2, 3).flatten(0, 1)[:height, :width]


def add_windows(total: Tensor, parts: Tensor, tile: Tile) -> None:
    """Add to a bordered map what each tile found for the pixels it sees, float[tiles down, tiles across, ...]."""
    view = windows(total, tile)
    # Windows this far apart have no pixel in common, so that each sum is one operation without collisions.
    down, across = (-(-(side + 2 * REACH) // side) for side in tile)
    for row in range(down):
        for column in range(across):
            view[row::down, column::across] += parts[row::down, column::across]
