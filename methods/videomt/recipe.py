"""Training VidEoMT (Norouzi et al., CVPR 2026): clips of consecutive frames; queries pass through all.

The loss is Mask2Former's set criterion on the final output and on the inputs of all but the last of the blocks that the
queries go through. Matching is done once per clip, on its first frame, so that a query keeps its class between frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import VideomtForUniversalSegmentation

from vssbench.methods.mask2former.criterion import Criterion
from vssbench.methods.mask2former.network import STRIDE
from vssbench.methods.mask2former.recipe import PADDING, TINY_RESIZING, Resizing, ShortestEdge, normalised, polynomial
from vssbench.methods.videomt.adapter import Videomt
from vssbench.methods.videomt.network import positions, predict, queries, tokens
from vssbench.networks.packaged import UNTRAINED
from vssbench.training.augment import Picture, place
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order, Recipe, Settings, rows_first, whole

WEIGHT_DECAY, LAYER_DECAY = 0.05, 0.6
PAPER = Settings(steps=40_000, batch=8, rate=1e-4, crop=(800, 1333))
TINY = Settings(steps=1000, batch=4, rate=1e-3, crop=(128, 160))
HEADS_WARM_UP, VIT_WARM_UP, TINY_WARM_UP = (0, 500), (500, 1500), (0, 50)
RESIZING = ShortestEdge(tuple(range(480, 801, 32)), 1333)
POINT_SHARE, TINY_POINT_SHARE = 12544 / (200 * 336), 0.3
"""Points per mask, as a share of its pixels at stride 4: the paper's 12544 on its largest frames."""
TINY_CLIP_NORM = 0.1


class OverClips(nn.Module):
    """The network and its criterion; forward returns the weighted losses of a batch of clips."""

    def __init__(self, network: VideomtForUniversalSegmentation, share: float):
        super().__init__()
        self.network, self.criterion = network, Criterion(network.config, share)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        network, (clips, length) = self.network, batch.images.shape[:2]
        height, width = batch.images.shape[-2:]
        images = F.pad(normalised(batch.images.flatten(0, 1)), (0, -width % STRIDE, 0, -height % STRIDE))
        padded = images.shape[-2], images.shape[-1]
        seen = tokens(network, images, positions(network, padded)).unflatten(0, (clips, length))
        count, state = network.config.num_queries, None
        blocks, made = network.layers[-network.config.num_blocks :], []
        for frame in seen.unbind(1):
            mixed = torch.cat((queries(network, state).expand(clips, -1, -1), frame), dim=1)
            before = []
            for block in blocks:
                before.append(mixed)
                mixed = block(mixed)
            made.append([*before[:-1], network.layernorm(mixed)])
            state = mixed[:, :count]
        places = (torch.stack(frames, 1).flatten(0, 1) for frames in zip(*made, strict=True))
        heads = [predict(network, mixed, padded) for mixed in places]
        classes, masks = zip(*heads, strict=True)
        found: dict[str, Tensor] = self.criterion(classes, masks, batch.labels.flatten(0, 1), length)
        return found


class VideomtRecipe(Recipe):
    """See the module. `order.start`: any VidEoMT checkpoint that the adapter reads. Option `clip`: frames per clip."""

    frames = 5
    options: ClassVar[Mapping[str, float]] = {"clip": frames}
    deviations = (
        "starts from random weights unless --start names a VidEoMT file (the paper: a trained per-frame segmenter)",
        "a clip's frames are consecutive labelled ones; where a clip has fewer, its last one is repeated",
        "all frames of a batch are padded to one size, the largest that the paper's resizing gives",
        "tiny: rate 1e-3 for all blocks alike after a warm-up of 50 steps; 1000 steps of 4 clips of crops of 128x160, "
        "gradients clipped at 0.1",
    )

    def __init__(self, order: Order):
        start = order.file("VidEoMT", expected="one file or folder")
        method = order.load(UNTRAINED if start is None else start)
        assert isinstance(method, Videomt)
        self.method, self.tiny = method, method.backbone == "tiny"
        self.settings = replace(TINY if self.tiny else PAPER, **order.settings)
        self.resizing: Resizing = TINY_RESIZING if self.tiny else RESIZING
        self.length = whole("clip", {**self.options, **order.options}["clip"])
        self.module = rows_first(OverClips(method.network, TINY_POINT_SHARE if self.tiny else POINT_SHARE))

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        indices = consecutive(clips.labelled(clip), self.length, rng)
        frames = [clips.frame(clip, index) for index in indices]
        pictures = augment([Picture.of(frame) for frame in frames], self.resizing, self.settings.crop, rng)
        return Example.of(pictures, clip, frames)

    def groups(self) -> list[dict[str, Any]]:
        return groups(self.method.network, self.settings.rate, self.tiny)

    def factor(self, step: int) -> float:
        return polynomial(step, self.settings.steps)

    def clip_norm(self) -> float | None:
        return TINY_CLIP_NORM if self.tiny else None

    def weights(self) -> dict[str, dict[str, Tensor]]:
        return {"videomt": self.method.network.state_dict()}


def consecutive(labelled: Sequence[int], length: int, rng: np.random.Generator) -> list[int]:
    """Draw the numbers of `length` labelled frames in a row; where there are fewer, the last one is repeated."""
    first = int(rng.integers(max(len(labelled) - length, 0) + 1))
    return [labelled[min(first + step, len(labelled) - 1)] for step in range(length)]


def augment(
    pictures: Sequence[Picture], resizing: Resizing, crop: tuple[int, int], rng: np.random.Generator
) -> list[Picture]:
    """Resize the pictures, crop them where larger, and flip them, all with the same draw; then pad them to the crop."""
    size = resizing.draw(pictures[0].size, rng)
    top, left = place(size, crop, rng)
    flip = rng.random() < 0.5
    cropped = [picture.resized(size).cropped(top, left, crop).padded(crop, PADDING) for picture in pictures]
    return [picture.flipped() for picture in cropped] if flip else cropped


def groups(network: VideomtForUniversalSegmentation, rate: float, tiny: bool) -> list[dict[str, Any]]:
    """Return AdamW's groups: the heads, and a transformer that starts later, its earlier blocks learning more slowly.

    tiny: everything at one rate, because there is no trained transformer to start from
    """
    depth = len(network.layers)
    learning = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    found: dict[tuple[float, tuple[int, int]], list[nn.Parameter]] = {}
    for name in learning:
        level = _level(name, depth)
        if tiny:
            key = rate, TINY_WARM_UP
        else:
            key = rate * LAYER_DECAY ** max(depth - level, 0), HEADS_WARM_UP if level > depth else VIT_WARM_UP
        found.setdefault(key, []).append(network.get_parameter(name))
    return [
        {"params": params, "lr": own, "weight_decay": WEIGHT_DECAY, "warm_up": warm_up}
        for (own, warm_up), params in found.items()
    ]


def _level(name: str, depth: int) -> int:
    """A parameter's level: 1 for embeddings and the first block, `depth` for the last block, one more for the heads."""
    if name.startswith("embeddings."):
        return 1
    if name.startswith("layers."):
        return int(name.split(".")[1]) + 1
    return depth if name.startswith("layernorm.") else depth + 1
