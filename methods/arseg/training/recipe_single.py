"""Phase 1 of AR-Seg's training (Hu et al., CVPR 2023, section 4.1): PSPNet-18 or BiSeNet-18 on single frames.

At scale 1 the result is AR-Seg's HR network; at scale 0.5 it is the baseline that sees every frame small.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vssbench.methods.arseg.common import scaled
from vssbench.methods.arseg.losses import segmentation
from vssbench.methods.arseg.single import Alone
from vssbench.methods.arseg.training.augmentation import augment
from vssbench.methods.arseg.training.initial_weights import begin, files
from vssbench.methods.arseg.training.settings import figures
from vssbench.methods.arseg.warp import resize
from vssbench.networks.class_mapping import correspond
from vssbench.networks.packaged import UNTRAINED
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe

DEVIATIONS = (
    "starts from random weights unless --start names a ResNet-18 trained on ImageNet, as the paper's does",
    "the cosine reaches zero at the last step (the release: a few steps per epoch later)",
    "a batch without labelled pixels has a segmentation loss of 0 (the release: NaN)",
)


class Single(nn.Module):
    """The network alone; forward returns the weighted losses."""

    def __init__(self, method: Alone):
        super().__init__()
        self.branch, self._method = method.branch, method

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        images = self._method.normalised(batch.images[:, 0])
        small = resize(images, scaled((images.shape[-2], images.shape[-1]), self._method.scale))
        return segmentation(self.branch, *self.branch.feature(fast(small)), batch.labels[:, 0])


class AloneRecipe(Recipe):
    """See the module. `order.start`: a whole branch, or a ResNet-18 trunk in torchvision's layout."""

    frames = 1
    deviations = (
        *DEVIATIONS,
        "BiSeNet on Cityscapes takes PSPNet's schedule (the authors convert public weights)",
        "tiny: no dropout, 3000 steps of 4 crops of 128x160, rate 4e-3, no scaling, less change of colour (0.8 to 1.2)",
    )

    def __init__(self, order: Order):
        method = order.load(UNTRAINED)
        assert isinstance(method, Alone)
        self.method, self.name = method, order.spec.name
        self.figures = figures(method.backbone, order.space, "hr")
        self.settings = replace(self.figures.settings, **order.settings)
        start = files(order.start, ("hr",), order.spec)
        correspond(order.space, start, None)
        for path in start.values():
            begin(method.branch, path)
        self.module = in_channels_last(Single(method))

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        frame = clips.frame(clip, int(rng.choice(clips.labelled(clip))))
        figures = self.figures
        pictures = augment([Picture.of(frame)], self.settings.crop, figures.scales, figures.colour, rng)
        return Example.of(pictures, clip, [frame])

    def groups(self) -> list[dict[str, Any]]:
        return [group(self.method.branch, self.settings.rate, self.figures.weight_decay)]

    def optimiser(self) -> torch.optim.Optimizer:
        return self.figures.make_optimiser(self.groups())

    def factor(self, step: int) -> float:
        return cosine(step, self.settings.steps)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {self.name: self.method.branch.state_dict()}


def group(branch: nn.Module, rate: float, weight_decay: float) -> dict[str, Any]:
    """Return the optimiser's group of all parameters of the branch that learn."""
    return {"params": [p for p in branch.parameters() if p.requires_grad], "lr": rate, "weight_decay": weight_decay}


def cosine(step: int, steps: int) -> float:
    """Return the schedule's factor, from 1 at the first step to 0 after the last."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def in_channels_last(module: nn.Module) -> nn.Module:
    """Return the module with its weights in the memory format that `fast` gives the images."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def fast(images: Tensor) -> Tensor:
    """Return images in channels-last memory: a step of the tiny network takes three quarters of the time on a CPU."""
    return images.contiguous(memory_format=torch.channels_last)
