"""SegFormer behind the adapter, on transformers' model: every frame by itself."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.methods.segformer.network import Backbone, build, check_size, load
from vssbench.networks.numerics import Dtype, Numerics, attention, running
from vssbench.networks.upsampling import Step, upsampled, upsampled_labels
from vssbench.types import Frame, Kind, Prediction

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Output(NamedTuple):
    """logits: float[1, C, h, w] at stride 4; size: (H, W) of the frame."""

    logits: Tensor
    size: tuple[int, int]


class SegFormer:
    """SegFormer (Xie et al., NeurIPS 2021), frame by frame at the frame's own size.

    Normalised, through the network, logits upsampled bilinearly to the frame, argmax.
    labels:     label space, which sets the number of classes
    backbone:   tiny by default on synthetic video, else mit_b1
    dtype, compile: see `vssbench.networks.numerics`
    checkpoint: a folder written by transformers' save_pretrained, or our .safetensors; the official mmseg files must
                be converted by transformers first
    Without a checkpoint: random weights, the same every time. Raises UserError for a file that does not fit.
    """

    name = "segformer"
    needs: frozenset[str] = frozenset()
    lookahead = 0

    def __init__(
        self,
        labels: str = "synthetic",
        *,
        backbone: Backbone | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        self.numerics = Numerics(device, dtype, compile)
        self.backbone: Backbone = backbone or ("tiny" if labels == "synthetic" else "mit_b1")
        self.classes = load_space(labels).classes
        self.device = self.numerics.device
        self.network = build(self.backbone, self.classes)
        wanted = f"weights of SegFormer, backbone {self.backbone}, {self.classes} classes ({labels})"
        self.weights = load(self.network, checkpoint, wanted)
        self.numerics.place(self.network)
        self._run = self.numerics.compiled(self.network)
        self._mean, self._std = (torch.tensor(x, device=self.device)[:, None, None] for x in (MEAN, STD))

    def reset(self) -> None:
        """Nothing to forget."""

    def prepare(self, frame: Frame) -> tuple[Tensor, tuple[int, int]]:
        height, width = frame.image.shape[:2]
        check_size((height, width))
        pixels = torch.from_numpy(frame.image.copy()).to(self.device)  # torch takes no views that run backwards
        image = pixels.permute(2, 0, 1)
        return ((image - self._mean) / self._std)[None], (height, width)

    @running
    def step(self, x: tuple[Tensor, tuple[int, int]]) -> Output:
        image, size = x
        with attention(self.network.config, "sdpa"):
            return Output(self._run(image).logits, size)

    @torch.inference_mode()
    def decode(self, y: Output) -> Prediction:
        return Prediction(upsampled_labels(y.logits[0], Step(y.size, y.size)), "key")

    @torch.inference_mode()
    def scores(self, y: Output) -> NDArray[np.float32]:
        """Class scores (logits) at the frame's size, float32[C, H, W]."""
        scores: NDArray[np.float32] = upsampled(y.logits[0], Step(y.size, y.size)).cpu().numpy()
        return scores

    def cost_module(
        self, kind: Kind, size: tuple[int, int], device: str | None = None
    ) -> tuple[nn.Module, tuple[Tensor, ...]]:
        """What step and decode compute up to the class scores for one frame of that size (H, W), and its inputs.

        device: None for the method's own network; "meta" for one without values
        """
        if kind != "key":
            raise UserError(f"segformer has no {kind} frames", expected="key")
        check_size(size)
        with torch.device(device or self.device):
            network = self.network if device is None else build(self.backbone, self.classes)
            return KeyCost(network, size), (torch.zeros(1, 3, *size),)


class KeyCost(nn.Module):
    """A frame from the network's input to class scores, float[C, H, W]."""

    def __init__(self, network: nn.Module, size: tuple[int, int]):
        super().__init__()
        self.network, self.size = network, size

    def forward(self, image: Tensor) -> Tensor:
        return upsampled(self.network(image, return_dict=False)[0][0], Step(self.size, self.size))
