"""Masks from queries (Mask2Former, section 3.2): of the ten heads' masks, inference needs nine only where they hide.

A layer attends where the head before it sees its query's mask, at the size of the features that it looks at. The
official order makes the whole mask, 64 times as many pixels as the coarsest attention has, and shrinks it. Shrinking is
linear in the mask, so the features can be shrunk in its place: the same numbers but for rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.mask2former.modeling_mask2former import Mask2FormerMaskPredictor as Published


class MaskPredictor(nn.Module):
    """Stands in for transformers' module and takes over its layers, names included."""

    def __init__(self, published: Published):
        super().__init__()
        self.heads, self.mask_embedder = published.num_heads, published.mask_embedder

    def forward(self, outputs: Tensor, pixel_embeddings: Tensor, attention_mask_target_size: torch.Size):
        """Queries float[Q, B, D] and features float[B, D, h, w] to what `masks_of` makes masks of, and where no
        attention goes, bool[B * heads, Q, H * W] at the size asked for.

        The first is the masks themselves, float[B, Q, h, w], where gradients or counts are wanted; in inference mode,
        and in a graph that is exported for it, it is the queries' embeddings, float[B, Q, D].
        """
        embeddings = self.mask_embedder(outputs.transpose(0, 1))
        if torch.is_inference_mode_enabled() or torch.compiler.is_exporting():
            head, shrunk = embeddings, masks_of(embeddings, _resized(pixel_embeddings, attention_mask_target_size))
        else:
            head = masks_of(embeddings, pixel_embeddings)
            shrunk = _resized(head, attention_mask_target_size)
        hidden = shrunk.detach().sigmoid().flatten(2) < 0.5
        return head, hidden[:, None].expand(-1, self.heads, -1, -1).flatten(0, 1)


def masks_of(head: Tensor, pixel_embeddings: Tensor) -> Tensor:
    """Mask logits float[B, Q, h, w] of what a prediction head gave: embeddings float[B, Q, D], or the masks."""
    return head if head.ndim == 4 else torch.einsum("bqc,bchw->bqhw", head, pixel_embeddings)


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
