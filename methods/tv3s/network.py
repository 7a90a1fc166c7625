"""TV3S's network: state-space blocks along windows through time, over a MiT and an MLP decoder on each frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.deploy.graphs import variant
from vssbench.methods.mit.network import SIZES, ClipNetwork, Features, MitConfig, resize
from vssbench.methods.tv3s.pieces import Pieces, pieces
from vssbench.methods.tv3s.plain_scan import plain_scan
from vssbench.methods.tv3s.scan import selective_scan

Backbone = Literal["tiny", "mit_b1", "mit_b2", "mit_b5"]
CONVOLVED = 4
"""Number of tokens that the causal convolution sees."""
DROPPED = 0.1
"""Stochastic depth's rate at the last block."""


@dataclass(frozen=True)
class Config(MitConfig):
    """window: cells per side, even; blocks; states, step_rank: of a Mamba layer, whose channels are twice `embed`."""

    window: int = 20
    blocks: int = 8
    states: int = 16
    step_rank: int = 16


CONFIGS: dict[Backbone, Config] = {
    "tiny": Config(**SIZES["tiny"], window=8, blocks=4, states=4, step_rank=4),
    "mit_b1": Config(**SIZES["mit_b1"]),
    "mit_b2": Config(**SIZES["mit_b2"]),
    "mit_b5": Config(**SIZES["mit_b5"]),
}


class State(NamedTuple):
    """What a sequence's next tokens need from those before.

    scan:      float[P, N, D] of P sequences
    convolved: float[P, D, 3], the convolution's last inputs, oldest first
    """

    scan: Tensor
    convolved: Tensor


States = tuple[tuple[State, ...], ...]
"""One state per block and group of pieces."""


