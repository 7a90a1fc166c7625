"""The versioned result record: what one method did on one dataset, and exactly how that was measured.

A result is a fold over clip records. Percentages are stored as papers print them (65.01, not 0.6501); a missing
value is null, with the reason next to it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vssbench.datasets.fingerprint import digest
from vssbench.errors import UserError
from vssbench.files.atomic import regular
from vssbench.metrics import BUILTIN as METRICS
from vssbench.results.fields import (
    Amount,
    Count,
    Distance,
    Energy,
    Environment,
    Figure,
    Gflops,
    KindName,
    Latency,
    MemoryMeasured,
    Moment,
    Percent,
    Rate,
    Runtime,
    Samples,
    Size,
    Streaming,
    TimedKind,
)
from vssbench.specs import parse
from vssbench.types import KINDS

SCHEMA = 4
"""Increases whenever an earlier vssbench could not read the files written now; new fields count as well."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClipRecord(_Record):
    """One clip under one method: everything that any protocol needs later, in integers.

    frames, labelled: frames streamed, and how many of them have labels
    kinds:   frame kind -> how often it ran
    states:  metric name -> its state
    seconds: phase -> seconds in the accuracy pass (not the latency measurement)
    files:   "frames", "labels", and "predictions" or "metrics" for the files these read -> digest of the bytes; empty
             in records of schema 1 and 2
    conditions: digest of the identity under which it was measured; None in records of schema 1 and 2
    cut_from: the dataset's clip that this one is a part of (--distances); None: it is a whole clip
    """

    clip: str
    frames: Count
    labelled: Count
    kinds: dict[KindName, Count]
    states: dict[str, Any]
    seconds: dict[str, Amount]
    files: dict[str, str] = {}
    conditions: str | None = None
    cut_from: str | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> ClipRecord:
        if self.labelled > self.frames:
            raise ValueError(f"{self.labelled} labelled frames of {self.frames}")
        if sum(self.kinds.values()) != self.frames:
            raise ValueError(f"kinds of {sum(self.kinds.values())} frames, of {self.frames}")
        return self


class DatasetInfo(_Record):
    """The dataset of a run.

    fingerprint: sha256 of the names of all clips and frames of the split, and of the clips that failed
    names:       the clips that were run and did not fail; clips, frames, labelled: how many there are
    files:       digest of the bytes of their frames and labels; None where it is not known
    cut_from:    how many of the dataset's clips they are parts of (--distances); None: they are whole clips
    """

    spec: str
    split: str
    labels: str
    classes: list[str]
    clips: Count
    frames: Count
    labelled: Count
    fingerprint: str
    names: list[str]
    files: str | None = None
    cut_from: Count | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> DatasetInfo:
        if len(self.names) != self.clips or len(set(self.names)) != self.clips:
            raise ValueError(f"{len(set(self.names))} names of {self.clips} clips")
        if self.labelled > self.frames:
            raise ValueError(f"{self.labelled} labelled frames of {self.frames}")
        return self


class WeightsInfo(_Record):
    origin: Literal["none", "file", "packaged", "untrained"]
    path: str | None = None
    sha256: str | None = None


