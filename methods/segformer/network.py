"""SegFormer (Xie et al., NeurIPS 2021) in transformers' version: configurations, and weights from folders and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from transformers import SegformerConfig, SegformerForSemanticSegmentation

from vssbench.errors import UserError
from vssbench.networks.checkpoints import load_strict, read, seeded
from vssbench.networks.transformers_models import from_folder, quiet_transformers
from vssbench.types import Weights

Backbone = Literal["tiny", "mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5"]
LEAST_SIDE = 29
"""Smallest side of a frame: at stride 4 it must cover the first stage's kernel of 8."""
_CONFIGS: dict[Backbone, dict[str, Any]] = {
    "tiny": {"hidden_sizes": [16, 32, 80, 128], "depths": [1, 1, 1, 1], "decoder_hidden_size": 64},
    "mit_b0": {"hidden_sizes": [32, 64, 160, 256], "depths": [2, 2, 2, 2], "decoder_hidden_size": 256},
    "mit_b1": {"hidden_sizes": [64, 128, 320, 512], "depths": [2, 2, 2, 2], "decoder_hidden_size": 256},
    "mit_b2": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 6, 3], "decoder_hidden_size": 768},
    "mit_b3": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 18, 3], "decoder_hidden_size": 768},
    "mit_b4": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 8, 27, 3], "decoder_hidden_size": 768},
    "mit_b5": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 6, 40, 3], "decoder_hidden_size": 768},
}


def build(backbone: Backbone, classes: int) -> SegformerForSemanticSegmentation:
    """The network in evaluation mode, with random weights that follow from the arguments."""
    config = SegformerConfig(num_labels=classes, attn_implementation="eager", **_CONFIGS[backbone])
    with seeded(f"segformer {backbone} {classes}"), quiet_transformers():
        return SegformerForSemanticSegmentation(config).eval()


def check_size(size: tuple[int, int]) -> None:
    """Raise UserError for a frame whose stride-4 map is smaller than the kernel that shortens attention's keys."""
    if min(size) < LEAST_SIDE:
        raise UserError(
            f"a frame of {size[0]}x{size[1]} is too small for segformer",
            expected=f"at least {LEAST_SIDE} pixels per side",
        )


def load(network: SegformerForSemanticSegmentation, path: str | Path | None, expected: str) -> Weights:
    """Strictly fill the network from a folder or file and return which; None leaves it untrained."""
    if path is None:
        return Weights("untrained")
    checkpoint = read(path)
    unseen = ("num_attention_heads", "sr_ratios", "strides", "patch_sizes", "layer_norm_eps", "reshape_last_stage")
    filling = checkpoint if checkpoint.config is None else from_folder(network, checkpoint, unseen, expected)
    load_strict(network, filling, expected=expected)
    return checkpoint.weights
