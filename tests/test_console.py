"""Every console block of the documentation runs as it is, in a folder that holds what the pages mention.

A block that cannot run says why: `<!-- not run: reason -->` on the line before. docs/datasets.md has its own tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import console
from tests.helpers.command import vssbench
from tests.helpers.paths import ROOT
from vssbench import load_dataset

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OF_ITS_OWN = ROOT / "docs" / "datasets.md"
SIZE = "frames=20,height=64,width=96"
BENCH = """
methods: [oracle, "hold(of=oracle)"]
dataset: "synthetic(clips=2,frames=20,height=32,width=48)"
threads: 1
latency: {frames: 4, warmup: 1, rounds: 6, seconds: 1}
rules: {mIoU: -0.1, "VC@8": -0.2}
"""
FILE = re.compile(r"```(?:yaml|python)\n# (\w+\.(?:yaml|py)).*?\n(.*?)```", re.DOTALL)
"""A whole file that a page shows, with its name in the first line."""


def has_commands(page: Path) -> bool:
    return any(block.reason is None for block in console.blocks(page))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets in their real layouts, predictions, a video, weights for VSPW's classes, runs, and a Git repository."""
    root = tmp_path_factory.mktemp("place")
    for layout, folder in (("vspw", "VSPW_480p"), ("camvid", "camvid")):
        for split in ("train", "val"):
            done("export", f"synthetic(clips=2,{SIZE})", "--layout", layout, "--split", split, "--output", root / split)
            shutil.copytree(root / split, root / folder, dirs_exist_ok=True)
            shutil.rmtree(root / split)
    done("export", f"synthetic(clips=2,{SIZE})", "--layout", "camvid", "--output", root / "my_video")
    seen = ("--frames", root / "my_video" / "val", "--output", root / "seen", "--video", root / "clip.mp4")
    done("predict", "mask2former", "--labels", "synthetic", *seen)
    for method, start in (("mask2former", ()), ("mpvss", ("--start", root / "mask2former.safetensors"))):
        few = ("--steps", 1, "--batch", 1, "--crop", "64x64", "--validation", "none", "--threads", 1)
        data = ("--dataset", "vspw", "--data-root", root / "VSPW_480p")
        done("train", f"{method}(backbone=tiny)", *data, *start, *few, "--output", root / "trained" / method)
        shutil.move(root / "trained" / method / f"{method}.safetensors", root)
    vspw = load_dataset("vspw", root / "VSPW_480p")
    for clip in vspw.clips():
        for frame in vspw.frames(clip):
            path = root / "predictions" / clip / f"{frame.stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert frame.labels is not None
            Image.fromarray(np.minimum(frame.labels, 123)).save(path)
    (root / "bench.yaml").write_text(BENCH, encoding="utf-8")
    shutil.copy(root / "bench.yaml", root / "smoke.yaml")
    (root / "names.yaml").write_text("oracle: Ours\n", encoding="utf-8")
    for name in ("a", "b"):
        done("run", root / "bench.yaml", "--output", root / "results" / name)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    return root


def done(*words: object) -> None:
    outcome = vssbench(*words)
    assert outcome.status == 0, outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", [*filter(has_commands, PAGES)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documentation_succeeds(
    page: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page == OF_ITS_OWN:
        pytest.skip("tests/datasets/folder/test_docs.py runs them, and compares what they print")
    folder = tmp_path / "copy"
    shutil.copytree(place, folder)
    monkeypatch.chdir(folder)
    for name, text in FILE.findall(page.read_text("utf-8")):
        (folder / name).write_text(text, encoding="utf-8")
    for block in console.blocks(page):
        for command in block.commands if block.reason is None else ():
            status, said = console.run(command, folder)
            assert status == 0, f"{page.name}, block at line {block.line}: {command}\n{said}"


def test_every_console_block_has_a_command_and_every_marker_has_a_block() -> None:
    for page in PAGES:
        found = console.blocks(page)
        text = page.read_text(encoding="utf-8")
        assert len(found) == len(re.findall(r"^```console$", text, re.MULTILINE)), page
        assert all(block.commands or block.reason for block in found), page
        assert text.count("<!-- not run: ") == sum(block.reason is not None for block in found), page
