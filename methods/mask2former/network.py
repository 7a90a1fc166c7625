"""Mask2Former for semantic segmentation (Cheng et al., CVPR 2022), on transformers' model.

Ours are the choice of configurations, the path through the model that inference needs (only the last prediction head's
output is used), and the output stage. The batch size is 1, as in every video protocol.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig, SwinConfig

from vssbench.methods.mask2former.attention_masks import MaskPredictor, masks_of
from vssbench.methods.mask2former.deformable_attention import DeformableAttention
from vssbench.networks.checkpoints import seeded
from vssbench.networks.transformers_models import quiet_transformers
from vssbench.networks.upsampling import Step, upsampled, upsampled_labels
from vssbench.types import UInt8

Backbone = Literal["tiny", "r50", "r101", "swin_t", "swin_s", "swin_b", "swin_l"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
STRIDE = 32
"""Inputs are padded to a multiple of this."""

_BAND = 16
"""Rows of the stride-4 masks per band of the output stage; larger and smaller bands were measured to be slower."""
_STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
_RESNETS = {"r50": (3, 4, 6, 3), "r101": (3, 4, 23, 3)}
_SWINS = {  # embedding width, blocks of the third stage, heads of the first stage, window
    "swin_t": (96, 6, 3, 7),
    "swin_s": (96, 18, 3, 7),
    "swin_b": (128, 18, 4, 12),
    "swin_l": (192, 18, 6, 12),
}
_TINY = {  # for the synthetic dataset's small frames: the same network, narrow and shallow
    "feature_size": 64,
    "mask_feature_size": 64,
    "hidden_dim": 64,
    "num_attention_heads": 4,
    "encoder_layers": 3,
    "encoder_feedforward_dim": 128,
    "decoder_layers": 7,
    "dim_feedforward": 256,
    "num_queries": 20,
}


class Segments(NamedTuple):
    """The last prediction head's output for one frame.

    classes: float[Q, C + 1] logits; the last column is "no object"
    masks:   float[Q, h, w] logits at stride 4 of the padded frame
    queries: float[Q, D], the layer-normed query features
    """

    classes: Tensor
    masks: Tensor
    queries: Tensor


class Geometry(NamedTuple):
    """Sizes (height, width) between the network and the frame: padded = what the network sees, resized = without
    padding, frame = the output's."""

    padded: tuple[int, int]
    resized: tuple[int, int]
    frame: tuple[int, int]


def build(backbone: Backbone, classes: int) -> Mask2FormerForUniversalSegmentation:
    """Return the network in evaluation mode, with random weights determined by the arguments."""
    with (
        seeded(f"mask2former {backbone} {classes}"),
        quiet_transformers(),
    ):  # transformers warns that a ResNet backbone is unsupported; it works, as the tests show
        network = Mask2FormerForUniversalSegmentation(configure(backbone, classes))
    pixels = network.model.pixel_level_module
    if hasattr(pixels.encoder, "swin"):
        pixels.encoder.swin.layernorm = nn.Identity()  # its output is unused, and the official network has none
    for layer in pixels.decoder.encoder.layers:
        layer.self_attn = DeformableAttention(layer.self_attn)
    decoder = network.model.transformer_module.decoder
    decoder.mask_predictor = MaskPredictor(decoder.mask_predictor)
    return network.eval()


def configure(backbone: Backbone, classes: int) -> Mask2FormerConfig:
    """Return transformers' configuration for a backbone of the table: 100 queries and 9 layers, except for `tiny`."""
    if backbone == "tiny":
        encoder = ResNetConfig(
            embedding_size=32, hidden_sizes=[32, 64, 128, 256], depths=[1] * 4, layer_type="basic", **_STAGES
        )
        return Mask2FormerConfig(backbone_config=encoder, num_labels=classes, **_TINY)
    if backbone in _RESNETS:
        encoder = ResNetConfig(depths=list(_RESNETS[backbone]), **_STAGES)
    else:
        width, blocks, heads, window = _SWINS[backbone]
        encoder = SwinConfig(
            embed_dim=width,
            depths=[2, 2, blocks, 2],
            num_heads=[heads * factor for factor in (1, 2, 4, 8)],
            window_size=window,
            drop_path_rate=0.3,
            **_STAGES,
        )
    return Mask2FormerConfig(backbone_config=encoder, num_labels=classes)


