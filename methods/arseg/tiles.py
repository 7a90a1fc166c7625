"""Local attention by tiles: which keys the queries of a tile share, and which of them each query may see."""

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
    """Return float[queries, keys] for a tile of first x second pixels: 0 for keys in the query's window, else -inf.

    Queries and keys are ordered with the second axis fastest; the keys are those of the tile and of a border of 3.
    """

    def near(size: int) -> Tensor:
        ahead = torch.arange(size + 2 * REACH, device=device) - torch.arange(size, device=device)[:, None]
        return (ahead >= 0) & (ahead < WINDOW)

    inside = near(first)[:, None, :, None] & near(second)[None, :, None, :]
    mask = torch.zeros(inside.shape, dtype=dtype, device=device).masked_fill_(~inside, -torch.inf)
    return mask.flatten(2).flatten(0, 1)


def bordered(x: Tensor, tile: Tile) -> Tensor:
    """Pad float[H, W, C] with zeros: a border of 3, and at the bottom and right what completes the last tiles."""
    height, width, _ = x.shape
    return F.pad(x, (0, 0, REACH, REACH - width % -tile[1], REACH, REACH - height % -tile[0]))


def windows(x: Tensor, tile: Tile) -> Tensor:
    """Return what each tile of a bordered map sees: a view [tiles down, tiles across, rows + 6, columns + 6, C]."""
    rows, columns = (side + 2 * REACH for side in tile)
    return x.unfold(0, rows, tile[0]).unfold(1, columns, tile[1]).permute(0, 1, 3, 4, 2)


def tiles(x: Tensor, tile: Tile) -> Tensor:
    """Reshape float[H, W, C] to float[tiles down, tiles across, rows, columns, C], with zeros beyond the edge."""
    height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -(width % -tile[1]), 0, -(height % -tile[0])))
    return x.view(len(x) // tile[0], tile[0], x.shape[1] // tile[1], tile[1], channels).transpose(1, 2)


def joined(x: Tensor, height: int, width: int) -> Tensor:
    """Undo `tiles`: return float[height, width, C]."""
    return x.transpose(1, 2).flatten(2, 3).flatten(0, 1)[:height, :width]


def add_windows(total: Tensor, parts: Tensor, tile: Tile) -> None:
    """Add to a bordered map what each tile computed for the pixels it sees, float[tiles down, tiles across, ...]."""
    view = windows(total, tile)
    # Windows this far apart share no pixel, so each sum is one operation without collisions.
    down, across = (-(-(side + 2 * REACH) // side) for side in tile)
    for row in range(down):
        for column in range(across):
            view[row::down, column::across] += parts[row::down, column::across]
