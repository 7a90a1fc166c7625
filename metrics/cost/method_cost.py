"""GFLOPs and parameters of a method as a result carries them; torch is imported only for a method with a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vssbench.hooks import layers
from vssbench.metrics.cost.parameters import parameters
from vssbench.types import Method


def cost(method: Method, kinds: Mapping[str, int | None] | None, size: tuple[int, int]) -> dict[str, Any]:
    """{"gflops": the record of `metrics.flops`, "params_m", "params_training_only_m"}, None where there is no network.

    kinds: how often each frame kind ran; None for the method's nominal schedule
    size:  (height, width) of the frames
    """
    record = None
    if any(hasattr(layer, "cost_module") for layer in layers(method)):
        from vssbench.metrics.cost.flops import gflops

        record = gflops(method, kinds, size)
    counted = parameters(method)
    return {
        "gflops": record,
        "params_m": counted and counted.params_m,
        "params_training_only_m": counted and counted.training_only_m,
    }
