"""Training on clips of four frames, as the authors of MRCFA, CFFM and TV3S released it for VSPW.

One loss is on each frame by itself, one on the last frame as predicted from its references.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from vssbench.errors import UserError
from vssbench.load import load_method
from vssbench.methods.mit.adapter import ClipMethod
from vssbench.methods.mit.losses import FRAMES, ClipLosses
from vssbench.methods.mit.network import initialise
from vssbench.methods.mit.references import FIRST_REGULAR, STRIDE, fitted, reference_frames
from vssbench.methods.mit.steps import Size
from vssbench.methods.mit.weights import fill_backbone, is_backbone
from vssbench.networks.packaged import UNTRAINED
from vssbench.training.augment import Distortion, Picture, place_varied
from vssbench.training.clips import Clips
from vssbench.training.recipe import Example, Order, Recipe, Settings, rows_first
from vssbench.types import IGNORE, UInt8

WEIGHT_DECAY = 0.01
FIRST_RATE = 1e-6
"""Start of the warm-up, as a share of the rate."""
PADDING = (124, 116, 104)
"""The mean colour in whole numbers: 0 after normalisation, give or take half a grey level."""


@dataclass(frozen=True)
class Manner:
    """Settings that a user does not change.

    warm_up:     steps of linear warm-up, at most a tenth of all
    head_factor: factor of the rate for everything but the backbone
    scales:      range of the factor by which a clip is resized
    """

    warm_up: int
    head_factor: float
    scales: tuple[float, float]


PAPER = Settings(steps=160_000, batch=8, rate=6e-5, crop=(480, 480))
PAPER_MANNER = Manner(warm_up=1500, head_factor=10, scales=(0.5, 2.0))
TINY = Settings(steps=2500, batch=4, rate=3e-3, crop=(128, 160))
TINY_MANNER = Manner(warm_up=200, head_factor=3, scales=(1.0, 1.5))


def deviations(tiny: Settings) -> tuple[str, ...]:
    """How the recipes differ from their papers; tiny: the settings of the tiny network."""
    return (
        "starts from random weights unless --start names a file (the paper: a backbone trained on ImageNet)",
        "the warm-up takes at most a tenth of the steps",
        "clips of fewer than ten frames take their references from the table for the start of a clip (the release "
        "fails on them), and frames without labels count as ignored",
        "padding is the mean colour in whole grey levels, which is 0 after normalisation to within 0.007",
        f"tiny: rate {tiny.rate:g}, three times that for the head, {tiny.steps} steps of {tiny.batch} clips of crops "
        f"of {tiny.crop[0]}x{tiny.crop[1]}, scales 1 to 1.5",
        "tiny: linear layers of the backbone start wider than SegFormer's, so that features keep their size",
    )


class ClipRecipe(Recipe):
    """See the module. `order.start`: a whole network, or a MiT backbone (the official file, transformers' folder, or
    another method's network).

    name: the method's; own: see `is_backbone`; losses: the network with its losses
    """

    name: ClassVar[str]
    own: ClassVar[tuple[str, ...]]
    losses: ClassVar[type[ClipLosses]] = ClipLosses
    tiny: ClassVar[Settings] = TINY
    method: Any  # a ClipMethod; in a method's own recipe, that method's class
    frames = FRAMES
    deviations = deviations(TINY)

    def __init__(self, order: Order):
        """Raise UserError for a crop on which the network does not run, and for a file that does not fit."""
        start = order.file(self.name, expected="one file or folder")
        backbone_only = start is not None and is_backbone(start, self.own)
        whole = UNTRAINED if start is None or backbone_only else start
        method = load_method(order.spec, whole, device=order.device, labels=order.space)
        assert isinstance(method, ClipMethod)
        rows_first(method.network)  # before random weights are drawn, which happens in memory order
        self.method = method
        backbone: str = self.method.backbone
        self.settings, self.manner = (
            (self.tiny, TINY_MANNER) if backbone == "tiny" else (self.paper(backbone), PAPER_MANNER)
        )
        self.settings = replace(self.settings, **order.settings)
        if any(side % STRIDE for side in self.settings.crop):
            raise UserError(
                f"crop {self.settings.crop} cannot be used",
                where=order.spec,
                expected=f"sides that are multiples of {STRIDE}",
            )
        if start is None or backbone_only:
            initialise(method.network, self.settings.seed, even=backbone == "tiny")
        if start is not None and backbone_only:
            fill_backbone(method.network, start, backbone)
        self.module = self.losses(method.network).to(method.device)

    def paper(self, backbone: str) -> Settings:
        """The authors' settings for a backbone."""
        return PAPER

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        frames = [clips.frame(clip, index) for index in draw_frames(clips.labelled(clip), clips.lengths[clip], rng)]
        pictures = [Picture.of(frame) for frame in frames]
        pictures = augment(pictures, self.method.box, self.manner.scales, self.settings.crop, rng)
        return Example(
            np.stack([picture.image for picture in pictures]),
            np.stack([_labels(picture) for picture in pictures]),
            tuple(f"{clip}/{frame.stem}" for frame in frames),
        )

    def groups(self) -> list[dict[str, Any]]:
        rate, network = self.settings.rate, self.method.network
        found: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in network.named_parameters():
            if name.startswith("unused."):
                continue
            backbone = name.startswith("backbone.")
            own = rate if backbone else rate * self.manner.head_factor
            decay = 0.0 if backbone and "norm" in name else WEIGHT_DECAY
            found.setdefault((own, decay), []).append(parameter)
        return [{"params": params, "lr": own, "weight_decay": decay} for (own, decay), params in found.items()]

    def factor(self, step: int) -> float:
        """Linear warm-up, times the poly schedule with power 1, which reaches 0 after the last step."""
        steps = self.settings.steps
        warm_up = min(self.manner.warm_up, steps // 10)
        missing = max(0.0, 1 - step / warm_up) * (1 - FIRST_RATE) if warm_up else 0.0
        return (1 - step / steps) * (1 - missing)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {self.name: self.method.network.state_dict()}


def draw_frames(labelled: Sequence[int], length: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Draw the numbers of three references, oldest first, and a labelled target; half of the time in reverse.

    labelled: numbers of the frames with labels; length: number of frames in the clip
    Wherever the clip is long enough, the target has its regular references nine, six and three frames earlier.
    Otherwise it has those that it would have at test (one of the first three frames: the first frame, three times).
    """
    backwards = rng.random() < 0.5
    places = [length - 1 - index if backwards else index for index in labelled]
    for first in (FIRST_REGULAR, 3, 0):
        if targets := [place for place in places if place >= first]:
            break
    target = int(rng.choice(targets))
    chosen = (*(reference_frames(target) or (0, 0, 0)), target)
    return tuple(length - 1 - place if backwards else place for place in chosen)


def augment(
    pictures: Sequence[Picture],
    box: Size | None,
    scales: tuple[float, float],
    crop: Size,
    rng: np.random.Generator,
) -> list[Picture]:
    """Resize, crop and flip the pictures alike, distort each one's colours by itself, and pad those below the crop.

    The last picture is the target: its labels decide where the crop is. Pictures without labels get ignored labels.
    """
    scale = rng.uniform(*scales)
    height, width = box or pictures[-1].size
    size = fitted(*pictures[-1].size, (int(height * scale), int(width * scale)))
    pictures = [picture.resized(size) for picture in pictures]
    top, left = place_varied(_labels(pictures[-1]), crop, rng)
    flip = rng.random() < 0.5
    done = []
    for picture in pictures:
        picture = replace(picture, labels=_labels(picture)).cropped(top, left, crop)
        picture = picture.flipped() if flip else picture
        picture = replace(picture, image=Distortion.draw(rng)(np.ascontiguousarray(picture.image)))
        done.append(picture.padded(crop, PADDING))
    return done


def _labels(picture: Picture) -> UInt8:
    return np.full(picture.size, IGNORE, np.uint8) if picture.labels is None else picture.labels