def third_stage(backbone: Backbone) -> tuple[int, int | None]:
    """Return (blocks of the third stage, Swin's embedding width or None), which tells the backbones apart."""
    encoder = configure(backbone, 1).backbone_config
    return encoder.depths[2], getattr(encoder, "embed_dim", None)


def segment(network: Mask2FormerForUniversalSegmentation, image: Tensor) -> Segments:
    """Run one normalised, padded frame, float[1, 3, H, W], through the network; class logits of the last head only."""
    pixels = network.model.pixel_level_module(image)
    decoded = network.model.transformer_module(pixels.decoder_hidden_states, pixels.decoder_last_hidden_state)
    queries = decoded.intermediate_hidden_states[-1][:, 0]
    masks = masks_of(decoded.masks_queries_logits[-1], pixels.decoder_last_hidden_state)
    return Segments(network.class_predictor(queries), masks[0], queries)


def class_scores(classes: Tensor, masks: Tensor, geometry: Geometry) -> Tensor:
    """Return float[C, H, W] at the frame's size: the sum over queries of class probability times mask probability.

    The order is the official one: masks to the padded size, sigmoid, product, crop, scores to the frame's size.
    """
    probabilities = mask_probabilities(masks, geometry.padded)
    height, width = geometry.resized
    scores = torch.einsum("qc,qhw->chw", class_probabilities(classes), probabilities)[:, :height, :width]
    if geometry.resized == geometry.frame:
        return scores  # resizing to the same size would change nothing
    return F.interpolate(scores[None], geometry.frame, mode="bilinear", align_corners=False)[0]


def class_labels(classes: Tensor, masks: Tensor, geometry: Geometry) -> UInt8:
    """Return uint8[H, W], the argmax of `class_scores`, computed on a CPU in bands of rows that fit in the cache.

    Every value of a band is the same number as in the whole: bands begin and end on rows of the stride-4 masks, with an
    extra row on either side for the interpolation. Scores are [pixel, class], the fastest order for NumPy's argmax.
    """
    height, width = geometry.resized
    if masks.device.type != "cpu" or geometry.resized != geometry.frame:
        found: UInt8 = class_scores(classes, masks, geometry).argmax(dim=0).to(torch.uint8).cpu().numpy()
        return found
    probabilities, rows, factor = class_probabilities(classes), masks.shape[1], geometry.padded[0] // masks.shape[1]
    labels = np.empty(geometry.padded, np.uint8)
    for top in range(0, rows, _BAND):
        bottom, first, last = min(top + _BAND, rows), max(top - 1, 0), min(top + _BAND + 1, rows)
        band = mask_probabilities(masks[:, first:last], ((last - first) * factor, geometry.padded[1]))
        band = band[:, (top - first) * factor : (bottom - first) * factor].flatten(1)
        best = (band.T @ probabilities).numpy().argmax(axis=1)
        labels[top * factor : bottom * factor] = best.reshape(-1, geometry.padded[1])
    return np.ascontiguousarray(labels[:height, :width])


def fast_scores(classes: Tensor, masks: Tensor, geometry: Geometry) -> Tensor:
    """Return float[C, H, W] at the frame's size, multiplied at stride 4 and then upsampled: 1/16 of the products.

    Not the official order: the sigmoid of an upsampled logit is not the mean of sigmoids, so borders may move slightly.
    """
    return upsampled(coarse_scores(classes, masks), *_steps(geometry))


def fast_labels(classes: Tensor, masks: Tensor, geometry: Geometry) -> UInt8:
    """Return uint8[H, W], the argmax of `fast_scores`."""
    return upsampled_labels(coarse_scores(classes, masks), *_steps(geometry))


def coarse_scores(classes: Tensor, masks: Tensor) -> Tensor:
    """Return class scores float[C, h, w] at stride 4 of the padded frame."""
    return torch.einsum("qc,qhw->chw", class_probabilities(classes), masks.sigmoid())


def _steps(geometry: Geometry) -> tuple[Step, Step]:
    return Step(geometry.padded, geometry.resized), Step(geometry.frame, geometry.frame)


def class_probabilities(classes: Tensor) -> Tensor:
    """Return float[Q, C] from C + 1 logits: the "no object" column is dropped after the softmax."""
    return classes.softmax(dim=-1)[:, :-1]


def mask_probabilities(masks: Tensor, padded: tuple[int, int]) -> Tensor:
    """Return float[Q, H, W] from logits at stride 4: first upsampling, then the sigmoid."""
    return F.interpolate(masks[None], padded, mode="bilinear", align_corners=False)[0].sigmoid_()
