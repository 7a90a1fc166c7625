"""Prepare frames for graphs: the operations of `model.yaml`, each as in the original methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from vssbench.deploy.model_file import Crop, Interpolate, Normalise, Operation, Pad, Picture, Resize
from vssbench.types import UInt8

Array = np.ndarray[Any, Any]


class Pictures:
    """A maker of pictures from frames; operations that several pictures begin with are done once."""

    def __init__(self, pictures: Mapping[str, Picture]):
        self._pictures = dict(pictures)

    @torch.inference_mode()
    def of(self, image: UInt8, names: Iterable[str]) -> dict[str, Array]:
        """Return name -> float32[1, 3, h, w] (uint8[1, h, w, 3] if not normalised), from a frame uint8[H, W, 3]."""
        done: dict[Picture, Any] = {(): np.ascontiguousarray(image)}
        return {name: _batch(_made(self._pictures[name], done)) for name in names}


def _made(picture: Picture, done: dict[Picture, Any]) -> Any:
    """Return uint8[h, w, 3] in NumPy or float32[3, h, w] in torch. done: earlier results, by the operations so far"""
    if picture not in done:
        done[picture] = _apply(picture[-1], _made(picture[:-1], done))
    return done[picture]


def _apply(operation: Operation, x: Any) -> Any:
    if isinstance(operation, Normalise):
        pixels = torch.tensor(x).permute(2, 0, 1).float()
        mean, std = (torch.tensor(values)[:, None, None] for values in (operation.mean, operation.std))
        return (pixels - mean) / std
    height, width = operation.size
    if isinstance(operation, Resize):
        if x.shape[:2] == operation.size:
            return x
        cubic = operation.kernel == "bicubic"
        if operation.by == "pillow":
            kernel = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
            return np.asarray(Image.fromarray(x).resize((width, height), kernel))
        return cv2.resize(x, (width, height), interpolation=cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR)
    if isinstance(operation, Crop):
        return x[:, :height, :width]
    if isinstance(operation, Pad):
        return F.pad(x, (0, width - x.shape[2], 0, height - x.shape[1]), value=operation.value)
    assert isinstance(operation, Interpolate)
    if tuple(x.shape[1:]) == operation.size:
        return x
    corners, antialias = operation.align_corners, operation.antialias
    return F.interpolate(x[None], operation.size, mode="bilinear", align_corners=corners, antialias=antialias)[0]


def _batch(x: Any) -> Array:
    whole: Array = x[None].contiguous().numpy() if isinstance(x, torch.Tensor) else np.ascontiguousarray(x[None])
    return whole
