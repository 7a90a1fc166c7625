"""The run directory: what is measured is on disk before the next clip starts, and survives any interruption.

    <run>/run.json                  what was requested
    <run>/<method>/identity.json    what the numbers depend on; --resume measures again what has changed
    <run>/<method>/clips.jsonl      one line per finished clip
    <run>/<method>/stale.jsonl      lines of clips that are measured again because something changed
    <run>/<method>/latency.json     raw timings
    <run>/<method>/stream.jsonl     one line per finished clip and frame rate; stale lines are ignored
    <run>/<method>/result.json      the fold
    <run>/<method>/frames/          pictures of frames (kept_frames.py); no number depends on them

Where a sweep varies the dataset, <method> is "<method> on <dataset>".
Whole files are replaced atomically (write, fsync, rename). A line of clips.jsonl that was cut short by an
interruption is dropped when the file is opened again; any other damage is reported, never skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vssbench.datasets.fingerprint import digest
from vssbench.errors import UserError
from vssbench.files.atomic import (
    PART,
    append,
    disk_error,
    drop_cut_line,
    hold,
    occupied,
    replace,
    write_json,
    write_text,
)
from vssbench.results.record import SCHEMA, ClipRecord
from vssbench.results.streaming import FILE as STREAMS
from vssbench.results.streaming import StreamRecord, read_records
from vssbench.results.timings import read_timings
from vssbench.specs import parse

ASKED = ("method", "codec", "dataset", "distances", "split", "metrics", "device")
"""The parts of an identity that the user asked for; the rest may change underneath."""


def slug(name: str) -> str:
    """Return a folder name for a spec: readable, safe on any file system, different for different specs."""
    readable = re.sub(r"[^A-Za-z0-9_.=-]+|\.\.+", "_", name).strip("._")[:80]
    return f"{readable}-{digest([name])[:8]}"


class RunDirectory:
    """An exclusive lock on one run directory, from construction to `close`."""

    def __init__(self, folder: Path, asked: dict[str, Any], resume: bool):
        """Lock the folder and write run.json.

        folder: created if missing; it must be empty unless `resume`. asked: JSON written to run.json
        Raises UserError for a folder that holds something else, or the run of a newer vssbench.
        """
        self.folder = folder
        if resume and folder.is_dir() and occupied(folder) and not (folder / "run.json").exists():
            raise UserError(
                "this folder holds files but no run to continue", where=folder, fix="choose another --output"
            )
        self._lock = hold(folder)
        try:
            if not resume and occupied(folder):
                raise UserError(
                    "this folder already holds files", where=folder, fix="choose another --output, or add --resume"
                )
            _refuse_newer(folder / "run.json")
            for part in folder.rglob(f".*{PART}"):  # of a run that was killed
                part.unlink(missing_ok=True)
            write_json(folder / "run.json", asked)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._lock.release()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def method(self, name: str, identity: dict[str, Any]) -> MethodFolder:
        """Open the folder of one method, which must not hold anything that was measured for a different request.

        name: the method's spec, or "<method> on <dataset>"
        """
        return MethodFolder(self.folder / slug(name), identity)


class MethodFolder:
    """The records of one method in one run.

    records:    clip -> record, of clips measured under the identity that the folder was opened with
    streamed: conditions -> record, of clips streamed at frame rates, including stale ones
    conditions: digest of that identity
    changed:    "what: value then, value now", for whatever differs from when the folder was last opened
    """

    def __init__(self, folder: Path, identity: dict[str, Any]):
        """Raises UserError where the folder was made for a different request: that is another run, not this one."""
        self.folder = folder
        self.clips_file = folder / "clips.jsonl"
        self.conditions = conditions_of(identity)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.changed = self._changes(identity)
            drop_cut_line(self.clips_file)
            drop_cut_line(folder / STREAMS)
        except OSError as error:
            raise disk_error(error, folder) from None
        self.records = read_clips(self.clips_file)
        self.streamed = {record.conditions: record for record in read_records(folder)}
        self.set_aside([clip for clip, record in self.records.items() if record.conditions != self.conditions])
        write_json(self.folder / "identity.json", identity)

    def _changes(self, identity: dict[str, Any]) -> list[str]:
        if not self.clips_file.exists() and not (self.folder / "latency.json").exists():
            return []  # nothing was measured, so nothing is lost
        kept = read_identity(self.folder)
        wanted = json.loads(json.dumps(identity))
        other = {
            key: f"{key}: {kept.get(key)!r} then, {wanted.get(key)!r} now"
            for key in {**kept, **wanted}
            if kept.get(key) != wanted.get(key)
        }
        if asked := [change for key, change in other.items() if key in ASKED]:
            raise UserError(
                f"was measured under other conditions ({'; '.join(asked)})",
                where=self.folder,
                fix="choose another --output",
            )
        return list(other.values())

    def set_aside(self, clips: Collection[str]) -> None:
        """Move records of clips that are to be measured again to stale.jsonl, a file that nothing reads."""
        if clips:
            append(self.folder / "stale.jsonl", b"".join(_line(self.records.pop(clip)) for clip in clips))
            replace(self.clips_file, lambda part: part.write_bytes(b"".join(map(_line, self.records.values()))))

    def add(self, record: ClipRecord) -> None:
        """Append one record, which is on disk when this returns."""
        record.conditions = self.conditions
        append(self.clips_file, _line(record))
        self.records[record.clip] = record

    def add_streamed(self, record: StreamRecord, conditions: str) -> None:
        """Append the record of one clip at one frame rate, which is on disk when this returns."""
        record.conditions = conditions
        append(self.folder / STREAMS, _line(record))
        self.streamed[conditions] = record

    def write(self, name: str, text: str) -> None:
        """Write a whole file of this method atomically."""
        write_text(self.folder / name, text)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of this method atomically."""
        write_json(self.folder / name, value)

    def latency(self, conditions: dict[str, Any]) -> dict[str, Any] | None:
        """Return the raw timings, if there are any that were taken under these conditions."""
        path = self.folder / "latency.json"
        timed = read_timings(path) if path.exists() else None
        return timed if timed and timed.get("conditions") == json.loads(json.dumps(conditions)) else None


