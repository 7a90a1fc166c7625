"""TV3S behind the adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from vssbench.datasets.label_spaces import suite_name
from vssbench.deploy.graphs import Graphs
from vssbench.errors import UserError
from vssbench.methods.mit import cost
from vssbench.methods.mit.adapter import OFFICIAL_BOX, ClipMethod
from vssbench.methods.mit.references import network_size
from vssbench.methods.tv3s.graphs import stream_graphs
from vssbench.methods.tv3s.network import TV3S, Backbone, States, Stream
from vssbench.methods.tv3s.weights import load
from vssbench.networks.numerics import Dtype
from vssbench.networks.per_frame import Counted
from vssbench.types import Kind, LabelSpace

CITYSCAPES_BOX = "512x1024"


class Tv3s(ClipMethod):
    """Exploiting Temporal State Space Sharing (Hesham et al., CVPR 2025), frame by frame.

    labels, mapping: as in mask2former
    backbone:   as in mask2former, else mit_b1
    memory:     "window": each frame follows three earlier ones, states zero at the oldest, as in the official code;
                "stream": states are kept from the clip's first frame on, which the release calls mode 2
    references: for memory=window: "cached": each frame's features are computed once and held for nine frames;
                "recompute": all four frames again per target, as in the official test code. The outputs are the same.
    resize:     HxW box that a frame is fitted into, None for its own size; "auto" is the official 480x853 (512x1024 on
                Cityscapes), and None on synthetic video. Sides are then stretched to multiples of 32.
    dtype, compile: as in mask2former
    checkpoint: official .pth or our .safetensors; None: random weights (`load_method` passes the packaged file if any)

    In a window, the first three frames after `reset` are segmented alone. The next six use the official table of
    references. These nine are of kind "warmup". The release's head for Cityscapes returns class 0 for a frame that is
    segmented alone; here its trained per-frame classifier is used. In a stream all frames are of kind "key".
    """

    name = "tv3s"
    network: TV3S

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        memory: Literal["window", "stream"] = "window",
        references: Literal["cached", "recompute"] = "cached",
        resize: str | None = "auto",
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        if memory == "stream" and references != "cached":
            raise UserError("a stream has no reference frames", where=f"references={references}", fix="leave it out")
        self.backbone: Backbone = self.choose(backbone, get_args(Backbone), "mit_b1")
        self.network, self.weights = load(self.backbone, self.learned.classes, checkpoint)
        self.memory = memory
        self._stream = Stream(self.network)
        self._run_stream = self.numerics.compiled(self._stream)
        cityscapes = suite_name(self.learned) == "cityscapes"
        official = CITYSCAPES_BOX if cityscapes else OFFICIAL_BOX
        self.open(references if memory == "window" else None, resize, official)

    def reset(self) -> None:
        super().reset()
        self._states: States | None = None

    def _segment(self, image: Tensor) -> tuple[Tensor, Any]:
        if self.memory == "window":
            return super()._segment(image)
        states = self.network.blank(image) if self._states is None else self._states
        scores, self._states = self._run_stream(image, states)
        return scores, None

    def cost_module(self, kind: Kind, size: tuple[int, int]) -> Counted:
        if self.memory == "window":
            return super().cost_module(kind, size)
        self.check_kind(kind)
        inner = network_size(*size, self.box)
        image = torch.zeros(1, 3, *inner, device=self.device)
        return cost.measured(self._stream, image, inner, size, self.network.blank(image))

    def graphs(self, size: tuple[int, int]) -> Graphs:
        return super().graphs(size) if self.memory == "window" else stream_graphs(self.network, size, self.box)

    def parameter_counts(self) -> dict[str, int]:
        """Count all parameters, as published, and those that are read (in a stream, not the per-frame classifier)."""
        total, unread = cost.size(self.network), cost.size(self.network.unused)
        if self.memory == "stream":
            unread += cost.size(self.network.classify_single)
        return {"all": total, "without_training_only": total - unread}