class RunResult(_Record):
    """One method on one dataset (result.json). docs/result.md has every field.

    resolved:    the method's spec with every default written out
    codec:       how the frames were compressed before the method saw them; null: not at all
    metrics:     headline numbers in percent under `protocol`, or None with the reason in `reasons`
    per_class:   class -> IoU in percent
    by_class:    another metric with figures by class -> class -> percent
    by_distance: [{"distance", "mIoU", "pixels"}]: accuracy by distance to the key frame
    kinds:       frame kind -> how often it ran in the accuracy pass; null for a kind that never occurred
    counted_kinds: the same for the clips that count under `protocol`; empty where all of them do
    fps, latency_ms, samples_ms: from the latency pass; samples are kept raw, by frame kind and phase
    reference_ms: time of the reference workload itself around each round of the latency pass
    input_size:  frame kind -> [H, W] of what the network sees of a frame of `gflops.size`, padding included
    params_m:    millions of parameters that inference uses; `params_training_only_m` has those for training only
    memory_mb:   host memory, and device memory where there is a device
    memory_measured: "together": all methods of the run in one process; "alone": in its own; None: not measured
    streaming:   per frame rate, what a viewer sees while the method works on one frame at a time
    energy:      joules per frame of an NVIDIA device, or the reason why there is no figure
    runtime:     what ran the networks; null where there is no network
    skipped:     clip -> why it does not count under `protocol`
    failure:     why the method has no figures at all; with --on-error skip-method
    failed:      clip -> why it could not be measured; it is left out for every method of the run
    notes:       how the protocol treated these clips (windows left out, pixels booked elsewhere)
    caveats:     what a reader must know before comparing this row
    signatures:  figure -> the line to cite it by (`signature.lines`); empty in results of schema 1 to 3
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    method: str
    resolved: str | None = None
    origin: Literal["measured", "replayed", "published"] = "measured"
    dataset: DatasetInfo
    codec: str | None = None
    protocol: str
    metrics: dict[str, Figure | None] | None = None
    reasons: dict[str, str] = {}
    per_class: dict[str, Percent | None] = {}
    by_class: dict[str, dict[str, Percent | None]] = {}
    by_distance: list[Distance] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    failure: str | None = None
    notes: list[str] = []
    kinds: dict[KindName, Count | None] = {}
    counted_kinds: dict[KindName, Count | None] = {}
    gflops: Gflops | None = None
    input_size: dict[KindName, Size] | None = None
    params_m: Amount | None = None
    params_training_only_m: Amount | None = None
    fps: dict[str, Rate | None] | None = None
    latency_ms: dict[TimedKind, dict[str, Latency] | None] | None = None
    samples_ms: Samples | None = None
    reference_ms: list[Amount] | None = None
    memory_mb: dict[str, Amount | None] | None = None
    memory_measured: MemoryMeasured | None = None
    energy: Energy | None = None
    streaming: list[Streaming] = []
    runtime: Runtime | None = None
    weights: WeightsInfo
    caveats: list[str] = []
    environment: Environment = {}
    started: Moment | None = None
    finished: Moment | None = None
    signatures: dict[str, str] = {}

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    @model_validator(mode="after")
    def _holds_together(self) -> RunResult:
        for name, value in (self.metrics or {}).items():
            if value is not None and parse(name).name in METRICS and not 0 <= value <= 100:
                raise ValueError(f"{name} is {value:g} percent")
        for name, classes in {"per_class": self.per_class, **self.by_class}.items():
            others = sorted({*classes} - {*self.dataset.classes})
            if others:
                raise ValueError(f"{name} has {', '.join(others[:3])}, which is not the name of a class")
        frames = sum(count or 0 for count in self.kinds.values())
        if sum(count or 0 for count in self.counted_kinds.values()) > frames:
            raise ValueError("more frames count than there are")
        if self.metrics is not None and frames not in (0, self.dataset.frames):
            raise ValueError(f"kinds of {frames} frames, of {self.dataset.frames}")
        return self

    @property
    def memory_alone(self) -> bool:
        """Whether memory was measured in the method's own process."""
        return self.memory_measured == "alone"

    def to_json(self) -> str:
        """Return indented JSON with a final newline, the same text for the same result."""
        return json.dumps(without_nan(self.model_dump(by_alias=True)), indent=1, ensure_ascii=False) + "\n"


def files_digest(records: Sequence[ClipRecord]) -> str | None:
    """Return one digest of all frames and labels that the records were measured on; None if one has no digest."""
    parts = [f"{record.clip}\0{record.files.get('frames')}\0{record.files.get('labels')}" for record in records]
    return digest(parts)[:16] if records and all(record.files.get("frames") for record in records) else None


def count_kinds(records: Sequence[ClipRecord]) -> dict[str, int | None]:
    """Return how often each frame kind ran over all clips; None for a kind that never ran."""
    total: Counter[str] = Counter()
    for record in records:
        total.update(record.kinds)
    return {kind: total.get(kind) for kind in KINDS}


def _with_failed(data: dict[str, Any]) -> dict[str, Any]:
    """Migrate from schema 1, in which a failed clip ended the run."""
    return {**data, "failed": {}}


def _with_files(data: dict[str, Any]) -> dict[str, Any]:
    """Migrate from schema 2, which did not record the contents of files."""
    return {**data, "dataset": {**data["dataset"], "files": None}} if isinstance(data.get("dataset"), dict) else data


def _with_signatures(data: dict[str, Any]) -> dict[str, Any]:
    """Migrate from schema 3: citations were made on request, and memory measured with all methods in one process."""
    return {**data, "signatures": {}, "memory_measured": "together" if data.get("memory_mb") else None}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _with_failed,
    2: _with_files,
    3: _with_signatures,
}
"""Schema -> the function that turns its results into those of the next schema."""


def read_result(path: Path) -> RunResult:
    """Read a result.json, also of an older schema. Raises UserError for a newer schema or a damaged file."""
    try:
        data = json.loads(regular(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {error}", where=path, expected="a result.json that vssbench wrote") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if type(schema) is not int or schema < min(MIGRATIONS):
        raise UserError("has no schema number", where=path, expected="a result.json that vssbench wrote")
    if schema > SCHEMA:
        raise UserError(
            f"has schema {schema}; this vssbench reads up to {SCHEMA}", where=path, fix="pip install --upgrade vssbench"
        )
    for older in range(schema, SCHEMA):
        data = {**MIGRATIONS[older](data), "schema": older + 1}
    try:
        return RunResult.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"key {key}: {first['msg']}", where=path, expected=f"a result of schema {SCHEMA}") from None


def without_nan(value: Any) -> Any:
    """Return the same JSON value with NaN and infinities as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value
