"""The graph of VidEoMT: one for every frame; a count tells it whether there was an earlier one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import VideomtForUniversalSegmentation

from vssbench.deploy.graphs import Graph, GraphInput, Graphs
from vssbench.deploy.model_file import FromOutput, FromPicture, FromSegments, Picture
from vssbench.methods.mask2former.network import Geometry
from vssbench.methods.videomt.network import answer, positions, queries


def graphs(
    network: VideomtForUniversalSegmentation, averaged: bool, pictures: Mapping[str, Picture], geometry: Geometry
) -> Graphs:
    """Return `frame`. averaged: classes=running; pictures: `image`, of the padded size"""
    config = network.config
    left = {"queries": torch.zeros(1, config.num_queries, config.hidden_size), "frames": torch.zeros(1)}
    if averaged:
        left["sums"] = torch.zeros(config.num_queries, config.num_labels + 1)
    inputs = {"image": GraphInput(FromPicture(picture="image"), torch.zeros(1, 3, *geometry.padded))}
    for name, example in left.items():
        inputs[f"{name}_before"] = GraphInput(FromOutput(output=name, of=1, start="zeros"), example)
    module = OneFrame(network, averaged, positions(network, geometry.padded))
    decode = FromSegments(order="late", **geometry._asdict())
    return Graphs(pictures, {"frame": Graph("key", module, inputs, ("classes", "masks", *left))}, decode)


class OneFrame(nn.Module):
    """A frame after others, or the first of a clip."""

    table: Tensor

    def __init__(self, network: VideomtForUniversalSegmentation, averaged: bool, table: Tensor):
        """table: see `vssbench.methods.videomt.network.positions`"""
        super().__init__()
        self.network, self.averaged = network, averaged
        self.register_buffer("table", table.detach())

    def forward(self, image: Tensor, state: Tensor, frames: Tensor, sums: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return class and mask logits, and what the next frame takes.

        state:  float[1, Q, D], the query tokens of the frame before
        frames: float[1], the number of frames before; without averaging, only zero or not matters
        sums:   float[Q, C + 1], the sum of those frames' class logits, for averaging
        """
        # The first frame has only the learned queries: nothing is added to them.
        asked = queries(self.network, None) + frames.clamp(max=1) * self.network.query_updater(state)
        found = answer(self.network, image, self.table, asked)
        if sums is None:
            return found.classes, found.masks, found.state, torch.ones_like(frames)
        sums, frames = sums + found.classes, frames + 1
        return sums / frames, found.masks, found.state, frames, sums
