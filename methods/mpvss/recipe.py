"""Training MPVSS (Weng et al., NeurIPS 2023): on two frames of a clip, the earlier one's masks warped to the later.

The later frame's labels judge the warped masks. The flow network learns from that alone: nothing tells it where pixels
move. The segmentor is a trained Mask2Former; only the heads that turn its queries into masks and classes are trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.errors import UserError
from vssbench.methods.mask2former.criterion import POINT_SHARE, Criterion
from vssbench.methods.mask2former.heads import pixel_features
from vssbench.methods.mask2former.network import STRIDE
from vssbench.methods.mask2former.recipe import (
    CLIP_NORM,
    OFFICIAL_RESIZING,
    PAPER,
    TINY_RESIZING,
    WEIGHT_DECAY,
    augment,
    normalised,
    polynomial,
)
from vssbench.methods.mpvss.adapter import Mpvss
from vssbench.methods.mpvss.flow_network import flow_image, warp
from vssbench.methods.mpvss.network import MPVSS
from vssbench.networks.packaged import find
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.made_motion import earlier, movement
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings, rows_first, share, whole

TINY = Settings(steps=6000, batch=8, rate=2e-3, crop=(128, 160))
TINY_HEADS, TINY_POINT_SHARE = 0.1, 0.3
"""The share of the rate for the segmentor's two heads, and of a mask's pixels for the losses: see `deviations`."""


class Pairs(nn.Module):
    """The network and its criterion; forward returns the weighted losses of a batch of pairs, earlier frame first."""

    def __init__(self, network: MPVSS, point_share: float = POINT_SHARE):
        super().__init__()
        self.network, self.criterion = network, Criterion(network.segmentor.config, point_share)
        network.requires_grad_(False)
        for part in learning(network):
            part.requires_grad_(True)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        key, current = batch.images.unbind(1)
        hidden, features = self._frozen(_padded(normalised(key)))
        flows = self.network.flow(_small(current), _small(key), hidden[-1])
        classes = self.network.segmentor.class_predictor(hidden)
        masks = torch.einsum("kbqc,bchw->bqkhw", mask_embedder(self.network)(hidden), features)
        with torch.autocast(masks.device.type, enabled=False):
            warped = warp(masks.float().flatten(0, 1), flows.float().flatten(0, 1)).unflatten(0, masks.shape[:2])
        return self.criterion(classes.unbind(0), warped.unbind(2), batch.labels[:, 0])

    @torch.no_grad()
    def _frozen(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return layer-normed queries of all K heads, float[K, B, Q, D], and mask features, float[B, D, h, w].

        There are no gradients, not even of the mask embedding: inside the decoder it only makes attention masks, which
        are thresholded. So the masks are made again outside.
        """
        maps, features = pixel_features(self.network.segmentor, image)
        decoded = self.network.segmentor.model.transformer_module(maps, features)
        return torch.stack(list(decoded.intermediate_hidden_states)).transpose(1, 2), features


