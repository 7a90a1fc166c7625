"""MRCFA behind the adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from vssbench.methods.mit.adapter import ClipMethod
from vssbench.methods.mit.cost import size
from vssbench.methods.mrcfa.backbones import Backbone
from vssbench.methods.mrcfa.network import MRCFA
from vssbench.methods.mrcfa.weights import load
from vssbench.networks.numerics import Dtype
from vssbench.types import LabelSpace


class Mrcfa(ClipMethod):
    """Mining Relations among Cross-Frame Affinities (Sun et al., ECCV 2022), frame by frame.

    labels, mapping: as in mask2former
    backbone:   as in mask2former, else mit_b1
    references: "cached": each frame's keys and values are computed once and held for nine frames;
                "recompute": all four frames again per target, as in the official test code. The outputs are the same.
                None: no references; every frame goes through the per-frame head and is of kind "key", for comparison.
    resize:     HxW box that a frame is fitted into, None for its own size; "auto" is the official 480x853, and None
                on synthetic video. Sides are then stretched to multiples of 32, which the method needs.
    dtype, compile: as in mask2former
    checkpoint: official .pth or our .safetensors; None: random weights (`load_method` passes the packaged file if any)

    The first three frames after `reset` are segmented alone. The next six use the official table of references. These
    nine are of kind "warmup".
    """

    name = "mrcfa"
    network: MRCFA

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        references: Literal["cached", "recompute"] | None = "cached",
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
        """Count all parameters, and those without the decoders that only the training loss reads (as published).

        Without references, count those of the per-frame path: nothing else is used.
        """
        network = self.network
        if self.references is None:
            return {"all": size(network.backbone, network.decoder, network.classify_single)}
        return {"all": size(network), "without_training_only": size(network) - size(network.classify_reference)}
