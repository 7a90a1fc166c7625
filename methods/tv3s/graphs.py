"""The graph of TV3S as a stream: one for every frame; states are zero before a clip's first."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from vssbench.deploy.graphs import Graph, GraphInput, Graphs
from vssbench.deploy.model_file import FromOutput
from vssbench.methods.mit.graphs import IMAGE, around, leaves, named
from vssbench.methods.mit.references import network_size
from vssbench.methods.mit.steps import Size
from vssbench.methods.tv3s.network import TV3S, Stream


def stream_graphs(network: TV3S, size: Size, box: Size | None) -> Graphs:
    """Return `frame`. size: of the frames; box: what they are fitted into."""
    image = torch.zeros(1, 3, *network_size(*size, box))
    states = network.blank(image)
    inputs, outputs = {"image": GraphInput(IMAGE, image)}, []
    for name, example in named("state", states).items():
        inputs[f"{name}_before"] = GraphInput(FromOutput(output=name, of=1, start="zeros"), example)
        outputs.append(name)
    step = WithStates(Stream(network.exportable()), tree_flatten(states)[1])
    return around({"frame": Graph("key", step, inputs, ("scores", *outputs))}, size, box)


class WithStates(nn.Module):
    """A frame with the states from earlier frames, one tensor after the other."""

    def __init__(self, stream: Stream, shape: Any):
        """shape: of the states, as a tree of tensors"""
        super().__init__()
        self.stream, self.shape = stream, shape

    def forward(self, image: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """float[1, 3, H, W] and states -> class scores, and the states after the frame."""
        return leaves(self.stream(image, tree_unflatten(states, self.shape)))
