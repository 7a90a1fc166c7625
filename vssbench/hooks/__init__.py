"""The optional parts ("hooks") of methods and datasets: one protocol each, and the only room that looks them up.

A method without hooks can be run and scored. With them it also has GFLOPs, parameters and weights, and wrappers and
training can do more with it. None counts as not offered. A hook that is offered but cannot be used is a `HookFault`:
`faults` lists them, for a result and for `vssbench.testing`; code that only describes a method ignores such hooks.
"""

from vssbench.hooks.check import REQUIRED, faults, lacking
from vssbench.hooks.dataset import frame, labelled, side, video
from vssbench.hooks.lookup import DATASET, METHOD, Hook, HookFault, offered, usable
from vssbench.hooks.method import (
    chosen,
    compiles,
    gop,
    inner,
    key_frames,
    key_interval,
    layers,
    named_by,
    nominal_schedule,
    runs_inner,
    weights,
)
from vssbench.hooks.protocols import (
    HasClasses,
    HasClipFiles,
    HasCost,
    HasDigests,
    HasFrame,
    HasGop,
    HasLabelled,
    HasNetwork,
    HasNumerics,
    HasOutsideTorch,
    HasParameterCounts,
    HasRuntime,
    HasSchedule,
    HasScores,
    HasSide,
    HasSplit,
    HasVideo,
    HasWeights,
    HasWork,
    Plans,
    RunsInner,
    Work,
    Wraps,
)

__all__ = [
    "DATASET", "METHOD", "REQUIRED", "HasClasses", "HasClipFiles", "HasCost", "HasDigests", "HasFrame", "HasGop",
    "HasLabelled", "HasNetwork", "HasNumerics", "HasOutsideTorch", "HasParameterCounts", "HasRuntime",
    "HasSchedule", "HasScores", "HasSide", "HasSplit", "HasVideo", "HasWeights", "HasWork", "Hook", "HookFault",
    "Plans", "RunsInner", "Work", "Wraps", "chosen", "compiles", "faults", "frame", "gop", "inner", "key_frames",
    "key_interval", "labelled", "lacking", "layers", "named_by", "nominal_schedule", "offered", "runs_inner",
    "side", "usable", "video", "weights",
]  # fmt: skip
