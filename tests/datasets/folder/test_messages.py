"""Messages about mistakes in a description: the exact words, with DIR for the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.command import Outcome, vssbench
from tests.helpers.described import write_tree

RUN = ("run", "--methods", "oracle", "--no-latency")
GOOD = """\
name: my_video
images: frames/{clip}/{frame}.png
labels: masks/{clip}/{frame}.png
splits:
  train: [cam1]
  val: [cam2_*]
classes:
  - road
  - {name: car, colour: [0, 0, 142]}
  - tree
void: [255]
"""
KEYS = "channel, classes, colours, fps, images, instances, labels, masks, name, source, splits, stray, void"
MISTAKES = {
    "a key that there is not": (
        ("labels: masks", "lables: masks"),
        f"DIR/my_video.yaml:3:1: lables: unknown key; did you mean 'labels'? known: {KEYS}",
    ),
    "a pattern that begins with a brace": (
        ("images: frames/{clip}", "images: {clip}"),
        "DIR/my_video.yaml:2:15: is not YAML: expected <block end>, but found '<scalar>'\n"
        '  fix: quote a text that begins with a brace: images: "{clip}/{frame}.png"',
    ),
    "a placeholder that there is not": (
        ("frames/{clip}", "frames/{video}"),
        "DIR/my_video.yaml:2:9: images: 'frames/{video}/{frame}.png' has an unknown placeholder {video}; known: clip, "
        "frame, split",
    ),
    "another ending": (
        ("frames/{clip}/{frame}.png", "frames/{clip}/{frame}.jpg"),
        "DIR/my_video.yaml:2:9: images: nothing matches frames/{clip}/{frame}.jpg: in DIR/frames/cam1 there is no file "
        "{frame}.jpg, but '00001.png' and '00002.png'",
    ),
    "another folder": (
        ("masks/{clip}", "mask/{clip}"),
        "DIR/my_video.yaml:3:9: labels: nothing matches mask/{clip}/{frame}.png: in DIR there is no folder mask, but "
        "'frames' and 'masks'",
    ),
    "a clip that there is not": (
        ("[cam2_*]", "[cam2_a, cam3_*]"),
        "DIR/my_video.yaml:6:17: splits.val.1: no clip matches 'cam3_*'; there are 3 clips, such as "
        "'cam2_b' and 'cam2_a'",
    ),
    "a clip's name that is a number to YAML": (
        ("[cam2_*]", "[0002]"),
        "DIR/my_video.yaml:6:3: splits.val: 2 is a number in YAML (0002 is 2); write clip names in quotes",
    ),
    "a list of clips that is not there": (
        ("[cam2_*]", "lists/val.txt"),
        "DIR/my_video.yaml:6:8: splits.val: no such file lists/val.txt, neither below DIR nor next to the description",
    ),
    "a value of two classes": (
        ("car, colour: [0, 0, 142]", "car, values: [0, 3]"),
        "DIR/my_video.yaml:9:26: classes.1.values.0: value 0 is already 'road'",
    ),
    "a class of 255 while void says nothing": (
        ("  - tree\nvoid: [255]\n", "  - {name: tree, values: [255]}\n"),
        "DIR/my_video.yaml:1:1: void: value 255 is already 'tree' (255 is void unless `void` says otherwise)",
    ),
    "colours without colours": (
        ("void: [255]", "masks: colours"),
        "DIR/my_video.yaml:8:5: classes.0: 'road' has no colour, and `masks: colours` needs one\n"
        "DIR/my_video.yaml:10:5: classes.2: 'tree' has no colour, and `masks: colours` needs one",
    ),
    "a class that was forgotten": (
        ("  - tree\n", ""),
        "DIR/masks/cam2_a/00000.png: values without a meaning: 2 (416 pixels)\n"
        "  expected: values of the 2 classes of my_video, or of void\n"
        "  fix: give each a class, or list it under void; vssbench doctor lists every such file",
    ),
    "several at once": (
        ("void: [255]", "void: [70000]\nfps: fast\nmasks: color\nchanel: red\ninstances: {from: 125}"),
        "DIR/my_video.yaml:11:8: void.0: Input should be less than or equal to 65535\n"
        "DIR/my_video.yaml:13:8: masks: Input should be 'values' or 'colours'\n"
        "DIR/my_video.yaml:15:1: instances.divisor: is missing\n"
        "DIR/my_video.yaml:12:6: fps: must be a number\n"
        f"DIR/my_video.yaml:14:1: chanel: unknown key; did you mean 'channel'? known: {KEYS}",
    ),
    "nothing that must be there": (
        (GOOD, "name: my_video\n"),
        "DIR/my_video.yaml:1:1: classes: is missing\nDIR/my_video.yaml:1:1: images: is missing",
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"cam1": 3, "cam2_a": 3, "cam2_b": 3})
    return tmp_path


def run(tree: Path, text: str, *more: object) -> Outcome:
    """Run on a description."""
    (tree / "my_video.yaml").write_text(text)
    return vssbench(*RUN, "--dataset", tree / "my_video.yaml", "--output", tree / "out", *more)


def said(tree: Path, text: str, *more: object) -> str:
    """Standard error of a run on a description that must be refused."""
    done = run(tree, text, *more)
    assert done.status == 2
    return done.stderr.replace(str(tree), "DIR").strip()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_a_description_has_its_exact_message(mistake: str, tree: Path) -> None:
    (before, after), message = MISTAKES[mistake]
    assert before in GOOD
    assert said(tree, GOOD.replace(before, after)) == f"vssbench: {message}"


def test_description_without_mistakes_runs(tree: Path) -> None:
    assert run(tree, GOOD).status == 0


def test_unknown_split_is_one_error_message(tree: Path) -> None:
    assert said(tree, GOOD, "--split", "test") == (
        "vssbench: DIR/my_video.yaml:4:1: splits: no such split: 'test'; known: train, val"
    )
    without = GOOD.replace("splits:\n  train: [cam1]\n  val: [cam2_*]\n", "")
    assert said(tree, without, "--split", "train") == (
        "vssbench: DIR/my_video.yaml:1:1: splits: no such split: 'train'; known: val; "
        "`splits: {val: [...], train: [...]}` says which clips are in each"
    )


def test_colour_masks_where_values_are_described_are_refused(tree: Path) -> None:
    file = tree / "masks/cam2_a/00000.png"
    Image.open(file).convert("RGB").save(file)
    assert said(tree, GOOD).startswith("vssbench: DIR/masks/cam2_a/00000.png: a colour mask where indices are expected")
    assert "write `masks: colours` in the description, or `channel: red`" in said(tree, GOOD)


def test_missing_description_is_one_error_message(tree: Path) -> None:
    done = vssbench(*RUN, "--dataset", tree / "none.yaml", "--output", tree / "out")
    assert done.stderr.replace(str(tree), "DIR").strip() == "vssbench: DIR/none.yaml: no such file"
