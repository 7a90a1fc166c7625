"""The graphs of a method that sees each frame with three earlier ones: one for a frame alone, one with references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import keystr, tree_flatten, tree_flatten_with_path, tree_map, tree_unflatten

from vssbench.deploy.graphs import Graph, GraphInput, Graphs
from vssbench.deploy.model_file import (
    FromOutput,
    FromPicture,
    FromScores,
    Normalise,
    Operation,
    Resize,
    Upsample,
    When,
)
from vssbench.errors import UserError
from vssbench.methods.mit.network import ClipNetwork
from vssbench.methods.mit.references import FIRST_REGULAR, fitted, network_size, reference_frames
from vssbench.methods.mit.steps import Cached, Single, Size, stack
from vssbench.networks.sizes import MEAN, STD

IMAGE = FromPicture(picture="image")


def graphs(network: ClipNetwork, references: str | None, size: Size, box: Size | None) -> Graphs:
    """Return `single` for the first three frames of a clip and `regular` after them; without references, only `frame`.

    `regular` is one file both for the six frames with the official table's references and for all later frames.

    size: of the frames; box: what they are fitted into; references: as in `ClipMethod.open`
    Raises UserError for references=recompute, which would pass on pictures instead of memories.
    """
    if references == "recompute":
        raise UserError(
            "frames that recompute their references are not exported",
            where="references=recompute",
            fix="references=cached, which has the same outputs",
        )
    network, image = network.exportable(), torch.zeros(1, 3, *network_size(*size, box))
    seen = {"image": GraphInput(IMAGE, image)}
    single = Leaves(Single(network, remember=references == "cached"))
    if references is None:
        return around({"frame": Graph("key", single, seen, ("scores",))}, size, box)
    memory = tree_map(lambda held: held[:, 0], network.held(image, 1))
    left, shape = named("memory", memory), tree_flatten(memory)[1]
    table = [reference_frames(t) for t in range(FIRST_REGULAR + 1)]
    first = next(t for t, frames in enumerate(table) if frames)
    for place, frame in enumerate(table[-1]):
        ago = FIRST_REGULAR - frame
        early = {t: t - table[t][place] for t in range(first, FIRST_REGULAR)}
        for name, example in left.items():
            seen[f"{name}_{ago}"] = GraphInput(FromOutput(output=name, of=ago, early=early), example)
    regular, outputs = WithReferences(Cached(network), shape, len(table[-1])), ("scores", *left)
    every = {
        "single": Graph("warmup", single, {"image": seen["image"]}, outputs, When(frames=(0, first - 1))),
        "early": Graph("warmup", regular, seen, outputs, When(frames=(first, FIRST_REGULAR - 1))),
        "regular": Graph("key", regular, seen, outputs),
    }
    return around(every, size, box)


def around(every: Mapping[str, Graph], size: Size, box: Size | None) -> Graphs:
    """Return the graphs with what they share: how a frame goes in, and how labels come out."""
    steps = (Upsample(size=one, kept=one) for one in (network_size(*size, box), size))
    return Graphs({"image": tuple(_picture(size, box))}, every, FromScores(steps=tuple(steps)))


def _picture(size: Size, box: Size | None) -> Iterator[Operation]:
    """Yield the operations of `align`, then the normalisation."""
    now = size
    for target in (fitted(*size, box), network_size(*size, box)):
        if target != now:
            yield Resize(size=target, by="opencv")
        now = target
    yield Normalise(mean=MEAN, std=STD)


class Leaves(nn.Module):
    """A step's results, one tensor after the other."""

    def __init__(self, step: nn.Module):
        super().__init__()
        self.step = step

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """float[1, 3, H, W] -> class scores, and what the frame leaves."""
        return leaves(self.step(image))


class WithReferences(nn.Module):
    """A step on memories that come one tensor after the other, those of the oldest reference first."""

    def __init__(self, step: nn.Module, shape: Any, references: int):
        """shape: of one memory, as a tree of tensors"""
        super().__init__()
        self.step, self.shape, self.references = step, shape, references

    def forward(self, image: Tensor, *held: Tensor) -> tuple[Tensor, ...]:
        """float[1, 3, H, W] and memories -> class scores, and the frame's own memory."""
        each = len(held) // self.references
        parts = (held[start : start + each] for start in range(0, len(held), each))
        return leaves(self.step(image, stack([tree_unflatten(part, self.shape) for part in parts])))


def leaves(results: Any) -> tuple[Tensor, ...]:
    """The tensors of a tree, in order."""
    return tuple(tensor for tensor in tree_flatten(results)[0] if tensor is not None)


def named(name: str, tree: Any) -> dict[str, Tensor]:
    """The tensors of a tree, each named by `name` and its place in the tree."""
    return {re.sub(r"\W+", "_", f"{name}{keystr(path)}").rstrip("_"): x for path, x in tree_flatten_with_path(tree)[0]}
