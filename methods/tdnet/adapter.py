"""TDNet behind the adapter: whose turn it is, a queue of the last frames' memories, the size of official weights."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import NamedTuple, get_args

import cv2
import torch
from torch import Tensor, nn

from vssbench.datasets.label_spaces import suite_name
from vssbench.deploy.graphs import Graphs
from vssbench.deploy.model_file import Normalise, Resize
from vssbench.errors import UserError
from vssbench.methods.arseg.network import byte_statistics
from vssbench.methods.tdnet import weights
from vssbench.methods.tdnet.backbones import CONFIGS, Backbone
from vssbench.methods.tdnet.graphs import graphs
from vssbench.methods.tdnet.network import Memory, SubNetwork
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, Segmentor
from vssbench.networks.sizes import MEAN, STD, parse_size
from vssbench.networks.upsampling import Size, Step, upsampled, upsampled_labels
from vssbench.types import Frame, Kind, LabelSpace, UInt8

STRIDE = 8


class Input(NamedTuple):
    """image: float[1, 3, h, w], normalised; size: (H, W) of the frame."""

    image: Tensor
    size: Size


class Output(NamedTuple):
    """scores: float[1, C, h/8, w/8]; sizes: of the network's input and of the frame; decode resizes to each in turn."""

    scores: Tensor
    sizes: tuple[Size, Size]
    kind: Kind
    age: int = 0


