"""Run every method on every dataset: the accuracy pass, the latency pass, the cost, the fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from vssbench import environment
from vssbench.bench import approximation, repeatability
from vssbench.bench.identity import identity, outside, speed_conditions
from vssbench.bench.memory import memory_alone
from vssbench.bench.pool import alone, clip_records
from vssbench.bench.runtime import recorded, runtime
from vssbench.bench.session import Bench, Failed, Ran, Streamed, Task
from vssbench.bench.spec import RunSpec
from vssbench.bench.streaming import latencies
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.datasets.prediction_files import surplus
from vssbench.errors import UserError, listed
from vssbench.files.input_files import expanded
from vssbench.hooks import weights
from vssbench.load import innermost, resolved
from vssbench.metrics.accuracy.protocols import default_protocol
from vssbench.metrics.cost.energy import energy
from vssbench.metrics.cost.latency import device_barrier, measure, repeat
from vssbench.metrics.cost.memory import device_peak
from vssbench.metrics.cost.method_cost import cost
from vssbench.metrics.cost.reference_workload import reference_workload
from vssbench.progress import Progress
from vssbench.results.fold import Measured, fold
from vssbench.results.kept_frames import FrameFolder
from vssbench.results.record import (
    SCHEMA,
    ClipRecord,
    DatasetInfo,
    RunResult,
    WeightsInfo,
    count_kinds,
    files_digest,
)
from vssbench.results.run_folder import MethodFolder, RunDirectory
from vssbench.results.signature import lines
from vssbench.results.streaming import Camera, StreamRecord, Take
from vssbench.specs import Spec, parse
from vssbench.types import Frame, Method, Weights

NAMED = 5
"""How many of the clips to be measured again are named."""
COMPARED = 24
"""Frames on which a method is compared with itself: run twice, and as published."""


class Measurement:
    """One dataset under all methods: constructed, then `open`ed in the run directory, then `run`.

    Nothing is written before `open`.
    """

    def __init__(self, spec: RunSpec, methods: Sequence[Spec]):
        """Raises UserError for a dataset or a method that is missing or does not fit."""
        latencies.check(spec, methods)
        self.spec, self.asked = spec, methods
        self.broken: dict[Spec, str] = {}
        self.bench = Bench(spec)
        self.environment = environment.describe(spec.device, spec.threads)
        self.info = self.bench.describe()
        self.weights: dict[Spec, Weights] = {}
        self.codecs: dict[Spec, CodecSpec | None] = {}
        for method in methods:
            try:
                self._load(method)
            except UserError as error:
                if spec.on_error != "skip-method":
                    raise
                self.broken[method] = error.brief
        self._drop_broken()
        self.motion_ms: dict[CodecSpec | None, list[float]] = {}
        self.failed: dict[tuple[str, Spec], str] = {}
        self.left_out: dict[str, str] = {}
        self.cameras: dict[Spec, list[Camera]] = {}
        self.folders: dict[Spec, MethodFolder] = {}
        self.frames: dict[Spec, FrameFolder] = {}

    def _load(self, method: Spec) -> None:
        """Check that a method can be built and that its frames can be read."""
        opened = self.bench.load(method)
        self.weights[method] = weights(opened)
        self.codecs[method] = self.bench.codec(opened)
        if isinstance(source := self.bench.source(opened), Compressed):
            source.check()

    def _drop_broken(self) -> None:
        """Continue with the methods that did not fail; raises UserError where all of them did."""
        self.methods = [method for method in self.asked if method not in self.broken]
        if not self.methods:
            method, reason = next(iter(self.broken.items()))
            raise UserError(f"every method failed, {method} for one: {reason}")

    def open(self, directory: RunDirectory, named: bool) -> None:
        """Open a folder for each method. named: whether its name includes the dataset.

        Raises UserError where a folder holds results that were measured under other conditions.
        """
        for method in self.asked:
            rests_on = identity(self.spec, method, self.weights.get(method, Weights()), self.codecs.get(method))
            name = f"{method} on {self.spec.dataset}" if named else str(method)
            self.folders[method] = directory.method(name, rests_on)
            self.frames[method] = FrameFolder(self.folders[method].folder, self.spec.keep_frames)
            if method not in self.broken:
                self._set_changed_aside(method)

    def _set_changed_aside(self, method: Spec) -> None:
        """Set aside the records of clips whose files have changed since they were measured."""
        folder = self.folders[method]
        if not folder.records:
            return
        loaded = self.bench.load(method)
        changed = [
            clip
            for clip, record in folder.records.items()
            if clip in self.bench.lengths and record.files != self.bench.files(loaded, clip)
        ]
        if changed:
            folder.set_aside(changed)
            folder.changed.append(f"files of clip {listed(changed, NAMED)}")

    def frames_left(self) -> int:
        """Return how many frames the accuracy pass and the streams still have to run, as far as is known yet."""
        rates = len(self.spec.stream.fps) if self.spec.stream else 0
        streamed = rates * sum(map(self._scored, self.methods)) * sum(self.bench.lengths.values())
        return sum(self.bench.lengths[task.clip] for task in self._tasks()) + streamed

    def run(self, started: str, progress: Progress) -> Iterator[RunResult]:
        """Measure what is not yet on disk, and yield each method's result as soon as it is written.

        started: when the run began, ISO 8601
        """
        for task, outcome in clip_records(self.bench, self._tasks(), progress):
            if isinstance(outcome, Failed):
                if self.spec.on_error == "skip-method":
                    self.broken.setdefault(task.method, outcome.reason)
                else:
                    self.failed[outcome.clip, task.method] = outcome.reason
                continue
            assert isinstance(outcome, Ran)
            if outcome.kept is not None:  # first: a clip without a record is run again
                self.frames[task.method].add(outcome.kept)
            self.folders[task.method].add(outcome.record)
        self._drop_broken()
        self.left_out = self._failing()
        self.info = self._with_files(self.bench.without(self.info, self.left_out))
        loaded = {method: self.bench.load(method) for method in self.methods}
        plain = {method: approximation.published(method, loaded[method]) for method in self.methods}
        frames = self._frames(loaded)
        self._time(loaded, frames, progress)
        self._remember(frames, progress)
        self._stream(loaded, progress)
        for method in self.asked:
            if method in self.broken:
                result = self._without_figures(method)
            else:
                progress.show(str(method), "counting multiply-accumulates")
                result = self._whole(method, loaded[method], plain[method], frames[method], progress)
            result.started, result.finished = started, datetime.now(UTC).isoformat(timespec="seconds")
            self.folders[method].write("result.json", result.to_json())
            yield result

    def _whole(
        self, method: Spec, loaded: Method, plain: Spec, frames: Sequence[Frame], progress: Progress
    ) -> RunResult:
        """Return the result of one method, including what its options change.

        plain:  the method without such options
        frames: of one clip
        """
        height, width = frames[0].image.shape[:2]
        result = self._fold(method, loaded, (height, width))
        if self._scored(method) and (unsteady := repeatability.caveat(loaded, frames[:COMPARED])):
            result.caveats.append(unsteady)
        if plain != method and self._scored(method):
            progress.show(str(method), f"comparing with {plain}")
            result.caveats.append(self._difference(plain, loaded, frames))
        return result

    def _without_figures(self, method: Spec) -> RunResult:
        """Return the result of a method that failed."""
        found = self.weights.get(method, Weights())
        return RunResult(
            method=str(method),
            dataset=self.info,
            protocol=self.spec.protocol or default_protocol(innermost(parse(self.spec.dataset)).name),
            weights=WeightsInfo(origin=found.origin, path=found.path, sha256=found.sha256),
            failure=self.broken[method],
            environment=dict(self.environment),
        )

    def _with_files(self, info: DatasetInfo) -> DatasetInfo:
        """Return the same info with the digest of the files; raises UserError where they changed during the run."""
        known = [
            [self.folders[method].records[clip] for clip in info.names]
            for method in self.methods
            if self._scored(method)
        ]
        for first, *others in zip(*known, strict=True):
            if any(_clip_files(other) != _clip_files(first) for other in others):
                raise UserError(
                    "its files changed while the run was going on",
                    where=f"clip {first.clip!r}",
                    expected="the same frames and labels for every method",
                    fix="the same command with --resume: clips with other files are measured again",
                )
        return info.model_copy(update={"files": files_digest(known[0]) if known else None})

    def _failing(self) -> dict[str, str]:
        """Return clip -> why it failed, under the first method for which it did."""
        return self.bench.unreadable | {
            clip: self.failed[clip, method]
            for clip in self.bench.lengths
            for method in reversed(self.methods)
            if (clip, method) in self.failed
        }

    def _scored(self, method: Spec) -> bool:
        """Return whether accuracy is measured at all."""
        return self.weights[method].origin != "untrained" or self.spec.allow_untrained

    def _tasks(self) -> list[Task]:
        return [
            Task(method, clip)
            for method in self.methods
            if self._scored(method)
            for clip in self.bench.lengths
            if clip not in self.folders[method].records
        ]

    def _frames(self, loaded: Mapping[Spec, Method]) -> dict[Spec, list[Frame]]:
        """Read frames of the first clip, for timing and for comparisons; methods with the same codec share them."""
        clip = self.info.names[0]
        count = self.spec.latency.frames if self.spec.latency.enabled else COMPARED
        taken: dict[CodecSpec | None, list[Frame]] = {}
        for method, codec in self.codecs.items():
            if codec not in taken:
                source = self.bench.source(loaded[method])
                taken[codec] = [frame.read_only() for frame in islice(source.frames(clip), count)]
                self.motion_ms[codec] = [1e3 * seconds for seconds in getattr(source, "motion_seconds", ())]
        return {method: taken[codec] for method, codec in self.codecs.items()}

    def _time(self, loaded: Mapping[Spec, Method], frames: Mapping[Spec, Sequence[Frame]], progress: Progress) -> None:
        """Time all methods together (the latency pass), unless every one of them has its timings already."""
        if not self.spec.latency.enabled or all(map(self._timed, loaded)):
            return
        progress.show("latency", f"{len(loaded)} methods, interleaved")
        synchronise = device_barrier(self.spec.device)
        pairs = [(loaded[method], frames[method]) for method in loaded]
        with alone(self.spec):
            timed = measure(
                pairs,
                **self.spec.latency.schedule,
                synchronise=synchronise,
                reference=reference_workload(self.spec.device),
            )
            for method, (samples, memory, references) in zip(loaded, timed, strict=True):
                again = repeat(loaded[method], frames[method], synchronise)
                record = {
                    "conditions": self._speed_conditions(method),
                    "clip": frames[method][0].clip,
                    "frames": len(frames[method]),
                    "size": list(frames[method][0].image.shape[:2]),
                    "samples_ms": samples,
                    "reference_ms": references,
                    "motion_ms": self.motion_ms[self.codecs[method]] if "motion" in loaded[method].needs else [],
                    "memory_mb": memory | device_peak(again, self.spec.device),
                    "memory_measured": "together",
                    "energy": energy(again, self.spec.device),
                }
                self.folders[method].write_json("latency.json", record)

    def _remember(self, frames: Mapping[Spec, Sequence[Frame]], progress: Progress) -> None:
        """Measure the memory of each method alone, which replaces what was measured with all methods loaded."""
        if self.spec.memory != "alone" or not self.spec.latency.enabled:
            return
        for method in self.methods:
            record = self._timed(method)
            assert record is not None  # see _time
            if record.get("memory_measured") != "alone":
                progress.show(str(method), "memory, in a process of its own")
                with alone(self.spec):
                    found = memory_alone(self.bench.context, method, frames[method])
                self.folders[method].write_json(
                    "latency.json", {**record, "memory_mb": found, "memory_measured": "alone"}
                )

    def _stream(self, loaded: Mapping[Spec, Method], progress: Progress) -> None:
        """Stream every clip at every frame rate; latencies are fixed, so the number of workers does not matter."""
        stream = self.spec.stream
        if stream is None:
            return
        for method in filter(self._scored, self.methods):
            spent = latencies.latencies(stream, method, self._timed(method))
            take: Take = "every" if "motion" in loaded[method].needs else "newest"
            given = latencies.assumed(stream, method) is not None
            self.cameras[method] = [Camera(fps, take, tuple(spent.items()), given) for fps in stream.fps]
        tasks = [
            Task(method, clip, camera)
            for method, cameras in self.cameras.items()
            for camera in cameras
            for clip in self.info.names
            if self._stream_conditions(method, clip, camera) not in self.folders[method].streamed
        ]
        for task, outcome in clip_records(self.bench, tasks, progress):
            assert task.camera is not None
            if isinstance(outcome, Failed):  # although it ran in the accuracy pass
                raise UserError(
                    outcome.reason,
                    where=f"{task.method} on {task.clip} at {task.camera.fps:g} frames/s",
                    fix="leave the clip out, or run without --stream: everything else is kept, --resume goes on",
                )
            assert isinstance(outcome, Streamed)
            conditions = self._stream_conditions(task.method, task.clip, task.camera)
            self.folders[task.method].add_streamed(outcome.record, conditions)

    def _stream_conditions(self, method: Spec, clip: str, camera: Camera) -> str:
        plain = self.folders[method].records[clip]
        return camera.conditions(plain.conditions, plain.files)

    def _streamed(self, method: Spec) -> list[tuple[Camera, list[StreamRecord]]]:
        """Return each camera of a method, with its records in clip order."""
        kept = self.folders[method].streamed
        return [
            (camera, [kept[self._stream_conditions(method, clip, camera)] for clip in self.info.names])
            for camera in self.cameras.get(method, [])
        ]

    def _timed(self, method: Spec) -> dict[str, Any] | None:
        """Return the timings of a method, if they were taken under the present conditions."""
        return self.folders[method].latency(self._speed_conditions(method))

    def _speed_conditions(self, method: Spec) -> dict[str, Any]:
        return speed_conditions(self.spec, self.environment, self.folders[method].conditions)

    def _difference(self, plain: Spec, method: Method, frames: Sequence[Frame]) -> str:
        """Return a sentence on what the options of a method change."""
        some = frames[:COMPARED]
        return approximation.difference(method, self.bench.load(plain), some, self.bench.dataset.space)

    def _fold(self, method: Spec, loaded: Method, size: tuple[int, int]) -> RunResult:
        """Return the result of one method, from its records and timings. size: rows and columns of the frames."""
        kept = self.folders[method].records
        records = [kept[clip] for clip in self.info.names] if self._scored(method) else None
        kinds, lengths = (count_kinds(records), [one.frames for one in records]) if records else (None, [])
        counted = cost(loaded, kinds, size, lengths)
        latency = self._timed(method)
        measured = Measured(
            self.weights[method], self.codecs[method], records, latency, counted, self.left_out, self._streamed(method)
        )
        conditions = _conditions(self.spec, method, self.weights[method], records)
        space, metrics = self.bench.dataset.space, self.spec.metrics
        result = fold(method, space, self.info, measured, metrics, self.spec.protocol, conditions)
        result.resolved = str(resolved(loaded, method, self.info.labels))
        result.caveats += self.bench.caveats()
        if self.folders[method].changed:
            result.caveats.append(
                f"measured again, because this had changed: {'; '.join(self.folders[method].changed)}"
            )
        if innermost(method).name == "replay":
            result.caveats += surplus(self.bench.dataset, expanded(str(innermost(method).get("predictions"))))
        if ran := runtime(loaded):
            result.runtime = recorded(ran)
            result.caveats += ran.notes
        result.environment = dict(self.environment)
        if plugins := outside(self.spec, method):
            result.environment["plugins"] = plugins
        if self.bench.machines:
            result.environment["accuracy_processors"] = self.bench.machines
        result.signatures = lines(result)
        return result


def _clip_files(record: ClipRecord) -> tuple[str | None, str | None]:
    """Return the digests that do not depend on the method."""
    return record.files.get("frames"), record.files.get("labels")


def _conditions(spec: RunSpec, method: Spec, weights: Weights, records: Sequence[ClipRecord] | None) -> list[str]:
    """Return what a reader must know about how the run was requested."""
    caveats = []
    if records is None:
        why = f"{weights.path} fills only a part of the network" if weights.path else "no weights"
        name = innermost(method).name
        caveats.append(f"{why}: cost only; accuracy needs --checkpoint {name}=PATH (or --allow-untrained)")
    elif weights.origin == "untrained":
        caveats.append("untrained: the accuracy is of random weights")
    if weights.note is not None:
        caveats.append(f"weights: {weights.note}")
    if spec.distances is not None:
        span = f"{min(spec.distances)} to {max(spec.distances)}"
        caveats.append(
            f"every labelled frame at distances {span} from its key frame; mIoU pools them, the mean is below"
        )
    if spec.limit is not None:
        caveats.append(f"only the first {'clip' if spec.limit == 1 else f'{spec.limit} clips'} (--limit)")
    return caveats


def run(
    spec: RunSpec,
    methods: Sequence[Spec],
    folder: Path,
    resume: bool,
    progress: Progress,
    datasets: Sequence[Spec] = (),
) -> list[RunResult]:
    """Measure every method, write every result, and return the results: dataset by dataset, methods as given.

    datasets: for a swept dataset, what to run on instead of the spec's; folder names then include the dataset
    Whatever is finished is on disk at once; with `resume`, finished clips are not measured again.
    Raises UserError for anything the user can fix; all that was measured is kept.
    """
    environment.check_device(spec.device)
    specs = [spec.model_copy(update={"dataset": str(dataset)}) for dataset in datasets] or [spec]
    # Before anything is written, so that a wrong name or file leaves nothing behind.
    measurements = [Measurement(one, methods) for one in specs]
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with RunDirectory(folder, {"schema": SCHEMA, "spec": spec.model_dump(), "started": started}, resume) as directory:
        for measurement in measurements:
            measurement.open(directory, named=bool(datasets))
        progress.start(sum(measurement.frames_left() for measurement in measurements))
        return [result for measurement in measurements for result in measurement.run(started, progress)]
