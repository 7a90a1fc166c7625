"""A model of transformers as a graph; what its image processor does is read from its settings and then tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image
from torch import Tensor, nn

from vssbench.deploy.model_file import Normalise, Pad, Picture, Resize
from vssbench.deploy.pictures import Pictures
from vssbench.errors import UserError
from vssbench.types import UInt8

NEAR = 1e-4
"""The largest difference allowed between a pixel from the processor and from our operations, both normalised."""
_KERNELS: dict[int, Literal["bilinear", "bicubic"]] = {
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.BICUBIC: "bicubic",
}


class LogitsGraph(nn.Module):
    """A frame from the network's input to its logits, float[1, K, h, w].

    arguments: what the processor returns in addition to the input
    """

    def __init__(self, network: nn.Module, arguments: dict[str, Any]):
        super().__init__()
        self.network, self.arguments = network, arguments

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels, **self.arguments).logits
        return logits


class Batched(nn.Module):
    """The module, with its output as a batch of one."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.module(pixels)
        return scores[None]


def picture_of(processor: Any, image: UInt8, made: Mapping[str, Any], where: object) -> Picture:
    """Describe what an image processor does with frames, as operations.

    image: one frame of noise;  made: what the processor made of it, for comparison with the operations' result
    Raises UserError for a processor that does something else.
    """
    picture = _picture(processor, image.shape[:2], made)
    if picture is not None:
        found = Pictures({"image": picture}).of(image, ["image"])["image"]
        pixels = made["pixel_values"].numpy()
        if found.shape == pixels.shape and np.abs(found - pixels).max() < NEAR:
            return picture
    raise UserError(
        f"its {type(processor).__name__} does more to a frame than model.yaml can express",
        where=where,
        expected="resizing (bilinear, bicubic), normalisation, padding; no cropping, no tiles, no BGR",
    )


def _picture(processor: Any, size: tuple[int, int], made: Mapping[str, Any]) -> Picture | None:
    """Return the operations that the processor's settings describe; None if they cannot be expressed."""
    shape, mask = tuple(made["pixel_values"].shape), made.get("pixel_mask")
    if len(shape) != 4 or shape[0] != 1:
        return None
    padded = shape[2], shape[3]
    inner = padded if mask is None else (int(mask[0].any(1).sum()), int(mask[0].any(0).sum()))
    kernel = _KERNELS.get(processor.resample)
    if inner != size and kernel is None:
        return None
    scale = processor.rescale_factor if processor.do_rescale else 1.0
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else ((0.0,) * 3, (1.0,) * 3)
    return (
        *(() if inner == size or kernel is None else (Resize(size=inner, by="pillow", kernel=kernel),)),
        Normalise(mean=_triple(mean, scale), std=_triple(std, scale)),
        *(() if inner == padded else (Pad(size=padded),)),
    )


def _triple(values: Sequence[float], scale: float) -> tuple[float, float, float]:
    red, green, blue = (value / scale for value in values)
    return red, green, blue
