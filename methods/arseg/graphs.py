"""The graphs of AR-Seg: the HR branch for a key frame, the LR branch and CReFF for a frame between."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graph, GraphInput, Graphs
from vssbench.deploy.model_file import (
    FromOutput,
    FromPicture,
    FromScores,
    FromSide,
    Normalise,
    Picture,
    Unless,
    Upsample,
    When,
)
from vssbench.methods.arseg.layers import Branch
from vssbench.methods.arseg.network import FusedFrame, WholeFrame
from vssbench.methods.arseg.tiled_attention import tiled_attention
from vssbench.methods.arseg.warp import Form, plain_warp
from vssbench.networks.upsampling import Size


def graphs(hr: Branch, lr: Branch, warp: Form, pictures: Mapping[str, Picture], size: Size, gop: int) -> Graphs:
    """Return two graphs: `key` outputs its feature, which `nonkey` warps by the motion. Training heads are left out.

    pictures: `image` for key frames and `small` for the others; gop: the interval requested from the encoder
    """
    seen = {name: GraphInput(FromPicture(picture=name), _example(picture, size)) for name, picture in pictures.items()}
    feature = torch.zeros(1, hr.channels, *hr.grid(size))
    between = {
        "small": seen["small"],
        "feature_before": GraphInput(FromOutput(output="feature", of="key"), feature),
        "motion": GraphInput(FromSide(side="motion"), torch.zeros(1, 2, *size)),
    }
    whole, fused = WholeFrame(hr, auxiliary=False), FusedFrame(lr, warp, plain_warp, tiled_attention)
    every = {
        "key": Graph("key", whole, {"image": seen["image"]}, ("scores", "feature"), When(key=True)),
        "nonkey": Graph("nonkey", Scores(fused), between, ("scores",)),
    }
    return Graphs(pictures, every, finished(hr, size, size), Unless(unless="motion", gop=gop))


def finished(branch: Branch, scaled: Size, size: Size) -> FromScores:
    """Describe how labels for a frame of `size` are made from the scores of an image of size `scaled`."""
    steps = tuple(Upsample(**step._asdict()) for step in branch.steps(branch.grid(scaled), size))
    return FromScores(steps=steps, log_softmax=branch.log_softmax)


class Scores(nn.Module):
    """A frame's scores alone."""

    def __init__(self, frame: WholeFrame | FusedFrame):
        super().__init__()
        self.frame = frame

    def forward(self, *inputs: Tensor) -> tuple[Tensor]:
        return (self.frame(*inputs)[0],)


def _example(picture: Picture, size: Size) -> Tensor:
    for one in picture:
        size = size if isinstance(one, Normalise) else one.size
    return torch.zeros(1, 3, *size)
