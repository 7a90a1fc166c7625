"""Small segmentation models of transformers, one of each type, with the image processor that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BeitConfig,
    BeitForSemanticSegmentation,
    Data2VecVisionConfig,
    Data2VecVisionForSemanticSegmentation,
    DetrConfig,
    DPTConfig,
    DPTForSemanticSegmentation,
    EomtConfig,
    EomtDinov3Config,
    EomtDinov3ForUniversalSegmentation,
    EomtForUniversalSegmentation,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    MaskFormerConfig,
    MaskFormerForInstanceSegmentation,
    MobileNetV2Config,
    MobileNetV2ForSemanticSegmentation,
    MobileViTConfig,
    MobileViTForSemanticSegmentation,
    MobileViTV2Config,
    MobileViTV2ForSemanticSegmentation,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SwinConfig,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil
from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil
from transformers.models.maskformer.image_processing_pil_maskformer import MaskFormerImageProcessorPil
from transformers.models.mobilenet_v2.image_processing_pil_mobilenet_v2 import MobileNetV2ImageProcessorPil
from transformers.models.mobilevit.image_processing_pil_mobilevit import MobileViTImageProcessorPil
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

Made = tuple[Any, Any]
"""A network and its image processor."""

SQUARE = {"height": 64, "width": 64}
AT_MOST = {"shortest_edge": 64, "longest_edge": 96}
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}


def saved(folder: Path, make: Callable[..., Made], factor: float = 6, **config: Any) -> Made:
    """A network whose weights are large enough for class maps of several classes, and its processor; saves both.

    factor: of the weights that a constructor draws
    """
    torch.manual_seed(3)
    network, processor = make(**{"num_labels": 11, **config})
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.mul_(factor if parameter.ndim > 1 else 1)
            if "quer" in name and "embed" in name:  # otherwise all queries find the same
                parameter.normal_(0, 3)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return network.eval(), processor


def swin() -> SwinConfig:
    return SwinConfig(embed_dim=8, depths=[1] * 4, num_heads=[1, 2, 4, 8], window_size=4, **STAGES)


def segformer(**config: Any) -> Made:
    small = {"hidden_sizes": [8, 16, 24, 32], "depths": [1] * 4, "num_attention_heads": [1, 2, 4, 8]}
    network = SegformerForSemanticSegmentation(SegformerConfig(**small, decoder_hidden_size=16, **config))
    return network, SegformerImageProcessorPil(size={"height": 64, "width": 96})


def mask2former(**config: Any) -> Made:
    small = {"hidden_dim": 32, "num_attention_heads": 4, "dim_feedforward": 64, "encoder_feedforward_dim": 64}
    small |= {"feature_size": 32, "mask_feature_size": 32, "encoder_layers": 1, "decoder_layers": 3, "num_queries": 10}
    network = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(backbone_config=swin(), **small, **config))
    return network, Mask2FormerImageProcessorPil(size=AT_MOST)


def maskformer(**config: Any) -> Made:
    small = {"encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    decoder = DetrConfig(d_model=32, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=10, **small)
    sizes = {"fpn_feature_size": 32, "mask_feature_size": 32}
    whole = MaskFormerConfig(backbone_config=swin(), decoder_config=decoder, **sizes, **config)
    return MaskFormerForInstanceSegmentation(whole), MaskFormerImageProcessorPil(size=AT_MOST)


def upernet(**config: Any) -> Made:
    small = {"hidden_size": 16, "auxiliary_channels": 8, "auxiliary_in_channels": 32, "pool_scales": [1, 2]}
    network = UperNetForSemanticSegmentation(UperNetConfig(backbone_config=swin(), **small, **config))
    return network, SegformerImageProcessorPil(size=SQUARE)


def dpt(**config: Any) -> Made:
    small = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32}
    small |= {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16, "backbone_out_indices": [0, 1, 2, 3]}
    network = DPTForSemanticSegmentation(DPTConfig(image_size=64, patch_size=8, **small, **config))
    return network, DPTImageProcessorPil(size=SQUARE)


def beit(network: Any = BeitForSemanticSegmentation, kind: Any = BeitConfig, **config: Any) -> Made:
    small = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32}
    small |= {"out_indices": [1, 2, 3, 4], "pool_scales": [1, 2], "auxiliary_channels": 8}
    whole = network(kind(image_size=64, patch_size=8, **small, **config))
    return whole, BeitImageProcessorPil(size=SQUARE, crop_size=SQUARE, do_center_crop=False)


def data2vec(**config: Any) -> Made:
    return beit(Data2VecVisionForSemanticSegmentation, Data2VecVisionConfig, **config)


def mobilevit(**config: Any) -> Made:
    small = {"hidden_sizes": [8, 16, 16], "neck_hidden_sizes": [8, 8, 8, 16, 16, 16, 32], "num_attention_heads": 2}
    network = MobileViTForSemanticSegmentation(MobileViTConfig(image_size=64, aspp_out_channels=16, **small, **config))
    return network, MobileViTImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE)


def mobilevitv2(**config: Any) -> Made:
    small = {"width_multiplier": 0.25, "aspp_out_channels": 16, "n_attn_blocks": [1, 1, 1]}
    network = MobileViTV2ForSemanticSegmentation(MobileViTV2Config(image_size=64, **small, **config))
    return network, MobileViTImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE)


def mobilenet(**config: Any) -> Made:
    network = MobileNetV2ForSemanticSegmentation(MobileNetV2Config(image_size=64, depth_multiplier=0.25, **config))
    return network, MobileNetV2ImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE)


def eomt(network: Any = EomtForUniversalSegmentation, kind: Any = EomtConfig, **config: Any) -> Made:
    """EoMT, whose processor cuts a frame into squares, each an image of the batch."""
    small = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_queries": 10}
    whole = network(kind(image_size=64, patch_size=8, num_blocks=1, num_upscale_blocks=1, **small, **config))
    return whole, EomtImageProcessorPil(size={"shortest_edge": 64, "longest_edge": None}, do_split_image=True)


def eomt_dinov3(**config: Any) -> Made:
    return eomt(EomtDinov3ForUniversalSegmentation, EomtDinov3Config, intermediate_size=64, **config)


MODELS: dict[str, tuple[Callable[..., Made], float]] = {
    "segformer": (segformer, 6),
    "mask2former": (mask2former, 6),
    "maskformer": (maskformer, 6),
    "upernet": (upernet, 6),
    "dpt": (dpt, 6),
    "beit": (beit, 6),
    "data2vec": (data2vec, 6),
    "mobilevit": (mobilevit, 6),
    "mobilevitv2": (mobilevitv2, 6),
    "mobilenet": (mobilenet, 8),
    "eomt": (eomt, 6),
    "eomt_dinov3": (eomt_dinov3, 8),
}
"""Name -> the function that makes it, and the factor for `saved`."""
