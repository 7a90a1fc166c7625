"""CFFM behind the adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from vssbench.methods.cffm.network import CFFM, Backbone
from vssbench.methods.cffm.weights import load
from vssbench.methods.mit.adapter import ClipMethod
from vssbench.methods.mit.cost import size
from vssbench.networks.numerics import Dtype
from vssbench.types import LabelSpace


class Cffm(ClipMethod):
    """Coarse-to-Fine Feature Mining (Sun et al., CVPR 2022), frame by frame.

    labels, mapping: as in mask2former
    backbone:   as in mask2former, otherwise mit_b1
    references: "cached": each frame's features are computed once and kept for nine frames;
                "recompute": all four frames again for every target, as the official test code does. Same outputs.
    resize:     HxW box that a frame is fitted into, None for its own size; "auto" is the official 480x853, and None
                on synthetic video. Sides are then stretched to multiples of 32, as published.
    dtype, compile: as in mask2former
    checkpoint: official .pth or our .safetensors; None: random weights (`load_method` passes the packaged file if any)

    The first three frames after `reset` are segmented alone; the next six take their references from the official
    table. These nine are of kind "warmup".
    """

    name = "cffm"
    network: CFFM

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        references: Literal["cached", "recompute"] = "cached",
        resize: str | None = "auto",
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        self.backbone: Backbone = self.choose(backbone, get_args(Backbone), "mit_b1")
        self.network, self.weights = load(self.backbone, self.learned.classes, checkpoint)
        self.open(references, resize)

    def parameter_counts(self) -> dict[str, int]:
        """Count all parameters, as published, and all but a classifier that the release contains but never uses."""
        return {"all": size(self.network), "without_training_only": size(self.network) - size(self.network.unused)}
