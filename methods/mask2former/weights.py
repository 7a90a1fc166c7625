"""Loading official Mask2Former state dicts (detectron2's names) and transformers' folders into transformers' model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from transformers import Mask2FormerForUniversalSegmentation

from vssbench.methods.mask2former.network import BACKBONES, third_stage
from vssbench.networks.checkpoints import Checkpoint, Part, load_strict, read
from vssbench.networks.renaming import Substitutions, renamed
from vssbench.networks.transformers_models import from_folder
from vssbench.types import Weights

_UNSEEN_IN_SHAPES = (
    *("num_attention_heads", "pre_norm", "activation_function", "common_stride", "feature_strides"),
    *("downsample_in_first_stage", "downsample_in_bottleneck", "layer_norm_eps"),
)
_THIRD_STAGE = re.compile(r"backbone\.(?:res4|layers\.2\.blocks)\.(\d+)\.")
_PREDICTOR, _PIXEL = "sem_seg_head.predictor", "sem_seg_head.pixel_decoder"


def _number(prefix: str, step: int) -> Callable[[re.Match[str]], str]:
    """Return a replacement for a numbered name whose numbers are shifted in the official file."""
    return lambda match: f"{prefix}{int(match[1]) + step}"


# From transformers' names to the official ones; all substitutions that match are applied, in this order.
_SUBSTITUTIONS: Substitutions = [
    (r"^class_predictor", rf"{_PREDICTOR}.class_embed"),
    (r"^model\.transformer_module\.", rf"{_PREDICTOR}."),
    (r"predictor\.queries_features", "predictor.query_feat"),
    (r"predictor\.queries_embedder", "predictor.query_embed"),
    (r"predictor\.decoder\.layernorm", "predictor.decoder_norm"),
    (r"predictor\.decoder\.mask_predictor\.mask_embedder\.(\d)\.0", r"predictor.mask_embed.layers.\1"),
    (r"predictor\.decoder\.layers\.(\d)\.self_attn", r"predictor.transformer_self_attention_layers.\1.self_attn"),
    (r"(predictor.*)\.self_attn_layer_norm", r"\1.norm"),
    (
        r"predictor\.decoder\.layers\.(\d)\.cross_attn",
        r"predictor.transformer_cross_attention_layers.\1.multihead_attn",
    ),
    (r"\.multihead_attn_layer_norm", ".norm"),
    (r"predictor\.decoder\.layers\.(\d)\.fc(\d)", r"predictor.transformer_ffn_layers.\1.linear\2"),
    (r"predictor\.decoder\.layers\.(\d)\.final_layer_norm", r"predictor.transformer_ffn_layers.\1.norm"),
    (r"^model\.pixel_level_module\.decoder\.", rf"{_PIXEL}."),
    (r"pixel_decoder\.input_projections", "pixel_decoder.input_proj"),
    (r"pixel_decoder\.mask_projection", "pixel_decoder.mask_features"),
    (r"pixel_decoder\.(adapter|layer)_1\.0", r"pixel_decoder.\1_1"),
    (r"pixel_decoder\.(adapter|layer)_1\.1", r"pixel_decoder.\1_1.norm"),
    (r"pixel_decoder\.(level_embed|encoder)", r"pixel_decoder.transformer.\1"),
    (r"(pixel_decoder.*)\.self_attn_layer_norm", r"\1.norm1"),
    (r"(pixel_decoder.*)\.final_layer_norm", r"\1.norm2"),
    (r"(pixel_decoder.*)\.fc(\d)", r"\1.linear\2"),
    (r"^model\.pixel_level_module\.encoder\.", "backbone."),
    # ResNet: stages from res2, convolutions from conv1
    (r"backbone\.embedder\.embedder", "backbone.stem.conv1"),
    (r"backbone\.encoder\.stages\.(\d)\.layers", _number("backbone.res", 2)),
    (r"(?<=\.)layer\.(\d)(?=\.)", _number("conv", 1)),
    (r"\.convolution", ""),
    (r"\.normalization", ".norm"),
    # Swin
    (r"backbone\.swin\.embeddings\.patch_embeddings\.projection", "backbone.patch_embed.proj"),
    (r"backbone\.swin\.embeddings\.norm", "backbone.patch_embed.norm"),
    (r"backbone\.swin\.encoder", "backbone"),
    (r"backbone\.hidden_states_norms\.stage(\d)", _number("backbone.norm", -1)),
    (r"\.layernorm_before", ".norm1"),
    (r"\.layernorm_after", ".norm2"),
    (r"\.attention\.(relative_position_bias\.)?", ".attn."),
    (r"\.o_proj", ".proj"),
]
_FUSED = re.compile(r"(?P<module>.*)\.(?P<third>[qkv])_proj\.(?P<kind>weight|bias)")


def official(name: str) -> Part:
    """Return where the official file has what transformers calls `name`; there queries, keys and values are thirds."""
    name = renamed(name, _SUBSTITUTIONS)
    if (fused := _FUSED.fullmatch(name)) is None:
        return Part(name)
    whole = "qkv." if fused["module"].startswith("backbone") else "in_proj_"
    return Part(f"{fused['module']}.{whole}{fused['kind']}", "qkv".index(fused["third"]), 3)


def is_official(checkpoint: Checkpoint) -> bool:
    """Whether the file has the official names rather than transformers' (those of the head differ)."""
    return any(name.startswith("sem_seg_head.") for name in checkpoint.tensors)


def load(network: Mask2FormerForUniversalSegmentation, path: str | Path | None, expected: str) -> Weights:
    """Strictly fill the network from a file or folder and return which; None leaves it untrained. See `fill`."""
    if path is None:
        return Weights("untrained")
    checkpoint = read(path)
    fill(network, checkpoint, expected)
    return checkpoint.weights


def fill(network: Mask2FormerForUniversalSegmentation, checkpoint: Checkpoint, expected: str) -> None:
    """Strictly fill the network from an official file, our safetensors, or a folder saved by transformers.

    expected: what the weights should be for, used in the message of the UserError if they do not fit
    """
    if checkpoint.config is not None:
        checkpoint = from_folder(network, checkpoint, _UNSEEN_IN_SHAPES, expected)
    load_strict(network, checkpoint, official if is_official(checkpoint) else str, expected, hint(checkpoint, expected))


def hint(checkpoint: Checkpoint, expected: str) -> str | None:
    """Say what to do about an official file for a network other than `expected`; None if it seems to be right."""
    tensors = checkpoint.tensors
    head, stem = (
        tensors.get(name) for name in (f"{_PREDICTOR}.class_embed.weight", "backbone.patch_embed.proj.weight")
    )
    blocks = len({block[1] for name in tensors if (block := _THIRD_STAGE.match(name))})
    if head is None:
        return None
    found = [b for b in BACKBONES if third_stage(b) == (blocks, None if stem is None else len(stem))]
    method = "MPVSS" if any(name.startswith("motion.") for name in tensors) else "Mask2Former"
    holds = ", ".join([method, *(f"backbone {backbone}" for backbone in found), f"{len(head) - 1} classes"])
    if holds in expected:
        return None
    return f"the file seems to hold {holds}: name those in the spec, or pass another file"
