"""The graphs of TDNet: one for each sub-network's turn, and one for each warm-up frame of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graph, GraphInput, Graphs, variant
from vssbench.deploy.model_file import FromOutput, FromPicture, FromScores, Picture, Upsample, When
from vssbench.methods.tdnet.network import Memory, SubNetwork, TDNet
from vssbench.networks.upsampling import Size, Step


def graphs(network: TDNet, subsampling: int, picture: Picture, inner: Size, steps: Sequence[Step]) -> Graphs:
    """Return `warmup0` .. for while the queue is not full, then `turn0` .. in turn.

    picture: how a frame becomes an image of `inner` (h, w); steps: from the scores to the frame
    """
    image, count = torch.zeros(1, 3, *inner), len(network.paths)
    paths = [variant(path) for path in network.order(count - 1)]
    with torch.no_grad():
        scores, memory = paths[0](image, (), subsampling)
    for path in paths:
        path.norm.resize((scores.shape[-2], scores.shape[-1]))
    # The oldest frame passes on its values, each later one what its own queries found: the oldest's query is unused.
    past = {
        f"{name}_{ago}": GraphInput(FromOutput(output=name, of=ago), left)
        for ago in range(count - 1, 0, -1)
        for name, left in memory._asdict().items()
        if name != "query" or ago < count - 1
    }
    seen = {"image": GraphInput(FromPicture(picture="image"), image)}
    names = tuple(name for name in memory._fields if name != "query" or count > 2)
    outputs = ("scores", *names)
    turns = [Turn(path, subsampling, names) for path in paths]
    every = {f"warmup{t}": Graph("warmup", one, seen, outputs, When(frames=(t, t))) for t, one in enumerate(turns[:-1])}
    every |= {f"turn{t}": Graph("key", one, seen | past, outputs, When(turn=(count, t))) for t, one in enumerate(turns)}
    return Graphs({"image": picture}, every, FromScores(steps=tuple(Upsample(**step._asdict()) for step in steps)))


class Turn(nn.Module):
    """One frame by one sub-network, alone or with the memories of the frames before it."""

    def __init__(self, path: SubNetwork, subsampling: int, left: Sequence[str]):
        """left: the parts of its memory that later frames read"""
        super().__init__()
        self.path, self.subsampling, self.left = path, subsampling, left

    def forward(self, image: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """past: key and value of the oldest frame, then query, key and value of each later one."""
        held = [Memory(past[0], *past[:2])] if past else []  # nothing reads the oldest's query
        held += [Memory(*past[start : start + 3]) for start in range(2, len(past), 3)]
        scores, memory = self.path(image, held, self.subsampling)
        return scores, *(getattr(memory, name) for name in self.left)
