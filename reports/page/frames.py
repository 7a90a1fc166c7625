"""The frames that the runs kept, as many as fit: each with every method's prediction, and the ground truth if kept."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from vssbench.reports.rows import Row
from vssbench.results.kept_frames import KeptClip, KeptFrame, read_frames

BUDGET = 3_500_000
"""Characters of pictures in one page: with everything else the page stays below 6 MB."""


def kept_by(rows: Sequence[Row]) -> list[list[KeptClip]]:
    """Return what each row keeps of the clips that count. Raises UserError for a damaged file."""
    counted = [set(row.result.dataset.names) if row.result else set() for row in rows]
    return [
        [kept for kept in read_frames(row.folder) if kept.clip in names] if row.folder else []
        for row, names in zip(rows, counted, strict=True)
    ]


def frames(rows: Sequence[Sequence[KeptClip]], budget: int) -> dict[str, Any]:
    """Return {"colours": the classes' colours, "frames": worst first, by the mean over methods}.

    rows: as `kept_by` returns them
    What exceeds the budget, in characters, is left out, beginning with frames of which no image was kept.
    """
    found: dict[tuple[str, int], dict[int, KeptFrame]] = {}
    colours: list[str] = []
    for number, clips in enumerate(rows):
        for kept in clips:
            colours = colours or [kept.colours[start : start + 3].hex() for start in range(0, len(kept.colours), 3)]
            for frame in kept.frames:
                found.setdefault((kept.clip, frame.index), {})[number] = frame
    order = sorted(
        (not any(frame.image for frame in by.values()), fmean(frame.accuracy for frame in by.values()), clip, index)
        for (clip, index), by in found.items()
    )
    shown: list[tuple[float, dict[str, Any]]] = []
    for _, accuracy, clip, index in order:
        one = _frame(clip, found[clip, index])
        budget -= sum(map(len, [one["image"], one["labels"], *(each["labels"] for each in one["predictions"])]))
        if budget < 0:
            break
        shown.append((accuracy, one))
    worst = [one for _, one in sorted(shown, key=lambda pair: pair[0])]
    return {"colours": colours, "frames": worst, "framesLeftOut": len(order) - len(shown)}


def _frame(clip: str, by: dict[int, KeptFrame]) -> dict[str, Any]:
    """Return one frame; row: index of the method's row."""
    own = list(by.values())
    pictured = next((frame for frame in own if frame.image and frame.labels), own[0])
    return {
        "clip": clip,
        "index": pictured.index,
        "stem": pictured.stem,
        "image": encoded(pictured.image),
        "labels": encoded(pictured.labels),
        "predictions": [
            {
                "row": row,
                "accuracy": round(frame.accuracy, 2),
                "kind": frame.kind,
                "age": frame.age,
                "worst": frame.image is not None,
                "labels": encoded(frame.prediction),
            }
            for row, frame in by.items()
        ],
    }


def encoded(picture: bytes | None) -> str:
    return b64encode(picture or b"").decode()
