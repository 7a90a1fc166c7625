"""The report of doctor: the faults with their fixes, and what the dataset holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vssbench.datasets.on_disk import Release
from vssbench.datasets.read_pixels import DOCTOR, Value
from vssbench.errors import UserError, counted
from vssbench.types import IGNORE, LabelSpace


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where it is, what is wrong and what to do about it."""

    clip: str | None
    file: str
    what: str
    expected: str | None = None
    fix: str | None = None

    @classmethod
    def of(cls, error: UserError, clip: str | None, file: object = None) -> Finding:
        where = error.where if error.where is not None else file
        fix = error.fix and error.fix.removesuffix("; " + DOCTOR)  # that advice has just been followed
        return cls(clip, str(where), error.what, error.expected, fix)


@dataclass
class Occurrence:
    """Where an unknown value occurs.

    file, row, column: the first such pixel;  picture: a PNG that shows the pixels in the first file
    """

    clip: str
    file: Path
    row: int
    column: int
    pixels: int = 0
    files: int = 0
    picture: Path | None = None

    def to_json(self, value: Value) -> dict[str, Any]:
        """The occurrence as plain data."""
        place = {"first": str(self.file), "row": self.row, "column": self.column}
        picture = str(self.picture) if self.picture else None
        said = list(value) if isinstance(value, tuple) else value
        return {"value": said, "pixels": self.pixels, "files": self.files, **place, "picture": picture}

    def __str__(self) -> str:
        seen = f"; {self.picture} shows them" if self.picture else ""
        where = f"{counted(self.pixels, 'pixel')} in {counted(self.files, 'label file')}"
        return f"{where}, first at row {self.row}, column {self.column} of {self.file}{seen}"


@dataclass
class Report:
    """What was found.

    pixels: int64[256] pixels of labelled frames by train id (255: void);  occurs: int64[256] frames with the id
    turned: frames that are not stored upright
    meaningless: unknown value or (r, g, b) -> where it occurs
    """

    dataset: str
    split: str
    space: LabelSpace
    clips: int = 0
    frames: int = 0
    labelled: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    occurs: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    turned: int = 0
    meaningless: dict[Value, Occurrence] = field(default_factory=dict)
    release: Release | None = None
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; a share is None where there is nothing to divide by."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "clean": not self.findings,
            "summary": {
                "clips": self.clips,
                "frames": self.frames,
                "labelled_frames": self.labelled,
                "sizes": dict(self.sizes),
                "void_percent": self._percent(IGNORE),
                "classes": [
                    {"name": name, "percent": self._percent(k), "frames": int(self.occurs[k])}
                    for k, name in enumerate(self.space.names)
                ],
                "without_meaning": [one.to_json(value) for value, one in self.meaningless.items()],
                "release": asdict(self.release) if self.release else None,
            },
            "notes": self.notes,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def _percent(self, train_id: int) -> float | None:
        """The class's share of the labelled frames' pixels."""
        total = int(self.pixels.sum())
        return 100 * int(self.pixels[train_id]) / total if total else None
