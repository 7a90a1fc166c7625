"""Many methods over many clips: the accuracy pass (here or in worker processes), the latency pass, the fold.

Each clip is one task and one record, so one process and eight give the same bytes.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from vssbench import environment
from vssbench.config import RunSpec
from vssbench.errors import UserError
from vssbench.fold import Measured, fold
from vssbench.load import Context, load_dataset
from vssbench.metrics.cost import cost
from vssbench.metrics.energy import energy
from vssbench.metrics.latency import device_barrier, measure, repeat
from vssbench.metrics.memory import device_peak
from vssbench.metrics.plan import plan
from vssbench.names import Spec
from vssbench.progress import Progress
from vssbench.result import ClipRecord, DatasetInfo, RunResult, count_kinds
from vssbench.runner import ahead, run_clip
from vssbench.store import MethodFolder, RunDirectory
from vssbench.types import Dataset, Frame, Method, Weights


@dataclass
class Bench:
    """A run spec made real in this process: the dataset, and one method at a time."""

    spec: RunSpec
    dataset: Dataset
    current: tuple[str, Method] | None = None

    @classmethod
    def open(cls, spec: RunSpec) -> Bench:
        environment.set_threads(spec.threads)
        return cls(spec, load_dataset(spec.dataset, spec.data_root, spec.split))

    def load(self, method: Spec) -> Method:
        """A fresh method, with the run's label space, device and checkpoints."""
        return Context(self.dataset.space.name, self.spec.device, self.spec.checkpoint).load(method)

    def run(self, name: str, method: Spec, clip: str, tick: Callable[[], None] = lambda: None) -> ClipRecord:
        """One clip under one method; the method is kept for the next clip."""
        if self.current is None or self.current[0] != name:
            self.current = (name, self.load(method))
        metrics = plan(self.spec.metrics, self.dataset.space)
        frames = _ticking(ahead(self.dataset.frames(clip)), tick)
        return run_clip(self.current[1], clip, frames, metrics, self.dataset.space.classes)


def execute(spec: RunSpec, methods: Sequence[Spec], folder: Path, resume: bool, progress: Progress) -> list[RunResult]:
    """Run every method, write every result, and return them in order.

    What is finished is on disk at once; with `resume` finished clips are not measured again.
    Raises UserError for anything the user can mend, after keeping all that was measured.
    """
    environment.check_device(spec.device)
    bench = Bench.open(spec)
    clips = list(islice(bench.dataset.clips(), spec.limit))
    if not clips:
        raise UserError(
            f"the split {spec.split!r} of {spec.dataset} has no clips", fix="vssbench doctor shows what is there"
        )
    lengths = {clip: len(bench.dataset.stems(clip)) for clip in clips}
    info = _describe(bench, clips, lengths)
    weights: dict[Spec, Weights] = {}
    for method in methods:  # before anything is written: a wrong name or file must leave nothing behind
        loaded = bench.load(method)
        _check_needs(loaded, bench.dataset)
        weights[method] = getattr(loaded, "weights", Weights())
    started = _now()
    with RunDirectory(folder, {"schema": 1, "spec": spec.model_dump(), "started": started}, resume) as run:
        folders = {
            method: run.method(str(method), _identity(spec, method, info, weights[method])) for method in methods
        }
        scored = [method for method in methods if weights[method].origin != "untrained" or spec.allow_untrained]
        tasks = [(method, clip) for method in scored for clip in clips if clip not in folders[method].records]
        progress.start(sum(lengths[clip] for _, clip in tasks))
        runner = _in_processes if spec.workers > 1 else _here
        for method, record in runner(bench, tasks, lengths, progress):
            folders[method].add(record)
        bench.current = None  # its memory is not needed beside that of all methods
        loaded = {method: bench.load(method) for method in methods}
        frames = list(islice(bench.dataset.frames(clips[0]), spec.latency.frames if spec.latency.enabled else 1))
        _time(bench, loaded, folders, frames, progress)
        results = []
        for method in methods:
            progress.show(str(method), "counting multiply-accumulates")
            done = {clip: record for clip, record in folders[method].records.items() if clip in lengths}
            records = [done[clip] for clip in clips] if method in scored else None
            measured = Measured(
                weights[method],
                records,
                folders[method].latency(),
                cost(loaded[method], count_kinds(records) if records else None, frames[0].image.shape[:2]),
            )
            result = fold(spec, method, bench.dataset.space, info, measured)
            result.environment = environment.describe(spec.device, spec.threads)
            result.started, result.finished = started, _now()
            folders[method].write("result.json", result.to_json())
            results.append(result)
    return results