class Tdnet(Segmentor):
    """Temporally Distributed Networks (Hu et al., CVPR 2020), frame by frame.

    labels, mapping: as in mask2former
    backbone:    td4_psp18 (four PSPNet-18 that take turns), td2_psp50 (two PSPNet-50) or tiny (two); default as in
                 mask2former, else td4_psp18
    subsampling: of the 1/8 grid, for what frames store for later ones; the authors test with 4 and train with 3
    resize:      HxW of the network's input, none for the frame's own size; "auto" is the size that the normalisation's
                 tables were made for (769x1537 in official weights), and on synthetic video the frame's own. At a
                 different size the tables are resized, which is not the published way.
    dtype, compile: as in mask2former
    checkpoint:  official .pkl (for testing or training) or our .safetensors; None: random weights (`load_method` passes
                 the packaged file if any)

    Frame t of a clip runs sub-network t mod 4 (or 2) and no other. While the queue is not full, frames are segmented
    alone and are of kind "warmup": the first three frames (with two sub-networks, the first one).
    """

    name = "tdnet"
    kinds = ("key", "warmup")

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: Backbone | None = None,
        subsampling: int = 4,
        resize: str | None = "auto",
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, device, dtype, compile, checkpoint, mapping)
        if subsampling < 1:
            raise UserError(f"subsampling={subsampling} is not valid", expected="1 or more")
        self.backbone: Backbone = self.choose(backbone, get_args(Backbone), "td4_psp18")
        self.subsampling = subsampling
        wanted = self.expected(f"TDNet, backbone {self.backbone}")
        self.network, self.weights = weights.load(self.backbone, self.learned.classes, checkpoint, wanted)
        self.numerics.place(self.network)
        self._turns = [self.numerics.compiled(path) for path in self.network.paths]
        fixed = resize not in ("auto", None)
        self.box = parse_size(str(resize), "resize=", form="auto, none, or HEIGHTxWIDTH") if fixed else None
        self._own_size = resize is None or suite_name(self.learned) == "synthetic"
        self._statistics = MEAN, STD
        if self.backbone == "tiny":
            self._statistics = byte_statistics("tiny", self.learned)
        self._mean, self._std = (torch.tensor(x, device=self.device).view(3, 1, 1) for x in self._statistics)
        self.reset()

    def input_size(self, size: Size) -> Size:
        """(H, W) of the network's input for a frame of that size."""
        if self.box is not None:
            return self.box
        rows, columns = self.network.table
        return size if self._own_size else (STRIDE * (rows - 1) + 1, STRIDE * (columns - 1) + 1)

    def reset(self) -> None:
        """Forget the clip: empty the queue and give the first sub-network its turn."""
        self._past: deque[Memory] = deque(maxlen=CONFIGS[self.backbone].paths - 1)
        self._seen = 0
        self._shape: tuple[int, ...] | None = None

    def prepare(self, frame: Frame) -> Input:
        """Prepare a frame as the official test code does: OpenCV's bilinear resizing of bytes, then normalisation."""
        height, width = frame.image.shape[:2]
        rows, columns = self.input_size((height, width))
        image = frame.image
        if (rows, columns) != (height, width):
            image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
        pixels = torch.tensor(image).to(self.device).permute(2, 0, 1)
        return Input(self.normalised(pixels)[None], (height, width))

    def normalised(self, images: Tensor) -> Tensor:
        """Return frames float[.., 3, H, W], RGB, 0..255, as the network takes them."""
        return (images.float() - self._mean) / self._std

    @running
    def step(self, x: Input) -> Output:
        if self._shape not in (None, x.image.shape):
            raise UserError(f"the frame's size changed within a clip, to {x.size}", fix="call reset() between clips")
        full = len(self._past) == self._past.maxlen
        turn = self._turns[self._seen % len(self._turns)]
        scores, memory = turn(x.image, tuple(self._past) if full else (), self.subsampling)
        self._past.append(memory)
        self._seen += 1
        self._shape = x.image.shape
        return Output(scores, ((x.image.shape[-2], x.image.shape[-1]), x.size), "key" if full else "warmup")

    def class_scores(self, y: Output) -> Tensor:
        return upsampled(y.scores[0], *_steps(*y.sizes))

    def class_labels(self, y: Output) -> UInt8:
        return upsampled_labels(y.scores[0], *_steps(*y.sizes))

    def cost_module(self, kind: Kind, size: Size) -> Counted:
        """Return what step and decode compute for a frame of that size (H, W), up to the class scores, and its inputs.

        Attention is counted in the published order; the order in `step` saves a convolution at 15 of 16 positions.
        """
        self.check_kind(kind)
        config, (height, width) = CONFIGS[self.backbone], self.input_size(size)
        rows, columns = (-(-side // (STRIDE * self.subsampling)) for side in (height, width))
        shapes = [(1, rows * columns, channels) for channels in (config.keys, config.keys, config.values)]
        past = [torch.zeros(shape, device=self.device) for _ in range(config.paths - 1) for shape in shapes]
        image = torch.zeros(1, 3, height, width, device=self.device)
        path = self.network.paths[0]
        assert isinstance(path, SubNetwork)
        costed = Costed(path, self.subsampling, _steps((height, width), size)).eval()
        return costed, (image, *past) if kind == "key" else (image,)

    def graphs(self, size: Size) -> Graphs:
        """See `vssbench.deploy.graphs.HasGraphs`."""
        inner = self.input_size(size)
        resized = (Resize(size=inner, by="opencv"),) if inner != size else ()
        picture = (*resized, Normalise(mean=self._statistics[0], std=self._statistics[1]))
        return graphs(self.network, self.subsampling, picture, inner, _steps(inner, size))


class Costed(nn.Module):
    """One frame with decode's upsampling; its memory is returned too, so that a tracing counter drops nothing."""

    def __init__(self, path: SubNetwork, subsampling: int, steps: tuple[Step, Step]):
        super().__init__()
        self.path, self.subsampling, self.steps = path, subsampling, steps

    def forward(self, image: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """past: queries, keys and values of the frames before, one frame after the other."""
        held = [Memory(*past[start : start + 3]) for start in range(0, len(past), 3)]
        scores, memory = self.path(image, held, self.subsampling, published=True)
        return upsampled(scores[0], *self.steps), *memory


def _steps(inner: Size, outer: Size) -> tuple[Step, Step]:
    """Resize to the network's input with corners aligned, as the authors do; then to the frame, undoing its resize."""
    return Step(inner, inner, corners=True), Step(outer, outer)
