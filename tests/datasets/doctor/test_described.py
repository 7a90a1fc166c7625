"""Doctor's findings in described video: values without a meaning, repeated frames, names, and splits."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import vssbench
from tests.helpers.described import SIZE, describe, labels, picture, write_tree
from vssbench.datasets.doctor.examine import examine
from vssbench.datasets.doctor.report import Report
from vssbench.datasets.export import export
from vssbench.load import load_dataset


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two clips of four frames, with the description next to them."""
    write_tree(tmp_path, {"a": 4, "b": 4})
    describe(tmp_path / "d.yaml")
    return tmp_path


def examined(root: Path, split: str = "val") -> Report:
    return examine(load_dataset(str(root / "d.yaml"), None, split))


def told(report: Report) -> list[str]:
    return [f"{Path(one.file).name}: {one.what}" for one in report.findings]


def test_sound_dataset_has_no_findings(own: Path) -> None:
    report = examined(own)
    assert (told(report), report.meaningless) == ([], {})
    assert len(report.notes) == 1
    assert report.notes[0].endswith("is known for the split 'val': counts not compared")


def test_values_without_a_meaning_are_counted_across_files_and_highlighted(own: Path) -> None:
    for clip, index, value in (("a", 1, 7), ("a", 3, 7), ("b", 0, 9)):
        mask = labels(clip, index)
        mask[5:8, 10:20] = value
        Image.fromarray(mask).save(own / "masks" / clip / f"{index:05d}.png")
    words = ("doctor", "--dataset", own / "d.yaml")
    done = vssbench(*words, "--pictures", own / "shown")
    assert done.status == 1
    first = own / "masks" / "a" / "00001.png"
    assert (
        f"the value 7 has no meaning: 60 pixels in 2 label files, first at row 5, column 10 of {first}; "
        f"{own}/shown/value_7.png shows them\n"
    ) in done.stdout
    shown = np.asarray(Image.open(own / "shown" / "value_7.png"))
    marked = np.zeros(SIZE, bool)
    marked[5:8, 10:20] = True
    assert (shown[marked] == (255, 0, 255)).all()
    np.testing.assert_array_equal(shown[~marked], (picture("a", 1) // 3)[~marked])
    assert sorted(path.name for path in (own / "shown").iterdir()) == ["value_7.png", "value_9.png"]
    said = json.loads(vssbench(*words, "--json").stdout)["summary"]["without_meaning"]
    assert [(one["value"], one["pixels"], one["files"], one["picture"]) for one in said] == [
        (7, 60, 2, None),
        (9, 30, 1, None),
    ]


def test_colours_without_a_meaning_are_counted_and_highlighted(tmp_path: Path, arrays: Any) -> None:
    """This works in a built-in layout too."""
    export(arrays(), "camvid-colour", tmp_path)
    mask = np.full((12, 16, 3), 7, np.uint8)
    mask[3:, :, 2] = 9
    Image.fromarray(mask).save(tmp_path / "val_labels" / "clip_0_00005_L.png")
    done = vssbench("doctor", "--dataset", "camvid", "--data-root", tmp_path, "--pictures", tmp_path / "shown")
    assert "the colour (7, 7, 9) has no meaning: 144 pixels in 1 label file, first at row 3, column 0" in done.stdout
    assert sorted(path.name for path in (tmp_path / "shown").iterdir()) == ["colour_7_7_7.png", "colour_7_7_9.png"]


def test_unwritable_picture_folder_is_an_error(own: Path) -> None:
    Image.fromarray(np.full(SIZE, 7, np.uint8)).save(own / "masks/a/00001.png")
    (own / "file").write_text("")
    done = vssbench("doctor", "--dataset", own / "d.yaml", "--pictures", own / "file" / "here")
    assert done.status == 2
    assert "cannot be written" in done.stderr


def test_repeated_frames_are_reported(own: Path) -> None:
    for index in (1, 2):
        shutil.copy(own / "frames/a/00000.png", own / f"frames/a/{index:05d}.png")
    with Image.open(own / "frames/b/00002.png") as image:
        image.save(own / "frames/b/00003.png", compress_level=0)  # different bytes, the same pixels
    assert told(examined(own)) == [
        "00001.png: 2 of 4 frames have the same pixels as the frame before; this is the first",
        "00003.png: 1 of 4 frames have the same pixels as the frame before",
    ]


def test_files_skipped_because_of_their_names_are_reported(own: Path) -> None:
    Image.fromarray(picture("a", 4)).save(own / "frames/a/00004.jpg")
    (own / "frames/a/00003.png").rename(own / "frames/a/00003.PNG")
    Image.fromarray(picture("b", 4)).save(own / "frames/b/00004.tif")
    (own / "frames/b/00001_depth.bmp").write_bytes(b"")  # next to frames, but not a frame
    found = told(examined(own))
    assert "a: files left out because of their names: 2 (00003.PNG, 00004.jpg)" in found
    assert "b: files left out because of their names: 1 (00004.tif)" in found
    assert len(found) == 3  # including the mask of 00003, which has no frame now


def test_file_names_that_are_not_utf8_are_reported(own: Path) -> None:
    odd = os.fsdecode(b"caf\xe9_00004")
    for folder, made in (("frames", picture("b", 4)), ("masks", labels("b", 4))):
        try:
            Image.fromarray(made).save(own / folder / "b" / "x.png")
            (own / folder / "b" / "x.png").rename(own / folder / "b" / f"{odd}.png")
        except OSError:
            pytest.skip("this file system holds UTF-8 alone")
    done = vssbench("doctor", "--dataset", own / "d.yaml")
    assert done.status == 1
    assert "names that are not UTF-8: 2, such as caf\\udce9_00004.png" in done.stdout
    assert json.loads(vssbench("doctor", "--dataset", own / "d.yaml", "--json").stdout)["findings"]


def test_clips_in_two_splits_or_in_none_are_reported(own: Path) -> None:
    write_tree(own, {"c": 1})
    describe(own / "d.yaml", splits={"train": ["a", "b"], "val": ["b"]})
    report = examined(own)
    assert [one.what for one in report.findings] == ["clips in both val and train: 1 (b)"]
    assert "clips in no split: 1 (c)" in report.notes
    describe(own / "d.yaml", splits={"train": "lists/train.txt", "val": ["b"]})
    report = examined(own)
    assert report.findings == []
    assert "not compared with the split 'train': " in report.notes[0]


def test_clip_with_equal_pictures_in_two_split_folders_is_reported(tmp_path: Path) -> None:
    """Clip names may restart from 0 in each split, so the pictures are compared instead."""
    form = ("{split}/{clip}/{frame}.png", "masks/{split}/{clip}/{frame}.png")
    write_tree(tmp_path, {"0000": 2, "0001": 2}, *form, split="train")
    write_tree(tmp_path, {"0002": 2}, *form, split="val")
    describe(tmp_path / "d.yaml", images=form[0], labels=form[1])
    assert examined(tmp_path).findings == []
    for folder in (tmp_path, tmp_path / "masks"):
        shutil.copytree(folder / "train" / "0001", folder / "val" / "0000")
    assert [one.what for one in examined(tmp_path).findings] == ["clips in both val and train: 1 (0000)"]


def test_video_in_two_vspw_lists_is_reported(tmp_path: Path, arrays: Any) -> None:
    export(arrays(), "vspw", tmp_path)
    (tmp_path / "train.txt").write_text("clip_1\nclip_7\n")
    report = examine(load_dataset("vspw", tmp_path))
    assert [one.what for one in report.findings] == ["clips in both val and train: 1 (clip_1)"]
