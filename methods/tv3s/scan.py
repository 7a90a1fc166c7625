"""The selective scan of a state-space layer (Gu and Dao, Mamba, 2023, section 3): a recurrence along a sequence.

It is an operator of its own, `vssbench::selective_scan`, so that FLOP counters see it and a compiler leaves
its loop alone.

All sequences go through the loop side by side, a few tokens' decays at a time, so that what a step touches stays in the
cache. For the 18 windows of 480x864 (400 tokens, 512 channels, 16 states), it takes 70 ms on one thread of a CPU. One
window after the other takes 2.7 times that; the loop without in-place steps, 1.2 times. A GPU's kernels start chunks of
tokens all at once from zero, then correct them by the state before. Here that takes 2.8 times as long with 20 tokens
and 3.1 times with 8: it needs twice the exponentials, and the channels are parallel work enough for a CPU.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

TOGETHER = 4
"""Number of tokens whose decays are computed at a time."""


@torch.library.custom_op("vssbench::selective_scan", mutates_args=())
def selective_scan(
    u: Tensor, step: Tensor, rate: Tensor, to_state: Tensor, from_state: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute h = exp(step * rate) h + step * u * to_state;  y = from_state . h, token by token.

    u, step:              float[P, L, D] of P sequences of L tokens; step > 0
    rate:                 float[N, D], below 0
    to_state, from_state: float[P, L, N] (B and C in the paper)
    state:                float[P, N, D] before the first token (h)
    Returns y, float[P, L, D], and the state after the last token.
    """
    u, step, to_state, from_state = map(_time_first, (u, step, to_state, from_state))
    found = []
    for some in _spans(len(u)):
        states = _advance(u[some], step[some], rate, to_state[some], state)[1]
        found.append((from_state[some].unsqueeze(-2) @ states).squeeze(-2))
        state = states[-1]
    return torch.cat(found).transpose(0, 1).contiguous(), state.clone()


def _advance(u: Tensor, step: Tensor, rate: Tensor, to_state: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Return the state's factors at some tokens (first axis) and the states after each; both are float[L, P, N, D]."""
    kept = (step.unsqueeze(-2) * rate).exp_()
    states = (step * u).unsqueeze(-2) * to_state.unsqueeze(-1)
    for decay, current in zip(kept, states, strict=True):
        state = current.addcmul_(decay, state)
    return kept, states


def _spans(length: int) -> list[slice]:
    return [slice(first, first + TOGETHER) for first in range(0, length, TOGETHER)]


def _time_first(x: Tensor) -> Tensor:
    """float[P, L, ..] -> float[L, P, ..]."""
    return x.transpose(0, 1).contiguous()


@selective_scan.register_fake
def _shapes(u: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    return u.new_empty(u.shape), others[-1].new_empty(others[-1].shape)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, of_y: Tensor, of_state: Tensor) -> tuple[Tensor, ...]:
    """Run the recurrence backwards, some tokens at a time; their states are recomputed from those kept in between."""
    *_, rate, _, _, state = ctx.saved_tensors
    u, step, to_state, from_state = (_time_first(ctx.saved_tensors[place]) for place in (0, 1, 3, 4))
    of_y, spans, befores = _time_first(of_y), _spans(len(u)), []
    for some in spans:
        befores.append(state)
        state = _advance(u[some], step[some], rate, to_state[some], state)[1][-1].clone()
    of_rate, found = torch.zeros_like(rate), []
    for some, before in zip(reversed(spans), reversed(befores), strict=True):
        kept, states = _advance(u[some], step[some], rate, to_state[some], before)
        of_states = from_state[some].unsqueeze(-1) * of_y[some].unsqueeze(-2)
        for decay, current in zip(reversed(kept.unbind()), reversed(of_states.unbind()), strict=True):
            of_state = current.add_(of_state) * decay
        of_input = (to_state[some].unsqueeze(-2) @ of_states).squeeze(-2)
        of_exponent = torch.cat([before.unsqueeze(0), states[:-1]]).mul_(kept).mul_(of_states)
        of_rate += (of_exponent * step[some].unsqueeze(-2)).sum((0, 1))
        found.append(
            (
                of_input * step[some],
                (of_exponent * rate).sum(-2) + of_input * u[some],
                (of_states @ (step[some] * u[some]).unsqueeze(-1)).squeeze(-1),
                (states @ of_y[some].unsqueeze(-1)).squeeze(-1),
            )
        )
    of_u, of_step, of_to_state, of_from_state = (
        torch.cat(parts[::-1]).transpose(0, 1) for parts in zip(*found, strict=True)
    )
    return of_u, of_step, of_rate, of_to_state, of_from_state, of_state


selective_scan.register_autograd(_gradients, setup_context=_keep)


@register_flop_formula(torch.ops.vssbench.selective_scan)
def _flops(u: tuple[int, ...], step: tuple[int, ...], rate: tuple[int, ...], *_: Any, **__: Any) -> int:
    """Count for torch, from shapes, two per multiply-accumulate; `fvcore_rules.selective_scan` explains it."""
    return 2 * prod(u) * (4 * rate[0] + 1)
