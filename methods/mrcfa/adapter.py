"""MRCFA behind the adapter: a ring of nine frames, the official table of references, one frame at a time."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from vssbench.datasets.label_spaces import suite_name
from vssbench.errors import UserError
from vssbench.methods.mrcfa import cost, weights
from vssbench.methods.mrcfa.backbones import Backbone
from vssbench.methods.mrcfa.network import Memory
from vssbench.methods.mrcfa.references import FIRST_REGULAR, REACH, align, network_size, reference_frames
from vssbench.methods.mrcfa.steps import Cached, Recompute, Single, Size, upsample
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, Segmentor
from vssbench.networks.sizes import MEAN, STD, parse_size
from vssbench.networks.upsampling import Step, upsampled_labels
from vssbench.types import Frame, Kind, LabelSpace, UInt8

OFFICIAL_BOX = "480x853"


class Input(NamedTuple):
    """image: float[1, 3, h, w] normalised, sides multiples of 32; size: (H, W) of the frame."""

    image: Tensor
    size: Size


class Output(NamedTuple):
    """scores: float[1, C, h/4, w/4]; sizes: the network's input and the frame, to which decode resizes in turn."""

    scores: Tensor
    sizes: tuple[Size, Size]
    kind: Kind
    age: int = 0


class Mrcfa(Segmentor):
    """Mining Relations among Cross-Frame Affinities (Sun et al., ECCV 2022), frame by frame.

    labels, mapping: as in mask2former
    backbone:   as in mask2former, else mit_b1
    references: "cached": each frame's keys and values are computed once and held for nine frames;
                "recompute": all four frames anew for every target, as the official test code. The same outputs.
                None: no references; every frame by the per-frame head and of kind "key", to compare with.
    resize:     HxW box that a frame is fitted into, None for its own size; "auto" is the official 480x853, and None
                on synthetic video. Sides are then stretched to multiples of 32: the method needs it.
    dtype, compile: see `vssbench.networks.numerics`
    checkpoint: official .pth or our .safetensors; None: random weights (`load_method` passes the packaged file if any)

    The first three frames after `reset` are segmented alone, the next six have the official table of references; these
    nine are of kind "warmup".
    """

    name = "mrcfa"

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        references: Literal["cached", "recompute"] | None = "cached",
        resize: str | None = "auto",
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        self.backbone: Backbone = self.choose(backbone, get_args(Backbone), "mit_b1")
        self.references = references
        self.kinds = ("key", "warmup") if references else ("key",)
        official = None if suite_name(self.learned) == "synthetic" else OFFICIAL_BOX
        box = official if resize == "auto" else resize
        self.box = None if box is None else parse_size(box, "resize=", form="auto, none, or HEIGHTxWIDTH")
        self.network, self.weights = weights.load(self.backbone, self.learned.classes, checkpoint)
        self.numerics.place(self.network)
        self._single = Single(self.network, remember=references == "cached")
        regular = {"cached": Cached, "recompute": Recompute}
        self._regular = regular[references](self.network) if references else self._single
        self._run_single, self._run_regular = (self.numerics.compiled(one) for one in (self._single, self._regular))
        self._mean, self._std = (torch.tensor(x, device=self.device).view(3, 1, 1) for x in (MEAN, STD))
        self.reset()

    def reset(self) -> None:
        self._past: deque[Any] = deque(maxlen=REACH)  # of the frames before: a Memory each, or the image
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
        kind: Kind = "key" if self.references is None or self._seen >= FIRST_REGULAR else "warmup"
        height, width = x.image.shape[-2:]
        if self.references is not None:
            self._past.append(held)
        self._seen += 1
        self._shape = x.image.shape
        return Output(scores, ((height, width), x.size), kind)

    def _segment(self, image: Tensor) -> tuple[Tensor, Any]:
        """Class scores of the next frame, and what is to be held of it."""
        first = self._seen - len(self._past)
        chosen = [self._past[t - first] for t in reference_frames(self._seen)] if self._past else []
        if self.references == "cached":
            return self._run_regular(image, Memory.stack(chosen)) if chosen else self._run_single(image)
        return self._run_regular(torch.cat([*chosen, image])) if chosen else self._run_single(image)[0], image

    def class_scores(self, y: Output) -> Tensor:
        return upsample(y.scores, *y.sizes)[0]

    def class_labels(self, y: Output) -> UInt8:
        return upsampled_labels(y.scores[0], *(Step(size, size) for size in y.sizes))

    def cost_module(self, kind: Kind, size: Size) -> Counted:
        """What step and decode compute up to the class scores for one frame of that size (H, W), and its inputs.

        kind: "key" for a regular frame, "warmup" for one of the first three of a clip
        """
        self.check_kind(kind)
        step: Any = self._regular if kind == "key" else self._single
        return cost.measured(step, network_size(*size, self.box), size, self.device)

    def parameter_counts(self) -> dict[str, int]:
        """Parameters in all, and without the decoders that only the training loss reads (the published convention).

        Without references: those of the per-frame path, for nothing else is there.
        """
        return cost.parameters(self.network, single=self.references is None)
