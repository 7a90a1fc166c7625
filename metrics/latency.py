"""Latency of the three phases by frame kind, on frames in memory: batch 1, warm-up, methods interleaved.

A round is one pass of one method over the same frames; the methods take turns, so that a machine that drifts hits all
alike. A clock is read only after the device has finished. FPS is reported for step, step + decode and end to end
(prepare + step + decode; reading files is not in it), so that any published convention can be matched and named.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from vssbench.config import LatencySpec
from vssbench.runner import PHASES
from vssbench.types import KINDS, Frame, Method

SCOPES: dict[str, tuple[str, ...]] = {
    "step": ("step",),
    "step+decode": ("step", "decode"),
    "end_to_end": ("prepare", "step", "decode"),
}
Samples = dict[str, list[Any]]


def measure(
    methods: Sequence[tuple[Method, Sequence[Frame]]],
    spec: LatencySpec,
    synchronise: Callable[[], None] = lambda: None,
    advance: Callable[[], None] = lambda: None,
) -> list[tuple[Samples, dict[str, float | None]]]:
    """Raw samples and host memory of each method.

    methods:     each with its frames: one clip, already decoded, in order
    synchronise: waits for the device
    advance:     called after every round of a method
    Returns for each method ({"round", "kind", "prepare", "step", "decode"}: columns of equal length, times in
    milliseconds, and memory in MB).
    """
    for method, frames in methods:
        _pass(method, frames[: spec.warmup], synchronise)
    samples: list[Samples] = [{name: [] for name in ("round", "kind", *PHASES)} for _ in methods]
    memory: list[dict[str, float | None]] = [{"host_peak": None, "host_working": None} for _ in methods]
    spent = [0.0] * len(methods)
    for number in range(spec.rounds):
        for index, (method, frames) in enumerate(methods):
            if number and spent[index] + spent[index] / number > spec.seconds:
                continue
            before = _reset_peak_memory()
            start = perf_counter()
            for kind, times in _pass(method, frames, synchronise):
                samples[index]["round"].append(number)
                samples[index]["kind"].append(kind)
                for phase, seconds in zip(PHASES, times, strict=True):
                    samples[index][phase].append(seconds * 1e3)
            spent[index] += perf_counter() - start
            _note_memory(memory[index], before)
            advance()
    return list(zip(samples, memory, strict=True))


def summarise(samples: Samples, kinds: Mapping[str, int | None] | None = None) -> dict[str, Any]:
    """FPS and latency figures of raw samples.

    kinds: how often each frame kind ran in the accuracy pass; FPS is amortised over that schedule (over the timed
           frames themselves where it is None, or where a kind of the schedule was never timed)
    Returns {"fps": {scope: frames a second}, "latency_ms": {kind or "all": {scope: {"mean", "p50", ..., "n"}}}}.
    """
    kind_of = np.array(samples["kind"])
    times = {scope: np.sum([samples[phase] for phase in phases], axis=0) for scope, phases in SCOPES.items()}
    present: list[str] = [kind for kind in KINDS if (kind_of == kind).any()]
    shares = {kind: float((kind_of == kind).mean()) for kind in present}
    ran = {kind: count for kind, count in (kinds or {}).items() if count}
    if ran and set(ran) <= set(present):
        shares = {kind: count / sum(ran.values()) for kind, count in ran.items()}
    latency: dict[str, Any] = {
        kind: {scope: _figures(values[kind_of == kind]) for scope, values in times.items()} for kind in present
    }
    fps = {scope: 1e3 / sum(share * latency[kind][scope]["mean"] for kind, share in shares.items()) for scope in SCOPES}
    latency["all"] = {scope: _figures(values) for scope, values in times.items()}
    return {"fps": fps, "latency_ms": {kind: latency.get(kind) for kind in (*KINDS, "all")}}


def device_barrier(device: str) -> Callable[[], None]:
    """What waits until the device has finished its work."""
    if not device.startswith("cuda"):
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)


def repeat(method: Method, frames: Sequence[Frame], synchronise: Callable[[], None]) -> Callable[[], int]:
    """What runs the method over the clip once more, waits for the device and returns how many frames there were."""
    return lambda: len(_pass(method, frames, synchronise))


def _figures(values: np.ndarray) -> dict[str, float]:
    p50, p90, p99 = (float(value) for value in np.percentile(values, (50, 90, 99)))
    return {"mean": statistics.fmean(values.tolist()), "p50": p50, "p90": p90, "p99": p99, "n": len(values)}


def _pass(
    method: Method, frames: Sequence[Frame], synchronise: Callable[[], None]
) -> list[tuple[str, tuple[float, ...]]]:
    """One pass over the frames: (kind, seconds of prepare, step, decode) of each."""
    timings: list[tuple[str, tuple[float, ...]]] = []
    method.reset()
    synchronise()
    for frame in frames:
        start = perf_counter()
        x = method.prepare(frame)
        synchronise()
        prepared = perf_counter()
        y = method.step(x)
        synchronise()
        stepped = perf_counter()
        prediction = method.decode(y)
        synchronise()
        timings.append((prediction.kind, (prepared - start, stepped - prepared, perf_counter() - stepped)))
    return timings


def _reset_peak_memory() -> float | None:
    """Resident MB now, with the process's peak counter set back to it; None where the system offers neither."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_mb("VmRSS")
    except OSError:
        return None


def _note_memory(memory: dict[str, float | None], before: float | None) -> None:
    """host_peak: the process's peak with every method of the run loaded; host_working: what this method added to it."""
    if before is None:
        return
    peak = _status_mb("VmHWM")
    memory["host_peak"] = max(peak, memory["host_peak"] or 0.0)
    memory["host_working"] = max(peak - before, memory["host_working"] or 0.0)


def _status_mb(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {key} in /proc/self/status")
