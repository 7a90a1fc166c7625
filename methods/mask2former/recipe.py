"""Training per-frame Mask2Former for video datasets, as MPVSS's authors train their baseline (Weng et al., NeurIPS
2023): one random frame of a random clip, Mask2Former's set criterion (Cheng et al., CVPR 2022, section 3.3).

Their release also freezes all but two small heads here, by a default that is meant for MPVSS; this recipe trains all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn
from transformers import Mask2FormerForUniversalSegmentation

from vssbench.methods.mask2former.adapter import Mask2Former
from vssbench.methods.mask2former.criterion import Criterion
from vssbench.methods.mask2former.heads import heads, pixel_features
from vssbench.methods.mask2former.initial_weights import fill_backbone, is_backbone
from vssbench.networks.packaged import UNTRAINED
from vssbench.networks.sizes import MEAN, STD
from vssbench.training.augment import Distortion, Picture, place
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings, rows_first

WEIGHT_DECAY, POWER, CLIP_NORM = 0.05, 0.9, 0.01
PAPER = Settings(steps=90_000, batch=16, rate=5e-5, crop=(480, 480))
TINY = Settings(steps=3000, batch=8, rate=2e-3, crop=(128, 160))
TINY_WARM_UP = 50
PADDING = (124, 116, 104)
"""The mean colour, rounded to integers: almost 0 after normalisation."""


class Resizing(Protocol):
    """How to draw the size to which a frame is resized before it is cropped."""

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """Draw the new (height, width) of a frame of that size."""


@dataclass(frozen=True)
class ShortestEdge:
    """The shortest edge is resized to one of `shortest`, but the longest to at most `longest`."""

    shortest: tuple[int, ...]
    longest: int

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """Draw the new (height, width) of a frame of that size, rounded as detectron2 does."""
        scale = int(rng.choice(self.shortest)) / min(size)
        scale = min(scale, self.longest / max(size))
        height, width = (int(side * scale + 0.5) for side in size)
        return height, width


@dataclass(frozen=True)
class Factor:
    """The frame's own size times one of `factors`."""

    factors: tuple[float, ...]

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        scale = float(rng.choice(self.factors))
        height, width = (int(side * scale + 0.5) for side in size)
        return height, width


OFFICIAL_RESIZING = ShortestEdge(tuple(480 * step // 10 for step in range(10, 41, 2)), 960)
TINY_RESIZING = Factor((1, 1.125))
"""For frames of any size: scale 1 or 1.125; with the paper's settings 480x853 nearly always gets 1.125."""


class PerFrame(nn.Module):
    """The network and its criterion; forward returns the weighted losses."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.criterion = network, Criterion(network.config)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        found = heads(self.network, *pixel_features(self.network, normalised(batch.images[:, 0])))
        return self.criterion(found.classes, found.masks, batch.labels[:, 0])


class Mask2FormerRecipe(Recipe):
    """See the module. `order.start`: any Mask2Former checkpoint that the adapter reads, or just a backbone."""

    frames = 1
    deviations = (
        "starts from random weights unless --start names a file (the paper: a backbone trained on ImageNet)",
        "tiny: rate 2e-3 after a warm-up of 50 steps, no lower one for the backbone, 3000 steps of 8 crops of 128x160",
        "resizing, crop, colour and flip are drawn for each frame (the release shares them between pairs of samples)",
    )

    def __init__(self, order: Order):
        start = order.file("Mask2Former", expected="one file or folder")
        alone = start is not None and is_backbone(start)
        method = order.load(UNTRAINED if start is None or alone else start)
        assert isinstance(method, Mask2Former)
        if start is not None and alone:
            fill_backbone(method.network, start, method.backbone)
        self.method, tiny = method, method.backbone == "tiny"
        self.settings = replace(TINY if tiny else PAPER, **order.settings)
        self.resizing = TINY_RESIZING if tiny else OFFICIAL_RESIZING
        self.backbone_factor, self.warm_up = (1.0, TINY_WARM_UP) if tiny else (0.1, 0)
        self.module = rows_first(PerFrame(method.network))

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        frame = clips.frame(clip, int(rng.choice(clips.labelled(clip))))
        return Example.of(augment([Picture.of(frame)], self.resizing, self.settings.crop, rng), clip, [frame])

    def groups(self) -> list[dict[str, Any]]:
        return groups(self.method.network, self.settings.rate, self.backbone_factor)

    def factor(self, step: int) -> float:
        return polynomial(step, self.settings.steps) * min(1.0, (step + 1) / (self.warm_up + 1))

    def clip_norm(self) -> float:
        return CLIP_NORM

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"mask2former": self.method.network.state_dict()}


def augment(
    pictures: Sequence[Picture], resizing: Resizing, crop: tuple[int, int], rng: np.random.Generator
) -> list[Picture]:
    """Resize, crop, colour and flip all with the same draw; pad only where a frame is smaller than the crop."""
    size = resizing.draw(pictures[0].size, rng)
    top, left = place(size, crop, rng)
    distort, flip = Distortion.draw(rng), rng.random() < 0.5
    done = []
    for picture in pictures:
        picture = picture.resized(size).cropped(top, left, crop)
        picture = replace(picture, image=distort(picture.image)).padded(crop, PADDING)
        done.append(picture.flipped() if flip else picture)
    return done


def normalised(images: Tensor) -> Tensor:
    """Convert frames float[B, 3, H, W], RGB, 0..255, to the network's input."""
    mean, std = (images.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return (images - mean) / std


def groups(network: Mask2FormerForUniversalSegmentation, rate: float, backbone_factor: float) -> list[dict[str, Any]]:
    """Return AdamW's groups of what learns: no decay for norms and embeddings, a separate rate for the backbone."""
    undecayed = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d, nn.Embedding)
    backbone = {id(p) for p in network.model.pixel_level_module.encoder.parameters()}
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                decay = 0.0 if isinstance(module, undecayed) or "position" in name else WEIGHT_DECAY
                own = rate * (backbone_factor if id(parameter) in backbone else 1.0)
                found.setdefault((own, decay), []).append(parameter)
    return [{"params": params, "lr": own, "weight_decay": decay} for (own, decay), params in found.items()]


def polynomial(step: int, steps: int) -> float:
    """Return the poly schedule's factor, with power 0.9, falling to 0 after the last step."""
    return (1 - step / steps) ** POWER
