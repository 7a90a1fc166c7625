"""TV3S's official layout under our names, and where its weights come from."""

from __future__ import annotations

from pathlib import Path

from vssbench.methods.mit import weights
from vssbench.methods.mit.weights import Rules
from vssbench.methods.tv3s.network import CONFIGS, TV3S, Backbone
from vssbench.networks.checkpoints import Part
from vssbench.types import Weights

OWN = ("decode_head.vs.", "blocks.")
_RULES: Rules = (
    (r"classify", lambda m: "decode_head.linear_pred2"),
    (r"blocks\.(\d)\.(.+)", lambda m: f"decode_head.vs.layers.{m[1]}.{m[2]}"),
    (r"norm", lambda m: "decode_head.vs.norm_f"),
)


def official_name(name: str) -> str | Part:
    """Return the official place of one of our state-dict entries; raises KeyError for a name that is not ours."""
    return weights.official_name(name, _RULES)


def load(backbone: Backbone, classes: int, checkpoint: str | Path | None) -> tuple[TV3S, Weights]:
    """See `vssbench.methods.mit.weights.load`."""
    return weights.load(TV3S, CONFIGS[backbone], backbone, classes, official_name, checkpoint)
