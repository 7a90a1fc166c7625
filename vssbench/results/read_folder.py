"""Read one method's folder as a run left it: the result, and the records that it was folded from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from vssbench.errors import UserError, listed
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.results.record import ClipRecord, RunResult, read_result
from vssbench.results.run_folder import read_clips
from vssbench.results.streaming import FILE as STREAMS
from vssbench.results.streaming import Camera, StreamRecord, read_records
from vssbench.types import LabelSpace


def result_files(run: Path, *more: str) -> list[Path]:
    """Return the result files of a run directory, sorted.

    more: patterns to try in turn if there are none, such as "result.json" for a method's own folder
    Raises UserError where the directory is missing, or holds no result.
    """
    expected = "a run directory that vssbench run wrote"
    if not run.is_dir():
        raise UserError("is a file" if run.exists() else "does not exist", where=run, expected=expected)
    for pattern in ("*/result.json", *more):
        if found := sorted(run.glob(pattern)):
            return found
    started = (run / "run.json").exists()
    fix = f"vssbench run ... --resume --output {quote(str(run))}, if it was interrupted" if started else None
    if runs := sorted({file.parent.parent.name for file in run.glob("*/*/result.json")}):
        fix = f"name a run in it: {listed(runs, 3)}"
    raise UserError("holds no <method>/result.json", where=run, expected=expected, fix=fix)


@dataclass(frozen=True)
class Kept:
    """One method's folder. Its records are large, so they are read on every request and not kept in memory."""

    folder: Path
    result: RunResult

    @property
    def space(self) -> LabelSpace:
        """The classes as measured: a plugin's label space may have no file here, and ours may have changed."""
        return LabelSpace.plain(self.result.dataset.labels, self.result.dataset.classes)

    @property
    def has_records(self) -> bool:
        return self._file.exists()

    @property
    def has_streams(self) -> bool:
        return (self.folder / STREAMS).exists()

    def records(self) -> list[ClipRecord]:
        """Read the records of the result's clips, in its order; none for a result without accuracy.

        Raises UserError for a damaged file, and where a clip of the result has no record.
        """
        if self.result.metrics is None:
            return []
        names, found = self.result.dataset.names, read_clips(self._file)
        missing = [clip for clip in names if clip not in found]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(names)} clips have no record, {missing[0]} for one",
                where=self._file,
                expected="one line per clip of the result",
                fix="vssbench run ... --resume --output " + quote(str(self.folder.parent)),
            )
        return [found[clip] for clip in names]

    def streams(self) -> list[tuple[Camera, list[StreamRecord]]]:
        """Read the cameras of the result, each with its records in clip order.

        Raises UserError where a record is missing, or is of another clip or rate.
        """
        if not self.result.streaming:
            return []
        found = {record.conditions: record for record in read_records(self.folder)}
        plain, streams = self.records(), []
        for entry in self.result.streaming:
            camera = Camera.of(entry)
            wanted = [camera.conditions(record.conditions, record.files) for record in plain]
            if any(conditions not in found for conditions in wanted):
                raise UserError(
                    f"records of the stream at {camera.fps:g} frames/s are missing",
                    where=self.folder / STREAMS,
                    expected="one line per clip of the result and frame rate",
                    fix="vssbench run ... --resume --output " + quote(str(self.folder.parent)),
                )
            records = [found[conditions] for conditions in wanted]
            for one, clip in zip(records, plain, strict=True):
                if (one.clip, one.fps, one.frames) != (clip.clip, camera.fps, clip.frames):
                    raise UserError(
                        f"the record of clip {clip.clip!r} at {camera.fps:g} frames/s is of another clip or rate",
                        where=self.folder / STREAMS,
                        expected=f"{clip.frames} frames of {clip.clip!r}",
                    )
            streams.append((camera, records))
        return streams

    def clips(self, protocol: str | None = None) -> Clips:
        """Return the records under `protocol`, or the result's own if that is None; they are decoded once."""
        return Clips(protocol or self.result.protocol, self.space, self.records())

    @property
    def _file(self) -> Path:
        return self.folder / "clips.jsonl"


def read_folder(folder: Path) -> Kept:
    """Read a method's folder. Raises UserError for a damaged result."""
    return Kept(folder, read_result(folder / "result.json"))
