"""Multi-scale deformable attention (Zhu et al., Deformable DETR, ICLR 2021, section 4.1), as the pixel decoder uses it.

The parameters are those of transformers' module, and so is the arithmetic where gradients or counts are wanted. In
inference mode on a CPU the same sums are computed differently: each head's weighted sum over levels, points and corners
is one `embedding_bag` over the rows of the value maps, one pass over memory instead of the six of `grid_sample`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention as Published,
)
from transformers.models.mask2former.modeling_mask2former import multi_scale_deformable_attention

Shapes = Sequence[tuple[int, int]]
"""(height, width) of each level."""
_BEFORE, _AFTER = 1, 2
"""Empty cells around each level, so that a corner beyond the border is not a special case: it adds zero."""


class DeformableAttention(nn.Module):
    """A replacement for transformers' module that takes over its layers, including their names."""

    def __init__(self, published: Published):
        super().__init__()
        self.heads, self.levels, self.points = published.n_heads, published.n_levels, published.n_points
        self.sampling_offsets = published.sampling_offsets
        self.attention_weights = published.attention_weights
        self.value_proj = published.value_proj
        self.output_proj = published.output_proj

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: Tensor,
        reference_points: Tensor,
        spatial_shapes_list: Shapes,
        **_: object,
    ) -> tuple[Tensor, None]:
        """Take tokens of all levels, float[B, N, D]; return as many, and None in place of the attention weights.

        Called as in transformers. reference_points: float[B, N, L, 2] in 0..1, x first
        """
        queries = hidden_states + position_embeddings
        batch, count, width = queries.shape
        value = self.value_proj(hidden_states).view(batch, count, self.heads, width // self.heads)
        shape = (batch, count, self.heads, self.levels, self.points)
        offsets = self.sampling_offsets(queries).view(*shape, 2)
        weights = self.attention_weights(queries).view(*shape[:3], -1).softmax(-1).view(shape)
        if torch.is_inference_mode_enabled() and value.device.type == "cpu" and batch == 1:
            summed = sample_rows(value[0], spatial_shapes_list, offsets[0], weights[0])[None]
        else:
            sizes = offsets.new_tensor([[columns, rows] for rows, columns in spatial_shapes_list])
            places = reference_points[:, :, None, :, None] + offsets / sizes[:, None]
            summed = multi_scale_deformable_attention(value, list(spatial_shapes_list), places, weights)
        return self.output_proj(summed), None


def sample_rows(value: Tensor, shapes: Shapes, offsets: Tensor, weights: Tensor) -> Tensor:
    """Gather what each cell's query samples from the maps, float32[N, H * C]: bilinear, with zeros outside.

    In float32, whatever the inputs are: bf16 could not distinguish neighbouring places.
    value:   float[N, H, C], cells of all levels in raster order, H heads
    offsets: float[N, H, L, P, 2] from the cell's centre, in cells of the sampled level, x first
    weights: float[N, H, L, P]
    """
    count, heads, channels = value.shape
    table, starts = _bordered(value, shapes)
    centre, last = _centres(shapes)
    (column, x), (row, y) = (_cell(offsets[..., axis] + centre[:, None, :, None, axis], last[axis]) for axis in (0, 1))
    strides = torch.tensor([columns + _BEFORE + _AFTER for _, columns in shapes])
    place = row.mul_(strides[:, None]).add_(column).add_(torch.tensor(starts)[:, None])
    place.nan_to_num_(nan=0.0)  # for use as an index; the shares still hold the NaN
    first = (place.int() * heads).add_(torch.arange(heads, dtype=torch.int32)[:, None, None])
    below = (strides * heads).int()[:, None]
    lower = weights.float() * y
    upper = weights - lower
    lower_right, upper_right = lower * x, upper * x
    rows = torch.stack((first, first + heads, first + below, first + below + heads), -1)
    shares = torch.stack((upper - upper_right, upper_right, lower - lower_right, lower_right), -1)
    summed = F.embedding_bag(
        rows.view(count * heads, -1),
        table.view(-1, channels),
        per_sample_weights=shares.view(count * heads, -1),
        mode="sum",
    )
    return summed.view(count, -1)


def _centres(shapes: Shapes) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return float32[N, L, 2]: the centre of each cell in each level, in cells of that level, x first, counting the
    empty ones before it; and (x, y) of the place after each level's last cell, float32[L, 1] each."""
    sizes = torch.tensor([[columns, rows] for rows, columns in shapes], dtype=torch.float32)
    centres = []
    for rows, columns in shapes:
        y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
        centres.append(torch.stack((x.flatten(), y.flatten()), -1))
    last = (sizes + _BEFORE).T[..., None]
    return torch.cat(centres)[:, None] * sizes + (_BEFORE - 0.5), (last[0], last[1])


def _cell(place: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cell before a place along one axis, and how far past it the place is, 0..1; overwrite `place`.

    Places beyond the border are moved into the surrounding empty cells.
    """
    place = torch.minimum(place.clamp_(min=0), last, out=place)
    cell = place.floor()
    return cell, place.sub_(cell)


def _bordered(value: Tensor, shapes: Shapes) -> tuple[Tensor, list[int]]:
    """Return the levels with empty cells around each, float32[N', H, C], and where each begins."""
    extra = _BEFORE + _AFTER
    counts = [(rows + extra) * (columns + extra) for rows, columns in shapes]
    table = torch.zeros(sum(counts), *value.shape[1:])
    levels = value.split([rows * columns for rows, columns in shapes])
    for level, place, (rows, columns) in zip(levels, table.split(counts), shapes, strict=True):
        inner = place.view(rows + extra, columns + extra, *value.shape[1:])[_BEFORE:-_AFTER, _BEFORE:-_AFTER]
        inner.copy_(level.view(inner.shape))
    return table, [sum(counts[:number]) for number in range(len(counts))]
