"""What MRCFA computes for one frame, for the counters, and how many parameters that takes."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from vssbench.methods.mrcfa.network import MRCFA, Memory
from vssbench.methods.mrcfa.steps import Cached, Recompute, Single, Size, upsample

REFERENCES = 3


class Costed(nn.Module):
    """One step and the upsampling of decode, every result returned, so that a tracing counter drops nothing."""

    def __init__(self, step: nn.Module, inner: Size, outer: Size):
        super().__init__()
        self.step, self.sizes = step, (inner, outer)

    def forward(self, image: Tensor, *references: Tensor) -> tuple[Tensor, ...]:
        """references: for `Cached`, the three scales' keys and the values, each float[1, R, n, C]."""
        held = (Memory(references[:3], references[3]),) if references else ()
        result = self.step(image, *held)
        scores, memory = result if isinstance(result, tuple) else (result, None)
        return (upsample(scores, *self.sizes), *((*memory.keys, memory.values) if memory else ()))


def measured(
    step: Single | Cached | Recompute, inner: Size, outer: Size, device: torch.device
) -> tuple[Costed, tuple[Tensor, ...]]:
    """The step with its upsampling, and inputs of the right shapes; inner, outer: sizes of the input and the frame."""
    image = torch.zeros(1, 3, *inner, device=device)
    inputs: tuple[Tensor, ...]
    if isinstance(step, Recompute):
        inputs = (image.repeat(REFERENCES + 1, 1, 1, 1),)
    elif isinstance(step, Cached):
        stride = prod(step.network.backbone.config.strides)
        cells = (inner[0] // stride) * (inner[1] // stride)
        widths = [len(key.weight) for key in (*step.network.keys, step.network.values)]
        inputs = (image, *(torch.zeros(1, REFERENCES, cells, width, device=device) for width in widths))
    else:
        inputs = (image,)
    return Costed(step, inner, outer).eval(), inputs


def parameters(network: MRCFA, single: bool) -> dict[str, int]:
    """{"all": n, "without_training_only": n}; single: of the per-frame path alone."""
    if single:
        return {"all": sum(map(_size, (network.backbone, network.decoder, network.classify_single)))}
    total = _size(network)
    return {"all": total, "without_training_only": total - _size(network.classify_reference)}


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
