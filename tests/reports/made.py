"""Handmade method folders: as a run leaves them, with records of chosen numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vssbench.files.atomic import write_json
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.results.fold import score
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo
from vssbench.results.run_folder import slug
from vssbench.types import LabelSpace

CLASSES = ["road", "sky", "tree"]
METRICS = ["mIoU", "WIoU"]


def record(clip: str, right: float, rng: np.random.Generator, pixels: int = 1000) -> ClipRecord:
    """One frame in which about the share `right` of each class's pixels is right."""
    cells: dict[int, int] = {}
    for label in range(len(CLASSES)):
        hits = int(rng.binomial(pixels, right))
        cells |= {label * 256 + label: hits, label * 256 + (label + 1) % len(CLASSES): pixels - hits}
    counts = [sorted(cells), [cells[cell] for cell in sorted(cells)]]
    state = {"frames": 1, "labelled": 1, "counts": {"0": counts}, "outside": []}
    return ClipRecord(
        clip=clip, frames=1, labelled=1, kinds={"key": 1}, states={"confusion": [state]}, seconds={"step": 0.1}
    )


def method_folder(
    run: Path,
    method: str,
    right: float | None,
    clips: int = 12,
    seed: int = 0,
    protocol: str = "exact",
    **changes: object,
) -> Path:
    """A method's folder in a run directory. right: share of right pixels; None: measured for cost only."""
    rng = np.random.default_rng(seed)
    records = [record(f"clip{number}", right, rng) for number in range(clips)] if right is not None else []
    info = DatasetInfo(
        spec="camvid", split="val", labels="camvid", classes=CLASSES, clips=clips, frames=clips, labelled=clips,
        fingerprint="f" * 64, names=[f"clip{number}" for number in range(clips)],
    )  # fmt: skip
    result = RunResult(
        method=method,
        dataset=info,
        protocol=protocol,
        weights=WeightsInfo(origin="file"),
        kinds={"key": clips},
        **changes,
    )
    if records:
        score(result, Clips(protocol, LabelSpace.plain("camvid", CLASSES), records), METRICS)
    folder = run / slug(method)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(result.to_json())
    (folder / "clips.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in records))
    write_json(folder / "identity.json", {"metrics": METRICS})
    return folder
