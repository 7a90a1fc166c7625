"""The baseline: the part of results that a comparison needs, in one small file to keep in a repository.

Each side of a comparison is a `Snapshot`: today's runs, and a baseline file or earlier runs. A baseline keeps figures,
not records: with a run's folder in its place, the gate can also compare clip by clip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vssbench import __version__
from vssbench.errors import UserError
from vssbench.files.atomic import regular, write_json
from vssbench.gate.speed import Timing
from vssbench.results.figures import figures
from vssbench.results.read_folder import read_folder, result_files
from vssbench.results.record import DatasetInfo, RunResult, WeightsInfo
from vssbench.stats.over_clips import OverClips, over_clips
from vssbench.stats.totals import require_follows

SCHEMA = 1

ENVIRONMENT = ("python", "packages", "plugins", "cpu", "threads", "device", "device_name", "commit", "dirty")
"""The parts of a result's environment that are kept."""

STREAM = ("fps", "take", "assumed", "latency_ms")
"""The parts of a result's streams that are kept."""

Key = tuple[str, str]
"""Method and dataset, "camvid val", which identify an entry on both sides of a comparison."""


class Entry(BaseModel):
    """One method on one dataset.

    figures: name in the catalogue -> number, for each figure that a rule can name; None if it was asked for but does
             not exist, with the reason in `reasons`
    timing:  what a comparison of speed needs; None: speed was not measured, or without the reference workload
    skipped: clip -> why it does not count under the protocol
    streams: for each frame rate "fps", "take", "assumed" and "latency_ms", as in the result
    memory_alone: whether memory was measured in the method's own process
    failure: why the method has no figures at all; None: it has not failed
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    method: str
    resolved: str | None
    dataset: DatasetInfo
    protocol: str
    codec: str | None
    weights: WeightsInfo
    skipped: dict[str, str]
    figures: dict[str, float | None]
    reasons: dict[str, str]
    timing: Timing | None
    environment: dict[str, Any]
    memory_alone: bool = False
    failure: str | None = None
    streams: list[dict[str, Any]] = []

    @property
    def key(self) -> Key:
        return self.method, f"{self.dataset.spec} {self.dataset.split}"

    @property
    def clips(self) -> list[str]:
        """The clips that count, in the dataset's order."""
        return [clip for clip in self.dataset.names if clip not in self.skipped]

    @classmethod
    def of(cls, result: RunResult) -> Entry:
        """Make an entry of a result, leaving out the local path of the weights' file."""
        found = {one.figure.name: one for one in figures(result)}
        return cls(
            method=result.method,
            resolved=result.resolved,
            dataset=result.dataset,
            protocol=result.protocol,
            codec=result.codec,
            weights=result.weights.model_copy(update={"path": None}),
            skipped=result.skipped,
            figures={name: one.value for name, one in found.items()},
            reasons={name: one.reason for name, one in found.items() if one.reason},
            timing=Timing.of(result),
            environment={name: result.environment[name] for name in ENVIRONMENT if name in result.environment},
            memory_alone=result.memory_alone,
            failure=result.failure,
            streams=[{name: one[name] for name in STREAM} for one in result.streaming],
        )


class Baseline(BaseModel):
    """The file. reason: why these figures were accepted; updated: when they were accepted, ISO 8601."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=SCHEMA, alias="schema")
    reason: str = Field(min_length=1)
    updated: str
    vssbench: str = __version__
    entries: list[Entry] = Field(min_length=1)

    def write(self, path: Path) -> None:
        """Replace the file in one step."""
        write_json(path, self.model_dump(by_alias=True))


@dataclass(frozen=True)
class Snapshot:
    """One side of a comparison.

    folders: where each entry's records are kept;  title: for people
    read:    the records that have been read already
    """

    entries: Mapping[Key, Entry]
    folders: Mapping[Key, Path]
    title: str
    read: Mapping[Key, OverClips] = field(default_factory=dict)

    def over_clips(self, key: Key) -> OverClips:
        """Return an entry's clips. Raises UserError if their records are not in its folder."""
        if key in self.read:
            return self.read[key]
        kept = read_folder(self.folders[key])
        return over_clips(kept, kept.clips())


def read_runs(runs: Sequence[Path]) -> Snapshot:
    """Read all results of run directories. Raises UserError if two are of one method on one dataset."""
    entries: dict[Key, Entry] = {}
    folders: dict[Key, Path] = {}
    read: dict[Key, OverClips] = {}
    for run in runs:
        for file in result_files(run):
            result, over = believed(file.parent)
            entry = Entry.of(result)
            if entry.key in entries:
                raise UserError(
                    f"{' on '.join(entry.key)} was measured twice: also in {folders[entry.key]}",
                    where=file.parent,
                    expected="one result of each method on each dataset",
                )
            entries[entry.key], folders[entry.key] = entry, file.parent
            if over is not None:
                read[entry.key] = over
    return Snapshot(entries, folders, ", ".join(map(str, runs)), read)


def believed(folder: Path) -> tuple[RunResult, OverClips | None]:
    """Return a method's result and its clips, which are None if records are not next to it or accuracy is missing.

    Raises UserError if the metrics do not follow from the records.
    """
    kept = read_folder(folder)
    if kept.result.metrics is None or not kept.has_records:
        return kept.result, None
    over = over_clips(kept, kept.clips())
    require_follows(kept.result, over.totals, kept.result.protocol, folder / "result.json")
    return kept.result, over


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file. Raises UserError for a newer schema and for a damaged or empty file."""
    expected = "a file that `vssbench baseline update` wrote, or a run directory"
    try:
        data = json.loads((regular(path) if path.exists() else path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        fix = None if path.exists() else f'vssbench baseline update RESULTS --output {quote(str(path))} --reason "..."'
        raise UserError(f"cannot be read: {error}", where=path, expected=expected, fix=fix) from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if type(schema) is not int or schema < 1 or "entries" not in data:
        raise UserError("is not a baseline", where=path, expected=expected)
    if schema > SCHEMA:
        raise UserError(
            f"has schema {schema}; this vssbench reads up to {SCHEMA}", where=path, fix="pip install --upgrade vssbench"
        )
    try:
        found = Baseline.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"key {key}: {first['msg']}", where=path, expected=f"a baseline of schema {SCHEMA}") from None
    names = [" on ".join(entry.key) for entry in found.entries]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name} appears twice", where=path, expected="one entry per method and dataset")
    return found


def read_either(path: Path) -> Snapshot:
    """Read a baseline file, or a run directory in its place."""
    if path.is_dir():
        return read_runs([path])
    found = read_baseline(path)
    return Snapshot(keyed(found.entries), {}, f"{path}: {found.reason} ({found.updated[:10]})")


def keyed(entries: Iterable[Entry]) -> dict[Key, Entry]:
    return {entry.key: entry for entry in entries}


def updated(old: Mapping[Key, Entry], new: Mapping[Key, Entry], reason: str, prune: bool) -> Baseline:
    """Return the baseline after `new` was accepted. prune: drop entries that `new` lacks, which are otherwise kept."""
    if not reason.strip():
        raise UserError("a baseline needs a reason", fix='--reason "what changed, and why that is right"')
    kept = dict(new) if prune else {**old, **new}
    return Baseline(
        reason=reason.strip(),
        updated=datetime.now(UTC).isoformat(timespec="seconds"),
        entries=[kept[key] for key in sorted(kept)],
    )
