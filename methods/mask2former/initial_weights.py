"""Training from only a backbone, as in the paper (Cheng et al., CVPR 2022, section 4.1: pre-trained on ImageNet)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from torch import nn
from transformers import Mask2FormerForUniversalSegmentation

from vssbench.methods.mask2former.weights import official
from vssbench.networks.checkpoints import Checkpoint, Part, load_strict, read
from vssbench.networks.renaming import Substitutions, renamed
from vssbench.networks.transformers_models import from_folder

_LAYOUTS = "transformers' folder, detectron2's R-50.pkl, torchvision's resnet50.pth or the official Swin's .pth"
_BEGINNINGS = ("stem.conv1.", "conv1.", "patch_embed.proj.")
_LEFT_OUT = re.compile(r"(stem\.)?(fc|head|classifier|norm)\.|swin\.layernorm\.|.*\.attn_mask$")
"""A classifier, the normalisation before it, and masks that are determined by the size."""
_OWN_NORM = re.compile(r"hidden_states_norms\.")
"""Swin's normalisation of each stage's output: not part of what ImageNet trains."""
_TORCHVISION: Substitutions = [  # from detectron2's names
    (r"^stem\.conv1\.norm", "bn1"),
    (r"^stem\.", ""),
    (r"^res(\d)", lambda match: f"layer{int(match[1]) - 1}"),
    (r"conv(\d)\.norm", r"bn\1"),
    (r"shortcut\.norm", "downsample.1"),
    (r"shortcut\.", "downsample.0."),
]


def is_backbone(path: str | Path) -> bool:
    """Whether a file or folder holds just a ResNet or Swin rather than a whole Mask2Former."""
    checkpoint = read(path)
    if checkpoint.config is not None:
        return checkpoint.config.get("model_type") in ("resnet", "swin")
    return any(name.startswith(_BEGINNINGS) for name in checkpoint.tensors)


def fill_backbone(network: Mask2FormerForUniversalSegmentation, path: str | Path, backbone: str) -> None:
    """Fill the backbone from a file for which `is_backbone` is true; its classifier is not read.

    Raises UserError for a file that does not fit.
    """
    checkpoint = read(path)
    encoder: nn.Module = network.model.pixel_level_module.encoder
    expected = f"an ImageNet backbone for backbone={backbone}: {_LAYOUTS}"
    tensors = {name: tensor for name, tensor in checkpoint.tensors.items() if not _LEFT_OUT.match(name)}
    own = {name: tensor for name, tensor in encoder.state_dict().items() if _OWN_NORM.match(name)}
    if checkpoint.config is not None:
        checkpoint = from_folder(encoder, replace(checkpoint, tensors=tensors | own), (), expected)
        return load_strict(encoder, checkpoint, expected=expected)
    kept = {str(_name(name, checkpoint).name): tensor for name, tensor in own.items()}
    filled = replace(checkpoint, tensors=tensors | kept)
    return load_strict(encoder, filled, lambda name: _name(name, checkpoint), expected)


def _name(name: str, checkpoint: Checkpoint) -> Part:
    """Return where a file in any of the layouts holds what the encoder calls `name`."""
    part = official(f"model.pixel_level_module.encoder.{name}")
    found = part.name.removeprefix("backbone.")
    if "conv1.weight" in checkpoint.tensors:
        found = renamed(found, _TORCHVISION)
    return replace(part, name=found)
