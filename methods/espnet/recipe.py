"""Training ESPNet (Mehta et al., ECCV 2018, section 4.1, with the settings of the authors' release): first the encoder
alone on labels at an eighth of the size, then the whole network, each with a weighted cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.datasets.label_spaces import suite_name
from vssbench.errors import UserError
from vssbench.methods.espnet.adapter import ESPNet
from vssbench.methods.espnet.network import STRIDE
from vssbench.networks.checkpoints import load_strict, read
from vssbench.networks.class_mapping import correspond
from vssbench.networks.packaged import UNTRAINED
from vssbench.training.augment import Picture, place
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings
from vssbench.types import IGNORE

WEIGHT_DECAY = 5e-4
RARITY = 1.10
"""A class that makes up a fraction f of the pixels has weight 1 / ln(RARITY + f)."""
PADDING = (105, 108, 110)
"""CamVid's mean colour, rounded to integers: almost 0 after normalisation."""


@dataclass(frozen=True)
class Manner:
    """What a user does not change.

    encoder_first: the fraction of the steps in which the encoder is trained alone
    scales:        scales of the frame, one of which is drawn for each example
    weight_decay:  for all parameters, in the gradient (Adam)
    """

    encoder_first: float
    scales: tuple[float, ...]
    weight_decay: float


# 300 epochs of five passes in each of the two stages: over 367 images of CamVid, or 2975 of Cityscapes.
CAMVID = Settings(steps=183_500, batch=6, rate=5e-4, crop=(360, 480))
CITYSCAPES = Settings(steps=1_487_500, batch=6, rate=5e-4, crop=(512, 1024))
PAPER_MANNER = Manner(0.5, (0.5, 0.75, 1, 1.25, 1.5), WEIGHT_DECAY)
TINY = Settings(steps=5000, batch=4, rate=4e-3, crop=(128, 160))
TINY_MANNER = Manner(0.2, (1.0,), 0.0)


class Weighted(nn.Module):
    """The network and its loss.

    whole: whether the whole network is trained, or only its encoder
    """

    def __init__(self, method: ESPNet):
        super().__init__()
        self.network, self._method = method.network, method
        self.whole = True

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        images, labels = self._method.normalised(batch.images[:, 0]), batch.labels[:, 0]
        if self._method.has_void:
            labels = labels.masked_fill(labels == IGNORE, self._method.learned.classes)
        if self.whole:
            scores = self.network(images)
        else:
            scores, labels = self.network.encoder(images).scores, labels[:, ::STRIDE, ::STRIDE]
        return {"segmentation": weighted_cross_entropy(scores, labels)}


class ESPNetRecipe(Recipe):
    """See the module. `order.start`: a whole ESPNet, or its encoder (the release's ESPNet-C). The stage that trains
    the encoder alone is then skipped.
    """

    frames = 1
    deviations = (
        "examples are crops of one size from frames scaled by 0.5 to 1.5 (the release: whole frames at five sizes in "
        "turn, half of them with up to 100 pixels cut off)",
        "frames are flipped left to right (the release flips them upside down, against its comment)",
        "classes are weighted by their share in each batch (the release: in the whole training split)",
        "the encoder is trained alone with the same batch as the whole network (the release: 12 and 6)",
        "statistics are Cityscapes' for its classes and CamVid's for all others, not computed per dataset",
        "tiny: an encoder of 1 and 2 units, 5000 steps of 4 crops of 128x160, the encoder alone in the first fifth, "
        "rate 4e-3 falling to 0 by a cosine in each stage, no weight decay, no scaling",
    )

    def __init__(self, order: Order):
        """Raises UserError for a crop on which the network does not run, and for a file that does not fit."""
        start = order.file("ESPNet")
        alone = start is not None and is_encoder(start)
        method = order.load(UNTRAINED if start is None or alone else start)
        assert isinstance(method, ESPNet)
        if start is not None and alone:
            correspond(order.space, start, None)
            load_strict(method.network.encoder, read(start), expected=method.expected("ESPNet-C, the encoder alone"))
        tiny = method.backbone == "tiny"
        paper = CITYSCAPES if suite_name(order.space) == "cityscapes" else CAMVID
        self.method, self.tiny = method, tiny
        self.settings = replace(TINY if tiny else paper, **order.settings)
        self.manner = TINY_MANNER if tiny else PAPER_MANNER
        if start is not None:
            self.manner = replace(self.manner, encoder_first=0.0)
        if any(side % STRIDE for side in self.settings.crop):
            raise UserError(
                f"crop {self.settings.crop} cannot be used",
                where=order.spec,
                expected=f"sides that are multiples of {STRIDE}",
            )
        self.module = Weighted(method)

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        frame = clips.frame(clip, int(rng.choice(clips.labelled(clip))))
        pictures = augment([Picture.of(frame)], self.manner.scales, self.settings.crop, rng)
        return Example.of(pictures, clip, [frame])

    def groups(self) -> list[dict[str, Any]]:
        parameters = list(self.method.network.parameters())
        return [{"params": parameters, "lr": self.settings.rate, "weight_decay": self.manner.weight_decay}]

    def optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.groups())

    def factor(self, step: int) -> float:
        """Return 1, halved in each stage after a third and two thirds of its steps; tiny: a cosine to 0."""
        first = self._encoder_steps
        begin, length = (0, first) if step < first else (first, self.settings.steps - first)
        done = (step - begin) / max(length, 1)
        return float(np.cos(np.pi * done) + 1) / 2 if self.tiny else 0.5 ** int(3 * done)

    def before_step(self, step: int) -> None:
        assert isinstance(self.module, Weighted)
        self.module.whole = step >= self._encoder_steps

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"espnet": self.method.network.state_dict()}

    @property
    def _encoder_steps(self) -> int:
        return int(self.manner.encoder_first * self.settings.steps)


def is_encoder(path: str | Path) -> bool:
    """Whether a file holds ESPNet-C: the encoder's entries without the prefix `encoder.`."""
    tensors = read(path).tensors
    return "level1.conv.weight" in tensors and "combine_l2_l3.0.bn.weight" not in tensors


def weighted_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return a scalar. scores: float[N, K, h, w]; labels: int64[N, h, w], where 255 is ignored.

    Each pixel has weight 1 / ln(1.10 + the fraction of labelled pixels that are of its class).
    """
    counts = torch.bincount(labels[labels != IGNORE], minlength=scores.shape[1])
    weights = 1 / torch.log(RARITY + counts / counts.sum().clamp(min=1))
    return F.cross_entropy(scores.float(), labels, weights, ignore_index=IGNORE)


def augment(
    pictures: Sequence[Picture], scales: Sequence[float], crop: tuple[int, int], rng: np.random.Generator
) -> list[Picture]:
    """Scale, crop and flip all pictures with the same draw; pad where a frame is smaller than the crop."""
    scale = float(rng.choice(scales))
    height, width = (int(side * scale + 0.5) for side in pictures[0].size)
    top, left = place((height, width), crop, rng)
    flip = rng.random() < 0.5
    cropped = [picture.resized((height, width)).cropped(top, left, crop) for picture in pictures]
    return [(picture.flipped() if flip else picture).padded(crop, PADDING) for picture in cropped]
