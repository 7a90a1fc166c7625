"""MRCFA's official layout under our names, and where its weights come from."""

from __future__ import annotations

from pathlib import Path

from vssbench.methods.mit import weights
from vssbench.methods.mit.weights import Rules, one
from vssbench.methods.mrcfa.backbones import CONFIGS, Backbone
from vssbench.methods.mrcfa.network import MRCFA
from vssbench.networks.checkpoints import Part
from vssbench.types import Weights

OWN = ("decode_head.hypercorre_module.", "affinity.")
_HPN = "decode_head.hypercorre_module.hpn.encoder_layer"
_SCALES = {"sar4": "4", "sar3": "3", "sar2": "2", "maa3": "4to3", "maa2": "3to2"}
_RULES: Rules = (
    (r"classify_reference\.(\d)", lambda m: f"decode_head.deco{one(m)}.smalldecoder.1"),
    (r"classify", lambda m: "decode_head.deco4.smalldecoder.1"),
    (r"affinity\.queries\.(\d)", lambda m: f"decode_head.hypercorre_module.q{one(m)}"),
    (r"keys\.(\d)", lambda m: f"decode_head.hypercorre_module.k{one(m)}"),
    (r"affinity\.(\w+)\.blocks\.(\d)\.conv", lambda m: f"{_HPN}{_SCALES[m[1]]}.{3 * int(m[2])}.conv2"),
    (r"affinity\.(\w+)\.blocks\.(\d)\.norm", lambda m: f"{_HPN}{_SCALES[m[1]]}.{3 * int(m[2]) + 1}"),
    (r"reduce\.(\d)", lambda m: f"decode_head.sr{int(m[1]) + 2}"),
    (r"values", lambda m: "decode_head.sr1_feat"),
)


def official_name(name: str) -> str | Part:
    """Return the official place of one of our state-dict entries; raises KeyError for a name that is not ours."""
    return weights.official_name(name, _RULES)


def load(backbone: Backbone, classes: int, checkpoint: str | Path | None) -> tuple[MRCFA, Weights]:
    """See `vssbench.methods.mit.weights.load`."""
    return weights.load(MRCFA, CONFIGS[backbone], backbone, classes, official_name, checkpoint)
