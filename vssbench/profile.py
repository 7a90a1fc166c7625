"""The cost of methods at a frame size: computation, parameters, speed, memory, energy. Needs no data and no weights.

Frames are synthetic: textured scenes that move, so that content-dependent schedules see changes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from vssbench import hooks
from vssbench.bench.memory import memory_alone
from vssbench.bench.spec import LatencySpec
from vssbench.datasets.read_pixels import read_image
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError, counted
from vssbench.load import Context
from vssbench.metrics.cost.disturbance import disturbances
from vssbench.metrics.cost.energy import energy
from vssbench.metrics.cost.latency import Samples, device_barrier, measure, repeat, summarise
from vssbench.metrics.cost.memory import device_peak
from vssbench.metrics.cost.method_cost import cost
from vssbench.specs import parse
from vssbench.types import Frame, Method

FORMATS = {"jpeg": ".jpg", "png": ".png"}
MADE = {"labels", "motion", "flow", "flow_valid"}
"""The inputs besides the image that the synthetic frames carry."""
Note = Callable[[str], None]


def profile(
    methods: Mapping[str, Method],
    size: tuple[int, int],
    device: str = "cpu",
    latency: LatencySpec | None = None,
    note: Note = lambda text: None,
    alone: Context | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the profile of each method at frames of that size (height, width); all are timed together, in turns.

    latency: how to time; None: computation and parameters only
    note:    called with what is being done
    alone:   what the methods were built with, to measure the memory of each in its own process; None: in this process
    Amortised GFLOPs and FPS are over the method's nominal schedule. If the schedule depends on the video, there are no
    amortised GFLOPs, and FPS are over the frames themselves. What cannot be counted is missing, and "notes" say why;
    they also say if the machine was not quiet.
    Raises UserError for a method that needs inputs which synthetic frames lack, or that fails at that size.
    """
    profiles: dict[str, dict[str, Any]] = {}
    for name, method in methods.items():
        note(f"counting {name}")
        profiles[name] = {**cost(method, None, size), "weights": hooks.weights(method).origin}
    nothing = dict.fromkeys(("fps", "latency_ms", "file_decoding_ms", "memory_mb", "memory_measured", "energy"))
    timed: dict[str, dict[str, Any]] = {name: {**nothing, "notes": []} for name in methods}
    if latency is not None:
        note(f"making {counted(latency.frames, 'frame')} of {size[0]}x{size[1]}")
        frames = [frame.read_only() for frame in made_frames(list(methods.values()), size, latency.frames)]
        turns = ", which take turns" if len(methods) > 1 else ""
        note(f"timing {counted(len(methods), 'method')}{turns}")
        timed = _time(methods, frames, device, latency)
        if alone is not None:
            for name, one in timed.items():
                note(f"measuring the memory of {name} in a process of its own")
                one |= {"memory_mb": memory_alone(alone, parse(name), frames), "memory_measured": "alone"}
    return {
        name: {**profiles[name], **one, "notes": profiles[name]["notes"] + one["notes"]} for name, one in timed.items()
    }


def made_frames(methods: Sequence[Method], size: tuple[int, int], count: int) -> list[Frame]:
    """Return a clip of moving textured scenes, with the exact motion to the key frame if a method needs motion."""
    missing = sorted({need for method in methods for need in method.needs} - MADE)
    if missing:
        raise UserError(f"synthetic frames carry no {', '.join(missing)}", expected="methods that need no such input")
    gops = {hooks.gop(method) or 12 for method in methods if "motion" in method.needs}
    if len(gops) > 1:
        found = ", ".join(map(str, sorted(gops)))
        raise UserError(
            f"the methods have several gop ({found}), synthetic frames only one", fix="profile them one by one"
        )
    height, width = size
    scene = Synthetic(clips=1, frames=count, height=height, width=width, motion="fast")
    (clip,) = scene.clips()
    frames = list(scene.frames(clip))
    for gop in gops:
        for index, frame in enumerate(frames):
            if index % gop:
                motion, _ = scene.flow(clip, index, index - index % gop)
                frames[index] = replace(frame, side={**frame.side, "motion": motion})
    return frames


def file_decoding(frames: Sequence[Frame], repeats: int = 3) -> dict[str, dict[str, float]]:
    """Time reading a frame from a file, in ms: {"jpeg", "png"} -> {"mean", "p50", "p90", "p99", "n", "bytes"}.

    bytes: the mean size of the files; the synthetic frames contain noise, which compresses badly
    """
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, suffix in FORMATS.items():
            files = [Path(folder) / f"{frame.index}{suffix}" for frame in frames]
            for frame, file in zip(frames, files, strict=True):
                cv2.imwrite(str(file), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
            times = np.array([_milliseconds(read_image, file) for _ in range(repeats) for file in files])
            p50, p90, p99 = (float(value) for value in np.percentile(times, (50, 90, 99)))
            figures[name] = {
                "mean": float(times.mean()), "p50": p50, "p90": p90, "p99": p99, "n": len(times),
                "bytes": float(np.mean([file.stat().st_size for file in files])),
            }  # fmt: skip
    return figures


def _milliseconds(function: Callable[[Path], object], file: Path) -> float:
    start = perf_counter()
    function(file)
    return (perf_counter() - start) * 1e3


def _time(
    methods: Mapping[str, Method], frames: Sequence[Frame], device: str, latency: LatencySpec
) -> dict[str, dict[str, Any]]:
    synchronise = device_barrier(device)
    measured = measure([(method, frames) for method in methods.values()], **latency.schedule, synchronise=synchronise)
    reading = file_decoding(frames[:4])
    timed = {}
    for (name, method), (samples, memory, _) in zip(methods.items(), measured, strict=True):
        run = repeat(method, frames, synchronise)
        timed[name] = {
            **_speed(method, samples, reading),
            "file_decoding_ms": reading,
            "memory_mb": memory | device_peak(run, device),
            "memory_measured": "together",
            "energy": energy(run, device),
        }
    return timed


def _speed(method: Method, samples: Samples, reading: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """FPS by scope (the widest includes reading the frame's file), latency by kind and scope, and machine noise."""
    own = all(hooks.runs_inner(layer) != "key" for layer in hooks.layers(method))  # else a wrapper's frames are nonkey
    schedule = hooks.nominal_schedule(method, own and "nonkey" in samples["kind"])
    summary = summarise(samples, schedule)
    whole = 1e3 / summary["fps"]["end_to_end"]
    files = {f"end_to_end+{name}": 1e3 / (whole + figures["mean"]) for name, figures in reading.items()}
    return {
        "fps": summary["fps"] | files,
        "latency_ms": summary["latency_ms"],
        "notes": disturbances(samples, schedule),
    }
