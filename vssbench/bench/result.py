"""The result of each method: the fold of what is on disk, and what a reader must know about the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vssbench.bench import approximation, repeatability
from vssbench.bench.identity import outside
from vssbench.bench.method_run import COMPARED, Loaded, MethodRun
from vssbench.bench.passes.streams import Streams
from vssbench.bench.runtime import recorded, runtime
from vssbench.bench.session import Bench
from vssbench.bench.spec import RunSpec
from vssbench.datasets.prediction_files import surplus
from vssbench.files.input_files import expanded
from vssbench.load import innermost, resolved
from vssbench.metrics.accuracy.protocols import default_protocol
from vssbench.metrics.cost.method_cost import cost
from vssbench.progress import Progress
from vssbench.results.fold import Measured, fold
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo, count_kinds
from vssbench.results.signature import lines
from vssbench.specs import parse


class Results:
    """What the results of one dataset have in common.

    environment: as returned by `environment.describe`
    info:        of the clips that count
    left_out:    clip -> why it does not count
    """

    def __init__(self, bench: Bench, environment: Mapping[str, Any], info: DatasetInfo, left_out: dict[str, str]):
        self.bench, self.environment, self.info, self.left_out = bench, environment, info, left_out

    def measured(self, loaded: Loaded, streams: Streams, progress: Progress) -> RunResult:
        """Return the result of one method, including what its options change."""
        run, method, frames, _ = loaded
        progress.show(str(run.spec), "counting multiply-accumulates")
        result = self._folded(loaded, streams)
        if not run.scored:
            return result
        some = frames[:COMPARED]
        if unsteady := repeatability.caveat(method, some):
            result.caveats.append(unsteady)
        plain = approximation.published(run.spec, method)
        if plain != run.spec:
            progress.show(str(run.spec), f"comparing with {plain}")
            changed = approximation.difference(method, self.bench.load(plain), some, self.bench.dataset.space)
            result.caveats.append(changed)
        return result

    def failed(self, run: MethodRun) -> RunResult:
        """Return the result of a method that failed: it has no figures."""
        spec, weights = self.bench.spec, run.weights
        return RunResult(
            method=str(run.spec),
            dataset=self.info,
            protocol=spec.protocol or default_protocol(innermost(parse(spec.dataset)).name),
            weights=WeightsInfo(origin=weights.origin, path=weights.path, sha256=weights.sha256),
            failure=run.broken,
            environment=self._environment(run),
        )

    def _folded(self, loaded: Loaded, streams: Streams) -> RunResult:
        """Return the fold of one method's records, timings, streams and cost, with how it was run."""
        run, method, frames, _ = loaded
        spec, space = self.bench.spec, self.bench.dataset.space
        records = [run.folder.records[clip] for clip in self.info.names] if run.scored else None
        kinds, lengths = (count_kinds(records), [one.frames for one in records]) if records else (None, [])
        height, width = frames[0].image.shape[:2]
        counted = cost(method, kinds, (height, width), lengths)
        measured = Measured(run.weights, run.codec, records, run.timed(), counted, self.left_out, streams)
        conditions = list(_conditions(spec, run, records))
        result = fold(run.spec, space, self.info, measured, spec.metrics, spec.protocol, conditions)
        result.resolved = str(resolved(method, run.spec, self.info.labels))
        result.caveats += self._caveats(run)
        if ran := runtime(method):
            result.runtime = recorded(ran)
            result.caveats += ran.notes
        result.environment = self._environment(run)
        if self.bench.machines:
            result.environment["accuracy_processors"] = self.bench.machines
        result.signatures = lines(result)
        return result

    def _environment(self, run: MethodRun) -> dict[str, Any]:
        """Return the environment, with the code from elsewhere that the method runs."""
        plugins = outside(self.bench.spec, run.spec)
        return {**self.environment, "plugins": plugins} if plugins else dict(self.environment)

    def _caveats(self, run: MethodRun) -> list[str]:
        """Return what a reader must know about the frames that were run, and about what was run again."""
        caveats = self.bench.caveats()
        if run.folder.changed:
            caveats.append(f"measured again, because this had changed: {'; '.join(run.folder.changed)}")
        inmost = innermost(run.spec)
        if inmost.name == "replay":
            caveats += surplus(self.bench.dataset, expanded(str(inmost.get("predictions"))))
        return caveats


def _conditions(spec: RunSpec, run: MethodRun, records: Sequence[ClipRecord] | None) -> Iterator[str]:
    """Yield what a reader must know about how the run was requested."""
    weights = run.weights
    if records is None:
        why = f"{weights.path} fills only part of the network" if weights.path else "no weights"
        name = innermost(run.spec).name
        yield f"{why}: cost only; accuracy needs --checkpoint {name}=PATH (or --allow-untrained)"
    elif weights.origin == "untrained":
        yield "untrained: the accuracy is that of random weights"
    if weights.note is not None:
        yield f"weights: {weights.note}"
    if spec.distances is not None:
        span = f"{min(spec.distances)} to {max(spec.distances)}"
        yield f"every labelled frame at distances {span} from its key frame; mIoU pools them, the mean is below"
    if spec.limit is not None:
        yield f"only the first {'clip' if spec.limit == 1 else f'{spec.limit} clips'} (--limit)"
