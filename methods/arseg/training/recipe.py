"""Phase 2 of AR-Seg's training (Hu et al., CVPR 2023, section 3.4): the LR network learns to reproduce the HR network's
features from a small frame and a key frame's warped feature. The HR network, trained in phase 1, stays fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.errors import UserError
from vssbench.methods.arseg.adapter import ArSeg
from vssbench.methods.arseg.common import scaled
from vssbench.methods.arseg.losses import segmentation
from vssbench.methods.arseg.training.augmentation import augment
from vssbench.methods.arseg.training.initial_weights import begin, copy, files
from vssbench.methods.arseg.training.pairs import Pairs, made_of_one
from vssbench.methods.arseg.training.recipe_single import DEVIATIONS, cosine, fast, group, in_channels_last
from vssbench.methods.arseg.training.settings import figures
from vssbench.methods.arseg.warp import Form, plain_warp, resize
from vssbench.networks import packaged
from vssbench.networks.class_mapping import correspond
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, share

SIMILARITY = 1.0
"""The weight of the features' mean squared error."""


class Similarity(nn.Module):
    """Both networks; forward returns the weighted losses of a batch of pairs, key frame first.

    fusing: whether the LR network's feature is fused with the key frame's (False in the first stage)
    """

    def __init__(self, method: ArSeg):
        super().__init__()
        self.hr, self.lr, self._method = method.hr, method.lr, method
        self.fusing = True
        self.hr.requires_grad_(False)
        self.lr.classifier.requires_grad_(False)

    def train(self, mode: bool = True) -> Similarity:
        """Set the mode, but keep the HR network in evaluation mode."""
        super().train(mode)
        self.hr.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.motion is not None
        key, current = (
            self._method.normalised(batch.images.flatten(0, 1)).unflatten(0, batch.images.shape[:2]).unbind(1)
        )
        size = current.shape[-2], current.shape[-1]
        feature, inner = self.lr.feature(fast(resize(current, scaled(size, self._method.scale))))
        with torch.no_grad():
            target = self.hr.feature(fast(current))[0]
        if self.fusing:
            assert self.lr.creff is not None
            with torch.no_grad():
                reference = carried(self.hr.feature(fast(key))[0], batch.motion, self._method.warp)
            feature = self.lr.creff(reference, feature)
        difference = F.mse_loss(resize(feature, target.shape[-2:]).float(), target.float())
        return {**segmentation(self.lr, feature, inner, batch.labels[:, 0]), "similarity": SIMILARITY * difference}


class ArSegRecipe(Recipe):
    """See the module.

    `order.start`: the HR network's file, as phase 1 writes it or in the official layout, or {"hr": file, "lr": file};
    the second may be a ResNet-18 trunk in torchvision's layout. Without it the LR network starts from the HR network;
    without either, the packaged HR network is used if there is one.
    Option `moved`: the fraction of pairs made from a single labelled frame (`vssbench.training.made_motion`), for
    videos whose frames are too far apart for a codec to follow; their motion is the true motion, in blocks.
    """

    frames = 2
    options: ClassVar[Mapping[str, float]] = {"moved": 0}
    deviations = (
        "the LR network starts from the HR network unless --start names lr:FILE (the paper: from ImageNet's ResNet-18, "
        "but from the HR network for BiSeNet on Cityscapes)",
        *DEVIATIONS[1:],
        "where a small frame is enlarged to the crop, its motion is scaled with it (the release leaves its values)",
        "motion from H.264 with float vectors (the release: HEVC, each step rounded to whole pixels: chain=whole)",
        "the last weights are kept (the release: those best on the validation split)",
        "tiny: no dropout, 2400 steps of 4 crops of 128x160, rate 2e-3, no scaling, less change of colour (0.8 to 1.2)",
    )

    def __init__(self, order: Order):
        method = order.load(packaged.UNTRAINED)
        assert isinstance(method, ArSeg)
        start = files(order.start, ("hr", "lr"), order.spec)
        shipped = packaged.find("psp18", {"labels": order.space, "backbone": method.backbone, "scale": 1.0})
        if order.start is None and isinstance(shipped, Path):
            start = {"hr": shipped}
        if "hr" not in start:
            network = "psp18" if method.backbone == "tiny" else method.backbone
            raise UserError(
                "AR-Seg's second phase starts from a trained HR network",
                where=order.spec,
                expected="the file of phase 1",
                fix=f"vssbench train {network} ..., then --start hr:{network}.safetensors",
            )
        self.method = method
        self.figures = figures(method.backbone, order.space, "lr")
        self.settings = replace(self.figures.settings, **order.settings)
        correspond(order.space, start, None)
        begin(method.hr, start["hr"])
        if "lr" in start:
            begin(method.lr, start["lr"])
            method.lr.classifier.load_state_dict(method.hr.classifier.state_dict())
        else:
            copy(method.hr, method.lr)
        self.module = in_channels_last(Similarity(method))
        self.pairs = Pairs(order.codec, method.gop)
        self.moved = share("moved", {**self.options, **order.options}["moved"])

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        made = self.moved and rng.random() < self.moved
        pictures, names = (made_of_one if made else self.pairs.draw)(clips, clip, rng)
        figures = self.figures
        key, current = augment(pictures, self.settings.crop, figures.scales, figures.colour, rng)
        assert current.labels is not None
        return Example(np.stack((key.image, current.image)), current.labels[None], names, current.motion)

    def groups(self) -> list[dict[str, Any]]:
        return [group(self.method.lr, self.settings.rate, self.figures.weight_decay)]

    def optimiser(self) -> torch.optim.Optimizer:
        return self.figures.make_optimiser(self.groups())

    def factor(self, step: int) -> float:
        return cosine(step, self.settings.steps)

    def before_step(self, step: int) -> None:
        assert isinstance(self.module, Similarity)
        self.module.fusing = step >= self.figures.unfused * self.settings.steps

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"arseg-hr": self.method.hr.state_dict(), "arseg-lr": self.method.lr.state_dict()}


def carried(features: Tensor, motion: Tensor, form: Form) -> Tensor:
    """Warp features of key frames, float[N, C, h, w], to the current frames; motion is resized to theirs by nearest.

    motion: float32[N, 2, H, W], in pixels of the image, x first
    """
    size = features.shape[-2:]
    motion = F.interpolate(motion * (size[0] / motion.shape[-2]), size=size, mode="nearest")
    images = zip(features.float().split(1), motion.split(1), strict=True)
    return torch.cat([plain_warp(feature, vectors, form) for feature, vectors in images])
