"""AR-Seg's networks alone on every frame: its HR branch, and at scale 0.5 the constant-resolution baseline."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from vssbench.deploy.graphs import Graphs, per_frame
from vssbench.methods.arseg import weights
from vssbench.methods.arseg.common import Base, Input, Output, Size, scaled
from vssbench.methods.arseg.graphs import Scores, finished
from vssbench.methods.arseg.network import Backbone, Costed, WholeFrame, build
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.types import Frame, LabelSpace


class Alone(Base, PerFrame):
    """One network on every frame, each of kind "key".

    scale:     the scale at which the network sees frames; the classes are resized back to the frame
    auxiliary: run the training heads, as the official forward does; the output does not change
    resize:    none; frames are always used at their own size
    labels, mapping: as in mask2former
    dtype, compile: as in mask2former
    checkpoint: the network's file, in the official layout of an HR branch (.pth) or ours (.safetensors); None:
                random weights, the same every time (`load_method` passes the packaged file if any)
    """

    def __init__(
        self,
        backbone: Backbone | None,
        labels: str | LabelSpace,
        scale: float,
        auxiliary: bool,
        dtype: Dtype,
        compile: bool,
        device: str,
        checkpoint: weights.Files | None,
        mapping: str | None,
    ):
        super().__init__(backbone, labels, scale, device, dtype, compile, checkpoint, mapping)
        self.branch = build(self.backbone, self.learned, "hr")
        self.weights = weights.load({"hr": self.branch}, checkpoint, {"hr": scale})
        self.network = WholeFrame(self.branch, auxiliary)
        self._run = self.numerics.compiled(self.numerics.place(self.network))

    def prepare(self, frame: Frame) -> Input:
        return Input(self.image(frame, self.scale), None, frame.image.shape[:2])

    @running
    def step(self, x: Input) -> Output:
        return Output(self._run(x.image)[0], self.branch, x.size, "key", 0)

    def frame_cost(self, network: nn.Module, size: Size, device: torch.device) -> Counted:
        return Costed(network, size).eval(), (torch.zeros(1, 3, *scaled(size, self.scale), device=device),)

    def graphs(self, size: Size) -> Graphs:
        seen = scaled(size, self.scale)
        module, example = Scores(WholeFrame(self.branch, auxiliary=False)), torch.zeros(1, 3, *seen)
        return per_frame(self.picture(size, self.scale), module, example, finished(self.branch, seen, size))

    def parameter_counts(self) -> dict[str, int]:
        """Count the parameters including the training heads (the published convention)."""
        return {"all": sum(p.numel() for p in self.network.parameters())}


class Psp18(Alone):
    """PSPNet-18 on every frame.

    backbone: tiny, its narrow form, by default on synthetic video, otherwise psp18
    """

    name = "psp18"
    backbones = ("tiny", "psp18")

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        backbone: Literal["tiny", "psp18"] | None = None,
        scale: float = 1.0,
        auxiliary: bool = True,
        resize: None = None,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: weights.Files | None = None,
    ):
        super().__init__(backbone, labels, scale, auxiliary, dtype, compile, device, checkpoint, mapping)


class Bise18(Alone):
    """BiSeNet-18 on every frame."""

    name = "bise18"

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        scale: float = 1.0,
        auxiliary: bool = True,
        resize: None = None,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: weights.Files | None = None,
    ):
        super().__init__("bise18", labels, scale, auxiliary, dtype, compile, device, checkpoint, mapping)