class MpvssRecipe(Recipe):
    """See the module.

    `order.start`: any Mask2Former checkpoint that the suite reads, for the segmentor (the packaged one if none is
    given); or an MPVSS checkpoint, whose training then starts again from step 0.
    Options: `window`, the most frames from one frame of a pair to the other; `moved`, the share of pairs that are made
    from a single labelled frame (see `vssbench.training.made_motion`), for videos whose frames are far apart.
    """

    frames = 2
    options: ClassVar[Mapping[str, float]] = {"window": 10, "moved": 0}
    deviations = (
        "the pair's later frame is a labelled one, where not all are; a clip without such a pair is refused",
        "tiny: rate 2e-3, a tenth of it for the segmentor's two heads; 6000 steps of 8 crops of 128x160",
        "tiny: losses at a third as many points per mask as in the paper, 0.3 of its pixels at stride 4",
        "tiny: the flow network is initialised so that features keep their size from layer to layer",
    )

    def __init__(self, order: Order):
        start = order.start or find("mask2former", {"labels": order.space, "backbone": order.spec.get("backbone")})
        if start is None:
            raise UserError(
                "MPVSS is trained from a per-frame Mask2Former of the same backbone and classes",
                where=order.spec,
                fix="train one (vssbench train mask2former) and pass its file with --start",
            )
        method = order.load(start)
        assert isinstance(method, Mpvss)
        self.method, tiny = method, method.backbone == "tiny"
        self.settings = replace(TINY if tiny else PAPER, **order.settings)
        self.resizing = TINY_RESIZING if tiny else OFFICIAL_RESIZING
        self.heads_factor = TINY_HEADS if tiny else 1.0
        options = {**self.options, **order.options}
        self.window, self.moved = whole("window", options["window"]), share("moved", options["moved"])
        self.module = rows_first(Pairs(method.network, TINY_POINT_SHARE if tiny else POINT_SHARE))

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        if self.moved and rng.random() < self.moved:
            frames = [clips.frame(clip, int(rng.choice(clips.labelled(clip))))]
            past = earlier(frames[0].image, movement(frames[0].image.shape[:2], rng))
        else:
            indices = draw_pair(clips.labelled(clip), clips.lengths[clip], self.window, rng, clip)
            frames = [clips.frame(clip, index) for index in indices]
            past = frames[0].image
        pictures = [Picture(past), Picture.of(frames[-1])]
        return Example.of(augment(pictures, self.resizing, self.settings.crop, rng), clip, frames)

    def groups(self) -> list[dict[str, Any]]:
        flow, *heads = learning(self.method.network)
        rate = self.settings.rate
        return [
            {"params": parameters, "lr": own, "weight_decay": decay}
            for parts, own in (((flow,), rate), (heads, rate * self.heads_factor))
            for parameters, decay in zip(by_decay(parts), (WEIGHT_DECAY, 0.0), strict=True)
            if parameters
        ]

    def factor(self, step: int) -> float:
        return polynomial(step, self.settings.steps)

    def clip_norm(self) -> float:
        return CLIP_NORM

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"mpvss": self.method.network.state_dict()}


def learning(network: MPVSS) -> tuple[nn.Module, ...]:
    """The parts that are trained: the flow network, and the segmentor's mask and class embeddings."""
    return network.flow, mask_embedder(network), network.segmentor.class_predictor


def mask_embedder(network: MPVSS) -> nn.Module:
    """The MLP from a query to the embedding whose product with the mask features is its mask."""
    found: nn.Module = network.segmentor.model.transformer_module.decoder.mask_predictor.mask_embedder
    return found


def by_decay(modules: Sequence[nn.Module]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters with weight decay, and those without (of normalisations and embeddings)."""
    parts = [part for module in modules for part in module.modules()]
    exempt = (nn.LayerNorm, nn.Embedding)
    decayed = [p for part in parts if not isinstance(part, exempt) for p in part.parameters(recurse=False)]
    return decayed, [p for part in parts if isinstance(part, exempt) for p in part.parameters(recurse=False)]


def draw_pair(
    labelled: Sequence[int], length: int, window: int, rng: np.random.Generator, clip: str = ""
) -> tuple[int, int]:
    """Draw the numbers of an earlier frame and a labelled later one.

    The paper draws any frame and another from the window around it, and puts both in order. Here the draw is the same,
    on condition that the later one has labels.
    Raises UserError for a clip without such a pair.
    """
    pairs = [(key, later) for later in labelled for key in range(max(0, later - window), later)]
    if not pairs:
        raise UserError(
            "no labelled frame has a frame before it, and MPVSS learns from pairs",
            where=clip,
            fix="add the frames before the labelled ones, or make pairs of single frames: --option moved=1",
        )
    chances = [sum(1 / _neighbours(one, length, window) for one in pair) for pair in pairs]
    return pairs[rng.choice(len(pairs), p=np.divide(chances, sum(chances)))]


def _neighbours(index: int, length: int, window: int) -> int:
    """How many other frames are in the window around a frame."""
    return min(length - 1, index + window) - max(0, index - window)


def _padded(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % STRIDE, 0, -height % STRIDE))


def _small(images: Tensor) -> Tensor:
    """Return frames float[B, 3, H, W] as the flow network takes them."""
    size = _padded(images[:1]).shape[-2:]
    return torch.stack([flow_image(image, (size[0], size[1]), (size[0], size[1])) for image in images])
