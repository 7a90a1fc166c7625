"""Hand-made results as runs leave them: three clips of two classes with known pixel counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vssbench.gate.baseline import Entry, Key, Snapshot
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo
from vssbench.results.run_folder import slug
from vssbench.specs import parse
from vssbench.types import LabelSpace

CLASSES = ["road", "car"]
SPACE = LabelSpace.plain("made", CLASSES)
CLIPS = ("a", "b", "c")
PIXELS, FRAMES = 1000, 4
SAMPLES = {
    "round": [0, 0, 0, 1, 1, 1],
    "kind": ["key", "nonkey", "nonkey"] * 2,
    "prepare": [1.0] * 6, "step": [99.0] * 6, "decode": [1.0] * 6,
    "prepare_own": [1.0] * 6, "step_own": [8.0, 1.0, 3.0, 16.0, 2.0, 6.0], "decode_own": [0.5] * 6,
}  # fmt: skip
"""Latencies of two rounds of three frames, in milliseconds."""


def records(wrong: int, clips: Iterable[str] = CLIPS) -> list[ClipRecord]:
    """Records in which `wrong` of each clip's 1000 pixels of either class are predicted as the other."""
    cells = {0: PIXELS - wrong, 1: wrong, 256: wrong, 257: PIXELS - wrong}
    head = {"frames": FRAMES, "labelled": FRAMES}
    state = head | {"counts": {"0": [list(cells), list(cells.values())]}, "outside": []}
    return [
        ClipRecord(clip=clip, **head, kinds={"key": FRAMES}, states={"confusion": [state]}, seconds={})
        for clip in clips
    ]


def result(method: str = "mpvss", wrong: int = 100, clips: Iterable[str] = CLIPS, **changes: Any) -> RunResult:
    """The result of those records, with some cost. changes: of its fields; `dataset`: of DatasetInfo's."""
    kept = records(wrong, clips)
    info = {
        "spec": "synthetic", "split": "val", "labels": "made", "classes": CLASSES, "clips": len(kept),
        "frames": FRAMES * len(kept), "labelled": FRAMES * len(kept), "fingerprint": "f" * 64,
        "names": [record.clip for record in kept],
    }  # fmt: skip
    made = RunResult(
        schema=1,
        method=method,
        resolved=f"{method}(key_interval=5)",
        dataset=DatasetInfo(**(info | changes.pop("dataset", {}))),
        protocol="exact",
        metrics=evaluate("exact", SPACE, kept, [parse("mIoU"), parse("WIoU")]).metrics,
        gflops={"key": 2.0, "nonkey": 0.5, "warmup": None, "amortised": 0.8},
        params_m=3.0,
        memory_mb={"host_peak": 300.0, "host_working": 40.0},
        weights=WeightsInfo(origin="file", path="/home/someone/secret.pth", sha256="a" * 64),
        environment={"cpu": "one", "threads": 1, "packages": {"torch": "2.13.0"}},
    )
    return made.model_copy(update=changes)


def snapshot(*results: RunResult) -> Snapshot:
    """One side of a comparison without folders."""
    entries: Mapping[Key, Entry] = {entry.key: entry for entry in map(Entry.of, results)}
    return Snapshot(entries, {}, "made")


def write(run: Path, *results: tuple[RunResult, int]) -> Path:
    """Write a run directory. results: each with the `wrong` of its records."""
    for made, wrong in results:
        folder = run / slug(made.method)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(made.to_json())
        lines = [record.model_dump_json() + "\n" for record in records(wrong, made.dataset.names)]
        (folder / "clips.jsonl").write_text("".join(lines))
    return run
