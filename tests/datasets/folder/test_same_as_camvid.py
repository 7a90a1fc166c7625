"""The same video as CamVid and as a described folder: the same labels, figures and counts, to the digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.helpers.command import vssbench
from tests.helpers.described import describe
from tests.helpers.paths import SHARED
from vssbench.datasets.export import export
from vssbench.datasets.label_spaces import LABELS
from vssbench.load import load_dataset

REAL = SHARED / "data"
CLASSES = yaml.safe_load((LABELS / "camvid.yaml").read_text(encoding="utf-8"))
SAID = {"classes": CLASSES["classes"], "void": CLASSES["void"]}


def as_folders(root: Path, split: str, place: Path, most: int | None = None) -> tuple[Path, Path]:
    """Make two views of the same files: CamVid's layout, and a folder per clip. most: maximum frames per clip"""
    dataset: Any = load_dataset("camvid", root, split)
    for clip in dataset.clips():
        for item in dataset.items(clip)[:most]:
            number = f"{item.stem.rpartition('_')[2]}.png"
            for source, plain, described in (
                (item.image, f"{split}/{item.stem}.png", f"frames/{clip}/{number}"),
                (item.label, f"{split}annot/{item.stem}.png", f"masks/{clip}/{number}"),
            ):
                for path in (place / "camvid" / plain, place / "mine" / described):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.symlink_to(source)
    return place / "camvid", describe(place / "mine" / "d.yaml", **SAID)


def figures(place: Path, *dataset: object) -> list[tuple[dict[str, float | None], list[int]]]:
    """The figures and the counts from a run of three methods."""
    methods = "hold(of=oracle,key_interval=3),flowwarp(of=oracle,key_interval=4),oracle"
    words = ("run", "--methods", methods, "--no-latency", "--json", *dataset)
    done = vssbench(*words, "--output", place)
    assert done.status == 0, done.stderr
    entries = json.loads(done.stdout)["methods"].values()
    return [(entry["metrics"], [entry["dataset"][one] for one in ("clips", "frames", "labelled")]) for entry in entries]


def compare(root: Path, described: Path, split: str, place: Path) -> None:
    """Raise unless both views give the same figures."""
    one = figures(place / "one", "--dataset", "camvid", "--data-root", root, "--split", split)
    assert one == figures(place / "other", "--dataset", described)
    held = one[0][0]
    assert held["mIoU"] is not None
    assert held["mIoU"] < 100
    assert held["VC@16"] is not None


def test_synthetic_tree_scores_the_same_in_both_layouts(tmp_path: Path) -> None:
    export(load_dataset("synthetic(clips=2,frames=18,height=48,width=64)"), "camvid", tmp_path / "exported")
    compare(*as_folders(tmp_path / "exported", "val", tmp_path), "val", tmp_path)


@pytest.mark.skipif(not (REAL / "camvid").is_dir(), reason="CamVid is not next to the project")
def test_real_camvid_scores_the_same_in_both_layouts(tmp_path: Path) -> None:
    """Eighteen consecutive frames at 15 Hz, so that VC has its windows."""
    compare(*as_folders(REAL / "camvid", "val", tmp_path, most=18), "val", tmp_path)


@pytest.mark.skipif(not (REAL / "camvid720").is_dir(), reason="CamVid in 720x960 is not next to the project")
def test_real_colour_masks_read_the_same_in_both_layouts(tmp_path: Path) -> None:
    """The release's masks in its 32 colours, with sequence and number in one name."""
    said = {
        "images": "val/{clip}_{frame}.png",
        "labels": "val_labels/{clip}_{frame}_L.png",
        "masks": "colours",
        "colours": CLASSES["colours"],
    }
    described: Any = load_dataset(str(describe(tmp_path / "d.yaml", **SAID, **said)), REAL / "camvid720")
    camvid: Any = load_dataset("camvid", REAL / "camvid720")
    found = {f"{clip}_{stem}": labels for clip in described.clips() for stem, labels in described.labels(clip)}
    there = {stem: labels for clip in camvid.clips() for stem, labels in camvid.labels(clip)}
    assert len(there) == 8
    assert found.keys() == there.keys()
    assert all(np.array_equal(found[stem], there[stem]) for stem in there)
