"""GFLOPs and parameters of a method as a result carries them; torch is imported only for a method with a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vssbench import hooks
from vssbench.errors import cause
from vssbench.metrics.cost.input_size import input_size
from vssbench.metrics.cost.parameters import Parameters, parameters
from vssbench.types import Method


def cost(
    method: Method, kinds: Mapping[str, int | None] | None, size: tuple[int, int], lengths: Sequence[int] = ()
) -> dict[str, Any]:
    """Return {"gflops": record of `metrics.cost.gflops`, "params_m", "params_training_only_m", "input_size", "notes"}.

    kinds:   how often each frame kind ran; None for the method's nominal schedule
    size:    (height, width) of the frames
    lengths: number of frames of each clip in which those kinds ran
    notes:   why something is missing, a sentence each; a hook that raises, or cannot be used, loses only its own part
    """
    notes = [fault.sentence for fault in hooks.faults(method)]
    record, counted = None, None
    ways = [hooks.usable(layer, way) for layer in hooks.layers(method) for way in ("cost_module", "work")]
    can_count = any(way is not None for way in ways)
    if can_count:
        from vssbench.metrics.cost.gflops import gflops

        record = gflops(method, kinds, size, lengths, notes.append)
    try:
        counted = parameters(method)
    except (Exception, SystemExit) as error:
        notes.append(f"no parameters: counting them raised {cause(error)}")
    else:
        notes += _not_offered(can_count, counted)
    return {
        "gflops": record,
        "params_m": counted and counted.params_m,
        "params_training_only_m": counted and counted.training_only_m,
        "input_size": input_size(method, size),
        "notes": notes,
    }


def _not_offered(can_count: bool, counted: Parameters | None) -> list[str]:
    """Return why there is nothing to count, in one sentence."""
    if can_count and counted is not None:
        return []
    if not can_count and counted is None:
        return ["no GFLOPs, no parameters: the method offers no network (cost_module, network) to count"]
    if can_count:
        return ["no parameters: the method offers neither network nor parameter_counts"]
    return ["no GFLOPs: the method offers no cost_module to count"]
