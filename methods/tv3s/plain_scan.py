"""The selective scan by plain tensor operators and no loop over tokens, for runtimes that lack that operator."""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor


def plain_scan(
    u: Tensor, step: Tensor, rate: Tensor, to_state: Tensor, from_state: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """As `vssbench.methods.tv3s.scan.selective_scan`; results differ by rounding.

    A sequence is cut into runs of about as many tokens as there are runs. All of them start side by side, from zero;
    then each one's true start follows from the one before, and what it still adds to y is added. So a graph has twice
    the square root of L steps and not L, at twice the exponentials.
    """
    length = u.shape[1]
    runs = next(count for count in range(isqrt(length), 0, -1) if length % count == 0)
    tokens = [
        [part.squeeze(2) for part in x.unflatten(1, (runs, length // runs)).split(1, 2)]
        for x in (u, step, to_state, from_state)
    ]
    held, ahead = (
        torch.zeros_like(state).unsqueeze(1),
        torch.zeros_like(step[:, :1]),
    )  # float[P, R, N, D]; float[P, R, D]
    alone, passed = [], []
    for now, one, into, out in zip(*tokens, strict=True):
        kept = (one.unsqueeze(2) * rate).exp()
        held = kept * held + (one * now).unsqueeze(2) * into.unsqueeze(3)
        ahead = ahead + one
        alone.append(out.unsqueeze(2) @ held)
        passed.append(ahead)
    kept = (ahead.unsqueeze(2) * rate).exp()
    starts = []
    for decay, added in zip(kept.unbind(1), held.unbind(1), strict=True):
        starts.append(state)
        state = decay * state + added
    start = torch.stack(starts, 1)
    y = [
        found + out.unsqueeze(2) @ ((ahead.unsqueeze(2) * rate).exp() * start)
        for found, ahead, out in zip(alone, passed, tokens[3], strict=True)
    ]
    return torch.cat(y, 2).flatten(1, 2), state
