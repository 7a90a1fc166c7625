"""Run every method on every dataset: the accuracy pass, the speed pass, the streams, the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vssbench import environment
from vssbench.bench import method_run
from vssbench.bench.method_run import MethodRun
from vssbench.bench.passes import accuracy, speed, streams
from vssbench.bench.result import Results
from vssbench.bench.session import Bench
from vssbench.bench.spec import RunSpec
from vssbench.bench.streaming import latencies
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.results.record import SCHEMA, RunResult
from vssbench.results.run_folder import RunDirectory
from vssbench.specs import Spec


class Measurement:
    """One dataset under all methods: constructed, then `open`ed in the run directory, then `run`.

    Nothing is written before `open`.
    """

    def __init__(self, spec: RunSpec, methods: Sequence[Spec]):
        """Raises UserError for a dataset or a method that is missing or does not fit."""
        latencies.check(spec, methods)
        self.spec = spec
        self.bench = Bench(spec)
        self.environment = environment.describe(spec.device, spec.threads)
        self.info = self.bench.describe()
        self.runs = [MethodRun(self.bench, method) for method in methods]
        self._unbroken()

    def _unbroken(self) -> list[MethodRun]:
        """Return the methods that did not fail; raises UserError where all of them did."""
        unbroken = [run for run in self.runs if run.broken is None]
        if not unbroken:
            first = self.runs[0]
            raise UserError(f"every method failed, for example {first.spec}: {first.broken}")
        return unbroken

    def open(self, directory: RunDirectory, named: bool) -> None:
        """Open a folder for each method. named: whether its name includes the dataset.

        Raises UserError where a folder holds results that were measured under other conditions.
        """
        for run in self.runs:
            run.open(self.bench, directory, self.environment, named)
            if run.broken is None:
                accuracy.set_changed_aside(self.bench, run)

    def frames_left(self) -> int:
        """Return how many frames the accuracy pass and the streams still have to run, as far as is known yet."""
        runs, lengths = self._unbroken(), self.bench.lengths
        rates = len(self.spec.stream.fps) if self.spec.stream else 0
        streamed = rates * sum(run.scored for run in runs) * sum(lengths.values())
        return sum(lengths[task.clip] for task in accuracy.tasks(self.bench, runs)) + streamed

    def run(self, started: str, progress: Progress) -> Iterator[RunResult]:
        """Measure what is not yet on disk, and yield each method's result as soon as it is written.

        started: when the run began, ISO 8601
        """
        left_out = accuracy.run_clips(self.bench, self._unbroken(), progress)
        runs = self._unbroken()
        info = accuracy.with_files(self.bench.without(self.info, left_out), runs)
        loaded = speed.without_failing(self.spec, method_run.load(self.bench, runs, info.names[0]))
        self._unbroken()
        speed.measure_latency(self.spec, loaded, progress)
        speed.measure_memory(self.bench, loaded, progress)
        streamed = streams.run_streams(self.bench, loaded, info.names, progress)
        results = Results(self.bench, self.environment, info, left_out)
        ready = {one.run.spec: one for one in loaded}
        for run in self.runs:
            if run.broken is None:
                result = results.measured(ready[run.spec], streamed.get(run.spec, ()), progress)
            else:
                result = results.failed(run)
            result.started, result.finished = started, datetime.now(UTC).isoformat(timespec="seconds")
            run.folder.write("result.json", result.to_json())
            yield result


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
