"""The official checkpoints' layout under our names, and where an adapter's weights come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from vssbench.methods.mit.network import ClipNetwork, MitConfig
from vssbench.networks import checkpoints
from vssbench.networks.checkpoints import Part
from vssbench.networks.transformers_models import from_folder, quiet_transformers
from vssbench.types import Weights

Rules = Sequence[tuple[str, Callable[[re.Match[str]], str]]]
"""(pattern of one of our layers' names, the official name)"""
N = TypeVar("N", bound=ClipNetwork)

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
_BACKBONE = "backbone."
_HEADS = ("head.", "classifier.", "decode_head.")
"""Prefixes of what a file that is read for its backbone may also hold."""
_UNSEEN = ("num_attention_heads", "sr_ratios", "strides", "patch_sizes", "mlp_ratios")
"""Keys of a transformers configuration that must agree, because shapes do not show them."""

_RULES: Rules = (
    (r"backbone\.stages\.(\d)\.patch_embeddings\.proj", lambda m: f"backbone.patch_embed{one(m)}.proj"),
    (r"backbone\.stages\.(\d)\.patch_embeddings\.layer_norm", lambda m: f"backbone.patch_embed{one(m)}.norm"),
    (r"backbone\.stages\.(\d)\.layer_norm", lambda m: f"backbone.norm{one(m)}"),
    (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.(.+)", lambda m: f"backbone.block{one(m)}.{m[2]}.{_PARTS[m[3]]}"),
    (r"decoder\.project\.(\d)", lambda m: f"decode_head.linear_c{one(m)}.proj"),
    (r"decoder\.fuse", lambda m: "decode_head.linear_fuse.conv"),
    (r"decoder\.norm", lambda m: "decode_head.linear_fuse.bn"),
    (r"classify_single", lambda m: "decode_head.linear_pred"),
    (r"unused", lambda m: "decode_head.conv_seg"),
)


def one(match: re.Match[str]) -> int:
    """The first number of a match as the official names count it, from 1."""
    return int(match[1]) + 1


def official_name(name: str, rules: Rules = ()) -> str | Part:
    """Return the official place of one of our state-dict entries; raises KeyError for a name that is not ours.

    rules: the method's own, for what the methods do not share
    """
    if found := _KEY_VALUE.fullmatch(name):  # one layer in the official file: keys first, then values
        stage, block, which, kind = found.groups()
        return Part(f"backbone.block{int(stage) + 1}.{block}.attn.kv.{kind}", "kv".index(which), 2)
    layer, _, kind = name.rpartition(".")
    for pattern, rewrite in (*_RULES, *rules):
        if found := re.fullmatch(pattern, layer):
            return f"{rewrite(found)}.{kind}"
    raise KeyError(name)


def load(
    method: type[N],
    config: MitConfig,
    backbone: str,
    classes: int,
    rename: Callable[[str], str | Part],
    checkpoint: str | Path | None,
) -> tuple[N, Weights]:
    """Return the network with the file's weights (official layout or ours), or with the same random ones every time.

    method: the network's class, named as in its paper; config, classes: what it is built from
    rename: from our names to the official ones
    Raises UserError for a file that cannot be read or does not fit.
    """
    name = method.__name__
    with checkpoints.seeded(f"{name.lower()} {backbone} {classes}"), quiet_transformers():
        network = method(config, classes)
    if checkpoint is None:
        return network, Weights("untrained")
    file = checkpoints.read(checkpoint)
    official = any(name.startswith("decode_head.") for name in file.tensors)
    expected = f"{name} with backbone={backbone} and {classes} classes"
    checkpoints.load_strict(network, file, rename if official else str, expected)
    return network, file.weights


def is_backbone(path: str | Path, own: Sequence[str]) -> bool:
    """Whether a file is to fill only the backbone.

    Such a file is transformers' folder, the official ImageNet weights, or another method's network on that backbone.
    own: prefixes of the names in the method's own temporal part, official or ours
    """
    file = checkpoints.read(path)
    return file.config is not None or not any(name.startswith(tuple(own)) for name in file.tensors)


def fill_backbone(network: ClipNetwork, path: str | Path, backbone: str) -> None:
    """Fill the backbone from a file that `is_backbone`; whatever else the file holds is not read.

    Raises UserError for a file that does not fit.
    """
    file, expected = checkpoints.read(path), f"a MiT backbone for backbone={backbone}"
    whole = any(name.startswith(_BACKBONE) for name in file.tensors) and file.config is None
    own = {
        name.removeprefix(_BACKBONE): tensor
        for name, tensor in file.tensors.items()
        if (name.startswith(_BACKBONE) if whole else not name.startswith(_HEADS))
    }
    file = replace(file, tensors=own)
    if file.config is not None:
        file = from_folder(network.backbone, file, _UNSEEN, expected)
    ours = file.config is not None or any(name.startswith("stages.") for name in own)
    checkpoints.load_strict(network.backbone, file, str if ours else _official_backbone_name, expected)


def _official_backbone_name(name: str) -> str | Part:
    found = official_name(f"{_BACKBONE}{name}")
    if isinstance(found, Part):
        return replace(found, name=found.name.removeprefix(_BACKBONE))
    return found.removeprefix(_BACKBONE)