def _refuse_newer(file: Path) -> None:
    """Raise UserError for a run.json of a newer schema; a damaged one is written again, as no record depends on it."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if type(found) is int and found > SCHEMA:
        raise UserError(
            f"has schema {found}; this vssbench continues runs of up to {SCHEMA}",
            where=file,
            fix="pip install --upgrade vssbench, or choose another --output",
        )


def _line(record: ClipRecord | StreamRecord) -> bytes:
    return (json.dumps(record.model_dump(), separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def conditions_of(identity: dict[str, Any]) -> str:
    """Return the digest of an identity that is stored in records."""
    return digest([json.dumps(identity, sort_keys=True)])[:16]


def read_identity(folder: Path) -> dict[str, Any]:
    """Read what the numbers in a method's folder depend on. No other file says so: if damaged, it cannot be rebuilt."""
    path = folder / "identity.json"
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
        for metric in identity["metrics"]:
            parse(metric)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UserError):
        identity = None
    if not isinstance(identity, dict):
        raise UserError(
            "does not say under which conditions the records next to it were measured",
            where=path,
            expected="the file that vssbench run wrote",
            fix="run again with another --output",
        )
    return identity


def read_clips(path: Path) -> dict[str, ClipRecord]:
    """Read the records of a clips.jsonl by clip; a line that an interruption cut short is left out."""
    records: dict[str, ClipRecord] = {}
    data = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            record = ClipRecord.model_validate_json(line)
        except ValidationError as error:
            raise UserError(
                f"is damaged: {error.errors()[0]['msg']}",
                where=f"{path}:{number}",
                fix="delete that line: its clip is then measured again",
            ) from None
        if records.setdefault(record.clip, record) != record:
            raise UserError(
                f"has the clip {record.clip!r} twice, with different numbers",
                where=f"{path}:{number}",
                fix="delete both lines: the clip is then measured again",
            )
    return records
