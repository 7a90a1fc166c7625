"""CReFF: the warped key-frame feature fused with the LR feature by local attention (AR-Seg, CVPR 2023, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.arseg import creff_gradient
from vssbench.methods.arseg.tiles import REACH, WINDOW, outside
from vssbench.methods.arseg.warp import resize

TILES = {"cpu": (2, 8), "cuda": (16, 16)}
"""Rows and columns of queries that share one matrix product: small where work is the bottleneck, large where launches
are. benchmarks/creff.py measures the CPU's."""
SHARES = 4
"""Parts of the map per thread, so that a delayed thread does not delay the others."""


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Local attention, in one of its forms, from queries, keys and values."""


class CReFF(nn.Module):
    """U + attention of U's queries over the 7x7 windows of the reference; U is the LR feature at its size."""

    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key, self.value = (
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels) for _ in range(3)
        )

    def forward(self, reference: Tensor, feature: Tensor, attend: Attend | None = None) -> Tensor:
        """Return the fused feature, float[N, C, H, W]; N is 1 unless gradients are recorded.

        reference: float[N, C, H, W], the warped HR feature
        feature:   float[N, C, h, w], from the LR branch
        attend:    None: `local_attention`
        """
        # Channels last: the attention reads whole vectors, and depthwise convolutions are four times as fast on a CPU.
        feature = resize(feature.contiguous(memory_format=torch.channels_last), reference.shape[-2:])
        reference = reference.contiguous(memory_format=torch.channels_last)
        attend = attend or local_attention
        return attend(self.query(feature), self.key(reference), self.value(reference)).add_(feature)


def local_attention(query: Tensor, key: Tensor, value: Tensor, tile: tuple[int, int] | None = None) -> Tensor:
    """Attend from each pixel to the 7x7 window around it: softmax of the unscaled dot products, weighted sum of values.

    query, key, value: float[1, C, H, W], or of several images if gradients are recorded; returns the same shape
    Positions outside the map have score 0 and value 0, as in the official kernel.

    Exact, by matrix products: the queries of a tile of `tile` pixels meet all keys of the tile and its border at once,
    and scores outside a query's own window are masked. The keys of a strip of rows are laid out column by column, so
    that those of one tile are contiguous and neighbouring tiles overlap in memory: a view, not a copy.
    """
    if torch.is_grad_enabled():
        return creff_gradient.attend(query, key, value, tile)
    rows, columns = tile or TILES.get(query.device.type, TILES["cuda"])
    query, key, value = (x[0].permute(1, 2, 0) for x in (query, key, value))
    tops = range(0, len(query), rows)
    out = torch.empty_like(query)

    def attend(tops: Sequence[int]) -> None:
        strip = _Strip(query, rows, columns)
        for top in tops:
            out[top : top + rows] = strip.attend(query, key, value, top)

    _share(attend, tops) if query.device.type == "cpu" else attend(tops)
    return out.unsqueeze(0).permute(0, 3, 1, 2)


def _share(work: Callable[[Sequence[int]], None], items: Sequence[int]) -> None:
    """Do the work on as many threads as torch has, each running its operators on that thread alone.

    Torch would split every operator on a strip among its threads. The operators are too small for that: the threads
    would wait for each other, on a busy machine for ten times as long as the work takes.
    """
    threads, inference = torch.get_num_threads(), torch.is_inference_mode_enabled()
    size = -(-len(items) // (threads * SHARES))

    def alone(first: int) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode(inference), torch.no_grad():
            work(items[first : first + size])

    if threads == 1:
        return work(items)
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(alone, range(0, len(items), size)))
    finally:
        torch.set_num_threads(threads)
    return None


class _Strip:
    """Buffers for one strip of rows, reused for every strip: fresh memory each time takes twice as long on a CPU."""

    def __init__(self, like: Tensor, rows: int, columns: int):
        _, self.width, channels = like.shape
        tiles, high = -(-self.width // columns), rows + 2 * REACH
        queries, keys = rows * columns, high * (columns + 2 * REACH)
        self.mask = outside(columns, rows, like.dtype, like.device)
        self.query = like.new_zeros(tiles * columns, rows, channels)
        self.key, self.value = (like.new_zeros(tiles * columns + 2 * REACH, high, channels) for _ in range(2))
        self.tiled_query = (tiles, queries, channels)
        self.overlapping = (tiles, keys, channels), (columns * high * channels, channels, 1)
        self.scores = like.new_empty(tiles, queries, keys)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, top: int) -> Tensor:
        """Return float[rows, W, C] (fewer rows at the end) for the strip at `top`; the inputs are float[H, W, C]."""
        queries = _lay(self.query, query, top, 0).view(self.tiled_query)
        keys = _lay(self.key, key, top - REACH, REACH).as_strided(*self.overlapping)
        values = _lay(self.value, value, top - REACH, REACH).as_strided(*self.overlapping)
        scores = torch.bmm(queries, keys.transpose(1, 2), out=self.scores).add_(self.mask)
        result = torch.bmm(torch.softmax(scores, -1, out=self.scores), values)
        return result.view(self.query.shape)[: self.width, : len(query) - top].transpose(0, 1)


def _lay(room: Tensor, x: Tensor, first: int, left: int) -> Tensor:
    """Copy rows of x from `first` on into `room`, float[W', rows, C], as columns from `left` on; zeros elsewhere."""
    rows = room.shape[1]
    begin, end = max(first, 0), min(first + rows, len(x))
    if end - begin < rows:
        room.zero_()
    room[left : left + x.shape[1], begin - first : end - first] = x[begin:end].transpose(0, 1)
    return room


def plain_local_attention(query: Tensor, key: Tensor, value: Tensor, rows: int = 16) -> Tensor:
    """The same, computed as defined: 49 keys per pixel, some rows at a time. Slow, but its products are the cost."""
    key, value = (_channels_last(x, (REACH,) * 4) for x in (key, value))
    strips = []
    for top in range(0, query.shape[2], rows):
        queries = query[0, :, top : top + rows].permute(1, 2, 0)
        keys, values = (_windows(x[top : top + rows + 2 * REACH]) for x in (key, value))
        weights = torch.softmax(torch.bmm(queries.flatten(0, 1).unsqueeze(1), keys.transpose(1, 2)), -1)
        strips.append(torch.bmm(weights, values).view(queries.shape))
    return torch.cat(strips).unsqueeze(0).permute(0, 3, 1, 2)


def _channels_last(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Return float[H', W', C] with zeros around it."""
    return F.pad(x[0].permute(1, 2, 0), (0, 0, *padding)).contiguous()


def _windows(x: Tensor) -> Tensor:
    """Return float[pixels, 49, C]: the window around each pixel that is not in the border of 3."""
    return x.unfold(0, WINDOW, 1).unfold(1, WINDOW, 1).permute(0, 1, 3, 4, 2).flatten(0, 1).flatten(1, 2)
