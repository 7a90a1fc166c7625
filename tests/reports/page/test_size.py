"""The page of a large comparison: 20 results on all of VSPW's validation split, 343 clips and 124 classes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.browser import Browser, chromium
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.reports import page
from vssbench.reports.rows import Row, measured
from vssbench.results.kept_frames import FrameFolder, KeptClip, KeptFrame, Watch
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo
from vssbench.stats.bootstrap import Interval
from vssbench.types import Prediction

RESULTS, CLIPS, MEGABYTES = 20, 343, 6
SPACE = load_space("vspw")
NAMES = [f"{number}_video-of-vspw" for number in range(CLIPS)]


def record(clip: str, random: np.random.Generator) -> ClipRecord:
    """A clip with 12 of the classes, some of them confused with each other at each of five distances."""
    present = random.choice(SPACE.classes, 12, replace=False)
    codes = np.unique(np.append(present * 257, random.choice(present, 30) * 256 + random.choice(present, 30))).tolist()
    counts = {str(distance): [codes, random.integers(1, 10**5, len(codes)).tolist()] for distance in range(5)}
    windows = {
        n: np.sort(random.integers(1, 10**5, (5, 70 - int(n))), axis=0)[[4, 3, 2, 1, 0]].tolist() for n in ("8", "16")
    }
    base = {"frames": 70, "labelled": 70}
    return ClipRecord(
        clip=clip, frames=70, labelled=70, kinds={"key": 14, "nonkey": 56}, seconds={},
        states={
            "confusion": [{**base, "counts": counts, "outside": []}],
            "consistency": [{**base, "windows": windows}],
        },
    )  # fmt: skip


def kept(clip: str, pictured: KeptFrame, accuracy: float) -> KeptClip:
    frame = pictured.model_copy(update={"accuracy": accuracy})
    return KeptClip(clip=clip, colours=SPACE.colours.tobytes(), frames=[frame])


def large_rows(folder: Path) -> list[Row]:
    random = np.random.default_rng(0)
    (frame, *_) = Synthetic(None, "val", clips=1, frames=1, height=480, width=853).frames("val_0000")
    assert frame.labels is not None
    watch = Watch("clip", SPACE, 1, 1)
    watch(frame, Prediction(frame.labels, "nonkey", 3))
    (pictured,) = watch.kept().frames
    info = DatasetInfo(
        spec="vspw", split="val", labels="vspw", classes=list(SPACE.names), clips=CLIPS, frames=70 * CLIPS,
        labelled=70 * CLIPS, fingerprint="f" * 64, names=NAMES,
    )  # fmt: skip
    rows = []
    for number in range(RESULTS):
        method = f"mpvss(backbone=swin_t,key_interval={number + 1})"
        own = folder / "large" / str(number)
        own.mkdir(parents=True)
        times = {phase: random.gamma(9, 4, 2400).tolist() for phase in ("prepare", "step", "decode")}
        result = RunResult(
            method=method, dataset=info, protocol="vspw", weights=WeightsInfo(origin="file", sha256="0" * 64),
            metrics={"mIoU": 40 - number / 2, "WIoU": 60.0, "VC@8": 90.0 - number, "VC@16": 88.0},
            per_class=dict(zip(SPACE.names, random.uniform(0, 100, SPACE.classes).tolist(), strict=True)),
            by_distance=[{"distance": d, "mIoU": 40.0 - d, "pixels": 1} for d in range(min(number + 1, 12))],
            gflops={"amortised": 100.0 / (number + 1), "key": 100.0, "nonkey": 5.0, "uncounted": []},
            params_m=80.0, fps={"step": 9.0 + number, "step+decode": 8.0, "end_to_end": 7.0},
            samples_ms={"round": [0] * 2400, "kind": ["key", "nonkey"] * 1200, **times},
        )  # fmt: skip
        (own / "result.json").write_text(result.to_json())
        records = (json.dumps(record(clip, random).model_dump()) for clip in NAMES)
        (own / "clips.jsonl").write_text("".join(line + "\n" for line in records))
        frames = FrameFolder(own, 3)
        frames.folder.mkdir()
        accuracies = random.uniform(30, 100, CLIPS)
        worst = set(np.argsort(accuracies)[:3].tolist())
        for index, clip in enumerate(NAMES):  # as FrameFolder.add leaves them, without its care for interruptions
            one = kept(clip, pictured, float(accuracies[index]))
            one = one if index in worst else one.reduced(())
            (frames.folder / f"{index}.json").write_text(one.model_dump_json())
        metrics = result.metrics or {}
        spans = {name: Interval(value, (value or 0) - 1, (value or 0) + 1) for name, value in metrics.items()}
        rows.append(measured(result, own, spans))
    return rows


@pytest.mark.slow
def test_a_large_comparison_is_a_small_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = large_rows(tmp_path)
    start = time.perf_counter()
    path = page.write(rows, tmp_path)
    written = time.perf_counter() - start
    size = path.stat().st_size / 2**20
    said = [f"{size:.2f} MB, written in {written:.1f} s"]
    program = chromium()
    if program:
        browser = Browser(program, tmp_path / "profile")
        browser.open(path)
        shown = browser.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
        ready = browser.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
        said.append(f"drawn after {ready:.0f} ms, loaded after {shown:.0f} ms")
        assert browser.evaluate("document.querySelectorAll('#clips circle.clip').length") == CLIPS
        assert browser.evaluate("document.querySelectorAll('#classes td').length") == RESULTS * SPACE.classes
        assert browser.console == []
        assert ready < 5000
        browser.close()
    with capsys.disabled():
        print("\n" + "; ".join(said))
    assert size <= MEGABYTES
