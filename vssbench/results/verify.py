"""Check that a result follows from the files next to it: compute every figure again from records and timings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vssbench.environment import HARDWARE
from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.results.fold import score, speed, stream
from vssbench.results.read_folder import Kept, read_folder
from vssbench.results.record import RunResult, count_kinds, files_digest, without_nan
from vssbench.results.run_folder import conditions_of, read_clips, read_identity
from vssbench.results.signature import lines
from vssbench.results.timings import read_timings
from vssbench.specs import inside, parse

TOLERANCE = 1e-9
"""Relative; a different machine may sum floats in a different order."""


@dataclass
class Verified:
    """The outcome for one method's folder. values: how many were compared; differences: one line each."""

    folder: Path
    method: str = ""
    clips: int = 0
    values: int = 0
    differences: list[str] = field(default_factory=list)

    def compare(self, what: str, stands: Any, follows: Any) -> None:
        """Note where two JSON values differ. stands: the value in the file;  follows: the value computed again."""
        for place, one, other in _leaves(what, without_nan(stands), without_nan(follows)):
            self.values += 1
            if not _same(one, other):
                self.differences.append(f"{place} is {_told(one)}, but {_told(other)} follows from the records")


def verify(folder: Path) -> Verified:
    """Check one method's folder; a file that cannot be read counts as a difference like any other."""
    found = Verified(folder)
    try:
        kept, identity = read_folder(folder), read_identity(folder)
        found.method = kept.result.method
        found.compare("method", kept.result.method, identity.get("method"))
        found.compare("codec", kept.result.codec, identity.get("codec"))
        found.compare("dataset.spec", kept.result.dataset.spec, identity.get("dataset"))
        found.compare("dataset.split", kept.result.dataset.split, identity.get("split"))
        weights = kept.result.weights
        found.compare("weights", weights.sha256 or weights.origin, identity.get("weights"))
        if kept.result.metrics is not None:
            _accuracy(found, kept, identity)
        elif kept.result.failure is None and read_clips(folder / "clips.jsonl"):
            found.differences.append("metrics are missing, although there are records to compute them from")
        _speed(found, kept.result, folder, conditions_of(identity))
        if kept.result.signatures:  # a result of an older schema has none
            found.compare("signatures", kept.result.signatures, lines(kept.result))
    except UserError as error:
        found.differences.append(str(error))
    return found


def _accuracy(found: Verified, kept: Kept, identity: dict[str, Any]) -> None:
    """Compare everything that follows from the clip records."""
    result, records = kept.result, kept.records()
    found.clips = len(records)
    again = result.model_copy(deep=True)
    score(again, Clips(result.protocol, kept.space, records), identity["metrics"])
    if None in (result.metrics or {}).values():  # counts that the protocol ignores must be sound too
        score(result.model_copy(deep=True), Clips("exact", kept.space, records), identity["metrics"])
    for name in ("metrics", "reasons", "per_class", "by_class", "by_distance", "skipped", "notes", "counted_kinds"):
        found.compare(name, getattr(result, name), getattr(again, name))
    kinds = count_kinds(records)
    found.compare("kinds", result.kinds, kinds)
    stream(again, kept.streams(), kept.space)
    found.compare("streaming", result.streaming, again.streaming)
    found.compare("dataset.frames", result.dataset.frames, sum(record.frames for record in records))
    found.compare("dataset.labelled", result.dataset.labelled, sum(record.labelled for record in records))
    sources = {record.cut_from for record in records} - {None}
    found.compare("dataset.cut_from", result.dataset.cut_from, len(sources) or None)
    found.compare("dataset.files", result.dataset.files, files_digest(records))
    conditions = conditions_of(identity)
    for record in records:
        found.compare(f"conditions of clip {record.clip}", record.conditions, conditions)
    gflops = result.gflops
    wrapped = bool(inside(parse(result.method)))  # its inner method's kinds are not part of the record
    if gflops is not None and gflops.get("amortised") is not None and not wrapped:
        ran = {kind: count for kind, count in kinds.items() if count}
        spent = [gflops.get(kind) for kind in ran]
        if None not in spent:
            whole = math.fsum(float(one or 0) * count for one, count in zip(spent, ran.values(), strict=True))
            mean = whole / sum(ran.values())
            found.compare("gflops.amortised", gflops["amortised"], mean)


def _speed(found: Verified, result: RunResult, folder: Path, conditions: str) -> None:
    """Compare everything that follows from the raw timings, and check that they are of this run.

    conditions: digest of the run's identity
    """
    if result.fps is None and result.samples_ms is None:
        return
    path = folder / "latency.json"
    if not path.exists():
        found.differences.append("the result has fps, but there is no latency.json to compute it from")
        return
    again = result.model_copy(deep=True)
    timed = read_timings(path)
    speed(again, timed)
    measured_on = {**result.environment, "conditions": conditions}
    for name in (*HARDWARE, "conditions"):
        found.compare(f"conditions of the timings, {name}", timed["conditions"].get(name), measured_on.get(name))
    for name in ("fps", "latency_ms", "samples_ms", "reference_ms", "memory_mb", "memory_measured", "energy"):
        found.compare(name, getattr(result, name), getattr(again, name))


def _leaves(place: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield pairs of values that are neither mappings nor lists, with their places; whole where the shapes differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from _leaves(f"{place}.{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from _leaves(f"{place}[{index}]", *pair)
    else:
        yield place, one, other


def _same(one: Any, other: Any) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=TOLERANCE) if numbers else one == other


def _told(value: Any) -> str:
    text = "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:30]}...{text[-27:]}"
