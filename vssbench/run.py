"""A whole run: the accuracy pass, the latency pass, the cost, the fold; all on disk as soon as it is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from vssbench import environment
from vssbench.bench import Bench
from vssbench.config import RunSpec
from vssbench.datasets.compressed import CodecSpec
from vssbench.execute import clip_records
from vssbench.fold import Measured, fold
from vssbench.load import resolved
from vssbench.metrics.cost import cost
from vssbench.metrics.energy import energy
from vssbench.metrics.latency import device_barrier, measure, repeat
from vssbench.metrics.memory import device_peak
from vssbench.names import Spec
from vssbench.progress import Progress
from vssbench.result import RunResult, count_kinds
from vssbench.store import MethodFolder, RunDirectory
from vssbench.types import Frame, Method, Weights


def run(spec: RunSpec, methods: Sequence[Spec], folder: Path, resume: bool, progress: Progress) -> list[RunResult]:
    """Measure every method, write every result, and return them in order.

    What is finished is on disk at once; with `resume` finished clips are not measured again.
    Raises UserError for anything the user can mend, after keeping all that was measured.
    """
    environment.check_device(spec.device)
    bench = Bench(spec)
    info = bench.describe()
    # Before anything is written: a wrong name or file must leave nothing behind.
    weights: dict[Spec, Weights] = {}
    codecs: dict[Spec, CodecSpec | None] = {}
    for method in methods:
        opened = bench.load(method)
        weights[method], codecs[method] = getattr(opened, "weights", Weights()), bench.codec(opened)
    scored = [method for method in methods if weights[method].origin != "untrained" or spec.allow_untrained]
    started = _now()
    with RunDirectory(folder, {"schema": 1, "spec": spec.model_dump(), "started": started}, resume) as directory:
        folders = {
            method: directory.method(str(method), bench.identity(method, info, weights[method], codecs[method]))
            for method in methods
        }
        tasks = [(method, clip) for method in scored for clip in bench.lengths if clip not in folders[method].records]
        for method, record in clip_records(bench, tasks, progress):
            folders[method].add(record)
        loaded = {method: bench.load(method) for method in methods}
        first = next(iter(bench.lengths))
        count = spec.latency.frames if spec.latency.enabled else 1
        taken = {
            codec: list(islice(bench.source(loaded[method]).frames(first), count)) for method, codec in codecs.items()
        }
        frames = {method: taken[codec] for method, codec in codecs.items()}
        _time(spec, loaded, frames, folders, progress)
        results = []
        for method in methods:
            progress.show(str(method), "counting multiply-accumulates")
            kept = folders[method].records
            records = [kept[clip] for clip in bench.lengths] if method in scored else None
            counted = cost(loaded[method], count_kinds(records) if records else None, frames[method][0].image.shape[:2])
            measured = Measured(weights[method], codecs[method], records, folders[method].latency(), counted)
            result = fold(spec, method, bench.dataset.space, info, measured)
            result.resolved = str(resolved(loaded[method], method, info.labels))
            result.caveats += bench.caveats()
            result.environment = environment.describe(spec.device, spec.threads)
            result.started, result.finished = started, _now()
            folders[method].write("result.json", result.to_json())
            results.append(result)
    return results


def _time(
    spec: RunSpec,
    loaded: Mapping[Spec, Method],
    frames: Mapping[Spec, Sequence[Frame]],
    folders: Mapping[Spec, MethodFolder],
    progress: Progress,
) -> None:
    """The latency pass over all methods together; measured anew unless every method has it."""
    if not spec.latency.enabled or all(folders[method].latency() for method in loaded):
        return
    progress.show("latency", f"{len(loaded)} methods, interleaved")
    synchronise = device_barrier(spec.device)
    timed = measure([(loaded[method], frames[method]) for method in loaded], spec.latency, synchronise)
    for method, (samples, memory) in zip(loaded, timed, strict=True):
        again = repeat(loaded[method], frames[method], synchronise)
        record = {
            "clip": frames[method][0].clip,
            "frames": len(frames[method]),
            "size": list(frames[method][0].image.shape[:2]),
            "samples_ms": samples,
            "memory_mb": memory | device_peak(again, spec.device),
            "energy": energy(again, spec.device),
        }
        folders[method].write_json("latency.json", record)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
