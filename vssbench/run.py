"""A whole run: every method on every dataset, one dataset after the other; all on disk as soon as it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from vssbench import environment
from vssbench.config import RunSpec
from vssbench.measurement import Measurement
from vssbench.names import Spec
from vssbench.progress import Progress
from vssbench.result import SCHEMA, RunResult
from vssbench.store import RunDirectory


def run(
    spec: RunSpec,
    methods: Sequence[Spec],
    folder: Path,
    resume: bool,
    progress: Progress,
    datasets: Sequence[Spec] = (),
) -> list[RunResult]:
    """Measure every method, write every result, and return them in order: dataset by dataset, methods as given.

    datasets: where the dataset is swept, what to run on in place of the spec's; the folders then name theirs
    What is finished is on disk at once; with `resume` finished clips are not measured again.
    Raises UserError for anything the user can mend, after keeping all that was measured.
    """
    environment.check_device(spec.device)
    specs = [spec.model_copy(update={"dataset": str(dataset)}) for dataset in datasets] or [spec]
    # Before anything is written: a wrong name or file must leave nothing behind.
    measurements = [Measurement(one, methods) for one in specs]
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with RunDirectory(folder, {"schema": SCHEMA, "spec": spec.model_dump(), "started": started}, resume) as directory:
        for measurement in measurements:
            measurement.open(directory, named=bool(datasets))
        progress.start(sum(measurement.frames_left() for measurement in measurements))
        return [result for measurement in measurements for result in measurement.run(started, progress)]
