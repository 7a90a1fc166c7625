"""The mapping from our names to CFFM's official layout, and loading its weights."""

from __future__ import annotations

from pathlib import Path

from vssbench.methods.cffm.network import CFFM, CONFIGS, Backbone
from vssbench.methods.mit import weights
from vssbench.methods.mit.weights import Rules
from vssbench.networks.checkpoints import Part
from vssbench.types import Weights

OWN = ("decode_head.decoder_focal.", "blocks.")
_BLOCKS = "decode_head.decoder_focal.blocks"
_TABLES = {
    "bias_window": "relative_position_bias_table",
    "bias_ring": "relative_position_bias_table_to_neighbors",
    "bias_pooled.0": "relative_position_bias_table_to_windows.0",
    **{f"bias_pooled.{i + 1}": f"relative_position_bias_table_to_windows_clips.{i}" for i in range(3)},
}
_POOLS = {"0": "pool_layers.0", **{f"{i + 1}": f"pool_layers_clips.{i}" for i in range(3)}}
_RULES: Rules = (
    (r"classify", lambda m: "decode_head.linear_pred2"),
    (r"blocks\.(\d)\.pool\.(\d)\.sum", lambda m: f"{_BLOCKS}.{m[1]}.{_POOLS[m[2]]}"),
    (r"blocks\.(\d)\.attention\.(qkv|proj)", lambda m: f"{_BLOCKS}.{m[1]}.attn.{m[2]}"),
    (r"blocks\.(\d)\.(norm\d)", lambda m: f"{_BLOCKS}.{m[1]}.{m[2]}"),
    (r"blocks\.(\d)\.(fc\d)", lambda m: f"{_BLOCKS}.{m[1]}.mlp.{m[2]}"),
)


def official_name(name: str) -> str | Part:
    """Return where the official file holds one of our state-dict entries; KeyError for a name that is not ours."""
    block, _, table = name.partition(".attention.")
    if table in _TABLES:
        return f"decode_head.decoder_focal.{block}.attn.{_TABLES[table]}"
    return weights.official_name(name, _RULES)


def load(backbone: Backbone, classes: int, checkpoint: str | Path | None) -> tuple[CFFM, Weights]:
    """See `vssbench.methods.mit.weights.load`."""
    return weights.load(CFFM, CONFIGS[backbone], backbone, classes, official_name, checkpoint)
