"""Measure some clips of a finished run again, to see whether the records come out the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vssbench.bench.session import Bench, Ran, Task
from vssbench.bench.spec import RunSpec
from vssbench.errors import UserError
from vssbench.files.atomic import read_json
from vssbench.results.record import ClipRecord
from vssbench.results.run_folder import read_clips, read_identity
from vssbench.specs import parse


def asked(run: Path, data_root: str | None = None, checkpoint: dict[str, Any] | None = None) -> RunSpec:
    """Return the spec of a run directory. data_root, checkpoint: where these are now, if they have moved."""
    path = run / "run.json"
    given = {"data_root": data_root, "checkpoint": checkpoint}
    try:
        spec = {**read_json(path)["spec"], **{name: value for name, value in given.items() if value is not None}}
        return RunSpec.model_validate(spec)
    except (KeyError, TypeError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"cannot be run again: {first}", where=path, expected="what vssbench run wrote") from None


def differences(spec: RunSpec, folder: Path, clips: int) -> Iterator[str]:
    """Run some clips of one method's folder again, evenly spread, and yield a line per difference in their records.

    Raises UserError where the dataset or the method is missing.
    """
    identity, kept = read_identity(folder), read_clips(folder / "clips.jsonl")
    method = parse(str(identity.get("method")))
    bench = Bench(spec.model_copy(update={"dataset": str(identity.get("dataset")), "on_error": "stop"}), listed=False)
    names = list(kept)
    step = max(1, len(names) // clips)
    for name in names[::step][:clips]:
        ran = bench.run(Task(method, name))
        assert isinstance(ran, Ran)  # on_error="stop" raises
        yield from _otherwise(name, kept[name], ran.record)


def _otherwise(name: str, then: ClipRecord, now: ClipRecord) -> Iterator[str]:
    if then.files and then.files != now.files:
        parts = [part for part in then.files if then.files[part] != now.files.get(part)]
        yield f"clip {name}: the {' and '.join(parts)} differ from the files that were measured"
    for field in ("frames", "labelled", "kinds"):
        before, after = getattr(then, field), getattr(now, field)
        if before != after:
            yield f"clip {name}: {field} {before} then, {after} now"
    yield from (
        f"clip {name}: the counts of {metric} differ"
        for metric in then.states
        if then.states[metric] != now.states.get(metric)
    )
