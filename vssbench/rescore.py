"""Results under another protocol, from the records that a run kept. Nothing is run again."""

from __future__ import annotations

from pathlib import Path

from vssbench.errors import UserError
from vssbench.fold import score
from vssbench.result import RunResult, read_result
from vssbench.store import read_clips, read_identity
from vssbench.types import LabelSpace


def rescored(run: Path, protocol: str) -> list[RunResult]:
    """Every result of a run directory under `protocol`; a result without accuracy has none to read again."""
    files = sorted(run.glob("*/result.json"))
    if not files:
        raise UserError("holds no result.json", where=run, expected="a run directory that vssbench run wrote")
    results = []
    for file in files:
        result = read_result(file)
        result.protocol = protocol  # of a result without accuracy too: it stays in one table with the others
        records = read_clips(file.with_name("clips.jsonl"))
        if result.metrics is not None:
            names = read_identity(file.parent)["metrics"]
            chosen = [records[clip] for clip in result.dataset.names if clip in records]
            if len(chosen) < len(result.dataset.names):
                raise UserError(
                    f"{len(result.dataset.names) - len(chosen)} of {len(result.dataset.names)} clips have no record",
                    where=file.with_name("clips.jsonl"),
                    expected="one line a clip of the result",
                    fix="measure what is missing: vssbench run ... --resume --output " + str(run),
                )
            # The classes as they were when measured: a plugin's label space has no file here, and ours may change.
            space = LabelSpace.plain(result.dataset.labels, result.dataset.classes)
            score(result, space, chosen, names)
        results.append(result)
    return results
