"""Official VidEoMT state dicts (the authors' names) and transformers' folders, loaded into transformers' model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from transformers import VideomtForUniversalSegmentation

from vssbench.networks.checkpoints import Checkpoint, Part, load_strict, read
from vssbench.networks.renaming import Substitutions, renamed
from vssbench.networks.transformers_models import from_folder
from vssbench.types import Weights

_UNSEEN_IN_SHAPES = ("num_attention_heads", "num_blocks", "patch_size", "layer_norm_eps", "use_swiglu_ffn")
_TABLE = "backbone.encoder.backbone.pos_embed"

# From transformers' names to the official ones; every substitution that applies is made, in this order.
_SUBSTITUTIONS: Substitutions = [
    (r"^embeddings\.cls_token", "encoder.backbone.cls_token"),
    (r"^embeddings\.register_tokens", "encoder.backbone.reg_token"),
    (r"^embeddings\.position_embeddings\.weight", "encoder.backbone.pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection", "encoder.backbone.patch_embed.proj"),
    (r"^layers\.", "encoder.backbone.blocks."),
    (r"\.attention\.out_proj", ".attn.proj"),
    (r"\.layer_scale(\d)\.lambda1", r".ls\1.gamma"),
    (r"^layernorm\.", "encoder.backbone.norm."),
    (r"^query\.", "q."),
    (r"^class_predictor", "class_head"),
    (r"^mask_head\.fc1", "mask_head.0"),
    (r"^mask_head\.fc2", "mask_head.2"),
    (r"^mask_head\.fc3", "mask_head.4"),
    (r"^upscale_block\.block\.", "upscale."),
    (r"\.layernorm2d", ".norm"),
]
_FUSED = re.compile(r"(?P<module>.*\.)attention\.(?P<third>[qkv])_proj\.(?P<kind>weight|bias)")


def official(name: str) -> Part:
    """Return the official place of what transformers calls `name`; queries, keys and values are thirds there."""
    fused = _FUSED.fullmatch(name)
    if fused is not None:
        name = f"{fused['module']}attn.qkv.{fused['kind']}"
    name = renamed(name, _SUBSTITUTIONS)
    name = name if name.startswith("criterion.") else f"backbone.{name}"
    return Part(name) if fused is None else Part(name, "qkv".index(fused["third"]), 3)


def load(network: VideomtForUniversalSegmentation, path: str | Path | None, expected: str) -> Weights:
    """Strictly fill the network from a file or folder and return which; None leaves it untrained. See `fill`."""
    if path is None:
        return Weights("untrained")
    checkpoint = read(path)
    fill(network, checkpoint, expected)
    return checkpoint.weights


def fill(network: VideomtForUniversalSegmentation, checkpoint: Checkpoint, expected: str) -> None:
    """Strictly fill the network from an official file, our safetensors, or a folder saved by transformers.

    expected: what the weights should be for, named by the UserError where they do not fit
    """
    if checkpoint.config is not None:
        checkpoint = from_folder(network, checkpoint, _UNSEEN_IN_SHAPES, expected)
    theirs = any(name.startswith("backbone.encoder.") for name in checkpoint.tensors)
    if (table := checkpoint.tensors.get(_TABLE)) is not None and table.ndim == 3:  # with a leading axis of size 1
        checkpoint = replace(checkpoint, tensors=checkpoint.tensors | {_TABLE: table.flatten(0, 1)})
    load_strict(network, checkpoint, official if theirs else str, expected)
