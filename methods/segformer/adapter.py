"""SegFormer behind the adapter, on transformers' model: every frame by itself."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, get_args

import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graphs, per_frame
from vssbench.deploy.model_file import FromScores, Normalise, Upsample
from vssbench.methods.segformer.network import Backbone, build, check_size, load
from vssbench.networks.numerics import Dtype, attention, running
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.networks.sizes import MEAN, STD
from vssbench.networks.upsampling import Step, upsampled, upsampled_labels
from vssbench.types import Frame, LabelSpace, UInt8


class Output(NamedTuple):
    """logits: float[1, C, h, w] at stride 4; size: (H, W) of the frame."""

    logits: Tensor
    size: tuple[int, int]


class SegFormer(PerFrame):
    """SegFormer (Xie et al., NeurIPS 2021), frame by frame at the frame's own size.

    Each frame is normalised and goes through the network; logits are upsampled bilinearly to the frame, then argmax.
    labels, mapping: as in mask2former
    backbone:   tiny by default on synthetic video, else mit_b1
    dtype, compile: as in mask2former
    checkpoint: a folder written by transformers' save_pretrained, or our .safetensors; the official mmseg files must
                first be converted by transformers
    Without a checkpoint: random weights, the same every time. Raises UserError for a file that does not fit.
    """

    name = "segformer"

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        self.backbone: Backbone = self.choose(backbone, get_args(Backbone), "mit_b1")
        self.network = build(self.backbone, self.learned.classes)
        wanted = self.expected(f"SegFormer, backbone {self.backbone}")
        self.weights = load(self.network, checkpoint, wanted)
        self.numerics.place(self.network)
        self._run = self.numerics.compiled(self.network)
        self._mean, self._std = (torch.tensor(x, device=self.device)[:, None, None] for x in (MEAN, STD))

    def prepare(self, frame: Frame) -> tuple[Tensor, tuple[int, int]]:
        height, width = frame.image.shape[:2]
        check_size((height, width))
        pixels = torch.from_numpy(frame.image.copy()).to(self.device)  # torch takes no arrays with negative strides
        image = pixels.permute(2, 0, 1)
        return ((image - self._mean) / self._std)[None], (height, width)

    @running
    def step(self, x: tuple[Tensor, tuple[int, int]]) -> Output:
        image, size = x
        with attention(self.network.config, "sdpa"):
            return Output(self._run(image).logits, size)

    def class_scores(self, y: Output) -> Tensor:
        return upsampled(y.logits[0], Step(y.size, y.size))

    def class_labels(self, y: Output) -> UInt8:
        return upsampled_labels(y.logits[0], Step(y.size, y.size))

    def graphs(self, size: tuple[int, int]) -> Graphs:
        check_size(size)
        decode = FromScores(steps=(Upsample(size=size, kept=size),))
        picture = (Normalise(mean=MEAN, std=STD),)
        return per_frame(picture, ScoreGraph(self.network), torch.zeros(1, 3, *size), decode)

    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        check_size(size)
        return KeyCost(network, size), (torch.zeros(1, 3, *size, device=device),)


class ScoreGraph(nn.Module):
    """A frame from the network's input to logits at stride 4, float[1, C, h, w]."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image, return_dict=False)[0]
        return logits


class KeyCost(nn.Module):
    """A frame from the network's input to class scores, float[C, H, W]."""

    def __init__(self, network: nn.Module, size: tuple[int, int]):
        super().__init__()
        self.network, self.size = network, size

    def forward(self, image: Tensor) -> Tensor:
        return upsampled(self.network(image, return_dict=False)[0][0], Step(self.size, self.size))
