"""ESPNet and ESPNetv2 behind the adapter: each frame on its own."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vssbench.datasets.label_spaces import suite_name
from vssbench.deploy.model_file import Interpolate, Normalise, Picture, Resize
from vssbench.methods.espnet import network, network_v2
from vssbench.methods.espnet.common import Base, Input, Size, bilinear
from vssbench.networks.checkpoints import Checkpoint, load_strict, read
from vssbench.networks.numerics import Dtype
from vssbench.networks.sizes import MEAN, STD
from vssbench.types import Frame, LabelSpace, Weights

CITYSCAPES = (72.3923111, 82.90893555, 73.15840149), (45.3192215, 46.15289307, 44.91483307)
CAMVID = (110.33102643, 108.40886315, 105.03319369), (72.12571015, 72.69074534, 69.90434816)
"""(mean, standard deviation) of blue, green, red in 0..255; the deviation is averaged over the images' own."""


class ESPNet(Base):
    """ESPNet (Mehta et al., ECCV 2018), frame by frame.

    BGR, normalised with Cityscapes' statistics for its classes and CamVid's for all others, then divided by 255.
    labels, mapping: as in mask2former
    backbone:   p and q units at 1/4 and 1/8; by default tiny on synthetic video, otherwise p2_q8
    resize:     auto, none or HEIGHTxWIDTH, see `Sizes`
    void:       whether the output for void may win, see `Base`
    dtype, compile: as in mask2former
    checkpoint: official .pth or our .safetensors; the file determines which of the two published forms is built.
                None: random weights, the same every time (`load_method` passes the packaged file if any)
    Raises UserError for a file that does not fit.
    """

    name = "espnet"
    stride, bgr = network.STRIDE, True

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: network.Backbone | None = None,
        resize: str | None = "auto",
        void: bool = False,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, resize, void, mapping, dtype, compile, device, checkpoint)
        self.backbone: network.Backbone = self.choose(backbone, get_args(network.Backbone), "p2_q8")
        on_cityscapes = suite_name(self.learned) == "cityscapes"
        mean, std = CITYSCAPES if on_cityscapes else CAMVID
        self._statistics = mean, std
        self._mean, self._std = (torch.tensor(x, device=self.device)[:, None, None] for x in (mean, std))
        file = None if checkpoint is None else read(checkpoint)
        skip = _skip(file) or ("level1" if on_cityscapes else "b1")
        built = network.build(self.backbone, self.outputs, skip)
        if file is not None:
            load_strict(built, file, expected=self.expected(f"a whole ESPNet (encoder and decoder), {self.backbone}"))
        self.weights = Weights("untrained") if file is None else file.weights
        self.use(built)

    def normalised(self, images: Tensor) -> Tensor:
        """Convert float[N, 3, H, W], RGB, 0..255, to the network's input: BGR, values of about 0.01."""
        return (images.flip(1) - self._mean) / self._std / 255

    def prepare(self, frame: Frame) -> Input:
        size = frame.image.shape[:2]
        seen = self.sizes.seen(size)
        pixels = torch.from_numpy(frame.image.copy()).to(self.device)  # torch does not accept negative strides
        return Input(bilinear(self.normalised(pixels.permute(2, 0, 1)[None]), seen), size)

    def picture(self, size: Size, seen: Size) -> Picture:
        (blue, green, red), deviations = self._statistics
        scale = tuple(255 * one for one in reversed(deviations))
        normalise = Normalise(mean=(red, green, blue), std=(scale[0], scale[1], scale[2]))
        return (normalise,) if seen == size else (normalise, Interpolate(size=seen))


class ESPNetV2(Base):
    """ESPNetv2 (Mehta et al., CVPR 2019) with the head of EdgeNets, frame by frame.

    RGB, resized by PIL, normalised with ImageNet's statistics.
    labels, mapping: as in mask2former
    backbone:   the width of the network, s0.5 to s2.0
    resize, void, dtype, compile: as in ESPNet; the published networks never learned void and do not predict it
    checkpoint: official .pth or our .safetensors; None: random weights, the same every time
    Raises UserError for a file that does not fit.
    """

    name = "espnetv2"
    stride, bgr = network_v2.STRIDE, False

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        *,
        backbone: network_v2.Backbone = "s0.5",
        resize: str | None = "auto",
        void: bool = False,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        super().__init__(labels, resize, void, mapping, dtype, compile, device, checkpoint)
        self.backbone = backbone
        self._mean, self._std = (torch.tensor(x, device=self.device)[:, None, None] for x in (MEAN, STD))
        built = network_v2.build(backbone, self.outputs)
        self.weights = Weights("untrained")
        if checkpoint is not None:
            file = read(checkpoint)
            load_strict(built, file, expected=self.expected(f"ESPNetv2 with EdgeNets' head, {backbone}"))
            self.weights = file.weights
        self.use(built)

    def prepare(self, frame: Frame) -> Input:
        size = frame.image.shape[:2]
        seen = self.sizes.seen(size)
        image = frame.image
        if seen != size:
            image = np.asarray(Image.fromarray(image).resize(seen[::-1], Image.Resampling.BILINEAR))
        pixels = torch.from_numpy(image.copy()).to(self.device)
        return Input(((pixels.permute(2, 0, 1) - self._mean) / self._std)[None], size)

    def picture(self, size: Size, seen: Size) -> Picture:
        normalise = Normalise(mean=MEAN, std=STD)
        return (normalise,) if seen == size else (Resize(size=seen, by="pillow"), normalise)


def _skip(file: Checkpoint | None) -> network.Skip | None:
    """What the decoder in the file sees in addition to its own outputs; None if the file does not tell."""
    last = None if file is None else file.tensors.get("conv.conv.weight")
    if last is None or last.ndim != 4:
        return None
    beside = last.shape[1] - last.shape[0]
    return next((skip for skip, width in network.WIDTHS.items() if width == beside), None)