Task = tuple[Spec, str]


def _here(
    bench: Bench, tasks: Sequence[Task], lengths: dict[str, int], progress: Progress
) -> Iterator[tuple[Spec, ClipRecord]]:
    for method, clip in tasks:
        progress.show(str(method), clip)
        yield method, bench.run(str(method), method, clip, progress.tick)


def _in_processes(
    bench: Bench, tasks: Sequence[Task], lengths: dict[str, int], progress: Progress
) -> Iterator[tuple[Spec, ClipRecord]]:
    """The same records from worker processes; a worker that dies loses its clip and nothing else."""
    pool = ProcessPoolExecutor(
        bench.spec.workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(bench.spec,)
    )
    waiting = iter(tasks)
    running: dict[Future[ClipRecord], Task] = {}
    try:
        while True:
            for method, clip in islice(waiting, 2 * bench.spec.workers - len(running)):
                running[pool.submit(_work, method, clip)] = (method, clip)
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                method, clip = running.pop(future)
                record = future.result()
                progress.show(str(method), clip)
                progress.tick(lengths[clip])
                yield method, record
    except BrokenProcessPool:
        raise UserError(
            "a worker process died (killed, or out of memory?)",
            where=", ".join(f"{method} on {clip}" for method, clip in running.values()) or None,
            fix="continue with --resume, perhaps with fewer --workers: every finished clip is kept",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_bench: Bench | None = None  # of this worker process


def _start_worker(spec: RunSpec) -> None:
    global _bench  # noqa: PLW0603  (an initializer has no other way to leave something for the tasks)
    _bench = Bench.open(spec)


def _work(method: Spec, clip: str) -> ClipRecord:
    assert _bench is not None
    return _bench.run(str(method), method, clip)


def _time(
    bench: Bench, loaded: dict[Spec, Method], folders: dict[Spec, MethodFolder], frames: list[Frame], progress: Progress
) -> None:
    """The latency pass over all methods together; measured anew unless every method has it."""
    latency = bench.spec.latency
    if not latency.enabled or all(folders[method].latency() for method in loaded):
        return
    progress.show("latency", f"{len(loaded)} methods, interleaved")
    device = bench.spec.device
    synchronise = device_barrier(device)
    timed = measure(list(loaded.values()), frames, latency, synchronise)
    for method, (samples, memory) in zip(loaded, timed, strict=True):
        record = {
            "clip": frames[0].clip, "frames": len(frames), "size": list(frames[0].image.shape[:2]),
            "samples_ms": samples,
            "memory_mb": memory | device_peak(repeat(loaded[method], frames, synchronise), device),
            "energy": energy(repeat(loaded[method], frames, synchronise), device),
        }  # fmt: skip
        folders[method].write_json("latency.json", record)


def _describe(bench: Bench, clips: Sequence[str], lengths: dict[str, int]) -> DatasetInfo:
    digest = hashlib.sha256()
    for clip in bench.dataset.clips():
        digest.update("\0".join([clip, *bench.dataset.stems(clip), "\n"]).encode())
    space = bench.dataset.space
    return DatasetInfo(
        spec=bench.spec.dataset,
        split=bench.spec.split,
        labels=space.name,
        classes=list(space.names),
        clips=len(clips),
        frames=sum(lengths.values()),
        labelled=0,
        fingerprint=digest.hexdigest(),
        names=list(clips),
    )


def _identity(spec: RunSpec, method: Spec, info: DatasetInfo, weights: Weights) -> dict[str, Any]:
    """What decides the numbers. Not in it: workers, threads, paths, the limit (more clips may follow), latency."""
    return {
        "method": str(method),
        "dataset": spec.dataset,
        "split": spec.split,
        "fingerprint": info.fingerprint,
        "metrics": spec.metrics,
        "weights": weights.sha256 or weights.origin,
        "device": spec.device.partition(":")[0],
    }


def _check_needs(method: Method, dataset: Dataset) -> None:
    offered = {"labels"} | set(getattr(dataset, "side", ()))
    missing = sorted(set(method.needs) - offered)
    if missing:
        raise UserError(f"{method.name} needs {', '.join(missing)}, which {dataset.name} does not give")
    if method.lookahead:
        raise UserError(
            f"{method.name} looks {method.lookahead} frames ahead",
            expected="a causal method: a run streams frames one by one",
        )


def _ticking(frames: Iterator[Frame], tick: Callable[[], None]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        tick()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
