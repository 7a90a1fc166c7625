"""VidEoMT behind the adapter: one frame at a time, with the query tokens passed from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graphs
from vssbench.errors import UserError
from vssbench.methods.mask2former.network import Geometry
from vssbench.methods.mask2former.preprocessing import FrameReader
from vssbench.methods.videomt import weights
from vssbench.methods.videomt.graphs import graphs
from vssbench.methods.videomt.network import BACKBONES, Backbone, Found, build, positions, segment
from vssbench.methods.videomt.output import class_labels, class_scores
from vssbench.networks.numerics import Dtype, attention, running
from vssbench.networks.per_frame import Counted, Segmentor
from vssbench.types import Frame, Kind, LabelSpace, UInt8

CLASSES = ("frame", "running")
OFFICIAL_SIZES = {"vspw": (720, 1333)}
"""Label space -> the shortest edge and the longest one's limit in the official test pipeline's resize."""


@dataclass(frozen=True, slots=True)
class Input:
    """image: float32[1, 3, H, W], normalised and padded."""

    clip: str
    index: int
    image: Tensor
    geometry: Geometry


class Output(NamedTuple):
    """classes, masks: as in `network.Found`, classes perhaps averaged; geometry: the sizes that decode needs."""

    classes: Tensor
    masks: Tensor
    geometry: Geometry
    kind: Kind = "key"
    age: int = 0


@dataclass(frozen=True, slots=True)
class _Past:
    """What is kept of the frames so far: the last one's place and queries, the sum of class logits, and its count."""

    clip: str
    index: int
    state: Tensor
    classes: Tensor
    frames: int


class Videomt(Segmentor):
    """VidEoMT: Your ViT is Secretly Also a Video Segmentation Model (CVPR 2026), frame by frame.

    labels, mapping: as in mask2former
    backbone:   as in mask2former, else vit_s
    classes:    "frame": each frame's own class logits; "running": their mean over the clip so far. The published
                figures average over the whole clip, later frames included, as "running" does only on the last frame.
    resize:     auto (the official test resize: 720x1333 for vspw, none for the others), none, or SHORTxLONG. Any size
                will do: frames are padded to multiples of 32, and the table of positions is resized to their grid.
    dtype, compile: as in mask2former
    checkpoint: official .pth, our .safetensors, or a folder written by transformers' save_pretrained (both with the
                table of 80x80 positions); None: random weights (`load_method` passes the packaged file if any)
    Raises UserError for classes=clip, which looks ahead, and for a file that does not fit.

    All frames are of kind "key"; the clip's first has only the learned queries. The state is the query tokens. It does
    not depend on the frames' size and is kept when that changes; a new clip, or one that starts again, resets it.
    """

    name = "videomt"
    kinds = ("key",)

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        classes: str = "frame",
        resize: str | None = "auto",
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        self.backbone: Backbone = self.choose(backbone, BACKBONES, "vit_s")
        if classes not in CLASSES:
            why = ": the published mean over the whole clip looks ahead, at frames that have not come yet"
            raise UserError(
                f"classes={classes} is not valid{why if classes == 'clip' else ''}",
                where=self.name,
                expected="frame (each by itself) or running (the mean so far)",
            )
        self.averaged = classes == "running"
        self.frames = FrameReader(self.learned, resize, device, OFFICIAL_SIZES)
        self.network = build(self.backbone, self.learned.classes)
        self.weights = weights.load(self.network, checkpoint, self.expected(f"VidEoMT, backbone {self.backbone}"))
        self.numerics.place(self.network)
        self._segment = self.numerics.compiled(segment)
        self._table: tuple[tuple[int, int], Tensor] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the clip."""
        self._past: _Past | None = None

    def prepare(self, frame: Frame) -> Input:
        image, geometry = self.frames.read(frame.image)
        return Input(frame.clip, frame.index, self.frames.normalise(image, geometry), geometry)

    @running
    def step(self, x: Input) -> Output:
        past = self._past
        if past is not None and (past.clip != x.clip or x.index <= past.index):
            past = None
        found: Found = self._segment(
            self.network, x.image, self._positions(x.geometry.padded), None if past is None else past.state
        )
        seen, frames = (found.classes, 1) if past is None else (past.classes + found.classes, past.frames + 1)
        self._past = _Past(x.clip, x.index, found.state, seen, frames)
        return Output(seen / frames if self.averaged else found.classes, found.masks, x.geometry)

    def _positions(self, padded: tuple[int, int]) -> Tensor:
        """Return the table for frames of that size; it is computed again where the size changes."""
        if self._table is None or self._table[0] != padded:
            self._table = padded, positions(self.network, padded)
        return self._table[1]

    def class_scores(self, y: Output) -> Tensor:
        return class_scores(y.classes, y.masks, y.geometry)

    def class_labels(self, y: Output) -> UInt8:
        return class_labels(y.classes, y.masks, y.geometry)

    def cost_module(self, kind: Kind, size: tuple[int, int], device: str | None = None) -> Counted:
        """Return what step and decode compute for a frame of that size (H, W), up to the class scores, and its inputs.

        The frame has one before it. The table of positions is the same for a whole clip and is not counted.
        device: None for the method's own network; "meta" for a network without values, so that any size fits in memory
        """
        self.check_kind(kind)
        with torch.device(device or self.device):
            network = self.network if device is None else build(self.backbone, self.learned.classes).to(device)
            geometry = self.frames.geometry(size)
            state = torch.zeros(1, network.config.num_queries, network.config.hidden_size)
            return FrameCost(network, geometry), (torch.zeros(1, 3, *geometry.padded), state)

    def graphs(self, size: tuple[int, int]) -> Graphs:
        """See `vssbench.deploy.graphs.HasGraphs`."""
        picture, geometry = self.frames.picture(size), self.frames.geometry(size)
        return graphs(self.network, self.averaged, {"image": picture}, geometry)


class FrameCost(nn.Module):
    """A frame from the network's input to class scores, float[C, H, W], by operators that FLOP counters know."""

    def __init__(self, network: Any, geometry: Geometry):
        super().__init__()
        self.network, self.geometry = network, geometry
        self.table = positions(network, geometry.padded).detach()

    def forward(self, image: Tensor, state: Tensor) -> Tensor:
        with attention(self.network.config, "eager"):
            found = segment(self.network, image, self.table, state)
        return class_scores(found.classes, found.masks, self.geometry)
