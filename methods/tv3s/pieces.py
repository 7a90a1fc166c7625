"""How a map is cut into the sequences that a block runs along."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor


class Pieces(NamedTuple):
    """A map of H x W cells, cut into pieces.

    order:   int64[H * W]: cells in raster order -> cells piece by piece, the largest pieces first
    inverse: int64[H * W]: the reverse
    groups:  (number of pieces, cells of each), one group per size of piece
    """

    order: Tensor
    inverse: Tensor
    groups: tuple[tuple[int, int], ...]


def spans(side: int, window: int, moved: bool) -> list[tuple[int, int]]:
    """(first, last + 1) of each piece along an axis whose length is a multiple of the window.

    moved: shift by half a window; the first and last pieces are then half as long, and are not joined across the border
    """
    cuts = [0, *range(window // 2, side, window), side] if moved else range(0, side + 1, window)
    return list(pairwise(cuts))


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # because training may use them too
def pieces(height: int, width: int, window: int, moved: bool, device: torch.device) -> Pieces:
    """Cut windows of window x window cells; moved: as in `spans`, along both axes."""
    cells = torch.arange(height * width).view(height, width)
    by_size: dict[int, list[Tensor]] = defaultdict(list)
    for top, bottom in spans(height, window, moved):
        for left, right in spans(width, window, moved):
            piece = cells[top:bottom, left:right].flatten()
            by_size[len(piece)].append(piece)
    sizes = sorted(by_size, reverse=True)
    order = torch.cat([piece for size in sizes for piece in by_size[size]])
    groups = tuple((len(by_size[size]), size) for size in sizes)
    return Pieces(order.to(device), order.argsort().to(device), groups)
