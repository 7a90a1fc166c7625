"""Masks from queries (Mask2Former, section 3.2): inference needs nine of the ten heads' masks only to mask attention.

A layer attends where the previous head predicts its query's mask, at the size of the features that it attends to. The
official order computes the whole mask, with 64 times as many pixels as the coarsest attention, and shrinks it. Both
steps are linear, so the features can be shrunk instead: the same numbers, except for rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.mask2former.modeling_mask2former import Mask2FormerMaskPredictor as Published


class MaskPredictor(nn.Module):
    """A replacement for transformers' module that takes over its layers, including their names."""

    def __init__(self, published: Published):
        super().__init__()
        self.heads, self.mask_embedder = published.num_heads, published.mask_embedder

    def forward(self, outputs: Tensor, pixel_embeddings: Tensor, attention_mask_target_size: torch.Size):
        """Take queries float[Q, B, D] and features float[B, D, h, w]; return the input of `masks_of`, and where not to
        attend, bool[B * heads, Q, H * W] at the requested size.

        The first is the masks themselves, float[B, Q, h, w], where gradients or counts are wanted; in inference mode,
        and in a graph exported for inference, it is the queries' embeddings, float[B, Q, D].
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
    """Return mask logits float[B, Q, h, w] from a prediction head's output: embeddings float[B, Q, D] or the masks."""
    return head if head.ndim == 4 else torch.einsum("bqc,bchw->bqhw", head, pixel_embeddings)


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
