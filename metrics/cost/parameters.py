"""Parameters of a method's networks, as they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vssbench.hooks import layers
from vssbench.types import Method


class Parameters(NamedTuple):
    """Millions of parameters; buffers (running statistics, index tables) are none.

    params_m:        of what inference uses, as papers print it; a tensor that is shared counts once
    training_only_m: apart, those that only a training loss reads, where the method says so
    """

    params_m: float
    training_only_m: float = 0.0


def parameters(method: Method) -> Parameters | None:
    """Counts of a method, or of the one inside a wrapper; None where there is no network.

    A method offers `network`, a torch module, or `parameter_counts()`: {"all": n} and, where they differ,
    {"without_training_only": n}.
    """
    for layer in layers(method):
        counts: Mapping[str, int] | None = None
        if hasattr(layer, "parameter_counts"):
            counts = layer.parameter_counts()
        elif hasattr(layer, "network"):
            counts = {"all": sum(tensor.numel() for tensor in layer.network.parameters())}
        if counts is not None:
            used = counts.get("without_training_only", counts["all"])
            return Parameters(used / 1e6, (counts["all"] - used) / 1e6)
    return None
