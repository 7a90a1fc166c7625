"""A network of mmsegmentation as a graph; its pipeline's operations are read off the sizes, then tried on a frame."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vssbench.deploy.model_file import Normalise, Pad, Picture, Resize
from vssbench.deploy.pictures import Pictures
from vssbench.errors import UserError
from vssbench.types import UInt8

NEAR = 1e-4
"""Largest difference between a pixel from the pipeline and the same pixel from the operations, both normalised."""


class Reordered(nn.Module):
    """The module on float[1, 3, h, w] RGB, its output as a batch of one. bgr: the module takes BGR"""

    def __init__(self, module: nn.Module, bgr: bool):
        super().__init__()
        self.module, self.bgr = module, bgr

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.module(image.flip(1) if self.bgr else image)
        return scores[None]


def picture_of(preprocessor: Any, image: UInt8, made: Tensor, resized: tuple[int, int], where: object) -> Picture:
    """Return what a test pipeline and a data preprocessor do with frames, as operations; channels stay RGB.

    image: a frame of noise;  made: what became of it, float32[1, 3, h, w];  resized: its size without the padding
    Raises UserError for a pipeline that does something else.
    """
    padded = made.shape[2], made.shape[3]
    raw = torch.zeros(3), torch.ones(3)  # for a config without normalisation
    values = (getattr(preprocessor, name, usual) for name, usual in zip(("mean", "std"), raw, strict=True))
    mean, std = (_rgb(one, preprocessor) for one in values)
    picture: Picture = (
        *(() if resized == image.shape[:2] else (Resize(size=resized, by="opencv"),)),
        Normalise(mean=mean, std=std),
        *(() if resized == padded else (Pad(size=padded, value=float(preprocessor.pad_val)),)),
    )
    found = torch.from_numpy(Pictures({"image": picture}).of(image, ["image"])["image"])
    found = found if preprocessor.channel_conversion else found.flip(1)
    if found.shape != made.shape or (found - made).abs().max() > NEAR:
        raise UserError(
            "its test_pipeline does more to a frame than model.yaml can express",
            where=where,
            expected="Resize (bilinear), normalisation, padding at the bottom and on the right",
        )
    return picture


def _rgb(values: Tensor, preprocessor: Any) -> tuple[float, float, float]:
    """The statistics of the network's channels, in RGB order."""
    one, two, three = values.flatten().tolist()
    return (one, two, three) if preprocessor.channel_conversion else (three, two, one)
