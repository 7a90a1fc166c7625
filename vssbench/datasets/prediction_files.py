"""A folder of predictions for a dataset, `<clip>/<frame stem>.png`: which files are missing, and which fit no frame."""

from __future__ import annotations

from pathlib import Path

from vssbench.errors import UserError, listed
from vssbench.types import Dataset

_SHOWN = 5


def check_files(dataset: Dataset, predictions: Path, every: bool = False) -> None:
    """Raise one UserError that lists the first missing files, unless every labelled frame has its prediction.

    every: unlabelled frames need a prediction too
    """
    if not predictions.is_dir():
        raise UserError("no such folder", where=predictions, expected="predictions as <clip>/<frame stem>.png")
    clips = list(dataset.clips())
    if not clips:
        raise UserError(f"{dataset.name} has no clips in this split", fix="vssbench doctor shows what is there")
    missing = [file for clip in clips for file in _missing(dataset, clip, predictions, every)]
    if missing:
        raise UserError(
            f"prediction files or clip folders missing: {len(missing)} ({listed(missing, _SHOWN)})",
            where=predictions,
            expected=f"<clip>/<frame stem>.png for every {'frame' if every else 'labelled frame'}",
        )


def surplus(dataset: Dataset, predictions: Path) -> list[str]:
    """Messages about files in the clips' folders that fit no frame; empty if there are none.

    Nothing else shows that a numbering is off by one: each frame has a file, and the last file has no frame.
    """
    found = []
    for clip in dataset.clips():
        folder = predictions / clip
        if folder.is_dir():
            stems = set(dataset.stems(clip))
            files = sorted(file.name for file in folder.glob("*.png") if not file.name.startswith("."))
            found += [f"{clip}/{name}" for name in files if name.removesuffix(".png") not in stems]
    if not found:
        return []
    what = "1 prediction file fits" if len(found) == 1 else f"{len(found)} prediction files fit"
    return [f"{what} no frame: {listed(found, _SHOWN)}; is the numbering off by one?"]


def _missing(dataset: Dataset, clip: str, predictions: Path, every: bool) -> list[str]:
    """Missing files; a whole missing folder counts as one. Labels are only read where something is missing."""
    folder = predictions / clip
    if not folder.is_dir():
        wanted = every or any(labels is not None for _, labels in dataset.labels(clip))
        return [f"{clip}/ (the whole clip)"] if wanted else []
    there = {file.name for file in folder.iterdir()}
    if all(f"{stem}.png" in there for stem in dataset.stems(clip)):
        return []
    return [
        f"{clip}/{stem}.png"
        for stem, labels in dataset.labels(clip)
        if (every or labels is not None) and f"{stem}.png" not in there
    ]
