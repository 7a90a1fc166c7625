"""What AR-Seg and its networks on their own share: preparing a frame and reading off the classes."""

from __future__ import annotations

from typing import NamedTuple, get_args

import torch
from torch import Tensor

from vssbench.deploy.model_file import Interpolate, Normalise, Picture
from vssbench.errors import UserError
from vssbench.methods.arseg.layers import Branch
from vssbench.methods.arseg.network import Backbone, byte_statistics, normalisation
from vssbench.methods.arseg.warp import resize
from vssbench.networks.numerics import Dtype
from vssbench.networks.per_frame import Segmentor
from vssbench.types import Frame, Kind, LabelSpace

Size = tuple[int, int]


class Input(NamedTuple):
    """image: float[1, 3, h, w], normalised, scaled; motion: float[1, 2, H, W] or None; size: (H, W) of the frame."""

    image: Tensor
    motion: Tensor | None
    size: Size


class Output(NamedTuple):
    """scores: float[1, C, h, w] from the branch's classifier; size: (H, W), to which decode resizes them."""

    scores: Tensor
    branch: Branch
    size: Size
    kind: Kind
    age: int


class Base(Segmentor):
    """One or two networks whose scores are resized to the frame as in the official evaluation.

    dtype, compile: as in mask2former
    """

    backbones: tuple[Backbone, ...] = get_args(Backbone)

    def __init__(
        self,
        backbone: Backbone | None,
        labels: str | LabelSpace,
        scale: float,
        device: str,
        dtype: Dtype,
        compile: bool,
        checkpoint: object,
        mapping: str | None,
    ):
        """backbone: None as in mask2former, otherwise psp18"""
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        if not 0 < scale <= 1:
            raise UserError(f"scale={scale} is not valid", expected="more than 0, at most 1")
        self.backbone: Backbone = self.choose(backbone, self.backbones, "psp18")
        self.scale = scale
        statistics = normalisation(self.backbone, self.learned)
        self._mean, self._std = (torch.tensor(values, device=self.device).view(1, 3, 1, 1) for values in statistics)

    def image(self, frame: Frame, scale: float) -> Tensor:
        """Return float[1, 3, scale H, scale W], normalised first, then resized."""
        pixels = torch.tensor(frame.image).to(self.device).permute(2, 0, 1).unsqueeze(0)
        return resize(self.normalised(pixels), scaled(frame.image.shape[:2], scale))

    def picture(self, size: Size, scale: float) -> Picture:
        """Describe what `image` does with a frame of that size."""
        mean, std = byte_statistics(self.backbone, self.learned)
        small = scaled(size, scale)
        resized = (Interpolate(size=small, align_corners=True),) if small != size else ()
        return Normalise(mean=mean, std=std), *resized

    def normalised(self, images: Tensor) -> Tensor:
        """Convert frames float[N, 3, H, W], RGB, 0..255, to the networks' input."""
        return (images / 255 - self._mean) / self._std

    def class_scores(self, y: Output) -> Tensor:
        """Return float[C, H, W] at the frame's size: log-probabilities for PSPNet's CamVid form, otherwise logits."""
        return y.branch.finish(y.scores, y.size)[0]


def scaled(size: Size, scale: float) -> Size:
    """Return (H, W) of the frame as the networks see it."""
    return max(int(size[0] * scale), 1), max(int(size[1] * scale), 1)
