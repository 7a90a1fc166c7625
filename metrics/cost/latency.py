"""Latency of the three phases by frame kind, on frames in memory: batch 1, warm-up, methods interleaved.

A round is one pass of one method over the same frames; the methods take turns, so that a drifting machine affects all
alike. A clock is read only after the device has finished. FPS is reported for step, step + decode and end to end
(prepare + step + decode; reading files is not in it), so that any published convention can be matched and named.
FPS and latency use wall time. For comparing runs, each sample has its own time next to it (`metrics.clock`), and a
reference workload is timed between the passes, outside every sample.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, starmap
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import blaming
from vssbench.hooks import compiles
from vssbench.metrics.cost import clock
from vssbench.metrics.cost.memory import HostPeak
from vssbench.types import KINDS, PHASES, Frame, Method

SCOPES: dict[str, tuple[str, ...]] = {
    "step": ("step",),
    "step+decode": ("step", "decode"),
    "end_to_end": ("prepare", "step", "decode"),
}
OWN = {phase: f"{phase}_own" for phase in PHASES}
"""Phase -> the column of its own times (see `metrics.clock`)."""
REFERENCES = 5
"""Number of runs of the reference workload between two passes."""
Samples = dict[str, list[Any]]
Pass = list[tuple[str, tuple[clock.Spent, ...]]]
"""(kind, times of prepare, step, decode) of each frame."""


class Timed(NamedTuple):
    """What the latency pass measured for one method.

    samples:      "round", "kind", "prepare", "step", "decode", "prepare_own", ..: columns of equal length, milliseconds
    memory_mb:    "host_peak", "host_working", with every method loaded
    reference_ms: own times of the reference workload before and after each round; empty without one
    """

    samples: Samples
    memory_mb: dict[str, float | None]
    reference_ms: list[list[float]]


def measure(
    methods: Sequence[tuple[Method, Sequence[Frame]]],
    warmup: int,
    rounds: int,
    seconds: float,
    synchronise: Callable[[], None] = lambda: None,
    advance: Callable[[], None] = lambda: None,
    reference: Callable[[], None] | None = None,
) -> list[Timed]:
    """Measure each method; returns its raw samples and host memory.

    methods:     each with its frames: one clip, already decoded, in order
    warmup:      frames that each method runs before the first timed round
    rounds:      timed passes of each method over its frames, at most
    seconds:     time limit per method; at least one round is always timed
    synchronise: waits for the device
    advance:     called after every round of a method
    reference:   the reference workload; it is timed between the passes
    """
    for method, frames in methods:
        _pass(method, frames if compiles(method) else frames[:warmup], synchronise)
    passes: list[list[Pass]] = [[] for _ in methods]
    memory = [HostPeak() for _ in methods]
    references: list[list[list[float]]] = [[] for _ in methods]
    spent = [0.0] * len(methods)
    _time_reference(reference, synchronise)
    before = _time_reference(reference, synchronise)
    for _ in range(rounds):
        for index, (method, frames) in enumerate(methods):
            done = len(passes[index])
            if done and spent[index] + spent[index] / done > seconds:
                continue
            with memory[index].watching():
                start = perf_counter()
                passes[index].append(_pass(method, frames, synchronise))
                spent[index] += perf_counter() - start
            after = _time_reference(reference, synchronise)
            if reference:
                references[index].append(before + after)
            before = after
            advance()
    watched = (one.mb for one in memory)
    return [Timed(*one) for one in zip(map(_columns, passes), watched, references, strict=True)]


def summarise(samples: Samples, kinds: Mapping[str, int | None] | None = None) -> dict[str, Any]:
    """Compute FPS and latency figures from raw samples.

    kinds: how often each frame kind ran in the accuracy pass; FPS is amortised over that schedule (over the timed
           frames themselves where it is None, or where a kind of the schedule was never timed)
    Returns {"fps": {scope: frames per second}, "latency_ms": {kind or "all": {scope: {"mean", "p50", ..., "n"}}}}.
    """
    kind_of = np.array(samples["kind"])
    times = {scope: milliseconds(samples, scope) for scope in SCOPES}
    latency: dict[str, Any] = {
        kind: {scope: _figures(values[kind_of == kind]) for scope, values in times.items()}
        for kind in KINDS
        if (kind_of == kind).any()
    }
    share_of = shares(samples["kind"], kinds)
    fps = {scope: 1e3 / sum(part * latency[kind][scope]["mean"] for kind, part in share_of.items()) for scope in SCOPES}
    latency["all"] = {scope: _figures(values) for scope, values in times.items()}
    return {"fps": fps, "latency_ms": {kind: latency.get(kind) for kind in (*KINDS, "all")}}


def milliseconds(samples: Mapping[str, Sequence[Any]], scope: str) -> NDArray[np.float64]:
    """Return float64[N]: the milliseconds that each timed frame took."""
    return np.sum([samples[phase] for phase in SCOPES[scope]], axis=0, dtype=np.float64)


def shares(timed: Sequence[str], kinds: Mapping[str, int | None] | None) -> dict[str, float]:
    """Return frame kind -> its share of the schedule; the shares add up to 1.

    timed: the kind of each timed frame
    kinds: as `summarise` takes it
    """
    ran = {kind: count for kind, count in (kinds or {}).items() if count}
    if not ran or not set(ran) <= set(timed):
        ran = Counter(timed)
    return {kind: count / sum(ran.values()) for kind, count in ran.items()}


def device_barrier(device: str) -> Callable[[], None]:
    """Return a function that waits until the device has finished its work."""
    if not device.startswith("cuda"):
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)


def repeat(method: Method, frames: Sequence[Frame], synchronise: Callable[[], None]) -> Callable[[], int]:
    """Return a function that runs the method over the clip again, waits for the device and returns the frame count."""
    return lambda: len(_pass(method, frames, synchronise))


def _figures(values: np.ndarray) -> dict[str, float]:
    p50, p90, p99 = (float(value) for value in np.percentile(values, (50, 90, 99)))
    return {"mean": statistics.fmean(values.tolist()), "p50": p50, "p90": p90, "p99": p99, "n": len(values)}


def _columns(passes: Sequence[Pass]) -> Samples:
    """Return the samples of all rounds."""
    samples: Samples = {
        "round": [number for number, one in enumerate(passes) for _ in one],
        "kind": [kind for one in passes for kind, _ in one],
    }
    for index, phase in enumerate(PHASES):
        spent = [[times[index] for _, times in one] for one in passes]
        own = zip(*(clock.own(repetitions) for repetitions in zip(*spent, strict=True)), strict=True)
        samples[phase] = [time.wall * 1e3 for one in spent for time in one]
        samples[OWN[phase]] = [seconds * 1e3 for one in own for seconds in one]
    return samples


def _time_reference(reference: Callable[[], None] | None, synchronise: Callable[[], None]) -> list[float]:
    """Return own times of some runs of the reference workload, in milliseconds."""
    runs: list[clock.Spent] = []
    while reference and len(runs) < REFERENCES:
        before = clock.read()
        reference()
        synchronise()
        runs.append(clock.between(before, clock.read()))
    return [seconds * 1e3 for seconds in clock.own(runs)]


def _pass(method: Method, frames: Sequence[Frame], synchronise: Callable[[], None]) -> Pass:
    """Run one pass over the frames. Raises UserError where the method fails."""
    readings: list[tuple[str, tuple[clock.Reading, ...]]] = []
    height, width = frames[0].image.shape[:2] if frames else (0, 0)
    with blaming(method.name, f"latency pass at {height}x{width}"):
        method.reset()
        synchronise()
        for frame in frames:
            begun = clock.read()
            x = method.prepare(frame)
            synchronise()
            prepared = clock.read()
            y = method.step(x)
            synchronise()
            stepped = clock.read()
            prediction = method.decode(y)
            synchronise()
            readings.append((prediction.kind, (begun, prepared, stepped, clock.read())))
    return [(kind, tuple(starmap(clock.between, pairwise(read)))) for kind, read in readings]
