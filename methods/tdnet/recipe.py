"""Training TDNet (Hu et al., CVPR 2020, section 4, and the settings of the authors' release).

An example is as many frames of a clip as there are sub-networks; the sub-network on the last frame changes every step.
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

from vssbench.errors import UserError
from vssbench.methods.arseg.layers import ConvNormReLU
from vssbench.methods.arseg.losses import hard_cross_entropy
from vssbench.methods.arseg.network import build as build_psp18
from vssbench.methods.arseg.training import initial_weights
from vssbench.methods.arseg.training.augmentation import augment
from vssbench.methods.arseg.training.recipe_single import fast, in_channels_last
from vssbench.methods.tdnet import weights
from vssbench.methods.tdnet.adapter import STRIDE, Tdnet
from vssbench.methods.tdnet.backbones import CONFIGS, Backbone
from vssbench.methods.tdnet.network import TDNet
from vssbench.networks import packaged
from vssbench.networks.checkpoints import load_strict, read
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings
from vssbench.types import IGNORE, LabelSpace

OWN, DEEP = 0.5, 0.1
"""Weights of two losses: of a value alone, and of the head on the trunk's third layer."""
WEIGHT_DECAY = 1e-4
FIRST_RATE = 1e-3
"""Start of the warm-up, as a share of the rate."""


@dataclass(frozen=True)
class Manner:
    """Settings that a user does not change.

    warm_up:      steps in which the rate grows exponentially, at most a tenth of all
    colour:       brightness, contrast and saturation are each multiplied by 1 - colour .. 1 + colour
    scales:       one is drawn for each example
    trunk_factor: factor of the rate for the trunks, which are already trained
    all_labelled: earlier frames with labels also train their own sub-networks
    adam:         AdamW instead of SGD with momentum 0.9
    """

    warm_up: int
    colour: float
    scales: tuple[float, ...]
    trunk_factor: float = 1.0
    all_labelled: bool = False
    adam: bool = False


PAPER = Settings(steps=40_000, batch=8, rate=1e-2, crop=(769, 1537))
PAPER_MANNER = Manner(1000, 0.5, (0.75, 1, 1.25, 1.5, 1.75, 2))
TINY = Settings(steps=1200, batch=4, rate=4e-3, crop=(128, 224))
TINY_MANNER = Manner(50, 0.2, (1.0,), trunk_factor=0.25, all_labelled=True, adam=True)


