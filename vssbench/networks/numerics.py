"""How every adapter runs its network: in which number format, compiled or not.

The default is float32 as published. Everything else is an option of the method (`mpvss(dtype=bf16)`), so that it is
part of its name, and a run states what it changes (`vssbench.bench.approximation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from vssbench.environment import check_device

Dtype = Literal["float32", "bf16", "fp16"]
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_HALF = (torch.bfloat16, torch.float16)
F = TypeVar("F", bound=Callable[..., Any])


class Numerics:
    """Device, dtype and compilation of one method's networks.

    dtype:   of convolutions and matrix products; weights and sensitive operators stay float32 (torch.autocast)
    compile: with torch.compile, on the first step of each kind of frame; this needs a C++ compiler and a minute
    Raises UserError for a device that is not there.
    """

    def __init__(self, device: str, dtype: Dtype = "float32", compile: bool = False):
        check_device(device)
        self.device, self.dtype, self.compile = torch.device(device), dtype, compile

    def place(self, network: nn.Module) -> nn.Module:
        """Move the network to the device, for inference; on a CPU channels last, where convolutions are faster."""
        network.to(self.device).eval()
        if self.device.type == "cpu":
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's own types
        return network

    def compiled(self, function: F) -> F:
        """Return the function or module, compiled if asked for; the original is unchanged and can still be counted."""
        return torch.compile(function) if self.compile else function  # type: ignore[return-value]


@contextmanager
def attention(config: Any, kind: Literal["eager", "sdpa"]) -> Iterator[None]:
    """Set how transformers' modules with this configuration compute attention in this context.

    eager: products and a softmax, which FLOP counters know;  sdpa: one fused operator, faster by a tenth of a frame
    """
    before, config._attn_implementation = config._attn_implementation, kind
    try:
        yield
    finally:
        config._attn_implementation = before


def running(step: F) -> F:
    """Wrap `step` of an adapter with `numerics`: it runs in inference mode and in its dtype, and returns float32."""

    @wraps(step)
    def run(self: Any, x: Any) -> Any:
        numerics: Numerics = self.numerics
        narrow = numerics.dtype != "float32"
        cast = torch.autocast(numerics.device.type, _DTYPES[numerics.dtype]) if narrow else nullcontext()
        with torch.inference_mode(), cast:
            y = step(self, x)
            return tree_map_only(Tensor, _wide, y) if narrow else y

    return run  # type: ignore[return-value]


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in _HALF else tensor
