"""The places where labels changed between two frames although no motion explains it, as many as fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from vssbench.reports.page.frames import encoded
from vssbench.results.kept_frames import KeptClip, KeptFrame


def places(rows: Sequence[Sequence[KeptClip]], clips: Collection[str], budget: int) -> list[dict[str, Any]]:
    """Return kept frames of some clips by share of unexplained changes, worst first; row: index of the method's row.

    rows: as `frames.kept_by` returns them
    Places are added until the budget, in characters, is used up: first the worst of each clip and method, then the
    second worst of each, and so on.
    """
    ranked: list[tuple[int, float, str, int, int, KeptFrame]] = []
    for row, kept in enumerate(rows):
        for clip in kept:
            if clip.clip in clips:
                worst = sorted(clip.frames, key=lambda frame: (-(frame.flicker or 0), frame.index))
                ranked += [
                    (place, -frame.flicker, clip.clip, frame.index, row, frame)
                    for place, frame in enumerate(worst)
                    if frame.flicker
                ]
    shown: list[dict[str, Any]] = []
    for *_, name, index, row, frame in sorted(ranked, key=lambda one: one[:-1]):
        labels, changed = encoded(frame.prediction), encoded(frame.changed)
        budget -= len(labels) + len(changed)
        if budget < 0:
            break
        shown.append(
            {"clip": name, "index": index, "stem": frame.stem, "row": row, "share": round(frame.flicker or 0, 3),
             "labels": labels, "changed": changed}
        )  # fmt: skip
    return sorted(shown, key=lambda one: -one["share"])
