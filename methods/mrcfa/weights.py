"""The official checkpoint's layout under our names, and where an adapter's weights come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vssbench.methods.mrcfa.backbones import CONFIGS, Backbone
from vssbench.methods.mrcfa.network import MRCFA
from vssbench.networks import checkpoints
from vssbench.networks.checkpoints import Part
from vssbench.types import Weights

_PARTS = {
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.q_proj": "attn.q",
    "attention.o_proj": "attn.proj",
    "attention.sequence_reduction.sequence_reduction": "attn.sr",
    "attention.sequence_reduction.layer_norm": "attn.norm",
    "mlp.fc1": "mlp.fc1",
    "mlp.dwconv.dwconv": "mlp.dwconv.dwconv",
    "mlp.fc2": "mlp.fc2",
}
_KEY_VALUE = re.compile(r"backbone\.stages\.(\d)\.blocks\.(\d+)\.attention\.([kv])_proj\.(weight|bias)")
_HPN = "decode_head.hypercorre_module.hpn.encoder_layer"
_SCALES = {"sar4": "4", "sar3": "3", "sar2": "2", "maa3": "4to3", "maa2": "3to2"}

_WHOLE = ("decode_head.", "affinity.")
"""What names of a whole MRCFA's file begin with, official or ours, and never those of a backbone's."""
_CLASSIFIERS = ("classifier.", "decode_head.")
_UNSEEN = ("num_attention_heads", "sr_ratios", "strides", "patch_sizes", "mlp_ratios")
"""Of a transformers configuration, what must agree because shapes cannot tell it."""

_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"backbone\.stages\.(\d)\.patch_embeddings\.proj", lambda m: f"backbone.patch_embed{_one(m)}.proj"),
    (r"backbone\.stages\.(\d)\.patch_embeddings\.layer_norm", lambda m: f"backbone.patch_embed{_one(m)}.norm"),
    (r"backbone\.stages\.(\d)\.layer_norm", lambda m: f"backbone.norm{_one(m)}"),
    (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.(.+)", lambda m: f"backbone.block{_one(m)}.{m[2]}.{_PARTS[m[3]]}"),
    (r"decoder\.project\.(\d)", lambda m: f"decode_head.linear_c{_one(m)}.proj"),
    (r"decoder\.fuse", lambda m: "decode_head.linear_fuse.conv"),
    (r"decoder\.norm", lambda m: "decode_head.linear_fuse.bn"),
    (r"classify_single", lambda m: "decode_head.linear_pred"),
    (r"classify_reference\.(\d)", lambda m: f"decode_head.deco{_one(m)}.smalldecoder.1"),
    (r"classify", lambda m: "decode_head.deco4.smalldecoder.1"),
    (r"unused", lambda m: "decode_head.conv_seg"),
    (r"affinity\.queries\.(\d)", lambda m: f"decode_head.hypercorre_module.q{_one(m)}"),
    (r"keys\.(\d)", lambda m: f"decode_head.hypercorre_module.k{_one(m)}"),
    (r"affinity\.(\w+)\.blocks\.(\d)\.conv", lambda m: f"{_HPN}{_SCALES[m[1]]}.{3 * int(m[2])}.conv2"),
    (r"affinity\.(\w+)\.blocks\.(\d)\.norm", lambda m: f"{_HPN}{_SCALES[m[1]]}.{3 * int(m[2]) + 1}"),
    (r"reduce\.(\d)", lambda m: f"decode_head.sr{int(m[1]) + 2}"),
    (r"values", lambda m: "decode_head.sr1_feat"),
)


def _one(match: re.Match[str]) -> int:
    return int(match[1]) + 1  # the official names count stages from 1


def official_name(name: str) -> str | Part:
    """Where the official file holds one of our state-dict entries; raises KeyError for a name that is not ours."""
    if found := _KEY_VALUE.fullmatch(name):  # one layer there: keys first, then values
        stage, block, which, kind = found.groups()
        return Part(f"backbone.block{int(stage) + 1}.{block}.attn.kv.{kind}", "kv".index(which), 2)
    layer, _, kind = name.rpartition(".")
    for pattern, rewrite in _RULES:
        if found := re.fullmatch(pattern, layer):
            return f"{rewrite(found)}.{kind}"
    raise KeyError(name)


def load(backbone: Backbone, classes: int, checkpoint: str | Path | None) -> tuple[MRCFA, Weights]:
    """The network with the file's weights (official layout or our own), or with the same random ones every time.

    Raises UserError for a file that cannot be read or does not fit.
    """
    with checkpoints.seeded(f"mrcfa {backbone} {classes}"), checkpoints.quiet_transformers():
        network = MRCFA(CONFIGS[backbone], classes)
    if checkpoint is None:
        return network, Weights("untrained")
    file = checkpoints.read(checkpoint)
    official = any(name.startswith("decode_head.") for name in file.tensors)
    expected = f"MRCFA with backbone={backbone} and {classes} classes"
    checkpoints.load_strict(network, file, official_name if official else str, expected)
    return network, file.weights


def is_backbone(path: str | Path) -> bool:
    """Whether a file holds a MiT backbone alone: transformers' folder, or the official ImageNet weights."""
    file = checkpoints.read(path)
    return file.config is not None or not any(name.startswith(_WHOLE) for name in file.tensors)


def fill_backbone(network: MRCFA, path: str | Path, backbone: Backbone) -> None:
    """The backbone's weights from a file that `is_backbone`; a classifier in it is not read.

    Raises UserError for a file that does not fit.
    """
    file, expected = checkpoints.read(path), f"a MiT backbone for backbone={backbone}"
    if file.config is not None:
        own = {name: tensor for name, tensor in file.tensors.items() if not name.startswith(_CLASSIFIERS)}
        file = checkpoints.from_folder(network.backbone, replace(file, tensors=own), _UNSEEN, expected)
        checkpoints.load_strict(network.backbone, file, expected=expected)
        return
    own = {
        name.removeprefix("backbone."): tensor for name, tensor in file.tensors.items() if not name.startswith("head.")
    }
    checkpoints.load_strict(network.backbone, replace(file, tensors=own), _official_backbone_name, expected)


def _official_backbone_name(name: str) -> str | Part:
    found = official_name(f"backbone.{name}")
    if isinstance(found, Part):
        return replace(found, name=found.name.removeprefix("backbone."))
    return found.removeprefix("backbone.")
