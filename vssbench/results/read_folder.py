"""One method's folder as a run left it: the result, and the records that it was folded from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vssbench.errors import UserError
from vssbench.results.record import ClipRecord, RunResult, read_result
from vssbench.results.run_folder import read_clips
from vssbench.types import LabelSpace


@dataclass(frozen=True)
class Kept:
    """One method's folder. records: of the clips of the result, in its order."""

    result: RunResult
    space: LabelSpace
    records: list[ClipRecord]


def read_folder(folder: Path) -> Kept:
    """The result and the records of a method's folder; raises UserError where a clip of the result has no record."""
    result = read_result(folder / "result.json")
    records = read_clips(folder / "clips.jsonl")
    missing = [clip for clip in result.dataset.names if clip not in records]
    if result.metrics is not None and missing:
        raise UserError(
            f"{len(missing)} of {len(result.dataset.names)} clips have no record, {missing[0]} for one",
            where=folder / "clips.jsonl",
            expected="one line a clip of the result",
            fix="vssbench run ... --resume --output " + str(folder.parent),
        )
    # The classes as they were when measured: a plugin's label space has no file here, and ours may change.
    space = LabelSpace.plain(result.dataset.labels, result.dataset.classes)
    chosen = [] if result.metrics is None else [records[clip] for clip in result.dataset.names]
    return Kept(result, space, chosen)
