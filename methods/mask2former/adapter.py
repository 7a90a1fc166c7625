"""Mask2Former behind the adapter: each frame on its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graphs, per_frame
from vssbench.deploy.model_file import FromSegments
from vssbench.methods.mask2former import weights
from vssbench.methods.mask2former.network import (
    BACKBONES,
    Backbone,
    Geometry,
    Segments,
    build,
    class_labels,
    class_scores,
    fast_labels,
    fast_scores,
    segment,
)
from vssbench.methods.mask2former.preprocessing import FrameReader
from vssbench.networks.numerics import Dtype, attention, running
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.types import Frame, LabelSpace, UInt8

Decode = Literal["exact", "fast"]
Scores = Callable[[Tensor, Tensor, Geometry], Tensor]
STAGES = {"exact": (class_scores, class_labels), "fast": (fast_scores, fast_labels)}
"""The output stage per order of decoding: class scores, and the labels that are their argmax."""


class Input(NamedTuple):
    """image: float32[1, 3, H, W], normalised and padded."""

    image: Tensor
    geometry: Geometry


class Output(NamedTuple):
    """The network's output, and the sizes that decode needs."""

    segments: Segments
    geometry: Geometry


class Mask2Former(PerFrame):
    """Per-frame Mask2Former (Cheng et al., CVPR 2022), the segmentor of MPVSS and the baseline it is compared with.

    labels:     label space: a dataset's name or a file (or a LabelSpace); it sets the number of classes
    mapping:    for a network with different classes: a file that says which count as which, see
                `vssbench.networks.class_mapping`
    backbone:   by default that of weights which `vssbench train` wrote, tiny on synthetic video, otherwise r50
    resize:     auto (the official test resize: 480x853 for vspw, none for the others), none, or SHORTxLONG
    decode:     exact: the official order; fast: class scores at stride 4, then upsampled; some border labels differ
    dtype:      number format of convolutions and matrix products, see `vssbench.networks.numerics`
    compile:    with torch.compile, which needs a C++ compiler and a minute
    checkpoint: official .pth or .pkl, our .safetensors, or a folder written by transformers' save_pretrained
                None: random weights, the same every time (`load_method` passes the packaged file if any)
    Raises UserError for a file that does not fit.
    """

    name = "mask2former"

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        resize: str | None = "auto",
        decode: Decode = "exact",
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        self.backbone: Backbone = self.choose(backbone, BACKBONES, "r50")
        self.frames = FrameReader(self.learned, resize, device)
        self.network = build(self.backbone, self.learned.classes)
        wanted = self.expected(f"Mask2Former, backbone {self.backbone}")
        self.weights = weights.load(self.network, checkpoint, wanted)
        self.numerics.place(self.network)
        self._segment = self.numerics.compiled(segment)
        self.order: Decode = decode
        self._scores, self._labels = STAGES[decode]

    def prepare(self, frame: Frame) -> Input:
        image, geometry = self.frames.read(frame.image)
        return Input(self.frames.normalise(image, geometry), geometry)

    @running
    def step(self, x: Input) -> Output:
        return Output(self._segment(self.network, x.image), x.geometry)

    def class_scores(self, y: Output) -> Tensor:
        return self._scores(y.segments.classes, y.segments.masks, y.geometry)

    def class_labels(self, y: Output) -> UInt8:
        labels: UInt8 = self._labels(y.segments.classes, y.segments.masks, y.geometry)
        return labels

    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        geometry = self.frames.geometry(size)
        return KeyCost(network, geometry, self._scores), (torch.zeros(1, 3, *geometry.padded, device=device),)

    def graphs(self, size: tuple[int, int]) -> Graphs:
        geometry = self.frames.geometry(size)
        example = torch.zeros(1, 3, *geometry.padded)
        decode = from_segments(geometry, self.order)
        return per_frame(self.frames.picture(size), SegmentGraph(self.network), example, decode, *SEGMENTS[:2])


SEGMENTS = Segments._fields


def from_segments(geometry: Geometry, order: Decode) -> FromSegments:
    """Describe how class scores are made from the outputs."""
    return FromSegments(order=order, padded=geometry.padded, resized=geometry.resized, frame=geometry.frame)


class SegmentGraph(nn.Module):
    """A frame from the network's input to the segments, with operators that runtimes know.

    queries: whether the query features are returned too
    """

    def __init__(self, network: Any, queries: bool = False):
        super().__init__()
        self.network, self.queries = network, queries
        self.backbone = network.model.pixel_level_module.encoder.config

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        with attention(self.backbone, "eager"):
            segments = segment(self.network, image)
        return tuple(segments) if self.queries else tuple(segments[:2])


class KeyCost(nn.Module):
    """A frame from the network's input to class scores, float[C, H, W], with operators that FLOP counters know."""

    def __init__(self, network: Any, geometry: Geometry, scores: Scores = class_scores):
        """network: transformers' Mask2Former; scores: the output stage"""
        super().__init__()
        self.network, self.geometry, self.scores = network, geometry, scores
        self.backbone = network.model.pixel_level_module.encoder.config

    def forward(self, image: Tensor) -> Tensor:
        with attention(self.backbone, "eager"):
            segments = segment(self.network, image)
        return self.scores(segments.classes, segments.masks, self.geometry)
