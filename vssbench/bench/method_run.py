"""One method of a run on one dataset: its weights, its codec and its folder; loaded, with frames, for timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from vssbench import hooks
from vssbench.bench.identity import identity, speed_conditions
from vssbench.bench.session import Bench
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.errors import UserError
from vssbench.results.kept_frames import FrameFolder
from vssbench.results.run_folder import MethodFolder, RunDirectory
from vssbench.specs import Spec
from vssbench.types import Frame, Method, Weights

COMPARED = 24
"""Frames on which a method is compared with itself: run twice, and as published."""


class MethodRun:
    """One method of a run, checked when constructed, then `open`ed in the run directory.

    spec:    as asked for
    weights: where they come from
    codec:   how the frames are compressed; None: not at all
    broken:  why the method failed, in one line; None: it has not
    scored:  whether accuracy is measured at all
    """

    folder: MethodFolder
    kept_frames: FrameFolder

    def __init__(self, bench: Bench, spec: Spec):
        """Raises UserError where the method cannot be built or its frames cannot be read, unless it may be skipped."""
        self.spec = spec
        self.weights = Weights()
        self.codec: CodecSpec | None = None
        self.broken: str | None = None
        try:
            self._check(bench)
        except UserError as error:
            if bench.spec.on_error != "skip-method":
                raise
            self.broken = error.brief
        self.scored = self.weights.origin != "untrained" or bench.spec.allow_untrained

    def _check(self, bench: Bench) -> None:
        method = bench.load(self.spec)
        self.weights = hooks.weights(method)
        self.codec = bench.codec(method)
        if isinstance(source := bench.source(method), Compressed):
            source.check()

    def open(self, bench: Bench, directory: RunDirectory, environment: Mapping[str, Any], named: bool) -> None:
        """Open the method's folder. named: whether its name includes the dataset.

        Raises UserError where it holds results that were measured under other conditions.
        """
        name = f"{self.spec} on {bench.spec.dataset}" if named else str(self.spec)
        self.folder = directory.method(name, identity(bench.spec, self.spec, self.weights, self.codec))
        self.kept_frames = FrameFolder(self.folder.folder, bench.spec.keep_frames)
        self.speed_conditions = speed_conditions(bench.spec, environment, self.folder.conditions)

    def timed(self) -> dict[str, Any] | None:
        """Return the timings, if they were taken under the present conditions."""
        return self.folder.latency(self.speed_conditions)


class Loaded(NamedTuple):
    """A method that is loaded into this process.

    frames:    of one clip, for timing and for comparisons
    motion_ms: milliseconds that the codec's dense motion took for each of them; empty without a codec
    """

    run: MethodRun
    method: Method
    frames: Sequence[Frame]
    motion_ms: list[float]


def load(bench: Bench, runs: Sequence[MethodRun], clip: str) -> list[Loaded]:
    """Load the methods, with frames of one clip, which methods with the same codec share."""
    count = bench.spec.latency.frames if bench.spec.latency.enabled else COMPARED
    methods = [bench.load(run.spec) for run in runs]
    taken: dict[CodecSpec | None, tuple[list[Frame], list[float]]] = {}
    for run, method in zip(runs, methods, strict=True):
        if run.codec not in taken:
            source = bench.source(method)
            frames = [frame.read_only() for frame in islice(source.frames(clip), count)]
            taken[run.codec] = frames, [1e3 * seconds for seconds in getattr(source, "motion_seconds", ())]
    return [Loaded(run, method, *taken[run.codec]) for run, method in zip(runs, methods, strict=True)]
