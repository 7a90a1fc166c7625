"""The outputs of all prediction heads, which only training uses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import Mask2FormerForUniversalSegmentation


class Heads(NamedTuple):
    """The output of each prediction head for a batch of frames, in the order of the heads.

    classes: float[B, Q, C + 1] each, logits; the last column is "no object"
    masks:   float[B, Q, h, w] each, logits at stride 4
    queries: float[B, Q, D], the last head's layer-normed query features
    """

    classes: list[Tensor]
    masks: list[Tensor]
    queries: Tensor


def pixel_features(network: Mask2FormerForUniversalSegmentation, image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Compute the transformer decoder's input for normalised frames float[B, 3, H, W]: maps from 1/32 to 1/8, and the
    features at 1/4 from which masks are made. The deformable decoder stays in float32 under mixed precision, as in the
    official code."""
    pixels = network.model.pixel_level_module
    maps = pixels.encoder(image).feature_maps
    with torch.autocast(image.device.type, enabled=False):
        decoded = pixels.decoder([x.float() for x in maps])
    return list(decoded.multi_scale_features), decoded.mask_features


def heads(network: Mask2FormerForUniversalSegmentation, maps: list[Tensor], mask_features: Tensor) -> Heads:
    """Run the transformer decoder on what `pixel_features` returns."""
    decoded = network.model.transformer_module(maps, mask_features)
    queries = [x.transpose(0, 1) for x in decoded.intermediate_hidden_states]
    classes = [network.class_predictor(x) for x in queries]
    return Heads(classes, list(decoded.masks_queries_logits), queries[-1])
