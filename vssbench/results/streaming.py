"""What a run keeps of streams at a frame rate, one line per clip and rate, and the figures that follow from it."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vssbench.datasets.fingerprint import digest
from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.accuracy.on_show import accuracies
from vssbench.metrics.cost.latency import milliseconds
from vssbench.results.fields import Count, KindName, Rate
from vssbench.types import LabelSpace

FILE = "stream.jsonl"
Take = Literal["newest", "every"]


class StreamRecord(BaseModel):
    """One clip under one method at one frame rate.

    frames, labelled: frames that arrived, and how many of them have labels
    taken:        frames that the method ran on, by kind in `kinds`
    dropped:      frames that it passed over for a newer one; the rest still waited when the clip ended
    before_first: frames that arrived before anything was on show
    ages:         microseconds since the camera saw what is on show -> at how many frames
    states:       of the metric OnShow
    conditions:   digest of everything that it depends on
    cut_from:     exists for metrics that read clips' states; None, as a streamed clip is a whole one
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    clip: str
    fps: Rate
    frames: Count
    labelled: Count
    taken: Count
    dropped: Count
    before_first: Count
    kinds: dict[KindName, Count]
    ages: dict[str, Count]
    states: dict[str, Any]
    conditions: str | None = None
    cut_from: None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _adds_up(self) -> StreamRecord:
        if self.labelled > self.frames:
            raise ValueError(f"{self.labelled} labelled frames of {self.frames}")
        if sum(self.kinds.values()) != self.taken:
            raise ValueError(f"{self.taken} frames taken, {sum(self.kinds.values())} by kind")
        if self.taken + self.dropped > self.frames:
            raise ValueError(f"{self.taken} frames taken and {self.dropped} dropped of {self.frames}")
        if sum(self.ages.values()) + self.before_first != self.frames:
            raise ValueError(f"ages of {sum(self.ages.values())} frames and {self.before_first} before the first")
        if not all(age.isdecimal() and age.isascii() for age in self.ages):
            raise ValueError("ages that are not whole microseconds")
        return self


def read_records(folder: Path) -> list[StreamRecord]:
    """Read the records of a method's folder; a line that an interruption cut short is left out.

    Raises UserError for a damaged line.
    """
    path, records = folder / FILE, []
    data = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            records.append(StreamRecord.model_validate_json(line))
        except ValidationError as error:
            raise UserError(
                f"is damaged: {error.errors()[0]['msg']}",
                where=f"{path}:{number}",
                fix="delete that line: its clip is then streamed again",
            ) from None
    return records


class Camera(NamedTuple):
    """A camera in front of one method.

    fps:     frames per second
    take:    "newest": a free method takes the last frame that arrived; "every": it takes all frames in turn
    latency: (frame kind, whole microseconds per frame), each kind once
    assumed: whether these times were given, not measured
    """

    fps: float
    take: Take
    latency: tuple[tuple[str, int], ...]
    assumed: bool = False

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Camera:
        """Return the camera of one rate of `RunResult.streaming`."""
        latency = tuple(sorted((kind, round(1e3 * spent)) for kind, spent in entry["latency_ms"].items()))
        return cls(entry["fps"], entry["take"], latency, entry["assumed"])

    def conditions(self, method: str | None, files: Mapping[str, str]) -> str:
        """Return the digest of all that a clip's record depends on.

        method, files: conditions and files of the clip's plain record
        """
        return digest([json.dumps([method, files, *self[:-1]], sort_keys=True)])[:16]


def entry(
    camera: Camera,
    records: Sequence[StreamRecord],
    protocol: str,
    space: LabelSpace,
    samples: Mapping[str, Sequence[Any]] | None,
) -> dict[str, Any]:
    """Return one rate of `RunResult.streaming`.

    records: of one rate, for every clip that counts in the run;  samples: of the run's latency pass, or None
    """
    fps = camera.fps
    found = accuracies(Clips(protocol, space, records))
    ages: Counter[int] = Counter()
    for record in records:
        ages.update({int(age): count for age, count in record.ages.items()})
    frames = sum(record.frames for record in records)
    return {
        "fps": fps,
        "take": camera.take,
        "assumed": camera.assumed,
        "latency_ms": {kind: spent / 1e3 for kind, spent in camera.latency},
        "metrics": {name: value if isinstance(value, float) else None for name, value in found.items()},
        "reasons": {name: value for name, value in found.items() if isinstance(value, str)},
        "frames": frames,
        "taken": sum(record.taken for record in records),
        "dropped": sum(record.dropped for record in records),
        "before_first": sum(record.before_first for record in records),
        "age_ms": {
            "mean": sum(age * count for age, count in ages.items()) / ages.total() / 1e3 if ages.total() else None,
            "p99": percentile(ages, 99) / 1e3 if ages.total() else None,
        },
        "missed": None if samples is None else missed(samples, fps),
    }


def percentile(counts: Mapping[int, int], percent: int) -> float:
    """Return NumPy's percentile of whole numbers, given as number -> count; memory does not grow with the counts."""
    values = sorted(value for value, count in counts.items() if count)
    ends = list(accumulate(counts[value] for value in values))
    rank, rest = divmod(percent * (ends[-1] - 1), 100)
    low, high = (values[bisect_right(ends, min(place, ends[-1] - 1))] for place in (rank, rank + 1))
    return low + (high - low) * rest / 100


def missed(samples: Mapping[str, Sequence[Any]], fps: float) -> float:
    """Return the percent of timed frames, of any kind, that took longer than the camera's time between two frames."""
    return 100 * float((milliseconds(samples, "end_to_end") > 1e3 / fps).mean())
