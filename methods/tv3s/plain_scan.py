"""The selective scan by plain tensor operators, without a loop over tokens, for runtimes that lack its operator."""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor


def plain_scan(
    u: Tensor, step: Tensor, rate: Tensor, to_state: Tensor, from_state: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute `vssbench.methods.tv3s.scan.selective_scan`; results differ by rounding.

    A sequence is cut into runs of about as many tokens as there are runs. All runs go side by side, starting from zero.
    Then each run's true start follows from the run before, and its share of y is added. So a graph has twice the square
    root of L steps instead of L, at the cost of twice the exponentials.
    """
    length = u.shape[1]
    runs = next(count for count in range(isqrt(length), 0, -1) if length % count == 0)
    # float[P, R, 1, 1, D] or [P, R, 1, N, 1]: one token of every run; its axis stays, so nothing is reshaped.
    tokens = [
        x.unflatten(1, (runs, -1)).unsqueeze(axis).split(1, 2)
        for x, axis in ((u, 3), (step, 3), (to_state, 4), (from_state, 3))
    ]
    held, ahead = torch.zeros_like(state)[:, None, None], torch.zeros_like(step[:, :1, None, None])
    alone, passed = [], []
    for now, one, entry, view in zip(*tokens, strict=True):
        held = (one * rate).exp() * held + (one * now) * entry
        ahead = ahead + one
        alone.append(view @ held)
        passed.append(ahead)
    kept, state, starts = (ahead * rate).exp(), state[:, None, None], []
    for decay, added in zip(kept.split(1, 1), held.split(1, 1), strict=True):
        starts.append(state)
        state = decay * state + added
    start = torch.cat(starts, 1)
    y = [
        found + view @ ((ahead * rate).exp() * start)
        for found, ahead, view in zip(alone, passed, tokens[3], strict=True)
    ]
    return torch.cat(y, 2).flatten(1, 3), state.flatten(0, 2)
