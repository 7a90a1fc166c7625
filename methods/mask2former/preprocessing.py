"""From a frame to the network's input: the official resizing, normalisation, padding to a multiple of 32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vssbench.datasets.label_spaces import suite_name
from vssbench.deploy.model_file import Normalise, Pad, Picture, Resize
from vssbench.methods.mask2former.network import STRIDE, Geometry
from vssbench.networks.sizes import MEAN, STD, parse_size
from vssbench.types import LabelSpace, UInt8

OFFICIAL_SIZES: Mapping[str, tuple[int, int]] = {"vspw": (480, 853)}
"""Label spaces whose frames the official test pipeline resizes; other frames are used at their own size."""


class FrameReader:
    """Frames to tensors on the device.

    resize: SHORTxLONG, e.g. "480x853": the shortest edge to 480, the longest at most 853, as detectron2 does (PIL,
            bilinear); None: the frame's own size; "auto": what the official test pipeline does for these labels
    official: the sizes for "auto" by label space; Mask2Former's unless a method has its own
    """

    def __init__(
        self,
        labels: str | LabelSpace,
        resize: str | None,
        device: str,
        official: Mapping[str, tuple[int, int]] = OFFICIAL_SIZES,
    ):
        self.edges = official.get(suite_name(labels) or "")
        if resize != "auto":
            self.edges = None if resize is None else parse_size(resize, "resize=", form="auto, none, or SHORTxLONG")
        self.device = torch.device(device)
        self._mean, self._std = (torch.tensor(x, device=self.device)[:, None, None] for x in (MEAN, STD))

    def geometry(self, frame: tuple[int, int]) -> Geometry:
        """Return the sizes that a frame of this size (height, width) passes through."""
        resized = frame if self.edges is None else _shortest_edge(frame, *self.edges)
        height, width = (-(-side // STRIDE) * STRIDE for side in resized)
        return Geometry((height, width), resized, frame)

    def picture(self, frame: tuple[int, int]) -> Picture:
        """Describe what `read` and `normalise` do with a frame of that size."""
        geometry = self.geometry(frame)
        return (*self.resizing(geometry), Normalise(mean=MEAN, std=STD), Pad(size=geometry.padded))

    def resizing(self, geometry: Geometry) -> Picture:
        """Describe what `read` does."""
        return () if geometry.resized == geometry.frame else (Resize(size=geometry.resized, by="pillow"),)

    def read(self, image: UInt8) -> tuple[Tensor, Geometry]:
        """Convert uint8[H, W, 3] to float32[3, h, w], resized, RGB, 0..255."""
        geometry = self.geometry(image.shape[:2])
        if geometry.resized != geometry.frame:
            height, width = geometry.resized
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        pixels = torch.from_numpy(image.copy()).to(self.device)  # torch does not accept negative strides
        return pixels.permute(2, 0, 1).float(), geometry

    def normalise(self, image: Tensor, geometry: Geometry) -> Tensor:
        """Return the network's input float32[1, 3, H, W], padded after normalising so that the padding is exactly 0."""
        image = (image - self._mean) / self._std
        (bottom, right), (height, width) = geometry.padded, geometry.resized
        return F.pad(image, (0, right - width, 0, bottom - height))[None]


def _shortest_edge(frame: tuple[int, int], shortest: int, longest: int) -> tuple[int, int]:
    """Return the size to resize to, rounded as in detectron2's ResizeShortestEdge."""
    scale = shortest / min(frame)
    height, width = (float(shortest) if side == min(frame) else scale * side for side in frame)
    if max(height, width) > longest:
        scale = longest / max(height, width)
        height, width = height * scale, width * scale
    return int(height + 0.5), int(width + 0.5)
