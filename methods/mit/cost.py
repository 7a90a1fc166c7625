"""The work of one frame, for the counters."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from vssbench.methods.mit.steps import Size, upsample


class Costed(nn.Module):
    """One step and decode's upsampling; every result is returned, so that a tracing counter drops nothing."""

    def __init__(self, step: nn.Module, inner: Size, outer: Size, held: Any):
        """inner, outer: sizes of the network's input and of the frame; held: what the step takes besides the image."""
        super().__init__()
        self.step, self.sizes, self.shape = step, (inner, outer), tree_flatten(held)[1]

    def forward(self, image: Tensor, *held: Tensor) -> tuple[Tensor, ...]:
        """held: the tensors that earlier frames left, one after the other."""
        result = self.step(image, *([tree_unflatten(held, self.shape)] if held else ()))
        scores, *memory = tree_flatten(result)[0]
        return upsample(scores, *self.sizes), *(tensor for tensor in memory if tensor is not None)


def measured(
    step: nn.Module, image: Tensor, inner: Size, outer: Size, held: Any = ()
) -> tuple[Costed, tuple[Tensor, ...]]:
    """The step with its upsampling, and its inputs: image and held, one tensor after the other."""
    return Costed(step, inner, outer, held).eval(), (image, *tree_flatten(held)[0])


def size(*modules: nn.Module) -> int:
    """The number of parameters in all the modules."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
