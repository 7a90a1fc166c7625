"""Training Accel (Jain et al., CVPR 2019, with the settings of the authors' release): both branches are trained
networks and stay fixed; only the correction is learned, 741 numbers for 19 classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench import hooks
from vssbench.datasets.label_spaces import suite_name
from vssbench.errors import UserError
from vssbench.load import Checkpoint, Context
from vssbench.methods.accel.adapter import Accel
from vssbench.methods.arseg.losses import log_likelihood
from vssbench.networks.packaged import UNTRAINED
from vssbench.specs import parse
from vssbench.training.augment import Picture, place
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings
from vssbench.types import Frame

PAPER = Settings(steps=53 * 2975, batch=1, rate=5e-4, crop=(768, 1024))
SLOW_STEPS, SLOW = 1000, 0.1
"""The number of warm-up steps, and the fraction of the rate used in them."""
WEIGHT_DECAY, WEIGHT_FACTOR, BIAS_FACTOR = 5e-4, 2.0, 4.0
SMALL = Settings(steps=200, batch=4, rate=0.1, crop=(128, 224))


class Fusion(nn.Module):
    """The correction; forward returns the loss of a batch of clips, key frame first, whose last frames have labels."""

    def __init__(self, method: Accel):
        super().__init__()
        self.correction, self._method = method.correction, method

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        device = batch.images.device
        fused = torch.stack([torch.cat(self._branches(clip)) for clip in batch.images]).to(device)
        scores = F.log_softmax(self.correction(fused).float(), 1)
        return {"segmentation": log_likelihood(scores, batch.labels[:, -1])}

    @torch.no_grad()
    def _branches(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        images = clip.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()
        frames = [Frame("clip", index, np.ascontiguousarray(image)) for index, image in enumerate(images)]
        reference, update = (torch.from_numpy(scores.copy()) for scores in self._method.both(frames))
        return reference, update


class AccelRecipe(Recipe):
    """See the module.

    `order.start`: {"reference": file, "update": file} for the branches, with the packaged files where none is given;
    a single file is a correction to continue from.
    """

    frames = 5
    deviations = (
        "the branches are any two methods with class scores, and scores are warped in place of features (see the "
        "method); neither learns",
        "one clip per step, for 53 epochs of 2975 clips (the release: one per GPU)",
        "a clip has as many frames as a key interval, which is 5 in the paper",
        "synthetic video: AdamW, 200 steps of 4 clips of 128x224, rate 0.1 falling linearly to 0",
    )

    def __init__(self, order: Order):
        spec, start = order.spec, order.start
        files: dict[str, Checkpoint] = {spec.name: UNTRAINED}
        if isinstance(start, Mapping):
            if unknown := sorted(set(start) - {"reference", "update"}):
                raise UserError(f"--start names {', '.join(unknown)}", where=spec, expected="reference or update")
            for branch, file in start.items():
                files[str(parse(str(spec.get(branch))))] = file
        elif start is not None:
            files[spec.name] = start
        method = Context(order.space, order.device, files).load(spec)
        assert isinstance(method, Accel)
        if method.update is None:
            raise UserError("there is no correction to train", where=spec, expected="an update branch: update=METHOD")
        for inside in (method.reference, method.update):
            if hooks.weights(inside).origin == "untrained":
                raise UserError(
                    f"Accel trains the correction of two trained networks, and {inside.name} is untrained",
                    where=spec,
                    fix="--start reference:FILE,update:FILE",
                )
        self.method, self.synthetic = method, suite_name(order.space) == "synthetic"
        self.length = method.schedule.key_interval
        if self.length < 2:
            raise UserError("with key_interval=1 every frame is a key frame, and none is corrected", where=spec)
        self.settings = replace(SMALL if self.synthetic else PAPER, **order.settings)
        self.module = Fusion(method)

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        end = int(rng.choice(ends(clips.labelled(clip), self.length, clip)))
        frames = [clips.frame(clip, index) for index in range(end - self.length + 1, end + 1)]
        pictures = cropped([Picture.of(frame) for frame in frames], self.settings.crop, rng)
        labels = pictures[-1].labels
        assert labels is not None
        names = tuple(f"{clip}/{frame.stem}" for frame in frames)
        return Example(np.stack([picture.image for picture in pictures]), labels[None], names)

    def groups(self) -> list[dict[str, Any]]:
        correction, rate = self.method.correction, self.settings.rate
        factors = (1.0, 1.0) if self.synthetic else (WEIGHT_FACTOR, BIAS_FACTOR)
        parts = zip((correction.weight, correction.bias), factors, strict=True)
        return [{"params": [one], "lr": rate * factor, "weight_decay": WEIGHT_DECAY} for one, factor in parts]

    def optimiser(self) -> torch.optim.Optimizer:
        return super().optimiser() if self.synthetic else torch.optim.SGD(self.groups(), momentum=0.9)

    def factor(self, step: int) -> float:
        if self.synthetic:
            return 1 - step / self.settings.steps
        return SLOW if step < SLOW_STEPS else 1.0

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"accel": self.method.correction.state_dict()}


def ends(labelled: Sequence[int], length: int, clip: str = "") -> list[int]:
    """The indices of the labelled frames that end a clip of `length` frames. Raises UserError if there are none."""
    found = [index for index in labelled if index >= length - 1]
    if not found:
        raise UserError(
            f"no labelled frame has {length - 1} frames before it",
            where=clip,
            fix="add the frames before the labelled ones (Cityscapes: leftImg8bit_sequence), or lower key_interval",
        )
    return found


def cropped(pictures: Sequence[Picture], crop: tuple[int, int], rng: np.random.Generator) -> list[Picture]:
    """Crop all pictures at the same place; a side that is shorter than the crop's stays whole."""
    height, width = pictures[0].size
    size = min(crop[0], height), min(crop[1], width)
    top, left = place((height, width), size, rng)
    return [picture.cropped(top, left, size) for picture in pictures]
