"""The settings of AR-Seg's training (Hu et al., CVPR 2023, section 4.1, and the published configurations)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from vssbench.datasets.label_spaces import suite_name
from vssbench.methods.arseg.network import Backbone
from vssbench.training.recipe import Settings
from vssbench.types import LabelSpace

SCALES = (0.5, 0.675, 0.75, 0.875, 1, 1.25, 1.5, 1.75, 2, 2.5)


@dataclass(frozen=True)
class Figures:
    """How one network is trained.

    optimiser: Adam, or SGD with momentum 0.9
    colour:    brightness, contrast and saturation are each multiplied by 1 - colour .. 1 + colour
    scales:    one is drawn for each example
    unfused:   the fraction of phase 2's steps before fusion begins
    """

    settings: Settings
    optimiser: Literal["adam", "sgd"]
    weight_decay: float
    colour: float
    scales: tuple[float, ...]
    unfused: float = 0.0

    def make_optimiser(self, parameters: list[dict[str, object]]) -> torch.optim.Optimizer:
        if self.optimiser == "adam":
            return torch.optim.Adam(parameters)
        return torch.optim.SGD(parameters, lr=self.settings.rate, momentum=0.9)


# CamVid: 369 images, 368 pairs, 100 epochs of N // batch steps; Cityscapes: 2975, 200 epochs. Crops: height, width.
CAMVID = Figures(Settings(4600, 8, 1e-3, (720, 960)), "adam", 0.0, 0.5, SCALES, 0.5)
CITYSCAPES_SCALES = (0.5, 0.75, 0.875, 1, 1.25, 1.5, 1.75, 2)
CITYSCAPES_HR = Figures(Settings(74_200, 8, 1e-2, (1024, 512)), "sgd", 5e-4, 0.4, CITYSCAPES_SCALES)
CITYSCAPES_LR = Figures(Settings(74_200, 8, 1e-2, (1024, 512)), "sgd", 5e-4, 0.5, CITYSCAPES_SCALES)
CITYSCAPES_BISE_LR = Figures(Settings(37_000, 16, 1e-2, (1024, 512)), "sgd", 5e-4, 0.5, CITYSCAPES_SCALES)

# Short training runs: with colours and sizes varied as much as in the paper, they would not get far enough.
TINY_HR = Figures(Settings(3000, 4, 4e-3, (128, 160)), "adam", 0.0, 0.2, (1.0,))
TINY_LR = Figures(Settings(2400, 4, 2e-3, (128, 160)), "adam", 0.0, 0.2, (1.0,), 0.5)


def figures(backbone: Backbone, space: LabelSpace, phase: Literal["hr", "lr"]) -> Figures:
    """Return the settings of phase 1 ("hr") or 2 ("lr"): Cityscapes' for that label space, CamVid's for every other."""
    if backbone == "tiny":
        return TINY_HR if phase == "hr" else TINY_LR
    if suite_name(space) != "cityscapes":
        return CAMVID
    if phase == "hr":
        return CITYSCAPES_HR
    return CITYSCAPES_BISE_LR if backbone == "bise18" else CITYSCAPES_LR
