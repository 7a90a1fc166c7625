"""What ESPNet and ESPNetv2 share behind the adapter: sizes, the output for void, resizing back to the frame."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from vssbench.datasets.label_spaces import suite_name
from vssbench.deploy.graphs import Graphs, per_frame
from vssbench.deploy.model_file import FromScores, Picture, Upsample
from vssbench.errors import UserError
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.networks.sizes import parse_size
from vssbench.types import Frame, LabelSpace, UInt8

Size = tuple[int, int]
OFFICIAL: Size = (512, 1024)
"""The size at which the authors' Cityscapes networks see a frame."""


class Input(NamedTuple):
    """image: float32[1, 3, h, w], normalised; size: (H, W) of the frame."""

    image: Tensor
    size: Size


class Output(NamedTuple):
    """logits: float32[1, K, h, w] at the network's size, void last; size: (H, W) of the frame."""

    logits: Tensor
    size: Size


class Sizes:
    """The size at which the network sees a frame.

    resize: "auto": 512x1024 for Cityscapes, as in the authors' tests; otherwise the frame's own, each side enlarged to
            the next multiple of the stride; None: the frame's own, which must be such a multiple; or HEIGHTxWIDTH
    Raises UserError for a size that the stride does not divide.
    """

    def __init__(self, resize: str | None, stride: int, space: LabelSpace):
        self._stride, self._exact = stride, resize is None
        self._fixed = OFFICIAL if suite_name(space) == "cityscapes" else None
        if resize != "auto":
            self._fixed = None if resize is None else parse_size(resize, "resize=", form="auto, none, or HEIGHTxWIDTH")
            if self._fixed is not None and any(side % stride for side in self._fixed):
                raise UserError(f"resize={resize} is not valid", expected=f"sides that are multiples of {stride}")

    def seen(self, frame: Size) -> Size:
        """Return (h, w) for a frame of (H, W). Raises UserError if it must be the frame's own and cannot be."""
        if self._fixed is not None:
            return self._fixed
        height, width = (-(-side // self._stride) * self._stride for side in frame)
        if self._exact and (height, width) != frame:
            raise UserError(
                f"the network cannot take a frame of {frame[0]}x{frame[1]} at its own size",
                expected=f"sides that are multiples of {self._stride}",
                fix=f"leave resize=none out (sides then grow to the next multiple), or use resize={height}x{width}",
            )
        return height, width


class Base(PerFrame):
    """One of the two networks. Logits are at the network's size; the labels are resized from there to the frame by
    nearest pixel, as the authors do for Cityscapes.

    The networks have one more output than there are classes: the last, for void. With labels=camvid12 void is a class.
    void: whether that output may win, as in the authors' code. Such pixels are then predicted as id C, which the
          protocol `espnet` counts as misses and others refuse. Without it each pixel gets the best of the classes.
    """

    stride: ClassVar[int]
    bgr: ClassVar[bool]

    def __init__(
        self,
        labels: str | LabelSpace,
        resize: str | None,
        void: bool,
        mapping: str | None,
        dtype: Dtype,
        compile: bool,
        device: str,
        checkpoint: object,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        self.has_void = suite_name(self.learned) != "camvid12"
        self.outputs = self.learned.classes + self.has_void
        if void and not self.has_void:
            raise UserError("void=true does not apply: in camvid12, void is a class", fix="leave void out")
        self.void = void
        self.candidates = self.learned.classes + void  # the outputs that may win
        if void and self.groups is not None:
            self.groups = (*self.groups, (self.learned.classes,))
        self.sizes = Sizes(resize, self.stride, self.learned)

    @property
    def classes(self) -> int:
        """The number of ids in predictions, including void's where it is predicted."""
        return self.space.classes + self.void

    def use(self, network: nn.Module) -> None:
        """Run this network."""
        self.network = network
        self._run = self.numerics.compiled(self.numerics.place(network))

    @abstractmethod
    def prepare(self, frame: Frame) -> Input: ...

    @running
    def step(self, x: Input) -> Output:
        return Output(self._run(x.image), x.size)

    def class_scores(self, y: Output) -> Tensor:
        return enlarged(y.logits[0, : self.candidates], y.size)

    def class_labels(self, y: Output) -> UInt8:
        labels: UInt8 = y.logits[0, : self.candidates].argmax(0).to(torch.uint8).cpu().numpy()
        rows, columns = (_nearest(new, old) for new, old in zip(y.size, labels.shape, strict=True))
        return labels if labels.shape == y.size else labels[rows[:, None], columns]

    def graphs(self, size: Size) -> Graphs:
        if self.void:
            raise UserError(
                "void=true predicts an id that is not a class, which a graph's description cannot express",
                where=self.name,
                fix="leave void out",
            )
        seen = self.sizes.seen(size)
        decode = FromScores(steps=(Upsample(size=size, kept=size),))
        module = ScoreGraph(self.network, size, self.candidates, self.bgr)
        return per_frame(self.picture(size, seen), module, torch.zeros(1, 3, *seen), decode)

    @abstractmethod
    def picture(self, size: Size, seen: Size) -> Picture:
        """Describe what `prepare` does with a frame of that size, except for the order of the channels."""

    def frame_cost(self, network: nn.Module, size: Size, device: torch.device) -> Counted:
        image = torch.zeros(1, 3, *self.sizes.seen(size), device=device)
        return FrameCost(network, size, self.candidates), (image,)


class FrameCost(nn.Module):
    """A frame from the network's input to the scores of the first `classes` outputs, float[classes, H, W]."""

    def __init__(self, network: nn.Module, size: Size, classes: int):
        super().__init__()
        self.network, self.size, self.classes = network, size, classes

    def forward(self, image: Tensor) -> Tensor:
        return enlarged(self.network(image)[0, : self.classes], self.size)


class ScoreGraph(FrameCost):
    """As FrameCost for a batch of one: float[1, 3, h, w] RGB to float[1, classes, H, W]. bgr: the network takes BGR"""

    def __init__(self, network: nn.Module, size: Size, classes: int, bgr: bool):
        super().__init__(network, size, classes)
        self.bgr = bgr

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.flip(1) if self.bgr else image)[None]


def enlarged(scores: Tensor, size: Size) -> Tensor:
    """Return float[C, H, W] from float[C, h, w], each pixel from the nearest centre."""
    if scores.shape[-2:] == size:
        return scores
    rows, columns = (
        torch.from_numpy(_nearest(new, old)).long().to(scores.device)
        for new, old in zip(size, scores.shape[-2:], strict=True)
    )
    return scores[:, rows][:, :, columns]


@lru_cache(maxsize=16)
def _nearest(new: int, old: int) -> np.ndarray:
    """Return int[new]: the positions with the nearest centres; of two equally near, the one that PIL takes."""
    places = Image.fromarray(np.arange(old, dtype=np.int32)[None])
    return np.array(places.resize((new, 1), Image.Resampling.NEAREST))[0]


def bilinear(image: Tensor, size: Size) -> Tensor:
    """Return float[N, C, h, w]: half-pixel centres, every pixel a mean of four (OpenCV's bilinear, not PIL's)."""
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size, mode="bilinear", align_corners=False)
