"""Parameters of a method's networks, as they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vssbench.hooks import layers, usable
from vssbench.types import Method


class Parameters(NamedTuple):
    """Millions of parameters; buffers (running statistics, index tables) do not count.

    params_m:        those that inference uses, as papers print it; a shared tensor counts once
    training_only_m: those that only a training loss reads, where the method says so; not in params_m
    """

    params_m: float
    training_only_m: float = 0.0


def parameters(method: Method) -> Parameters | None:
    """Count a method and those inside it (`hooks.HasNetwork`, `HasParameterCounts`); None without a network.

    Raises whatever those hooks raise.
    """
    used = trained = 0
    seen: set[int] = set()
    found = False
    for layer in reversed([*layers(method)]):
        counts, network = usable(layer, "parameter_counts"), usable(layer, "network")
        new = {} if network is None else {id(tensor): tensor.numel() for tensor in network.parameters()}
        said: Mapping[str, int] | None = None
        if counts is not None:
            said = counts()
        elif network is not None:
            said = {"all": sum(size for key, size in new.items() if key not in seen)}
        if said is not None:
            without = said.get("without_training_only", said["all"])
            used, trained, found = used + without, trained + said["all"] - without, True
        seen |= new.keys()
    return Parameters(used / 1e6, trained / 1e6) if found else None
