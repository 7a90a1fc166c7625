"""MPVSS behind the adapter: a schedule, the cache of the key frame, and the two kinds of frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vssbench.deploy.graphs import Graphs
from vssbench.methods.mask2former.adapter import STAGES, Decode
from vssbench.methods.mask2former.network import BACKBONES, Backbone, Geometry, Segments
from vssbench.methods.mask2former.preprocessing import FrameReader
from vssbench.methods.mpvss import weights
from vssbench.methods.mpvss.cost import cost_module
from vssbench.methods.mpvss.flow_network import flow_image
from vssbench.methods.mpvss.graphs import graphs
from vssbench.methods.mpvss.network import MPVSS
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, Segmentor
from vssbench.schedule import FixedInterval, OnChange, change, schedule, thumbnail
from vssbench.specs import Spec
from vssbench.types import Frame, Kind, LabelSpace, UInt8

_UNSEEN = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Input:
    """image: float32[1, 3, H, W] for the segmentor; flow_image: float32[3, H/2, W/2] for the flow network;
    thumbnail: for an adaptive schedule; otherwise empty."""

    clip: str
    index: int
    image: Tensor
    flow_image: Tensor
    thumbnail: NDArray[np.float32]
    geometry: Geometry


class Output(NamedTuple):
    """The network's output, the sizes that decode needs, and the kind of frame."""

    segments: Segments
    geometry: Geometry
    kind: Kind
    age: int


class Mpvss(Segmentor):
    """Mask Propagation for Efficient Video Semantic Segmentation (Weng et al., NeurIPS 2023).

    labels, backbone, resize, decode, mapping, dtype, compile: as in mask2former
    key_interval: frames from one key frame to the next, or auto(threshold=12,max=10): see `vssbench.schedule`
    offset:       position in the interval of the first key frame after frame 0
    checkpoint:   official .pth or our .safetensors; or any that mask2former takes, for the segmentor only: the flow
                  network is then untrained, and `weights` says "untrained". None: as in mask2former
    A frame is also a key frame where there is none to start from: at the start of a clip, after a change of size, or
    where the video starts again.
    """

    name = "mpvss"

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        key_interval: int | str | Spec = 5,
        offset: int = 0,
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
        self.schedule = schedule(key_interval, offset)
        self.frames = FrameReader(self.learned, resize, device)
        self.network = MPVSS(self.backbone, self.learned.classes)
        wanted = self.expected(f"MPVSS, backbone {self.backbone}")
        self.weights = weights.load(self.network, checkpoint, wanted)
        self.numerics.place(self.network)
        self._run_key = self.numerics.compiled(self.network.key)
        self._run_nonkey = self.numerics.compiled(self.network.nonkey)
        self.order: Decode = decode
        self._scores, self._labels = STAGES[decode]
        self.reset()

    def reset(self) -> None:
        """Forget the key frame."""
        self._key: tuple[Input, Segments] | None = None

    def prepare(self, frame: Frame) -> Input:
        image, geometry = self.frames.read(frame.image)
        small = thumbnail(frame.image) if isinstance(self.schedule, OnChange) else _UNSEEN
        normalised = self.frames.normalise(image, geometry)
        halved = flow_image(image, geometry.padded, geometry.frame)
        return Input(frame.clip, frame.index, normalised, halved, small, geometry)

    @running
    def step(self, x: Input) -> Output:
        if self._key is None or self._is_key(x, self._key[0]):
            segments = self._run_key(x.image)
            self._key = x, segments
            return Output(segments, x.geometry, "key", 0)
        key, segments = self._key
        segments = self._run_nonkey(x.flow_image, key.flow_image, segments)
        return Output(segments, x.geometry, "nonkey", x.index - key.index)

    def _is_key(self, x: Input, key: Input) -> bool:
        if (x.clip, x.geometry) != (key.clip, key.geometry) or x.index <= key.index:
            return True  # the cache belongs to a different picture
        if isinstance(self.schedule, FixedInterval):
            return self.schedule.is_key(x.index, key.index)
        return self.schedule.is_key(x.index - key.index, change(x.thumbnail, key.thumbnail))

    def class_scores(self, y: Output) -> Tensor:
        return self._scores(y.segments.classes, y.segments.masks, y.geometry)

    def class_labels(self, y: Output) -> UInt8:
        labels: UInt8 = self._labels(y.segments.classes, y.segments.masks, y.geometry)
        return labels

    def cost_module(self, kind: Kind, size: tuple[int, int], device: str | None = None) -> Counted:
        """Return what step and decode compute for a frame of that size (H, W), up to the class scores, and its inputs.

        device: None for the method's own network; "meta" for a network without values, so that any size fits in memory
        """
        self.check_kind(kind)
        with torch.device(device or self.device):
            network = self.network if device is None else MPVSS(self.backbone, self.learned.classes).to(device)
            return cost_module(network, kind, self.frames.geometry(size), self._scores)

    def graphs(self, size: tuple[int, int]) -> Graphs:
        return graphs(self.network, self.frames, size, self.schedule, self.order)