class Mixer(nn.Module):
    """A Mamba layer (Gu and Dao, 2023, section 3.4).

    plain: scan with operators that every runtime has
    """

    plain = False

    def __init__(self, width: int, states: int, rank: int):
        super().__init__()
        inner = 2 * width
        self.split = (rank, states, states)
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, CONVOLVED, groups=inner)
        self.x_proj = nn.Linear(inner, sum(self.split), bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.empty(inner, states))
        self.D = nn.Parameter(torch.empty(inner))
        self.out_proj = nn.Linear(inner, width, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw as Mamba does: rates 1 to N, steps of 0.001 to 0.1 (log-uniform); linear layers draw by themselves."""
        inner, states = self.A_log.shape
        steps = torch.exp(torch.rand(inner) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        with torch.no_grad():
            self.A_log.copy_(torch.arange(1, states + 1).log().expand(inner, states))
            self.D.fill_(1)
            self.dt_proj.weight.uniform_(-(self.split[0] ** -0.5), self.split[0] ** -0.5)
            self.dt_proj.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # the inverse of softplus

    def blank(self, sequences: int) -> State:
        """The state before the first token."""
        inner, states = self.A_log.shape
        return State(self.D.new_zeros(sequences, states, inner), self.D.new_zeros(sequences, inner, CONVOLVED - 1))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """float[P, L, C] -> the same, and the state after the last token. The recurrence is in float32 or wider."""
        u, gate = self.in_proj(x).chunk(2, -1)
        seen = torch.cat([state.convolved, u.transpose(1, 2)], -1)
        u = F.silu(self.conv1d(seen)).transpose(1, 2)
        step, to_state, from_state = self.x_proj(u).split(self.split, -1)
        step = F.softplus(self.dt_proj(step))
        u, step, to_state, from_state = (t.to(self.D.dtype) for t in (u, step, to_state, from_state))
        scan = plain_scan if self.plain else selective_scan
        y, scanned = scan(u, step, -self.A_log.T.exp(), to_state, from_state, state.scan)
        out: Tensor = self.out_proj((y + self.D * u) * F.silu(gate))
        return out, State(scanned, seen[..., 1 - CONVOLVED :])


class Block(nn.Module):
    """A norm and a Mamba layer, along each piece of the map by itself."""

    def __init__(self, width: int, states: int, rank: int):
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.mixer = Mixer(width, states, rank)

    def blank(self, cut: Pieces, batch: int) -> tuple[State, ...]:
        """The states before the first frame."""
        return tuple(self.mixer.blank(batch * count) for count, _ in cut.groups)

    def forward(self, x: Tensor, cut: Pieces, states: tuple[State, ...]) -> tuple[Tensor, tuple[State, ...]]:
        """float[B, T, H * W, C] -> the same, and the states after the last frame.

        A piece is a sequence through time: its cells in the first frame, row by row, then those in the next.
        """
        batch, frames = x.shape[:2]
        parts = self.norm(x)[:, :, cut.order].split([count * cells for count, cells in cut.groups], 2)
        found, after = [], []
        for part, (count, cells), state in zip(parts, cut.groups, states, strict=True):
            sequences = part.unflatten(2, (count, cells)).transpose(1, 2).flatten(2, 3).flatten(0, 1)
            mixed, state = self.mixer(sequences, state)
            found.append(mixed.view(batch, count, frames, cells, -1).transpose(1, 2).flatten(2, 3))
            after.append(state)
        return torch.cat(found, 2)[:, :, cut.inverse], tuple(after)


class TV3S(ClipNetwork):
    """The whole network. Inputs are normalised images; a frame's memory is its map on the grid of windows."""

    blocks: Any  # an nn.ModuleList of Blocks

    def __init__(self, config: Config, classes: int):
        super().__init__(config, classes)
        self.window, width = config.window, config.embed
        self.blocks = nn.ModuleList(Block(width, config.states, config.step_rank) for _ in range(config.blocks))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.classify = nn.Conv2d(width, classes, 1)
        self.unused = nn.Conv2d(128, classes, 1)  # in every official checkpoint, but nothing reads it

    def exportable(self) -> TV3S:
        network = variant(self)
        for block in network.blocks:
            block.mixer.plain = True
        return network

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """The size of the map for an image: that of c2, each side rounded up to whole windows."""
        stride = math.prod(self.backbone.config.strides[:2]) * self.window
        return -(-height // stride) * self.window, -(-width // stride) * self.window

    def memory(self, features: Features) -> Tensor:
        """float[B, embed, H, W]: the fused map stretched to the grid, not padded."""
        size = (-(-side // self.window) * self.window for side in features.maps[1].shape[-2:])
        return resize(features.fused, tuple(size))

    def held(self, image: Tensor, references: int) -> Tensor:
        size = self.grid(*image.shape[-2:])
        return image.new_zeros(len(image), references, self.classify.in_channels, *size)

    def blank(self, image: Tensor) -> States:
        """The states before the first frame, for images like this one, float[B, 3, H, W]."""
        cuts = self._cuts(*self.grid(*image.shape[-2:]), image.device)
        return tuple(block.blank(cut, len(image)) for block, cut in zip(self.blocks, cuts, strict=True))

    def forward(self, target: Features, references: Tensor) -> Tensor:
        """Return class scores of the target, float[B, classes, H/4, W/4]; states are zero at the oldest reference.

        references: float[B, R, embed, H, W], oldest first
        """
        frames = torch.cat([references, self.memory(target).unsqueeze(1)], 1)
        return self.scored(frames, None, target)[0]

    def scored(self, frames: Tensor, states: States | None, target: Features) -> tuple[Tensor, States]:
        """Return the last frame's scores, as `forward` does, and the states after it.

        frames: float[B, T, embed, H, W] on the grid; target: the last frame's features; states: None for zero
        """
        height, width = (int(side) for side in frames.shape[-2:])  # int: traced sizes are not integers
        cuts = self._cuts(height, width, frames.device)
        if states is None:
            states = tuple(block.blank(cut, len(frames)) for block, cut in zip(self.blocks, cuts, strict=True))
        x = frames.flatten(3).transpose(2, 3)
        total, after = torch.zeros_like(x), []
        for i, (block, cut, state) in enumerate(zip(self.blocks, cuts, states, strict=True)):
            total = total + self._dropped(x, cut, i)
            x, state = block(total, cut, state)
            after.append(state)
        x = self.norm((total + self._dropped(x, None, len(self.blocks)))[:, -1])
        scores = self.classify(self.dropout(x.transpose(1, 2).unflatten(2, (height, width))))
        return resize(scores, target.fused.shape[-2:]), tuple(after)

    def _cuts(self, height: int, width: int, device: torch.device) -> list[Pieces]:
        """The pieces of each block: every second block's windows are shifted."""
        return [pieces(height, width, self.window, i % 2 == 1, device) for i in range(len(self.blocks))]

    def _dropped(self, x: Tensor, cut: Pieces | None, before: int) -> Tensor:
        """Drop, in training, pieces of x before a block (or the last norm): stochastic depth, piece by piece.

        The rate grows from 0 before the second block to `DROPPED` at the end.
        """
        rate = DROPPED * max(0, before - 1) / max(1, len(self.blocks) - 1)
        if not self.training or rate == 0:
            return x
        counts = [(1, x.shape[2])] if cut is None else cut.groups
        kept = [
            x.new_empty(len(x), count).bernoulli_(1 - rate).repeat_interleave(cells, 1) / (1 - rate)
            for count, cells in counts
        ]
        mask = torch.cat(kept, 1)
        return x * (mask if cut is None else mask[:, cut.inverse])[:, None, :, None]


class Stream(nn.Module):
    """A frame with the states that all earlier frames left."""

    def __init__(self, network: TV3S):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, states: States) -> tuple[Tensor, States]:
        """float[B, 3, H, W] -> class scores float[B, C, H/4, W/4] and the states after the frame."""
        features = self.network.features(image)
        return self.network.scored(self.network.memory(features).unsqueeze(1), states, features)
