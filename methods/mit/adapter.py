"""The common half of the adapters: a ring of nine frames, the official table of references, one frame at a time."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from vssbench.datasets.label_spaces import suite_name
from vssbench.deploy.graphs import Graphs
from vssbench.errors import UserError
from vssbench.methods.mit import cost
from vssbench.methods.mit.graphs import graphs
from vssbench.methods.mit.network import ClipNetwork
from vssbench.methods.mit.references import FIRST_REGULAR, REACH, align, network_size, reference_frames
from vssbench.methods.mit.steps import Cached, Recompute, Single, Size, stack, upsample
from vssbench.networks.numerics import running
from vssbench.networks.per_frame import Counted, Segmentor
from vssbench.networks.sizes import MEAN, STD, parse_size
from vssbench.networks.upsampling import Step, upsampled_labels
from vssbench.types import Frame, Kind, UInt8

OFFICIAL_BOX = "480x853"
REFERENCES = 3


class Input(NamedTuple):
    """image: float[1, 3, h, w] normalised, sides multiples of 32; size: (H, W) of the frame."""

    image: Tensor
    size: Size


class Output(NamedTuple):
    """scores: float[1, C, h/4, w/4]; sizes: of the network's input and of the frame; decode resizes to each in turn."""

    scores: Tensor
    sizes: tuple[Size, Size]
    kind: Kind
    age: int = 0


class ClipMethod(Segmentor):
    """A method that sees each frame with three earlier ones. Subclasses load a network and call `open` with it.

    The first three frames after `reset` are segmented alone. The next six use the official table of references. These
    nine are of kind "warmup".
    """

    network: ClipNetwork

    def open(
        self,
        references: Literal["cached", "recompute"] | None,
        resize: str | None,
        official: str = OFFICIAL_BOX,
    ) -> None:
        """Make `network` ready to run.

        references: "cached", "recompute", or None for the per-frame path only
        resize:     the method's argument; official: the box that "auto" means on real video
        """
        self.references = references
        self.kinds = ("key", "warmup") if references else ("key",)
        usual = None if suite_name(self.learned) == "synthetic" else official
        box = usual if resize == "auto" else resize
        self.box = None if box is None else parse_size(box, "resize=", form="auto, none, or HEIGHTxWIDTH")
        self.numerics.place(self.network)
        self._single = Single(self.network, remember=references == "cached")
        regular = {"cached": Cached, "recompute": Recompute}
        self._regular: nn.Module = regular[references](self.network) if references else self._single
        self._run_single, self._run_regular = (self.numerics.compiled(one) for one in (self._single, self._regular))
        self._mean, self._std = (torch.tensor(x, device=self.device).view(3, 1, 1) for x in (MEAN, STD))
        self.reset()

    def reset(self) -> None:
        self._past: deque[Any] = deque(maxlen=REACH)  # of each earlier frame: its memory, or the image
        self._seen = 0
        self._shape: tuple[int, ...] | None = None

    def prepare(self, frame: Frame) -> Input:
        pixels = torch.tensor(align(frame.image, self.box)).to(self.device)
        image = (pixels.permute(2, 0, 1).float() - self._mean) / self._std
        height, width = frame.image.shape[:2]
        return Input(image.unsqueeze(0), (height, width))

    @running
    def step(self, x: Input) -> Output:
        if self._shape not in (None, x.image.shape):
            raise UserError(f"the frame's size changed within a clip, to {x.size}", fix="call reset() between clips")
        scores, held = self._segment(x.image)
        kind: Kind = "warmup" if "warmup" in self.kinds and self._seen < FIRST_REGULAR else "key"
        height, width = x.image.shape[-2:]
        if self.references is not None:
            self._past.append(held)
        self._seen += 1
        self._shape = x.image.shape
        return Output(scores, ((height, width), x.size), kind)

    def _segment(self, image: Tensor) -> tuple[Tensor, Any]:
        """Return the class scores of the next frame, and what to keep of it."""
        first = self._seen - len(self._past)
        chosen = [self._past[t - first] for t in reference_frames(self._seen)] if self._past else []
        if self.references == "cached":
            return self._run_regular(image, stack(chosen)) if chosen else self._run_single(image)
        return self._run_regular(torch.cat([*chosen, image])) if chosen else self._run_single(image)[0], image

    def class_scores(self, y: Output) -> Tensor:
        return upsample(y.scores, *y.sizes)[0]

    def class_labels(self, y: Output) -> UInt8:
        return upsampled_labels(y.scores[0], *(Step(size, size) for size in y.sizes))

    def cost_module(self, kind: Kind, size: tuple[int, int]) -> Counted:
        """Return what step and decode compute for a frame of that size (H, W), up to the class scores, and its inputs.

        kind: "key" for a regular frame, "warmup" for one of the first three of a clip
        """
        self.check_kind(kind)
        inner = network_size(*size, self.box)
        image = torch.zeros(1, 3, *inner, device=self.device)
        if kind == "warmup" or self.references is None:
            return cost.measured(self._single, image, inner, size)
        if self.references == "cached":
            return cost.measured(self._regular, image, inner, size, self.network.held(image, REFERENCES))
        return cost.measured(self._regular, image.repeat(REFERENCES + 1, 1, 1, 1), inner, size)

    def graphs(self, size: Size) -> Graphs:
        """See `vssbench.deploy.graphs.HasGraphs`."""
        return graphs(self.network, self.references, size, self.box)
