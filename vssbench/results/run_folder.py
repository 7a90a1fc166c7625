"""The run directory: what is measured is on disk before the next clip starts, and survives any interruption.

    <run>/run.json                  what was asked
    <run>/<method>/identity.json    what the numbers depend on; --resume refuses another
    <run>/<method>/clips.jsonl      one line a finished clip
    <run>/<method>/latency.json     raw timings
    <run>/<method>/result.json      the fold
    <run>/<method>/frames/          pictures of frames (kept_frames.py); no number depends on them

Where a sweep varies the dataset, the folder is that of "<method> on <dataset>".
Whole files are replaced atomically (write, fsync, rename). A line of clips.jsonl that was cut short by an
interruption is dropped when the file is opened again; any other damage is reported, never skipped.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vssbench.atomic import append, disk_error, drop_cut_line, hold, occupied, read_json, write_json, write_text
from vssbench.datasets.fingerprint import digest
from vssbench.errors import UserError
from vssbench.results.record import ClipRecord


def slug(name: str) -> str:
    """A folder name for specs: readable, safe on any file system, different for different specs."""
    readable = re.sub(r"[^A-Za-z0-9_.=-]+|\.\.+", "_", name).strip("._")[:80]
    return f"{readable}-{digest([name])[:8]}"


class RunDirectory:
    """Exclusive hold of one run directory, from `open` to `close`."""

    def __init__(self, folder: Path, asked: dict[str, Any], resume: bool):
        """folder: created if missing; it must be empty unless `resume`. asked: JSON written to run.json."""
        self.folder = folder
        self._lock = hold(folder)
        try:
            if not resume and occupied(folder):
                raise UserError(
                    "this folder holds files already", where=folder, fix="choose another --output, or add --resume"
                )
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
        """The folder of one method, checked to hold nothing measured under other conditions.

        name: the method's spec, or "<method> on <dataset>"
        """
        return MethodFolder(self.folder / slug(name), identity)


class MethodFolder:
    """The records of one method in one run."""

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder = folder
        self.clips_file = folder / "clips.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check_identity(identity)
            self.records = read_clips(self.clips_file)
            drop_cut_line(self.clips_file)
        except OSError as error:
            raise disk_error(error, folder) from None

    def _check_identity(self, identity: dict[str, Any]) -> None:
        path = self.folder / "identity.json"
        if self.clips_file.exists() or (self.folder / "latency.json").exists():  # nothing measured, nothing to protect
            kept = read_identity(self.folder)
            wanted = json.loads(json.dumps(identity))
            other = [key for key in {**kept, **wanted} if kept.get(key) != wanted.get(key)]
            if other:
                changes = "; ".join(f"{key}: {kept.get(key)!r} then, {wanted.get(key)!r} now" for key in other)
                raise UserError(
                    f"was measured under other conditions ({changes})", where=self.folder, fix="choose another --output"
                )
        else:
            write_json(path, identity)

    def add(self, record: ClipRecord) -> None:
        """Append one record; it is on disk when this returns."""
        line = json.dumps(record.model_dump(), separators=(",", ":"), ensure_ascii=False) + "\n"
        append(self.clips_file, line.encode())
        self.records[record.clip] = record

    def write(self, name: str, text: str) -> None:
        """Write a whole file of this method atomically."""
        write_text(self.folder / name, text)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of this method atomically."""
        write_json(self.folder / name, value)

    def latency(self) -> dict[str, Any] | None:
        """The raw timings, if the run came that far before it was interrupted."""
        path = self.folder / "latency.json"
        return read_json(path) if path.exists() else None


def read_identity(folder: Path) -> dict[str, Any]:
    """What the numbers in a method's folder depend on. Nothing else says so: damaged, it cannot be made again."""
    path = folder / "identity.json"
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        identity = None
    if not isinstance(identity, dict) or not isinstance(identity.get("metrics"), list):
        raise UserError(
            "does not say under which conditions the records beside it were measured",
            where=path,
            expected="the file that vssbench run wrote",
            fix="run again with another --output",
        )
    return identity


def read_clips(path: Path) -> dict[str, ClipRecord]:
    """The records of a clips.jsonl by clip; a line that an interruption cut short is left out."""
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
        records[record.clip] = record
    return records
