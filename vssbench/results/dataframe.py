"""Results as one tidy pandas frame: one row per number.

frame = vssbench.load_results("results")
frame[frame.metric == "mIoU"].pivot_table("value", "method", ["dataset", "protocol"])
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vssbench.environment import commit_of
from vssbench.results.figures import Figure, Reading, accuracies, figure, figures
from vssbench.results.read_folder import read_folder, result_files
from vssbench.results.record import ClipRecord, RunResult, read_result
from vssbench.types import LabelSpace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("run", "date", "commit", "method", "dataset", "split", "codec", "protocol", "clip", "metric", "value"),
    *("unit", "at_least", "reason", "origin", "weights", "machine"),
)
"""Columns of the frame, in order; "clip" only with `per_clip`."""


def load_results(
    path: str | Path | Iterable[str | Path], *, per_clip: bool = False, protocol: str | None = None
) -> pd.DataFrame:
    """Read some results, with one row per (run, method, dataset, split, codec, protocol, metric).

    path:     a run directory, a folder of run directories, a method's folder, a result.json, or several of these
    per_clip: instead, rows for each single clip: the headline accuracies of that clip alone, its frames by kind and
              the seconds it took, from the records next to the results
    protocol: read the records again under this one; None: each result as it was written
    Columns: run (its directory), date (when it began, UTC; NaT where a result does not say), commit (of the project
    that it was started in, else of vssbench, with "+" where there were changes), method, dataset, split, codec,
    protocol (missing for a cost), clip (per_clip), metric, value (float64, NaN where missing), unit, at_least (whether
    it is a lower bound), reason (of a missing value), origin (measured or replayed), weights (where from), machine
    (where the speed was measured). `vssbench list figures` prints the metrics' names.
    Raises UserError for a path without results, a damaged file, and records that are missing.
    """
    import pandas as pd

    paths = [path] if isinstance(path, str | Path) else list(path)
    files = dict.fromkeys(file for one in paths for file in results_at(Path(one)))
    rows = [row for file in files for row in _rows(file, per_clip, protocol)]
    columns = [name for name in COLUMNS if per_clip or name != "clip"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["date"] = pd.to_datetime(frame["date"], utc=True, format="ISO8601").astype("datetime64[s, UTC]")
    own = {"value": "float64", "at_least": "bool", "date": "datetime64[s, UTC]"}
    return frame.astype({name: own.get(name, "str") for name in columns})


def results_at(path: Path) -> list[Path]:
    """Return the result files at a path: a file, a method's folder, a run or a folder of runs.

    Raises UserError where there is none.
    """
    return [path] if path.is_file() else result_files(path, "result.json", "*/*/result.json")


def _rows(file: Path, per_clip: bool, protocol: str | None) -> Iterator[dict[str, Any]]:
    from vssbench.results.fold import rescored

    result, clips = read_result(file), None
    if protocol or per_clip:
        kept = read_folder(file.parent)
        clips = kept.clips(protocol)
        result = rescored(kept, clips) if protocol else result
    environment = result.environment
    same = {
        "run": str(file.parent.parent),
        "date": result.started,
        "commit": commit_of(environment),
        "method": result.method,
        "dataset": result.dataset.spec,
        "split": result.dataset.split,
        "codec": result.codec,
        "origin": result.origin,
        "weights": result.weights.origin,
        "machine": environment.get("device_name") or environment.get("cpu"),
    }
    if not per_clip or clips is None:
        yield from (same | _row(found) for found in figures(result))
        return
    for record in cast(Sequence[ClipRecord], clips.all):  # what `kept` returned
        yield from (same | {"clip": record.clip} | _row(found) for found in _of_clip(record, result, clips.space))


def _row(found: Reading) -> dict[str, Any]:
    shown = {key: value for key, value in found._asdict().items() if key != "figure"}
    return shown | {"metric": found.figure.name, "unit": found.figure.unit}


def _of_clip(record: ClipRecord, result: RunResult, space: LabelSpace) -> Iterator[Reading]:
    """Yield the headline accuracies of one clip by itself, its frame counts and its seconds."""
    from vssbench.metrics.accuracy.evaluate import evaluate
    from vssbench.specs import parse

    alone = evaluate(result.protocol, space, [record], [parse(name) for name in result.metrics or ()])
    yield from accuracies(alone.metrics, alone.reasons, result.protocol)
    yield Reading(figure("frames"), record.frames)
    yield Reading(figure("frames(labelled)"), record.labelled)
    yield from (Reading(figure(f"frames({kind})"), count) for kind, count in record.kinds.items())
    for phase, value in record.seconds.items():
        yield Reading(Figure(f"seconds({phase})", phase, "s", lambda result: None, "speed", machine=True), value)
