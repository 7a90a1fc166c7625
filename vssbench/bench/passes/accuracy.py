"""The accuracy pass: every clip under every method, one record each, on disk before the next one starts."""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.bench.method_run import MethodRun
from vssbench.bench.pool import clip_records
from vssbench.bench.session import Bench, Failed, Ran, Task
from vssbench.errors import UserError, listed
from vssbench.progress import Progress
from vssbench.results.record import ClipRecord, DatasetInfo, files_digest
from vssbench.specs import Spec

NAMED = 5
"""How many of the clips to be measured again are named."""


def set_changed_aside(bench: Bench, run: MethodRun) -> None:
    """Set aside the records of clips whose files have changed since they were measured."""
    folder = run.folder
    if not folder.records:
        return
    method = bench.load(run.spec)
    changed = [
        clip
        for clip, record in folder.records.items()
        if clip in bench.lengths and record.files != bench.files(method, clip)
    ]
    if changed:
        folder.set_aside(changed)
        folder.changed.append(f"files of {'clip' if len(changed) == 1 else 'clips'} {listed(changed, NAMED)}")


def tasks(bench: Bench, runs: Sequence[MethodRun]) -> list[Task]:
    """Return what has no record yet."""
    return [
        Task(run.spec, clip) for run in runs if run.scored for clip in bench.lengths if clip not in run.folder.records
    ]


def run_clips(bench: Bench, runs: Sequence[MethodRun], progress: Progress) -> dict[str, str]:
    """Run what has no record yet; return clip -> why it failed, under the first method for which it did.

    If methods may be skipped, one that fails on a clip is `broken` instead.
    """
    by_spec = {run.spec: run for run in runs}
    failed: dict[tuple[str, Spec], str] = {}
    for task, outcome in clip_records(bench, tasks(bench, runs), progress):
        run = by_spec[task.method]
        if isinstance(outcome, Failed):
            if bench.spec.on_error != "skip-method":
                failed[outcome.clip, run.spec] = outcome.reason
            elif run.broken is None:
                run.broken = outcome.reason
            continue
        assert isinstance(outcome, Ran)
        if outcome.kept is not None:  # first: a clip without a record is run again
            run.kept_frames.add(outcome.kept)
        run.folder.add(outcome.record)
    return bench.unreadable | {
        clip: failed[clip, run.spec] for clip in bench.lengths for run in reversed(runs) if (clip, run.spec) in failed
    }


def with_files(info: DatasetInfo, runs: Sequence[MethodRun]) -> DatasetInfo:
    """Return the same info with the digest of the files; raises UserError where they changed during the run."""
    known = [[run.folder.records[clip] for clip in info.names] for run in runs if run.scored]
    for first, *others in zip(*known, strict=True):
        if any(_clip_files(other) != _clip_files(first) for other in others):
            raise UserError(
                "its files changed during the run",
                where=f"clip {first.clip!r}",
                expected="the same frames and labels for every method",
                fix="run the same command with --resume: clips whose files changed are measured again",
            )
    return info.model_copy(update={"files": files_digest(known[0]) if known else None})


def _clip_files(record: ClipRecord) -> tuple[str | None, str | None]:
    """Return the digests that do not depend on the method."""
    return record.files.get("frames"), record.files.get("labels")
