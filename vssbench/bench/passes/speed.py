"""The speed pass: all methods timed together, then the memory of each one alone."""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.bench.memory import memory_alone
from vssbench.bench.method_run import Loaded
from vssbench.bench.pool import alone
from vssbench.bench.session import Bench
from vssbench.bench.spec import RunSpec
from vssbench.errors import UserError, counted
from vssbench.metrics.cost.energy import energy
from vssbench.metrics.cost.latency import device_barrier, measure, repeat
from vssbench.metrics.cost.memory import device_peak
from vssbench.metrics.cost.reference_workload import reference_workload
from vssbench.progress import Progress


def without_failing(spec: RunSpec, loaded: Sequence[Loaded]) -> list[Loaded]:
    """Return the methods that run over the frames for timing; if methods may be skipped, any other is `broken`.

    A method whose accuracy is not measured runs here for the first time.
    """
    if spec.on_error != "skip-method" or not spec.latency.enabled or all(run.timed() for run, *_ in loaded):
        return list(loaded)
    synchronise = device_barrier(spec.device)
    for run, method, frames, _ in loaded:
        try:
            repeat(method, frames, synchronise)()
        except UserError as error:
            run.broken = error.brief
    return [one for one in loaded if one.run.broken is None]


def measure_latency(spec: RunSpec, loaded: Sequence[Loaded], progress: Progress) -> None:
    """Time all methods together, unless every one of them has its timings already."""
    if not spec.latency.enabled or all(run.timed() for run, *_ in loaded):
        return
    progress.show("latency", counted(len(loaded), "method") + (", interleaved" if len(loaded) > 1 else ""))
    synchronise = device_barrier(spec.device)
    with alone(spec):
        timed = measure(
            [(method, frames) for _, method, frames, _ in loaded],
            **spec.latency.schedule,
            synchronise=synchronise,
            reference=reference_workload(spec.device),
        )
        for (run, method, frames, motion_ms), (samples, memory, references) in zip(loaded, timed, strict=True):
            again = repeat(method, frames, synchronise)
            record = {
                "conditions": run.speed_conditions,
                "clip": frames[0].clip,
                "frames": len(frames),
                "size": list(frames[0].image.shape[:2]),
                "samples_ms": samples,
                "reference_ms": references,
                "motion_ms": motion_ms if "motion" in method.needs else [],
                "memory_mb": memory | device_peak(again, spec.device),
                "memory_measured": "together",
                "energy": energy(again, spec.device),
            }
            run.folder.write_json("latency.json", record)


def measure_memory(bench: Bench, loaded: Sequence[Loaded], progress: Progress) -> None:
    """Measure the memory of each method alone, which replaces what was measured with all methods loaded."""
    if bench.spec.memory != "alone" or not bench.spec.latency.enabled:
        return
    for run, _, frames, _ in loaded:
        record = run.timed()
        assert record is not None  # see measure_latency
        if record.get("memory_measured") != "alone":
            progress.show(str(run.spec), "memory, in a process of its own")
            with alone(bench.spec):
                found = memory_alone(bench.context, run.spec, frames)
            run.folder.write_json("latency.json", {**record, "memory_mb": found, "memory_measured": "alone"})
