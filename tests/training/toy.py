"""A recipe small enough that a training takes milliseconds: one 1x1 convolution from colours to classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings
from vssbench.types import Frame, Prediction


class Colours:
    """A method: each pixel's class from its colour."""

    name, needs, lookahead = "colours", frozenset[str](), 0

    def __init__(self, classes: int):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.network = nn.Sequential(nn.Dropout2d(0.2), nn.Conv2d(3, classes, 1))

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Tensor:
        return torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None] / 255

    @torch.inference_mode()
    def step(self, x: Tensor) -> Tensor:
        return self.network(x)[0]

    def decode(self, y: Tensor) -> Prediction:
        return Prediction(y.argmax(0).to(torch.uint8).numpy(), "key")


class Loss(nn.Module):
    """Cross-entropy; `poison` makes the loss of that call NaN."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.calls, self.poison = network, 0, -1

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        self.calls += 1
        scores = self.network(batch.images[:, 0] / 255)
        loss = F.cross_entropy(scores, batch.labels[:, 0], ignore_index=255)
        return {"class": loss * (float("nan") if self.calls == self.poison else 1.0)}


class ToyRecipe(Recipe):
    """Frames as they are, cut to the crop's size."""

    frames = 1
    deviations = ("it is a toy",)

    def __init__(self, order: Order):
        self.settings = replace(Settings(steps=8, batch=2, rate=0.1, crop=(16, 16)), **order.settings)
        self.method = Colours(11)
        self.module = Loss(self.method.network)

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        frame = clips.frame(clip, int(rng.choice(clips.labelled(clip))))
        assert frame.labels is not None
        height, width = self.settings.crop
        return Example(
            frame.image[None, :height, :width], frame.labels[None, :height, :width], (f"{clip}/{frame.stem}",)
        )

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.method.network.parameters()), "lr": self.settings.rate, "weight_decay": 0.0}]

    def factor(self, step: int) -> float:
        return 1 - step / self.settings.steps

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"toy": self.method.network.state_dict()}
