"""The official checkpoints' names and ours, and where an adapter's weights come from."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from vssbench.errors import UserError
from vssbench.methods.tdnet.backbones import CONFIGS, Backbone
from vssbench.methods.tdnet.network import TDNet
from vssbench.networks import checkpoints
from vssbench.networks.checkpoints import Checkpoint
from vssbench.types import Weights

_UNUSED = re.compile(r"pretrained\d\.fc\.|auxlayer\d\.|teacher\.")
"""Parts of an official file that inference does not read: the trunks' ImageNet classifiers, and training heads."""
_OFFICIAL_NORM, _NORM = "layer_norm1.ln.weight", "paths.0.norm.weight"
_LAYERS = {
    "trunk.": "pretrained{0}.",
    "pyramid.": "psp{0}.conv",
    "query.0.": "enc{0}.w_qs.0.conv.", "query.1.": "enc{0}.w_qs.0.bn.", "query.3.": "enc{0}.w_qs.1.conv.",
    "key.0.": "enc{0}.w_ks.0.conv.", "key.1.": "enc{0}.w_ks.0.bn.", "key.3.": "enc{0}.w_ks.1.conv.",
    "value.": "enc{0}.w_vs.0.conv.",
    "norm.": "layer_norm{0}.ln.",
    "head.": "head{0}.conv5.",
}  # fmt: skip


def official_name(name: str, paths: int) -> str:
    """Return the official place of one of our state-dict entries; raises KeyError for a name that is not ours.

    paths: number of sub-networks
    """
    turn, rest = int(name.split(".")[1]), name.split(".", 2)[2]
    if found := re.fullmatch(r"links\.(\d)\.(\w+)", rest):
        attends = f"atn{turn + 1}_{(turn + 1 + int(found[1])) % paths + 1}" if paths > 2 else f"atn{turn + 1}"
        return f"{attends}.fc.0.conv.{found[2]}"
    if found := re.fullmatch(r"pyramid\.(\d)\.(.+)", rest):
        return f"psp{turn + 1}.conv{int(found[1]) + 1}.{found[2]}"
    ours = next((prefix for prefix in _LAYERS if rest.startswith(prefix)), None)
    if ours is None:
        raise KeyError(name)
    return _LAYERS[ours].format(turn + 1) + rest.removeprefix(ours)


def build(backbone: Backbone, classes: int, table: tuple[int, int] | None = None) -> TDNet:
    """Return the network with the same random weights every time; table: size of its tables, None for the usual one."""
    with checkpoints.seeded(f"tdnet {backbone} {classes}"):
        return TDNet(CONFIGS[backbone], classes, table).eval()


def load(backbone: Backbone, classes: int, checkpoint: str | Path | None, expected: str) -> tuple[TDNet, Weights]:
    """Return the network with the file's weights (official layout, for testing or training, or ours), or random ones.

    The normalisation's tables are as large as the file's. Raises UserError for a file that cannot be read or does not
    fit.
    """
    if checkpoint is None:
        return build(backbone, classes), Weights("untrained")
    file = checkpoints.read(checkpoint)
    network = build(backbone, classes, _table(file, expected))
    fill(network, file, expected)
    return network, file.weights


def fill(network: TDNet, file: Checkpoint, expected: str) -> None:
    """Fill a network whose tables have the file's size. Raises UserError for a file that does not fit."""
    count = len(network.paths)
    tensors = {name: tensor for name, tensor in file.tensors.items() if not _UNUSED.match(name)}
    official = _OFFICIAL_NORM in tensors
    rename = (lambda name: official_name(name, count)) if official else str
    checkpoints.load_strict(network, replace(file, tensors=tensors), rename, expected)


def is_whole(file: Checkpoint) -> bool:
    """Whether the file is a whole TDNet, official or ours, not just a trunk."""
    return _OFFICIAL_NORM in file.tensors or _NORM in file.tensors


def _table(file: Checkpoint, expected: str) -> tuple[int, int]:
    """The size of the tables in the file."""
    found = file.tensors.get(_OFFICIAL_NORM, file.tensors.get(_NORM))
    if found is None or found.ndim != 2:
        raise UserError(
            f"holds no table {_OFFICIAL_NORM} (official) or {_NORM} (ours), one number per place",
            where=file.path,
            expected=expected,
        )
    return found.shape[0], found.shape[1]
