"""The page of a large comparison: 20 results on a dataset as large as VSPW val, 343 clips and 124 classes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reports import Size, make_run
from tests.helpers.browser import Browser, chromium
from tests.helpers.programs import IN_CI
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.reports import page, read_runs
from vssbench.reports.rows import Row
from vssbench.results.kept_frames import FrameFolder, KeptClip, Watch
from vssbench.types import Prediction

SIZE, MEGABYTES = Size(methods=20, clips=343, classes=124), 6
SPACE = load_space("vspw")


def large_rows(folder: Path) -> list[Row]:
    """Methods with a predicted frame of every clip, as FrameFolder.add leaves them; three have image and labels."""
    random = np.random.default_rng(0)
    (frame, *_) = Synthetic(None, "val", clips=1, frames=1, height=480, width=853).frames("val_0000")
    assert frame.labels is not None
    watch = Watch("clip", SPACE, 1, 1)
    watch(frame, Prediction(frame.labels, "nonkey", 3))
    (pictured,) = watch.kept().frames
    for own in make_run(folder, SIZE):
        frames = FrameFolder(own, 3)
        frames.folder.mkdir()
        accuracies = random.uniform(30, 100, SIZE.clips)
        worst = set(np.argsort(accuracies)[:3].tolist())
        for index, accuracy in enumerate(accuracies.tolist()):
            seen = pictured.model_copy(update={"accuracy": accuracy})
            one = KeptClip(clip=f"{index}_clip", colours=SPACE.colours.tobytes(), frames=[seen])
            one = one if index in worst else one.reduced(())
            (frames.folder / f"{index}.json").write_text(one.model_dump_json())
    return read_runs.read([folder], pairs=True)


@pytest.mark.slow
def test_page_of_20_methods_on_343_clips_is_at_most_6_megabytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = large_rows(tmp_path / "large")
    start = time.perf_counter()
    path = page.write(rows, tmp_path)
    written = time.perf_counter() - start
    size = path.stat().st_size / 2**20
    said = [f"{size:.2f} MB, written in {written:.1f} s"]
    program = chromium()
    assert program or not IN_CI
    if program:
        browser = Browser(program, tmp_path / "profile")
        browser.open(path)
        shown = browser.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
        ready = browser.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
        said.append(f"drawn after {ready:.0f} ms, loaded after {shown:.0f} ms")
        assert browser.evaluate("document.querySelectorAll('#clips circle.clip').length") == SIZE.clips
        assert browser.evaluate("document.querySelectorAll('#classes td').length") == SIZE.methods * SIZE.classes
        assert browser.console == []
        assert ready < 5000
        browser.close()
    with capsys.disabled():
        print("\n" + "; ".join(said))
    assert size <= MEGABYTES