class Turns(nn.Module):
    """The network and its training heads; forward returns the weighted losses of a batch of clips, oldest frame first.

    turn: index of the sub-network that sees the last frames
    """

    def __init__(self, method: Tdnet, all_labelled: bool):
        super().__init__()
        config = CONFIGS[method.backbone]
        self.network, self._method, self.turn, self.all_labelled = method.network, method, 0, all_labelled
        self.deep_heads = nn.ModuleList(
            nn.Sequential(
                ConvNormReLU(config.deep, config.deep // 4),
                nn.Dropout2d(0.1),
                nn.Conv2d(config.deep // 4, method.learned.classes, 1),
            )
            for _ in range(config.paths)
        )

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        images, subsampling = self._method.normalised(batch.images), self._method.subsampling
        past, earlier = [], []
        *before, current = self.network.order(self.turn)
        for path, image, labels in zip(before, images.unbind(1), batch.labels.unbind(1), strict=False):
            feature, _ = path.features(fast(image))
            value = path.value(feature)
            past.append(path.memory(feature, value, subsampling))
            if self.all_labelled and (labels != IGNORE).any():
                earlier.append(_loss(path.classify(value), labels))
        labels = batch.labels[:, -1]
        feature, deep = current.features(fast(images[:, -1]))
        value = current.value(feature)
        losses = {
            "fused": _loss(current.classify(value + current.received(feature, past)), labels),
            "own": OWN * _loss(current.classify(value), labels),
            "deep": DEEP * _loss(self.deep_heads[self.turn](deep), labels),
        }
        return losses | ({"earlier": OWN * torch.stack(earlier).mean()} if earlier else {})


def _loss(scores: Tensor, labels: Tensor) -> Tensor:
    """The loss of scores on the 1/8 grid, upsampled as the network upsamples them."""
    whole = F.interpolate(scores, labels.shape[-2:], mode="bilinear", align_corners=True)
    return hard_cross_entropy(whole, labels)


class TdnetRecipe(Recipe):
    """See the module.

    `order.start`: a whole TDNet, official or ours; or the starting weights of every sub-network's trunk: a psp18, in
    AR-Seg's official layout or ours, or a ResNet of the trunk's kind in torchvision's layout. Without one, a tiny
    network starts with the packaged psp18's trunk.
    """

    frames = 4
    deviations = (
        "no teacher: the loss has no distillation from PSPNet-101",
        "starts from random weights, or the trunk alone of --start FILE (the paper: trunk, pyramid and heads of a "
        "PSPNet trained on Cityscapes)",
        "no rotation by up to 5 degrees; a picture smaller than the crop keeps its sides' ratio",
        "at least a sixteenth of the labelled pixels counts (the release: of all pixels, ignored ones at a loss of 0)",
        "the warm-up takes at most a tenth of the steps",
        "subsampling is the method's, 4 (the release trains with 3 and tests with 4)",
        "tiny: two sub-networks, AdamW, 1200 steps of 4 clips of 128x224, rate 4e-3, a quarter of it for the trunks, "
        "no scaling, less change of colour (0.8 to 1.2); earlier frames with labels teach their own sub-networks too",
    )

    def __init__(self, order: Order):
        method = order.load(packaged.UNTRAINED)
        assert isinstance(method, Tdnet)
        self.method, tiny = method, method.backbone == "tiny"
        self.manner = TINY_MANNER if tiny else PAPER_MANNER
        self.settings = replace(TINY if tiny else PAPER, **order.settings)
        height, width = self.settings.crop
        method.network.tabulate((-(-height // STRIDE), -(-width // STRIDE)))
        shipped = packaged.find("psp18", {"labels": order.space, "backbone": method.backbone, "scale": 1.0})
        start = order.file("TDNet") or shipped
        if isinstance(start, str | Path):
            begin(method.network, method.backbone, Path(start), order.space)
        self.module = in_channels_last(Turns(method, self.manner.all_labelled).to(method.device))

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        count = CONFIGS[self.method.backbone].paths
        frames = [clips.frame(clip, index) for index in draw_frames(clips.labelled(clip), count, rng, clip)]
        crop = self.settings.crop
        pictures = [Picture(frame.image, _labels(frame.labels, frame.image)).resized(crop) for frame in frames]
        pictures = augment(pictures, crop, self.manner.scales, self.manner.colour, rng)
        return Example.of(pictures, clip, frames)

    def groups(self) -> list[dict[str, Any]]:
        """Return groups in which the weights of convolutions decay; normalisations, biases and tables do not."""
        found: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.module.named_parameters():
            found.setdefault((".trunk." in name, parameter.ndim == 4), []).append(parameter)
        rates = {True: self.settings.rate * self.manner.trunk_factor, False: self.settings.rate}
        return [
            {"params": parameters, "lr": rates[trunk], "weight_decay": WEIGHT_DECAY if decays else 0.0}
            for (trunk, decays), parameters in found.items()
        ]

    def optimiser(self) -> torch.optim.Optimizer:
        if self.manner.adam:
            return super().optimiser()
        return torch.optim.SGD(self.groups(), momentum=0.9)

    def factor(self, step: int) -> float:
        """Exponential warm-up, then the poly schedule with power 0.9, which reaches 0 after the last step."""
        steps = self.settings.steps
        warm_up = min(self.manner.warm_up, steps // 10)
        if step < warm_up:
            return float(FIRST_RATE ** (1 - step / warm_up))
        return float((1 - (step - warm_up) / (steps - warm_up)) ** 0.9)

    def before_step(self, step: int) -> None:
        assert isinstance(self.module, Turns)
        self.module.turn = step % len(self.method.network.paths)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"tdnet": self.method.network.state_dict()}


def draw_frames(labelled: Sequence[int], count: int, rng: np.random.Generator, clip: str = "") -> tuple[int, ...]:
    """Draw the numbers of `count` frames, oldest first: the last one is labelled, and the steps to it are 1 or 2.

    Raises UserError for a clip in which no labelled frame has enough frames before it.
    """
    ends = [index for index in labelled if index >= count - 1]
    if not ends:
        raise UserError(
            f"no labelled frame has {count - 1} frames before it",
            where=clip,
            fix="add the frames before the labelled ones (Cityscapes: leftImg8bit_sequence), or leave the clip out",
        )
    end = int(rng.choice(ends))
    gaps = rng.integers(1, 3, count - 1)
    if gaps.sum() > end:
        gaps[:] = 1
    return tuple(int(index) for index in (*(end - gaps[::-1].cumsum()[::-1]), end))


def begin(network: TDNet, backbone: Backbone, path: Path, space: LabelSpace) -> None:
    """Fill the network, or the trunk of each sub-network, from a training's starting file (see `TdnetRecipe`).

    Raises UserError for a file that does not fit.
    """
    file = read(path)
    if weights.is_whole(file):
        found, _ = weights.load(backbone, space.classes, path, f"TDNet, backbone {backbone}, {space.classes} classes")
        found.tabulate(network.table)
        network.load_state_dict(found.state_dict())
        return
    trunks = [sub_network.trunk for sub_network in network.order(0)]
    if backbone == "td2_psp50":
        own = {name: tensor for name, tensor in file.tensors.items() if not name.startswith("fc.")}
        load_strict(trunks[0], replace(file, tensors=own), expected="a ResNet-50 with a stem of three convolutions")
        state = trunks[0].state_dict()
    else:
        branch = build_psp18("tiny" if backbone == "tiny" else "psp18", space, "hr")
        initial_weights.begin(branch, path)
        state = initial_weights.trunk(branch).state_dict()
    for trunk in trunks:
        trunk.load_state_dict(state)


def _labels(labels: Any, image: Any) -> Any:
    return np.full(image.shape[:2], IGNORE, np.uint8) if labels is None else labels
